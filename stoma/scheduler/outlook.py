"""Which instants are to come, and what is to be known about each: days off, the clock's change, jitter. Pure."""

from __future__ import annotations

import heapq
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta, tzinfo
from itertools import groupby, islice, takewhile
from typing import Any

from stoma.scheduler import agenda, patterns
from stoma.scheduler.base import Switches, Task, duration_text, iso
from stoma.scheduler.conditions import parse
from stoma.scheduler.timetables import Timetable, timetables_of
from stoma.scheduler.zones import instant_of, offset_at, zone_of
from stoma.wording import listed

FORESEEABLE = frozenset({"hour", "minute", "weekday", "day", "month", "date"})
"""What a condition may ask for and still be judged before its time."""

TICK = timedelta(microseconds=1)
SECOND, DAY = timedelta(seconds=1), timedelta(days=1)


@dataclass(frozen=True, slots=True)
class Coming:
    """A due instant that is still to come; instants are UTC."""

    task_id: str
    at: datetime
    # The zone whose clock it goes by.
    zone: str
    # When its run starts at the earliest: jitter may make it later.
    starts: datetime
    # Why nothing will run, where that is known.
    skipped: str | None
    marks: tuple[str, ...]

    def as_dict(self) -> dict[str, Any]:
        """The fields as JSON carries them."""
        return {
            "task": self.task_id,
            "at": iso(self.at),
            "local": self.at.astimezone(zone_of(self.zone)).isoformat(),
            "zone": self.zone,
            "starts": iso(self.starts),
            "skipped": self.skipped,
            "marks": list(self.marks),
        }


def coming(task: Task, after: datetime, until: datetime) -> Iterator[Coming]:
    """The due instants of a task later than `after` and not later than `until`, in order, each once."""
    streams = (_named(timetable, after) for timetable in timetables_of(task))
    merged = heapq.merge(*streams, key=lambda pair: pair[0])
    for instant, group in groupby(merged, key=lambda pair: pair[0]):
        if instant > until:
            return
        yield _coming(task, instant, [timetable for _, timetable in group])


def next_run(task: Task, after: datetime, looked_at: int = 1000) -> datetime | None:
    """The first instant later than `after` that is not known to be skipped."""
    if task.when is None:
        return agenda.next_run(timetables_of(task), after)
    few = islice(coming(task, after, datetime.max.replace(tzinfo=UTC)), looked_at)
    return next((found.at for found in few if found.skipped is None), None)


def held(task: Task, switches: Switches, blocked: str | None) -> str | None:
    """What keeps a task from running as long as nobody changes it."""
    switch = switches.tasks.get(task.id)
    if not (switch.is_on if switch else task.enabled):
        return "switched off"
    return f"blocked: {blocked}" if blocked else None


def conditions(task: Task) -> list[str]:
    """What else a task waits for, beside its instants."""
    found = []
    if task.after:
        found.append(f"after {listed((f'{d.task} {_ended(d.status)}' for d in task.after), 'and')}")
    if task.when:
        found.append(f"only when {task.when}")
    if not task.schedule and not task.after:
        found.append("runs only by hand")
    return found


def zone_name(task: Task) -> str:
    """The zone by whose clock the days of a task are counted."""
    own = {schedule.timezone for schedule in task.schedule}
    return (own.pop() or task.timezone) if len(own) == 1 else task.timezone


def bounds(day: date, zone: tzinfo) -> tuple[datetime, datetime]:
    """The first instant of a day by the clock of a zone, and the first of the next day, in UTC."""
    start = instant_of(datetime.combine(day, time.min), zone)
    return start, instant_of(datetime.combine(day + DAY, time.min), zone)


def clock_marks(timetable: Timetable, instant: datetime) -> list[str]:
    """What the zone's clock does around an instant."""
    zone = zone_of(timetable.pattern.timezone)
    local = instant.astimezone(zone)
    start, end = bounds(local.date(), zone)
    change = offset_at(end, zone) - offset_at(start, zone)
    found = []
    if change:
        word = "forward" if change > timedelta(0) else "back"
        found.append(f"the clock goes {word} by {duration_text(abs(change))} that day")
    if missing := _missing_times(timetable, instant, zone):
        found.append(f"moved: {listed(missing, 'and')} {'does' if len(missing) == 1 else 'do'} not exist")
    if local.replace(fold=1 - local.fold).utcoffset() != local.utcoffset():
        found.append(f"{'second' if local.fold else 'first'} of two {local:%H:%M}")
    return found


def _coming(task: Task, instant: datetime, named_by: Sequence[Timetable]) -> Coming:
    # An instant falls away only if every schedule that names it leaves it out.
    reasons = [timetable.off(instant) for timetable in named_by]
    free = [timetable for timetable, reason in zip(named_by, reasons, strict=True) if reason is None]
    first = (free or named_by)[0]
    delay = min((timetable.delay(instant) for timetable in free), default=timedelta(0))
    jitter = min((timetable.schedule.jitter for timetable in free), default=timedelta(0))
    marks = clock_marks(first, instant)
    if jitter:
        marks.append(f"up to {duration_text(jitter)} later, here {duration_text(delay)}")
    skipped = _against(task, instant) if free else reasons[0]
    return Coming(task.id, instant, first.pattern.timezone, instant + delay, skipped, tuple(marks))


def _against(task: Task, instant: datetime) -> str | None:
    """What the condition of a task says against an instant, where that can be foreseen."""
    condition = parse(task.when) if task.when else None
    if condition is None or not FORESEEABLE.issuperset(condition.names):
        return None
    verdict = condition.holds(instant, instant, zone_of(task.timezone), None, None)
    return None if verdict.holds else verdict.told


def _missing_times(timetable: Timetable, instant: datetime, zone: tzinfo) -> list[str]:
    """The times that were meant, where the clock is set forward over them and the instant is the first after it."""
    gap = offset_at(instant, zone) - offset_at(instant - SECOND, zone)
    if gap <= timedelta(0) or isinstance(timetable.pattern, patterns.Interval):
        return []
    # The same pattern on a clock that is never set names what the zone's clock leaves out.
    even = patterns.parse(timetable.schedule.pattern, "UTC", timetable.key)
    shown = instant.astimezone(zone).replace(tzinfo=UTC)
    if even.next_after(shown - TICK) == shown:
        return []
    meant = takewhile(lambda moment: moment < shown, _instants(even, shown - gap - TICK))
    return [f"{moment:%H:%M}" for moment in islice(meant, 3)]


def _named(timetable: Timetable, after: datetime) -> Iterator[tuple[datetime, Timetable]]:
    return ((instant, timetable) for instant in _instants(timetable, after))


def _instants(pattern: Timetable | patterns.Pattern, after: datetime) -> Iterator[datetime]:
    moment = pattern.next_after(after)
    while moment is not None:
        yield moment
        moment = pattern.next_after(moment)


def _ended(status: str) -> str:
    return "ended" if status == "any" else status
