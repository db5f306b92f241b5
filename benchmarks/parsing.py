"""How fast answers become records: arXiv's Atom and OAI-PMH, GitHub's trending pages; beside others on the same bytes.

    python -m benchmarks.parsing [--recorded FOLDER] [--rounds 7]

`parsed` is from the bytes of an answer to its items, `sealed` from the bytes to normalised records with their content
hashes, as a store takes them. The Atom page is made of 100 captured papers, ten times over; all else are true captures.
Beside them, in the same run: lxml alone (the tree, nothing read from it), feedparser, and the package `arxiv`, which is
asked for its own page parser. Time is that of the processor, the least of all rounds: whatever else a machine does
counts less. The folder is that of the tests (STOMA_RECORDED names another).
"""

from __future__ import annotations

import argparse
import os
import re
import time
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from lxml import etree

from stoma.collectors.answers import Response
from stoma.collectors.arxiv_atom import read_page as read_atom
from stoma.collectors.arxiv_oai import read_listing
from stoma.collectors.github_trending import read_page as read_trending
from stoma.normalizers.arxiv import ArxivNormalizer
from stoma.normalizers.github import GithubNormalizer
from stoma.records import CollectorResult, checked, sealed

ENTRY = re.compile(rb"<entry>.*?</entry>", re.DOTALL)
LEAST = 20_000
MOST_MS = 15.0

Work = Callable[[bytes], Any]


def response(body: bytes) -> Response:
    """An answer with this body."""
    return Response("https://x/", 200, {}, body, datetime.now(UTC))


def records(source: str, normalizer: Any, items: list[Any]) -> list[Any]:
    """Items as a store takes them."""
    found = normalizer.normalize(CollectorResult(source, items, "https://x/", datetime.now(UTC)))
    return [sealed(checked(record)) for record in found]


def thousand(recorded: Path) -> bytes:
    """A page of 1,000 papers, each of its own id."""
    body = (recorded / "arxiv/api_2026_testing_start00_max100.xml").read_bytes()
    entries = ENTRY.findall(body)
    papers = [
        re.sub(rb"abs/[^<]*</id>", b"abs/%04d.%05dv1</id>" % (2600 + copy, number), paper)
        for copy in range(10)
        for number, paper in enumerate(entries)
    ]
    return body[: body.index(b"<entry>")] + b"\n".join(papers) + b"\n</feed>\n"


def least(work: Work, body: bytes, rounds: int) -> float:
    """Seconds of processor time, the least of `rounds`."""
    best = float("inf")
    for _ in range(rounds):
        began = time.process_time()
        work(body)
        best = min(best, time.process_time() - began)
    return best


def others() -> dict[str, Work]:
    """What else reads Atom, as far as it is installed."""
    import feedparser

    found: dict[str, Work] = {"feedparser": feedparser.parse}
    try:
        from arxiv import _feed
    except ImportError:
        print("the package arxiv is not installed (benchmarks/requirements.txt): left out")
    else:
        found["arxiv"] = _feed.parse
    return found


def table(title: str, body: bytes, works: dict[str, Work], rounds: int) -> None:
    """Entries a second of each, and how many times that is the first one's time."""
    count = len(works["parsed"](body))
    print(f"{title}: {count} records, {len(body) / 1e6:.2f} MB")
    ours = least(works["parsed"], body, rounds)
    for name, work in works.items():
        seconds = ours if name == "parsed" else least(work, body, rounds)
        verdict = (
            f", {'at least' if count / seconds >= LEAST else 'NOT'} {LEAST:,}" if name == "parsed" else ""
        )
        print(
            f"  {name:12} {count / seconds:10,.0f}/s  {seconds / ours:6.2f} times the time of parsed{verdict}"
        )


def arxiv(recorded: Path, rounds: int) -> None:
    """Atom and OAI-PMH."""
    normalizer = ArxivNormalizer()
    table(
        "arXiv Atom",
        thousand(recorded),
        {
            "parsed": lambda body: read_atom(response(body)).items,
            "sealed": lambda body: records("arxiv", normalizer, read_atom(response(body)).items),
            "lxml alone": etree.fromstring,
            **others(),
        },
        rounds,
    )
    table(
        "arXiv OAI-PMH",
        (recorded / "arxiv/oai_2016_cs_page001.xml").read_bytes(),
        {
            "parsed": lambda body: read_listing(response(body)).items,
            "sealed": lambda body: records("arxiv", normalizer, read_listing(response(body)).items),
            "lxml alone": etree.fromstring,
        },
        rounds,
    )


def trending(recorded: Path, rounds: int) -> None:
    """GitHub's pages of all years, one line for each."""

    def whole(body: bytes) -> list[Any]:
        return records("github", GithubNormalizer(), read_trending(response(body)).items)

    def bare(body: bytes) -> Any:
        return etree.fromstring(body, etree.HTMLParser(encoding="utf-8"))

    slowest = 0.0
    for page in sorted((recorded / "github").glob("trending_*.html")):
        body = page.read_bytes()
        ours, theirs = 1000 * least(whole, body, rounds), 1000 * least(bare, body, rounds)
        slowest = max(slowest, ours)
        print(
            f"{page.stem:45} {len(body) >> 10:4} KB {len(whole(body)):3} rows {ours:6.1f} ms, "
            f"{ours / theirs:.2f} times lxml alone"
        )
    print(f"slowest {slowest:.1f} ms ({'under' if slowest < MOST_MS else 'NOT UNDER'} {MOST_MS:g} ms)")


def main() -> None:
    """Measure and print."""
    default = Path(__file__).resolve().parents[2] / "shared" / "recorded"
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--recorded", type=Path, default=Path(os.environ.get("STOMA_RECORDED") or default))
    parser.add_argument("--rounds", type=int, default=9)
    given = parser.parse_args()
    if not (given.recorded / "arxiv").is_dir():
        parser.error("no captures there; --recorded names their folder")
    arxiv(given.recorded, given.rounds)
    trending(given.recorded, given.rounds)


if __name__ == "__main__":
    main()
