"""Due instants, held against an oracle that walks through the minutes one by one."""

from __future__ import annotations

import contextlib
import subprocess
import sys
import time
from datetime import UTC, datetime, timedelta
from functools import cache
from itertools import pairwise
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stoma.scheduler.patterns import describe, parse, parse_duration, zone_of

MINUTE, HOUR, DAY = timedelta(minutes=1), timedelta(hours=1), timedelta(days=1)
ZONES = [
    "UTC",
    "Europe/Berlin",
    "Europe/London",
    "America/New_York",
    "America/St_Johns",  # half an hour off, and for years its clocks changed one minute after midnight
    "America/Havana",  # the clock is set at midnight
    "America/Santiago",  # and here just before it
    "Asia/Kathmandu",  # 5:45 ahead, no daylight saving
    "Asia/Beirut",
    "Africa/Casablanca",  # daylight saving the other way round, suspended in Ramadan
    "Africa/Juba",
    "Australia/Lord_Howe",  # half an hour of daylight saving
    "Pacific/Chatham",
    "Pacific/Apia",  # no 30 December 2011
]
WALL_CLOCK = [
    *(f"daily_at_{h:02d}:{m:02d}" for h in range(24) for m in (0, 1, 15, 30, 59)),
    "daily",
    "weekly",
]
CRON = [
    "30 2 * * *",
    "0,30 0-3 * * 0",
    "0-59 * * * *",
    "*/7 2 * * *",
    "30 */2 * * 6,7",
    "15 2 L * *",
    "* 0 1 1 *",
]


# -- the oracle ----------------------------------------------------------------------------------------------


@cache
def transitions(zone: str) -> tuple[datetime, ...]:
    """The hours from 2000 to 2030 in which a zone's clock is set."""
    info, moment, found = ZoneInfo(zone), datetime(2000, 1, 1, tzinfo=UTC), []
    while moment.year < 2031:
        if moment.astimezone(info).utcoffset() != (moment + DAY).astimezone(info).utcoffset():
            hours = (moment + number * HOUR for number in range(24))
            found += [
                h for h in hours if h.astimezone(info).utcoffset() != (h + HOUR).astimezone(info).utcoffset()
            ]
        moment += DAY
    return tuple(found)


@cache
def minutes(zone: str, around: datetime) -> list[tuple[datetime, datetime]]:
    """Each minute of nine days around a moment: in UTC, and as the zone's clock shows it."""
    info, start = ZoneInfo(zone), around.replace(minute=0, second=0, microsecond=0) - 5 * DAY
    walk = (start + number * MINUTE for number in range(9 * 24 * 60))
    return [(moment, moment.astimezone(info).replace(tzinfo=None)) for moment in walk]


def expected(text: str, zone: str, around: datetime) -> list[datetime]:
    """The due instants of the last seven of the nine days, by the rule of the docs."""
    walk = minutes(zone, around)
    if text == "hourly":
        due = [moment for moment, local in walk if local.minute == 0]
    else:
        due = due_by_the_clock(text, walk)
    return [moment for moment in due if moment > walk[0][0] + 2 * DAY]


