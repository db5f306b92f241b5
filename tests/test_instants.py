"""Dates in the forms that sources write, and back into the forms that they ask for."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stoma.instants import instant_of, written

NINE = datetime(2026, 11, 23, 9, tzinfo=UTC)


@pytest.mark.parametrize(
    "value",
    [
        "2026-11-23T09:00:00Z",
        "2026-11-23T09:00:00z",
        "2026-11-23T09:00Z",
        "2026-11-23T09:00:00",
        "2026-11-23 09:00:00",
        "2026-11-23 09:00:00 UTC",
        "2026-11-23T11:00:00+0200",
        "2026-11-23T11:00:00+02:00",
        "2026-11-23 11:00:00 +0200",
        "2026-11-23T09:00:00.000000000Z",
        "20261123T090000Z",
        "Mon, 23 Nov 2026 04:00:00 EST",
        "Mon, 23 Nov 2026 09:00:00 GMT",
        "Mon, 23 Nov 2026 11:00:00 +02:00",
        "Mon, 23 Nov 2026 04:00:00 -0500 (EST)",
        "Mon, Nov 23, 2026 4:00 AM EST",
        "Mon, 23 Nov 2026 09:00 AM",
        "Mon Nov 23 09:00:00 2026",
        "Mon Nov 23 11:00:00 +0200 2026",
        "2026/11/23 09:00:00",
        "20261123T110000+0200",
        "2026-W48-1T09:00Z",
        1795424400,
        1795424400.0,
        1795424400000,
        1795424400000000,
        1795424400000000000,
        "1795424400",
        " 1795424400000 ",
    ],
)
def test_one_instant_in_many_forms(value: Any) -> None:
    found = instant_of(value)
    assert found == NINE
    assert found.utcoffset() == timedelta(0)


def test_the_afternoon_is_not_lost() -> None:
    assert instant_of("Mon, 23 Nov 2026 9:00 PM") == NINE + timedelta(hours=12)
    assert instant_of("Nov 23, 2026 12:05 a.m.") == NINE - timedelta(hours=8, minutes=55)


def test_what_is_long_ago_is_a_date_too() -> None:
    assert instant_of("1850-01-02") == datetime(1850, 1, 2, tzinfo=UTC)


def test_days_are_their_midnight() -> None:
    assert instant_of("2026-11-23") == instant_of("20261123") == datetime(2026, 11, 23, tzinfo=UTC)


def test_the_expected_form_is_tried_first() -> None:
    assert instant_of("23.11.2026 09:00", "%d.%m.%Y %H:%M") == NINE
    # A field that is written in another form than the parameter is read all the same.
    assert instant_of("2026-11-23T09:00:00Z", "%d.%m.%Y") == NINE
    assert instant_of(5, "epoch") == instant_of(5_000, "epoch_ms") == instant_of("5", "epoch")
    # As many milliseconds are 1973.
    assert instant_of(100_000_000_000, "epoch").year == 5138


@pytest.mark.parametrize(
    "value",
    ["", "garbage", "2026-13-01", "tomorrow", None, True, [], {}, float("nan"), float("inf"), 10**30, "9" * 21,
     "0001-01-01T00:00:00+05:00", "9999-12-31T23:59:59-05:00", b"2026-11-23",
     "Mon, 23 Nov 2026 09:00:00 IST", "Mon, 23 Nov 2026 25:00:00 GMT", "23 Foo 2026", "x" * 5_000],
)  # fmt: skip
def test_what_is_no_date(value: Any) -> None:
    with pytest.raises(ValueError, match="is not a date"):
        instant_of(value)


@pytest.mark.parametrize(
    ("form", "text"),
    [
        ("iso", "2026-11-23T09:00:00Z"),
        ("date", "2026-11-23"),
        ("epoch", 1795424400),
        ("epoch_ms", 1795424400999),
        ("%d/%m/%Y %H:%M", "23/11/2026 09:00"),
    ],
)
def test_forms_leave_out_what_is_finer(form: str, text: str | int) -> None:
    assert written(NINE + timedelta(milliseconds=999), form) == text


@given(st.datetimes(datetime(1950, 1, 1), datetime(2100, 1, 1)).map(lambda at: at.replace(tzinfo=UTC)))
def test_what_is_written_is_never_later(at: datetime) -> None:
    for form, lost in (("iso", 1.0), ("epoch", 1.0), ("epoch_ms", 0.001), ("date", 86_400.0)):
        found = instant_of(written(at, form), form)
        assert timedelta(0) <= at - found < timedelta(seconds=lost), form


@given(st.one_of(st.text(max_size=20), st.integers(), st.floats(), st.booleans()))
def test_any_value_is_a_date_or_an_error_of_values(value: Any) -> None:
    try:
        found = instant_of(value)
    except ValueError:
        return
    assert found.tzinfo is UTC
