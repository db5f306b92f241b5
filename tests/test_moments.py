"""A moment of the past as people write it."""

from __future__ import annotations

from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import pytest

from stoma.errors import UsageError
from stoma.moments import moment_of

NOW = datetime(2026, 11, 23, 0, 30, tzinfo=UTC)
BERLIN = ZoneInfo("Europe/Berlin")


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("7d", "2026-11-16T00:30Z"),
        (" 1h30m ", "2026-11-22T23:00Z"),
        ("0s", "2026-11-23T00:30Z"),
        ("2026-11-20", "2026-11-19T23:00Z"),
        ("2026-07-01", "2026-06-30T22:00Z"),
        ("2026-11-20T09:00", "2026-11-20T08:00Z"),
        ("2026-11-20 09:00:01", "2026-11-20T08:00:01Z"),
        ("2026-11-20T09:00Z", "2026-11-20T09:00Z"),
        ("2026-11-20T09:00+02:00", "2026-11-20T07:00Z"),
        # As an address spells a plus sign that was not escaped.
        ("2026-11-20T09:00 02:00", "2026-11-20T07:00Z"),
        # In Berlin it is the 23rd already, and half past one.
        ("today", "2026-11-22T23:00Z"),
        ("yesterday", "2026-11-21T23:00Z"),
        # Does not exist: the first instant behind the gap.
        ("2026-03-29T02:30", "2026-03-29T01:00Z"),
    ],
)
def test_what_is_meant(text: str, found: str) -> None:
    assert moment_of(text, NOW, BERLIN) == datetime.fromisoformat(found)


@pytest.mark.parametrize(
    "text",
    ["", "7", "d", "7x", "-7d", "99999d", "2026-13-01", "soon", "1000-01-01", "9999-12-31", "7d\0", "٧d"],
)
def test_what_is_none(text: str) -> None:
    with pytest.raises(UsageError) as caught:
        moment_of(text, NOW, BERLIN)
    assert caught.value.message
