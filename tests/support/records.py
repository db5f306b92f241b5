"""Invented records for tests, and the road into a store."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from stoma.records import Record, sealed
from stoma.stores import Store
from stoma.stores.records import Prepared, save


def record(key: str, title: str = "", summary: str = "", **given: Any) -> Record:
    """A record of source `lab` and kind `paper`, unless something else is given."""
    return Record(
        **({"source": "lab", "kind": "paper"} | given), external_id=key, title=title, summary=summary
    )


def stored(store: Store, *records: Record, task: str = "t", at: datetime | None = None) -> None:
    """Store records as one page of a run does."""
    with store.database.transaction() as tx:
        save(tx, Prepared.of(sealed(one) for one in records), task, 1, at or store.now())


def indexed(store: Store, *records: Record, **given: Any) -> None:
    """The same, and take them up into the index of words."""
    stored(store, *records, **given)
    while store.search.index.take_up() is not None:
        pass
