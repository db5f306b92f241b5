"""Conditions: what may be written, what it comes to, and what a hostile hand can do with it."""

from __future__ import annotations

import ast
import sys
import threading
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta, tzinfo
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from stoma.scheduler.base import TaskStatus
from stoma.scheduler.conditions import Condition, Verdict, parse
from stoma.scheduler.grammar import LONGEST

# A Thursday, 20:05 in UTC.
AT = datetime(2026, 12, 24, 20, 5, tzinfo=UTC)
BEFORE = AT - timedelta(hours=7)
UPSTREAM = {"task": "papers", "status": TaskStatus.COMPLETED, "seen": 40, "new": 2, "changed": 0}


def ask(
    text: str,
    *,
    at: datetime = AT,
    zone: tzinfo = UTC,
    last_run: datetime | None = BEFORE,
    upstream: Any = UPSTREAM,
) -> Verdict:
    return parse(text).holds(at, AT, zone, last_run, upstream)


@pytest.mark.parametrize(
    ("text", "holds"),
    [
        ("9 <= hour <= 17", False),
        ("hour == 20 and minute == 5", True),
        ("weekday == thu", True),
        ("weekday in (sat, sun)", False),
        ("weekday not in [mon, tue, -1]", True),
        ("day == 24 and month == 12", True),
        ('date == "2026-12-24"', True),
        ("date >= '2026-12' and not date > '2026-12-24'", True),
        ('"-12-24" in date', True),
        ('date in ("2026-12-24", "2026-12-25")', True),
        ("day % 2 == 0", True),
        ("hour // 6 == 3 and hour * 2 - 1 + 1 == 40", True),
        ("-hour == -20 and +hour > .5", True),
        ("last_run is None", False),
        ("last_run is None or now - last_run > hours(6)", True),
        ("now - last_run > hours(7)", False),
        ("now - last_run >= hours(7)", True),
        ("now - hours(7) == last_run and last_run < now - minutes(1.5)", True),
        ("days(1) == hours(24)", True),
        ("upstream is not None and upstream.new > 0", True),
        ('upstream.task == "papers" and upstream.status == "completed"', True),
        ("upstream.seen - upstream.new - upstream.changed == 38", True),
        ("True", True),
        ("not not False", False),
        ("(hour > 3) == True", True),
        ("hour\n  > 3", True),
    ],
)
def test_what_it_comes_to(text: str, holds: bool) -> None:
    verdict = ask(text)
    assert verdict.holds is holds
    assert f" is {str(holds).lower()}" in verdict.told


def test_the_clock_is_that_of_the_zone() -> None:
    tokyo = ZoneInfo("Asia/Tokyo")
    assert ask('hour == 5 and weekday == fri and date == "2026-12-25"', zone=tokyo).holds
    # The repeated hour: both are half past two there.
    berlin = ZoneInfo("Europe/Berlin")
    for hour in (0, 1):
        at = datetime(2026, 10, 25, hour, 30, tzinfo=UTC)
        assert ask("hour == 2 and minute == 30", at=at, zone=berlin).holds


@pytest.mark.parametrize(
    ("text", "last_run", "upstream", "told"),
    [
        ("9 <= hour <= 17", BEFORE, None, "when: 9 <= hour <= 17 is false (hour=20)"),
        ("hour > 3 and hour < mon", BEFORE, None, "when: hour > 3 and hour < mon is false (hour=20)"),
        ('date != "x"', BEFORE, None, 'when: date != "x" is true (date="2026-12-24")'),
        ("True", BEFORE, None, "when: True is true"),
        (
            "now - last_run > hours(8)", BEFORE, None,
            "when: now - last_run > hours(8) is false (now=2026-12-24T20:05:00Z, last_run=2026-12-24T13:05:00Z)",
        ),
        (
            "last_run < now", None, None,
            "when: last_run < now does not hold: there was no run yet (last_run=None, now=2026-12-24T20:05:00Z)",
        ),
        (
            "now - last_run > hours(8)", None, None,
            "when: now - last_run > hours(8) does not hold: there was no run yet"
            " (now=2026-12-24T20:05:00Z, last_run=None)",
        ),
        (
            "upstream.new > 0", BEFORE, None,
            "when: upstream.new > 0 does not hold: the run follows no other (upstream=None)",
        ),
        (
            "upstream.new > 3 or upstream.changed > 3", BEFORE, UPSTREAM,
            "when: upstream.new > 3 or upstream.changed > 3 is false (upstream.new=2, upstream.changed=0)",
        ),
        (
            'upstream is None or upstream.task != "papers"', BEFORE, UPSTREAM,
            'when: upstream is None or upstream.task != "papers" is false'
            ' (upstream="papers", upstream.task="papers")',
        ),
        (
            "upstream.new > 0", BEFORE, {},
            "when: upstream.new > 0 does not hold: None is neither more nor less than anything"
            " (upstream.new=None)",
        ),
        (
            'upstream.status == "x"', BEFORE, {"status": 3},
            'when: upstream.status == "x" does not hold: a number cannot be compared with a text'
            " (upstream.status=3)",
        ),
    ],
)  # fmt: skip
def test_what_it_tells(text: str, last_run: datetime | None, upstream: Any, told: str) -> None:
    verdict = ask(text, last_run=last_run, upstream=upstream)
    assert verdict == Verdict("is true" in told, told)


