"""From which instant on a declared source is asked, and how far it has been collected. Pure.

window   {"begun": …, "since": …, "newest": …}: kept by a run that resumes
cursor   {"newest": …}: the largest value of the field that was seen when a run completed

The field is a date, a number that only grows (`int`), or a text that only grows (`value`).
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, time, timedelta
from typing import Any

from stoma.collectors.base import Progress, Span
from stoma.errors import UsageError
from stoma.instants import check_pattern, instant_of, written
from stoma.paths import Path, missing, path_of
from stoma.scheduler.patterns import parse_duration
from stoma.wording import did_you_mean, listed, shown

DAY = timedelta(days=1)

Mark = datetime | int | str
"""How far a source was collected."""

IDS = frozenset({"int", "value"})
"""Forms of what grows and is no date."""

FEW = 3
"""From so many items on, what none of them has is not there at all."""

EARLIEST = datetime(1980, 1, 1, tzinfo=UTC)
"""A number before it is no time of a change: more likely it is an id."""

_NANOSECONDS = 10**16
"""From here on a number counts less than a microsecond, which nobody does, or it is an id."""

BOUNDED = "cursor: {field: updated_at, param: since, until_param: until}"


def check_cursor(value: Mapping[str, Any]) -> None:
    """Raise ValueError for a pattern that cannot be written, and for what only dates have."""
    form = value.get("format")
    if not isinstance(form, str):
        return
    if "%" in form:
        check_pattern(form)
    if form in IDS and (found := [name for name in ("look_back", "until_param") if name in value]):
        raise ValueError(f"format: {form} is no date, and {listed(found, 'and')} counts in days")


@dataclass(frozen=True, slots=True)
class Cursor:
    """By which field and parameter a source tells what is new."""

    field: Path
    param: str
    until_param: str
    format: str
    look_back: timedelta

    @classmethod
    def of(cls, given: Mapping[str, Any] | None) -> Cursor | None:
        """What stands under `cursor`."""
        if given is None:
            return None
        return cls(
            path_of(given["field"]),
            given["param"],
            given.get("until_param", ""),
            given.get("format", "iso"),
            parse_duration(given.get("look_back", "0s")),
        )

    def instant(self, item: Any) -> datetime | None:
        """When an item changed; None for one that does not say, or that has a number which can be no date."""
        try:
            value = self.field.find(item)
            found = instant_of(value, self.format)
        except ValueError:
            return None
        return found if not _is_number(value) or _is_plausible(value, found, self.format) else None

    def mark(self, item: Any) -> Mark | None:
        """How far an item lies, in the form of this cursor; None for one that does not say."""
        if self.format not in IDS:
            return self.instant(item)
        try:
            value = self.field.find(item)
        except ValueError:
            return None
        if self.format == "value":
            return value.strip() or None if isinstance(value, str) else None
        return int(value) if _is_number(value) and "." not in str(value) else None

    def fault(self, items: Iterable[Any]) -> str:
        """Why none of these items can move the cursor; empty where one can, and where they are too few to tell."""
        given = list(items)
        if any(self.mark(item) is not None for item in given):
            return ""
        values = [value for item in given if (value := self._found(item)) is not None]
        name = f"cursor.field: {self.field.text}"
        if values and (len(given) >= FEW or _is_number(values[0])):
            what = {"int": "whole number", "value": "text"}.get(self.format, "date")
            told = shown(values[0] if isinstance(values[0], str) else repr(values[0]), 40)
            instead = "; for a number that only grows write format: int" if _is_number(values[0]) else ""
            return f"{name} is no {what} in any of {len(given)} items: {told}{instead}"
        lacks = [missing(self.field, item) for item in given]
        if len(given) >= FEW and lacks[0] and all(lacks):
            step, keys = lacks[0]
            meant = did_you_mean(step, keys) or f"; they have {shown(', '.join(keys), 200)}"
            return f"{name} leads to nothing in any of {len(given)} items{meant}"
        return ""

    def _found(self, item: Any) -> Any:
        try:
            return self.field.find(item)
        except ValueError:
            return None


@dataclass(frozen=True, slots=True)
class Window:
    """What one collection covers; `newest` grows with its pages."""

    begun: datetime
    since: Mark | None = None
    newest: Mark | None = None

    @classmethod
    def of(
        cls, now: datetime, cursor: Mapping[str, Any] | None, progress: Progress | None, form: str = ""
    ) -> Window:
        """The window of a run that begins now behind `cursor`, or the one that a resumed run began with."""
        told = progress.window if progress is not None else {"since": (cursor or {}).get("newest")}
        begun = _told(told.get("begun"), "")
        since, newest = (_told(told.get(name), form) for name in ("since", "newest"))
        return cls(begun if isinstance(begun, datetime) else now.astimezone(UTC), since, newest)

    def values(self, cursor: Cursor | None) -> dict[str, Any]:
        """The parameter that asks for what is new; none before the first completed run."""
        if cursor is None or self.since is None:
            return {}
        if not isinstance(self.since, datetime):
            return {cursor.param: self.since}
        return {cursor.param: written(self.since - cursor.look_back, cursor.format)}

    def with_items(self, items: Iterable[Any], cursor: Cursor | None) -> Window:
        """The window after these items.

        What changed after the window began is no news yet: items that were read before they changed then come with the
        next run, and a date far in the future would keep everything else out.
        """
        if cursor is None:
            return self
        known: list[Any] = [self.newest] if self.newest is not None else []
        for mark in map(cursor.mark, items):
            if not isinstance(mark, datetime):
                known += [] if mark is None else [mark]
            elif mark <= self.begun + DAY:
                known.append(min(mark, self.begun))
        return Window(self.begun, self.since, max(known, default=None))

    def kept(self) -> dict[str, str | None]:
        """As it is kept with the progress."""
        told = {"begun": self.begun, "since": self.since, "newest": self.newest}
        return {name: None if one is None else _spelled(one) for name, one in told.items()}

    def cursor(self) -> dict[str, str] | None:
        """The watermark once everything is collected, never an earlier one than before; None leaves it where it is."""
        newest, since = self.newest, self.since
        if newest is None or (since is not None and newest <= since):  # type: ignore[operator]
            return None
        return {"newest": _spelled(newest)}


def bounded(cursor: Cursor | None, span: Span) -> tuple[Cursor, dict[str, Any]]:
    """The parameters that ask for days of the past; raises UsageError where there are none for both ends.

    The second one names the day behind the last, for some sources leave out what it names. Days without a zone are days
    of who knows which zone: a day more is asked for on either side. What is not of the span is left out later.
    """
    if cursor is None or not cursor.until_param or cursor.format in IDS:
        raise UsageError("this task cannot collect days of the past: nothing bounds them", f"add {BOUNDED}")
    slack = timedelta(0) if cursor.format in ("iso", "epoch", "epoch_ms") or "%z" in cursor.format else DAY
    first, behind = _midnight(span.first) - slack, _midnight(span.last) + DAY + slack
    return cursor, {
        cursor.param: written(first, cursor.format),
        cursor.until_param: written(behind, cursor.format),
    }


def within(items: list[Any], cursor: Cursor, span: Span) -> list[Any]:
    """The items of these days, in UTC; one without a date counts as one of them."""
    days = ((item, cursor.instant(item)) for item in items)
    return [item for item, at in days if at is None or span.first <= at.date() <= span.last]


def _midnight(day: Any) -> datetime:
    return datetime.combine(day, time(), UTC)


def _spelled(mark: Mark) -> str:
    return mark.isoformat().replace("+00:00", "Z") if isinstance(mark, datetime) else str(mark)


def _told(text: Any, form: str) -> Mark | None:
    """What was kept; None for what was kept in another form."""
    try:
        if text is None or form == "value":
            return None if text is None else str(text)
        return int(text) if form == "int" else instant_of(text)
    except ValueError:
        return None


def _is_number(value: Any) -> bool:
    if isinstance(value, str):
        return re.fullmatch(r"-?[0-9]{1,40}(\.[0-9]{1,9})?", value.strip()) is not None
    return isinstance(value, int | float) and not isinstance(value, bool)


def _is_plausible(value: Any, instant: datetime, form: str) -> bool:
    """Whether a bare number may be the time of a change."""
    return instant >= EARLIEST and (form.startswith("epoch") or abs(float(value)) < _NANOSECONDS)
