"""Cron expressions in words: what is wrong with one and what was meant, and how a person would say a right one."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from typing import NamedTuple

from stoma.wording import listed, shown

LONGEST = 500
EXAMPLE = "0 9 * * 1-5"
DAYS = ("Sunday", "Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday")
MONTHS = (
    "January", "February", "March", "April", "May", "June", "July", "August", "September", "October", "November",
    "December",
)  # fmt: skip
_NUMBERS = ("no", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine")

Judge = Callable[[Sequence[str]], bool]
"""True for fields that make an expression which is due at some time."""


class Field(NamedTuple):
    """One of the five; `names` are the short forms of its values in order."""

    name: str
    first: int
    last: int
    allowed: str
    names: tuple[str, ...] = ()


FIELDS = (
    Field("minute", 0, 59, "0-59"),
    Field("hour", 0, 23, "0-23"),
    Field("day of the month", 1, 31, "1-31, L (the last day), LW (the last weekday)"),
    Field("month", 1, 12, "1-12, JAN-DEC", tuple(name[:3].upper() for name in MONTHS)),
    Field(
        "day of the week", 0, 6, "0-7 (0 and 7 are Sunday), SUN-SAT, 5L (the last Friday), MON#2 (the second Monday)",
        tuple(name[:3].upper() for name in DAYS),
    ),
)  # fmt: skip
_MACROS = {
    "@hourly": "hourly", "@daily": "daily", "@midnight": "daily", "@weekly": "weekly", "@monthly": "0 0 1 * *",
    "@yearly": "0 0 1 1 *", "@annually": "0 0 1 1 *",
}  # fmt: skip


def is_meant(text: str) -> bool:
    """True for what can only be a try at a cron expression, right or wrong."""
    parts = text.split()
    if text.startswith("@"):
        return True
    if all(re.fullmatch(r"[0-9*?/,~H-]+", part) for part in parts[:2]):
        return len(parts) > 1 or bool(set(text) & set("*?"))
    return len(parts) >= 4 and any(part.startswith(("*", "?")) for part in parts)


def days_named(words: str) -> str:
    """The days of the week that words such as `weekdays` or `mondays_and_fridays` name, as a cron field; else empty."""
    words = words.lower()
    if re.search(r"weekday|workday|working_day|mon\w*_(to|till|until|through)_fri", words):
        return "1-5"
    if "weekend" in words:
        return "SAT,SUN"
    return ",".join(name for name in FIELDS[4].names if re.search(rf"(?<![a-z]){name.lower()}", words))


def step_beyond(parts: Sequence[str]) -> str | None:
    """What is wrong with a step that would not do what it seems to say; there are crons that read it either way."""
    for part, about in zip(parts, FIELDS, strict=False):
        for term in part.split(","):
            found = re.fullmatch(r"(.*)/(\d{1,9})", term)
            if not found:
                continue
            what, step = f'the step of the {about.name} "{shown(term)}"', int(found[2])
            if step > (count := about.last - about.first + 1):
                unit = about.name[0] if about.name in {"minute", "hour"} else ""
                instead = f"; for every {step} {about.name}s write interval_{step}{unit}" if unit else ""
                return f"{what} goes beyond its {count} values{instead}"
            first, _, last = found[1].partition("-")
            if first == last:
                return f'{what} has nowhere to go; write "{first}" alone'
    return None


# -- what is wrong, and what was meant -----------------------------------------------------------------------


def what_is_wrong(text: str, is_due: Judge) -> str:
    """A sentence about a text that is no expression, or one that is never due."""
    parts, quoted = text.split(), f'"{shown(text)}"'
    if text.startswith("@"):
        return f"{quoted} is not a schedule{_instead_of_macro(text)}"
    if len(text) > LONGEST:
        return f"{quoted} is not a schedule: a cron expression has at most {LONGEST} letters"
    if len(parts) != len(FIELDS):
        return f"{quoted} is not a schedule: {_wrong_number(parts, is_due)}"
    for number, about in enumerate(FIELDS):
        bad = next((term for term in parts[number].split(",") if not _is_term(number, term, is_due)), None)
        if bad is not None:
            backwards = "; a range cannot run backwards" if _backwards(number, bad) else ""
            return (
                f'{quoted} is not a schedule: the {about.name} "{shown(bad)}" is not allowed{backwards}; allowed: '
                f"{about.allowed}, *, and lists, ranges and steps{_mended(parts, is_due)}"
            )
    if beyond := step_beyond(parts):
        return f"{quoted} is not a schedule: {beyond}"
    return f"{quoted} is never due: no day within 50 years fits it"


def _wrong_number(parts: Sequence[str], is_due: Judge) -> str:
    count = _NUMBERS[len(parts)] if len(parts) < len(_NUMBERS) else str(len(parts))
    names = ", ".join(about.name for about in FIELDS)
    has = f"it has {count} field{'s' * (len(parts) != 1)}, and a cron expression has exactly five ({names})"
    if len(parts) > len(FIELDS):
        # A year stands behind, seconds stand in front; whatever else was added stands behind.
        with_year = re.fullmatch(r"(19|20)\d\d\S*|\*", parts[-1]) and parts[0] not in {"0", "*"}
        tries = [parts[1:6], parts[:5]]
        near = next(filter(None, (_mended(found, is_due) for found in tries[:: -1 if with_year else 1])), "")
        return f"{has}, no seconds and no year{near}"
    if any("*" in part or "?" in part for part in parts):
        return has + _mended([*parts, *"*" * (len(FIELDS) - len(parts))], is_due)
    return f"{has}; between [ ] or {{ }} a text with commas needs quotes"


def _instead_of_macro(text: str) -> str:
    if wanted := _MACROS.get(text.lower()):
        return f'; did you mean "{wanted}"?'
    if found := re.fullmatch(r"@every\s+(\d{1,4}[mh])", text.lower()):
        return f'; did you mean "interval_{found[1]}"?'
    if text.lower() == "@reboot":
        return "; a task with run_on_start: true runs each time the scheduler starts"
    return f'; names with @ are unknown, write five fields such as "{EXAMPLE}"'


def _is_term(number: int, term: str, is_due: Judge) -> bool:
    return is_due(["*"] * number + [term] + ["*"] * (len(FIELDS) - 1 - number))


def _mended(parts: Sequence[str], is_due: Judge) -> str:
    """`; did you mean "…"?` with the usual mistakes mended, where that is enough."""
    found = [
        ",".join(_mended_term(number, term, is_due) for term in part.split(","))
        for number, part in enumerate(parts)
    ]
    return f'; did you mean "{" ".join(found)}"?' if is_due(found) and not step_beyond(found) else ""


def _mended_term(number: int, term: str, is_due: Judge) -> str:
    if term == "?" or _is_term(number, term, is_due):
        return term.replace("?", "*")
    names = FIELDS[number].names
    if number == 4 and (last := re.fullmatch(r"([A-Z]{3})#?L|([0-7])#L", term.upper())):
        day = str(names.index(last[1])) if last[1] in names else last[2]
        return f"{day}L" if day else term
    for name in names:
        # Names in full, shortened in another way, or with a dot.
        term = re.sub(rf"\b{name}[a-z]*\.?", name, term, flags=re.IGNORECASE)
    if number == 1 and term == "24":
        return "0"
    return _unwrapped(number, *ends) if (ends := _backwards(number, term)) else term


def _backwards(number: int, term: str) -> tuple[str, str, int | None] | None:
    """First, last and step of a range whose end comes before its beginning, such as fri-mon or 22-6."""
    found = re.fullmatch(r"(\w{1,3})-(\w{1,3})(?:/([1-9]\d?))?", term)
    first, last = (_value(number, found[at]) for at in (1, 2)) if found else (None, None)
    if found is None or first is None or last is None or last >= first:
        return None
    return found[1], found[2], int(found[3]) if found[3] else None


def _unwrapped(number: int, first: str, last: str, step: int | None) -> str:
    """22-6 as 22-23,0-6; with a step each value by itself."""
    about = FIELDS[number]
    if step is not None:
        begin, end = _value(number, first) or 0, _value(number, last) or 0
        return ",".join(map(str, [*range(begin, about.last + 1), *range(about.first, end + 1)][::step]))
    # Names stay names.
    is_name = bool(about.names) and not first.isdecimal()
    lowest, highest = (about.names[0], about.names[-1]) if is_name else (str(about.first), str(about.last))
    ends = ((first, highest), (lowest, last))
    return ",".join(a if a.upper() == b.upper() else f"{a}-{b}" for a, b in ends)


def _value(number: int, word: str) -> int | None:
    """The value of a name or a number of a field."""
    about = FIELDS[number]
    if word.upper() in about.names:
        return about.names.index(word.upper()) + about.first
    # Sunday is 0 and 7.
    last = 7 if number == 4 else about.last
    return int(word) if re.fullmatch(r"[0-9]{1,2}", word) and about.first <= int(word) <= last else None


# -- in words ------------------------------------------------------------------------------------------------


def in_words(text: str) -> str | None:
    """`every weekday at 09:00` for the common expressions; None where only the expression itself says it."""
    minute, hour, day, month, weekday = text.upper().split()
    days = _days_in_words(day, month, weekday)
    often = _often_in_words(minute, hour)
    minutes, hours = _values(0, minute), _values(1, hour)
    if days is None:
        return None
    if often is not None:
        on = days.replace("every weekday", "on weekdays").replace("every ", "on ")
        return often if days == "every day" else f"{often}, {on}"
    if minutes is None or hours is None or len(minutes) * len(hours) > 4:
        return None
    return f"{days} at {listed([f'{h:02d}:{m:02d}' for h in hours for m in minutes], 'and')}"


def _often_in_words(minute: str, hour: str) -> str | None:
    """`every 15 minutes`, `every 2 hours`; None for times that have to be listed."""
    if minute.isdecimal():
        at = f" at minute {int(minute)}" if int(minute) else ""
        if hour in {"*", "*/1"}:
            return f"every hour{at}" if at else "every full hour"
        step = re.fullmatch(r"\*/(\d+)", hour)
        return f"every {int(step[1])} hours{at}" if step and 24 % int(step[1]) == 0 else None
    step = re.fullmatch(r"\*(?:/(\d+))?", minute)
    number = int(step[1] or 1) if step else 0
    if not number or 60 % number:
        return None
    every = "every minute" if number == 1 else f"every {number} minutes"
    if hour == "*":
        return every
    found = re.fullmatch(r"(\d+)(?:-(\d+))?", hour)
    return (
        f"{every} from {int(found[1]):02d}:00 to {int(found[2] or found[1]):02d}:{60 - number:02d}"
        if found
        else None
    )


def _days_in_words(day: str, month: str, weekday: str) -> str | None:
    """`every day`, `every weekday`, `on the last day of each month`; None where it takes more words."""
    if month != "*":
        months = _values(3, month)
        if months is None or len(months) > 1 or not day.isdecimal() or weekday != "*":
            return None
        return f"every year on {int(day)} {MONTHS[months[0] - 1]}"
    if weekday == "*":
        if day in {"*", "L", "LW"}:
            kinds = {"L": "on the last day of each month", "LW": "on the last weekday of each month"}
            return kinds.get(day, "every day")
        numbers = _values(2, day)
        if numbers is None or len(numbers) > 4:
            return None
        return f"on day{'s' * (len(numbers) > 1)} {listed(map(str, numbers), 'and')} of each month"
    if day != "*":
        return None
    if found := re.fullmatch(r"(\w+)#([1-5])|([0-7])L", weekday):
        which = ("first", "second", "third", "fourth", "fifth")[int(found[2]) - 1] if found[2] else "last"
        number = _value(4, found[1] or found[3]) or 0
        return f"on the {which} {DAYS[number % 7]} of each month"
    numbers = _values(4, weekday)
    if numbers is None:
        return None
    # From Monday to Sunday, as people name them.
    of_week = sorted({number % 7 or 7 for number in numbers})
    if len(of_week) == 7:
        return "every day"
    named = (
        "weekday" if of_week == [1, 2, 3, 4, 5] else listed((DAYS[number % 7] for number in of_week), "and")
    )
    return f"every {named}"


def _values(number: int, part: str) -> list[int] | None:
    """The values of a list of numbers, names and ranges, in order; None where there is anything else."""
    found: set[int] = set()
    for term in part.split(","):
        first, _, last = term.partition("-")
        begin, end = _value(number, first), _value(number, last or first)
        if begin is None or end is None:
            return None
        found.update(range(begin, end + 1))
    return sorted(found)