def test_what_it_tells_is_short() -> None:
    told = ask(f'upstream.task == "{"x" * 400}"', upstream={"task": "y" * 10_000}).told
    assert len(told) < 400


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("", "a condition is empty; expected one such as 9 <= hour <= 17"),
        ("hour > 3 " + "or hour > 3 " * 60, "at most 500 letters"),
        # How it is written.
        ("hour >", "a condition cannot be read: it ends too early (column 7)"),
        ("hour > > 3", "a condition cannot be read: invalid syntax (column 8)"),
        ('"ä" == date date', "(column 13)"),
        ('"\ud800" == date', "a condition cannot be read: there are letters in it that are none"),
        ("hour = 9", '"=" has no place in a condition; did you mean "=="? (column 6)'),
        ("hour > 9 && minute > 3", '"&&" has no place in a condition; did you mean "and"? (column 10)'),
        ("hour / 2 > 3", '"/" has no place in a condition; did you mean "//"? (column 6)'),
        ("2 ** 8 > 3", '"**" has no place in a condition (column 3)'),
        ("hour >= 09", '"09" is not a number; write plain digits without a leading zero (column 9)'),
        ("hour > 9and minute > 3", '"9and" is not a number'),
        ("hour > 0x10", '"0x10" is not a number'),
        ("hour > 1e3", '"1e3" is not a number'),
        ("hour > 1.and True", '"1" is not a number'),
        ('date == "abc', "a text without an end, or with a backslash in it (column 9)"),
        (r'date == "\x41"', "a text without an end, or with a backslash in it (column 9)"),
        ('f"{hour}" == "3"', '"f" must not touch the text behind it (column 1)'),
        ("hour > 3 # why", '"#" has no place in a condition (column 10)'),
        ("hour > ９", '"９" is not a number'),
        # Names.
        ("hourr > 3", 'unknown name "hourr"; did you mean "hour"? (column 1)'),
        ('"ää" == date and hourr > 3', 'did you mean "hour"? (column 18)'),
        ("true", 'unknown name "true"; did you mean "True"? (column 1)'),
        ("minute > 3 and zzz", 'unknown name "zzz"; known are hour, minute, weekday, day, month, date,'),
        ("upstream.neww > 1", 'upstream has no "neww"; did you mean "new"? (column 1)'),
        ("upstream.__class__ is None", 'upstream has no "__class__"; it has task, status, seen, new and changed'),
        ("hours > 3", '"hours" is a function (write hours(2)) (column 1)'),
        # Forms.
        ("now.year > 3", 'only "upstream" has members (column 1)'),
        ("upstream.task.upper == 3", 'only "upstream" has members'),
        ("print(1)", "only minutes(n), hours(n) and days(n) can be called, with one number each (column 1)"),
        ("hours(1, 2) > hours(3)", "only minutes(n), hours(n) and days(n) can be called"),
        ("hours(*(1, 2)) > hours(3)", "this has no place in a condition (column 7)"),
        ("upstream.task(1)", "only minutes(n), hours(n) and days(n) can be called"),
        ("[hour for hour in (1, 2)]", "this has no place in a condition (column 1)"),
        ("hour if hour else 3", "this has no place in a condition"),
        ("date[0] == 3", "this has no place in a condition"),
        ("... is None", "this has no place in a condition"),
        ("hour << 3 > 4", "this has no place in a condition"),
        ("hour is 9", '"is" compares with None only (write "==") (column 1)'),
        ("hour in (1, weekday)", "a list may hold numbers, texts and days only (column 9)"),
        ("hour in (1, (2, 3))", "a list may hold numbers, texts and days only"),
        ("hour % minute == 0", 'to the right of "//" or "%" must be a plain number other than 0'),
        ("hour % 0 == 0", 'to the right of "//" or "%" must be a plain number other than 0'),
        ("-" * 30 + "1 > 2", "more than 20 levels of nesting (column 20)"),
        # Kinds.
        ('hour < "9"', 'a number cannot be compared with a text: hour < "9" (column 1)'),
        ('hour == "9"', "a number cannot be compared with a text"),
        ('hour in (9, "10")', "a number cannot be compared with a text"),
        ("hour in (" + ", ".join(map(str, range(24))) + ', "24")', "a number cannot be compared with a text"),
        ("date in (9, 10)", "a text cannot be compared with a number"),
        ("hour in 9", '"in" looks into a list, not into a number'),
        ('hour > 3 or hour < "9"', 'a number cannot be compared with a text: hour < "9" (column 13)'),
        ('99 < hour < "9"', "a number cannot be compared with a text"),
        ('hour > 99 and (minute > 3 or "a" < 3)', 'a text cannot be compared with a number: "a" < 3 (column 30)'),
        ("hour < None", "None is neither more nor less than anything"),
        ("(1, 2) < (2, 3)", "a list is neither more nor less than anything"),
        ("upstream == 3", "a run cannot be compared with a number"),
        ("True + True == 2", "a number is needed here, not True or False"),
        ('"a" * 1000 == date', 'a number is needed here, not a text: "a" * 1000 (column 1)'),
        ('"%s" % 3 == date', "a number is needed here, not a text"),
        ('"a" + "b" == date', "a number is needed here, not a text"),
        ("last_run + hours(6) < now", "a number is needed here, not an instant: last_run + hours(6)"),
        ("hours(2) > 2", "a span of time cannot be compared with a number"),
        ("hours(now) > hours(2)", "a number is needed here, not an instant"),
        ("hours(None) > hours(2)", "None is not a number"),
        ("days(36526) > hours(2)", "a span of time is at most a hundred years"),
        ("hour > 1000000000000001", "this number is too large (column 8)"),
        (" * ".join(["999999999"] * 9) + " > 3", "a number is too large"),
        ("not hour", '"not" needs True or False, not a number: not hour'),
        # Where a decision is needed.
        ("hour", "hour is a number, where True or False is needed (column 1)"),
        ("now - last_run", "now - last_run is a span of time, where True or False is needed"),
        ("hour > 3 and minute", "minute is a number, where True or False is needed (column 14)"),
        ("upstream and upstream.new > 3", "upstream is a run, where True or False is needed (column 1)"),
        ("last_run or hour > 3", "last_run is an instant, where True or False is needed (column 1)"),
        ("None", "None is None, where True or False is needed"),
    ],
)  # fmt: skip
def test_what_is_no_condition(text: str, fault: str) -> None:
    with pytest.raises(ValueError) as raised:
        parse(text)
    assert fault in str(raised.value)
    assert "\n" not in str(raised.value)
    assert len(str(raised.value)) < 400


