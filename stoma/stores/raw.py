"""Raw pages in the store: answers as they came, what each attempt began with, and which records they gave.

Speaks no dialect. Bodies and ids are compressed with zlib by whoever brings them, outside of any transaction.
"""

from __future__ import annotations

import zlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import orjson

from stoma.records import Record
from stoma.stores.base import Database, Row, Transaction
from stoma.stores.records import (
    OBSERVATION_COLUMNS,
    RECORD_COLUMNS,
    SIGHTING_COLUMNS,
    change_of,
    observations_of,
    row_of,
)
from stoma.stores.search import enqueue

LEVEL = 4
"""Of zlib: twice as fast as its usual 6 (70 MB/s of papers, 180 of HTML) for bodies that are a twentieth larger."""

ATTEMPT_COLUMNS = ("run_id", "fence", "task_id", "fingerprint", "context", "began_at", "keep_until")
GIVEN_COLUMNS = ("run_id", "fence", "number", "ids", "saved_at", "keep_until")

Key = tuple[str, str]
"""Source and external id of a record."""


@dataclass(frozen=True, slots=True)
class Attempt:
    """One attempt whose answers are kept, and what it began with."""

    task_id: str
    run_id: int
    fence: int
    fingerprint: str
    context: Mapping[str, Any]
    began_at: datetime


@dataclass(frozen=True, slots=True)
class Answer:
    """One answer of a source; `url` and `headers` are masked, `body` is compressed, `size` is what it was before."""

    request: str
    url: str
    status: int
    headers: Mapping[str, str]
    body: bytes
    size: int
    fetched_at: datetime


@dataclass(frozen=True, slots=True)
class Batch:
    """What one page adds: the answers that came since the page before, and the compressed keys of its records."""

    attempt: Attempt
    number: int
    answers: Sequence[Answer]
    # None behind the last page.
    given: bytes | None
    # True for the first batch of an attempt, which brings the attempt itself.
    opens: bool
    keep_until: datetime


@dataclass(frozen=True, slots=True)
class Given:
    """What a page of an attempt gave, and when it was committed."""

    number: int
    keys: Sequence[Key]
    saved_at: datetime


@dataclass(frozen=True, slots=True)
class KeptSize:
    """How much is kept of a task: answers, their bytes before and after, the oldest one, and until when."""

    pages: int
    size: int
    bytes: int
    oldest_at: datetime | None
    last_until: datetime | None


@dataclass(frozen=True, slots=True)
class Again:
    """What the records of a page are beside what is stored: the decision, before anything is written."""

    new: Sequence[tuple[Record, str]]
    # With the row that is stored.
    changed: Sequence[tuple[Record, str, Row]]
    same: Sequence[str]
    # What is stored came later than the page, from another run.
    newer: Sequence[str]


def packed(keys: Iterable[Key]) -> bytes:
    """The keys of records, compressed."""
    by_source: dict[str, list[str]] = {}
    for source, external_id in keys:
        by_source.setdefault(source, []).append(external_id)
    return zlib.compress(orjson.dumps(by_source), LEVEL)


def unpacked(data: bytes) -> list[Key]:
    """The keys that were packed."""
    by_source = orjson.loads(zlib.decompress(data))
    return [(source, external_id) for source, ids in by_source.items() for external_id in ids]


def save_raw(tx: Transaction, batch: Batch, now: datetime) -> None:
    """Keep what a page adds, inside the transaction of that page."""
    attempt, until = batch.attempt, batch.keep_until
    ids = (attempt.run_id, attempt.fence)
    if batch.opens:
        context = dict(attempt.context)
        row = (*ids, attempt.task_id, attempt.fingerprint, context, attempt.began_at, until)
        tx.insert("raw_attempts", ATTEMPT_COLUMNS, [row])
    # Not in bulk: `COPY` would spell each byte of a body as two letters.
    for answer in batch.answers:
        tx.execute(
            "raw_page_add",
            task_id=attempt.task_id,
            run_id=attempt.run_id,
            fence=attempt.fence,
            number=batch.number,
            fingerprint=attempt.fingerprint,
            request=answer.request,
            url=answer.url,
            status=answer.status,
            headers=dict(answer.headers),
            body=answer.body,
            size=answer.size,
            fetched_at=answer.fetched_at,
            keep_until=until,
        )
    if batch.given is not None:
        tx.insert("raw_given", GIVEN_COLUMNS, [(*ids, batch.number, batch.given, now, until)])


def judge_again(
    group: Mapping[str, tuple[Record, str]], known: Iterable[Row], run_id: int, saved_at: datetime
) -> Again:
    """Compare the records of one source, which a page of `run_id` that was committed at `saved_at` gives by now."""
    stored = {row["external_id"]: row for row in known}
    newer = [key for key, row in stored.items() if _is_newer(row, run_id, saved_at)]
    left_alone = set(newer)
    same = [
        key for key, row in stored.items() if key not in left_alone and row["content_hash"] == group[key][1]
    ]
    settled = left_alone.union(same)
    return Again(
        new=[pair for key, pair in group.items() if key not in stored],
        changed=[(*group[key], row) for key, row in stored.items() if key not in settled],
        same=same,
        newer=newer,
    )


