"""What the store knows about the instants of a task within a span of time."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from stoma.scheduler.base import NewRun, Skip, SkipReason, TaskPriority, at_trigger, hand_trigger
from stoma.stores import Store
from stoma.stores.agenda import account, standing
from stoma.stores.traces import Traces, traces
from tests.support.clock import Clock

HOUR = timedelta(hours=1)
DAY = datetime(2026, 3, 2, tzinfo=UTC)


def new(trigger: str, at: datetime | None = None, task_id: str = "a") -> NewRun:
    return NewRun(task_id, trigger, TaskPriority.NORMAL, "0", scheduled_for=at)


def due(at: datetime, task_id: str = "a") -> NewRun:
    return new(at_trigger(at), at, task_id)


def test_runs_by_when_they_were_due_and_the_others_by_when_they_were_made(store: Store, clock: Clock) -> None:
    for instant in (DAY - HOUR, DAY, DAY + 23 * HOUR, DAY + 24 * HOUR):
        # All made that day: what is missed is made up for later.
        store.runs.add(due(instant), DAY + 5 * HOUR)
    store.runs.add(due(DAY, "b"), DAY)
    for trigger, made in (
        (hand_trigger(), DAY + HOUR),
        ("after:7", DAY + HOUR),
        (hand_trigger(), DAY - HOUR),
    ):
        store.runs.add(new(trigger), made)
    store.runs.add(new("backfill:1/2020"), DAY + 2 * HOUR)
    found = traces(store.database, "a", DAY, DAY + 24 * HOUR)
    assert [run.scheduled_for for run in found.runs] == [DAY, DAY + 23 * HOUR, None, None, None]
    assert [run.trigger.split(":")[0] for run in found.runs[2:]] == ["hand", "after", "backfill"]
    assert found.oldest == DAY - HOUR


def test_skips_that_overlap_and_the_agenda(store: Store, clock: Clock) -> None:
    store.agenda.adopt({"a": "x"}, DAY - 48 * HOUR)
    spans = [(-30, -20), (-2, 3), (5, 5), (20, 30), (24, 25)]
    for first, last in spans:
        with store.database.transaction() as tx:
            before = standing(tx, "a", "x")
            assert before is not None
            skip = Skip(DAY + first * HOUR, DAY + last * HOUR, 2, SkipReason.BLOCKED, f"{first}")
            account(tx, before, DAY + last * HOUR, [], [skip], DAY)
    found = traces(store.database, "a", DAY, DAY + 24 * HOUR)
    assert [skip.detail for skip in found.skips] == ["-2", "5", "20"]
    assert found.skips[0] == Skip(DAY - 2 * HOUR, DAY + 3 * HOUR, 2, SkipReason.BLOCKED, "-2")
    assert (found.schedule_hash, found.valid_since) == ("x", DAY - 48 * HOUR)
    assert found.accounted_until == DAY + 25 * HOUR
    assert found.oldest == DAY - 30 * HOUR


def test_nothing_is_known_of_a_task_nobody_took_up(store: Store) -> None:
    assert traces(store.database, "a", DAY, DAY + HOUR) == Traces([], [])
