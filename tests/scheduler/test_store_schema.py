"""`store: {schema: NAME}` as it is written, edited and broken."""

from __future__ import annotations

from pathlib import Path

import pytest

from stoma.errors import ConfigError
from stoma.scheduler.config import load_config
from stoma.scheduler.inforce import InForce
from stoma.scheduler.loader import Loader
from stoma.scheduler.parts import connect

YAML = "version: 1\npresets: []\nstore: {{url: '{url}', schema: {schema}}}\n"


def write(folder: Path, url: str, schema: str) -> Path:
    path = folder / "stoma.yaml"
    path.write_text(YAML.format(url=url, schema=schema))
    return path


def test_the_tables_lie_in_the_schema_that_is_written(tmp_path: Path, postgres_url: str) -> None:
    import psycopg

    config = load_config(write(tmp_path, postgres_url, "my stoma"))
    with connect(config) as store:
        store.agenda.enable("t", False, store.now())
    with psycopg.connect(postgres_url) as connection:
        assert connection.execute('select task_id from "my stoma".task_overrides').fetchall() == [("t",)]
        [row] = connection.execute("select count(*) from pg_tables where schemaname = 'public'").fetchall()
    assert row == (0,)


def test_it_stands_behind_an_address_by_reference(
    tmp_path: Path, postgres_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("STOMA_STORE_URL", postgres_url + "?connect_timeout=5")
    config = load_config(write(tmp_path, "${env:STOMA_STORE_URL}", "stoma"))
    with connect(config) as store:
        assert store.database.place.endswith(", schema stoma")


@pytest.mark.parametrize(
    ("url", "schema", "told"),
    [
        ("sqlite:///a.db", "stoma", "store.schema: is for PostgreSQL; a SQLite file has none"),
        ("postgresql://h/d", "pg_stoma", "store.schema: .*cannot be the name of a schema"),
        ("postgresql://h/d", "'${env:X}'", "store.schema: a reference is resolved only when a run begins"),
    ],
)
def test_what_cannot_be_meant_is_told_where_it_stands(
    tmp_path: Path, url: str, schema: str, told: str
) -> None:
    with pytest.raises(ConfigError, match=told) as caught:
        load_config(write(tmp_path, url, schema))
    assert caught.value.problems[0].line == 3


def test_an_edit_of_it_needs_a_restart(tmp_path: Path) -> None:
    path = write(tmp_path, "postgresql://h/d", "one")
    loader = Loader(path)
    in_force = InForce(load_config(path), loader)
    write(tmp_path, "postgresql://h/d", "two")
    in_force.look()
    assert in_force.restart_needed == ["store.schema"]
