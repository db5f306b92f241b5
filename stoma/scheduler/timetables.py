"""A schedule ready to be asked: its pattern within its bounds, the days it leaves out, and how its runs are spread."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import lru_cache

from stoma.scheduler import patterns
from stoma.scheduler.base import Schedule, Task, iso


@dataclass(frozen=True, slots=True)
class Timetable:
    """One schedule of one task."""

    schedule: Schedule
    pattern: patterns.Pattern
    key: str

    def next_after(self, moment: datetime) -> datetime | None:
        """The first due instant later than `moment` (aware), in UTC; None when there is none."""
        return self.pattern.next_after(moment)

    def off(self, instant: datetime) -> str | None:
        """Why nothing runs at this instant although it is due; None on ordinary days."""
        return None

    def delay(self, instant: datetime) -> timedelta:
        """How long the run of this instant waits: its part of the jitter, the same on every node."""
        seconds = int(self.schedule.jitter.total_seconds())
        if not seconds:
            return timedelta(0)
        digest = hashlib.sha256(f"{self.key} {iso(instant)}".encode()).digest()
        return timedelta(seconds=int.from_bytes(digest[:8]) % (seconds + 1))

    def in_words(self) -> str:
        """As a person would say it."""
        return self.pattern.in_words()


def timetables_of(task: Task) -> tuple[Timetable, ...]:
    """The schedules of a task, ready to be asked."""
    return tuple(timetable(schedule, task.timezone, task.id) for schedule in task.schedule)


@lru_cache(maxsize=1 << 17)
def timetable(schedule: Schedule, timezone: str, key: str) -> Timetable:
    """A schedule of the task `key`, whose own zone is `timezone`; ValueError says what is wrong with it."""
    return Timetable(schedule, patterns.parse(schedule.pattern, schedule.timezone or timezone, key), key)
