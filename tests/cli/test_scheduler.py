"""`stoma scheduler`, word for word as the mission writes it, with and without a running scheduler."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from stoma.cli.main import main
from stoma.demo.standin import StandIn
from stoma.scheduler.manager import Scheduler
from stoma.stores import open_store
from tests.support.waiting import until

Run = Callable[..., Result]


@pytest.fixture
def standin() -> Iterator[str]:
    from datetime import UTC, datetime

    with StandIn(now=datetime.now(UTC)) as standin:
        url = standin.url("arxiv")
        assert url is not None
        yield url


@pytest.fixture
def home(tmp_path: Path, standin: str, url: str) -> Path:
    (tmp_path / "stoma.yaml").write_text(
        f"""\
version: 1
presets: []
store: {{url: "{url}"}}
api: {{port: 0}}
tasks:
  papers:
    name: Papers
    collector: arxiv
    config: {{search_query: "cat:cs.LG", max_results: 12, page_size: 5, base_url: "{standin}"}}
    schedule: daily_at_09:00
  repos:
    collector: github
    config: {{mode: search, query: x, token: "${{env:STOMA_TEST_TOKEN}}"}}
    schedule: daily
"""
    )
    return tmp_path


@pytest.fixture
def stoma(home: Path) -> Run:
    def stoma(*words: str) -> Result:
        return CliRunner().invoke(main, ["scheduler", *words])

    return stoma


def test_status_without_a_scheduler(stoma: Run) -> None:
    result = stoma("status")
    assert result.exit_code == 1
    assert "not running: start it with `stoma-run`" in result.output
    overview = json.loads(stoma("status", "--json").output)
    assert (overview["running"], overview["tasks"], overview["blocked"]) == (False, 2, 1)


def test_status_with_a_scheduler(stoma: Run) -> None:
    with Scheduler():
        result = stoma("status")
        assert result.exit_code == 0, result.output
        assert result.output.startswith("running: process")
    assert stoma("status").exit_code == 1


def test_status_tells_a_broken_file_also_without_a_scheduler(stoma: Run, home: Path) -> None:
    assert stoma("list-tasks").exit_code == 0  # makes the database
    (home / "tasks").mkdir()
    (home / "tasks/bad.yaml").write_text("tasks:\n  x:\n    colector: arxiv\n")
    result = stoma("status")
    assert result.exit_code == 3, result.output
    assert "tasks/bad.yaml:3:5" in result.stderr
    assert 'did you mean "collector"?' in result.stderr
    overview = json.loads(stoma("status", "--json").output)
    assert overview["config"]["errors"][0]["file"] == "tasks/bad.yaml"


def test_list_tasks(stoma: Run) -> None:
    result = stoma("list-tasks")
    assert result.exit_code == 0
    assert "daily_at_09:00" in result.output
    assert "repos is blocked" in result.output
    tasks = json.loads(stoma("list-tasks", "--json").output)
    assert [task["id"] for task in tasks] == ["papers", "repos"]
    assert tasks[0]["next_run"].endswith("09:00:00Z")


def test_run_task_without_a_scheduler_runs_right_here(stoma: Run) -> None:
    result = stoma("run-task", "papers")
    assert result.exit_code == 0, result.output
    assert "completed" in result.output
    [run] = json.loads(stoma("run-task", "papers", "--json").output)
    # The second run asks for what came since, and for the week before once more.
    assert (run["status"], run["new"], run["seen"]) == ("completed", 0, run["unchanged"])
    assert 0 < run["seen"] < 12


def test_run_task_with_a_scheduler_follows_its_run(stoma: Run) -> None:
    with Scheduler() as scheduler:
        [run] = json.loads(stoma("run-task", "papers", "--json").output)
        assert (run["status"], run["new"]) == ("completed", 12)
        attempts = scheduler.store.runs.attempts(run["run"])
        assert attempts[0]["status"] == "completed"
        queued = json.loads(stoma("run-task", "papers", "--json", "--no-wait").output)
        assert queued["status"] == "pending"
        until(lambda: scheduler.store.runs.get(queued["run"]).status.is_final)


@pytest.mark.parametrize("with_scheduler", [False, True])
def test_a_blocked_or_unknown_task_is_not_run(stoma: Run, with_scheduler: bool) -> None:
    scheduler = Scheduler()
    if with_scheduler:
        scheduler.start()
    result = stoma("run-task", "repos")
    assert result.exit_code == 1
    assert "STOMA_TEST_TOKEN" in result.output
    result = stoma("run-task", "paper")
    assert result.exit_code == 2
    assert 'did you mean "papers"?' in result.stderr
    scheduler.stop()


def test_enable_and_disable(stoma: Run) -> None:
    assert stoma("disable-task", "papers").output == "papers is switched off\n"
    assert json.loads(stoma("list-tasks", "--json").output)[0]["enabled"] is False
    assert stoma("enable-task", "papers").output == "papers is switched on\n"
    assert json.loads(stoma("list-tasks", "--json").output)[0]["enabled"] is True
    assert stoma("disable-task", "nope").exit_code == 2


def test_a_running_scheduler_sees_what_was_switched_off(stoma: Run) -> None:
    with Scheduler() as scheduler:
        stoma("disable-task", "papers")
        assert scheduler.task("papers").enabled is False


def test_load_preset(stoma: Run, home: Path) -> None:
    result = stoma("load-preset", "--preset", "research")
    assert result.exit_code == 0, result.output
    added = json.loads(stoma("list-tasks", "--json").output)
    assert len(added) > 2
    assert all(task["id"] in result.output for task in added[2:])
    assert "research" in (home / "tasks/_presets.yaml").read_text()
    assert stoma("load-preset", "--preset", "research").output == "preset research is loaded already\n"
    result = stoma("load-preset", "--preset", "reserch")
    assert result.exit_code == 2
    assert 'did you mean "research"?' in result.stderr


def test_add_and_remove_a_task_as_the_mission_writes_it(stoma: Run, home: Path) -> None:
    words = ("add-task", "custom_ml", "Custom ML", "arxiv", "interval_30m", "--priority", "high", "--config")
    result = stoma(*words, '{"search_query": "machine learning", "max_results": 25}')
    assert result.exit_code == 0, result.output
    assert "tasks/custom_ml.yaml" in result.output
    [task] = [t for t in json.loads(stoma("list-tasks", "--json").output) if t["id"] == "custom_ml"]
    assert (task["priority"], task["schedule"], task["name"]) == ("high", "interval_30m", "Custom ML")
    again = stoma(*words, '{"search_query": "x"}')
    assert again.exit_code == 2
    assert "--replace" in again.stderr
    assert stoma(*words, '{"search_query": "x"}', "--replace").exit_code == 0
    assert stoma("remove-task", "custom_ml").exit_code == 0
    assert not (home / "tasks/custom_ml.yaml").exists()


def test_a_task_declared_elsewhere_is_not_removed(stoma: Run) -> None:
    result = stoma("remove-task", "papers")
    assert result.exit_code == 2
    assert "stoma.yaml:6" in result.stderr


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("Bad Id", "N", "arxiv", "daily"), "Bad Id"),
        (("../x", "N", "arxiv", "daily"), "../x"),
        (("x", "N", "arixv", "daily"), 'did you mean "arxiv"?'),
        (("x", "N", "arxiv", "dayly"), "daily"),
        (("x", "N", "arxiv", "daily", "--priority", "urgent"), "urgent"),
        (("x", "N", "arxiv", "daily", "--config", "{no json"), "--config is not JSON"),
        (("x", "N", "arxiv", "daily", "--config", "[1]"), "expected an object"),
        (("x", "N", "arxiv", "daily", "--config", '{"serch_query": "a"}'), "search_query"),
    ],
)
def test_a_task_that_would_not_load_is_not_written(
    stoma: Run, home: Path, words: tuple[str, ...], said: str
) -> None:
    result = stoma("add-task", *words)
    assert result.exit_code == 2, result.output
    assert said in result.stderr
    assert "Traceback" not in result.output
    assert not (home / "tasks").exists() or not list((home / "tasks").iterdir())


def test_a_running_scheduler_takes_up_an_added_task(stoma: Run) -> None:
    with Scheduler() as scheduler:
        stoma("add-task", "more", "More", "arxiv", "daily", "--config", '{"search_query": "x"}')
        until(lambda: "more" in scheduler.config.tasks)
        stoma("remove-task", "more")
        until(lambda: "more" not in scheduler.config.tasks)


def test_another_stoma_yaml(stoma: Run, home: Path, tmp_path: Path) -> None:
    other = tmp_path / "other"
    other.mkdir()
    (other / "my.yaml").write_text("version: 1\npresets: []\ntasks: {}\n")
    result = stoma("list-tasks", "--config", str(other / "my.yaml"))
    assert result.exit_code == 0
    assert "no tasks yet" in result.output
    assert (other / "stoma.db").exists()


def test_a_store_that_cannot_be_used_is_degraded(stoma: Run, home: Path) -> None:
    text = (home / "stoma.yaml").read_text().splitlines()
    text[2] = 'store: {url: "postgresql://nobody@127.0.0.1:1/x"}'
    (home / "stoma.yaml").write_text("\n".join(text))
    result = stoma("status")
    assert result.exit_code == 3
    assert "refused" in result.stderr
    assert stoma("list-tasks").exit_code == 1


def test_what_was_stored_is_there(stoma: Run, home: Path, url: str) -> None:
    stoma("run-task", "papers")
    with open_store(url, home) as store:
        assert store.records.count_by_kind() == {"paper": 12}
