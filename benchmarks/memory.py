"""How much memory a run takes that reads much: 81 pages of 1,000 papers, and an EDGAR index of 200,000 rows.

    python -m benchmarks.memory [--recorded FOLDER] [--pages 81] [--rows 200000]

Each is a whole run, over HTTP from a server on loopback into SQLite, in a process of its own whose largest size is
told. The papers come from the query API, which shows 30,000 of one query, so that the run cuts it by date; and from
OAI-PMH. They are captured ones, each of a thousand many times over with ids and dates of its own.
"""

from __future__ import annotations

import argparse
import os
import re
import subprocess
import sys
import tempfile
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from benchmarks.edgar import memory as of_edgar
from benchmarks.edgar import size
from benchmarks.parsing import thousand
from tests.support.server import Asked, Reply, Server

MOST_MB = 150
AT_ONCE = 1_000
DEEPEST = 30_000
FIRST = datetime(2026, 1, 1, tzinfo=UTC)
NOW = datetime(2026, 11, 1, tzinfo=UTC)
MINUTE = timedelta(minutes=1)

BOUNDS = re.compile(r"submittedDate:\[(\d+) TO (\d+)\]")
DATES = re.compile(rb"<(published|updated)>[^<]*<")
RECORD = re.compile(rb"<record>.*?</record>", re.DOTALL)
OAI_ID = re.compile(rb"(<id>|:arXiv\.org:)[^<]*<")


class Papers:
    """So many papers, one submitted in each minute; asked for over either interface."""

    def __init__(self, recorded: Path, count: int) -> None:
        self.count = count
        page = thousand(recorded)
        self.head = page[: page.index(b"<entry>")]
        self.entries = re.findall(rb"<entry>.*?</entry>", page, re.DOTALL)
        listing = (recorded / "arxiv/oai_2016_cs_page001.xml").read_bytes()
        self.oai_head = listing[: listing.index(b"<record>")]
        self.records = RECORD.findall(listing)

    def answer(self, asked: Asked) -> Reply:
        """A page of what is asked for."""
        if asked.path == "/oai":
            return self._listed(int(asked.query.get("resumptionToken") or 0))
        start, wanted = int(asked.query["start"]), int(asked.query["max_results"])
        if start + wanted > DEEPEST:
            return Reply(400, b"too deep")
        first, last = 0, self.count - 1
        if bounds := BOUNDS.search(asked.query["search_query"]):
            low, high = (datetime.strptime(one, "%Y%m%d%H%M").replace(tzinfo=UTC) for one in bounds.groups())
            first, last = max(first, (low - FIRST) // MINUTE), min(last, (high - FIRST) // MINUTE)
        total = max(0, last - first + 1)
        numbers = range(last - start, max(first, last - start - wanted + 1) - 1, -1)
        body = b"\n".join(self._entry(number) for number in numbers)
        head = re.sub(rb"(totalResults>)\d+", rb"\g<1>%d" % total, self.head)
        return Reply(200, head + body + b"</feed>", {"Content-Type": "application/atom+xml"})

    def _entry(self, number: int) -> bytes:
        when = f"{FIRST + number * MINUTE:%Y-%m-%dT%H:%M:%SZ}".encode()
        entry = DATES.sub(lambda match: b"<%s>%s<" % (match[1], when), self.entries[number % AT_ONCE])
        return re.sub(rb"abs/[^<]*</id>", b"abs/%04d.%05dv1</id>" % divmod(number, 100_000), entry)

    def _listed(self, start: int) -> Reply:
        numbers = range(start, min(start + AT_ONCE, self.count))
        body = b"".join(
            OAI_ID.sub(rb"\g<1>%04d.%05d<" % divmod(number, 100_000), self.records[number % AT_ONCE])
            for number in numbers
        )
        token = b"%d" % (start + AT_ONCE) if start + AT_ONCE < self.count else b""
        end = b"<resumptionToken>%s</resumptionToken></ListRecords></OAI-PMH>" % token
        return Reply(200, self.oai_head + body + end, {"Content-Type": "text/xml"})


def collect_into_sqlite(url: str, folder: str, mode: str, count: str) -> None:
    """One run as a scheduler makes it, in this process; prints records, pages, and MB before and at most."""
    from stoma.scheduler.base import NewRun, Task, hand_trigger
    from stoma.scheduler.pipeline import Control, Surroundings, execute
    from stoma.stores import open_store

    config: dict[str, Any] = {"base_url": url, "mode": mode}
    if mode == "search":
        config |= {"search_query": "cat:cs.LG", "max_results": 2 * int(count), "page_size": AT_ONCE}
    with open_store("sqlite:///stoma.db", Path(folder), clock=lambda: NOW) as store:
        task, lease = Task("arxiv", "arXiv", "arxiv", config=config), timedelta(hours=1)
        store.runs.add(NewRun(task.id, hand_trigger(), task.priority, "0"), store.now())
        run = store.runs.claim("benchmark", store.now(), store.now() + lease)
        assert run is not None
        before = size("VmRSS")
        ended = execute(run, task, Surroundings(store, Path(folder), lease, "benchmark"), Control())
        assert ended is not None
        assert str(ended.status) == "completed", ended.error
        print(ended.new, ended.pages, before, size("VmHWM"))


def of_arxiv(recorded: Path, mode: str, count: int) -> tuple[int, int, int, int]:
    """Records, pages, MB before and MB at most."""
    code = "import sys; from benchmarks.memory import collect_into_sqlite as go; go(*sys.argv[1:])"
    with Server(Papers(recorded, count).answer) as server, tempfile.TemporaryDirectory() as folder:
        command = [sys.executable, "-c", code, server.url, folder, mode, str(count)]
        done = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True)
    records, pages, before, most = map(int, done.stdout.split())
    return records, pages, before, most


def main() -> None:
    """Measure and print."""
    default = Path(__file__).resolve().parents[2] / "shared" / "recorded"
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--recorded", type=Path, default=Path(os.environ.get("STOMA_RECORDED") or default))
    parser.add_argument("--pages", type=int, default=81)
    parser.add_argument("--rows", type=int, default=200_000)
    given = parser.parse_args()
    count = given.pages * AT_ONCE
    works = {
        "arXiv query API": lambda: of_arxiv(given.recorded, "search", count),
        "arXiv OAI-PMH": lambda: of_arxiv(given.recorded, "oai", count),
        "EDGAR index": lambda: of_edgar(given.rows),
    }
    for name, work in works.items():
        began = time.perf_counter()
        records, pages, before, most = work()
        seconds = time.perf_counter() - began
        verdict = "under" if most < MOST_MB else "NOT UNDER"
        print(
            f"{name:16} {records:7} records in {pages:3} pages, {seconds:3.0f} s; {before} MB before, "
            f"at most {most} MB ({verdict} {MOST_MB} MB)"
        )


if __name__ == "__main__":
    main()
