"""Cron expressions: the local times they mean, the words of what is wrong, and how they are said."""

from __future__ import annotations

import re
import string
import sys
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime

import pytest
from cronsim import CronSim
from hypothesis import given, settings
from hypothesis import strategies as st

from stoma.scheduler import cron, patterns
from stoma.scheduler.cronwords import FIELDS, is_meant


def times(text: str, after: str, count: int = 3) -> list[str]:
    moment, found = datetime.fromisoformat(after), []
    for _ in range(count):
        moment = cron.parse(text).next(moment)
        found.append(f"{moment:%Y-%m-%d %H:%M}")
    return found


# -- what they mean ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("0 9 * * 1-5", ["2026-01-01 09:00", "2026-01-02 09:00", "2026-01-05 09:00"]),
        ("0 9 * * MON-FRI", ["2026-01-01 09:00", "2026-01-02 09:00", "2026-01-05 09:00"]),
        ("0 9 * jan,mar sun", ["2026-01-04 09:00", "2026-01-11 09:00", "2026-01-18 09:00"]),
        ("0 0 * * 7", ["2026-01-04 00:00", "2026-01-11 00:00", "2026-01-18 00:00"]),
        ("*/20 8 * * *", ["2026-01-01 08:00", "2026-01-01 08:20", "2026-01-01 08:40"]),
        ("5/25 0 * * *", ["2026-01-01 00:05", "2026-01-01 00:30", "2026-01-01 00:55"]),
        ("0 6-18/6 * * *", ["2026-01-01 06:00", "2026-01-01 12:00", "2026-01-01 18:00"]),
        ("0 0 L * *", ["2026-01-31 00:00", "2026-02-28 00:00", "2026-03-31 00:00"]),
        ("0 0 LW * *", ["2026-01-30 00:00", "2026-02-27 00:00", "2026-03-31 00:00"]),
        ("0 0 * * MON#2", ["2026-01-12 00:00", "2026-02-09 00:00", "2026-03-09 00:00"]),
        ("0 0 * * 5L", ["2026-01-30 00:00", "2026-02-27 00:00", "2026-03-27 00:00"]),
        ("0 0 29 2 *", ["2028-02-29 00:00", "2032-02-29 00:00", "2036-02-29 00:00"]),
        # A day of the month and of the week: either, except where one begins with a star.
        ("0 0 13 * 5", ["2026-01-02 00:00", "2026-01-09 00:00", "2026-01-13 00:00"]),
        ("0 0 */2 * 5", ["2026-01-09 00:00", "2026-01-23 00:00", "2026-02-13 00:00"]),
        ("0  0\t1 1 *", ["2027-01-01 00:00", "2028-01-01 00:00", "2029-01-01 00:00"]),
    ],
)
def test_what_an_expression_means(text, expected):
    assert times(text, "2026-01-01T00:00") == expected


def test_the_next_time_is_later_and_may_be_the_next_second():
    assert times("* * * * *", "2026-01-01T00:00:59.999999", 1) == ["2026-01-01 00:01"]
    assert times("* * * * *", "2026-01-01T00:01", 1) == ["2026-01-01 00:02"]


def test_the_calendar_ends():
    assert cron.parse("0 0 1 1 *").next(datetime(9999, 6, 1)) is None


@pytest.mark.parametrize(
    ("text", "follows_clock"),
    [("0 9 * * *", True), ("0-59 0-23 * * *", True), ("0/5 9 * * *", True), ("*/5 9 * * *", False),
     ("0 * * * *", False), ("0 */2 * * *", False), ("*,5 9 * * *", False)],
)  # fmt: skip
def test_a_star_in_minute_or_hour_follows_elapsed_time(text, follows_clock):
    assert cron.parse(text).follows_clock is follows_clock


@given(
    st.sampled_from(
        ["0 9 * * 1-5", "*/7 3-5 L * *", "0 0 29 2 *", "1 2 13 * 5", "0 0 * * MON#5", "* * LW * *"]
    ),
    st.datetimes(datetime(1990, 1, 1), datetime(2090, 1, 1)),
)
@settings(max_examples=300)
def test_a_copy_made_once_answers_as_one_made_anew(text, moment):
    expression = cron.parse(text)
    assert expression.next(moment) == next(CronSim(text, moment))
    # Asking changes nothing.
    assert expression.next(moment) == next(CronSim(text, moment))


def test_threads_may_share_an_expression():
    expression, moments = cron.parse("*/7 3-5 L * *"), [datetime(2000 + n % 50, 1, 1) for n in range(2_000)]
    before = sys.getswitchinterval()
    sys.setswitchinterval(0.000_001)
    try:
        with ThreadPoolExecutor(4) as threads:
            found = list(threads.map(expression.next, moments, chunksize=1))
    finally:
        sys.setswitchinterval(before)
    assert found == [moment.replace(day=31, hour=3) for moment in moments]


