"""`stoma scheduler status --watch`: what runs, live on a terminal, in plain lines elsewhere."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from select import select

import pytest

from stoma.cli.watch import Glimpse, Pace, _picture, news, summary
from stoma.scheduler.base import NewRun, Run, TaskPriority, TaskStatus
from stoma.stores import open_store

NOW = datetime(2026, 11, 23, 9, tzinfo=UTC)


@pytest.fixture
def run(tmp_path: Path) -> Run:
    with open_store("sqlite:///stoma.db", tmp_path) as store:
        store.runs.add(NewRun("papers", "hand:1", TaskPriority.NORMAL, "0"), NOW)
        found = store.runs.claim("me", NOW, NOW + timedelta(minutes=1))
    assert found is not None
    return found


def glimpse(*running: Run, **more: object) -> Glimpse:
    return replace(Glimpse(NOW, True, None, running, (), (), {}), **more)  # type: ignore[arg-type]


def test_the_rate_is_that_of_late() -> None:
    pace = Pace()
    assert pace.rate(NOW, 100) is None
    assert pace.rate(NOW + timedelta(seconds=10), 200) == 10
    # What lies further back counts no more.
    assert pace.rate(NOW + timedelta(seconds=35), 700) == 20
    # A run that begins again from less is no negative rate.
    assert pace.rate(NOW + timedelta(seconds=36), 0) is None


def test_a_line_for_each_change(run: Run) -> None:
    told: dict[int, str] = {}
    at_work = replace(run, seen=1200, pages=1)
    expected = {run.id: 5000}
    assert list(news(glimpse(at_work, expected=expected), told)) == [
        f"papers #{run.id}: running, 1,200 of 5,000 seen, 1 page"
    ]
    assert list(news(glimpse(at_work, expected=expected), told)) == []
    failed = replace(at_work, status=TaskStatus.FAILED, error="no answer")
    assert list(news(glimpse(ended=(failed,)), told)) == [
        f"papers #{run.id}: failed, 1,200 seen, 1 page: no answer"
    ]
    assert told == {}


def test_how_it_stands_in_one_sentence(run: Run) -> None:
    assert summary(glimpse(run)) == "1 run under way, 0 waiting"
    assert summary(glimpse(is_running=False)) == "not running: start it with `stoma-run`"
    assert summary(glimpse(paused_since=NOW)).startswith("everything is paused")


@pytest.mark.parametrize("width", [20, 40, 80, 200])
def test_no_line_breaks_and_none_steers_the_terminal(run: Run, width: int) -> None:
    hostile = replace(run, status=TaskStatus.PENDING, error="\x1b[2J" + "long " * 50)
    many = [replace(run, id=number) for number in range(40)]
    lines = _picture(glimpse(*many, waiting=(hostile,)), {}, width, "UTC").plain.splitlines()
    assert max(map(len, lines)) <= width
    assert all(line.isprintable() for line in lines)
    assert lines[-1].startswith("and 25 more")


def test_the_clock_is_that_of_the_configured_zone() -> None:
    lines = _picture(glimpse(), {}, 80, "America/New_York").plain.splitlines()
    assert lines[0].startswith("04:00:00 EST  ")


def test_it_tells_until_it_is_interrupted(tmp_path: Path, run: Run) -> None:
    (tmp_path / "stoma.yaml").write_text("version: 1\npresets: []\n")
    with subprocess.Popen(
        [sys.executable, "-m", "stoma.cli.main", "scheduler", "status", "--watch"],
        cwd=tmp_path, env=os.environ, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, bufsize=1,
    ) as process:  # fmt: skip
        assert process.stdout is not None
        assert f"papers #{run.id}: running, 0 seen, 0 pages" in process.stdout.readline()
        process.send_signal(signal.SIGINT)
        _, errors = process.communicate(timeout=20)
    assert (process.returncode, errors) == (130, "")


def test_where_nothing_runs_it_says_so(tmp_path: Path) -> None:
    (tmp_path / "stoma.yaml").write_text("version: 1\npresets: []\n")
    with open_store("sqlite:///stoma.db", tmp_path):
        pass
    with subprocess.Popen(
        [sys.executable, "-m", "stoma.cli.main", "scheduler", "status", "--watch"],
        cwd=tmp_path, env=os.environ, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, bufsize=1,
    ) as process:  # fmt: skip
        assert process.stdout is not None
        has_spoken = select([process.stdout], [], [], 20)[0]
        process.send_signal(signal.SIGINT)
        told, _ = process.communicate(timeout=20)
    assert has_spoken
    assert told.endswith(" not running: start it with `stoma-run`\n")


def test_a_store_that_is_not_there_is_not_made(tmp_path: Path) -> None:
    (tmp_path / "stoma.yaml").write_text("version: 1\npresets: []\n")
    result = subprocess.run(
        [sys.executable, "-m", "stoma.cli.main", "scheduler", "status", "--watch"],
        cwd=tmp_path, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert result.returncode == 2
    assert "there is no store" in result.stderr
    assert not (tmp_path / "stoma.db").exists()
