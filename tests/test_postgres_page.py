"""`docs/postgres.md`: the roles as they are written there suffice, and may no more than the page says."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path

import psycopg
import pytest
from click.testing import CliRunner

from stoma.cli.main import main
from stoma.errors import StoreUnavailable
from stoma.scheduler.base import Task, TaskStatus
from stoma.scheduler.config import Config
from stoma.scheduler.manager import Scheduler
from stoma.stores import open_store
from stoma.stores.addresses import with_schema
from stoma.stores.copying import copy
from stoma.stores.schema import migrations
from stoma.stores.views import VIEWS
from tests.conftest import REPOSITORY
from tests.support.records import indexed, record, stored
from tests.support.rows import asked
from tests.support.scripted import install
from tests.support.versions import some_server, some_url
from tests.test_data_page import PUBLIC

__all__ = ["some_server", "some_url"]

PAGE = (REPOSITORY / "docs" / "postgres.md").read_text(encoding="utf-8")
ROLES = ("stoma_owner", "stoma_runner", "stoma_reader")


def block(role: str) -> str:
    [text] = re.findall(rf"```sql {role}\n(.*?)```", PAGE, re.DOTALL)
    return str(text)


@pytest.fixture
def role(some_url: str, tmp_path: Path) -> Iterator[Callable[[str], str]]:
    """The address as one of the roles of the page, when its statements were run."""

    def address(name: str) -> str:
        return some_url.replace("postgres@", f"stoma_{name}@")

    with psycopg.connect(some_url, autocommit=True) as administrator:
        administrator.execute(block("administrator"))
        try:
            open_store(with_schema(address("owner"), "stoma"), tmp_path).close()
            with psycopg.connect(address("owner")) as owner:
                owner.execute(block("owner"))
            yield address
        finally:
            # Roles belong to the server, which other tests use too.
            for name in ROLES:
                administrator.execute(f"drop owned by {name} cascade")
                administrator.execute(f"drop role {name}")


def test_each_role_may_do_its_part_and_no_more(
    role: Callable[[str], str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    install(monkeypatch)
    runner = with_schema(role("runner"), "stoma")

    # The runner carries out runs, with all that belongs to them.
    tasks = {"t": Task("t", "t", "scripted", config={"script": "s"})}
    with Scheduler(Config(base=tmp_path, store_url=runner, tasks=tasks)) as scheduler:
        assert scheduler.run_task_now("t").result(20).status is TaskStatus.COMPLETED
    with psycopg.connect(role("runner")) as connection, pytest.raises(psycopg.errors.InsufficientPrivilege):
        connection.execute("create table stoma.mine (x text)")
    with psycopg.connect(role("runner")) as connection, pytest.raises(psycopg.errors.InsufficientPrivilege):
        connection.execute("alter table stoma.records add column mine text")

    # The reader sees what is public, and nothing else.
    with psycopg.connect(role("reader"), autocommit=True) as connection:
        assert connection.execute(block("reader")) is not None
        assert connection.execute("select count(*) from stoma.records").fetchall() == [(30,)]
        for name in (*PUBLIC, *VIEWS):
            connection.execute(f"select * from stoma.{name} limit 1")
        for name in ("config_files", "run_logs", "nodes"):
            with pytest.raises(psycopg.errors.InsufficientPrivilege):
                connection.execute(f"select * from stoma.{name}")
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            connection.execute("delete from stoma.records")


def test_the_reader_may_use_the_commands_that_look(
    role: Callable[[str], str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def stoma(*words: str) -> str:
        result = CliRunner().invoke(main, words)
        assert result.exit_code == 0, f"{words}: {result.output}"
        return result.output

    paper = record("1", "attention", published_at=datetime(2026, 1, 1, tzinfo=UTC), measures={"stars": 1})
    with open_store(with_schema(role("runner"), "stoma"), tmp_path) as store:
        indexed(store, paper)
        # One waits for the index, and no scheduler runs.
        stored(store, record("2", "attention too"))
    (tmp_path / "stoma.yaml").write_text(
        f"version: 1\npresets: []\nstore: {{url: '{role('reader')}', schema: stoma}}\n"
        "tasks: {t: {collector: arxiv, config: {search_query: x}}}\n"
    )
    found = stoma("search", "attention", "--task", "t", "--since", "7d")
    assert "lab:1" in found
    assert "about 1 record cannot be found yet" in found
    assert "attention" in stoma("show", "lab:1")
    assert "2 paper" in stoma("changes", "--task", "t")
    for words in (["--task", "t"], ["--query", "attention"], ["--view", "papers"]):
        stoma("export", *words, "-o", "out.csv", "--force")
    # What is not granted is told by its name, and nobody is advised to let the reader write.
    refused = CliRunner().invoke(main, ["hosts"])
    assert refused.exit_code == 1
    assert "permission denied for table" in refused.output
    assert "grant this user the right to what is named" in refused.output
    assert "docs/postgres.md" in refused.output


def test_who_may_only_read_by_decree_is_told_so(some_url: str, tmp_path: Path) -> None:
    open_store(some_url, tmp_path).close()
    with (
        open_store(some_url + "?options=-cdefault_transaction_read_only%3Don", tmp_path) as store,
        pytest.raises(StoreUnavailable, match="read-only transaction") as caught,
    ):
        store.agenda.enable("t", False, store.now())
    assert caught.value.hint == "give this user the right to write there"


def test_the_runner_waits_for_the_owner_to_bring_tables_up_to_date(
    role: Callable[[str], str], tmp_path: Path
) -> None:
    newest = migrations("postgres")[-1].number
    with psycopg.connect(role("owner")) as owner:
        # As an update of Stoma leaves it: a step is missing.
        owner.execute("delete from stoma.schema_migrations where number = %s", (newest,))
    with pytest.raises(
        StoreUnavailable, match=f"must be brought to schema {newest}, and this role may not"
    ) as caught:
        open_store(with_schema(role("runner"), "stoma"), tmp_path)
    assert "as the role that owns the tables" in caught.value.hint


def test_a_store_is_copied_to_and_from_it(role: Callable[[str], str], tmp_path: Path) -> None:
    with (
        open_store("sqlite:///a.db", tmp_path) as first,
        open_store(with_schema(role("runner"), "stoma"), tmp_path) as second,
        open_store("sqlite:///b.db", tmp_path) as third,
    ):
        first.agenda.enable("t", False, first.now())
        there = copy(first.database, second.database)
        back = copy(second.database, third.database)
        assert there.tables == back.tables
        assert third.agenda.overrides() == {"t": False}
        assert asked(second, "select current_user, current_schema()") == [("stoma_runner", "stoma")]
