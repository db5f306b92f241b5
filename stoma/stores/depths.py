"""How much waits in the store, for those who watch: a few statements that read little. Speaks no dialect."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from stoma.stores.base import Database
from stoma.stores.schema import Migration, migrations


@dataclass(frozen=True, slots=True)
class Depths:
    """Numbers of runs, messages and records; instants are those of the oldest that waits, None where nothing does."""

    pending: int
    interrupted: int
    running: int
    # Those of the waiting runs that could start now.
    ready: int
    ready_at: datetime | None
    leases: int
    expired: int
    # Unfinished backfills, and their windows that are not final.
    backfills: int
    windows: int
    completed_at: datetime | None
    messages: int
    message_at: datetime | None
    unindexed: int
    unindexed_at: datetime | None


def depths(database: Database, now: datetime) -> Depths:
    """How much waits; raises StoreError."""
    with database.reader() as reader:
        queue = reader.one("depth_of_queue", now=now) or {}
        completed = reader.one("depth_completed") or {}
        outbox = reader.one("depth_of_outbox") or {}
        lag = reader.one("search_lag") or {}
    return Depths(
        **queue,
        completed_at=completed.get("finished_at"),
        messages=outbox.get("messages", 0),
        message_at=outbox.get("created_at"),
        unindexed=int(lag.get("records") or 0),
        unindexed_at=lag.get("stored_at"),
    )


def is_migrated(database: Database, known: Sequence[Migration] | None = None) -> bool:
    """True where all steps of this program (or `known`) were applied; raises StoreError where it cannot be told."""
    known = migrations(database.dialect) if known is None else known
    with database.reader() as reader:
        row = reader.one("depth_of_schema") or {}
    return bool((row.get("number") or 0) >= known[-1].number)
