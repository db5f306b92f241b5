"""The agenda on both databases: how far each task is accounted for."""

from __future__ import annotations

import threading
import time
from datetime import datetime, timedelta

from stoma.scheduler.base import NewRun, Skip, SkipReason, TaskPriority, at_trigger
from stoma.stores import Store
from stoma.stores.agenda import account, standing
from tests.support.clock import Clock

HOUR = timedelta(hours=1)


def run_at(instant: datetime) -> NewRun:
    return NewRun("a", at_trigger(instant), TaskPriority.NORMAL, "0", scheduled_for=instant)


def skip(first: datetime, last: datetime, count: int, reason: SkipReason = SkipReason.DISABLED) -> Skip:
    return Skip(first, last, count, reason)


def settle(
    store: Store, until: datetime, runs: list[NewRun] | None = None, skips: list[Skip] | None = None
) -> None:
    with store.database.transaction() as tx:
        before = standing(tx, "a", "x")
        assert before is not None
        account(tx, before, until, runs or [], skips or [], store.now())


def spans(store: Store) -> list[tuple[datetime, datetime, int, str]]:
    return [(s["first"], s["last"], s["count"], s["reason"]) for s in reversed(store.agenda.skips("a"))]


def test_a_new_task_is_accounted_for_until_now(store: Store, clock: Clock) -> None:
    start = clock.now
    assert store.agenda.adopt({"a": "x"}, start) == {"a": start}
    clock.forward(hours=5)
    assert store.agenda.adopt({"a": "x"}, clock.now) == {"a": start}


def test_an_edited_schedule_fires_nothing_old(store: Store, clock: Clock) -> None:
    store.agenda.adopt({"a": "x", "b": "x"}, clock.now)
    start = clock.now
    clock.forward(hours=5)
    assert store.agenda.adopt({"a": "y", "b": "x"}, clock.now) == {"a": clock.now, "b": start}
    assert store.agenda.accounted()["a"]["valid_since"] == clock.now


def test_neighbouring_skips_of_one_reason_are_one_row(store: Store, clock: Clock) -> None:
    store.agenda.adopt({"a": "x"}, clock.now)
    at = [clock.now + n * HOUR for n in range(6)]
    for instant in at[1:4]:
        settle(store, instant, skips=[skip(instant, instant, 1)])
    assert spans(store) == [(at[1], at[3], 3, "disabled")]
    settle(store, at[4], skips=[skip(at[4], at[4], 1, SkipReason.BLOCKED)])
    assert [span[3] for span in spans(store)] == ["disabled", "blocked"]


def test_a_run_in_between_begins_a_new_span(store: Store, clock: Clock) -> None:
    store.agenda.adopt({"a": "x"}, clock.now)
    at = [clock.now + n * HOUR for n in range(8)]
    settle(store, at[1], skips=[skip(at[1], at[1], 1)])
    settle(store, at[2], runs=[run_at(at[2])])
    settle(store, at[3], skips=[skip(at[3], at[3], 1)])
    settle(store, at[6], runs=[run_at(at[5])], skips=[skip(at[4], at[4], 1), skip(at[6], at[6], 1)])
    assert [(first, last) for first, last, *_ in spans(store)] == [
        (at[1], at[1]),
        (at[3], at[4]),
        (at[6], at[6]),
    ]
    settle(store, at[7], skips=[skip(at[7], at[7], 1)])
    assert spans(store)[-1][:2] == (at[6], at[7])


def test_the_same_instant_becomes_one_run(store: Store, clock: Clock) -> None:
    store.agenda.adopt({"a": "x"}, clock.now)
    for _ in range(2):
        settle(store, clock.now, runs=[run_at(clock.now)])
    assert len(store.runs.history("a")) == 1


def test_switching_off_is_remembered(store: Store, clock: Clock) -> None:
    store.agenda.enable("a", False, clock.now)
    store.agenda.enable("b", True, clock.now)
    store.agenda.enable("a", True, clock.now)
    store.agenda.enable("b", False, clock.now)
    assert store.agenda.overrides() == {"a": True, "b": False}


def test_skips_with_other_details_are_other_rows(store: Store, clock: Clock) -> None:
    store.agenda.adopt({"a": "x"}, clock.now)
    for number, detail in enumerate(("no contact", "no contact", "no token"), 1):
        at = clock.now + number * HOUR
        settle(store, at, skips=[Skip(at, at, 1, SkipReason.BLOCKED, detail)])
    assert [(row["count"], row["detail"]) for row in reversed(store.agenda.skips("a"))] == [
        (2, "no contact"),
        (1, "no token"),
    ]


def test_the_agenda_of_a_task_is_moved_by_one_at_a_time(store: Store, clock: Clock) -> None:
    store.agenda.adopt({"a": "x"}, clock.now)
    seen: list[datetime] = []

    def work(number: int) -> None:
        with store.database.transaction() as tx:
            before = standing(tx, "a", "x")
            assert before is not None
            seen.append(before.accounted_until)
            time.sleep(0.02)
            account(tx, before, before.accounted_until + HOUR, [], [], clock.now)

    threads = [threading.Thread(target=work, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(seen) == [clock.now + number * HOUR for number in range(4)]
