"""The index of words over records, built right behind the writer, and what is asked of it. Speaks no dialect.

parse         what the query asks for
ids           the newest records that match in the title, and the newest that match anywhere: some hundred
ranked        these, best first, by their texts; the same on both databases, whatever these think of ranking
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta

from stoma.errors import UsageError
from stoma.query import Node, parse, wanted
from stoma.stores.base import Database, Reader, Row, Transaction
from stoma.stores.indexing import Index
from stoma.stores.questions import Selection
from stoma.stores.ranking import ranked
from stoma.stores.wordlists import BLOCK_BITS, fts5_query, marks, tsquery

CANDIDATES = 100
"""How many of the newest hits are ranked at least, of those in titles and of all."""

OF_PHRASES = 30
"""The same for a query with a phrase: PostgreSQL has to look into each record that has all of its words."""

MOST_BLOCKS = 8
"""Blocks of records that are asked for at once; each time twice as many, up to these."""

LITTLE = 5_000
"""Records that a task has seen at most, for its source to be asked for."""

NEAREST = 5_000
"""Records from the beginning or the end of a time on, by which its first and last number are known."""

OVERLAP = timedelta(minutes=5)
"""Pages that are written at the same time have numbers in any order, but none is under way for so long."""

QUEUE_COLUMNS = ("source", "stored_at", "added", "changed_ids")


@dataclass(frozen=True, slots=True)
class Lag:
    """What is stored and not in the index yet: how many records at most, and since when."""

    records: int = 0
    since: datetime | None = None


@dataclass(frozen=True, slots=True)
class Found:
    """Records that a query found, best or newest first; `has_more` where there are others behind them."""

    rows: Sequence[Row]
    has_more: bool
    lag: Lag


def enqueue(
    tx: Transaction, source: str, stored_at: datetime, added: int, changed_ids: Sequence[str]
) -> None:
    """Leave word of what a page stored, in its transaction: new records are found by their `first_seen_at`."""
    if added or changed_ids:
        tx.insert("search_queue", QUEUE_COLUMNS, [(source, stored_at, added, list(changed_ids))])


class Search:
    """Asks for words; `index` takes up what is there to be found."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self.index = Index(database)

    def find(
        self, query: str, selection: Selection, limit: int, *, order: str = "best", before: int | None = None
    ) -> Found:
        """Records that match a query, at most `limit`.

        `order` is `best` or `newest`; newest first goes on below the record number `before`. Raises UsageError where
        the query cannot be understood.
        """
        node = parse(query)
        if order not in ("best", "newest"):
            raise UsageError(f'order is "{order}"', "write best or newest")
        with self._reading() as reader:
            if order == "newest":
                found = _Hits(reader, self._database.dialect, node, selection).newest(
                    limit + 1, before=before
                )
            else:
                hits = _Hits(reader, self._database.dialect, node, selection)
                most = max(OF_PHRASES if _seeks_phrase(node) else CANDIDATES, 2 * limit)
                ids = {*hits.newest(most, in_title=True), *hits.newest(most)}
                found = ranked(reader.all("search_texts", ids=sorted(ids)), node) if ids else []
            return Found(_rows(reader, found[:limit]), len(found) > limit, _lag(reader))

    def ids(self, query: str, selection: Selection, limit: int, before: int | None = None) -> list[int]:
        """The numbers of all records that match, greatest first: `find` may leave out what a clock dated wrong.

        Raises UsageError.
        """
        node = parse(query)
        with self._reading() as reader:
            hits = _Hits(reader, self._database.dialect, node, selection, is_bounded=False)
            return hits.newest(limit, before=before)

    @contextmanager
    def _reading(self) -> Iterator[Reader]:
        """Something to ask that looks into the index before all else."""
        if self._database.one_writer:
            with self._database.reader() as reader:
                yield reader
            return
        with self._database.transaction() as tx:
            tx.one("search_by_index")
            yield tx

    def lag(self) -> Lag:
        """What is not in the index yet."""
        with self._database.reader() as reader:
            return _lag(reader)

    def last_queued(self) -> int | None:
        """The number of what was stored last and is not in the index yet; None where nothing waits."""
        with self._database.reader() as reader:
            row = reader.one("search_queue_last")
        return row["id"] if row is not None else None

    def rebuild(self) -> Iterator[tuple[int, int]]:
        """Build the index anew from the records: how far it is, of how many; see `Index.rebuild`."""
        yield from self.index.rebuild()

    def check(self) -> int:
        """How many records are neither in the index nor waiting for it, or are in it and gone: there should be none."""
        return self.index.check()

    def repair(self) -> int:
        """Let the index take up what `check` finds, and forget what is gone; how many records that is."""
        return self.index.repair()


