"""Records in the store: only what is new or changed is written. Speaks no dialect."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from stoma.records import Record, Reject
from stoma.references import mask
from stoma.stores.base import Database, Row, Transaction
from stoma.stores.search import enqueue

TOUCH_AFTER = timedelta(days=1)
"""`last_seen_at` moves at most this often: touching every unchanged row would cost more than all else."""

RECORD_COLUMNS = (
    "source", "external_id", "kind", "title", "summary", "url", "authors", "tags", "published_at", "updated_at",
    "attributes", "content_hash", "version", "first_seen_at", "last_seen_at",
)  # fmt: skip
SIGHTING_COLUMNS = ("task_id", "source", "external_id", "first_seen_at", "last_seen_at", "run_id")
OBSERVATION_COLUMNS = ("source", "external_id", "measure", "value", "observed_at", "run_id")
REJECT_COLUMNS = ("task_id", "run_id", "external_id", "reason", "item", "rejected_at")


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of the records of one page."""

    new: int = 0
    changed: int = 0
    unchanged: int = 0
    # How many the task itself had not seen yet, or not as they are now, whoever stored them.
    fresh: int = 0

    def __add__(self, other: Outcome) -> Outcome:
        return Outcome(
            self.new + other.new,
            self.changed + other.changed,
            self.unchanged + other.unchanged,
            self.fresh + other.fresh,
        )


@dataclass(frozen=True, slots=True)
class Prepared:
    """The records of one page with their hashes, by source; of doubles the last one counts."""

    by_source: dict[str, dict[str, tuple[Record, str]]]

    @classmethod
    def of(cls, records: Iterable[tuple[Record, str]]) -> Prepared:
        """Group sealed records by source."""
        groups: dict[str, dict[str, tuple[Record, str]]] = {}
        for record, content_hash in records:
            groups.setdefault(record.source, {})[record.external_id] = (record, content_hash)
        return cls(groups)


def save(tx: Transaction, page: Prepared, task_id: str, run_id: int, now: datetime) -> Outcome:
    """Write what is new or changed of one page inside the transaction of that page."""
    total = Outcome()
    for source in sorted(page.by_source):
        total += _save_source(tx, source, page.by_source[source], task_id, run_id, now)
    return total


def _save_source(
    tx: Transaction,
    source: str,
    group: dict[str, tuple[Record, str]],
    task_id: str,
    run_id: int,
    now: datetime,
) -> Outcome:
    # Two tasks may bring the same new record at once; pages of one source are written one after the other.
    tx.lock(f"records {source}")
    hashes = {key: digest for key, (_, digest) in group.items()}
    rows = tx.all("record_standing", source=source, task_id=task_id, hashes=hashes, stale=now - TOUCH_AFTER)
    todo = Todo.of(rows, hashes, now)
    new = [group[key] for key in todo.new]
    tx.insert("records", RECORD_COLUMNS, [row_of(record, digest, now) for record, digest in new])
    if todo.changed:
        names = {"source": source, "now": now, "run_id": run_id}
        tx.many("record_supersede", [names | {"external_id": key} for key in todo.changed])
        tx.many("record_change", [change_of(*group[key], now) for key in todo.changed])
        tx.execute("source_changed", source=source, now=now)
    enqueue(tx, source, now, len(new), todo.changed)
    if todo.touched:
        tx.execute("record_touch", ids=todo.touched, now=now)
    if todo.sighted:
        tx.execute("sighting_note", task_id=task_id, source=source, ids=todo.sighted, run_id=run_id, now=now)
    measured = observations_of((record for record, _ in group.values()), now, run_id)
    if measured:
        tx.insert("observations", OBSERVATION_COLUMNS, measured)
    unchanged = len(group) - len(new) - len(todo.changed)
    return Outcome(len(new), len(todo.changed), unchanged, todo.fresh)


@dataclass(slots=True)
class Todo:
    """What is to be written of the records of one source on one page."""

    new: list[str] = field(default_factory=list)
    changed: list[str] = field(default_factory=list)
    # The numbers of unchanged records that were not seen for so long that it is worth noting.
    touched: list[int] = field(default_factory=list)
    # What the task is to be noted as having seen.
    sighted: list[str] = field(default_factory=list)
    # How many the task had not seen yet, or not as they are now.
    fresh: int = 0

    @classmethod
    def of(cls, rows: Iterable[Row], hashes: Mapping[str, str], now: datetime) -> Todo:
        """Decide by what `record_standing` tells, in the order of the page; what it leaves out is as it should be."""
        todo, standing = cls(), {row["external_id"]: row for row in rows}
        for key in hashes:
            if (row := standing.get(key)) is None:
                continue
            known, sighted_at, is_changed = row["content_hash"], row["sighted_at"], False
            if known is None:
                todo.new.append(key)
            elif known != hashes[key]:
                todo.changed.append(key)
                is_changed = True
            elif now - row["last_seen_at"] > TOUCH_AFTER:
                todo.touched.append(row["id"])
            changed_at = now if is_changed else row["changed_at"]
            is_fresh = sighted_at is None or (changed_at is not None and changed_at > sighted_at)
            todo.fresh += is_fresh
            if is_fresh or now - sighted_at > TOUCH_AFTER:
                todo.sighted.append(key)
        return todo


