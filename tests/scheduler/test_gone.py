"""A source that is gone for good is asked no more, until somebody wants it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from stoma.errors import BadAnswer, SourceGone
from stoma.scheduler.base import Dependency, Run, Schedule, SkipReason, Task, TaskStatus
from stoma.scheduler.config import Config
from stoma.scheduler.following import Following
from stoma.scheduler.manager import Scheduler
from stoma.scheduler.overview import status_overview
from stoma.scheduler.parts import hand_run
from stoma.scheduler.pipeline import Control, Surroundings, execute
from stoma.stores import Store
from tests.support.clock import Clock
from tests.support.scripted import Script, install

LEASE = timedelta(seconds=30)
TASK = Task("t", "T", "scripted", config={"script": "s"}, schedule=(Schedule("interval_1h"),))
WHY = "gone since 2026-03-01 12:00 UTC: http://127.0.0.1/feed answers 410 Gone"


@pytest.fixture
def script(monkeypatch: pytest.MonkeyPatch) -> Script:
    return install(monkeypatch)


@pytest.fixture
def scheduler(url: str, tmp_path: Path, clock: Clock, script: Script) -> Iterator[Scheduler]:
    """One that is asked to tick, and starts nothing by itself."""
    made = Scheduler(Config(base=tmp_path, store_url=url, tasks={"t": TASK}), clock=clock)
    made.take_up(clock.now)
    yield made
    made.store.close()


@pytest.fixture
def store(scheduler: Scheduler) -> Store:
    return scheduler.store


@pytest.fixture
def go(store: Store, tmp_path: Path) -> Callable[..., Run]:
    """Carry out the open run of the task, or one by hand."""

    def go(task: Task = TASK) -> Run:
        if not store.runs.open_of(task.id):
            store.runs.add(hand_run(task), store.now())
        run = store.runs.claim("me", store.now(), store.now() + LEASE)
        assert run is not None
        ended = execute(run, task, Surroundings(store, tmp_path, LEASE, "me"), Control())
        assert ended is not None
        return ended

    return go


def answering(script: Script, error: Exception | None) -> None:
    def before_page(number: int, collection: Any) -> None:
        if error is not None:
            raise error

    script.before_page = before_page
    script.asked.clear()


GONE = SourceGone("http://127.0.0.1/feed answers 410 Gone")


def test_it_fails_at_once_and_is_due_no_more(
    scheduler: Scheduler, store: Store, script: Script, go: Callable[..., Run], clock: Clock
) -> None:
    answering(script, GONE)
    run = go()
    assert (run.status, run.attempt, run.error) == (TaskStatus.FAILED, 1, GONE.message)
    for _ in range(3):
        assert scheduler.tick(clock.forward(hours=1)) == []
    assert script.asked == [0]
    [skip] = store.agenda.skips("t")
    assert (skip["reason"], skip["count"]) == (str(SkipReason.BLOCKED), 3)
    assert skip["detail"] == f"{WHY}; edit the task, or run it by hand to ask once more"
    overview = status_overview(scheduler.config, store, clock.now)
    assert overview["gone"] == [{"task": "t", "reason": skip["detail"]}]
    assert overview["next_runs"] == []


def test_an_edited_query_is_due_again(
    scheduler: Scheduler, store: Store, script: Script, go: Callable[..., Run], clock: Clock
) -> None:
    answering(script, GONE)
    go()
    edited = replace(TASK, config={"script": "s", "url": "elsewhere"})
    scheduler.config.tasks["t"] = edited  # type: ignore[index]
    assert len(scheduler.tick(clock.forward(hours=1))) == 1
    answering(script, None)
    assert go(edited).status is TaskStatus.COMPLETED
    assert store.agenda.switches().gone == {}
    # Another one is gone since another moment.
    answering(script, GONE)
    go(edited)
    assert store.agenda.switches().gone["t"].since == clock.now


def test_a_run_by_hand_asks_once_more(
    scheduler: Scheduler, store: Store, script: Script, go: Callable[..., Run], clock: Clock
) -> None:
    answering(script, GONE)
    first = go()
    clock.forward(minutes=1)
    store.runs.again(first.id, clock.now)
    assert go().status is TaskStatus.FAILED
    assert script.asked == [0, 0]
    # Still since the first time; and what says nothing of it changes nothing.
    assert store.agenda.switches().gone["t"].since == clock.now - timedelta(minutes=1)
    answering(script, BadAnswer("garbage"))
    store.runs.settle(go(), TaskStatus.CANCELLED, "enough", clock.now)
    assert scheduler.tick(clock.forward(hours=1)) == []
    answering(script, None)
    assert go().status is TaskStatus.COMPLETED
    assert len(scheduler.tick(clock.forward(hours=1))) == 1


def test_nothing_follows_into_it_and_no_start_asks_it(
    scheduler: Scheduler, store: Store, script: Script, go: Callable[..., Run], clock: Clock, tmp_path: Path
) -> None:
    answering(script, GONE)
    go()
    follower = replace(TASK, schedule=(), after=(Dependency("u"),), run_on_start=True)
    upstream = replace(TASK, id="u", schedule=())
    scheduler.config.tasks["t"] = follower  # type: ignore[index]
    config = Config(base=tmp_path, tasks={"t": follower, "u": upstream})
    store.runs.on_final = Following(lambda: config)
    answering(script, None)
    assert go(upstream).status is TaskStatus.COMPLETED
    scheduler._run_on_start(clock.now)
    assert store.runs.open_of("t") == []
    [skip] = store.agenda.skips("t")
    assert WHY in skip["detail"]
