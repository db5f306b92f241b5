"""`stoma runs`, `stoma logs`, `stoma cancel` and `stoma retry`."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from click.testing import CliRunner, Result

from stoma.cli.main import main
from stoma.demo.standin import StandIn
from stoma.scheduler.base import NewRun, Run, TaskPriority, TaskStatus, after_trigger, at_trigger
from stoma.scheduler.owner import this_process
from stoma.stores import Store, open_store
from stoma.stores.logs import Line
from stoma.stores.runs import End
from tests.support.waiting import until

Command = Callable[..., Result]
LEASE = timedelta(seconds=30)
DUE = datetime(2026, 3, 1, 9, tzinfo=UTC)


@pytest.fixture
def home(tmp_path: Path, url: str) -> Path:
    (tmp_path / "stoma.yaml").write_text(
        f"""\
version: 1
timezone: Europe/Berlin
presets: []
store: {{url: "{url}"}}
tasks:
  papers: {{collector: arxiv, config: {{search_query: "cat:cs.LG"}}, schedule: daily}}
  others: {{collector: arxiv, config: {{search_query: "cat:cs.AI"}}, schedule: daily}}
"""
    )
    return tmp_path


@pytest.fixture
def real(home: Path, url: str) -> Iterator[Store]:
    """The store that the commands use, on the real clock."""
    with open_store(url, home) as opened:
        yield opened


@pytest.fixture
def stoma(home: Path) -> Command:
    return lambda *words: CliRunner().invoke(main, words)


def add(store: Store, trigger: str = "hand:1", task: str = "papers", **more: Any) -> Run:
    return store.runs.add(NewRun(task, trigger, TaskPriority.NORMAL, "0", **more), store.now())


def begin(store: Store, *given: Any, **more: Any) -> Run:
    add(store, *given, **more)
    claimed = store.runs.claim(str(this_process()), store.now(), store.now() + LEASE)
    assert claimed is not None
    return claimed


def test_runs_newest_first_with_what_made_them(stoma: Command, real: Store) -> None:
    failed = begin(real, at_trigger(DUE), scheduled_for=DUE)
    real.runs.end(failed, End(TaskStatus.FAILED, error="the source said 404"), real.now())
    add(real, after_trigger(failed.id), "others")
    result = stoma("runs")
    assert result.exit_code == 0, result.output
    first, second = [line for line in result.output.splitlines() if "papers" in line or "others" in line]
    assert "pending" in first
    assert f"after run {failed.id}" in first
    # By the clock of the zone.
    assert "due 2026-03-01 10:00" in second
    assert "the source said 404" in second
    of_one = json.loads(stoma("runs", "papers", "--json").output)
    assert [(run["run"], run["status"]) for run in of_one] == [(failed.id, "failed")]
    assert "others" not in stoma("runs", "--status", "failed").output
    assert len(json.loads(stoma("runs", "--limit", "1", "--json").output)) == 1
    assert stoma("runs", "--status", "suspect").output == "no runs that are suspect\n"


def test_runs_of_a_task_that_is_declared_no_more_but_not_of_any_name(stoma: Command, real: Store) -> None:
    assert stoma("runs", "papers").output == "no runs of papers yet\n"
    add(real, task="gone")
    assert "gone" in stoma("runs", "gone").output
    result = stoma("runs", "paper")
    assert result.exit_code == 2
    assert 'did you mean "papers"?' in result.stderr


def test_the_log_of_a_run_that_was_carried_out_here(stoma: Command, home: Path) -> None:
    with StandIn(now=datetime.now(UTC)) as standin:
        text = (home / "stoma.yaml").read_text()
        (home / "stoma.yaml").write_text(
            text.replace('"cat:cs.LG"', f'"cat:cs.LG", max_results: 5, base_url: "{standin.url("arxiv")}"')
        )
        assert stoma("scheduler", "run-task", "papers").exit_code == 0
    [run] = json.loads(stoma("runs", "--json").output)
    result = stoma("logs", str(run["run"]))
    assert result.exit_code == 0, result.output
    assert f"run {run['run']} of papers, by hand: completed" in result.output
    assert "try 1, process" in result.output
    assert "completed: 5 seen, 5 new" in result.output
    # Once in the title, once in the last line.
    assert result.output.count("completed") == 2
    told = json.loads(stoma("logs", str(run["run"]), "--json").output)
    assert told["attempts"][0]["status"] == "completed"
    assert told["lines"][-1]["message"].startswith("completed: 5 seen")


def test_lines_stand_under_their_try(stoma: Command, real: Store) -> None:
    first = begin(real)
    real.logs.add([Line(first.id, real.now(), "INFO", "of the first")])
    again = End(TaskStatus.PENDING, "waiting for the next try", "503", real.now() - LEASE)
    real.runs.end(first, again, real.now())
    second = real.runs.claim("elsewhere", real.now(), real.now() + LEASE)
    assert second is not None
    real.logs.add([Line(first.id, real.now(), "WARNING", "of the second")])
    lines = [line.strip() for line in stoma("logs", str(first.id)).output.splitlines()]
    assert [line.split(", ")[0] for line in lines[1:] if line.startswith("try")] == ["try 1", "try 2"]
    order = [line.split(" ", 1)[-1] for line in lines[1:]]
    assert order[1:3] == ["INFO    of the first", "pending: 503"]
    assert order[4:] == ["WARNING of the second"]


def test_a_run_that_has_no_log(stoma: Command, real: Store) -> None:
    run = add(real)
    assert "it has not started yet" in stoma("logs", str(run.id)).output
    result = stoma("logs", "999")
    assert result.exit_code == 2
    assert result.stderr == "error: there is no run 999\n"
    assert stoma("logs", "x").exit_code == 2


def test_follow_goes_on_until_the_last_line_of_the_run(stoma: Command, real: Store) -> None:
    run = begin(real)
    found: list[Result] = []
    following = threading.Thread(target=lambda: found.append(stoma("logs", str(run.id), "--follow")))
    following.start()
    real.logs.add([Line(run.id, real.now(), "INFO", "page 1")])
    real.runs.end(run, End(TaskStatus.COMPLETED), real.now())
    # The process that worked on it writes its last lines a little later.
    real.logs.add([Line(run.id, real.now(), "INFO", "completed: 0 seen")])
    following.join(20)
    assert found[0].exit_code == 0
    assert found[0].output.count("page 1") == 1
    assert found[0].output.count("completed: 0 seen") == 1
    assert found[0].output.count("try 1") == 1


def test_follow_waits_a_little_for_the_last_lines(
    stoma: Command, real: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = begin(real)
    real.runs.end(run, End(TaskStatus.COMPLETED), real.now())

    def pause(seconds: float) -> None:
        real.logs.add([Line(run.id, real.now(), "INFO", "completed: 0 seen")])

    clock = SimpleNamespace(sleep=pause, monotonic=time.monotonic)
    monkeypatch.setattr("stoma.cli.logs.time", clock)
    assert "completed: 0 seen" in stoma("logs", str(run.id), "--follow").output
    # But not for ever.
    other = begin(real, "hand:2")
    real.runs.end(other, End(TaskStatus.COMPLETED), real.now())
    ticks = iter(range(0, 100, 2))
    clock.sleep, clock.monotonic = (lambda seconds: None), lambda: next(ticks)
    assert "try 1" in stoma("logs", str(other.id), "--follow").output


def test_cancel_a_run_that_waits(stoma: Command, real: Store) -> None:
    run = add(real)
    result = stoma("cancel", str(run.id))
    assert (result.exit_code, result.output) == (0, f"run {run.id} of papers was waiting and is cancelled\n")
    assert real.runs.get(run.id).status is TaskStatus.CANCELLED
    result = stoma("cancel", str(run.id))
    assert result.exit_code == 2
    assert "is over" in result.stderr


def test_cancel_waits_until_a_run_under_way_has_stopped(stoma: Command, real: Store) -> None:
    run = begin(real)
    found: list[Result] = []
    asking = threading.Thread(target=lambda: found.append(stoma("cancel", str(run.id))))
    asking.start()
    until(lambda: real.runs.get(run.id).cancel_asked_at is not None)
    real.runs.end(run, End(TaskStatus.INTERRUPTED, "stopped", is_try=False), real.now())
    asking.join(20)
    assert found[0].exit_code == 0, found[0].output
    assert found[0].output.splitlines() == [
        f"run {run.id} of papers is asked to stop; it ends at its next page",
        f"run {run.id} of papers is cancelled; what it had committed stays",
    ]


def test_cancel_does_not_wait_for_ever(stoma: Command, real: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    run = begin(real)
    told = stoma("cancel", str(run.id), "--no-wait")
    assert (told.exit_code, len(told.output.splitlines())) == (0, 1)
    monkeypatch.setattr("stoma.cli.runs.CANCEL_SECONDS", 0.0)
    told = stoma("cancel", str(run.id))
    assert told.exit_code == 1
    assert "is still running" in told.output
    assert json.loads(stoma("cancel", str(run.id), "--json").output)["status"] == "running"


def test_retry_puts_a_failed_run_into_the_queue(stoma: Command, real: Store) -> None:
    run = begin(real)
    result = stoma("retry", str(run.id))
    assert result.exit_code == 2
    assert "is running" in result.stderr
    real.runs.end(run, End(TaskStatus.FAILED, error="404"), real.now())
    result = stoma("retry", str(run.id))
    assert result.exit_code == 0, result.output
    assert result.output.splitlines() == [
        f"run {run.id} of papers is in the queue again",
        "no scheduler is running: it waits for one (`stoma-run`)",
    ]
    assert real.runs.get(run.id).status is TaskStatus.PENDING
    assert json.loads(stoma("retry", str(run.id), "--json").output)["run"] == run.id
    assert stoma("retry", "999").exit_code == 2


@pytest.mark.parametrize("command", ["logs", "cancel", "retry"])
def test_a_number_that_no_run_can_have_is_refused(stoma: Command, command: str) -> None:
    found = stoma(command, "9" * 20)
    assert found.exit_code == 2
    assert "9223372036854775807" in found.output


def test_a_run_of_a_task_that_is_gone_does_not_begin_again(stoma: Command, real: Store) -> None:
    run = add(real, task="gone")
    real.runs.ask_cancel(run.id, real.now())
    found = stoma("retry", str(run.id))
    assert found.exit_code == 2
    assert 'there is no task "gone"' in found.output
    assert real.runs.get(run.id).status is TaskStatus.CANCELLED


def test_a_pause_is_no_secret(stoma: Command, real: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    failed = add(real)
    real.runs.ask_cancel(failed.id, real.now())
    assert stoma("scheduler", "pause").exit_code == 0
    assert "`stoma scheduler resume`" in stoma("retry", str(failed.id)).output
    assert "everything is paused since" in stoma("why", "papers", "today").output
    assert "everything is paused since" in stoma("next").output
    monkeypatch.setattr("stoma.scheduler.overview.is_scheduler_running", lambda *_: True)
    found = stoma("scheduler", "run-task", "others")
    assert found.exit_code == 1
    assert "everything is paused: run" in found.output
    assert stoma("scheduler", "resume").exit_code == 0
    assert "everything is paused" not in stoma("next").output
    stoma("scheduler", "disable-task", "papers")
    assert "it is switched off" in stoma("why", "papers", "today").output


def test_a_reader_that_has_seen_enough_is_no_fault(home: Path) -> None:
    words = [sys.executable, "-c", "from stoma.cli.main import main; main()", "why", "papers", "today"]
    reader, writer = os.pipe()
    os.close(reader)
    done = subprocess.run(
        words,
        cwd=home,
        stdout=writer,
        stderr=subprocess.PIPE,
        text=True,
        env=os.environ | {"PYTHONPATH": str(Path(__file__).parents[2])},
    )
    os.close(writer)
    assert (done.returncode, done.stderr) == (0, "")
