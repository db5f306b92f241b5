"""Schedules as patterns: text in, due instants out.

| text             | due                                                                      | follows      |
|------------------|--------------------------------------------------------------------------|--------------|
| `hourly`         | whenever the clock of the zone shows minute 0                            | elapsed time |
| `daily`          | at midnight                                                              | wall clock   |
| `weekly`         | on Sunday at midnight                                                    | wall clock   |
| `daily_at_HH:MM` | at that time                                                             | wall clock   |
| `interval_XXm`   | every XX minutes from the Unix epoch, shifted by a phase hashed from key | elapsed time |
| `interval_XXh`   | every XX hours, likewise                                                 | elapsed time |
| `0 9 * * 1-5`    | whenever the clock of the zone shows a time that five cron fields mean   | either       |

Daylight saving: a wall-clock time that does not exist runs at the first existing instant after it; one that exists
twice runs at its first. A cron with a fixed minute and hour follows the wall clock; one whose minute or hour field
starts with `*` follows elapsed time: it runs whenever the clock shows such a time, so it knows neither of these rules.
Instants go in aware and come out in UTC.
"""

from __future__ import annotations

import hashlib
import re
from abc import ABC, abstractmethod
from dataclasses import dataclass, field
from datetime import UTC, datetime, time, timedelta, tzinfo

from stoma.scheduler import cron, cronwords
from stoma.scheduler.zones import change_between, instant_of, offset_at
from stoma.scheduler.zones import zone_of as zone_of
from stoma.wording import nearest, shown

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
MILLISECOND, SECOND, HOUR, DAY = (
    timedelta(milliseconds=1),
    timedelta(seconds=1),
    timedelta(hours=1),
    timedelta(days=1),
)
LONGEST_SHIFT = timedelta(hours=26)
"""No clock is ever set by more: zones that crossed the date line moved by 24 hours."""

SUNDAY = 6
FORMS = ("hourly", "daily", "weekly", "daily_at_HH:MM", "interval_30m", "interval_2h")
ALLOWED = f"{', '.join(FORMS)}, or five cron fields such as 0 9 * * 1-5"
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
                before = offset_at(now, self.zone)
                found = _full_hour(now, before)
                after = offset_at(found, self.zone)
                if after == before:
                    return found
                # The clock is set between here and there: count full hours by the new offset instead.
                sooner = _full_hour(now, after)
                if offset_at(sooner, self.zone) == after:
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
                    found = instant_of(datetime.combine(day, self.at), self.zone)
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


@dataclass(frozen=True, slots=True)
class Cron(Pattern):
    """The times of the zone's clock that five cron fields mean."""

    zone: tzinfo
    expression: cron.Expression

    def next_after(self, moment: datetime) -> datetime | None:
        """The first instant by the wall clock, or by elapsed time, as the expression wants it."""
        now = moment.astimezone(UTC)
        try:
            if self.zone is UTC:
                found = self.expression.next(now.replace(tzinfo=None))
                return found.replace(tzinfo=UTC) if found is not None else None
            return self._by_clock(now) if self.expression.follows_clock else self._by_elapsed_time(now)
        except OverflowError:
            return None

    def in_words(self) -> str:
        """As a person would say it."""
        return f"{self.expression.in_words() or f'cron {self.text}'} {self.timezone}"

    def _by_clock(self, now: datetime) -> datetime | None:
        local: datetime | None = now.astimezone(self.zone).replace(tzinfo=None)
        while local is not None and (local := self.expression.next(local)) is not None:
            # Asked inside a repeated hour, the next time of the clock has been shown before.
            if (found := instant_of(local, self.zone)) > now:
                return found
        return None

    def _by_elapsed_time(self, now: datetime) -> datetime | None:
        """The next moment at which the clock shows such a time: each turn of the loop ends where the clock is set."""
        offset = offset_at(now, self.zone)
        local = (now + offset).replace(tzinfo=None)
        while (shown_at := self.expression.next(local)) is not None:
            found = shown_at.replace(tzinfo=UTC) - offset
            near = min(found, now + LONGEST_SHIFT)
            if offset_at(near, self.zone) != offset:
                now = change_between(now.replace(microsecond=0), near.replace(microsecond=0), self.zone)
            elif near == found:
                return found
            else:
                # The clock has not been set by then, so it cannot come back to anything it showed before now.
                now = instant_of(shown_at, self.zone)
                if now.astimezone(self.zone).replace(tzinfo=None) == shown_at:
                    return now
            # What the clock shows from here on, this instant included.
            offset = offset_at(now, self.zone)
            local = (now + offset).replace(tzinfo=None) - SECOND
        return None


def parse(text: str, timezone: str = "UTC", key: str = "") -> Pattern:
    """The pattern of a schedule; ValueError says what is wrong and which form is nearest.

    `key`, the task's id, shifts intervals by a phase of their own, so that equal intervals do not all come at once.
    """
    zone = zone_of(timezone)
    if cronwords.is_meant(text):
        return Cron(text, timezone, zone, cron.parse(text))
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


def _full_hour(now: datetime, offset: timedelta) -> datetime:
    """The first moment after `now` at which a clock that is `offset` ahead of UTC shows a full hour."""
    return EPOCH - offset + ((now - EPOCH + offset) // HOUR + 1) * HOUR


def _phase(key: str, every: timedelta) -> timedelta:
    """Which moment of the interval, to the millisecond, belongs to `key`; without one the epoch itself."""
    if not key:
        return timedelta(0)
    number = int.from_bytes(hashlib.sha256(key.encode()).digest()[:8])
    return timedelta(milliseconds=number % (every // MILLISECOND))


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
        if hour >= 24 or minute >= 60:
            return None
        if days := cronwords.days_named(plain):
            return f'"{minute} {hour} * * {days}"'
        return f"daily_at_{hour:02d}:{minute:02d}"
    if found := re.search(r"(?<!\d)(\d{1,5})_?(m|min|mins|minutes?|h|hours?|d|days?)(?![a-z])", plain):
        number, unit = int(found[1]), found[2][0]
        number, unit = (number * 24, "h") if unit == "d" else (number, unit)
        return f"interval_{number}{unit}" if 0 < number * (60 if unit == "h" else 1) <= 527_040 else None
    words = {"every_hour": "hourly", "every_day": "daily", "every_week": "weekly", "midnight": "daily"}
    return words.get(plain) or nearest(plain, ("hourly", "daily", "weekly"))
