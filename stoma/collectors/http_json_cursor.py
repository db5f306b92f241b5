"""From which instant on a declared source is asked, and how far it has been collected. Pure.

window   {"begun": …, "since": …, "newest": …}: kept by a run that resumes
cursor   {"newest": …}: the largest value of the field that was seen when a run completed
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, time, timedelta
from typing import Any

from stoma.collectors.base import Progress, Span
from stoma.errors import UsageError
from stoma.instants import instant_of, written
from stoma.paths import Path, path_of
from stoma.scheduler.patterns import parse_duration

DAY = timedelta(days=1)

BOUNDED = "cursor: {field: updated_at, param: since, until_param: until}"


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
        """When an item changed; None for one that does not say."""
        try:
            return instant_of(self.field.find(item), self.format)
        except ValueError:
            return None


@dataclass(frozen=True, slots=True)
class Window:
    """What one collection covers; `newest` grows with its pages."""

    begun: datetime
    since: datetime | None = None
    newest: datetime | None = None

    @classmethod
    def of(cls, now: datetime, cursor: Mapping[str, Any] | None, progress: Progress | None) -> Window:
        """The window of a run that begins now behind `cursor`, or the one that a resumed run began with."""
        told = progress.window if progress is not None else {"since": (cursor or {}).get("newest")}
        begun, since, newest = (_told(told.get(name)) for name in ("begun", "since", "newest"))
        return cls(begun or now.astimezone(UTC), since, newest)

    def values(self, cursor: Cursor | None) -> dict[str, Any]:
        """The parameter that asks for what is new; none before the first completed run."""
        if cursor is None or self.since is None:
            return {}
        return {cursor.param: written(self.since - cursor.look_back, cursor.format)}

    def with_items(self, items: Iterable[Any], cursor: Cursor | None) -> Window:
        """The window after these items.

        What changed after the window began is no news yet: items that were read before they changed then come with the
        next run, and a date far in the future would keep everything else out.
        """
        if cursor is None:
            return self
        known = [self.newest] if self.newest is not None else []
        instants = (cursor.instant(item) for item in items)
        known += [min(one, self.begun) for one in instants if one is not None and one <= self.begun + DAY]
        return Window(self.begun, self.since, max(known, default=None))

    def kept(self) -> dict[str, str | None]:
        """As it is kept with the progress."""
        told = {"begun": self.begun, "since": self.since, "newest": self.newest}
        return {name: None if one is None else _spelled(one) for name, one in told.items()}

    def cursor(self) -> dict[str, str] | None:
        """The watermark once everything is collected, never an earlier one than before; None leaves it where it is."""
        if self.newest is None or (self.since is not None and self.newest <= self.since):
            return None
        return {"newest": _spelled(self.newest)}


def bounded(cursor: Cursor | None, span: Span) -> tuple[Cursor, dict[str, Any]]:
    """The parameters that ask for days of the past; raises UsageError where there are none for both ends.

    The second one names the day behind the last, for some sources leave out what it names. Days without a zone are days
    of who knows which zone: a day more is asked for on either side. What is not of the span is left out later.
    """
    if cursor is None or not cursor.until_param:
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


def _spelled(instant: datetime) -> str:
    return instant.isoformat().replace("+00:00", "Z")


def _told(text: Any) -> datetime | None:
    return None if text is None else instant_of(text)
