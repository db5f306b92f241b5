"""How much room a store takes, and how much is in each table. Speaks no dialect."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from stoma.scheduler.base import iso
from stoma.stores.base import Database

WORDS = "search_words"
"""The tables of SQLite's index of words begin like this."""


@dataclass(frozen=True, slots=True)
class Size:
    """Bytes of the whole, and of what is in use; `log` and `free` (in the file) only where there is one file."""

    bytes: int
    used: int
    log: int | None = None
    free: int | None = None


@dataclass(frozen=True, slots=True)
class Content:
    """One table: its rows, the bytes of it and its indexes where they can be told, from when to when."""

    name: str
    rows: int
    bytes: int | None
    oldest_at: datetime | None
    newest_at: datetime | None

    def as_dict(self) -> dict[str, Any]:
        """The fields as JSON carries them."""
        instants = {"oldest_at": self.oldest_at, "newest_at": self.newest_at}
        told = {name: iso(at) if at else None for name, at in instants.items()}
        return {"table": self.name, "rows": self.rows, "bytes": self.bytes} | told


def size(database: Database) -> Size:
    """How much room all of it takes."""
    if database.dialect == "sqlite":
        from stoma.stores.sqlite_care import space

        found = space(Path(database.place))
        return Size(found.file + found.log, found.used, found.log, found.free)
    whole = sum(table_bytes(database).values())
    return Size(whole, whole)


def table_bytes(database: Database) -> Mapping[str, int]:
    """Bytes of each table with its indexes; empty where this SQLite cannot tell."""
    with database.reader() as reader:
        if not (reader.one("can_tell_bytes") or {}).get("found"):
            return {}
        return {row["name"]: int(row["bytes"]) for row in reader.all("table_bytes")}


def contents(database: Database) -> list[Content]:
    """The tables that grow, and what is in them."""
    sizes = table_bytes(database)
    words = sum(count for name, count in sizes.items() if name.startswith(WORDS))
    with database.reader() as reader:
        rows = reader.all("table_rows")
    return [
        Content(
            row["name"],
            row["count"],
            (sizes.get(row["name"], 0) + (words if row["name"] == "search_entries" else 0))
            if sizes
            else None,
            row["oldest_at"],
            row["newest_at"],
        )
        for row in rows
    ]
