"""How fast a store takes pages of records: new ones, and the same again.

    python -m benchmarks.store [--records 30000] [--page 1000]

Both databases in one run, beside the bare statement that each of them could do at best: one `executemany` upsert for
SQLite, one `COPY` into a table without indexes for PostgreSQL. Records carry about 1.2 KB.
"""

from __future__ import annotations

import argparse
import sqlite3
import tempfile
import time
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import psycopg

from stoma.records import Record, checked, sealed
from stoma.stores import open_store
from stoma.stores.records import Prepared, save
from tests.support import postgres


def records(count: int, first: int) -> list[Record]:
    """Invented records with ids from `first`."""
    return [
        Record(
            source="bench",
            external_id=str(number),
            kind="entry",
            title=f"Title {number}",
            summary="lorem ipsum " * 75,
            url=f"https://example.org/{number}",
            authors=("A. Author", "B. Beispiel"),
            tags=("one", "two"),
            published_at=datetime(2026, 1, 1, tzinfo=UTC),
            attributes={"number": number, "note": "y" * 100},
        )
        for number in range(first, first + count)
    ]


def timed(work: Callable[[], object]) -> float:
    """Seconds that `work` takes."""
    began = time.perf_counter()
    work()
    return time.perf_counter() - began


def stoma(url: str, pages: list[list[Record]]) -> tuple[float, float]:
    """Seconds for all pages when they are new, and again when nothing has changed."""
    with tempfile.TemporaryDirectory() as folder, open_store(url, Path(folder)) as store:

        def put() -> None:
            for page in pages:
                prepared = Prepared.of(sealed(checked(record)) for record in page)
                with store.database.transaction() as tx:
                    save(tx, prepared, "task", 1, store.now())

        return timed(put), timed(put)


def bare_sqlite(pages: list[list[Record]]) -> float:
    """One upsert after the other into one table, a transaction for each page."""
    with tempfile.TemporaryDirectory() as folder:
        connection = sqlite3.connect(Path(folder) / "bare.db", isolation_level=None)
        connection.execute("pragma journal_mode = wal")
        connection.execute("pragma synchronous = normal")
        connection.execute("create table bare (id text primary key, title text, summary text, url text)")

        def put() -> None:
            for page in pages:
                connection.execute("begin immediate")
                connection.executemany(
                    "insert into bare values (?, ?, ?, ?) on conflict (id) do update set title = excluded.title,"
                    " summary = excluded.summary, url = excluded.url",
                    [(r.external_id, r.title, r.summary, r.url) for r in page],
                )
                connection.execute("commit")

        seconds = timed(put)
        connection.close()
        return seconds


def bare_postgres(url: str, pages: list[list[Record]]) -> float:
    """`COPY` into a table without indexes, a transaction for each page."""
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute("create table bare (id text, title text, summary text, url text)")

        def put() -> None:
            for page in pages:
                with (
                    connection.transaction(),
                    connection.cursor() as cursor,
                    cursor.copy("copy bare from stdin") as copy,
                ):
                    for r in page:
                        copy.write_row((r.external_id, r.title, r.summary, r.url))

        return timed(put)


def main() -> None:
    """Print a table of records a second."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])  # type: ignore[union-attr]
    parser.add_argument("--records", type=int, default=30_000)
    parser.add_argument("--page", type=int, default=1_000)
    given = parser.parse_args()
    pages = [records(given.page, first) for first in range(0, given.records, given.page)]
    server = postgres.start(postgres.binaries())
    try:
        with server.fresh_database() as url:
            found = {
                "sqlite": (*stoma("sqlite:///bench.db", pages), bare_sqlite(pages)),
                "postgres": (*stoma(url, pages), bare_postgres(url, pages)),
            }
    finally:
        server.stop()
    print(f"{'store':10} {'new/s':>10} {'same/s':>10} {'bare/s':>10} {'new : bare':>11} {'same : bare':>12}")
    for name, (new, same, bare) in found.items():
        rates = [given.records / seconds for seconds in (new, same, bare)]
        print(
            f"{name:10} {rates[0]:10.0f} {rates[1]:10.0f} {rates[2]:10.0f} {bare / new:11.2f} {bare / same:12.2f}"
        )


if __name__ == "__main__":
    main()
