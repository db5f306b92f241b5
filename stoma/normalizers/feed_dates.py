"""The dates of feeds, as they are written and not as they should be. Pure.

RFC 822 with named zones or offsets, ISO 8601 and what looks like it, and `May 24, 2019 3:41 PM EDT`. The parsers at
hand guess: email.utils leaves out `+02:00` and `PM`, feedparser reads 2020/1/10 as the first of November.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta, timezone

EARLIEST = 1900
"""A year before it is no date but the zero of some program."""

# Names that mean one thing nearly everywhere; IST and CST of China are not among them.
_ZONES = {
    "z": 0, "ut": 0, "utc": 0, "gmt": 0, "wet": 0, "west": 1, "bst": 1, "cet": 1, "cest": 2, "eet": 2, "eest": 3,
    "msk": 3, "jst": 9, "kst": 9, "aest": 10, "aedt": 11, "nzst": 12, "nzdt": 13, "ast": -4, "adt": -3, "est": -5,
    "edt": -4, "cst": -6, "cdt": -5, "mst": -7, "mdt": -6, "pst": -8, "pdt": -7, "akst": -9, "akdt": -8, "hst": -10,
}  # fmt: skip
_MONTHS = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")

_TIME = (
    r"(?P<hour>\d{1,2}):(?P<minute>\d\d)(?::(?P<second>\d\d)(?:[.,](?P<fraction>\d{1,9}))?)?"
    r"(?:\s*(?P<half>[ap])\.?m\.?)?"
)
_ZONE = r"(?P<zone>[a-z]{1,5})?\s*(?P<offset>[+-]\d\d:?(?:\d\d)?)?"
_WEEKDAY = r"(?:[a-z]{3,9}\.?,?\s+)?"
_REST = rf"(?:(?:[T,]?\s*|\s+at\s+){_TIME}\s*{_ZONE})?"
_FORMS = [
    re.compile(form, re.IGNORECASE)
    for form in (
        rf"(?P<year>\d{{4}})(?P<dash>[-/.])(?P<month>\d{{1,2}})(?P=dash)(?P<day>\d{{1,2}}){_REST}",
        rf"{_WEEKDAY}(?P<day>\d{{1,2}})[\s-]+(?P<month>[a-z]{{3,9}})\.?,?[\s-]+(?P<year>\d{{4}}|\d\d){_REST}",
        rf"{_WEEKDAY}(?P<month>[a-z]{{3,9}})\.?\s+(?P<day>\d{{1,2}}),?\s+(?P<year>\d{{4}}){_REST}",
    )
]


def instant(text: str) -> datetime | None:
    """The instant that a text names, as aware UTC; without a zone it is taken for UTC. None when it names none."""
    text = text.strip()
    if len(text) > 80:
        return None
    for form in _FORMS:
        if found := form.fullmatch(text):
            try:
                return _made(found.groupdict())
            except (ValueError, OverflowError):
                return None
    return None


def _made(parts: dict[str, str | None]) -> datetime | None:
    month, zone = parts["month"] or "", (parts["zone"] or "").lower()
    # Unknown names of zones may be half a day off: no instant is better than a wrong one.
    if zone and zone not in _ZONES:
        return None
    offset = timedelta(hours=_ZONES.get(zone, 0)) + _offset(parts["offset"] or "")
    year = int(parts["year"] or 0)
    if len(parts["year"] or "") == 2:
        year += 1900 if year >= 70 else 2000
    hour = int(parts["hour"] or 0)
    if half := (parts["half"] or "").lower():
        hour = hour % 12 + (12 if half == "p" else 0)
    made = datetime(
        year,
        int(month) if month.isdecimal() else _MONTHS.index(month[:3].lower()) + 1,
        int(parts["day"] or 0),
        hour,
        int(parts["minute"] or 0),
        min(int(parts["second"] or 0), 59),  # a leap second
        int((parts["fraction"] or "0").ljust(6, "0")[:6]),
        tzinfo=timezone(offset),
    )
    return made.astimezone(UTC) if made.year >= EARLIEST else None


def _offset(text: str) -> timedelta:
    if not text:
        return timedelta()
    digits = text[1:].replace(":", "").ljust(4, "0")
    offset = timedelta(hours=int(digits[:2]), minutes=int(digits[2:]))
    return -offset if text[0] == "-" else offset
