"""Several stores in one PostgreSQL database, each in a schema of its own."""

from __future__ import annotations

import threading
from pathlib import Path

import psycopg
import pytest

from stoma.errors import StoreUnavailable
from stoma.stores import Store, open_store
from stoma.stores.copying import copy
from tests.support.clock import Clock
from tests.support.rows import asked

ODD = 'a "b" \\c\' ü'


def at(url: str, schema: str) -> str:
    from stoma.stores.addresses import with_schema

    return with_schema(url, schema)


@pytest.mark.parametrize("schema", ["stoma", ODD, "Select", "public"])
def test_all_tables_lie_in_the_schema(postgres_url: str, tmp_path: Path, schema: str) -> None:
    with open_store(at(postgres_url, schema), tmp_path) as store:
        assert store.runs.history() == []
        names = "select distinct schemaname from pg_tables where tableowner = current_user and schemaname not like ?"
        found = asked(store, names, "%\\_%")
    assert found == [(schema,)]


def test_two_stores_in_one_database_do_not_meet(postgres_url: str, tmp_path: Path, clock: Clock) -> None:
    with (
        open_store(at(postgres_url, "one"), tmp_path, clock=clock) as one,
        open_store(at(postgres_url, "two"), tmp_path, clock=clock) as two,
        open_store(postgres_url, tmp_path, clock=clock) as three,
    ):
        one.agenda.enable("t", False, clock())
        assert [store.agenda.overrides() for store in (one, two, three)] == [{"t": False}, {}, {}]
        copy(one.database, two.database)
        assert two.agenda.overrides() == {"t": False}
        assert three.agenda.overrides() == {}


def test_several_processes_may_make_it_at_once(postgres_url: str, tmp_path: Path) -> None:
    gate, failed = threading.Barrier(4), []

    def work() -> None:
        gate.wait(10)
        try:
            open_store(at(postgres_url, "new"), tmp_path, connections=2).close()
        except Exception as error:
            failed.append(error)

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failed == []


def test_a_lock_of_the_one_does_not_hold_up_the_other(postgres_url: str, tmp_path: Path) -> None:
    # Whoever is held up here fails soon.
    postgres_url += "?options=-cstatement_timeout%3D2000"
    with (
        open_store(at(postgres_url, "one"), tmp_path) as one,
        open_store(at(postgres_url, "two"), tmp_path) as two,
    ):
        taken = threading.Event()

        def take(store: Store) -> None:
            with store.database.transaction() as tx:
                tx.lock("records s")
                taken.set()

        with one.database.transaction() as tx:
            tx.lock("records s")
            take(two)
            assert taken.is_set()
            taken.clear()
            # The same store is held up.
            waiting = threading.Thread(target=take, args=(one,))
            waiting.start()
            assert not taken.wait(0.1)
        waiting.join(5)
        assert taken.is_set()


def test_a_schema_that_may_not_be_made_is_told(postgres_url: str, tmp_path: Path) -> None:
    with psycopg.connect(postgres_url, autocommit=True) as owner:
        owner.execute("drop role if exists stoma_poor")
        owner.execute("create role stoma_poor login")
    try:
        with pytest.raises(StoreUnavailable, match="permission denied for database") as caught:
            open_store(at(postgres_url.replace("postgres@", "stoma_poor@"), "new"), tmp_path)
        assert "must be brought to schema" in caught.value.message
        assert "the role that owns the tables" in caught.value.hint
    finally:
        with psycopg.connect(postgres_url, autocommit=True) as owner:
            owner.execute("drop role stoma_poor")


def test_no_schema_at_all_is_told(postgres_url: str, tmp_path: Path) -> None:
    with pytest.raises(StoreUnavailable, match="has no schema to work in"):
        open_store(postgres_url + "?options=-csearch_path%3Dnowhere", tmp_path)


def test_options_of_the_address_are_added_to_ours(postgres_url: str, tmp_path: Path) -> None:
    with open_store(postgres_url + "?options=-cwork_mem%3D7MB", tmp_path) as store:
        told = [asked(store, f"show {name}")[0][0] for name in ("work_mem", "statement_timeout", "timezone")]
    assert told == ["7MB", "1min", "UTC"]


def test_a_statement_that_takes_too_long_is_ended_and_told(postgres_url: str, tmp_path: Path) -> None:
    with open_store(postgres_url + "?options=-cstatement_timeout%3D200", tmp_path) as store:
        with pytest.raises(StoreUnavailable, match="statement timeout"):
            asked(store, "select pg_sleep(5)")
        assert store.runs.history() == []