class _Hits:
    """The numbers of the records that a query and a selection mean."""

    def __init__(
        self, reader: Reader, dialect: str, node: Node, selection: Selection, *, is_bounded: bool = True
    ) -> None:
        self._reader = reader
        self._is_bounded = is_bounded
        self._dialect = dialect
        self._node = node
        self._marks = marks(selection.kind, selection.source or self._source_of(selection.task))
        self._where = {name: getattr(selection, name) for name in ("since", "until")} | {
            "task_id": selection.task
        }
        # First and last number that come into question; None until it is known.
        self._bounds: tuple[int, int] | None = None

    def newest(self, limit: int, *, before: int | None = None, in_title: bool = False) -> list[int]:
        """At most `limit` numbers, greatest first."""
        low, high = self._bounds = self._bounds or self._within()
        high = min(high, before - 1) if before is not None else high
        if low > high:
            return []
        if self._dialect == "sqlite":
            query = fts5_query(self._node, self._marks, in_title=in_title)
            return self._ask(query, low, high, limit)
        return self._by_blocks(low, high, limit, in_title)

    def _by_blocks(self, low: int, high: int, limit: int, in_title: bool) -> list[int]:
        """For an index that has no order: some of the newest records, twice as many, and so on.

        Where a first look at the newest finds too little, hits that are few in all are taken as they come.
        """
        found: list[int] = []
        last, size = high >> BLOCK_BITS, 1
        while last >= low >> BLOCK_BITS:
            first = max(last - size + 1, low >> BLOCK_BITS)
            blocks = range(first, last + 1)
            query = tsquery(self._node, self._marks, in_title=in_title, blocks=blocks)
            found += self._ask(query, low, high, limit - len(found))
            if len(found) >= limit:
                break
            # Where hits are looked at one by one, for a phrase or what a task has seen, that would cost as much again.
            is_cheap = self._where["task_id"] is None and not _seeks_phrase(self._node)
            if is_cheap and last == high >> BLOCK_BITS and first > low >> BLOCK_BITS:
                query = tsquery(self._node, self._marks, in_title=in_title)
                every = self._ask(query, low, high, limit + 1, most=limit + 1)
                if len(every) <= limit:
                    return every
            last, size = first - 1, min(2 * size, MOST_BLOCKS)
        return found

    def _ask(self, query: str, low: int, high: int, limit: int, most: int | None = None) -> list[int]:
        values = {"query": query, "low": low, "high": high, "limit": limit, "most": most}
        return [row["id"] for row in self._reader.all("search_ids", **values, **self._where)]

    def _source_of(self, task: str | None) -> str | None:
        """The source of all that a task has seen, where that is one and the task has not seen much.

        A word that is everywhere need then not be looked for among the records of others.
        """
        if task is None:
            return None
        rows = self._reader.all("search_task", task_id=task, most=LITTLE)
        return rows[0]["source"] if len(rows) == 1 and rows[0]["count"] < LITTLE else None

    def _within(self) -> tuple[int, int]:
        """The first and the last record that come into question by their time."""
        last = self._number("search_last")
        if last is None:
            return 1, 0
        since, until = (self._where[name] if self._is_bounded else None for name in ("since", "until"))
        low, high = 1, last
        if since is not None:
            upto = self._near("search_since", since=since)
            first = self._number("search_since_first", since=since, upto=upto and upto + OVERLAP)
            low = first if first is not None else last + 1
        if until is not None:
            upto = self._near("search_until", until=until)
            found = self._number("search_until_last", until=until, upto=upto and upto - OVERLAP)
            high = min(last, found or 0)
        return low, high

    def _near(self, statement: str, **values: datetime) -> datetime | None:
        row = self._reader.one(statement, near=NEAREST, **values)
        return row["first_seen_at"] if row is not None else None

    def _number(self, statement: str, **values: datetime | None) -> int | None:
        row = self._reader.one(statement, **values)
        return row["id"] if row is not None else None


def _seeks_phrase(node: Node) -> bool:
    return any(len(term.words) > 1 for term in wanted(node))


def _rows(reader: Reader, ids: Sequence[int]) -> list[Row]:
    """These records, in this order; one that was just deleted is left out."""
    by_id = {row["id"]: row for row in reader.all("search_rows", ids=list(ids))} if ids else {}
    return [by_id[number] for number in ids if number in by_id]


def _lag(reader: Reader) -> Lag:
    row = reader.one("search_lag")
    if row is None or row["stored_at"] is None:
        return Lag()
    return Lag(int(row["records"]), row["stored_at"])
