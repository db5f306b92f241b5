"""Dates as sources write them: ISO 8601 and its relatives, RFC 822, numbers of seconds since 1970. Pure.

What has no zone is UTC.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from typing import Any

from stoma.wording import shown

FORMATS = ("iso", "date", "epoch", "epoch_ms")
"""The forms that have a name; any other is a pattern of strftime."""

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_NUMBER = re.compile(r"-?[0-9]{9,20}(\.[0-9]{1,9})?")
_ANY_NUMBER = re.compile(r"-?[0-9]{1,20}(\.[0-9]{1,9})?")
_ZONE = re.compile(r"\s*(?:(UTC|GMT|Z)|\s([+-][0-9]{2}):?([0-9]{2}))$", re.IGNORECASE)

# From these sizes on a number counts milliseconds, microseconds, nanoseconds: as seconds, 1e11 is the year 5138.
_SIZES = ((1e17, 1_000_000_000), (1e14, 1_000_000), (1e11, 1_000))


def instant_of(value: Any, form: str = "") -> datetime:
    """The instant that a value means, aware UTC; raises ValueError for what is none.

    `form` is the one that is expected: it says what a bare number counts, and is tried first for a text.
    """
    try:
        found = _parsed(value, form)
        return (found.replace(tzinfo=UTC) if found.tzinfo is None else found).astimezone(UTC)
    except (ValueError, TypeError, OverflowError, IndexError):
        what = f'"{shown(value)}"' if isinstance(value, str) else shown(repr(value))
        raise ValueError(f"{what} is not a date") from None


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
    zoned = _ZONE.sub(lambda zone: "Z" if zone[1] else f"{zone[2]}:{zone[3]}", text)
    try:
        return datetime.fromisoformat(zoned)
    except ValueError:
        return parsedate_to_datetime(text)


def _of_number(value: int | float, form: str) -> datetime:
    unit = {"epoch": 1, "epoch_ms": 1_000}.get(form)
    if unit is None:
        unit = next((unit for size, unit in _SIZES if abs(value) >= size), 1)
    # Whole numbers stay whole: a float has no room for the microseconds of today.
    if isinstance(value, int):
        return _EPOCH + timedelta(microseconds=value * 1_000_000 // unit)
    return _EPOCH + timedelta(seconds=value / unit)
