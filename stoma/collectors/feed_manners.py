"""How long a feed wants to be left alone, and whether it may be asked now. Pure.

A feed says it in four ways: `Cache-Control: max-age`, `<ttl>` in minutes, how often it is updated (syndication module
of RSS 1.0), and the hours and days to skip (RSS 2.0, in GMT). The longest of the first three counts.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

LONGEST = timedelta(days=1)
"""No feed rests longer, whatever it says: a year in `max-age` is a mistake more often than a wish."""

LONGEST_SKIP = timedelta(days=3)
"""Days to skip are obeyed for so long: a weekend with room, so that a weekly task on a Sunday is not lost for ever."""

PART = 0.9
"""The part of its time that a feed is left alone: an hourly task that begins a second early should get its answer."""

_PERIODS = {"hourly": 3_600, "daily": 86_400, "weekly": 604_800, "monthly": 2_592_000, "yearly": 31_536_000}
_DAYS = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")
_MAX_AGE = re.compile(r"(?:^|[\s,;])max-age\s*=\s*\"?(\d{1,12})", re.IGNORECASE)
_NO_CACHE = re.compile(r"\bno-(?:cache|store)\b", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Rest:
    """What a feed asks for: seconds between two requests, who says so, hours (GMT) and weekdays (0: Monday) to skip."""

    seconds: int = 0
    why: str = ""
    hours: tuple[int, ...] = ()
    days: tuple[int, ...] = ()

    def as_dict(self) -> dict[str, Any]:
        """The fields as JSON carries them."""
        return {
            "seconds": self.seconds,
            "why": self.why,
            "hours": list(self.hours),
            "days": list(self.days),
        }

    @classmethod
    def of(cls, kept: Mapping[str, Any]) -> Rest:
        """What `as_dict` gave."""
        return cls(kept["seconds"], kept["why"], tuple(kept["hours"]), tuple(kept["days"]))


def rest_of(
    headers: Mapping[str, str],
    ttl: str = "",
    period: str = "",
    frequency: str = "",
    hours: Iterable[str] = (),
    days: Iterable[str] = (),
) -> Rest:
    """What the headers and the elements of a feed ask for; what makes no sense is left out."""
    wishes = [(_fresh(headers), "Cache-Control")]
    if ttl.strip().isdecimal() and len(ttl.strip()) < 9:
        wishes.append((int(ttl) * 60, "ttl"))
    if length := _PERIODS.get(period.strip().lower()):
        often = int(frequency) if frequency.strip().isdecimal() and len(frequency.strip()) < 9 else 1
        wishes.append((length // max(1, often), "updatePeriod"))
    seconds, why = max(wishes)
    seconds = min(seconds, int(LONGEST.total_seconds()))
    numbers = [int(hour) % 24 for hour in map(str.strip, hours) if re.fullmatch(r"\d{1,2}", hour, re.ASCII)]
    weekdays = [_DAYS.index(name) for day in days if (name := day.strip().lower()) in _DAYS]
    return Rest(seconds, why if seconds else "", tuple(sorted(set(numbers))), tuple(sorted(set(weekdays))))


def rests_until(rest: Rest, asked_at: datetime, now: datetime) -> tuple[datetime, str] | None:
    """Until when a feed that was asked last at `asked_at` is left alone, and why; None when it may be asked now."""
    since = now - asked_at
    if since < timedelta(0):  # the clock was set back
        return None
    until = asked_at + PART * timedelta(seconds=rest.seconds)
    if now < until:
        return until, f"{rest.why}: it stays the same for {_long(rest.seconds)}"
    hours = rest.hours if since < PART * LONGEST else ()
    days, moment = rest.days, now
    # Three days at most are ahead, for then neither list counts any more.
    while moment - asked_at < LONGEST_SKIP and (moment.hour in hours or moment.weekday() in days):
        moment = moment.replace(minute=0, second=0, microsecond=0) + timedelta(hours=1)
    if moment == now:
        return None
    bound = asked_at + (LONGEST_SKIP if now.weekday() in days else PART * LONGEST)
    return min(moment, bound), "skipDays" if now.weekday() in days else "skipHours"


def _fresh(headers: Mapping[str, str]) -> int:
    """For how many more seconds the answer is fresh by its own headers (RFC 9111, 4.2)."""
    said = headers.get("cache-control", "")
    found = _MAX_AGE.search(said)
    if found is None or _NO_CACHE.search(said):
        return 0
    age = headers.get("age", "").strip()
    return max(0, int(found[1]) - (int(age) if age.isdecimal() and len(age) < 13 else 0))


def _long(seconds: int) -> str:
    if seconds < 7_200:
        return f"{max(1, seconds // 60)} minutes"
    return f"{seconds // 3_600} hours"
