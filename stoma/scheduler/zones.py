"""What the clocks of time zones show: names, offsets, and the instant that belongs to a local time.

Two rules hold everywhere. A local time that does not exist stands for the first instant after the gap it falls into;
one that exists twice stands for its first showing.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta, tzinfo
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError, available_timezones

from stoma.wording import did_you_mean, shown

SECOND = timedelta(seconds=1)

_INSTANT = re.compile(r"\b\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d+)?Z\b", re.ASCII)


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


def by_clock(text: str, zone: str) -> str:
    """A text in which the instants in UTC stand by the clock of a zone."""
    there = zone_of(zone)
    return _INSTANT.sub(
        lambda found: f"{datetime.fromisoformat(found[0]).astimezone(there):%Y-%m-%d %H:%M:%S}", text
    )


def offset_at(moment: datetime, zone: tzinfo) -> timedelta:
    """How far the zone's clock is ahead of UTC at a moment."""
    return moment.astimezone(zone).utcoffset() or timedelta(0)


def instant_of(local: datetime, zone: tzinfo) -> datetime:
    """When the zone's clock shows `local` (naive), in UTC: its first time, or the end of the gap it falls into."""
    # In a fold 0 is the offset before the change, so the first of two equal times; in a gap likewise (PEP 495).
    found = local.replace(tzinfo=zone).astimezone(UTC)
    if found.astimezone(zone).replace(tzinfo=None) == local:
        return found
    return change_between(local.replace(tzinfo=zone, fold=1).astimezone(UTC), found, zone)


def change_between(early: datetime, late: datetime, zone: tzinfo) -> datetime:
    """The second later than `early` at which the zone's clock is set; it is known to be set until `late`."""
    before = offset_at(early, zone)
    while late - early > SECOND:
        middle = early + (late - early) // SECOND // 2 * SECOND
        if offset_at(middle, zone) == before:
            early = middle
        else:
            late = middle
    return late