def due_by_the_clock(text: str, walk: list[tuple[datetime, datetime]]) -> list[datetime]:
    at = (0, 0) if text in {"daily", "weekly"} else tuple(map(int, text.removeprefix("daily_at_").split(":")))

    def is_meant(local: datetime) -> bool:
        return (local.hour, local.minute) == at and (text != "weekly" or local.weekday() == 6)

    due, seen = [], set()
    for (_, before), (moment, local) in pairwise(walk):
        # Minutes that the clock jumps over are due now; a minute shown for the second time is not.
        shown = [before + number * MINUTE for number in range(1, max(1, (local - before) // MINUTE))]
        meant = [minute for minute in [*shown, local] if is_meant(minute) and minute not in seen]
        seen.update(meant)
        if meant:
            due.append(moment)
    return due


def computed(text: str, zone: str, around: datetime) -> list[datetime]:
    start = minutes(zone, around)[0][0] + 2 * DAY
    end = minutes(zone, around)[-1][0]
    pattern, found = parse(text, zone), []
    moment = pattern.next_after(start)
    while moment is not None and moment <= end:
        found.append(moment)
        moment = pattern.next_after(moment)
    return found


@given(st.data())
@settings(max_examples=80)
def test_due_instants_around_changes_of_the_clock(data):
    zone = data.draw(st.sampled_from([zone for zone in ZONES if transitions(zone)]))
    around = data.draw(st.sampled_from(transitions(zone)))
    text = data.draw(st.sampled_from([*WALL_CLOCK, "hourly"]))
    assert computed(text, zone, around) == expected(text, zone, around)


@pytest.mark.parametrize("zone", ZONES)
@pytest.mark.parametrize("text", ["hourly", "daily", "weekly", "daily_at_01:30", "daily_at_02:30"])
def test_due_instants_on_ordinary_days(zone, text):
    around = datetime(2026, 6, 15, tzinfo=UTC)
    assert computed(text, zone, around) == expected(text, zone, around)


@given(
    st.sampled_from(["hourly", "weekly", "interval_7m", "interval_5h", *CRON, *WALL_CLOCK]),
    st.sampled_from(ZONES),
    st.datetimes(datetime(1990, 1, 1), datetime(2037, 1, 1), timezones=st.just(UTC)),
    st.text(max_size=5),
)
@settings(max_examples=300)
def test_next_is_strictly_later_and_nothing_lies_between(text, zone, moment, key):
    pattern = parse(text, zone, key)
    found = pattern.next_after(moment)
    assert found is not None
    assert found > moment
    assert found.tzinfo is UTC
    # Whoever asks from any moment on the way is given the same instant.
    assert pattern.next_after(moment + (found - moment) / 2) == found
    assert pattern.next_after(found - timedelta(microseconds=1)) == found


# -- single cases, as the docs tell them ---------------------------------------------------------------------


def next_three(text: str, zone: str, after: str) -> list[str]:
    pattern, moment, found = parse(text, zone), datetime.fromisoformat(after), []
    for _ in range(3):
        moment = pattern.next_after(moment)
        found.append(moment.astimezone(ZoneInfo(zone)).isoformat())
    return found


def test_a_time_in_the_gap_runs_at_its_end():
    # given the night of 29 March 2026, in which Berlin goes from 02:00 to 03:00
    assert next_three("daily_at_02:30", "Europe/Berlin", "2026-03-28T12:00+00:00") == [
        "2026-03-29T03:00:00+02:00",
        "2026-03-30T02:30:00+02:00",
        "2026-03-31T02:30:00+02:00",
    ]


def test_a_time_that_comes_twice_runs_once_at_its_first():
    assert next_three("daily_at_02:30", "Europe/Berlin", "2026-10-24T12:00+00:00") == [
        "2026-10-25T02:30:00+02:00",
        "2026-10-26T02:30:00+01:00",
        "2026-10-27T02:30:00+01:00",
    ]


def test_times_of_one_cron_in_the_gap_become_one():
    assert next_three("0-59/10 2 * * *", "Europe/Berlin", "2026-03-29T00:50+00:00") == [
        "2026-03-29T03:00:00+02:00",
        "2026-03-30T02:00:00+02:00",
        "2026-03-30T02:10:00+02:00",
    ]
    assert next_three("0,30 2,3 * * *", "Europe/Berlin", "2026-03-29T00:50+00:00") == [
        "2026-03-29T03:00:00+02:00",
        "2026-03-29T03:30:00+02:00",
        "2026-03-30T02:00:00+02:00",
    ]


def test_a_cron_asked_inside_a_repeated_hour_does_not_answer_the_past():
    # 02:10 of the second time; 02:30 has been shown before.
    assert (
        next_three("30 2 * * *", "Europe/Berlin", "2026-10-25T01:10+00:00")[0] == "2026-10-26T02:30:00+01:00"
    )
    assert next_three("*/20 2,3 25 10 *", "Europe/Berlin", "2026-10-25T00:30+00:00") == [
        "2026-10-25T02:40:00+02:00",
        "2026-10-25T02:00:00+01:00",
        "2026-10-25T02:20:00+01:00",
    ]
    assert next_three("0/20 2,3 25 10 *", "Europe/Berlin", "2026-10-25T00:30+00:00") == [
        "2026-10-25T02:40:00+02:00",
        "2026-10-25T03:00:00+01:00",
        "2026-10-25T03:20:00+01:00",
    ]


def test_a_cron_with_a_star_runs_whenever_the_clock_shows_it():
    # Never between two and three in the gap, and in both hours of the fold.
    assert next_three("*/30 2 * * *", "Europe/Berlin", "2026-03-28T12:00+00:00") == [
        "2026-03-30T02:00:00+02:00",
        "2026-03-30T02:30:00+02:00",
        "2026-03-31T02:00:00+02:00",
    ]
    assert next_three("30 * * * *", "Europe/Berlin", "2026-10-25T00:00+00:00") == [
        "2026-10-25T02:30:00+02:00",
        "2026-10-25T02:30:00+01:00",
        "2026-10-25T03:30:00+01:00",
    ]
    # A whole year lies between the answer by the clock and the moment, and the fold is still not missed.
    assert (
        next_three("*/30 1 25 10 *", "Atlantic/Azores", "2026-10-25T00:30+00:00")[0]
        == "2026-10-25T01:00:00-01:00"
    )
    assert next_three("*/30 0 25 10 *", "Atlantic/Azores", "2026-10-25T00:45+00:00") == [
        "2026-10-25T00:00:00-01:00",
        "2026-10-25T00:30:00-01:00",
        "2027-10-25T00:00:00+00:00",
    ]


def test_half_an_hour_of_daylight_saving_in_a_cron():
    # Lord Howe shows 01:30 to 02:00 twice on 5 April 2026, and never 02:00 to 02:30 on 4 October.
    assert next_three("*/15 2 * * *", "Australia/Lord_Howe", "2026-04-04T14:50+00:00") == [
        "2026-04-05T02:00:00+10:30",
        "2026-04-05T02:15:00+10:30",
        "2026-04-05T02:30:00+10:30",
    ]
    assert next_three("*/15 2 * * *", "Australia/Lord_Howe", "2026-10-03T12:00+00:00") == [
        "2026-10-04T02:30:00+11:00",
        "2026-10-04T02:45:00+11:00",
        "2026-10-05T02:00:00+11:00",
    ]


def test_a_midnight_that_the_clock_skips():
    # Havana goes from 00:00 to 01:00: the first runs at one, the second has no midnight hour that day.
    assert (
        next_three("0 0 * * *", "America/Havana", "2026-03-07T12:00+00:00")[0] == "2026-03-08T01:00:00-04:00"
    )
    assert (
        next_three("*/20 0 * * *", "America/Havana", "2026-03-07T12:00+00:00")[0]
        == "2026-03-09T00:00:00-04:00"
    )


def test_a_cron_that_has_no_more_days():
    assert parse("0 0 1 1 *").next_after(datetime(9999, 6, 1, tzinfo=UTC)) is None
    assert parse("*/5 0 1 1 *", "Asia/Tokyo").next_after(datetime(9999, 6, 1, tzinfo=UTC)) is None


def test_next_after_takes_little_time():
    # 100,000 tasks are asked at each start: an answer takes microseconds, not milliseconds.
    found = [parse(f"{n % 60} {n % 24} * * 1-5", "America/New_York") for n in range(2000)]
    moment, began = datetime(2026, 3, 1, tzinfo=UTC), time.process_time()
    for pattern in found:
        pattern.next_after(moment)
    assert time.process_time() - began < 2000 * 0.000_3


def test_hourly_counts_elapsed_hours_through_a_repeated_one():
    assert next_three("hourly", "Europe/Berlin", "2026-10-24T23:30+00:00") == [
        "2026-10-25T02:00:00+02:00",
        "2026-10-25T02:00:00+01:00",
        "2026-10-25T03:00:00+01:00",
    ]


def test_hourly_is_the_full_hour_of_the_local_clock():
    assert parse("hourly", "Asia/Kathmandu").next_after(datetime(2026, 1, 1, tzinfo=UTC)) == datetime(
        2026, 1, 1, 0, 15, tzinfo=UTC
    )


def test_half_an_hour_of_daylight_saving():
    # Lord Howe goes back from 02:00 to 01:30, so an hour and a half pass between two full hours.
    assert next_three("hourly", "Australia/Lord_Howe", "2026-04-04T13:30+00:00") == [
        "2026-04-05T01:00:00+11:00",
        "2026-04-05T02:00:00+10:30",
        "2026-04-05T03:00:00+10:30",
    ]


def test_a_day_that_does_not_exist_gives_one_instant_with_the_next():
    # Samoa went from 29 to 31 December 2011.
    assert next_three("daily", "Pacific/Apia", "2011-12-29T00:00-10:00") == [
        "2011-12-31T00:00:00+14:00",
        "2012-01-01T00:00:00+14:00",
        "2012-01-02T00:00:00+14:00",
    ]


def test_weekly_is_sunday_at_midnight():
    assert parse("weekly").next_after(datetime(2026, 11, 23, tzinfo=UTC)) == datetime(
        2026, 11, 29, tzinfo=UTC
    )


def test_nothing_is_due_after_the_end_of_time():
    last = datetime.max.replace(tzinfo=UTC)
    for text in ("hourly", "daily", "weekly", "interval_30m"):
        assert parse(text).next_after(last) is None
        assert parse(text, "Europe/Berlin").next_after(last) is None


# -- intervals -----------------------------------------------------------------------------------------------


def test_an_interval_does_not_move_with_the_moment_one_asks():
    pattern = parse("interval_30m", key="papers")
    first = pattern.next_after(datetime(2026, 1, 1, tzinfo=UTC))
    assert pattern.next_after(first) == first + 30 * MINUTE
    assert pattern.next_after(first + MINUTE) == first + 30 * MINUTE
    # Daylight saving is nothing to it.
    assert parse("interval_30m", "Europe/Berlin", "papers").next_after(first) == first + 30 * MINUTE


def test_intervals_of_many_tasks_are_spread():
    start = datetime(2026, 1, 1, tzinfo=UTC)
    due = {parse("interval_1h", key=f"task_{number}").next_after(start) for number in range(1000)}
    assert len(due) > 800
    assert len({moment.minute for moment in due}) == 60


def test_without_a_key_intervals_are_counted_from_the_epoch():
    assert parse("interval_2h").next_after(datetime(2026, 1, 1, 0, 1, tzinfo=UTC)).hour == 2


def test_the_phase_is_the_same_in_every_process():
    program = (
        "from datetime import *; from stoma.scheduler.patterns import parse; "
        "print(parse('interval_6h', key='papers').next_after(datetime(2026, 1, 1, tzinfo=UTC)))"
    )
    answers = {
        subprocess.run(
            [sys.executable, "-c", program], env={"PYTHONHASHSEED": seed, "PYTHONPATH": ":".join(sys.path)},
            capture_output=True, text=True, check=True,
        ).stdout
        for seed in ("1", "2")
    }  # fmt: skip
    assert answers == {"2026-01-01 02:47:10.866000+00:00\n"}


# -- words ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "zone", "words"),
    [
        ("hourly", "UTC", "every full hour UTC"),
        ("daily", "UTC", "every day at 00:00 UTC"),
        ("weekly", "America/New_York", "every Sunday at 00:00 America/New_York"),
        ("daily_at_09:00", "Europe/Berlin", "every day at 09:00 Europe/Berlin"),
        ("interval_30m", "UTC", "every 30 minutes"),
        ("interval_60m", "UTC", "every hour"),
        ("interval_1m", "UTC", "every minute"),
        ("interval_2h", "UTC", "every 2 hours"),
    ],
)
def test_in_words(text, zone, words):
    assert describe(parse(text, zone)) == words


@pytest.mark.parametrize(
    ("text", "meant"),
    [
        ("10:30", "daily_at_10:30"),
        ("9:05", "daily_at_09:05"),
        ("daily_at_9:00", "daily_at_09:00"),
        ("daily_at_09:00 ", "daily_at_09:00"),
        ("5:30 pm", "daily_at_17:30"),
        ("24:00", "daily"),
        ("25:00", None),
        ("30m", "interval_30m"),
        ("every 2 hours", "interval_2h"),
        ("interval_30min", "interval_30m"),
        ("interval_2d", "interval_48h"),
        ("interval_2h30m", "interval_150m"),
        ("interval_1h30", "interval_90m"),
        ("every 1h60min", "interval_2h"),
        ("2h30m", "interval_150m"),
        ("9h30", "daily_at_09:30"),
        ("interval_0h0m", None),
        ("Daily", "daily"),
        ("dayly", "daily"),
        ("weekley", "weekly"),
        ("every day", "daily"),
        ("weekdays at 9:00", '"0 9 * * 1-5"'),
        ("Monday and Friday, 17:30", '"30 17 * * MON,FRI"'),
        ("", None),
    ],
)
def test_the_nearest_form_is_proposed(text, meant):
    allowed = (
        "allowed: hourly, daily, weekly, daily_at_HH:MM, interval_30m, interval_2h, or five cron fields such as "
        "0 9 * * 1-5"
    )
    proposed = f"; did you mean {meant}?" if meant else ""
    with pytest.raises(ValueError) as caught:
        parse(text)
    assert str(caught.value) == f'"{text}" is not a schedule; {allowed}{proposed}'
    if meant:
        parse(meant.strip('"'))


@given(st.text())
def test_any_text_is_a_schedule_or_a_sentence(text):
    with contextlib.suppress(ValueError):
        parse(text)


@pytest.mark.parametrize("text", ["interval_0m", "interval_0h", "interval_999999h"])
def test_intervals_have_bounds(text):
    with pytest.raises(ValueError, match="at least 1m and at most 366 days"):
        parse(text)


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("30s", 30),
        ("10m", 600),
        ("2h", 7200),
        ("4d", 345600),
        ("1h30m", 5400),
        ("0s", 0),
        ("1d2h3m4s", 93784),
    ],
)
def test_durations(text, seconds):
    assert parse_duration(text) == timedelta(seconds=seconds)


@pytest.mark.parametrize("text", ["", "10", "10 m", "-1s", "1.5h", "30m1h", "1w", "10M", "٣s"])
def test_what_is_no_duration(text):
    with pytest.raises(ValueError, match="expected one such as 30s, 10m, 2h or 1d"):
        parse_duration(text)


def test_durations_have_an_end():
    with pytest.raises(ValueError, match="longer than ten years"):
        parse_duration("999999999d")


def test_unknown_zones():
    with pytest.raises(ValueError, match='did you mean "Europe/Berlin"'):
        parse("daily", "Europe/Berln")
    for name in ("", "..", "/etc/passwd", "Europe", "a\0b", "x" * 1000):
        with pytest.raises(ValueError, match="is not a time zone"):
            zone_of(name)
