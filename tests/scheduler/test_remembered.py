"""What was reckoned once is what would be reckoned again."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stoma.scheduler import remembered as module
from stoma.scheduler.base import Run, Schedule, Task, TaskStatus
from stoma.scheduler.config import schedule_hash
from stoma.scheduler.outlook import next_run
from stoma.scheduler.parts import hand_run
from stoma.scheduler.remembered import HOLDS, Remembered
from stoma.stores import Store
from stoma.stores.runs import End
from tests.support.clock import Clock
from tests.support.stores import clock as clock
from tests.support.stores import store as store
from tests.support.stores import url as url

BEGIN = datetime(2026, 3, 28, tzinfo=UTC)
TASKS = [
    Task("daily", "T", "arxiv", schedule=(Schedule("daily_at_02:30", timezone="Europe/Berlin"),)),
    Task("often", "T", "arxiv", schedule=(Schedule("interval_30m"), Schedule("hourly"))),
    Task("workdays", "T", "arxiv", schedule=(Schedule("*/20 * * * *", skip=("weekends",)),)),
    Task("when", "T", "arxiv", schedule=(Schedule("hourly"),), when="9 <= hour <= 17"),
    Task("over", "T", "arxiv", schedule=(Schedule("hourly", until="2026-03-28"),)),
    Task("by_hand", "T", "arxiv"),
]


@settings(max_examples=100, deadline=None)
@given(st.lists(st.tuples(st.sampled_from(TASKS), st.integers(0, 4 * 86_400)), max_size=20))
def test_it_answers_as_if_nothing_were_remembered(asked: list[tuple[Task, int]]) -> None:
    remembered = Remembered()
    # Whatever the order: a clock may go back.
    for task, seconds in asked:
        after = BEGIN + timedelta(seconds=seconds)
        assert remembered.next_run(task, after) == next_run(task, after)
        assert remembered.schedule_hash(task) == schedule_hash(task)


def test_it_reckons_once_and_anew_for_an_edited_task(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[Task] = []
    monkeypatch.setattr(module, "next_run", lambda task, after: asked.append(task) or next_run(task, after))
    remembered, task = Remembered(), TASKS[0]
    for hours in (0, 1, 1, 2):
        remembered.next_run(task, BEGIN + timedelta(hours=hours / 4))
    assert len(asked) == 1
    edited = replace(task, schedule=(Schedule("daily_at_05:00"),))
    assert remembered.next_run(edited, BEGIN) == BEGIN + timedelta(hours=5)
    remembered.keep_only({})
    remembered.next_run(edited, BEGIN)
    assert len(asked) == 3


def test_that_there_is_none_is_asked_again_after_an_hour(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[datetime] = []
    monkeypatch.setattr(module, "next_run", lambda task, after: asked.append(after))
    remembered = Remembered()
    for after in (BEGIN, BEGIN + HOLDS / 2, BEGIN + HOLDS):
        remembered.next_run(TASKS[-1], after)
    assert asked == [BEGIN, BEGIN + HOLDS]


def test_last_runs_are_those_of_the_store_at_every_turn(
    store: Store, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    remembered, runs = Remembered(), store.runs
    ids = [task.id for task in TASKS]
    read: list[str] = []
    whole = runs.last_of_each
    monkeypatch.setattr(runs, "last_of_each", lambda names: read.extend(names) or whole(names))

    def check(*fresh: str) -> None:
        """They are as the store has them, and only these were read whole."""
        read.clear()
        found = remembered.last_runs(runs, ids)
        assert read == list(fresh)
        assert found == whole(ids)

    def claim() -> Run:
        found = runs.claim("me", clock(), clock() + timedelta(seconds=30))
        assert found is not None
        return found

    check()
    runs.add(hand_run(TASKS[0]), clock())
    check("daily")
    runs.add(hand_run(TASKS[1]), clock())
    check("often")
    first = claim()
    check("daily")
    runs.end(first, End(TaskStatus.FAILED, error="it broke"), clock())
    check("daily")
    runs.again(first.id, clock())
    check("daily")
    runs.ask_cancel(first.id, clock())
    check("daily")
    second = claim()
    runs.end(second, End(TaskStatus.COMPLETED), clock())
    check("often")
    runs.add(hand_run(TASKS[1]), clock())
    check("often")
    check()
