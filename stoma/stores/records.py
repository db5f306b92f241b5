"""Records in the store: only what is new or changed is written. Speaks no dialect."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
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
    ids = list(group)
    known = {row["external_id"]: row for row in tx.all("record_hashes", source=source, ids=ids)}
    new = [pair for key, pair in group.items() if key not in known]
    changed = [pair for key, pair in group.items() if key in known and known[key]["content_hash"] != pair[1]]
    stale = [key for key, row in known.items() if now - row["last_seen_at"] > TOUCH_AFTER]
    tx.insert("records", RECORD_COLUMNS, [row_of(record, digest, now) for record, digest in new])
    if changed:
        keys = [{"source": source, "external_id": record.external_id} for record, _ in changed]
        tx.many("record_supersede", [key | {"now": now, "run_id": run_id} for key in keys])
        tx.many("record_change", [change_of(record, digest, now) for record, digest in changed])
    enqueue(tx, source, now, len(new), [record.external_id for record, _ in changed])
    if stale:
        tx.many("record_touch", [{"source": source, "external_id": key, "now": now} for key in stale])
    fresh = _sight(tx, source, ids, task_id, run_id, now)
    measured = observations_of((record for record, _ in group.values()), now, run_id)
    if measured:
        tx.insert("observations", OBSERVATION_COLUMNS, measured)
    return Outcome(len(new), len(changed), len(group) - len(new) - len(changed), fresh)


def _sight(tx: Transaction, source: str, ids: list[str], task_id: str, run_id: int, now: datetime) -> int:
    """Note what the task saw; how much of it was new to this task, or has changed since it saw it last."""
    rows = tx.all("sighting_known", task_id=task_id, source=source, ids=ids)
    seen = {row["external_id"]: row["last_seen_at"] for row in rows}
    changed = {
        row["external_id"] for row in rows if row["changed_at"] and row["changed_at"] > row["last_seen_at"]
    }
    tx.insert(
        "sightings",
        SIGHTING_COLUMNS,
        [(task_id, source, key, now, now, run_id) for key in ids if key not in seen],
    )
    stale = [key for key, last in seen.items() if key in changed or now - last > TOUCH_AFTER]
    if stale:
        names = {"task_id": task_id, "source": source, "run_id": run_id, "now": now}
        tx.many("sighting_touch", [names | {"external_id": key} for key in stale])
    return len(ids) - len(seen) + len(changed)


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
