"""From every earlier schema to the newest one, with the rows that were possible then."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from stoma.errors import StoreError
from stoma.stores import Store
from stoma.stores.base import Database
from stoma.stores.postgres import PostgresDatabase
from stoma.stores.schema import Migration, migrations
from stoma.stores.sqlite import SqliteDatabase
from stoma.stores.tables import Table, tables
from tests.support.rows import asked, fill, rows

NUMBERS = [one.number for one in migrations("sqlite")]
NOW = datetime(2026, 3, 1, tzinfo=UTC)
# One record of each kind that a view shows, and the first schema that has the view.
KINDS: dict[str, tuple[int, str, str, str, dict[str, Any]]] = {
    "papers": (1, "arxiv", "2603.00001", "paper", {"version": 2, "primary_category": "cs.LG"}),
    "repositories": (3, "github", "17", "repository", {"owner": "o", "name": "n", "is_fork": False}),
    "filings": (
        4,
        "sec_edgar",
        "0000-26-1",
        "filing",
        {"form": "4", "filing_date": "2026-03-01", "ciks": ["1"]},
    ),
    "transactions": (4, "sec_edgar", "0000-26-1:1", "transaction", {"shares": 10.5, "line": "1"}),
    "entries": (7, "blog", "https://e/1", "entry", {"content": "c", "enclosures": []}),
}


@contextmanager
def connected(url: str, folder: Path) -> Iterator[Database]:
    """A database as it is, without a step of this program."""
    made: Database = (
        PostgresDatabase(url, connections=2)
        if url.startswith("postgres")
        else SqliteDatabase(folder / "old.db")
    )
    try:
        yield made
    finally:
        made.close()


def insert_kinds(database: Database) -> None:
    columns = (
        "source", "external_id", "kind", "title", "summary", "url", "authors", "tags", "attributes", "content_hash",
        "version", "first_seen_at", "last_seen_at",
    )  # fmt: skip
    found = [
        (source, key, kind, "t", "s", "u", [], [], attributes, "h", 1, NOW, NOW)
        for _, source, key, kind, attributes in KINDS.values()
    ]
    with database.transaction() as tx:
        tx.insert("records", columns, found)


def possible(dialect: str, number: int) -> dict[str, Table]:
    """The tables of a schema whose rows can be made up."""
    return {name: table for name, table in tables(dialect, upto=number).items() if name != "search_entries"}


@pytest.mark.parametrize("number", NUMBERS)
def test_everything_is_there_after_an_update(url: str, tmp_path: Path, number: int) -> None:
    with connected(url, tmp_path) as database:
        known = migrations(database.dialect)
        database.migrate(known=[one for one in known if one.number <= number])
        old, store = possible(database.dialect, number), Store(database)
        insert_kinds(database)
        fill(database, {name: table for name, table in old.items() if name != "records"}, count=3)
        before = {name: rows(store, table) for name, table in old.items()}

        database.migrate()

        for name, table in old.items():
            after = rows(store, table)
            # What is to be looked up anew is added to what is there.
            assert after == before[name] or name == "search_queue", name
        for view, (_, _, _, kind, _) in KINDS.items():
            [(shown,)] = asked(store, f"select id from {view}")
            assert asked(store, "select kind from records where id = ?", shown) == [(kind,)]
        if number < 11:
            queued = asked(store, "select added, after_id, up_to_id from search_queue")
            assert queued == [(len(KINDS), 0, len(KINDS))]
        applied = asked(store, "select number, min_program from schema_migrations order by number")
        assert applied == [(one.number, one.min_program) for one in known]


def broken(number: int) -> Migration:
    text = "create table half_done (x text);\ninsert into switches select * from nowhere;\n"
    return Migration(number, "broken", text, "0.1.0")


def test_a_step_that_fails_leaves_everything_as_it_was(url: str, tmp_path: Path) -> None:
    with connected(url, tmp_path) as database:
        known = migrations(database.dialect)
        database.migrate(known=known[:-1])
        with pytest.raises(StoreError, match=r"migration \d+ \(broken\) failed: .*nowhere") as caught:
            database.migrate(known=[*known, broken(known[-1].number + 1)])
        assert caught.value.hint.startswith("nothing was changed")
        store = Store(database)
        # Not even the good step before it.
        assert len(asked(store, "select number from schema_migrations")) == len(known) - 1
        database.migrate(
            known=[
                *known,
                Migration(known[-1].number + 1, "half", "create table half_done (x text);", "0.1.0"),
            ]
        )
        assert asked(store, "select * from half_done") == []


@pytest.mark.parametrize("begun", [0, 3])
def test_several_processes_update_one_after_the_other(url: str, tmp_path: Path, begun: int) -> None:
    failed: list[Exception] = []
    with connected(url, tmp_path) as database:
        if begun:
            database.migrate(known=migrations(database.dialect)[:begun])
        gate = threading.Barrier(4)

        def update() -> None:
            with connected(url, tmp_path) as other:
                gate.wait(10)
                try:
                    other.migrate()
                except Exception as error:
                    failed.append(error)

        threads = [threading.Thread(target=update) for _ in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert failed == []
        numbers = asked(Store(database), "select number from schema_migrations order by number")
        assert [number for (number,) in numbers] == NUMBERS


def test_a_store_that_is_up_to_date_is_not_written(url: str, tmp_path: Path) -> None:
    with connected(url, tmp_path) as database:
        assert database.is_fresh()
        database.migrate()
        assert not database.is_fresh()
        held, asking = threading.Event(), threading.Event()

        def hold() -> None:
            # As a copy does, or somebody's long transaction.
            with connected(url, tmp_path) as other, other.filling(tables(other.dialect).values()):
                held.set()
                asking.wait(10)

        thread = threading.Thread(target=hold)
        thread.start()
        assert held.wait(10)
        database.migrate()
        asking.set()
        thread.join()