# -- what is wrong -------------------------------------------------------------------------------------------


def told(text: str) -> str:
    with pytest.raises(ValueError) as caught:
        patterns.parse(text)
    return str(caught.value)


NAMES = "minute, hour, day of the month, month, day of the week"
WEEKDAY = "0-7 (0 and 7 are Sunday), SUN-SAT, 5L (the last Friday), MON#2 (the second Monday)"


def field(text: str, name: str, allowed: str, more: str = "") -> str:
    return f'the {name} "{text}" is not allowed{more}; allowed: {allowed}, *, and lists, ranges and steps'


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("75 * * * *", field("75", "minute", "0-59")),
        ("0 9,25 * * *", field("25", "hour", "0-23")),
        ("0 24 * * *", field("24", "hour", "0-23") + '; did you mean "0 0 * * *"?'),
        ("0 0 15W * *", field("15W", "day of the month", "1-31, L (the last day), LW (the last weekday)")),
        ("0 0 1 13 *", field("13", "month", "1-12, JAN-DEC")),
        ("0 0 1 januar *", field("januar", "month", "1-12, JAN-DEC") + '; did you mean "0 0 1 JAN *"?'),
        ("0 9 * * monday", field("monday", "day of the week", WEEKDAY) + '; did you mean "0 9 * * MON"?'),
        ("0 9 * * MON#6", field("MON#6", "day of the week", WEEKDAY)),
        ("0 9 * * FRIL", field("FRIL", "day of the week", WEEKDAY) + '; did you mean "0 9 * * 5L"?'),
        ("0 9 * * fri#L", field("fri#L", "day of the week", WEEKDAY) + '; did you mean "0 9 * * 5L"?'),
        ("0 9 * * ?", field("?", "day of the week", WEEKDAY) + '; did you mean "0 9 * * *"?'),
        ("H * * * *", field("H", "minute", "0-59")),
        ("*/0 * * * *", field("*/0", "minute", "0-59")),
        ("0 9 * * 1,", field("", "day of the week", WEEKDAY)),
        ("0 9 * * fri-mon", field("fri-mon", "day of the week", WEEKDAY, "; a range cannot run backwards")
         + '; did you mean "0 9 * * FRI-SAT,SUN-MON"?'),
        ("0 9 * * 6-1", field("6-1", "day of the week", WEEKDAY, "; a range cannot run backwards")
         + '; did you mean "0 9 * * 6,0-1"?'),
        ("0 22-6 * * *", field("22-6", "hour", "0-23", "; a range cannot run backwards")
         + '; did you mean "0 22-23,0-6 * * *"?'),
        ("0 22-6/2 * * *", field("22-6/2", "hour", "0-23", "; a range cannot run backwards")
         + '; did you mean "0 22,0,2,4,6 * * *"?'),
        ("*/90 * * * *", 'the step of the minute "*/90" goes beyond its 60 values; for every 90 minutes write '
         "interval_90m"),
        ("0 */48 * * *", 'the step of the hour "*/48" goes beyond its 24 values; for every 48 hours write '
         "interval_48h"),
        ("0 9 1/40 * *", 'the step of the day of the month "1/40" goes beyond its 31 values'),
        ("5-5/10 * * * *", 'the step of the minute "5-5/10" has nowhere to go; write "5" alone'),
        ("0 0 9 * * MON-FRI", f"it has six fields, and a cron expression has exactly five ({NAMES}), no seconds and "
         'no year; did you mean "0 9 * * MON-FRI"?'),
        ("0 0 9 ? * MON-FRI", f"it has six fields, and a cron expression has exactly five ({NAMES}), no seconds and "
         'no year; did you mean "0 9 * * MON-FRI"?'),
        ("0 9 * * 1-5 2026", f"it has six fields, and a cron expression has exactly five ({NAMES}), no seconds and "
         'no year; did you mean "0 9 * * 1-5"?'),
        ("0 9 * * * root", f"it has six fields, and a cron expression has exactly five ({NAMES}), no seconds and "
         'no year; did you mean "0 9 * * *"?'),
        ("0 0 9 ? * 1 2026", f"it has seven fields, and a cron expression has exactly five ({NAMES}), no seconds and "
         'no year; did you mean "0 9 * * 1"?'),
        ("*/5", f'it has one field, and a cron expression has exactly five ({NAMES}); did you mean "*/5 * * * *"?'),
        ("0 9", f"it has two fields, and a cron expression has exactly five ({NAMES}); between [ ] or {{ }} a text "
         "with commas needs quotes"),
    ],
)  # fmt: skip
def test_what_is_wrong_is_said(text, message):
    assert told(text) == f'"{text}" is not a schedule: {message}'
    for meant in re.findall(r'did you mean "(.*)"', message):
        patterns.parse(meant)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("@daily", '; did you mean "daily"?'),
        ("@Midnight", '; did you mean "daily"?'),
        ("@monthly", '; did you mean "0 0 1 * *"?'),
        ("@every 30m", '; did you mean "interval_30m"?'),
        ("@reboot", "; a task with run_on_start: true runs each time the scheduler starts"),
        ("@fortnightly", '; names with @ are unknown, write five fields such as "0 9 * * 1-5"'),
    ],
)
def test_names_with_an_at(text, message):
    assert told(text) == f'"{text}" is not a schedule{message}'


