"""What is new, what has changed, what has risen since a moment. Speaks no dialect."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any

from stoma.diffs import changed_fields
from stoma.errors import UsageError
from stoma.scheduler.base import iso
from stoma.stores.base import Reader, Row
from stoma.stores.measured import by_source
from stoma.stores.questions import Listed, Selection, kinds, listed, listed_dict
from stoma.stores.rising import Risen, risen

NEW, CHANGED = "new", "changed"
"""The lists that go on."""

MOST_COUNTED = 10_000
"""Records that are counted one by one; more are `10,000+`."""

MOST_CHANGED = 10_000
"""Changes that are looked at, the latest first."""


@dataclass(frozen=True, slots=True)
class Count:
    """How many records of a kind; at least so many where it is not exact."""

    kind: str
    count: int
    is_exact: bool = True

    def as_dict(self) -> dict[str, Any]:
        """As JSON carries it."""
        return {"kind": self.kind, "count": self.count, "is_exact": self.is_exact}


@dataclass(frozen=True, slots=True)
class Changed:
    """A record as it is now; `fields` says otherwise than at the moment asked for, the last time in `run`."""

    row: Row
    fields: Sequence[str]
    changed_at: datetime
    run: int | None

    def as_dict(self) -> dict[str, Any]:
        """The record with what happened to it."""
        happened = {"fields": list(self.fields), "changed_at": iso(self.changed_at), "run": self.run}
        return listed_dict(self.row) | happened


@dataclass(frozen=True, slots=True)
class Changes:
    """What happened from `since` to `now`; new and changed records newest first.

    Where `only` names a list, `new` or `changed`, it goes on from a page before, and the others are left out.
    """

    since: datetime
    now: datetime
    new: Listed
    new_counts: Sequence[Count]
    # Records that were there before; what is new and changed is new.
    changed: Sequence[Changed]
    changed_counts: Sequence[Count]
    # How many of the new ones say something else by now than when they came.
    new_changed_counts: Sequence[Count]
    # What `before` has to be for the new and the changed records that follow; None behind the last one.
    new_next: str | None
    next: str | None
    risen: Risen
    only: str | None = None

    def as_dict(self) -> dict[str, Any]:
        """As JSON carries it on the command line and over HTTP."""
        lists = {
            NEW: {
                "counts": [count.as_dict() for count in self.new_counts],
                "changed_counts": [count.as_dict() for count in self.new_changed_counts],
                **self.new.as_dict(),
                "next": self.new_next,
            },
            CHANGED: {
                "counts": [count.as_dict() for count in self.changed_counts],
                "records": [one.as_dict() for one in self.changed],
                "next": self.next,
            },
            "risen": self.risen.as_dict(),
        }
        told = {name: found for name, found in lists.items() if self.only in (None, name)}
        return {"since": iso(self.since), "now": iso(self.now), **told}


@dataclass(frozen=True, slots=True)
class _Place:
    """Behind which record a list goes on, and what the first page looked at: later pages look at the same."""

    only: str
    since: datetime
    now: datetime
    # When the record changed that was told last; of new ones the number is enough.
    at: datetime | None
    id: int

    def __str__(self) -> str:
        at = [self.at] if self.at is not None else []
        return "/".join([self.only, *(str(iso(one)) for one in (self.since, self.now, *at)), str(self.id)])

    @classmethod
    def parse(cls, text: str) -> _Place:
        """What `next` of an answer says; raises UsageError."""
        only, *instants, number = text.split("/") if "/" in text else ("", "")
        try:
            found = [datetime.fromisoformat(instant) for instant in instants]
            is_known = len(found) == {NEW: 2, CHANGED: 3}.get(only) and all(one.tzinfo for one in found)
            if not (is_known and number.isascii() and number.isdigit() and len(number) < 19):
                raise ValueError(text)
            # Far away it would lie beyond every calendar once it is told in UTC.
            since, now, *at = (one.astimezone(UTC) for one in found)
        except (ValueError, OverflowError):
            raise UsageError("before: that is no `next` of an answer", "begin the list anew") from None
        return cls(only, since, now, at[0] if at else None, int(number))


def changes(
    reader: Reader, selection: Selection, now: datetime, limit: int, before: str | None = None
) -> Changes:
    """What happened since `selection.since`, `limit` of each kind of news; raises UsageError."""
    if selection.since is None:
        raise UsageError("it has to be said since when", "for example 7d")
    place = _Place.parse(before) if before is not None else None
    if place is not None:
        selection, now = replace(selection, since=place.since), place.now
    since, only = selection.since or now, place.only if place is not None else None
    new, changed = [], []
    if only != CHANGED:
        new = listed(reader, selection, place.id if place else None, limit + 1)
    if only != NEW:
        changed = _changed(reader, selection, limit + 1, place)
    has_more = len(new) > limit, len(changed) > limit
    new, changed = new[:limit], changed[:limit]
    # What came between the clock's answer and this look, or before the clock was set back, was seen as well.
    seen = max(now, changed[0]["superseded_at"]) if changed and place is None else now
    changed_counts, new_changed_counts = _changed_counts(reader, selection)
    return Changes(
        since=since,
        now=now,
        new=Listed(new, new[-1]["id"] if has_more[0] else None),
        new_counts=_new_counts(reader, selection) if only != CHANGED else [],
        changed=_with_fields(reader, changed, since),
        changed_counts=changed_counts,
        new_changed_counts=new_changed_counts,
        new_next=str(_Place(NEW, since, now, None, new[-1]["id"])) if has_more[0] else None,
        next=str(_Place(CHANGED, since, seen, changed[-1]["superseded_at"], changed[-1]["id"]))
        if has_more[1]
        else None,
        risen=risen(reader, selection, now, limit) if only is None else Risen({}, {}, None),
        only=only,
    )


def _new_counts(reader: Reader, selection: Selection) -> list[Count]:
    values = selection.values() | {"most": MOST_COUNTED + 1}
    if selection.task is not None:
        rows = reader.all("question_count_of_task", **values)
        is_exact = sum(row["count"] for row in rows) <= MOST_COUNTED
        return [Count(row["kind"], min(row["count"], MOST_COUNTED), is_exact) for row in rows]
    wanted = [selection.kind] if selection.kind else kinds(reader, selection.source)
    found = []
    for kind in wanted:
        row = reader.one("question_count", **values | {"kind": kind})
        if row and row["count"]:
            found.append(Count(kind, min(row["count"], MOST_COUNTED), row["count"] <= MOST_COUNTED))
    return found


def _changed_counts(reader: Reader, selection: Selection) -> tuple[list[Count], list[Count]]:
    """How many have changed of those that were there before, and of the new ones."""
    values = selection.values() | {"most": MOST_CHANGED + 1}
    total = reader.one("question_versions_since", **values)
    is_exact = total is not None and total["count"] <= MOST_CHANGED
    rows = reader.all("question_changed_count", **values | {"most": MOST_CHANGED})
    old, new = ([row for row in rows if bool(row["is_new"]) is is_new] for is_new in (False, True))
    return [Count(row["kind"], row["count"], is_exact) for row in old], [
        Count(row["kind"], row["count"], is_exact) for row in new
    ]


def _changed(reader: Reader, selection: Selection, limit: int, place: _Place | None) -> list[Row]:
    at, below, seen = (place.at, place.id, place.now) if place is not None else (None, None, None)
    values = selection.values() | {
        "at": at,
        "below": below,
        "seen": seen,
        "most": MOST_CHANGED,
        "limit": limit,
    }
    return reader.all("question_changed", **values)


def _with_fields(reader: Reader, rows: Sequence[Row], since: datetime) -> list[Changed]:
    said: dict[tuple[str, str], Row] = {}
    for source, ids in by_source((row["source"], row["external_id"]) for row in rows).items():
        for row in reader.all("question_said", source=source, ids=ids, since=since):
            said[source, row["external_id"]] = row
    return [
        Changed(
            row,
            # Nothing is different where it was changed and changed back.
            changed_fields(then, row) if (then := said.get((row["source"], row["external_id"]))) else [],
            row["superseded_at"],
            row["run_id"],
        )
        for row in rows
    ]
