"""Everything of one store into another one: all of it and the same, or nothing."""

from __future__ import annotations

import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack
from datetime import timedelta
from pathlib import Path
from typing import Any

import psycopg
import pytest

from stoma.errors import StoreError
from stoma.records import Record, sealed
from stoma.stores import Store, open_store
from stoma.stores.copying import LEFT, MOVED, Sum, copy, moved
from stoma.stores.records import Prepared, save
from stoma.stores.tables import Table, shared, tables
from tests.support import postgres
from tests.support.clock import Clock
from tests.support.rows import asked, fill, rows

ALL = [(one, other) for one in ("sqlite", "postgres") for other in ("sqlite", "postgres")]


@pytest.fixture(params=[pair for pair in ALL if pair[0] != pair[1]], ids="-".join)
def pair(request: pytest.FixtureRequest, postgres_server: postgres.Server) -> Iterator[tuple[str, str]]:
    """The addresses of a source and a target."""
    with ExitStack() as stack:
        made = [
            f"sqlite:///{place}.db"
            if dialect == "sqlite"
            else stack.enter_context(postgres_server.fresh_database())
            for dialect, place in zip(request.param, ("source", "target"), strict=True)
        ]
        yield made[0], made[1]


@pytest.fixture
def source(pair: tuple[str, str], tmp_path: Path, clock: Clock) -> Iterator[Store]:
    with open_store(pair[0], tmp_path, clock=clock) as opened:
        yield opened


@pytest.fixture
def target(pair: tuple[str, str], tmp_path: Path, clock: Clock) -> Iterator[Store]:
    with open_store(pair[1], tmp_path, clock=clock) as opened:
        yield opened


def store_page(store: Store, first: int = 0, count: int = 10) -> None:
    page = [sealed(Record("s", str(n), "entry", title=f"t {n}")) for n in range(first, first + count)]
    with store.database.transaction() as tx:
        save(tx, Prepared.of(page), "t", 1, store.now())


def fillable() -> dict[str, Table]:
    """Every table whose rows can be made up: an index of words is made of records."""
    return {name: table for name, table in shared().items() if name != "search_entries"}


def everything(store: Store) -> dict[str, list[tuple[object, ...]]]:
    return {table.name: rows(store, table) for table in moved()}


def test_of_every_table_it_is_decided_whether_it_is_copied() -> None:
    known = tables("sqlite").keys() | tables("postgres").keys()
    assert sorted([*MOVED, *LEFT]) == sorted(known)
    assert [table.name for table in moved()] == [name for name in shared() if name in MOVED]


@pytest.mark.parametrize("pair", ALL, ids="-".join, indirect=True)
def test_a_copy_holds_the_same_in_every_table(source: Store, target: Store) -> None:
    fill(source.database, fillable())
    done = copy(source.database, target.database)
    before, after = everything(source), everything(target)
    for name in MOVED:
        assert after[name] == before[name], name
    assert all(len(before[name]) == 7 == done.tables[name].rows for name in MOVED)
    assert done.rows == 7 * len(MOVED)
    assert done.as_of == source.now()
    for name in ("nodes", "connections"):
        assert rows(target, shared()[name]) == []


def test_numbers_go_on_behind_those_that_were_ever_given(source: Store, target: Store) -> None:
    store_page(source)
    with source.database.transaction() as tx:
        connection = getattr(tx, "_connection", None)
        # The newest are gone, as retention leaves it for runs.
        connection.execute("delete from records where id > 4")
    copy(source.database, target.database)
    store_page(target, first=100, count=1)
    assert max(row["id"] for row in target.records.newest()) == 11


def test_the_index_of_words_is_queued(source: Store, target: Store) -> None:
    store_page(source)
    copy(source.database, target.database)
    [queued] = asked(target, "select added, after_id, up_to_id from search_queue")
    assert queued == (10, 0, 10)


def test_nothing_is_queued_for_nothing(source: Store, target: Store) -> None:
    copy(source.database, target.database)
    assert asked(target, "select * from search_queue") == []


def test_what_comes_meanwhile_is_not_in_it(
    source: Store, target: Store, pair: tuple[str, str], tmp_path: Path
) -> None:
    store_page(source)
    came = []
    with open_store(pair[0], tmp_path, clock=source.now) as scheduler:

        def on_rows(table: str, count: int) -> None:
            if not came:
                came.append(table)
                store_page(scheduler, first=100)

        done = copy(source.database, target.database, on_rows=on_rows)
    assert (came, source.records.count()) == (["records"], 20)
    assert (target.records.count(), done.tables["sightings"].rows, done.tables["records"].rows) == (
        10,
        10,
        10,
    )


def test_a_store_with_data_is_not_written_over(source: Store, target: Store) -> None:
    store_page(source)
    store_page(target, first=500, count=2)
    before = everything(target)
    with pytest.raises(StoreError, match=r"holds data already: 2 records, 2 sightings"):
        copy(source.database, target.database)
    assert everything(target) == before


def falsify(store: Store) -> None:
    """A database that keeps something else than it was given."""
    with store.database.transaction() as tx:
        connection = getattr(tx, "_connection", None)
        change = "update records set summary = 'x' where id = new.id and id = 7"
        if store.dialect == "sqlite":
            connection.execute(f"create trigger false after insert on records begin {change}; end")
        else:
            connection.execute(
                "create function false_() returns trigger language plpgsql as"
                f" $$ begin {change}; return null; end $$"
            )
            connection.execute(
                "create trigger false_ after insert on records for each row execute function false_()"
            )


