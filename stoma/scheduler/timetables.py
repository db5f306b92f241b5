"""A schedule ready to be asked: its pattern within its bounds, the days it leaves out, and how its runs are spread."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, time, timedelta, tzinfo
from functools import lru_cache

from stoma.scheduler import calendars, patterns
from stoma.scheduler.base import Schedule, Task, duration_text, iso
from stoma.scheduler.zones import instant_of, zone_of
from stoma.wording import shown

LONGEST_JITTER = timedelta(hours=12)
TICK = timedelta(microseconds=1)
FIRST_YEAR, LAST_YEAR = 1970, 2999
TRIED, TRIED_FROM = 60, datetime(2026, 1, 1, tzinfo=UTC)
"""How many days of a schedule are asked, and from when on, whether it leaves out each of them."""

MOMENT = "a date such as 2026-01-31, or with a time such as 2026-01-31T09:00"


@dataclass(frozen=True, slots=True)
class Timetable:
    """One schedule of one task; `first` and `last` bound its instants, both included."""

    schedule: Schedule
    pattern: patterns.Pattern
    key: str
    zone: tzinfo = field(default=UTC, repr=False)
    first: datetime | None = None
    last: datetime | None = None

    def next_after(self, moment: datetime) -> datetime | None:
        """The first due instant later than `moment` (aware), in UTC; None when there is none."""
        if self.first is not None and moment < self.first:
            moment = self.first - TICK
        found = self.pattern.next_after(moment)
        return None if found is None or (self.last is not None and found > self.last) else found

    def off(self, instant: datetime) -> str | None:
        """Why nothing runs at this instant although it is due, by its date in the zone; None on ordinary days."""
        skip = self.schedule.skip
        return calendars.off(skip, instant.astimezone(self.zone).date()) if skip else None

    def delay(self, instant: datetime) -> timedelta:
        """How long the run of this instant waits: its part of the jitter, the same on every node."""
        seconds = int(self.schedule.jitter.total_seconds())
        if not seconds:
            return timedelta(0)
        digest = hashlib.sha256(f"{self.key} {iso(instant)}".encode()).digest()
        return timedelta(seconds=int.from_bytes(digest[:8]) % (seconds + 1))

    def in_words(self) -> str:
        """As a person would say it."""
        given = self.schedule
        words = [self.pattern.in_words()]
        words += [f"up to {duration_text(given.jitter)} later"] if given.jitter else []
        words += [f"except {', '.join(given.skip)}"] if given.skip else []
        words += [f"from {given.start}"] if given.start else []
        words += [f"until {given.until}"] if given.until else []
        return ", ".join(words)


def timetables_of(task: Task) -> tuple[Timetable, ...]:
    """The schedules of a task, ready to be asked."""
    return tuple(timetable(schedule, task.timezone, task.id) for schedule in task.schedule)


@lru_cache(maxsize=1 << 17)
def timetable(schedule: Schedule, timezone: str, key: str) -> Timetable:
    """A schedule of the task `key`, whose own zone is `timezone`; ValueError says what is wrong with it."""
    pattern = patterns.parse(schedule.pattern, schedule.timezone or timezone, key)
    zone = zone_of(pattern.timezone)
    first = instant_of(moment_of(schedule.start), zone) if schedule.start else None
    last = None
    if schedule.until and "T" in schedule.until:
        last = instant_of(moment_of(schedule.until), zone)
    elif schedule.until:
        # The day belongs to it until it is over.
        last = instant_of(moment_of(schedule.until) + timedelta(days=1), zone) - TICK
    for entry in schedule.skip:
        calendars.check(entry)
    return Timetable(schedule, pattern, key, zone, first, last)


@lru_cache(maxsize=4096)
def check(schedule: Schedule, timezone: str = "UTC") -> None:
    """ValueError for a schedule that never runs: its bounds, or the days it leaves out, hold all of its instants."""
    found = timetable(schedule, timezone, "")
    first, last = found.first, found.last
    if first is not None and last is not None and last < first:
        raise ValueError(f"it ends ({schedule.until}) before it begins ({schedule.start})")
    # Where the instants of an interval lie depends on the task.
    if isinstance(found.pattern, patterns.Interval):
        return
    after = (first or TRIED_FROM) - TICK
    if first is not None and found.next_after(after) is None:
        raise ValueError(f"it is never due from {schedule.start} until {schedule.until}")
    if schedule.skip and all(found.off(instant) for instant in _one_a_day(found, after)):
        raise ValueError("it never runs: each of its instants lies on a day that it skips")


def parse_jitter(text: str) -> timedelta:
    """A duration of at most LONGEST_JITTER; ValueError otherwise."""
    found = patterns.parse_duration(text)
    if found > LONGEST_JITTER:
        raise ValueError(
            f'"{shown(text)}" is too long; the jitter is at most {duration_text(LONGEST_JITTER)}'
        )
    return found


def moment_of(text: str) -> datetime:
    """The local time (naive) that `from` and `until` name; a date alone is its midnight. ValueError otherwise."""
    if not re.fullmatch(r"\d{4}-\d\d-\d\d(T\d\d:\d\d)?", text, re.ASCII):
        found = re.match(r"(\d{4}-\d\d-\d\d)[T ](\d\d:\d\d)", text, re.ASCII)
        meant = f'; it has no seconds and no offset, did you mean "{found[1]}T{found[2]}"?' if found else ""
        raise ValueError(f'"{shown(text)}" is not a date; expected {MOMENT}{meant}')
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        raise ValueError(f'"{text}" is not a date: there is no such day or time') from None
    if not FIRST_YEAR <= moment.year <= LAST_YEAR:
        raise ValueError(f'"{text}" is not a date between {FIRST_YEAR} and {LAST_YEAR}')
    return moment


def _one_a_day(found: Timetable, after: datetime) -> Iterator[datetime]:
    """The first instant of each of the next days on which there are any; as many days as tell that all are alike."""
    for _ in range(TRIED + len(found.schedule.skip)):
        instant = found.next_after(after)
        if instant is None:
            return
        yield instant
        day = instant.astimezone(found.zone).date() + timedelta(days=1)
        after = max(instant, instant_of(datetime.combine(day, time()), found.zone) - TICK)
