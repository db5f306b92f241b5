"""The index of words over records, built right behind the writer, and what is asked of it. Speaks no dialect."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from stoma.stores.base import Database, Row, Transaction
from stoma.stores.questions import Selection

QUEUE_COLUMNS = ("source", "stored_at", "added", "changed_ids")


@dataclass(frozen=True, slots=True)
class Lag:
    """What is stored and not in the index yet: how many records, and since when."""

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
    """Asks for words."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def find(
        self, query: str, selection: Selection, limit: int, *, order: str = "best", before: int | None = None
    ) -> Found:
        """Records that match a query, at most `limit`.

        `order` is `best` or `newest`; newest first goes on below the record number `before`. Raises UsageError where
        the query cannot be understood.
        """
        raise NotImplementedError

    def lag(self) -> Lag:
        """What is not in the index yet."""
        raise NotImplementedError
