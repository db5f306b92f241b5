"""How fast JSON items of 1.3 KB become records, beside a bare loop that keeps the same data, and beside dlt.

    python -m benchmarks.ingest [--items 50000] [--rounds 3] [--only NAME …] [--memory 1000000]

A server in a process of its own gives pages of 1,000, made before the clock starts, over one connection kept alive.
Contenders take turns, each in a process of its own with an empty database; then each takes the same items once more.

stoma-…    a declared `http_json` task, carried out as `--once` does it: one transaction for each page
bare-…     `http.client`, `json`, then `COPY` into a staging table and one upsert, or `executemany` of an upsert: one
           transaction in all, one table with a primary key
dlt        merge on the key, as it comes: lists become tables of their own; `dlt-flat` keeps them in one column

Inside the clock: asking, reading, writing, committing; of Stoma also making, claiming and ending the run. Outside:
starting Python, importing, connecting, making tables, and Stoma's index of words, whose lag behind the end of the run
is told. PostgreSQL waits for its disk at each commit, wherever its files may lie; SQLite's commits are Stoma's default
(WAL, synchronous = NORMAL) for both.
"""

from __future__ import annotations

import argparse
import importlib
import json
import multiprocessing
import os
import random
import socket
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

from tests.support import postgres

PAGE = 1_000
DURABLE = {"fsync": "on", "synchronous_commit": "on", "full_page_writes": "on", "shared_buffers": "128MB"}
COLUMNS = ("id", "title", "summary", "url", "authors", "tags", "published_at", "updated_at", "rest")
MOST_MB = 150

Seconds = tuple[float, float, float]
"""For items that are new, for the same once more, and until the index of words had the new ones."""


# -- the source ----------------------------------------------------------------------------------------------


class Pages:
    """The answers: those of the first pages are made once, any others as they are asked for."""

    def __init__(self, items: int) -> None:
        self.count = items // PAGE
        chance = random.Random(5)
        words = ["".join(chance.choices("etaoinshrdlu", k=chance.randint(2, 11))) for _ in range(3_000)]
        # An item before its number, between its numbers, and behind them.
        self._parts = [_item(chance, words).split(b"0000000") for _ in range(PAGE)]
        self._made = {number: self._page(number) for number in range(1, min(self.count, 100) + 1)}

    def answer(self, number: int) -> bytes:
        """The answer with page `number`, from 1, with its head."""
        return self._made.get(number) or self._page(number)

    def _page(self, number: int) -> bytes:
        first = (number - 1) * PAGE
        items = b",".join((b"%07d" % (first + at)).join(parts) for at, parts in enumerate(self._parts))
        following = str(number + 1).encode() if number < self.count else b"null"
        body = b'{"next_page":%b,"data":[%b]}' % (following, items)
        head = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n" % len(body)
        return head + body


def _item(chance: random.Random, words: list[str]) -> bytes:
    """One item as JSON; its number is written 0000000."""

    def text(many: int) -> str:
        return " ".join(chance.choices(words, k=many))

    day = f"2026-{chance.randint(1, 9):02}-{chance.randint(1, 28):02}"
    item = {
        "id": "item-0000000",
        "title": text(9),
        "summary": text(90),
        "url": "https://example.org/items/0000000",
        "authors": [text(2) for _ in range(3)],
        "tags": chance.sample(words, 4),
        "published_at": f"{day}T06:{chance.randint(0, 59):02}:00Z",
        "updated_at": f"{day}T18:{chance.randint(0, 59):02}:00Z",
        "language": "en",
        "score": chance.randint(0, 9_999) / 100,
        "venue": {"name": text(4), "volume": chance.randint(1, 99), "pages": [1, 17]},
        "links": {"doi": "10.1000/0000000", "pdf": "https://example.org/items/0000000.pdf"},
        "references": [chance.randint(1, 10**6) for _ in range(8)],
    }
    return json.dumps(item).encode()


def _serve(items: int, told: Connection) -> None:
    pages = Pages(items)
    listener = socket.create_server(("127.0.0.1", 0), backlog=16)
    told.send(listener.getsockname()[1])
    while True:
        sock, _ = listener.accept()
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        threading.Thread(target=_answer, args=(sock, pages), daemon=True).start()


