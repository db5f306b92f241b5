"""By what sources recognise the answers that were accepted last, in the store. Speaks no dialect."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime

from stoma.stores.base import Database, Reader, Row, Transaction

COLUMNS = ("task_id", "request", "fingerprint", "etag", "last_modified", "item_count", "run_id", "saved_at")

ANSWER = "answer "
"""What stands before the hash of an answer, in place of a request that the source recognises."""


class Validators:
    """The table `http_validators`."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def of_task(self, task_id: str) -> list[Row]:
        """What the last completed run of a task has left."""
        with self._database.reader() as reader:
            return of_task(reader, task_id)

    def changed_at(self, source: str) -> datetime | None:
        """When somebody last changed a record of a source; None: never."""
        with self._database.reader() as reader:
            return changed_at(reader, source)


def of_task(reader: Reader, task_id: str) -> list[Row]:
    """The same inside a transaction."""
    return reader.all("validators_of", task_id=task_id)


def changed_at(reader: Reader, source: str) -> datetime | None:
    """When somebody last changed a record of a source; None: never."""
    row = reader.one("source_changed_at", source=source)
    return row["changed_at"] if row is not None else None


def replace(tx: Transaction, task_id: str, rows: Iterable[Sequence[object]]) -> None:
    """Keep these rows (in the order of `COLUMNS`) in place of all that the task has."""
    tx.execute("validators_forget", task_id=task_id)
    tx.insert("http_validators", COLUMNS, rows)
