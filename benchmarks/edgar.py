"""How fast an EDGAR master index becomes filings, and how much memory that takes.

    python -m benchmarks.edgar [--rows 200000] [--memory]

The index is invented in the layout of a daily one: one filing in four has two or three parties, far apart in the file.
Beside it, in the same run, the bare split of the same rows; then the same index collected by a whole run, over HTTP
from a server on loopback into SQLite, in a process of its own whose largest size is told.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import tempfile
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

from stoma.collectors.answers import Response
from stoma.collectors.edgar_index import read_index

HEADING = """Description:           Daily Index of EDGAR Dissemination Feed
Last Data Received:    Jan  3, 2020
Comments:              webmaster@sec.gov
Anonymous FTP:         ftp://ftp.sec.gov/edgar/

CIK|Company Name|Form Type|Date Filed|File Name
--------------------------------------------------------------------------------
"""
MOST_MB = 150
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


EMPTY = b'<feed xmlns="http://www.w3.org/2005/Atom"></feed>'


def collect_into_sqlite(url: str, folder: str) -> None:
    """One run as a scheduler makes it, in this process; prints records, pages, and MB before and at most."""
    from stoma.scheduler.base import NewRun, Task, hand_trigger
    from stoma.scheduler.pipeline import Control, Surroundings, execute
    from stoma.stores import open_store

    base = Path(folder)
    with open_store("sqlite:///stoma.db", base, clock=lambda: datetime(2020, 1, 4, 12, tzinfo=UTC)) as store:
        config = {"base_url": url, "days_back": 2, "amendments": True}
        task = Task("edgar", "EDGAR", "sec_edgar", config=config)
        lease = timedelta(hours=1)
        around = Surroundings(store, base, lease, "benchmark", contact="Jane Doe jane@example.org")
        store.runs.add(NewRun(task.id, hand_trigger(), task.priority, "0"), store.now())
        run = store.runs.claim("benchmark", store.now(), store.now() + lease)
        assert run is not None
        before = size("VmRSS")
        ended = execute(run, task, around, Control())
        assert ended is not None
        assert str(ended.status) == "completed", ended.error
        print(ended.new, ended.pages, before, size("VmHWM"))


def size(name: str) -> int:
    """MB of this process. Not getrusage, whose largest size a child inherits from its parent."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) >> 10 for line in lines if line.startswith(name))


def memory(rows: int) -> tuple[int, int, int, int]:
    """Records, pages, MB before and MB at most of a process that reads an index of so many rows into SQLite."""
    from tests.support.server import Asked, Reply, Server

    body = index(rows)

    def answer(asked: Asked) -> Reply:
        if asked.path.endswith("/master.20200103.idx"):
            return Reply(body=body)
        if asked.path.endswith(".idx"):
            return Reply(403, b"<Error><Code>AccessDenied</Code></Error>")
        return Reply(body=EMPTY)

    code = "import sys; from benchmarks.edgar import collect_into_sqlite as go; go(*sys.argv[1:])"
    with Server(answer) as server, tempfile.TemporaryDirectory() as folder:
        command = [sys.executable, "-c", code, server.url, folder]
        done = subprocess.run(command, check=True, capture_output=True, text=True)
    records, pages, before, most = map(int, done.stdout.split())
    return records, pages, before, most


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--rows", type=int, default=200_000)
    parser.add_argument("--memory", action="store_true", help="only the run into SQLite and its size")
    given = parser.parse_args()
    rows = given.rows
    if not given.memory:
        speed(rows)
    began = time.perf_counter()
    records, pages, before, most = memory(rows)
    seconds = time.perf_counter() - began
    print(
        f"a run into SQLite: {records} records in {pages} pages, {seconds:.0f} s; {before} MB before, "
        f"at most {most} MB ({'under' if most < MOST_MB else 'NOT UNDER'} {MOST_MB} MB)"
    )


def speed(rows: int) -> None:
    """Measure and print how fast rows become filings."""
    body = index(rows)
    least = bare(body)
    print(f"{rows} rows, {len(body) / 1e6:.1f} MB; the bare split: {rows / least:,.0f} rows/s")
    for words, is_wanted in (("every form", None), ("8-K alone", "8-K".__eq__)):
        seconds, count = timed(body, is_wanted)
        print(
            f"{words}: {rows / seconds:,.0f} rows/s, {count} filings, {least / seconds:.2f} of the bare split"
        )


if __name__ == "__main__":
    main()
