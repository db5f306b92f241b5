"""How a search of more than 1,000 repositories is cut into searches of fewer. Pure.

Sorted by stars or forks, a slice goes on at the number where GitHub stopped: `stars:*..537`. In any other order, and
where 1,000 share one number, the time of creation is halved until each part is small enough.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Any

from stoma.errors import UsageError

FIRST = datetime(2007, 10, 1, tzinfo=UTC)
"""No repository on GitHub is older."""

FIELDS = {"stars": "stargazers_count", "forks": "forks_count"}
"""By which field of an item each number that can be sorted by is found."""

Bounds = tuple[int | None, int | None]
"""The least and the largest value, both included; None is open. Moments are seconds since the epoch."""

ALL: Bounds = (None, None)
SECOND = timedelta(seconds=1)

_DAYS = re.compile(r"([1-9]\d{0,3})d")
_BACK = re.compile(r"(\d{4}-\d\d-\d\d)?\.\.(\d{4}-\d\d-\d\d)?")
_LOGIC = re.compile(r"(?<!\S)(AND|OR|NOT)(?!\S)|[()]")


@dataclass(frozen=True, slots=True)
class Slice:
    """Part of a search: bounds on the number that it is sorted by, and on the time of creation."""

    number: Bounds = ALL
    created: Bounds = ALL

    def token(self) -> dict[str, list[int | None]]:
        """The slice as JSON."""
        return {"number": list(self.number), "created": list(self.created)}

    @classmethod
    def of(cls, token: Mapping[str, Any]) -> Slice:
        """The slice that a token tells; raises KeyError, TypeError or ValueError when it tells none."""
        (a, b), (c, d) = token["number"], token["created"]
        return cls((a, b), (c, d))


@dataclass(frozen=True, slots=True)
class Question:
    """A search in GitHub's syntax, with what can be bounded taken out of its text.

    `number` is stars or forks where it is sorted by them and they can be bounded; `by_created` says whether the time
    of creation can be.
    """

    text: str
    whole: Slice = Slice()
    number: str | None = None
    descending: bool = True
    by_created: bool = False

    @classmethod
    def of(cls, text: str, sort: str | None, order: str) -> Question:
        """A search with what bounds it read; what is not understood stays in the text, and is then not cut up."""
        whole, number = Slice(), None
        if sort in FIELDS and (taken := _take(text, sort, _integers)):
            text, whole, number = taken[0], replace(whole, number=taken[1]), sort
        taken = _take(text, "created", _moments)
        if taken:
            text, whole = taken[0], replace(whole, created=taken[1])
        return cls(text, whole, number, order != "asc", taken is not None)

    def spelled(self, part: Slice) -> str:
        """The search for one part, as GitHub reads it."""
        words = [self.text]
        if self.number and part.number != ALL:
            words.append(f"{self.number}:{_range(part.number, str)}")
        if part.created != ALL:
            words.append(f"created:{_range(part.created, _iso)}")
        return " ".join(word for word in words if word)

    def halves(self, part: Slice, until: datetime) -> list[Slice]:
        """A part as two, by the time of creation, in the order that is wanted; empty when it cannot be halved."""
        if not self.by_created:
            return []
        low = max(part.created[0] or 0, int(FIRST.timestamp()))
        high = int(until.timestamp()) if part.created[1] is None else part.created[1]
        if low >= high:
            return []
        middle = (low + high) // 2
        found = [replace(part, created=(low, middle)), replace(part, created=(middle + 1, high))]
        return found[::-1] if self.descending else found

    def beyond(self, part: Slice, last: Any, until: datetime) -> list[Slice]:
        """What is left of a part whose last item shown is `last`; empty when there is no telling.

        Where all that was shown shares one number, what has that number is halved by the time of creation.
        """
        value = last.get(FIELDS[self.number]) if self.number and isinstance(last, Mapping) else None
        if not isinstance(value, int):
            return []
        low, high = part.number
        rest = replace(part, number=(low, value) if self.descending else (value, high))
        if rest != part:
            return [rest]
        halves = self.halves(replace(part, number=(value, value)), until)
        low, high = (low, value - 1) if self.descending else (value + 1, high)
        if not halves or high == -1 or (low is not None and high is not None and low > high):
            return halves
        return [*halves, replace(part, number=(low, high))]

    def is_one_number(self, part: Slice) -> bool:
        """True when everything in a part has the same number, so that only the time of creation can tell it apart."""
        low, high = part.number
        return self.number is None or (low is not None and low == high)


def window(name: str, given: Any, now: datetime) -> str:
    """What `created` or `pushed` of a config asks for, as a qualifier that no longer depends on today.

    `30d` counts back from `now`; `2026-01-01..2026-01-31` names days, both included, and either may be left out.
    """
    if not given:
        return ""
    if back := _DAYS.fullmatch(str(given)):
        return f"{name}:>={now - timedelta(days=int(back[1])):%Y-%m-%d}"
    if (days := _BACK.fullmatch(str(given))) and any(days.groups()):
        try:
            first, last = (datetime.fromisoformat(day) if day else None for day in days.groups())
        except ValueError as error:
            raise UsageError(f"{name}: {given} names no days ({error})") from None
        if first and last and first > last:
            raise UsageError(f"{name}: {given} ends before it begins")
        if first and last:
            return f"{name}:{days[1]}..{days[2]}"
        return f"{name}:>={days[1]}" if first else f"{name}:<={days[2]}"
    raise UsageError(f"{name}: {given} is not understood", "write 30d, or 2026-01-01..2026-01-31")


def _take(text: str, name: str, read: Any) -> tuple[str, Bounds] | None:
    """The text without `name:…`, and its bounds; None when it cannot be taken out without changing the meaning."""
    found = re.findall(rf"(?<![\w-])-?{name}:", text)
    if not found:
        return text, ALL
    alone = re.search(rf'(?<!\S){name}:([^\s"()]+)(?!\S)', text)
    if len(found) > 1 or alone is None or _LOGIC.search(text) or '"' in text:
        return None
    try:
        bounds = read(alone[1])
    except (ValueError, OverflowError):
        return None
    return " ".join((text[: alone.start()] + " " + text[alone.end() :]).split()), bounds


def _integers(value: str) -> Bounds:
    return _bounds(value, lambda text: (int(text), int(text)))


def _moments(value: str) -> Bounds:
    def of(text: str) -> tuple[int, int]:
        moment = datetime.fromisoformat(text)
        moment = moment.replace(tzinfo=moment.tzinfo or UTC)
        # A day is all its seconds.
        end = moment + timedelta(days=1) - SECOND if re.fullmatch(r"\d{4}-\d\d-\d\d", text) else moment
        return int(moment.timestamp()), int(end.timestamp())

    return _bounds(value, of)


def _bounds(value: str, of: Any) -> Bounds:
    low, dots, high = value.partition("..")
    if dots:
        return (None if low == "*" else of(low)[0], None if high == "*" else of(high)[1])
    sign, rest = re.fullmatch(r"(>=|<=|>|<|)(.+)", value, re.DOTALL).groups()  # type: ignore[union-attr]
    first, last = of(rest)
    by_sign: dict[str, Bounds] = {
        ">=": (first, None), ">": (last + 1, None), "<=": (None, last), "<": (None, first - 1), "": (first, last)
    }  # fmt: skip
    return by_sign[sign]


def _range(bounds: Bounds, show: Any) -> str:
    low, high = ("*" if bound is None else show(bound) for bound in bounds)
    return f"{low}..{high}"


def _iso(seconds: int) -> str:
    return f"{datetime.fromtimestamp(seconds, UTC):%Y-%m-%dT%H:%M:%SZ}"