def save_rejects(
    tx: Transaction, rejects: Sequence[Reject], task_id: str, run_id: int, now: datetime
) -> None:
    """Keep what could not be normalised, with the reason."""
    tx.insert(
        "rejects",
        REJECT_COLUMNS,
        [
            (task_id, run_id, reject.external_id, mask(reject.reason), {"item": reject.item}, now)
            for reject in rejects
        ],
    )


class Records:
    """Asks about records."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def count(self) -> int:
        """How many records there are."""
        with self._database.reader() as reader:
            row = reader.one("record_count")
        return int(row["count"]) if row else 0

    def count_by_kind(self) -> dict[str, int]:
        """How many records of each kind there are."""
        with self._database.reader() as reader:
            return {row["kind"]: row["count"] for row in reader.all("record_count_by_kind")}

    def newest(self, limit: int = 20) -> list[Row]:
        """The records stored last."""
        with self._database.reader() as reader:
            return reader.all("record_newest", limit=limit)

    def latest(self, limit: int = 20) -> list[Row]:
        """The records published last; where none has a date, those stored last."""
        with self._database.reader() as reader:
            return reader.all("record_latest", limit=limit) or reader.all("record_newest", limit=limit)

    def get(self, source: str, external_id: str) -> Row | None:
        """One record."""
        with self._database.reader() as reader:
            return reader.one("record_get", source=source, external_id=external_id)

    def stored(self, source: str, ids: Sequence[str]) -> dict[str, tuple[Record, str]]:
        """The records of a source with these ids as they are stored, each with its content hash, by id."""
        with self._database.reader() as reader:
            rows = reader.all("record_contents", source=source, ids=list(ids))
        return {row["external_id"]: (_record_of(source, row), row["content_hash"]) for row in rows}

    def versions(self, source: str, external_id: str) -> list[Row]:
        """What a record said before, oldest first."""
        with self._database.reader() as reader:
            return reader.all("record_versions_of", source=source, external_id=external_id)

    def rejects(self, task_id: str, limit: int = 50) -> list[Row]:
        """The items of a task that could not be normalised, newest first."""
        with self._database.reader() as reader:
            return reader.all("rejects_of_task", task_id=task_id, limit=limit)


def observations_of(records: Iterable[Record], now: datetime, run_id: int) -> list[tuple[Any, ...]]:
    """What is measured of records, as rows of `observations`."""
    return [
        (record.source, record.external_id, measure, float(value), now, run_id)
        for record in records
        for measure, value in record.measures.items()
    ]


def _record_of(source: str, row: Row) -> Record:
    published, updated = (row[name] and row[name].astimezone(UTC) for name in ("published_at", "updated_at"))
    texts = {name: row[name] for name in ("external_id", "kind", "title", "summary", "url")}
    return Record(
        source,
        **texts,
        authors=tuple(row["authors"]),
        tags=tuple(row["tags"]),
        published_at=published,
        updated_at=updated,
        attributes=row["attributes"],
    )


def row_of(record: Record, digest: str, now: datetime) -> tuple[Any, ...]:
    """A record that is stored for the first time, as a row of `records`."""
    return (
        record.source, record.external_id, record.kind, record.title, record.summary, record.url,
        list(record.authors), list(record.tags), record.published_at, record.updated_at,
        dict(record.attributes), digest, 1, now, now,
    )  # fmt: skip


def change_of(record: Record, digest: str, now: datetime) -> dict[str, Any]:
    """What a record says now, for the statement that changes its row."""
    return {
        "source": record.source,
        "external_id": record.external_id,
        "kind": record.kind,
        "title": record.title,
        "summary": record.summary,
        "url": record.url,
        "authors": list(record.authors),
        "tags": list(record.tags),
        "published_at": record.published_at,
        "updated_at": record.updated_at,
        "attributes": dict(record.attributes),
        "content_hash": digest,
        "now": now,
    }
