"""What is told, and when: tables of values."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from stoma.notify.deciding import (
    OPENED,
    RECOVERED,
    REMINDER,
    WORSE,
    Trouble,
    next_try,
    over,
    remind_at,
    reminder,
    trouble,
)
from stoma.scheduler.base import Notify
from stoma.stores.outbox import Alert, Lately

NOW = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)
HOUR, DAY = timedelta(hours=1), timedelta(days=1)


def wrong(kind: str = "failing", bad_runs: int = 3) -> Trouble:
    return Trouble("task a", kind, NOW - HOUR, "why", "a", bad_runs=bad_runs)


def alert(kind: str = "failing", told: int = 1, ago: timedelta = HOUR) -> Alert:
    return Alert("task a", kind, NOW - DAY, NOW - DAY, NOW - ago, told, "a", None, 3, "before")


@pytest.mark.parametrize(
    ("before", "kind", "bad_runs", "told", "then"),
    [
        (None, "failing", 1, None, None),
        (None, "failing", 2, None, None),
        (None, "failing", 3, OPENED, "failing"),
        (None, "failing", 7, OPENED, "failing"),
        (None, "suspect", 1, OPENED, "suspect"),
        (None, "silence", 1, OPENED, "silence"),
        (None, "gone", 1, OPENED, "gone"),
        (None, "config", 0, OPENED, "config"),
        # What is known is not told again; only what becomes worse is.
        ("failing", "failing", 4, None, "failing"),
        ("failing", "suspect", 4, None, "failing"),
        ("suspect", "suspect", 2, None, "suspect"),
        ("suspect", "failing", 2, None, "suspect"),
        ("suspect", "failing", 3, WORSE, "failing"),
        ("suspect", "silence", 2, WORSE, "silence"),
        ("silence", "suspect", 2, None, "silence"),
        ("failing", "gone", 4, WORSE, "gone"),
        ("gone", "failing", 9, None, "gone"),
        ("config", "config", 0, None, "config"),
    ],
)
def test_a_trouble(before: str | None, kind: str, bad_runs: int, told: str | None, then: str | None) -> None:
    known = alert(before) if before else None
    decision = trouble(known, wrong(kind, bad_runs), Notify(), NOW)
    assert decision.told == told
    assert (decision.alert.kind if decision.alert else None) == then
    if decision.alert and told:
        assert (decision.alert.told_at, decision.alert.told) == (NOW, 1)
    if decision.alert and known:
        assert decision.alert.opened_at == known.opened_at
        assert decision.alert.detail == "why"


@pytest.mark.parametrize(
    ("after_failures", "bad_runs", "told"), [(1, 1, OPENED), (2, 1, None), (2, 2, OPENED), (100, 99, None)]
)
def test_how_many_runs_have_to_fail(after_failures: int, bad_runs: int, told: str | None) -> None:
    assert trouble(None, wrong(bad_runs=bad_runs), Notify(after_failures=after_failures), NOW).told == told


@pytest.mark.parametrize(
    ("told", "distance"), [(1, 4 * HOUR), (2, DAY), (3, 3 * DAY), (4, 7 * DAY), (5, 7 * DAY), (50, 7 * DAY)]
)
def test_reminders_come_at_growing_distances(told: int, distance: timedelta) -> None:
    known = alert(told=told, ago=distance)
    assert remind_at(known) == NOW
    decision = reminder(known, Notify(), NOW)
    assert decision.told == REMINDER
    assert decision.alert == replace(known, told_at=NOW, told=told + 1)
    assert reminder(known, Notify(), NOW - timedelta(seconds=1)).told is None
    assert reminder(known, Notify(reminders=False), NOW).told is None
    # A run that ends reminds as well as the clock does.
    assert trouble(known, wrong(), Notify(), NOW).told == REMINDER


def test_a_month_of_trouble_is_few_messages() -> None:
    known = trouble(None, wrong(), Notify(), NOW).alert
    said = []
    for hours in range(1, 24 * 30):
        assert known is not None
        decision = trouble(known, wrong(bad_runs=3 + hours), Notify(), NOW + timedelta(hours=hours))
        known = decision.alert
        said += [hours] if decision.told else []
    assert said == [4, 28, 100, 268, 436, 604]


def test_the_end_is_told_once_unless_nobody_wants_to_know() -> None:
    assert over(alert(), Notify()).told == RECOVERED
    assert over(alert(), Notify(on_recovery=False)).told is None
    assert over(alert(), Notify()).alert is None
    assert over(alert(told=0), Notify()).told is None


@pytest.mark.parametrize(
    ("kind", "times", "minutes", "told"),
    [
        ("failing", 0, None, OPENED),
        ("failing", 1, 59, None),
        ("failing", 1, 60, OPENED),
        ("suspect", 1, 59, None),
        ("failing", 2, 119, None),
        ("failing", 2, 120, OPENED),
        ("failing", 9, 24 * 60 - 1, None),
        ("failing", 9, 24 * 60, OPENED),
        ("failing", 500, 24 * 60, OPENED),
        # Without a message of the end the one of the beginning counts.
        ("failing", 0, 59, None),
        ("network", 1, 59, None),
        # What lasts by its nature, or is in somebody's hands, is told at once.
        ("gone", 5, 1, OPENED),
        ("config", 5, 1, OPENED),
    ],
)
def test_what_comes_back_soon_is_told_when_it_lasts(
    kind: str, times: int, minutes: int | None, told: str | None
) -> None:
    last = None if minutes is None else NOW - timedelta(minutes=minutes)
    before = Lately(times, last, last)
    first = trouble(None, wrong(kind), Notify(), NOW, before)
    assert (first.told, first.alert and first.alert.told) == (told, 1 if told else 0)
    if not told:
        assert trouble(first.alert, wrong(kind), Notify(), NOW, before).told is None
        assert trouble(first.alert, wrong("gone"), Notify(), NOW, before).told == OPENED
        assert trouble(first.alert, wrong(kind), Notify(), NOW + DAY, before).told == OPENED


def test_a_message_of_the_future_keeps_nobody_quiet() -> None:
    ahead = alert(ago=-365 * DAY)
    assert reminder(ahead, Notify(), NOW).told == REMINDER
    # A run may end while somebody looks.
    assert reminder(alert(ago=-timedelta(seconds=1)), Notify(), NOW).told is None


@pytest.mark.parametrize(
    ("tries", "seconds"), [(1, 30), (2, 60), (3, 120), (7, 1920), (8, 3600), (500, 3600)]
)
def test_a_message_is_tried_again_ever_more_rarely(tries: int, seconds: int) -> None:
    assert next_try(tries, NOW) == NOW + timedelta(seconds=seconds)
