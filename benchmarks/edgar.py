"""How fast an EDGAR master index becomes filings, and how much memory that takes.

    python -m benchmarks.edgar [--rows 200000]

The index is invented in the layout of a daily one: one filing in four has two or three parties, far apart in the file.
Beside it, in the same run, the bare split of the same rows, and the same index read as a collector does, over HTTP from
a server on loopback in pages, in a process of its own whose largest size is told.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import time
from datetime import UTC, datetime

from stoma.collectors.answers import Response
from stoma.collectors.edgar_index import read_index

HEADING = """Description:           Daily Index of EDGAR Dissemination Feed
Last Data Received:    Jan  3, 2020
Comments:              webmaster@sec.gov
Anonymous FTP:         ftp://ftp.sec.gov/edgar/

CIK|Company Name|Form Type|Date Filed|File Name
--------------------------------------------------------------------------------
"""
FORMS = ("4", "4", "4", "8-K", "424B2", "10-Q", "SC 13G/A", "497", "D", "FWP")


def index(rows: int) -> bytes:
    """A master index of so many rows, ordered by CIK."""
    lines = []
    for number in range(rows):
        cik = 1_000_000 + number
        filing = number % (rows * 3 // 4)  # the last quarter are further parties of filings before
        form = FORMS[filing % len(FORMS)]
        name = f"COMPANY NUMBER {filing} HOLDINGS INC /DE/"
        path = f"edgar/data/{cik}/{filing * 7919 % 10**10:010}-20-{filing % 10**6:06}.txt"
        lines.append(f"{cik}|{name}|{form}|20200103|{path}")
    return (HEADING + "\n".join(lines) + "\n").encode("latin-1")


def timed(body: bytes, is_wanted: object = None, rounds: int = 5) -> tuple[float, int]:
    """The least seconds to turn a body into filings, and how many there are."""
    best, count = float("inf"), 0
    for _ in range(rounds):
        began = time.perf_counter()
        response = Response("http://x/master.idx", 200, {}, body, datetime.now(UTC))
        count = sum(1 for _ in read_index(response, is_wanted).filings())  # type: ignore[arg-type,misc]
        best = min(best, time.perf_counter() - began)
    return best, count


def bare(body: bytes, rounds: int = 5) -> float:
    """The least seconds to decode, split and forget."""
    best = float("inf")
    for _ in range(rounds):
        began = time.perf_counter()
        for line in body.decode("latin-1").split("\n"):
            line.split("|")
        best = min(best, time.perf_counter() - began)
    return best


READER = """
import sys
from datetime import UTC, datetime
from stoma.collectors.edgar_by_form import by_form
from stoma.collectors.edgar_walk import Walk
from tests.support.world import World
world = World()
world.clock.start = datetime(2020, 1, 4, 9, tzinfo=UTC)
collection = world.collection({"base_url": sys.argv[1], "days_back": 2, "amendments": True})
from stoma.normalizers.sec_edgar import SecEdgarNormalizer
def size():
    # Not getrusage, which a child inherits from its parent.
    lines = open("/proc/self/status").read().splitlines()
    return next(int(line.split()[1]) >> 10 for line in lines if line.startswith("VmHWM"))
before = size()
count = pages = 0
for page in by_form(Walk.of(collection, "sec_edgar", "")):
    count += len(list(SecEdgarNormalizer().normalize(page)))
    pages += 1
print(count, pages, before, size())
"""
EMPTY = b'<feed xmlns="http://www.w3.org/2005/Atom"></feed>'


def reader(body: bytes) -> str:
    """What a process of its own says of reading the index over HTTP."""
    from tests.support.server import Asked, Reply, Server

    def answer(asked: Asked) -> Reply:
        if asked.path.endswith("/master.20200103.idx"):
            return Reply(body=body)
        if asked.path.endswith(".idx"):
            return Reply(403, b"<Error><Code>AccessDenied</Code></Error>")
        return Reply(body=EMPTY)

    with Server(answer) as server:
        done = subprocess.run(
            [sys.executable, "-c", READER, server.url], check=True, capture_output=True, text=True
        )
    filings, pages, before, most = done.stdout.split()
    return f"{filings} records in {pages} pages; {before} MB before, at most {most} MB"


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--rows", type=int, default=200_000)
    rows = parser.parse_args().rows
    body = index(rows)
    least = bare(body)
    print(f"{rows} rows, {len(body) / 1e6:.1f} MB; the bare split: {rows / least:,.0f} rows/s")
    for words, is_wanted in (("every form", None), ("8-K alone", "8-K".__eq__)):
        seconds, count = timed(body, is_wanted)
        print(
            f"{words}: {rows / seconds:,.0f} rows/s, {count} filings, {least / seconds:.2f} of the bare split"
        )
    print(f"over HTTP, normalised: {reader(body)}")


if __name__ == "__main__":
    main()