def _is_newer(row: Row, run_id: int, saved_at: datetime) -> bool:
    """True when what is stored began to be so behind the page, and not by the run of the page or a replay of it."""
    since, by = row["superseded_at"], row["changed_by"]
    if since is None:
        since, by = row["first_seen_at"], row["seen_by"]
    return bool(since > saved_at and by != run_id)


def standing_of(reader: Any, source: str, ids: Sequence[str], task_id: str) -> list[Row]:
    """What is stored of these records."""
    found: list[Row] = reader.all("raw_standing", source=source, ids=list(ids), task_id=task_id)
    return found


def save_again(
    tx: Transaction,
    source: str,
    group: Mapping[str, tuple[Record, str]],
    attempt: Attempt,
    saved_at: datetime,
    now: datetime,
) -> Again:
    """Write what a page gives by now and the store does not have, as versions of the run that collected it.

    What was sighted and measured then is written already, but for records that are new; `last_seen_at` stays.
    """
    tx.lock(f"records {source}")
    again = judge_again(
        group, standing_of(tx, source, list(group), attempt.task_id), attempt.run_id, saved_at
    )
    if again.changed:
        names = {"source": source, "run_id": attempt.run_id, "now": now}
        ids = [record.external_id for record, _, _ in again.changed]
        tx.many("record_supersede", [names | {"external_id": external_id} for external_id in ids])
        tx.many(
            "record_change",
            [change_of(record, digest, row["last_seen_at"]) for record, digest, row in again.changed],
        )
    enqueue(tx, source, now, len(again.new), [record.external_id for record, _, _ in again.changed])
    if again.new:
        tx.insert("records", RECORD_COLUMNS, [row_of(record, digest, now) for record, digest in again.new])
        ids = [record.external_id for record, _ in again.new]
        names = {"task_id": attempt.task_id, "source": source}
        # A record that was deleted by hand has been sighted and measured.
        sighted = {row["external_id"] for row in tx.all("sighting_known", ids=ids, **names)}
        fresh = [record for record, _ in again.new if record.external_id not in sighted]
        sights = [(attempt.task_id, source, one.external_id, now, now, attempt.run_id) for one in fresh]
        tx.insert("sightings", SIGHTING_COLUMNS, sights)
        tx.insert("observations", OBSERVATION_COLUMNS, observations_of(fresh, saved_at, attempt.run_id))
    return again


class Raw:
    """The tables `raw_pages`, `raw_attempts` and `raw_given`."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def attempts(self, task_id: str, since: datetime, now: datetime) -> list[Attempt]:
        """What can be replayed of a task, of attempts that began at `since` or later; the newest first."""
        with self._database.reader() as reader:
            rows = reader.all("raw_attempts_of", task_id=task_id, since=since, now=now)
        return [Attempt(task_id=task_id, **row) for row in rows]

    def answers(self, attempt: Attempt) -> list[Row]:
        """The answers of an attempt in order of time, without their bodies."""
        with self._database.reader() as reader:
            return reader.all("raw_answers_of", run_id=attempt.run_id, fence=attempt.fence)

    def body(self, number: int) -> bytes | None:
        """The body of an answer by its id, as it came; None when it has expired meanwhile."""
        with self._database.reader() as reader:
            row = reader.one("raw_body", id=number)
        return zlib.decompress(row["body"]) if row else None

    def given(self, attempt: Attempt) -> list[Given]:
        """What the pages of an attempt gave, in order."""
        with self._database.reader() as reader:
            rows = reader.all("raw_given_of", run_id=attempt.run_id, fence=attempt.fence)
        return [Given(row["number"], unpacked(row["ids"]), row["saved_at"]) for row in rows]

    def kept(self, task_id: str, now: datetime) -> KeptSize:
        """How much is kept of a task."""
        with self._database.reader() as reader:
            row = reader.one("raw_kept", task_id=task_id, now=now)
        assert row is not None  # noqa: S101 — an aggregate has one row
        counts = {name: int(row[name]) for name in ("pages", "size", "bytes")}
        return KeptSize(**counts, oldest_at=row["oldest_at"], last_until=row["last_until"])

    def expire(self, now: datetime, limit: int) -> int:
        """Delete rows that need not be kept any longer, at most `limit` of each kind in a transaction; how many."""
        with self._database.reader() as reader:
            if reader.one("raw_expired", now=now) is None:
                return 0
        gone = 0
        for name in ("raw_pages_expire", "raw_given_expire", "raw_attempts_expire"):
            with self._database.transaction() as tx:
                gone += tx.execute(name, now=now, limit=limit)
        return gone