@pytest.mark.parametrize("text", ["0 0 30 2 *", "0 0 31 2,4 *", "0 0 */31 * MON#5"])
def test_what_never_comes_is_no_schedule(text):
    assert told(text) == f'"{text}" is never due: no day within 50 years fits it'


@pytest.mark.parametrize(
    "text", ["every 2 hours", "5:30 pm", "30 m", "daily", "2026-01-01", "1,2", "run it daily at nine"]
)
def test_words_are_no_cron_expression(text):
    assert not is_meant(text)


CRONLIKE = st.text(string.digits + "*/,-#LWMONFRIJAN? @", max_size=30)
TERMS = st.lists(st.text(string.digits + "*/,-#LWSUNJAN?", min_size=1, max_size=6), min_size=4, max_size=7)


@given(CRONLIKE | TERMS.map(" ".join) | st.text(max_size=40))
@settings(max_examples=500, deadline=None)
def test_any_text_is_an_expression_or_a_sentence(text):
    told = []
    for parse in (cron.parse, patterns.parse):
        try:
            parse(text)
        except ValueError as error:
            told.append(str(error))
    assert all(sentence.isprintable() and len(sentence) < 900 for sentence in told)


def test_the_longest_expression():
    every_minute = ",".join(map(str, range(60)))
    assert cron.parse(f"{every_minute} * * * *").next(datetime(2026, 1, 1)) == datetime(2026, 1, 1, 0, 1)
    assert "at most 500 letters" in told(f"{every_minute} {'0,' * 500}0 * * *")


def test_only_letters_that_cron_knows():
    # In capitals this would be FRI and a digit.
    for text in ("0 9 * * frı", "² * * * *", "٣ * * * *"):
        told(text)


def test_the_fields_are_described():
    assert [about.name for about in FIELDS] == NAMES.split(", ")


# -- in words ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("* * * * *", "every minute"),
        ("*/15 * * * *", "every 15 minutes"),
        ("*/15 * * * mon", "every 15 minutes, on Monday"),
        ("*/15 9-17 * * 1-5", "every 15 minutes from 09:00 to 17:45, on weekdays"),
        ("*/20 8 * * *", "every 20 minutes from 08:00 to 08:40"),
        ("0 * * * *", "every full hour"),
        ("5 * * * *", "every hour at minute 5"),
        ("0 */2 * * *", "every 2 hours"),
        ("15 */4 * * *", "every 4 hours at minute 15"),
        ("00 09 * * *", "every day at 09:00"),
        ("0 9,17 * * *", "every day at 09:00 and 17:00"),
        ("0,30 8-9 * * *", "every day at 08:00, 08:30, 09:00 and 09:30"),
        ("0 9 * * 1-5", "every weekday at 09:00"),
        ("0 9 * * MON-FRI", "every weekday at 09:00"),
        ("0 9 * * 0,6", "every Saturday and Sunday at 09:00"),
        ("0 9 * * 1-7", "every day at 09:00"),
        ("0 9 * * 5-7", "every Friday, Saturday and Sunday at 09:00"),
        ("0 9 1,15 * *", "on days 1 and 15 of each month at 09:00"),
        ("0 9 L * *", "on the last day of each month at 09:00"),
        ("0 9 LW * *", "on the last weekday of each month at 09:00"),
        ("0 9 * * MON#2", "on the second Monday of each month at 09:00"),
        ("0 9 * * 5L", "on the last Friday of each month at 09:00"),
        ("0 0 29 feb *", "every year on 29 February at 00:00"),
        # What would take more words than the expression.
        ("*/7 * * * *", None),
        ("0 */5 * * *", None),
        ("0/15 * * * *", None),
        ("0 9 1 * 1", None),
        ("0 9 * 6-8 *", None),
        ("0 9 * * */2", None),
        ("0,10,20,30,40 9 * * *", None),
        ("0 9 */2 * *", None),
    ],
)
def test_in_words(text, words):
    assert cron.parse(text).in_words() == words
    assert (
        patterns.describe(patterns.parse(text, "Europe/Berlin")) == f"{words or f'cron {text}'} Europe/Berlin"
    )
