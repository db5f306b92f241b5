"""Takes into the index of words what was stored, batch by batch. Speaks no dialect.

search_queue_next   the oldest of what pages left word of; on PostgreSQL many nodes each get something else
search_sources      what those records say now
listed              their words: outside of the write transaction on SQLite, whose writer others wait for
search_entries      written together with what is done of the queue: killed in between, nothing is lost or doubled
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from time import perf_counter
from typing import Any

from stoma.stores.base import Database, Reader, Row, Transaction
from stoma.stores.wordlists import BLOCK_BITS, MOST_TEXT, block, fts5_text, listed, marks, tsvector

MOST = 500
"""Records of one batch."""

LEAST = 25
"""The same, where writing them takes long; also how many are read at once."""

WRITING_SECONDS = 0.015
"""How long SQLite's one writer may be held, about."""

TEXT_OF_BATCH = 8_000_000
"""Characters that are read for one batch, about."""

PAGES_OF_BATCH = 100
"""Entries of the queue that one batch works off."""

CHECKED = 5000
"""Records that are checked, or let go of, at once."""

NEAR = 100
"""Records that are missing from the index are queued as one range where no more than so many lie between them."""

VERSION_BITS = 20
"""See search.sqlite.sql."""


@dataclass(slots=True)
class Work:
    """One batch: records to read, what is done of the queue then, and how far ranges are worked off."""

    ids: dict[int, None] = field(default_factory=dict)
    done: list[int] = field(default_factory=list)
    moved: list[Row] = field(default_factory=list)
    entries: list[Row] = field(default_factory=list)


