"""The processes that work on a store: who beats, and since when."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from stoma.records import holdable
from stoma.stores.base import Database, Row

FORGET_AFTER = timedelta(days=7)


@dataclass(frozen=True, slots=True)
class Node:
    """One scheduler process as it describes itself with each heartbeat."""

    owner: str
    hostname: str
    pid: int
    version: str
    api_url: str | None
    config_hash: str
    generation: int
    started_at: datetime
    state: Mapping[str, Any]


class Nodes:
    """The table `nodes`."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def beat(self, node: Node, now: datetime) -> None:
        """Say that a process lives, and what lies in its memory only."""
        # The name of a file may be no text: what is wrong with it is told here too.
        values = {name: holdable(getattr(node, name)) for name in Node.__slots__}
        with self._database.transaction() as tx:
            tx.execute("node_beat", now=now, **values)
            tx.execute("nodes_forget", before=now - FORGET_AFTER)

    def leave(self, owner: str) -> None:
        """A process that ends in order is no longer listed."""
        with self._database.transaction() as tx:
            tx.execute("node_leave", owner=owner)

    def all(self) -> list[Row]:
        """Every process that has not left, the oldest first."""
        with self._database.reader() as reader:
            return reader.all("nodes_all")
