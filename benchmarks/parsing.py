"""How long a page of trending repositories takes from its bytes to records, beside lxml alone on the same bytes.

    python -m benchmarks.parsing [--recorded FOLDER]

The pages are true captures, one line for each; the folder is that of the tests (STOMA_RECORDED names another).
"""

from __future__ import annotations

import argparse
import os
import statistics
import time
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from lxml import etree

from stoma.collectors.answers import Response
from stoma.collectors.github_trending import read_page
from stoma.normalizers.github import GithubNormalizer
from stoma.records import CollectorResult, sealed

ROUNDS = 21
MOST_MS = 15.0


def trending(body: bytes) -> list[Any]:
    """A page as sealed records."""
    now = datetime.now(UTC)
    page = read_page(Response("https://github.com/trending", 200, {}, body, now))
    found = GithubNormalizer().normalize(CollectorResult("github", page.items, page.url, now))
    return [sealed(record) for record in found]  # type: ignore[arg-type]


def bare(body: bytes) -> Any:
    """The tree alone."""
    return etree.fromstring(body, etree.HTMLParser(encoding="utf-8"))


def milliseconds(work: Callable[[bytes], Any], body: bytes) -> float:
    """The median of ROUNDS, in time of the processor: whatever else the machine does counts less."""
    taken = []
    for _ in range(ROUNDS):
        began = time.process_time()
        work(body)
        taken.append((time.process_time() - began) * 1000)
    return statistics.median(taken)


def main() -> None:
    """Measure and print."""
    default = Path(__file__).resolve().parents[2] / "shared" / "recorded"
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--recorded", type=Path, default=Path(os.environ.get("STOMA_RECORDED") or default))
    pages = sorted((parser.parse_args().recorded / "github").glob("trending_*.html"))
    if not pages:
        parser.error("no captures there; --recorded names their folder")
    slowest = 0.0
    for page in pages:
        body = page.read_bytes()
        ours, theirs = milliseconds(trending, body), milliseconds(bare, body)
        slowest = max(slowest, ours)
        print(f"{page.stem:45} {len(body) >> 10:4} KB {len(trending(body)):3} rows {ours:6.1f} ms, "
              f"{ours / theirs:.2f} times lxml alone")  # fmt: skip
    print(f"slowest {slowest:.1f} ms ({'under' if slowest < MOST_MS else 'NOT UNDER'} {MOST_MS:g} ms)")


if __name__ == "__main__":
    main()
