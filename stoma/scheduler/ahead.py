"""What lies ahead of many tasks, in order and bounded: a day on which a task is due often is told as one. Pure."""

from __future__ import annotations

import heapq
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import date, datetime
from itertools import islice, takewhile

from stoma.scheduler.base import Task
from stoma.scheduler.outlook import TICK, Coming, bounds, coming, zone_name
from stoma.scheduler.zones import zone_of

OFTEN = 4
"""Runs of a task a day that are told one by one; of more, only the day is."""

MOST = 2_000
"""Instants and days that are told together."""

LOOKED_AT = 20_000
"""Instants that are reckoned at most (30 to 90 µs each), also those that are left out."""


@dataclass(frozen=True, slots=True)
class Ahead:
    """A run that is to come, or a whole day of them; instants are UTC."""

    task: Task
    # The instant, or the first of the day.
    first: Coming
    # The day by the clock of the task's zone, where it is due more than OFTEN times on it.
    day: date | None = None


@dataclass(frozen=True, slots=True)
class Outlook:
    """What was found; behind the last of `found` there is more where `is_cut`."""

    found: tuple[Ahead, ...]
    is_cut: bool


def outlook(
    tasks: Iterable[Task], after: datetime, until: datetime, most: int = MOST, looked_at: int = LOOKED_AT
) -> Outlook:
    """What is due later than `after` and not later than `until`, in order."""
    left = _Left(looked_at)
    ordered = heapq.merge(*(_of(task, after, until, left) for task in tasks), key=lambda one: one.first.at)
    # Of a task whose instants were not all looked at none is known; what comes behind would hide that.
    found = list(islice(takewhile(lambda _: left.number > 0, ordered), most + 1))
    return Outlook(tuple(found[:most]), len(found) > most or left.number <= 0)


@dataclass(slots=True)
class _Left:
    """How many instants may still be looked at."""

    number: int


def _of(task: Task, after: datetime, until: datetime, left: _Left) -> Iterator[Ahead]:
    zone = zone_of(zone_name(task))
    while after < until and left.number > 0:
        # What is left out may fill a whole day; then the next instant lies on a later one.
        first = next(_due(task, after, until, left), None)
        if first is None:
            return
        day = first.at.astimezone(zone).date()
        end = min(until, bounds(day, zone)[1] - TICK)
        others = list(islice(_due(task, first.at, end, left), OFTEN))
        if len(others) == OFTEN:
            yield Ahead(task, first, day)
        else:
            yield from (Ahead(task, one) for one in (first, *others))
        after = end


def _due(task: Task, after: datetime, until: datetime, left: _Left) -> Iterator[Coming]:
    """The instants at which something will run, as far as that is known."""
    for one in coming(task, after, until):
        left.number -= 1
        if one.skipped is None:
            yield one
        if left.number <= 0:
            return
