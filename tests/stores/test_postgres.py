"""What only PostgreSQL has: reasons in words, and a clock of its own."""

from __future__ import annotations

import threading
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import time_machine
from psycopg.types.json import Jsonb

from stoma.errors import ConfigError, StoreUnavailable
from stoma.records import Record, sealed
from stoma.references import mask
from stoma.stores import Store, open_store
from stoma.stores.base import statements
from stoma.stores.records import Prepared, save


@pytest.mark.parametrize(
    ("url", "said"),
    [
        ("postgresql://nobody@127.0.0.1:1/x", "refused"),
        ("postgresql://127.0.0.1:notaport/x", "not a PostgreSQL address"),
        ("postgresql://[", "not a PostgreSQL address"),
    ],
)
def test_no_server_is_told_in_a_line(url: str, said: str, tmp_path: Path) -> None:
    with pytest.raises(StoreUnavailable, match=said) as caught:
        open_store(url, tmp_path)
    assert "\n" not in caught.value.message


def test_a_missing_database_is_told_without_the_password(postgres_url: str, tmp_path: Path) -> None:
    url = postgres_url.replace("postgres@", "postgres:geheim-4711@").rpartition("/")[0] + "/nowhere"
    with pytest.raises(StoreUnavailable, match="nowhere") as caught:
        open_store(url, tmp_path)
    assert "geheim" not in str(caught.value.message)
    assert mask("the password geheim-4711 in a text") == "the password *** in a text"


def test_now_is_the_clock_of_the_database(postgres_url: str, tmp_path: Path) -> None:
    # A node whose own clock is ten years wrong.
    with open_store(postgres_url, tmp_path) as store, time_machine.travel(datetime(2036, 1, 1, tzinfo=UTC)):
        now = store.now()
    assert now.tzinfo is UTC
    assert abs(datetime.now(UTC) - now) < timedelta(seconds=30)


def test_many_processes_may_migrate_at_once(postgres_url: str, tmp_path: Path) -> None:
    opened: list[Store] = []
    failed: list[Exception] = []

    def work() -> None:
        try:
            opened.append(open_store(postgres_url, tmp_path, connections=2))
        except Exception as error:
            failed.append(error)

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for store in opened:
        store.close()
    assert (len(opened), failed) == (4, [])


def test_a_connection_that_was_cut_is_replaced(postgres_url: str, tmp_path: Path) -> None:
    import psycopg

    with open_store(postgres_url, tmp_path, connections=2) as store:
        assert store.records.count() == 0
        with psycopg.connect(postgres_url, autocommit=True) as other:
            other.execute(
                "select pg_terminate_backend(pid) from pg_stat_activity"
                " where application_name = 'stoma' and datname = current_database()"
            )
        assert store.records.count() == 0


@pytest.mark.parametrize(
    "url",
    [
        "postgresql://stoma:hunter22/x@127.0.0.1:1/x",
        "postgresql://stoma:hunter22@@127.0.0.1:1/x",
        "postgresql://stoma:p%zzhunter22@127.0.0.1:1/x",
        "postgresql://stoma:hunter22@127.0.0.1:1/x?connect_timeout=abc",
        "postgresql://stoma:hunter22@127.0.0.1:1/x",
        "host=127.0.0.1 password=hunter22 options=-c:x",
    ],
)
def test_no_password_is_in_a_message(url: str, tmp_path: Path) -> None:
    with pytest.raises((StoreUnavailable, ConfigError)) as caught:
        open_store(url, tmp_path)
    assert "hunter22" not in f"{caught.value.message} {caught.value.hint}"


def test_a_pool_that_gets_no_connection_says_why(postgres_url: str, tmp_path: Path) -> None:
    with open_store(postgres_url, tmp_path, connections=2) as store:
        store.database.hurry()
        with (
            store.database.reader(),
            store.database.reader(),
            pytest.raises(StoreUnavailable, match="every connection is in use"),
        ):
            store.now()
        assert store.now()


@pytest.mark.parametrize("name", ["record_standing", "sighting_known"])
def test_a_page_is_looked_up_by_its_ids_also_without_statistics(
    postgres_url: str, tmp_path: Path, name: str
) -> None:
    import psycopg

    with open_store(postgres_url, tmp_path) as store:
        page = [sealed(Record("s", str(number), "entry")) for number in range(3000)]
        with store.database.transaction() as tx:
            save(tx, Prepared.of(page), "t", 1, store.now())
    text = statements("postgres")[name]
    with psycopg.connect(postgres_url) as connection:
        ids = [str(number) for number in range(500)]
        values = {
            "task_id": "t",
            "source": "s",
            "ids": Jsonb(ids),
            "hashes": Jsonb(dict.fromkeys(ids, "changed")),
        }
        values["stale"] = datetime(2026, 1, 1, tzinfo=UTC)
        plan = connection.execute(f"explain analyze {text}", values).fetchall()
    told = "\n".join(row[0] for row in plan)
    assert "rows=500" in told
    # Without the care taken in the statement every row of the source is read and compared with every id.
    assert "Rows Removed by Filter" not in told