def test_a_database_that_keeps_something_else_is_found_out(source: Store, target: Store) -> None:
    store_page(source)
    falsify(target)
    with pytest.raises(StoreError, match=r"does not give back what was written to records: 10 of 10 rows"):
        copy(source.database, target.database)
    assert all(not found for found in everything(target).values())
    assert asked(target, "select * from search_queue") == []


KILLED = """
import os, sys
from pathlib import Path
from stoma.stores import open_store
from stoma.stores.copying import copy

def on_rows(table, count):
    if table == sys.argv[4]:
        os.kill(os.getpid(), 9)

here = Path(sys.argv[3])
with open_store(sys.argv[1], here) as source, open_store(sys.argv[2], here) as target:
    copy(source.database, target.database, on_rows=on_rows)
"""


def test_killed_on_its_way_it_leaves_nothing(
    source: Store, pair: tuple[str, str], tmp_path: Path, clock: Clock
) -> None:
    fill(source.database, fillable())
    command = [sys.executable, "-c", KILLED, *pair, str(tmp_path), "runs"]
    assert subprocess.run(command).returncode == -signal.SIGKILL
    with open_store(pair[1], tmp_path, clock=clock) as target:
        assert all(not found for found in everything(target).values())
        copy(source.database, target.database)
        assert everything(target) == everything(source)


def test_of_two_copies_into_one_store_one_is_refused(
    source: Store, target: Store, pair: tuple[str, str], tmp_path: Path
) -> None:
    store_page(source)
    with open_store(pair[1], tmp_path, clock=source.now) as other:
        copy(source.database, target.database)
        with pytest.raises(StoreError, match="holds data already"):
            copy(source.database, other.database)
    assert everything(target) == everything(source)


def test_an_instant_of_another_hand_is_the_same_instant(tmp_path: Path, postgres_url: str) -> None:
    with open_store("sqlite:///a.db", tmp_path) as old, open_store(postgres_url, tmp_path) as new:
        store_page(old)
        with old.database.transaction() as tx:
            connection = getattr(tx, "_connection", None)
            connection.execute(
                "update records set published_at = '2026-03-01T01:00:00+01:00', updated_at = '2026-03-01'"
            )
        copy(old.database, new.database)
        [row, *_] = new.records.newest(1)
        assert (row["published_at"], row["updated_at"]) == (row["updated_at"], row["published_at"])
        assert row["published_at"] - row["updated_at"] == timedelta(0)


def test_a_number_is_the_same_however_it_was_written(tmp_path: Path, postgres_url: str) -> None:
    numbers: list[Any] = [
        1e19,
        1.2345678901234568e18,
        2.0**60,
        2**63,
        -0.0,
        1.0,
        1,
        1e-7,
        1e300,
        True,
        None,
        "1.0",
    ]
    found = sealed(Record("s", "1", "entry", attributes={"n": numbers, "deep": {"x": [1e20]}}))
    with (
        open_store("sqlite:///a.db", tmp_path) as old,
        open_store(postgres_url, tmp_path) as new,
        open_store("sqlite:///b.db", tmp_path) as back,
    ):
        with old.database.transaction() as tx:
            save(tx, Prepared.of([found]), "t", 1, old.now())
        copy(old.database, new.database)
        copy(new.database, back.database)
        [row] = back.records.newest(1)
        # As floating point numbers, which is what JSON has.
        assert [*map(float, row["attributes"]["n"][:9])] == [*map(float, numbers[:9])]
        assert row["attributes"]["n"][9:] == numbers[9:]


def test_another_number_is_another_one() -> None:
    def sum_of(text: str) -> Sum:
        found = Sum()
        found.add(Table("t", {"x": "json"}, ["x"]), [[text]])
        return found

    assert sum_of('{"a": 1, "b": [1e3]}') == sum_of('{"b":[1000],"a":1.0}')
    for other in ('{"a": 2, "b": [1e3]}', '{"a": 1, "b": [1001]}', '{"a": true, "b": [1e3]}'):
        assert sum_of('{"a": 1, "b": [1e3]}') != sum_of(other)
    assert sum_of("5") == sum_of("5.0") != sum_of("50")


@pytest.mark.parametrize(
    ("change", "named"),
    [
        ("update records set attributes = '{\"a\": \"x\\u0000y\"}' where external_id = '7'", "records 8"),
        ("update records set title = 'x' || char(0) where external_id = '7'", "records 8"),
    ],
)
def test_a_character_that_postgres_does_not_take_is_told_with_its_row(
    tmp_path: Path, postgres_url: str, change: str, named: str
) -> None:
    with open_store("sqlite:///a.db", tmp_path) as old, open_store(postgres_url, tmp_path) as new:
        store_page(old)
        with old.database.transaction() as tx:
            getattr(tx, "_connection", None).execute(change)  # type: ignore[union-attr]
        with pytest.raises(StoreError, match=f"does not take what {named} holds") as caught:
            copy(old.database, new.database)
        assert "mend or delete that" in caught.value.hint
        assert all(not found for found in everything(new).values())


def test_nobody_writes_into_a_copy_before_it_is_whole(tmp_path: Path, postgres_url: str) -> None:
    refused: list[str] = []

    def on_rows(table: str, count: int) -> None:
        with psycopg.connect(postgres_url, options="-c lock_timeout=50ms") as other:
            try:
                other.execute("delete from switches")
            except psycopg.errors.LockNotAvailable:
                refused.append(table)

    with open_store("sqlite:///a.db", tmp_path) as old, open_store(postgres_url, tmp_path) as new:
        store_page(old)
        copy(old.database, new.database, on_rows=on_rows)
    assert len(refused) > 1
