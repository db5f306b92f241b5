"""How values look to people: instants by the clock of a zone, distances in time, lengths, numbers. Pure."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

from stoma import wording
from stoma.scheduler.base import Task
from stoma.scheduler.timetables import timetables_of
from stoma.scheduler.zones import zone_of
from stoma.wording import listed

NOTHING = "–"

UNITS = (("year", 31_557_600), ("month", 2_629_800), ("day", 86_400), ("h", 3_600), ("min", 60), ("s", 1))
"""Seconds of each unit of a distance in time; app.js has the same table."""

SPELLED = ("year", "month", "day")

AT_LEAST = 1.5
"""A distance is told in the largest unit of which there are at least so many: 80 min, then 2 h."""


def instant_of(value: datetime | str) -> datetime:
    """An instant in UTC, from itself or from how JSON carries it."""
    found = datetime.fromisoformat(value) if isinstance(value, str) else value
    return (found.replace(tzinfo=UTC) if found.tzinfo is None else found).astimezone(UTC)


def exact(value: datetime | str) -> str:
    """An instant for programs: `2026-11-23T09:00:00Z`."""
    return f"{instant_of(value):%Y-%m-%dT%H:%M:%SZ}"


def local(value: datetime | str | None, zone: str, now: datetime, *, seconds: bool = False) -> str:
    """An instant by the clock of a zone, to the minute: `23 Nov 09:00`; with the year when it is another one."""
    if not value:
        return NOTHING
    there = zone_of(zone)
    shown = instant_of(value).astimezone(there)
    year = "" if shown.year == now.astimezone(there).year else f" {shown.year}"
    return (
        f"{shown.day} {shown:%b}{year} {shown:%H:%M:%S}"
        if seconds
        else f"{shown.day} {shown:%b}{year} {shown:%H:%M}"
    )


def full(value: datetime | str, zone: str) -> str:
    """An instant with all that there is to it: `Monday 2026-11-23 09:00:00 CET`."""
    return f"{instant_of(value).astimezone(zone_of(zone)):%A %Y-%m-%d %H:%M:%S %Z}"


def relative(value: datetime | str | None, now: datetime) -> str:
    """How far an instant is away: `in 5 min`, `3 h ago`, `now`."""
    if not value:
        return NOTHING
    seconds = (instant_of(value) - now).total_seconds()
    if abs(seconds) < 1:
        return "now"
    unit, size = next(((unit, size) for unit, size in UNITS if abs(seconds) >= size * AT_LEAST), UNITS[-1])
    number = round(abs(seconds) / size)
    words = f"{number} {unit}{'s' if number != 1 and unit in SPELLED else ''}"
    return f"in {words}" if seconds > 0 else f"{words} ago"


def lasting(value: datetime | str | None, now: datetime) -> str:
    """How long ago something began that lasts: `5 min`, `3 h`, `a moment`."""
    words = relative(value, now)
    return "a moment" if words == "now" else words.removeprefix("in ").removesuffix(" ago")


def length(seconds: float | timedelta | None) -> str:
    """How long something took: `40 ms`, `0.4 s`, `12 s`, `3 min 20 s`, `2 h 5 min`, `3 d 4 h`."""
    if seconds is None:
        return NOTHING
    span = seconds.total_seconds() if isinstance(seconds, timedelta) else seconds
    if span < 0.0995:
        return f"{round(max(span, 0) * 1000)} ms"
    if span < 9.95:
        return f"{span:.1f} s"
    whole = round(span)
    for large, small, unit, part in ((86_400, 3_600, "d", "h"), (3_600, 60, "h", "min"), (60, 1, "min", "s")):
        if whole >= large:
            rest = whole % large // small
            return f"{whole // large} {unit}" + (f" {rest} {part}" if rest else "")
    return f"{whole} s"


def grouped(number: int | None) -> str:
    """A whole number with its thousands apart: `1,234,567`."""
    return NOTHING if number is None else f"{number:,}"


def day(value: datetime | str, zone: str) -> str:
    """The date of an instant by the clock of a zone: `2026-11-23`."""
    return instant_of(value).astimezone(zone_of(zone)).date().isoformat()


def plural(kind: str) -> str:
    """A kind of records as a heading of many: `Papers`, `Repositories`."""
    word = wording.plural(kind)
    return word[:1].upper() + word[1:]


def web(url: Any) -> str:
    """A link only where it leads to the web: records come from strangers."""
    return url if isinstance(url, str) and url.startswith(("https://", "http://")) else ""


def occasion(task: Task) -> str:
    """When a task runs, as a person would say it: its schedules, what it follows, or by hand."""
    words = [found.in_words() for found in timetables_of(task)]
    if task.after:
        names = (d.task if d.status == "completed" else f"{d.task} ({d.status})" for d in task.after)
        words.append(f"after {listed(names, 'and')}")
    return "; ".join(words) or "by hand"
