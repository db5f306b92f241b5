"""How long a feed wants to be left alone: decisions of numbers."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stoma.collectors.feed_manners import LONGEST_SKIP, Rest, rest_of, rests_until

FRIDAY = datetime(2026, 11, 20, 9, 30, tzinfo=UTC)


@pytest.mark.parametrize(
    ("headers", "said", "rest"),
    [
        ({}, {}, Rest()),
        ({"cache-control": "public, max-age=600"}, {}, Rest(600, "Cache-Control")),
        ({"cache-control": "public, Max-Age = 600", "age": "100"}, {}, Rest(500, "Cache-Control")),
        ({"cache-control": "max-age=600", "age": "900"}, {}, Rest()),
        ({"cache-control": "no-cache, max-age=600"}, {}, Rest()),
        ({"cache-control": "s-maxage=600"}, {}, Rest()),
        ({"cache-control": "max-age=31536000"}, {}, Rest(86_400, "Cache-Control")),
        ({"cache-control": "max-age=600"}, {"ttl": " 60 "}, Rest(3_600, "ttl")),
        ({}, {"ttl": "soon"}, Rest()),
        ({}, {"ttl": "-5"}, Rest()),
        ({}, {"ttl": "99999999999"}, Rest()),
        ({}, {"period": "hourly\n"}, Rest(3_600, "updatePeriod")),
        ({}, {"period": "daily", "frequency": "4"}, Rest(21_600, "updatePeriod")),
        ({}, {"period": "weekly"}, Rest(86_400, "updatePeriod")),
        ({}, {"period": "daily", "frequency": "0"}, Rest(86_400, "updatePeriod")),
        ({}, {"period": "now and then"}, Rest()),
        ({}, {"hours": ["3", "24", "x", "3"]}, Rest(hours=(0, 3))),
        ({}, {"days": ["Sunday", "saturday ", "Someday"]}, Rest(days=(5, 6))),
    ],
)
def test_what_a_feed_asks_for(headers: dict[str, str], said: dict[str, Any], rest: Rest):
    assert rest_of(headers, **said) == rest
    assert Rest.of(rest.as_dict()) == rest


@pytest.mark.parametrize(
    ("rest", "since", "until"),
    [
        (Rest(), timedelta(0), None),
        (Rest(3_600, "ttl"), timedelta(minutes=30), timedelta(minutes=54)),
        # An hourly task that begins a little early, or with jitter, gets its answer.
        (Rest(3_600, "ttl"), timedelta(minutes=55), None),
        # The clock was set back.
        (Rest(3_600, "ttl"), timedelta(minutes=-5), None),
        # From 9:30 on Friday: 10 and 11 o'clock are skipped.
        (Rest(hours=(10, 11)), timedelta(minutes=40), timedelta(minutes=150)),
        (Rest(hours=(9, 12)), timedelta(minutes=40), None),
        # A task that runs only in such an hour is asked once a day all the same.
        (Rest(hours=(9,)), timedelta(days=1), None),
        (Rest(hours=tuple(range(24))), timedelta(hours=1), timedelta(hours=21.6)),
        (Rest(days=(5, 6)), timedelta(days=1), timedelta(days=2, hours=14.5)),
        (Rest(days=(5, 6)), timedelta(days=2, hours=14.5), None),
        (Rest(days=(5, 6), hours=(0, 1)), timedelta(days=1), timedelta(days=2, hours=14.5)),
        # And one that runs on Fridays is asked on Fridays.
        (Rest(days=(4,)), timedelta(days=7), None),
        (Rest(days=tuple(range(7))), timedelta(days=1), timedelta(days=3)),
    ],
)
def test_until_when_it_is_left_alone(rest: Rest, since: timedelta, until: timedelta | None):
    found = rests_until(rest, FRIDAY, FRIDAY + since)
    assert (found and found[0] - FRIDAY) == until


def test_the_reason_is_told():
    assert rests_until(Rest(3_600, "ttl"), FRIDAY, FRIDAY) == (
        FRIDAY + timedelta(minutes=54),
        "ttl: it stays the same for 60 minutes",
    )
    assert rests_until(Rest(hours=(9,)), FRIDAY, FRIDAY) == (FRIDAY + timedelta(minutes=30), "skipHours")
    assert (rests_until(Rest(days=(4,)), FRIDAY, FRIDAY) or ())[1] == "skipDays"


@given(
    seconds=st.integers(0, 86_400),
    hours=st.sets(st.integers(0, 23)),
    days=st.sets(st.integers(0, 6)),
    since=st.integers(0, 400_000),
)
def test_no_feed_is_left_alone_for_ever(seconds: int, hours: set[int], days: set[int], since: int):
    rest = Rest(seconds, "ttl", tuple(sorted(hours)), tuple(sorted(days)))
    now = FRIDAY + timedelta(seconds=since)
    found = rests_until(rest, FRIDAY, now)
    if found is None:
        return
    assert now < found[0] <= FRIDAY + LONGEST_SKIP
    # Waiting once is enough, up to another rule that begins there.
    again = rests_until(rest, FRIDAY, found[0])
    assert again is None or again[0] > found[0]
