"""Commands act on the store of the scheduler that runs on the files, whatever is written there by now."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psycopg
import pytest
from click.testing import CliRunner, Result

from stoma.cli import once
from stoma.cli.main import main as stoma
from stoma.cli.run import main as stoma_run
from stoma.scheduler.location import FILE
from stoma.scheduler.manager import Scheduler
from stoma.stores import open_store
from stoma.stores.nodes import Node
from tests.support.unprivileged import CAN_PRETEND, UNPRIVILEGED
from tests.support.waiting import until

MAIN = """\
version: 1
presets: []
store: {{url: "{url}"}}
api: {{port: 0}}
tasks:
  papers: {{collector: arxiv, retry: {{count: 0}}, config: {{search_query: x, base_url: "http://127.0.0.1:9"}}}}
"""


@pytest.fixture
def home(tmp_path: Path, url: str) -> Path:
    (tmp_path / "stoma.yaml").write_text(MAIN.format(url=url))
    return tmp_path


@pytest.fixture
def scheduler(home: Path) -> Iterator[Scheduler]:
    with Scheduler() as running:
        yield running


def run(*words: str, command: Any = stoma) -> Result:
    return CliRunner().invoke(command, [*words])


def elsewhere(home: Path) -> None:
    (home / "stoma.yaml").write_text(MAIN.format(url="sqlite:///other.db"))


def test_an_edited_address_waits_for_the_restart(scheduler: Scheduler, home: Path) -> None:
    elsewhere(home)
    for words, said in (
        (("scheduler", "status"), "running: process"),
        (("scheduler", "pause"), "everything is paused"),
        (("scheduler", "run-task", "papers", "--no-wait"), "is queued"),
        (("runs",), "papers"),
        (("plan",), ""),
    ):
        result = run(*words)
        assert result.exit_code == 0, result.output
        assert said in result.stdout
        assert "restart needed: store.url" in result.stderr
    assert scheduler.store.agenda.paused_since() is not None
    assert [run.task_id for run in scheduler.store.runs.open()] == ["papers"]
    assert not (home / "other.db").exists()
    until(lambda: scheduler.restart_needed == ["store.url"])
    scheduler.stop()
    # Nobody runs any more: what is written counts.
    result = run("scheduler", "status")
    assert (result.exit_code, "restart" in result.stderr) == (1, False)
    assert (home / "other.db").exists()


def test_once_works_on_the_store_of_the_scheduler(
    scheduler: Scheduler, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    elsewhere(home)
    chosen: list[str] = []
    monkeypatch.setattr(once, "run_once", lambda config, *_: chosen.append(config.store_url) or 0)
    assert run("--once", "papers", command=stoma_run).exit_code == 0
    assert chosen == [scheduler.config.store_url]


@pytest.mark.parametrize("part", ['{url: "foo://x"}', "{ulr: x}", "[", '{url: "${env:NOT_SET_ANYWHERE}"}'])
def test_a_broken_address_while_a_scheduler_runs(
    scheduler: Scheduler, home: Path, url: str, part: str
) -> None:
    text = MAIN.format(url=url)
    (home / "stoma.yaml").write_text(text.replace(f'{{url: "{url}"}}', part))
    result = run("scheduler", "status")
    assert result.exit_code == (0 if "env:" in part else 3), result.output
    assert "tasks: 1" in result.stdout
    assert "running: process" in result.stdout
    assert "papers" in run("scheduler", "list-tasks").stdout
    assert run("scheduler", "pause").exit_code == 0
    assert scheduler.store.agenda.paused_since() is not None
    scheduler.stop()
    assert run("scheduler", "pause").exit_code == 2


@pytest.mark.parametrize("owner", ["elsewhere/boot/1/7/7", None])
def test_a_note_counts_only_while_its_scheduler_lives(home: Path, url: str, owner: str | None) -> None:
    with Scheduler():
        pass
    note = json.loads((home / FILE).read_text())
    [entry] = note.values()
    entry["owner"] = owner or entry["owner"].rsplit("/", 1)[0] + "/1"
    (home / FILE).write_text(json.dumps(note))
    if owner is None:
        # It was killed a moment ago.
        with open_store(url, home) as store:
            now = store.now()
            store.nodes.beat(Node(entry["owner"], "here", 1, "1", None, "0", 1, now, {}), now)
    elsewhere(home)
    result = run("scheduler", "pause")
    assert "restart" not in result.stderr
    with open_store("sqlite:///other.db", home) as store:
        assert store.agenda.paused_since() is not None


@pytest.mark.parametrize("url", ["sqlite:///stoma.db"])
def test_a_scheduler_that_is_silent_is_degraded(home: Path) -> None:
    with (
        open_store("sqlite:///stoma.db", home) as store,
        store.database.sole_scheduler("process 7 on laptop"),
    ):
        result = run("scheduler", "status")
    assert result.exit_code == 3
    assert "process 7 on laptop holds the database but is not heard of" in result.stderr


@pytest.mark.parametrize("url", ["sqlite:///stoma.db"])
def test_plan_makes_no_database(home: Path) -> None:
    result = run("plan")
    assert result.exit_code == 0, result.output
    assert "+ papers" in result.stdout
    assert [path.name for path in home.iterdir()] == ["stoma.yaml"]


def test_plan_says_that_a_restart_is_still_due(scheduler: Scheduler, home: Path, url: str) -> None:
    text = MAIN.format(url=url)
    (home / "stoma.yaml").write_text(text.replace("port: 0", "port: 7999"))

    def told() -> bool:
        [node] = scheduler.store.nodes.all()
        return node["state"]["restart_needed"] == ["api.port"]

    until(told)
    assert "nothing would change\nrestart needed: api.port was edited before" in run("plan").stdout
    assert json.loads(run("plan", "--json").stdout)["restart_needed"] == ["api.port"]


def test_check_names_a_password_that_is_written_out(home: Path) -> None:
    text = (home / "stoma.yaml").read_text()
    (home / "stoma.yaml").write_text(text.replace("http://127", "http://me:hunter2@127"))
    result = run("--check", command=stoma_run)
    assert result.exit_code == 0
    assert "warning: stoma.yaml:6:96: an address holds a password" in result.stdout
    assert "hunter2" not in result.stdout
    [warning] = json.loads(run("--check", "--json", command=stoma_run).stdout)["warnings"]
    assert (warning["file"], warning["line"]) == ("stoma.yaml", 6)


# -- commands that only make sense on a store that is there ----------------------------------------------------

LOOKS = {
    "info": ("store", "info"),
    "check": ("store", "check"),
    "backup": ("store", "backup", "copy.db", "--force"),
    "vacuum": ("store", "vacuum"),
    "search": ("search", "word"),
    "show": ("show", "#1"),
    "changes": ("changes",),
    "export": ("export", "-o", "all.csv", "--force"),
}


@pytest.mark.parametrize("words", LOOKS.values(), ids=LOOKS)
def test_who_looks_makes_no_store(home: Path, url: str, words: tuple[str, ...]) -> None:
    result = run(*words)
    assert result.exit_code == 2, result.output
    assert "`stoma-run` makes it" in result.stderr
    assert [path.name for path in home.iterdir()] == ["stoma.yaml"]
    if url.startswith("sqlite"):
        assert f"there is no store at {home / 'stoma.db'} yet" in result.stderr
    else:
        assert "holds nothing of Stoma's" in result.stderr
        with psycopg.connect(url) as connection:
            tables = "select count(*) from pg_tables where schemaname = 'public'"
            assert connection.execute(tables).fetchall() == [(0,)]


@pytest.mark.parametrize("url", ["sqlite:///stoma.db"])
def test_beside_a_demo_it_says_how_to_ask_that(home: Path) -> None:
    (home / "stoma-demo").mkdir()
    result = run("search", "word")
    assert (result.exit_code, "with --demo" in result.stderr) == (2, True)


@pytest.mark.parametrize("url", ["sqlite:///stoma.db"])
def test_a_rejected_file_makes_no_store(home: Path, url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("STORE_HERE", "sqlite:///a.db")
    (home / "stoma.yaml").write_text(MAIN.format(url="${env:STORE_HERE}") + "bogus: 1\n")
    for command, words in ((stoma, ("search", "word")), (stoma, ("runs",)), (stoma_run, ("--once",))):
        assert run(*words, command=command).exit_code == 2
    assert [path.name for path in home.iterdir()] == ["stoma.yaml"]


@pytest.mark.skipif(
    not CAN_PRETEND, reason="root may read everything, and cannot pretend to be somebody else"
)
@pytest.mark.parametrize("url", ["sqlite:///stoma.db"])
def test_a_folder_that_may_not_be_looked_into_is_no_mistake_of_stoma(home: Path) -> None:
    open_store("sqlite:///stoma.db", home).close()
    locked = home / "locked"
    locked.mkdir()
    other = home / "other.yaml"
    other.write_text(MAIN.format(url="sqlite:///locked/x.db"))
    asked = {
        "stoma.yaml": ["search", "x", "--config", "locked/stoma.yaml"],
        "y.csv": ["export", "-o", "locked/y.csv"],
        "y.db": ["store", "backup", "locked/y.db"],
        "x.db": ["search", "x", "--config", "other.yaml"],
    }
    locked.chmod(0o000)
    try:
        for name, words in asked.items():
            command = [*UNPRIVILEGED, sys.executable, "-m", "stoma.cli.main", *words]
            told = subprocess.run(command, capture_output=True, text=True, cwd=home)
            # A configuration that cannot be read is one of the faults of configurations.
            said = (
                "locked/stoma.yaml: cannot be read"
                if name == "stoma.yaml"
                else f"locked/{name} may not be read"
            )
            assert (told.returncode, told.stdout) == (2 if name == "stoma.yaml" else 1, ""), told.stderr
            assert said in told.stderr
            assert "permission denied" in told.stderr.lower()
            assert "a mistake" not in told.stderr
    finally:
        locked.chmod(0o700)
