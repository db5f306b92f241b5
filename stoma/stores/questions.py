"""What people ask of the records: lists, changes, the story of one. Speaks no dialect."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from stoma.scheduler.base import iso

RECORD_FIELDS = (
    "id", "source", "external_id", "kind", "title", "summary", "url", "authors", "tags", "published_at",
    "updated_at", "attributes", "version", "first_seen_at", "last_seen_at",
)  # fmt: skip
"""What is told of a record, in this order, wherever it is told: `--json`, HTTP, exports."""


@dataclass(frozen=True, slots=True)
class Selection:
    """Which records are meant; None does not matter. `since` (inclusive) and `until` bound `first_seen_at`."""

    kind: str | None = None
    source: str | None = None
    # Only what this task has seen.
    task: str | None = None
    since: datetime | None = None
    until: datetime | None = None

    def values(self) -> dict[str, Any]:
        """By the names that statements use; a part `{if kind: …}` of one stands only where a kind is given."""
        return {
            "kind": self.kind,
            "source": self.source,
            "task_id": self.task,
            "since": self.since,
            "until": self.until,
        }


def record_dict(row: Mapping[str, Any]) -> dict[str, Any]:
    """A row of `records` as JSON tells it: instants as text in UTC."""
    return {name: _plain(row[name]) for name in RECORD_FIELDS}


def _plain(value: Any) -> Any:
    return iso(value) if isinstance(value, datetime) else value