def _answer(sock: socket.socket, pages: Pages) -> None:
    with sock, sock.makefile("rb") as lines:
        while target := lines.readline().decode("latin-1"):
            while lines.readline().strip():
                pass
            sock.sendall(pages.answer(int(target.partition("page=")[2].split(" ")[0] or 1)))


@contextmanager
def source(items: int) -> Iterator[str]:
    """The address of a server that gives so many items, in a process of its own."""
    here, there = multiprocessing.Pipe()
    process = multiprocessing.Process(target=_serve, args=(items, there), daemon=True)
    process.start()
    try:
        yield f"http://127.0.0.1:{here.recv()}/items"
    finally:
        process.kill()
        process.join()


# -- the contenders ------------------------------------------------------------------------------------------


class Stoma:
    """A task as a person would declare it."""

    def __init__(self, folder: Path, source: str, url: str) -> None:
        from stoma.scheduler.base import Task
        from stoma.scheduler.config import Config
        from stoma.scheduler.parts import connect
        from stoma.usage import expect_many_objects

        for name in (
            "collectors.http",
            "collectors.http_json",
            "normalizers.http_json",
            "scheduler.foreground",
        ):
            importlib.import_module(f"stoma.{name}")
        # As the command line does.
        expect_many_objects()
        fields = {name: name for name in COLUMNS if name not in ("id", "rest")}
        fields |= {name: name for name in ("language", "score", "venue", "links", "references")}
        asked = {
            "url": source,
            "items": "data",
            "paging": {"cursor": {"param": "page", "path": "next_page"}},
            "key": "id",
            "fields": fields,
        }
        self.task = Task("items", "Items", "http_json", config=asked)
        self.config = Config(base=folder, store_url=url, tasks={self.task.id: self.task})
        self.store = connect(self.config)
        # When the run was over; behind it comes the index of words.
        self.ended = 0.0

    def __call__(self, on_page: Callable[[int], None] = lambda seen: None) -> int:
        from stoma.scheduler.foreground import Foreground
        from stoma.scheduler.parts import surroundings

        def told(run: Any, tally: Any) -> None:
            if tally is not None:
                on_page(tally.seen)
            elif run.status.is_final:
                self.ended = time.perf_counter()

        (run,) = Foreground(surroundings(self.config, self.store), [self.task], 1, told).run()
        if str(run.status) != "completed":
            raise SystemExit(f"{run.status}: {run.error}")
        return run.new + run.unchanged

    def close(self) -> None:
        self.store.close()


def asked(source: str) -> Iterator[list[dict[str, Any]]]:
    """The items page by page, as plainly as it can be done."""
    import http.client
    from urllib.parse import urlsplit

    parts = urlsplit(source)
    connection = http.client.HTTPConnection(parts.netloc)
    page: int | None = 1
    while page is not None:
        connection.request("GET", f"{parts.path}?page={page}")
        answer = json.loads(connection.getresponse().read())
        yield answer["data"]
        page = answer["next_page"]
    connection.close()


def row(item: dict[str, Any]) -> tuple[Any, ...]:
    """An item as a row of COLUMNS."""
    rest = {name: value for name, value in item.items() if name not in COLUMNS}
    plain = (item["id"], item["title"], item["summary"], item["url"])
    lists = (json.dumps(item["authors"]), json.dumps(item["tags"]))
    return (*plain, *lists, item["published_at"], item["updated_at"], json.dumps(rest))


SETS = ", ".join(f"{name} = excluded.{name}" for name in COLUMNS[1:])
NAMES = ", ".join(COLUMNS)


