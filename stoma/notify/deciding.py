"""What people are told of a trouble, and when: functions of values, so that one thing is never told twice."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from stoma.scheduler.base import Notify
from stoma.stores.agenda import CLOCK_FAULT
from stoma.stores.outbox import LATELY, Alert, Lately

HOLD = timedelta(hours=1)
"""How long what comes back is not told again when it was told once within a day."""

DISTANCES = (timedelta(hours=4), timedelta(days=1), timedelta(days=3), timedelta(days=7))
"""How long after each message the next reminder comes; the last one repeats."""

RANKS = {"suspect": 0, "silence": 1, "failing": 2, "gone": 3}
"""How bad each trouble of a task is: only one that becomes worse is told anew."""

HELD = ("suspect", "silence", "failing", "network")
"""Troubles that come and go; of others each is told at once."""

OPENED, WORSE, REMINDER, RECOVERED = "opened", "worse", "reminder", "recovered"


@dataclass(frozen=True, slots=True)
class Trouble:
    """What is wrong just now, whether people know of it or not."""

    about: str
    kind: str
    since_at: datetime
    detail: str
    task_id: str | None = None
    holder: str | None = None
    bad_runs: int = 0


@dataclass(frozen=True, slots=True)
class Decision:
    """The alert as it stands then, None where there is none; and what is told, None for nothing."""

    alert: Alert | None
    told: str | None = None


def trouble(
    before: Alert | None, now_wrong: Trouble, notify: Notify, now: datetime, lately: Lately | None = None
) -> Decision:
    """What a trouble that is there means for what people know; `lately` is what they were told of it before."""
    lately = lately or Lately()
    if before is None:
        if now_wrong.kind == "failing" and now_wrong.bad_runs < notify.after_failures:
            return Decision(None)
        return _opened(now_wrong, now, lately)
    is_enough = now_wrong.kind != "failing" or now_wrong.bad_runs >= notify.after_failures
    current = replace(
        before, detail=now_wrong.detail, bad_runs=now_wrong.bad_runs, holder=now_wrong.holder or before.holder
    )
    if before.told == 0:
        if is_enough and RANKS.get(now_wrong.kind, 0) > RANKS.get(before.kind, 0):
            current = replace(current, kind=now_wrong.kind)
        return late(current, now, lately)
    if is_enough and RANKS.get(now_wrong.kind, 0) > RANKS.get(before.kind, 0):
        return Decision(replace(current, kind=now_wrong.kind, told_at=now, told=1), WORSE)
    return reminder(current, notify, now)


def reminder(alert: Alert, notify: Notify, now: datetime) -> Decision:
    """Whether people are reminded of a trouble that lasts."""
    if not notify.reminders or is_quiet(alert, now):
        return Decision(alert)
    return Decision(replace(alert, told_at=now, told=alert.told + 1), REMINDER)


def is_quiet(alert: Alert, now: datetime) -> bool:
    """Whether people were told lately enough; a message from the future was told by a clock that was ahead."""
    return alert.told_at - CLOCK_FAULT <= now < remind_at(alert)


def remind_at(alert: Alert) -> datetime:
    """When the next reminder of a trouble is due."""
    return alert.told_at + DISTANCES[min(alert.told, len(DISTANCES)) - 1]


def over(alert: Alert, notify: Notify) -> Decision:
    """What the end of a trouble means; nobody is told of the end of what nobody was told of."""
    return Decision(None, RECOVERED if notify.on_recovery and alert.told else None)


def late(alert: Alert, now: datetime, lately: Lately) -> Decision:
    """Whether people are told now of a trouble that came back so soon that it might have gone again."""
    if is_held(alert.kind, lately, now):
        return Decision(alert)
    return Decision(replace(alert, told_at=now, told=1), OPENED)


def is_held(kind: str, lately: Lately, now: datetime) -> bool:
    """Whether what comes back is not told yet: for an hour after the last message, and twice as long with each."""
    if kind not in HELD or lately.last_at is None:
        return False
    return now < lately.last_at + min(HOLD * (1 << min(max(lately.times, 1) - 1, 10)), LATELY)


def next_try(tries: int, now: datetime) -> datetime:
    """When a message is tried again that could not be sent `tries` times: half a minute, doubled up to an hour."""
    return now + min(timedelta(seconds=30 << min(max(tries - 1, 0), 10)), timedelta(hours=1))


def _opened(now_wrong: Trouble, now: datetime, lately: Lately) -> Decision:
    alert = Alert(
        about=now_wrong.about,
        kind=now_wrong.kind,
        since_at=now_wrong.since_at,
        opened_at=now,
        told_at=now,
        told=0,
        task_id=now_wrong.task_id,
        holder=now_wrong.holder,
        bad_runs=now_wrong.bad_runs,
        detail=now_wrong.detail,
    )
    return late(alert, now, lately)
