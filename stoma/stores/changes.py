"""What is new, what has changed, what has risen since a moment. Speaks no dialect."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from stoma.diffs import changed_fields
from stoma.errors import UsageError
from stoma.scheduler.base import iso
from stoma.stores.base import Reader, Row
from stoma.stores.measured import by_source
from stoma.stores.questions import Listed, Selection, kinds, listed, record_dict
from stoma.stores.rising import Risen, risen

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
        return record_dict(self.row) | happened


@dataclass(frozen=True, slots=True)
class Changes:
    """What happened from `since` to `now`; new and changed records newest first."""

    since: datetime
    now: datetime
    new: Listed
    new_counts: Sequence[Count]
    # Records that were there before; what is new and changed is new.
    changed: Sequence[Changed]
    changed_counts: Sequence[Count]
    # How many of the new ones say something else by now than when they came.
    new_changed_counts: Sequence[Count]
    # What `before` has to be for the changed records that follow; None behind the last one.
    next: str | None
    risen: Risen

    def as_dict(self) -> dict[str, Any]:
        """As JSON carries it on the command line and over HTTP."""
        return {
            "since": iso(self.since),
            "now": iso(self.now),
            "new": {
                "counts": [count.as_dict() for count in self.new_counts],
                "changed_counts": [count.as_dict() for count in self.new_changed_counts],
                **self.new.as_dict(),
            },
            "changed": {
                "counts": [count.as_dict() for count in self.changed_counts],
                "records": [one.as_dict() for one in self.changed],
                "next": self.next,
            },
            "risen": self.risen.as_dict(),
        }


def changes(
    reader: Reader, selection: Selection, now: datetime, limit: int, before: str | None = None
) -> Changes:
    """What happened since `selection.since`, `limit` of each kind of news; raises UsageError."""
    if selection.since is None:
        raise UsageError("it has to be said since when", "for example 7d")
    new = listed(reader, selection, None, limit + 1)
    changed = _changed(reader, selection, limit + 1, before)
    behind = changed[limit - 1] if len(changed) > limit else None
    changed_counts, new_changed_counts = _changed_counts(reader, selection)
    return Changes(
        since=selection.since,
        now=now,
        new=Listed(new[:limit], new[limit - 1]["id"] if len(new) > limit else None),
        new_counts=_new_counts(reader, selection),
        changed=_with_fields(reader, changed[:limit], selection.since),
        changed_counts=changed_counts,
        new_changed_counts=new_changed_counts,
        next=f"{iso(behind['superseded_at'])}/{behind['id']}" if behind else None,
        risen=risen(reader, selection, now, limit),
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


def _changed(reader: Reader, selection: Selection, limit: int, before: str | None) -> list[Row]:
    at, below = _behind(before) if before is not None else (None, None)
    values = selection.values() | {"at": at, "below": below, "most": MOST_CHANGED, "limit": limit}
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


def _behind(text: str) -> tuple[datetime, int]:
    """Where a list of changes goes on."""
    instant, _, number = text.partition("/")
    try:
        at = datetime.fromisoformat(instant)
        if at.tzinfo is None or not (number.isascii() and number.isdigit() and len(number) < 19):
            raise ValueError(text)
    except ValueError:
        raise UsageError("before: that is no `next` of an answer", "begin the list anew") from None
    return at, int(number)