class BarePostgres:
    """Everything copied into a staging table, then one statement."""

    def __init__(self, folder: Path, source: str, url: str) -> None:
        import psycopg

        self.source = source
        self.connection = psycopg.connect(url)
        declared = (
            "id text{}, title text, summary text, url text, authors jsonb, tags jsonb,"
            " published_at timestamptz, updated_at timestamptz, rest jsonb"
        )
        self.connection.execute(f"create table items ({declared.format(' primary key')})")
        self.connection.execute(f"create table staging ({declared.format('')})")
        self.connection.commit()

    def __call__(self) -> int:
        with self.connection.transaction(), self.connection.cursor() as cursor:
            with cursor.copy(f"copy staging ({NAMES}) from stdin") as copy:
                for page in asked(self.source):
                    for item in page:
                        copy.write_row(row(item))
            cursor.execute(
                f"insert into items ({NAMES}) select {NAMES} from staging on conflict (id) do update set {SETS}"
            )
            count = cursor.rowcount
            cursor.execute("truncate staging")
        return count

    def close(self) -> None:
        self.connection.close()


class BareSqlite:
    """An upsert for each row."""

    def __init__(self, folder: Path, source: str, url: str) -> None:
        import sqlite3

        self.source = source
        self.connection = sqlite3.connect(folder / "bare.db", isolation_level=None)
        self.connection.execute("pragma journal_mode = wal")
        self.connection.execute("pragma synchronous = normal")
        self.connection.execute(f"create table items (id text primary key, {', '.join(COLUMNS[1:])})")

    def __call__(self) -> int:
        marks = ", ".join("?" * len(COLUMNS))
        text = f"insert into items ({NAMES}) values ({marks}) on conflict (id) do update set {SETS}"
        self.connection.execute("begin immediate")
        count = sum(self.connection.executemany(text, map(row, page)).rowcount for page in asked(self.source))
        self.connection.execute("commit")
        return count

    def close(self) -> None:
        self.connection.close()


class Dlt:
    """A pipeline with a merging resource; `nesting` is how deep it makes tables of lists, None: as it likes."""

    def __init__(self, folder: Path, source: str, url: str, nesting: int | None = None) -> None:
        os.environ["RUNTIME__DLTHUB_TELEMETRY"] = "false"
        os.environ["RUNTIME__LOG_LEVEL"] = "ERROR"
        os.environ["DLT_DATA_DIR"] = str(folder)
        import dlt
        from dlt.sources.helpers import requests

        @dlt.resource(name="items", primary_key="id", write_disposition="merge", max_table_nesting=nesting)
        def items() -> Iterator[Any]:
            page: int | None = 1
            while page is not None:
                answer = requests.get(source, params={"page": page}).json()
                yield answer["data"]
                page = answer["next_page"]

        self.items = items
        # It insists on a password; the server asks for none.
        destination = dlt.destinations.postgres(credentials=url.replace("postgres@", "postgres:none@"))
        self.pipeline = dlt.pipeline(
            "bench", pipelines_dir=str(folder), destination=destination, dataset_name="bench"
        )

    def __call__(self) -> int:
        self.pipeline.run(self.items()).raise_on_failed_jobs()
        return int(self.pipeline.last_trace.last_normalize_info.row_counts["items"])

    def close(self) -> None:
        pass


CONTENDERS: dict[str, Callable[[Path, str, str], Any]] = {
    "stoma-postgres": Stoma,
    "bare-postgres": BarePostgres,
    "dlt": Dlt,
    "dlt-flat": lambda folder, source, url: Dlt(folder, source, url, 0),
    "stoma-sqlite": lambda folder, source, _: Stoma(folder, source, "sqlite:///stoma.db"),
    "bare-sqlite": BareSqlite,
}


def timed(contender: Any, items: int) -> tuple[float, float]:
    """Seconds until all is stored, and from then on until the index of words, where there is one, has it too."""
    began = time.perf_counter()
    count = contender()
    behind = time.perf_counter()
    if count != items:
        raise SystemExit(f"{count} of {items} items arrived")
    ended = getattr(contender, "ended", behind)
    return ended - began, behind - ended


def one(name: str, source: str, url: str, items: int) -> Seconds:
    """A contender in this process."""
    with tempfile.TemporaryDirectory() as folder:
        contender = CONTENDERS[name](Path(folder), source, url)
        (new, lag), (same, _) = timed(contender, items), timed(contender, items)
        contender.close()
    return new, same, lag


def measured(name: str, source: str, url: str, items: int) -> Seconds:
    """A contender in a process of its own."""
    new, same, lag = _told("--one", name, "--source", source, "--url", url, "--items", str(items))
    return new, same, lag