def test_a_result_that_is_no_decision_does_not_hold() -> None:
    # Nothing that `parse` lets through comes to this; the rule stands in `holds` all the same.
    for text, kind in (("hour", "a number"), ("last_run", "None"), ("1", "a number")):
        tree = ast.parse(text, mode="eval").body
        verdict = Condition(text, (), tree).holds(AT, AT, UTC, None, None)
        assert verdict == Verdict(False, f"when: {text} is not True but {kind}")


def test_strange_values_do_not_stop_a_schedule() -> None:
    class Odd(dict[str, Any]):
        def get(self, key: str, default: Any = None) -> Any:
            raise RuntimeError("no")

    assert (
        ask("upstream.new > 3", upstream=Odd()).told
        == "when: upstream.new > 3 cannot be evaluated: RuntimeError"
    )
    first = datetime.min.replace(tzinfo=UTC)
    told = parse("now - days(9) > last_run").holds(AT, first, UTC, AT, None).told
    assert "does not hold: no calendar reaches that far" in told
    assert not ask("hour > 30", at=first, zone=ZoneInfo("America/New_York")).holds
    assert (
        "cannot be evaluated"
        in parse("now > last_run").holds(AT, AT, UTC, AT.replace(tzinfo=None), None).told
    )


def test_many_threads_ask_at_once(switching: None) -> None:
    wrong: list[int] = []

    def work(hour: int) -> None:
        condition, at = parse(f"hour == {hour}"), AT.replace(hour=hour)
        wrong.extend(n for n in range(300) if not condition.holds(at, at, UTC, None, None).holds)

    threads = [threading.Thread(target=work, args=(hour,)) for hour in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert wrong == []


@pytest.fixture
def switching() -> Iterator[None]:
    """Threads take turns at every step."""
    before = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    yield
    sys.setswitchinterval(before)


# -- hostile hands -----------------------------------------------------------------------------------------------

WORDS = [
    "hour", "minute", "weekday", "day", "date", "now", "last_run", "upstream", "upstream.new", "upstream.task",
    "upstream.__class__", ".__class__", ".real", "minutes", "hours(6)", "days", "(", ")", "[", "]", ",", "{", "}",
    "and", "or", "not", "in", "is", "if", "else", "for", "lambda", "await", "yield", "import", "==", "!=", "<",
    "<=", ">", ">=", "+", "-", "*", "**", "/", "//", "%", "@", "~", "^", "&", "|", "<<", ":=", "=", ":", ".", "...",
    "0", "1", "9", "1.5", "10**9", "999999999", "1e308", "1j", '"a"', "'a'", '"""', 'f"{hour}"', 'b"a"', '"%s"',
    "True", "False", "None", "mon", "sun", "eval", "__import__", "\\", "\n", "\0", "ä", "９", "#", ";",
]  # fmt: skip
texts = st.one_of(
    st.text(max_size=60),
    st.text(alphabet="houradystm_.()[]<>=+-*/% 0123456789\"',", max_size=80),
    st.lists(st.sampled_from(WORDS), max_size=30).map(" ".join),
    st.lists(st.sampled_from(WORDS), max_size=30).map("".join),
)

LEAVES = [
    "hour > 3", "last_run is None", "now - last_run > hours(2)", "upstream.new > 0", "upstream.status == 'failed'",
    "weekday in (sat, sun)", "date < '2026-12'", "True",
]  # fmt: skip
conditions = st.recursive(
    st.sampled_from(LEAVES).map("({})".format),
    lambda inner: (
        st.builds("({} {} {})".format, inner, st.sampled_from(["and", "or", "==", "!="]), inner)
        | inner.map("(not {})".format)
    ),
    max_leaves=8,
)

instants = st.datetimes(timezones=st.just(UTC))
upstreams = st.none() | st.dictionaries(
    st.sampled_from(list(UPSTREAM)), st.none() | st.integers() | st.text(max_size=5) | st.floats()
)


def attempt(text: str) -> tuple[Condition | None, str]:
    try:
        return parse(text), ""
    except ValueError as error:
        return None, str(error)


@settings(max_examples=400)
@given(text=texts, at=instants, last_run=st.none() | instants, upstream=upstreams)
@example(text='"a"*10**9', at=AT, last_run=None, upstream=None)
@example(text="(" * 250 + "1" + ")" * 249, at=AT, last_run=None, upstream=None)
@example(text="not " * 124 + "True", at=AT, last_run=None, upstream=None)
@example(text="[" * 499, at=AT, last_run=None, upstream=None)
@example(text="\ud800", at=AT, last_run=None, upstream=None)
@example(text='"\ud800" == date', at=AT, last_run=None, upstream=None)
@example(text='"\0" == date', at=AT, last_run=None, upstream=None)
def test_any_text_is_a_condition_or_a_mistake(text: str, at: datetime, last_run: Any, upstream: Any) -> None:
    condition, mistake = attempt(text)
    assert mistake.isprintable()
    if condition:
        verdict = condition.holds(at, AT, UTC, last_run, upstream)
        assert isinstance(verdict.holds, bool)
        assert len(verdict.told) < 1000


@settings(max_examples=200)
@given(text=conditions, at=instants, last_run=st.none() | instants, upstream=upstreams)
def test_what_python_says_of_it(text: str, at: datetime, last_run: Any, upstream: Any) -> None:
    condition, mistake = attempt(text)
    if condition is None:
        assert "levels of nesting" in mistake or "at most 500 letters" in mistake
        return
    verdict = condition.holds(at, AT, UTC, last_run, upstream)

    class Upstream:
        pass

    follows = None
    if upstream is not None:
        follows = Upstream()
        follows.__dict__ = {key: upstream.get(key) for key in UPSTREAM}
    names = {
        "hour": at.hour, "weekday": at.weekday(), "date": at.date().isoformat(), "now": AT,
        "last_run": last_run, "upstream": follows, "sat": 5, "sun": 6, "hours": lambda n: timedelta(hours=n),
    }  # fmt: skip
    try:
        expected = eval(text, {"__builtins__": {}}, names)
    except (TypeError, AttributeError, OverflowError):
        expected = None
    if "cannot be compared with" not in verdict.told:
        assert verdict.holds is (expected is True)


def test_the_costliest_takes_milliseconds() -> None:
    longest = " or ".join(["upstream.new > 99999"] * 20)[:LONGEST]
    longest = longest[: longest.rindex(" or ")]
    nested = "True" + " == (True" * 16 + ")" * 16
    product = "*".join(["9"] * 12) + "*hour > 3"
    for text in (longest, nested, product):
        condition = parse(text)
        began = time.perf_counter()
        for _ in range(20):
            condition.holds(AT, AT, UTC, BEFORE, UPSTREAM)
        assert (time.perf_counter() - began) / 20 < 0.02
