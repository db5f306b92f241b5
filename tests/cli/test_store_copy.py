"""`stoma store copy`, as a person meets it."""

from __future__ import annotations

import json
import os
from pathlib import Path
from unittest.mock import ANY

import pytest
from click.testing import CliRunner, Result

from stoma.cli.main import main
from stoma.records import Record, sealed
from stoma.stores import open_store
from stoma.stores.nodes import Node
from stoma.stores.records import Prepared, save


@pytest.fixture(autouse=True)
def _here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    with open_store("sqlite:///a.db", tmp_path) as store, store.database.transaction() as tx:
        page = [sealed(Record("s", str(n), "entry", title=f"t {n}")) for n in range(5)]
        save(tx, Prepared.of(page), "t", 1, store.now())


def stoma(*words: str) -> Result:
    return CliRunner().invoke(main, ["store", "copy", *words])


def test_a_store_moves_to_another_database_and_back(tmp_path: Path, postgres_url: str) -> None:
    there = stoma("sqlite:///a.db", postgres_url)
    assert there.exit_code == 0, there.output
    assert "records" in there.stdout
    assert "the same rows, by count and hash" in " ".join(there.stdout.split())
    assert "10 rows in" in there.stdout
    back = stoma(postgres_url, "sqlite:///b.db", "--json")
    told = json.loads(back.stdout)
    assert told == {
        "from": ANY, "to": ANY, "as_of": ANY, "rows": 11, "seconds": ANY, "tables": ANY, "left": ANY,
    }  # fmt: skip
    # One more than before: that it was copied is noted in the copy.
    assert told["tables"].pop("audit")["rows"] == 1
    assert told["to"].endswith("b.db")
    assert told["tables"]["records"] == {"rows": 5, "hash": ANY}
    assert told["left"]["nodes"] == "who works on the other store"
    with open_store("sqlite:///b.db", tmp_path) as store:
        assert [row["title"] for row in store.records.newest()] == [f"t {n}" for n in (4, 3, 2, 1, 0)]
    again = json.loads(stoma("sqlite:///a.db", "sqlite:///c.db", "--json").stdout)
    assert again["tables"].pop("audit")["rows"] == 0
    assert again["tables"] == told["tables"]


def test_an_address_may_come_by_reference_and_name_a_schema(
    monkeypatch: pytest.MonkeyPatch, postgres_url: str, tmp_path: Path
) -> None:
    monkeypatch.setenv("THERE", postgres_url + "?schema=my stoma")
    done = stoma("sqlite:///a.db", "${env:THERE}")
    assert done.exit_code == 0, done.output
    with open_store(postgres_url + "?schema=my%20stoma", tmp_path) as store:
        assert store.records.count() == 5


@pytest.mark.parametrize(
    ("source", "target", "code", "said"),
    [
        ("sqlite:///none.db", "sqlite:///b.db", 2, "there is no store at"),
        ("sqlite:///a.db", "sqlite:///./a.db", 2, "cannot be copied into itself"),
        ("sqlite:///a.db", "mysql://x", 2, 'TO begins with "mysql:"'),
        ("a.db", "sqlite:///b.db", 2, "FROM is not an address"),
        ("sqlite:///a.db", "foo", 2, "TO is not an address"),
        (
            "sqlite:///a.db",
            "postgresql://h/d?schema=a&schema=b",
            2,
            "TO names the schema a, ?schema= of TO b",
        ),
        ("sqlite:///a.db?schema=a", "sqlite:///b.db", 2, "?schema= of FROM is for PostgreSQL"),
        ("postgresql://a:b@c@d/e", "sqlite:///b.db", 1, "FROM is not a PostgreSQL address"),
        ("sqlite:///a.db", "postgresql://127.0.0.1:1/d", 1, "check that it runs and that TO is right"),
        ("${env:NOT_SET_HERE}", "sqlite:///b.db", 1, "NOT_SET_HERE"),
    ],
)
def test_what_cannot_be_copied_is_told(
    tmp_path: Path, source: str, target: str, code: int, said: str
) -> None:
    done = stoma(source, target)
    assert (done.exit_code, said in done.stderr) == (code, True), done.stderr
    assert not (tmp_path / "none.db").exists()
    assert "store.url" not in done.output
    assert "Traceback" not in done.output


def test_a_database_without_a_store_is_no_source(tmp_path: Path, postgres_url: str) -> None:
    done = stoma(postgres_url, "sqlite:///b.db")
    assert done.exit_code == 2
    assert "holds nothing of Stoma's" in done.stderr
    with open_store("sqlite:///a.db", tmp_path) as store:
        assert store.records.count() == 5


def test_a_store_with_data_is_no_target() -> None:
    assert stoma("sqlite:///a.db", "sqlite:///b.db").exit_code == 0
    done = stoma("sqlite:///a.db", "sqlite:///b.db")
    assert done.exit_code == 1
    assert "holds data already: 5 records, 5 sightings" in done.stderr
    assert "?schema=NAME" in done.stderr


def test_a_running_scheduler_is_told_of_and_never_written_over(tmp_path: Path, postgres_url: str) -> None:
    for url in ("sqlite:///a.db", postgres_url):
        with open_store(url, tmp_path) as store:
            now = store.now()
            store.nodes.beat(Node("me", "here", os.getpid(), "0.1.0", None, "x", 1, now, {}), now)
    done = stoma("sqlite:///a.db", "sqlite:///b.db")
    assert done.exit_code == 0
    assert "a scheduler works on" in done.stderr
    assert "whoever goes on with the copy collects it again" in " ".join(done.stderr.split())
    refused = stoma("sqlite:///b.db", postgres_url)
    assert refused.exit_code == 2
    assert "a scheduler works on the database" in refused.stderr


def test_a_password_is_not_shown(postgres_url: str) -> None:
    done = stoma("sqlite:///a.db", postgres_url.replace("postgres@", "postgres:geheim-4711@"))
    assert done.exit_code == 0
    assert "geheim" not in done.output