def _told(*arguments: str) -> list[Any]:
    command = [sys.executable, "-m", "benchmarks.ingest", *arguments]
    done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode:
        raise SystemExit(f"{' '.join(arguments)}: {done.stderr[-2000:]}")
    found: list[Any] = json.loads(done.stdout.splitlines()[-1])
    return found


# -- memory --------------------------------------------------------------------------------------------------


def size(name: str) -> int:
    """A figure of this process in MB: `VmRSS` now, `VmHWM` at most."""
    status = Path("/proc/self/status").read_text()
    return int(status.partition(f"{name}:")[2].split()[0]) // 1024


def memory(source: str, url: str, items: int) -> list[tuple[int, int]]:
    """How many items had come, and the largest size so far in MB: at each tenth of them."""
    found: list[tuple[int, int]] = []
    with tempfile.TemporaryDirectory() as folder:
        contender = Stoma(Path(folder), source, url or "sqlite:///stoma.db")

        def told(seen: int) -> None:
            if seen * 10 // items > len(found):
                found.append((seen, size("VmHWM")))

        contender(told)
        contender.close()
    return found


# -- the table -----------------------------------------------------------------------------------------------


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--items", type=int, default=50_000)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--only", nargs="+", choices=CONTENDERS, default=list(CONTENDERS))
    parser.add_argument("--memory", type=int, metavar="ITEMS")
    for hidden in ("--one", "--source", "--url"):
        parser.add_argument(hidden, default="", help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.one:
        go = memory if given.one == "memory" else None
        found = (
            go(given.source, given.url, given.items)
            if go
            else one(given.one, given.source, given.url, given.items)
        )
        print(json.dumps(found))
        return
    server = postgres.start(postgres.binaries(), **DURABLE)
    try:
        if given.memory:
            tell_memory(given.memory, server)
        else:
            tell_rates(given.items, given.rounds, given.only, server)
    finally:
        server.stop()


def tell_memory(items: int, server: postgres.Server) -> None:
    """How large the process becomes, on either database."""
    for store in ("sqlite", "postgres"):
        with source(items) as address, server.fresh_database() as url:
            began = time.perf_counter()
            database = url if store == "postgres" else ""
            found = _told("--one", "memory", "--source", address, "--url", database, "--items", str(items))
            seconds = time.perf_counter() - began
        sizes = ", ".join(f"{seen:,}: {most}" for seen, most in found)
        verdict = "under" if found[-1][1] < MOST_MB else "NOT UNDER"
        print(f"{store}: {seconds:.0f} s; MB at most after so many items: {sizes} ({verdict} {MOST_MB} MB)")


def tell_rates(items: int, rounds: int, names: list[str], server: postgres.Server) -> None:
    """Items a second, medians, and how they compare."""
    found: dict[str, list[Seconds]] = {name: [] for name in names}
    with source(items) as address:
        for _ in range(rounds):
            for name in names:
                with server.fresh_database() as url:
                    found[name].append(measured(name, address, url, items))
    medians = {
        name: [statistics.median(seconds) for seconds in zip(*column, strict=True)]
        for name, column in found.items()
    }
    rates = {name: (items / new, items / same) for name, (new, same, _) in medians.items()}
    print(f"{'items a second':16} {'new':>8} {'same':>8}  all rounds, new/same")
    for name, (new, same) in rates.items():
        every = " ".join(f"{items / a:.0f}/{items / b:.0f}" for a, b, _ in found[name])
        print(f"{name:16} {new:8.0f} {same:8.0f}  {every}")
        if lag := medians[name][2]:
            print(f"{'':16} the index of words has all {lag:.1f} s behind the end of the run")
    for ours, theirs in (
        ("stoma-postgres", "dlt"),
        ("stoma-postgres", "dlt-flat"),
        ("stoma-postgres", "bare-postgres"),
        ("stoma-sqlite", "bare-sqlite"),
    ):
        if ours in rates and theirs in rates:
            new, same = (a / b for a, b in zip(rates[ours], rates[theirs], strict=True))
            print(f"{ours} : {theirs}  {new:.2f} new, {same:.2f} same")


if __name__ == "__main__":
    main()
