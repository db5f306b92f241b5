"""Rows for an export, in the order of their numbers, a few at a time; no transaction outlasts a batch."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import TYPE_CHECKING, Any

import orjson

from stoma.formats import Cells, Column, Type
from stoma.query import parse
from stoma.scheduler.base import iso
from stoma.stores.base import Row
from stoma.stores.questions import Selection
from stoma.stores.views import KINDS, RECORDS, VIEWS

if TYPE_CHECKING:
    from stoma.stores import Store

WINDOW = 10_000
"""How many numbers are looked through by one statement."""

MOST_ROWS, LEAST_ROWS = 2_000, 20
"""How many rows are read by one statement; fewer where they are large."""

BATCH_CHARACTERS = 4_000_000
"""About how much text a batch should hold."""

HITS = 500
"""How many hits of a query are asked for at once."""


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which rows: of records or of a view, those of a selection, of these those that a query finds."""

    selection: Selection = field(default_factory=Selection)
    view: str | None = None
    query: str | None = None

    @property
    def columns(self) -> Sequence[Column]:
        """What each row tells."""
        return VIEWS[self.view] if self.view else RECORDS

    @property
    def chosen(self) -> Selection:
        """The selection, with the kind of the view."""
        return replace(self.selection, kind=KINDS[self.view]) if self.view else self.selection


class Extract:
    """The rows that are wanted, each as it is when it is read; what is stored after it began is not among them."""

    def __init__(self, store: Store, wanted: Wanted) -> None:
        """Raises UsageError where the query cannot be understood."""
        self._store = store
        self._database = store.database
        self._wanted = wanted
        if wanted.query is not None:
            parse(wanted.query)
        self._size = LEAST_ROWS
        self.first, self.last = self._bounds()
        # Up to which number everything is read; a query goes the other way, and its reach is not known.
        self.at = self.first - 1

    @property
    def share(self) -> float | None:
        """How much of the numbers is read, from 0 to 1; None where it cannot be told."""
        if self._wanted.query is not None:
            return None
        return (self.at - self.first + 1) / max(self.last - self.first + 1, 1)

    def batches(self) -> Iterator[list[Cells]]:
        """Some rows after the other, by number, those of a query newest first; none where a long way had none."""
        is_query = self._wanted.query is not None
        for ids in self._hits() if is_query else self._windows():
            if not ids:
                yield []
            at = 0
            while at < len(ids):
                some = ids[at : at + self._size]
                at += len(some)
                if not is_query:
                    self.at = some[-1]
                yield self._fetched(some)

    def _bounds(self) -> tuple[int, int]:
        """The first and the last number that may be wanted; the last below the first where there is none."""
        selection = self._wanted.selection
        with self._database.reader() as reader:
            last = reader.one("export_last")
            upto = (last and last["last"]) or 0
            if selection.since is None and selection.until is None:
                return 1, upto
            span = reader.one("export_span", since=selection.since, until=selection.until)
        if span is None or span["first"] is None:
            return 1, 0
        return span["first"], min(span["last"], upto)

    def _windows(self) -> Iterator[list[int]]:
        """The numbers of records that are wanted, ascending."""
        values = self._wanted.chosen.values()
        after = self.first - 1
        while after < self.last:
            with self._database.reader() as reader:
                upto = min(after + WINDOW, self.last)
                ids = [row["id"] for row in reader.all("export_ids", after=after, upto=upto, **values)]
                following = None
                if not ids:
                    following = reader.one("export_next", after=upto, upto=self.last, kind=values["kind"])
            yield ids
            # Numbers may have gaps of any size, where records were deleted.
            after = upto if ids else following["id"] - 1 if following else self.last
            self.at = after

    def _hits(self) -> Iterator[list[int]]:
        """The numbers of records that the query finds, descending."""
        before, query = self.last + 1, self._wanted.query or ""
        while ids := self._store.search.ids(query, self._wanted.chosen, HITS, before):
            yield ids
            before = ids[-1]

    def _fetched(self, ids: list[int]) -> list[Cells]:
        view = self._wanted.view
        with self._database.reader() as reader:
            rows = reader.all(f"export_{view or 'records'}", **_numbers(ids))
        if self._wanted.query is not None:
            rows.reverse()
        cells = [_of_view(row, VIEWS[view]) for row in rows] if view else [_of_record(row) for row in rows]
        self._size = next_size(self._size, cells)
        return cells


def _numbers(ids: list[int]) -> dict[str, Any]:
    """Numbers as the statements take them: one behind the other, as they mostly are, they are read much quicker."""
    if ids[-1] - ids[0] == len(ids) - 1:
        return {"first": ids[0], "last": ids[-1]}
    return {"ids": ids}


def next_size(size: int, rows: Sequence[Cells]) -> int:
    """How many rows to read next: as many as make a batch of reasonable size, at most twice as many as before."""
    some = rows[::16]
    if not some:
        return size
    characters = sum(len(cell) for cells in some for cell in cells if isinstance(cell, str)) / len(some)
    return max(LEAST_ROWS, min(MOST_ROWS, size * 2, int(BATCH_CHARACTERS / max(characters, 1))))


def _of_record(row: Row) -> Cells:
    row["authors_text"] = _compact(row["authors_text"])
    row["tags_text"] = _compact(row["tags_text"])
    row["attributes_text"] = _sorted(orjson.loads(row["attributes_text"]))
    return tuple(row.values())


def _compact(text: str) -> str:
    """A list of texts as JSON without blanks: PostgreSQL puts one behind each comma, SQLite has none."""
    return orjson.dumps(orjson.loads(text)).decode() if '", "' in text else text


def _sorted(value: Any) -> str:
    # PostgreSQL keeps the keys of an object in an order of its own, SQLite in the one they came in.
    return orjson.dumps(value, option=orjson.OPT_SORT_KEYS).decode()


def _of_view(row: Row, columns: Sequence[Column]) -> Cells:
    return tuple(_cell(row[column.name], column.type) for column in columns)


def _cell(value: Any, type_: Type) -> Any:
    if value is None:
        return None
    if type_ == "instant":
        return iso(value) if isinstance(value, datetime) else value
    if type_ in ("texts", "json"):
        return _sorted(value)
    if type_ == "boolean":
        return bool(value)
    return float(value) if type_ == "number" else value
