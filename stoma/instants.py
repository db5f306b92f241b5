"""Dates as sources write them, and not as they should be. Pure. What has no zone is UTC.

ISO 8601 and its relatives, RFC 822 with named zones or offsets, `May 24, 2019 3:41 PM EDT`, numbers of seconds since
1970. The parsers at hand guess: email.utils leaves out `+02:00` and `PM`, feedparser reads 2020/1/10 as the first of
November.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

from stoma.wording import shown

FORMATS = ("iso", "date", "epoch", "epoch_ms")
"""The forms that have a name; any other is a pattern of strftime."""

_CODES = frozenset("aAbBcdfGHIjmMpSuUVwWxXyYzZ%")
"""The codes that Python knows on every system."""

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_NUMBER = re.compile(r"-?[0-9]{9,20}(\.[0-9]{1,9})?")
_ANY_NUMBER = re.compile(r"-?[0-9]{1,20}(\.[0-9]{1,9})?")
LONGEST = 80
"""Characters of a text that may be a date."""

# From these sizes on a number counts milliseconds, microseconds, nanoseconds: as seconds, 1e11 is the year 5138.
_SIZES = ((1e17, 1_000_000_000), (1e14, 1_000_000), (1e11, 1_000))

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
_ZONE = r"(?P<zone>[a-z]{1,5})?\s*(?P<offset>[+-]\d\d:?(?:\d\d)?)?(?:\s*\([^()]*\))?"
_WEEKDAY = r"(?:[a-z]{3,9}\.?,?\s+)?"
_REST = rf"(?:(?:[T,]?\s*|\s+at\s+){_TIME}\s*{_ZONE})?"
_FORMS = [
    re.compile(form, re.IGNORECASE)
    for form in (
        rf"(?P<year>\d{{4}})(?P<dash>[-/.])(?P<month>\d{{1,2}})(?P=dash)(?P<day>\d{{1,2}}){_REST}",
        rf"{_WEEKDAY}(?P<day>\d{{1,2}})[\s-]+(?P<month>[a-z]{{3,9}})\.?,?[\s-]+(?P<year>\d{{4}}|\d\d){_REST}",
        rf"{_WEEKDAY}(?P<month>[a-z]{{3,9}})\.?\s+(?P<day>\d{{1,2}}),?\s+(?P<year>\d{{4}}){_REST}",
        rf"{_WEEKDAY}(?P<month>[a-z]{{3,9}})\.?\s+(?P<day>\d{{1,2}})\s+{_TIME}\s*{_ZONE}\s+(?P<year>\d{{4}})",
    )
]


def instant_of(value: Any, form: str = "") -> datetime:
    """The instant that a value means, aware UTC; raises ValueError for what is none.

    `form` is the one that is expected: it says what a bare number counts, and is tried first for a text.
    """
    try:
        if type(value) is str and value[4:5] == "-" and value.endswith("Z") and "%" not in form:
            # As nearly all are written: at once. Anything else is looked at more closely.
            try:
                return datetime.fromisoformat(value)
            except ValueError:
                pass
        found = _parsed(value, form)
        return (found.replace(tzinfo=UTC) if found.tzinfo is None else found).astimezone(UTC)
    except (ValueError, TypeError, OverflowError, IndexError):
        what = f'"{shown(value)}"' if isinstance(value, str) else shown(repr(value))
        raise ValueError(f"{what} is not a date") from None


def read(text: str) -> datetime | None:
    """The instant that a text names, aware UTC; None when it names none. A bare number names none."""
    text = text.strip()
    if len(text) > LONGEST:
        return None
    try:
        return _iso(text) or _in_words(text)
    except (ValueError, OverflowError):
        return None


def check_pattern(form: str) -> None:
    """Raise ValueError for a pattern with a code that not every strftime knows; the others have names."""
    for code in re.findall(r"%(.?)", form, re.DOTALL):
        if code not in _CODES:
            raise ValueError(f'"%{shown(code)}" is no code of strftime; for seconds since 1970 write epoch')


def written(instant: datetime, form: str) -> str | int:
    """An instant in a form, never a later one: what is finer than the form is left out."""
    instant = instant.astimezone(UTC)
    if form == "epoch":
        return (instant - _EPOCH) // timedelta(seconds=1)
    if form == "epoch_ms":
        return (instant - _EPOCH) // timedelta(milliseconds=1)
    if form == "date":
        return instant.date().isoformat()
    if form == "iso":
        return instant.replace(tzinfo=None).isoformat(timespec="seconds") + "Z"
    return instant.strftime(form)


def _parsed(value: Any, form: str) -> datetime:
    if isinstance(value, str):
        return _of_text(value.strip(), form)
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise TypeError(value)
    return _of_number(value, form)


def _of_text(text: str, form: str) -> datetime:
    if "%" in form:
        try:
            return datetime.strptime(text, form)
        except ValueError:
            pass
    if (_ANY_NUMBER if form.startswith("epoch") else _NUMBER).fullmatch(text):
        return _of_number(float(text) if "." in text else int(text), form)
    found = read(text)
    if found is None:
        raise ValueError(text)
    return found


def _of_number(value: int | float, form: str) -> datetime:
    unit = {"epoch": 1, "epoch_ms": 1_000}.get(form)
    if unit is None:
        unit = next((unit for size, unit in _SIZES if abs(value) >= size), 1)
    # Whole numbers stay whole: a float has no room for the microseconds of today.
    if isinstance(value, int):
        return _EPOCH + timedelta(microseconds=value * 1_000_000 // unit)
    return _EPOCH + timedelta(seconds=value / unit)


def _iso(text: str) -> datetime | None:
    try:
        found = datetime.fromisoformat(text)
    except ValueError:
        return None
    return found.replace(tzinfo=UTC) if found.tzinfo is None else found.astimezone(UTC)


def _in_words(text: str) -> datetime | None:
    matches = (form.fullmatch(text) for form in _FORMS)
    found = next(filter(None, matches), None)
    return _made(found.groupdict()) if found else None


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
    return made.astimezone(UTC)


def _offset(text: str) -> timedelta:
    if not text:
        return timedelta()
    digits = text[1:].replace(":", "").ljust(4, "0")
    offset = timedelta(hours=int(digits[:2]), minutes=int(digits[2:]))
    return -offset if text[0] == "-" else offset
