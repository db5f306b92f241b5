"""Schedules as patterns: text in, due instants out.

| text             | due                                                                      | follows      |
|------------------|--------------------------------------------------------------------------|--------------|
| `hourly`         | whenever the clock of the zone shows minute 0                            | elapsed time |
| `daily`          | at midnight                                                              | wall clock   |
| `weekly`         | on Sunday at midnight                                                    | wall clock   |
| `daily_at_HH:MM` | at that time                                                             | wall clock   |
| `interval_XXm`   | every XX minutes from the Unix epoch, shifted by a phase hashed from key | elapsed time |
| `interval_XXh`   | every XX hours, likewise                                                 | elapsed time |

Daylight saving: a wall-clock time that does not exist runs at the first existing instant after it; one that exists
twice runs at its first. Instants go in aware and come out in UTC.
"""

from __future__ import annotations

import hashlib
import re
from abc import ABC, abstractmethod
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta, tzinfo
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError, available_timezones

from stoma.wording import did_you_mean, nearest, shown

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
SECOND, HOUR, DAY = timedelta(seconds=1), timedelta(hours=1), timedelta(days=1)
SUNDAY = 6
FORMS = ("hourly", "daily", "weekly", "daily_at_HH:MM", "interval_30m", "interval_2h")
ALLOWED = ", ".join(FORMS)
LONGEST_INTERVAL = timedelta(days=366)
LONGEST_DURATION = timedelta(days=3660)


@dataclass(frozen=True, slots=True)
class Pattern(ABC):
    """A schedule that names due instants."""

    text: str
    timezone: str

    @abstractmethod
    def next_after(self, moment: datetime) -> datetime | None:
        """The first due instant strictly later than `moment` (aware), in UTC; None when there is none."""

    @abstractmethod
    def in_words(self) -> str:
        """The schedule as a person would say it."""


@dataclass(frozen=True, slots=True)
class Hourly(Pattern):
    """Each time the clock of the zone shows a full hour."""

    zone: tzinfo = field(default=UTC, repr=False)

    def next_after(self, moment: datetime) -> datetime | None:
        """An hour of elapsed time later, except where the zone shifts by part of an hour."""
        try:
            now = moment.astimezone(UTC)
            while True:
                before = _offset(now, self.zone)
                found = _full_hour(now, before)
                after = _offset(found, self.zone)
                if after == before:
                    return found
                # The clock is set between here and there: count full hours by the new offset instead.
                sooner = _full_hour(now, after)
                if _offset(sooner, self.zone) == after:
                    return sooner
                now = min(found, sooner)
        except OverflowError:
            return None

    def in_words(self) -> str:
        """As a person would say it."""
        return f"every full hour {self.timezone}"


@dataclass(frozen=True, slots=True)
class WallClock(Pattern):
    """Every day, or every week on one weekday (Monday is 0), at a time of the zone's clock."""

    zone: tzinfo = field(default=UTC, repr=False)
    at: time = time(0)
    weekday: int | None = None

    def next_after(self, moment: datetime) -> datetime | None:
        """The next day's instant; a time in a gap gives the end of the gap, one that repeats its first."""
        try:
            now = moment.astimezone(UTC)
            # A zone can set its clock back over midnight, so yesterday's date may still be to come.
            day = now.astimezone(self.zone).date() - DAY
            while True:
                if self.weekday is None or day.weekday() == self.weekday:
                    found = _instant(day, self.at, self.zone)
                    if found > now:
                        return found
                day += DAY
        except OverflowError:
            return None

    def in_words(self) -> str:
        """As a person would say it."""
        day = "day" if self.weekday is None else "Sunday"
        return f"every {day} at {self.at:%H:%M} {self.timezone}"


