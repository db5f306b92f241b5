"""What people ask of the records: lists, changes, the story of one. Speaks no dialect."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from heapq import merge
from itertools import islice
from typing import TYPE_CHECKING, Any

from stoma.errors import UsageError
from stoma.scheduler.base import iso

if TYPE_CHECKING:
    from stoma.stores.base import Database, Reader, Row
    from stoma.stores.changes import Changes
    from stoma.stores.stories import Story

RECORD_FIELDS = (
    "id", "source", "external_id", "kind", "title", "summary", "url", "authors", "tags", "published_at",
    "updated_at", "attributes", "version", "first_seen_at", "last_seen_at",
)  # fmt: skip
"""What is told of a record, in this order, wherever it is told: `--json`, HTTP, exports."""


LONGEST_SUMMARY = 10_000
"""Letters of a summary that a list tells; all of them stand in the record's own story."""

EARLIEST, LATEST = datetime(1, 1, 2, tzinfo=UTC), datetime(9999, 12, 30, tzinfo=UTC)
"""Before and behind every instant."""

SMALLEST = timedelta(microseconds=1)


@dataclass(frozen=True, slots=True)
class Selection:
    """Which records are meant; None does not matter. `since` (inclusive) and `until` bound `first_seen_at`."""

    kind: str | None = None
    source: str | None = None
    # Only what this task has seen.
    task: str | None = None
    since: datetime | None = None
    until: datetime | None = None

    def values(self) -> dict[str, Any]:
        """By the names that statements use; a part `{if kind: …}` of one stands only where a kind is given."""
        return {
            "kind": self.kind,
            "source": self.source,
            "task_id": self.task,
            "since": self.since,
            "until": self.until,
        }


@dataclass(frozen=True, slots=True)
class Listed:
    """Records, newest first; `next` is the number below which the list goes on, None at its end."""

    rows: Sequence[Row]
    next: int | None

    def as_dict(self) -> dict[str, Any]:
        """As HTTP tells it."""
        return {"records": [listed_dict(row) for row in self.rows], "next": self.next}


class Questions:
    """Asks; none of the answers needs more than some looks into an index, however many records there are."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def listed(self, selection: Selection, *, before: int | None = None, limit: int = 50) -> Listed:
        """The records that were seen first most recently, of a task by when the task saw them.

        The list goes on below the record number `before`; raises UsageError where the task has not seen that one.
        """
        with self._database.reader() as reader:
            rows = listed(reader, selection, before, limit + 1)
        return Listed(rows[:limit], rows[limit - 1]["id"] if len(rows) > limit else None)

    def changes(
        self, selection: Selection, now: datetime, *, limit: int = 20, before: str | None = None
    ) -> Changes:
        """What is new, what has changed and what has risen since `selection.since`, `limit` of each.

        `before` is the `next` of changes that were told before. Raises UsageError.
        """
        from stoma.stores.changes import changes

        with self._database.reader() as reader:
            return changes(reader, selection, now, limit, before)

    def story(self, text: str, source: str | None = None) -> Story:
        """The whole story of the record that `text` names; raises NotFound, and UsageError where it names several."""
        from stoma.stores.stories import named, story

        with self._database.reader() as reader:
            return story(reader, named(reader, text, source))

    def kinds(self) -> list[str]:
        """The kinds of which there are records."""
        with self._database.reader() as reader:
            return kinds(reader)

    def sources(self, kind: str | None = None) -> list[str]:
        """The sources of which there are records, or records of a kind."""
        with self._database.reader() as reader:
            found = [row["source"] for row in reader.all("question_sources")]
            return [source for source in found if kind is None or kind in kinds(reader, source)]


def listed(reader: Reader, selection: Selection, before: int | None, limit: int) -> list[Row]:
    """Records, newest first, below a number."""
    place = _place(reader, selection, before)
    if before is not None and place is None:
        return []
    at = LATEST
    if selection.until is not None and selection.task is None:
        at = selection.until - SMALLEST
    values = selection.values() | {
        "at": at if place is None else min(at, place),
        # Of the records of that very instant those that stand below.
        "below": before if place is not None and place <= at else None,
        "since": selection.since or EARLIEST,
        "limit": limit,
    }
    if selection.task is not None:
        return reader.all("question_list_of_task", **values)
    if selection.source is None:
        name = "question_list" if selection.kind is None else "question_list_of_kind"
        return reader.all(name, **values)
    wanted = [selection.kind] if selection.kind is not None else kinds(reader, selection.source)
    lists = [reader.all("question_list_of_source", **values | {"kind": kind}) for kind in wanted]
    return list(islice(merge(*lists, key=_newness, reverse=True), limit))


def kinds(reader: Reader, source: str | None = None) -> list[str]:
    """The kinds of which there are records, of one source or of all."""
    return [row["kind"] for row in reader.all("question_kinds", source=source)]


def _place(reader: Reader, selection: Selection, before: int | None) -> datetime | None:
    """The instant of a record of a list; None where there is none."""
    if before is None:
        return None
    if selection.task is None:
        row = reader.one("question_place", id=before)
    else:
        row = reader.one("question_place_of_task", id=before, task_id=selection.task)
        if row is None:
            raise UsageError(
                f"before: {selection.task} has not seen a record {before}", "begin the list anew"
            )
    found: datetime | None = row["first_seen_at"] if row else None
    return found


def _newness(row: Row) -> tuple[datetime, int]:
    return row["first_seen_at"], row["id"]


def listed_dict(row: Mapping[str, Any]) -> dict[str, Any]:
    """The same where many are told: a very long summary is clipped."""
    told = record_dict(row)
    if len(told["summary"]) > LONGEST_SUMMARY:
        told["summary"] = told["summary"][: LONGEST_SUMMARY - 1] + "…"
    return told


def record_dict(row: Mapping[str, Any]) -> dict[str, Any]:
    """A row of `records` as JSON tells it: instants as text in UTC."""
    return {name: _plain(row[name]) for name in RECORD_FIELDS}


def _plain(value: Any) -> Any:
    return iso(value) if isinstance(value, datetime) else value