class Index:
    """Builds the index."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._most = MOST

    def take_up(self) -> int | None:
        """Take up one batch: how many records came into the index; None where nothing is left to do."""
        if not self._database.one_writer:
            # One transaction, for what is being worked off is locked so that other nodes pass it over.
            with self._database.transaction() as tx:
                work = self._read(tx)
                return self._write(tx, work) if work is not None else None
        with self._database.reader() as reader:
            work = self._read(reader)
        if work is None:
            return None
        with self._database.transaction() as tx:
            began = perf_counter()
            count = self._write(tx, work)
        if count:
            share = WRITING_SECONDS / (perf_counter() - began)
            self._most = round(min(MOST, max(LEAST, count * share)))
        return count

    def tidy(self) -> None:
        """Make searches quick again after much was taken up."""
        if not self._database.one_writer:
            with self._database.transaction() as tx:
                tx.one("search_tidy")

    def rebuild(self) -> Iterator[tuple[int, int]]:
        """Put all records into the queue again, and let go of what is in the index; how far it is, of how many.

        Searches find less until the queue is worked off, which is what `take_up` does. Broken off, it has to be
        done again for what was left out.
        """
        with self._database.reader() as reader:
            last = _number(reader.one("search_last_record"))
            last = max(last, _number(reader.one("search_last")))
        # SQLite's index can only be emptied as a whole.
        step = max(last, 1) if self._database.one_writer else CHECKED
        for after in range(0, last, step):
            up_to = min(after + step, last)
            with self._database.transaction() as tx:
                if self._database.one_writer:
                    tx.execute("search_words_empty")
                tx.execute("search_entries_forget", after=after, up_to=up_to)
                tx.execute("search_queue_range", after=after, up_to=up_to)
            yield up_to, last

    def check(self) -> int:
        """How many records are neither in the index nor in the queue, or are gone: there should be none."""
        return sum(map(len, _missing(self._database))) + sum(map(len, _orphans(self._database)))

    def repair(self) -> int:
        """Put into the queue what `check` finds, and forget what is gone; how many records that is."""
        count = 0
        for ids in _missing(self._database):
            with self._database.transaction() as tx:
                for after, up_to in spans(ids):
                    tx.execute("search_queue_range", after=after, up_to=up_to)
            count += len(ids)
        for ids in _orphans(self._database):
            with self._database.transaction() as tx:
                count += tx.execute("search_orphans_forget", ids=ids)
        return count

    def _read(self, reader: Reader) -> Work | None:
        rows = reader.all("search_queue_next", limit=PAGES_OF_BATCH)
        if not rows:
            return None
        work = Work()
        for row in rows:
            left = self._most - len(work.ids)
            if left <= 0:
                break
            if row["up_to_id"] is not None:
                ids = _ids(reader, "search_range", after=row["after_id"], up_to=row["up_to_id"], limit=left)
                is_done = len(ids) < left
                if not is_done:
                    work.moved.append({"id": row["id"], "after": ids[-1], "taken": len(ids)})
            else:
                where = {"source": row["source"], "limit": left}
                new = _ids(reader, "search_page", stored_at=row["stored_at"], **where) if row["added"] else []
                changed = (
                    _ids(reader, "search_changed", ids=row["changed_ids"], **where)
                    if row["changed_ids"]
                    else []
                )
                is_done = len(new) < left and len(changed) < left
                ids = new + changed
            work.ids.update(dict.fromkeys(ids))
            if is_done:
                work.done.append(row["id"])
        self._list_words(reader, work)
        return work

    def _list_words(self, reader: Reader, work: Work) -> None:
        ids, size = list(work.ids), 0
        for start in range(0, len(ids), LEAST):
            if size > TEXT_OF_BATCH:
                # The rest comes with the next batch, so nothing is done yet.
                work.done.clear()
                work.moved.clear()
                return
            for row in reader.all("search_sources", ids=ids[start : start + LEAST], most=MOST_TEXT):
                found = listed(row)
                size += len(row["title"]) + len(row["summary"]) + 10 * len(found)
                work.entries.append(self._entry(row, found))

    def _entry(self, row: Row, found: Sequence[str]) -> Row:
        marked = marks(row["kind"], row["source"])
        if self._database.one_writer:
            text = fts5_text(found, marked)
        else:
            text = tsvector(found, [*marked, block(row["id"] >> BLOCK_BITS)])
        return {"id": row["id"], "version": row["version"], "words": text}

    def _write(self, tx: Transaction, work: Work) -> int:
        versions = [{"id": entry["id"], "version": entry["version"]} for entry in work.entries]
        fresh = {row["id"] for row in tx.all("search_fresh", rows=versions)} if versions else set()
        entries = [entry for entry in work.entries if entry["id"] in fresh]
        if entries and self._database.one_writer:
            tx.insert(
                "search_words",
                ("rowid", "words"),
                [(_row_number(entry), entry["words"]) for entry in entries],
            )
            entries = [{"id": entry["id"], "version": entry["version"]} for entry in entries]
        if entries:
            tx.execute("search_entries_write", rows=entries)
        for moved in work.moved:
            tx.execute("search_queue_move", **moved)
        if work.done:
            tx.execute("search_queue_done", ids=work.done)
        return len(entries)


def spans(ids: Sequence[int]) -> list[tuple[int, int]]:
    """Ranges, each behind one number up to another, that hold these (ascending) and not many others."""
    found: list[tuple[int, int]] = []
    for number in ids:
        if found and number - found[-1][1] <= NEAR:
            found[-1] = found[-1][0], number
        else:
            found.append((number - 1, number))
    return found


def _missing(database: Database) -> Iterator[list[int]]:
    """The numbers of records that are neither in the index nor in the queue, some at a time."""
    with database.reader() as reader:
        last, after = _number(reader.one("search_last_record")), 0
        queued = _Queued(reader)
    while True:
        with database.reader() as reader:
            rows = reader.all("search_missing", after=after, up_to=last, limit=CHECKED)
            if doubtful := [row for row in rows if row not in queued]:
                # Perhaps stored or changed since the queue was read; or taken up, before it was read again.
                queued = _Queued(reader)
                doubtful = [row for row in doubtful if row not in queued]
            still = _ids(reader, "search_missing_of", ids=[row["id"] for row in doubtful])
        # With no connection in hand: what is done about them needs one.
        yield still
        if len(rows) < CHECKED:
            return
        after = rows[-1]["id"]


def _orphans(database: Database) -> Iterator[list[int]]:
    """The numbers of records that are in the index and gone, some at a time."""
    after = 0
    while True:
        with database.reader() as reader:
            found = _ids(reader, "search_orphans", after=after, limit=CHECKED)
        yield found
        if len(found) < CHECKED:
            return
        after = found[-1]


class _Queued:
    """What the queue held when it was read."""

    def __init__(self, reader: Reader) -> None:
        self._pages: set[Any] = set()
        self._changed: set[Any] = set()
        self._ranges: list[tuple[int, int]] = []
        after = 0
        while rows := reader.all("search_queue_pages", after=after, limit=CHECKED):
            after = rows[-1]["id"]
            for row in rows:
                self._pages.add((row["source"], row["stored_at"]))
                self._changed.update((row["source"], key) for key in row["changed_ids"])
                if row["up_to_id"] is not None:
                    self._ranges.append((row["after_id"], row["up_to_id"]))

    def __contains__(self, row: Row) -> bool:
        return (
            (row["source"], row["first_seen_at"]) in self._pages
            or (row["source"], row["external_id"]) in self._changed
            or any(after < row["id"] <= up_to for after, up_to in self._ranges)
        )


def _row_number(entry: Row) -> int:
    number: int = entry["id"] << VERSION_BITS | entry["version"] & (1 << VERSION_BITS) - 1
    return number


def _ids(reader: Reader, statement: str, **values: Any) -> list[int]:
    return [row["id"] for row in reader.all(statement, **values)]


def _number(row: Row | None) -> int:
    return (row["id"] or 0) if row is not None else 0