@dataclass(frozen=True, slots=True)
class Interval(Pattern):
    """Every `every` since the Unix epoch plus `phase`: the same on all nodes and after each restart."""

    every: timedelta = HOUR
    phase: timedelta = timedelta(0)

    def next_after(self, moment: datetime) -> datetime | None:
        """The next point of the grid."""
        start = EPOCH + self.phase
        try:
            return start + ((moment - start) // self.every + 1) * self.every
        except OverflowError:
            return None

    def in_words(self) -> str:
        """As a person would say it."""
        minutes = int(self.every.total_seconds()) // 60
        number, unit = (minutes // 60, "hour") if minutes % 60 == 0 else (minutes, "minute")
        return f"every {unit}" if number == 1 else f"every {number} {unit}s"


def parse(text: str, timezone: str = "UTC", key: str = "") -> Pattern:
    """The pattern of a schedule; ValueError says what is wrong and which form is nearest.

    `key`, the task's id, shifts intervals by a phase of their own, so that equal intervals do not all come at once.
    """
    zone = zone_of(timezone)
    if text == "hourly":
        return Hourly(text, timezone, zone)
    if text == "daily":
        return WallClock(text, timezone, zone)
    if text == "weekly":
        return WallClock(text, timezone, zone, weekday=SUNDAY)
    if found := re.fullmatch(r"daily_at_([01][0-9]|2[0-3]):([0-5][0-9])", text):
        return WallClock(text, timezone, zone, time(int(found[1]), int(found[2])))
    if found := re.fullmatch(r"interval_([0-9]{1,6})([mh])", text):
        every = int(found[1]) * (timedelta(minutes=1) if found[2] == "m" else HOUR)
        if timedelta(0) < every <= LONGEST_INTERVAL:
            return Interval(text, timezone, every, _phase(key, every))
        raise ValueError(
            f'"{shown(text)}" is not a schedule; an interval is at least 1m and at most 366 days'
        )
    raise ValueError(_not_a_schedule(text))


def describe(pattern: Pattern) -> str:
    """The pattern in words: `every day at 09:00 Europe/Berlin`."""
    return pattern.in_words()


def parse_duration(text: str) -> timedelta:
    """`30s`, `10m`, `2h`, `4d`, or several joined such as `1h30m`; ValueError says what is allowed."""
    found = re.fullmatch(r"(?:(\d{1,9})d)?(?:(\d{1,9})h)?(?:(\d{1,9})m)?(?:(\d{1,9})s)?", text, re.ASCII)
    if not text or not found:
        raise ValueError(f'"{shown(text)}" is not a duration; expected one such as 30s, 10m, 2h or 1d')
    days, hours, minutes, seconds = (int(part or 0) for part in found.groups())
    try:
        total = timedelta(days=days, hours=hours, minutes=minutes, seconds=seconds)
    except OverflowError:
        total = timedelta.max
    if total > LONGEST_DURATION:
        raise ValueError(f'"{shown(text)}" is longer than ten years')
    return total


def zone_of(name: str) -> tzinfo:
    """The zone called `name`; ValueError, with the nearest name, when there is none."""
    if name == "UTC":
        return UTC
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        pass
    known = available_timezones()
    if not known:
        raise ValueError("this machine has no time zone data; install the Python package tzdata")
    near = did_you_mean(name, known)
    raise ValueError(f'"{shown(name)}" is not a time zone; expected a name such as Europe/Berlin{near}')


def _offset(moment: datetime, zone: tzinfo) -> timedelta:
    """How far the zone's clock is ahead of UTC at a moment."""
    return moment.astimezone(zone).utcoffset() or timedelta(0)


def _full_hour(now: datetime, offset: timedelta) -> datetime:
    """The first moment after `now` at which a clock that is `offset` ahead of UTC shows a full hour."""
    return EPOCH - offset + ((now - EPOCH + offset) // HOUR + 1) * HOUR


def _instant(day: date, at: time, zone: tzinfo) -> datetime:
    """When the zone's clock shows `at` on `day`: its first time, or the end of the gap it falls into."""
    local = datetime.combine(day, at)
    # In a fold 0 is the offset before the change, so the first of two equal times; in a gap likewise (PEP 495).
    found = local.replace(tzinfo=zone).astimezone(UTC)
    if found.astimezone(zone).replace(tzinfo=None) == local:
        return found
    early, late = local.replace(tzinfo=zone, fold=1).astimezone(UTC), found
    before = _offset(early, zone)
    while late - early > SECOND:
        middle = early + (late - early) // SECOND // 2 * SECOND
        if _offset(middle, zone) == before:
            early = middle
        else:
            late = middle
    return late


def _phase(key: str, every: timedelta) -> timedelta:
    """Which second of the interval belongs to `key`; without one the epoch itself."""
    if not key:
        return timedelta(0)
    number = int.from_bytes(hashlib.sha256(key.encode()).digest()[:8])
    return timedelta(seconds=number % (every // SECOND))


def _not_a_schedule(text: str) -> str:
    wanted = _meant(text)
    return f'"{shown(text)}" is not a schedule; allowed: {ALLOWED}' + (
        f"; did you mean {wanted}?" if wanted else ""
    )


def _meant(text: str) -> str | None:
    """The valid form that a mistyped schedule comes closest to."""
    plain = re.sub(r"[\s_-]+", "_", text.strip().lower())[:80]
    if found := re.fullmatch(
        r"(interval_|every_)?(\d{1,4})_?h(?:ours?)?_?(\d{1,4})(_?m(?:in|ins|inutes?)?)?", plain
    ):
        minutes = int(found[2]) * 60 + int(found[3])
        # 9h30 alone is a time of the day in some languages.
        if (found[1] or found[4]) and timedelta(0) < timedelta(minutes=minutes) <= LONGEST_INTERVAL:
            return f"interval_{minutes // 60}h" if minutes % 60 == 0 else f"interval_{minutes}m"
    if found := re.search(r"(?<!\d)(\d{1,2})[:.h](\d{2})(?::\d{2})?_?([ap])?m?(?![\d_])", plain):
        hour, minute = int(found[1]) % 12 if found[3] else int(found[1]), int(found[2])
        hour += 12 if found[3] == "p" else 0
        if hour == 24 and minute == 0:
            return "daily"
        return f"daily_at_{hour:02d}:{minute:02d}" if hour < 24 and minute < 60 else None
    if found := re.search(r"(?<!\d)(\d{1,5})_?(m|min|mins|minutes?|h|hours?|d|days?)(?![a-z])", plain):
        number, unit = int(found[1]), found[2][0]
        number, unit = (number * 24, "h") if unit == "d" else (number, unit)
        return f"interval_{number}{unit}" if 0 < number * (60 if unit == "h" else 1) <= 527_040 else None
    words = {"every_hour": "hourly", "every_day": "daily", "every_week": "weekly", "midnight": "daily"}
    return words.get(plain) or nearest(plain, ("hourly", "daily", "weekly"))
