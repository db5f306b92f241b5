"""Schedules between their bounds, on the days they keep, with their jitter."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stoma.scheduler.base import Schedule, Task
from stoma.scheduler.timetables import check, moment_of, parse_jitter, timetable, timetables_of

NEW_YORK = "America/New_York"


def made(pattern: str, zone: str = "UTC", key: str = "x", **more):
    return timetable(Schedule(pattern, **more), zone, key)


def instants(found, after: str, count: int = 3) -> list[str | None]:
    moment, told = datetime.fromisoformat(after).replace(tzinfo=UTC), []
    for _ in range(count):
        moment = found.next_after(moment)
        told.append(moment and f"{moment:%Y-%m-%dT%H:%M}")
        if moment is None:
            break
    return told


def test_the_zone_of_a_schedule_counts_more_than_that_of_its_task():
    task = Task(
        "x", "X", "github", schedule=(Schedule("daily"), Schedule("daily", "Asia/Tokyo")), timezone=NEW_YORK
    )
    one, other = timetables_of(task)
    assert instants(one, "2026-01-01T00:00", 1) == ["2026-01-01T05:00"]
    assert instants(other, "2026-01-01T00:00", 1) == ["2026-01-01T15:00"]


# -- from and until ------------------------------------------------------------------------------------------


def test_from_and_until_are_days_of_the_zone_and_both_count():
    found = made("daily_at_09:00", NEW_YORK, start="2026-01-10", until="2026-01-11")
    assert instants(found, "2025-06-01T00:00") == ["2026-01-10T14:00", "2026-01-11T14:00", None]
    # The last minute of the last day is part of it, the midnight behind it is not.
    found = made("* * * * *", NEW_YORK, until="2026-01-11")
    assert instants(found, "2026-01-12T04:58", 2) == ["2026-01-12T04:59", None]
    found = made("daily", NEW_YORK, start="2026-01-10")
    assert instants(found, "2025-06-01T00:00", 1) == ["2026-01-10T05:00"]


def test_from_and_until_with_a_time_are_moments_and_both_count():
    found = made("hourly", NEW_YORK, start="2026-01-10T09:00", until="2026-01-10T10:00")
    assert instants(found, "2025-06-01T00:00") == ["2026-01-10T14:00", "2026-01-10T15:00", None]
    found = made("hourly", NEW_YORK, start="2026-01-10T09:01", until="2026-01-10T09:59")
    assert instants(found, "2025-06-01T00:00", 1) == [None]


def test_bounds_where_the_clock_is_set():
    # 02:30 does not exist on 29 March 2026 in Berlin: it stands for 03:00, which is 01:00 UTC.
    found = made("* * * * *", "Europe/Berlin", start="2026-03-29T02:30")
    assert instants(found, "2026-03-28T00:00", 1) == ["2026-03-29T01:00"]
    # 02:30 exists twice on 25 October: it stands for the first.
    found = made("* * * * *", "Europe/Berlin", until="2026-10-25T02:30")
    assert instants(found, "2026-10-25T00:29", 2) == ["2026-10-25T00:30", None]
    # And the day is over when it is over: it has 25 hours.
    found = made("hourly", "Europe/Berlin", start="2026-10-25", until="2026-10-25")
    assert len(instants(found, "2026-10-01T00:00", 30)) == 26


def test_what_begins_later_is_asked_from_anywhere():
    found = made("interval_30m", start="2026-01-10")
    first = found.next_after(datetime(2020, 1, 1, tzinfo=UTC))
    assert first >= datetime(2026, 1, 10, tzinfo=UTC)
    assert found.next_after(datetime(2026, 1, 10, tzinfo=UTC) - timedelta(microseconds=1)) == first
    assert found.next_after(first) == first + timedelta(minutes=30)


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("2026-02-30", '"2026-02-30" is not a date: there is no such day or time'),
        ("2026-01-01T24:00", '"2026-01-01T24:00" is not a date: there is no such day or time'),
        ("1.1.2026", '"1.1.2026" is not a date; expected a date such as 2026-01-31, or with a time such as '
         "2026-01-31T09:00"),
        ("2026-01-01 09:00:30", '"2026-01-01 09:00:30" is not a date; expected a date such as 2026-01-31, or with a '
         'time such as 2026-01-31T09:00; it has no seconds and no offset, did you mean "2026-01-01T09:00"?'),
        ("9999-12-31", '"9999-12-31" is not a date between 1970 and 2999'),
        ("1969-12-31", '"1969-12-31" is not a date between 1970 and 2999'),
    ],
)  # fmt: skip
def test_what_is_no_moment(text, told):
    with pytest.raises(ValueError) as caught:
        moment_of(text)
    assert str(caught.value) == told


# -- days off ------------------------------------------------------------------------------------------------


def test_days_off_are_those_of_the_zone():
    found = made("hourly", NEW_YORK, skip=("weekends", "holidays/NYSE"))
    # Friday evening in New York is Saturday in UTC.
    assert found.off(datetime(2026, 7, 11, 3, tzinfo=UTC)) is None
    assert found.off(datetime(2026, 7, 11, 5, tzinfo=UTC)) == "weekend"
    assert found.off(datetime(2026, 4, 3, 14, tzinfo=UTC)) == "Good Friday (holidays/NYSE)"
    assert made("hourly").off(datetime(2026, 7, 11, tzinfo=UTC)) is None


def test_an_interval_rests_by_the_clock_of_its_zone_too():
    found = made("interval_1h", "Asia/Tokyo", skip=("2026-12-24",))
    assert found.off(datetime(2026, 12, 23, 15, tzinfo=UTC)) == "2026-12-24"
    assert found.off(datetime(2026, 12, 24, 15, tzinfo=UTC)) is None


def test_an_instant_with_jitter_is_judged_by_when_it_is_due():
    found = made("daily_at_23:59", skip=("weekends",), jitter=timedelta(hours=12))
    friday = datetime(2026, 7, 10, 23, 59, tzinfo=UTC)
    assert found.delay(friday) > timedelta(minutes=1)
    assert found.off(friday) is None
    sunday = datetime(2026, 7, 12, 23, 59, tzinfo=UTC)
    assert found.off(sunday) == "weekend"


def test_an_unknown_day_off_is_an_error():
    with pytest.raises(ValueError, match="there is no calendar"):
        made("daily", skip=("holidays/XX",))


# -- jitter --------------------------------------------------------------------------------------------------


@given(st.datetimes(timezones=st.just(UTC)), st.text(max_size=9), st.integers(0, 3) | st.integers(0, 43_200))
def test_jitter_is_at_most_what_it_says_and_always_the_same(instant, key, seconds):
    found = made("hourly", key=key, jitter=timedelta(seconds=seconds))
    delay = found.delay(instant)
    assert timedelta(0) <= delay <= timedelta(seconds=seconds)
    assert delay == made("hourly", key=key, jitter=timedelta(seconds=seconds)).delay(instant)


def test_jitter_spreads():
    instant = datetime(2026, 1, 1, tzinfo=UTC)
    delays = {made("hourly", key=str(n), jitter=timedelta(minutes=5)).delay(instant) for n in range(100)}
    assert len(delays) > 50
    assert max(delays) - min(delays) > timedelta(minutes=4)


def test_jitter_has_an_end():
    assert parse_jitter("12h") == timedelta(hours=12)
    with pytest.raises(ValueError, match='"12h1s" is too long; the jitter is at most 12h'):
        parse_jitter("12h1s")


# -- what never runs -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("schedule", "told"),
    [
        (Schedule("daily", start="2026-02-01", until="2026-01-31"),
         "it ends (2026-01-31) before it begins (2026-02-01)"),
        (Schedule("interval_1h", start="2026-02-01", until="2026-01-31"),
         "it ends (2026-01-31) before it begins (2026-02-01)"),
        (Schedule("weekly", start="2026-01-05", until="2026-01-10"),
         "it is never due from 2026-01-05 until 2026-01-10"),
        (Schedule("0 9 29 2 *", start="2026-01-01", until="2027-12-31"),
         "it is never due from 2026-01-01 until 2027-12-31"),
        (Schedule("weekly", skip=("weekends",)), "it never runs: each of its instants lies on a day that it skips"),
        (Schedule("*/5 * * * SAT", skip=("weekends",)),
         "it never runs: each of its instants lies on a day that it skips"),
        (Schedule("0 9 25 12 *", skip=("holidays/US",)),
         "it never runs: each of its instants lies on a day that it skips"),
        (Schedule("hourly", start="2026-07-04", until="2026-07-05", skip=("weekends",)),
         "it never runs: each of its instants lies on a day that it skips"),
    ],
)  # fmt: skip
def test_what_never_runs(schedule, told):
    with pytest.raises(ValueError) as caught:
        check(schedule)
    assert str(caught.value) == told


@pytest.mark.parametrize(
    "schedule",
    [
        Schedule("daily", start="2026-01-01", until="2026-01-01"),
        Schedule("weekly", start="2026-01-04", until="2026-01-04"),
        Schedule("daily", until="1999-01-01"),
        Schedule("* * * * *", start="2026-07-04", skip=("weekends",)),
        Schedule("0 9 4 7 *", skip=("weekends",)),
        # Whether there is an instant in these hours depends on the task's id.
        Schedule("interval_48h", start="2026-01-02T00:00", until="2026-01-02T01:00"),
        # In 2026 and 2027 all of these are weekends and observed days, in 2028 they are not.
        Schedule("0 9 3-5 7 *", skip=("weekends", "holidays/US")),
    ],
)
def test_what_runs_now_and_then(schedule):
    check(schedule)


# -- words ---------------------------------------------------------------------------------------------------


def test_in_words():
    whole = made(
        "0 9 * * 1-5", NEW_YORK, jitter=timedelta(minutes=5), skip=("holidays/NYSE", "2026-12-24"),
        start="2026-01-01", until="2026-12-31",
    )  # fmt: skip
    assert whole.in_words() == (
        "every weekday at 09:00 America/New_York, up to 5m later, except holidays/NYSE, 2026-12-24, from 2026-01-01, "
        "until 2026-12-31"
    )
    assert made("interval_2h").in_words() == "every 2 hours"
