"""The log of each run: gathered, bounded, masked, written in one transaction."""

from __future__ import annotations

import io
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from stoma import log
from stoma.errors import StoreUnavailable
from stoma.log import logger
from stoma.references import remember
from stoma.scheduler import runlog
from stoma.scheduler.base import NewRun, Task
from stoma.scheduler.foreground import Foreground
from stoma.scheduler.owner import this_process
from stoma.scheduler.pipeline import Surroundings
from stoma.scheduler.runlog import RunLog
from stoma.scheduler.runner import Runner
from stoma.stores import Store
from stoma.stores.logs import Line
from tests.support.clock import Clock
from tests.support.scripted import Script, install
from tests.support.waiting import until

WORKER = object()


@pytest.fixture
def run_log() -> Iterator[RunLog]:
    log.set_up("WARNING", io.StringIO())
    found = RunLog(WORKER)
    found.install()
    yield found
    found.close()
    logger.remove()


def say(text: str, run: int = 1, worker: object = WORKER, level: str = "INFO") -> None:
    with logger.contextualize(run=run, worker=worker):
        logger.log(level, "{}", text)


def messages(store: Store, run: int = 1) -> list[str]:
    return [line.message for line in store.logs.of_run(run)]


def fail(lines: Sequence[Line]) -> None:
    raise StoreUnavailable("no space")


def test_lines_of_runs_are_kept_although_the_terminal_shows_less(store: Store, run_log: RunLog) -> None:
    say("begun")
    say("slow", level="WARNING")
    say("details", level="DEBUG")
    say("another run", run=2)
    say("another scheduler", worker=object())
    logger.info("no run")
    assert run_log.flush(store, datetime.now(UTC))
    assert [(line.level, line.message) for line in store.logs.of_run(1)] == [
        ("INFO", "begun"),
        ("WARNING", "slow"),
    ]
    assert messages(store, 2) == ["another run"]
    assert run_log.flush(store, datetime.now(UTC))
    assert messages(store) == ["begun", "slow"]


def test_after_the_close_nothing_is_gathered_but_what_waits_is_kept(store: Store, run_log: RunLog) -> None:
    say("before")
    run_log.close()
    say("after")
    run_log.flush(store, datetime.now(UTC))
    assert messages(store) == ["before"]
    logger.remove()
    run_log.close()


def test_no_secret_and_no_control_character_is_stored(store: Store, run_log: RunLog) -> None:
    say("hunter33 \x1b[2J \0 \ud800")
    # Known only when the line has been logged.
    remember("hunter33", "${env:PASSWORD}")
    say("x" * 1995 + "hunter33")
    run_log.flush(store, datetime.now(UTC))
    first, second = messages(store)
    assert first.startswith("${env:PASSWORD} ")
    assert not {"\x1b", "\0"} & set(first)
    assert "hunt" not in second
    assert len(second) <= runlog.LONGEST_LINE


def test_lines_are_masked_where_nobody_has_set_up_the_log(store: Store, run_log: RunLog) -> None:
    logger.configure(patcher=lambda record: None)
    remember("hunter44", "${env:PASSWORD}")
    say("hunter44 \x1b[2J")
    run_log.flush(store, datetime.now(UTC))
    assert messages(store) == ["${env:PASSWORD} \N{REPLACEMENT CHARACTER}[2J"]


def test_one_run_has_so_many_lines_and_a_note(
    store: Store, run_log: RunLog, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(runlog, "MOST_OF_RUN", 5)
    for number in range(9):
        say(str(number))
    say("other", run=2)
    run_log.flush(store, datetime.now(UTC))
    for number in range(3):
        say(str(number))
    run_log.flush(store, datetime.now(UTC))
    assert messages(store) == ["0", "1", "2", "3", "more than 5 lines: what follows is left out"]
    assert messages(store, 2) == ["other"]


def test_a_store_that_fails_loses_the_oldest_lines_only(
    store: Store, run_log: RunLog, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(runlog, "MOST_WAITING", 4)
    say("lost", run=2)
    for number in range(3):
        say(str(number))
    with monkeypatch.context() as broken:
        broken.setattr(store.logs, "add", fail)
        assert not run_log.flush(store, datetime.now(UTC))
        say("3")
        say("4")
        assert not run_log.flush(store, datetime.now(UTC))
    assert run_log.flush(store, datetime.now(UTC))
    told = "1 lines before these are lost: the store did not take them in time"
    assert messages(store) == ["1", "2", "3", "4", told]
    assert messages(store, 2) == [told]


def test_what_comes_while_the_store_fails_counts_too(
    store: Store, run_log: RunLog, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(runlog, "MOST_WAITING", 2)

    def late(lines: Sequence[Line]) -> None:
        say("meanwhile")
        fail(lines)

    say("one")
    say("two")
    with monkeypatch.context() as broken:
        broken.setattr(store.logs, "add", late)
        assert not run_log.flush(store, datetime.now(UTC))
    run_log.flush(store, datetime.now(UTC))
    assert messages(store)[:2] == ["two", "meanwhile"]


def test_lines_are_dated_by_the_clock_of_the_store(store: Store, run_log: RunLog) -> None:
    say("early")
    ahead = timedelta(hours=3)
    run_log.flush(store, datetime.now(UTC) + ahead)
    say("right")
    run_log.flush(store, datetime.now(UTC) + timedelta(milliseconds=300))
    early, right = (line.logged_at - datetime.now(UTC) for line in store.logs.of_run(1))
    assert abs(early - ahead) < timedelta(seconds=20)
    assert right <= timedelta(0)


@pytest.fixture
def script(monkeypatch: pytest.MonkeyPatch) -> Script:
    return install(monkeypatch)


def around(store: Store) -> Surroundings:
    return Surroundings(store, Path.cwd(), timedelta(seconds=30), str(this_process()))


TASK = Task("t", "t", "scripted", config={"script": "s"})


def test_the_lines_of_foreground_runs_are_in_the_store_when_they_return(
    store: Store, clock: Clock, script: Script, run_log: RunLog
) -> None:
    script.before_page = lambda number, collection: collection.log(f"page {number}")
    [run] = Foreground(around(store), [TASK], slots=1).run()
    told = messages(store, run.id)
    assert told[:3] == ["page 0", "page 1", "page 2"]
    assert told[3].startswith("completed: 30 seen")


def test_the_lines_of_a_runner_are_gathered_by_its_own_log(
    store: Store, script: Script, run_log: RunLog
) -> None:
    script.before_page = lambda number, collection: collection.log(f"page {number}")
    store.runs.add(NewRun("t", "hand:1", TASK.priority, "0"), store.now())
    runner = Runner(around(store), {"t": TASK}.get, 1)
    own = RunLog(runner)
    own.install()
    runner.fill()
    until(lambda: not runner.working and not runner.busy)
    own.close()
    own.flush(store, store.now())
    run_log.flush(store, store.now())
    [run] = store.runs.history()
    assert messages(store, run.id)[0] == "page 0"
    assert len(messages(store, run.id)) == 4
