"""Who changed what, over HTTP and by command. Speaks no dialect."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from stoma.stores.base import Database

NEWEST = 2**62
"""Above every number of a row."""

COLUMNS = (
    "happened_at", "who", "via", "address", "action", "target", "outcome", "status", "circumstances",
)  # fmt: skip

DONE, REFUSED, FAILED = OUTCOMES = ("done", "refused", "failed")
"""It was done; who asked may not; it could not be done."""


@dataclass(frozen=True, slots=True)
class Entry:
    """One change, or what somebody wanted to change; nothing in it is secret any more."""

    happened_at: datetime
    # A token by the name of its reference, a user of the machine, or `anyone`.
    who: str
    # `http` or `cli`.
    via: str
    # The address it came from, or the name of the machine.
    address: str
    # As the command calls it: `enable-task`.
    action: str
    # Of what: a task, a run, a preset.
    target: str = ""
    outcome: str = DONE
    # The status of the answer; None for a command.
    status: int | None = None
    # What else is known: method and path, what was sent, why it was refused.
    circumstances: Mapping[str, Any] = field(default_factory=dict)
    # Grows with each entry that the store takes; 0 before that.
    id: int = 0

    def as_dict(self) -> dict[str, Any]:
        """The fields as JSON carries them."""
        at = f"{self.happened_at:%Y-%m-%dT%H:%M:%S}.{self.happened_at.microsecond // 1000:03}Z"
        told = {name: getattr(self, name) for name in COLUMNS[1:]}
        return {"id": self.id, "at": at, **told}


class Audit:
    """The table `audit`; rows are only added, and deleted when they are old."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def add(self, entry: Entry) -> None:
        """Keep an entry. What it says must be masked already."""
        row = [getattr(entry, name) for name in COLUMNS]
        with self._database.transaction() as tx:
            tx.insert("audit", COLUMNS, [row])

    def latest(
        self,
        *,
        since: datetime | None = None,
        outcome: str | None = None,
        below: int = NEWEST,
        limit: int = 50,
    ) -> list[Entry]:
        """Entries, newest first, with ids below `below`; narrowed by what is given."""
        with self._database.reader() as reader:
            rows = reader.all("audit_latest", since=since, outcome=outcome, below=below, limit=limit)
        return [Entry(**row) for row in rows]
