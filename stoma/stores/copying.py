"""Everything of one store into another one, empty before: all of it and the same, or nothing.

    source: one snapshot                       target: one transaction
    each table, some rows at a time ────────▶ written ──▶ read again, compared by count and hash ──▶ committed

Killed at any instant, the target is as empty as it was. Nothing of it has to be resumed, marked or cleaned up.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from hashlib import blake2b
from typing import Any

import orjson

from stoma.errors import StoreError
from stoma.stores.base import Database, Side
from stoma.stores.tables import Table, shared

MOVED = (
    "records", "record_versions", "sightings", "observations", "rejects", "runs", "attempts", "skips", "agenda",
    "cursors", "progress", "task_overrides", "upstream_ends", "switches", "config_files", "run_logs",
    "http_validators", "source_changes", "gone",
    "host_budgets", "raw_pages", "raw_attempts", "raw_given", "keeping", "audit",
    "alerts", "outbox",
)  # fmt: skip
"""Tables that are copied. A table that is in neither list is copied too; a test asks for the decision."""

LEFT: Mapping[str, str] = {
    "nodes": "who works on the other store",
    "connections": "requests that its processes have open",
    "search_queue": "the index of words is built anew",
    "search_entries": "the index of words is built anew",
}
"""Tables that are not copied, and why."""

_MODULUS = 1 << 128
_NUMBER = re.compile(r"(?:^|[:\[,\s])-?\d")
_INSTANT = len("2026-01-01T00:00:00.000000Z")

OnRows = Callable[[str, int], None]
"""Told of each table how many rows more were carried over or compared."""


@dataclass(slots=True)
class Sum:
    """How many rows a table has, and a hash of them in whatever order."""

    rows: int = 0
    total: int = 0

    @property
    def hash(self) -> str:
        """32 hex digits."""
        return f"{self.total:032x}"

    def add(self, table: Table, rows: Sequence[Sequence[Any]]) -> None:
        """Count some rows in."""
        special = [(place, PLAIN[kind]) for place, kind in enumerate(table.columns.values()) if kind in PLAIN]
        for row in rows:
            values = list(row)
            for place, plain in special:
                if values[place] is not None:
                    values[place] = plain(values[place])
            digest = blake2b(orjson.dumps(values), digest_size=16).digest()
            self.total = (self.total + int.from_bytes(digest)) % _MODULUS
        self.rows += len(rows)


@dataclass(frozen=True, slots=True)
class Copied:
    """What was copied: the moment that it shows, and the sum of each table."""

    as_of: datetime
    tables: Mapping[str, Sum] = field(default_factory=dict)

    @property
    def rows(self) -> int:
        """How many rows it is in all."""
        return sum(one.rows for one in self.tables.values())


def moved() -> list[Table]:
    """The tables that are copied, in the order of the migrations."""
    return [table for name, table in shared().items() if name not in LEFT]


def copy(
    source: Database,
    target: Database,
    *,
    on_start: Callable[[int], None] = lambda rows: None,
    on_rows: OnRows = lambda table, rows: None,
) -> Copied:
    """Copy everything; `on_start` hears how many rows are carried and compared in all.

    Raises StoreError where the target holds data, or does not give back what was written; then it is as it was before.
    """
    tables = moved()
    # Before the snapshot: whatever was committed by then is in it.
    as_of = source.now()
    with source.snapshot() as here, target.filling(tables) as there:
        _refuse_full(there, tables, target.place)
        on_start(2 * sum(here.count(table) for table in tables))
        sums = {}
        for table in tables:
            sums[table.name] = _carry(here, there, table, on_rows)
            if table.identity:
                there.number_behind(table, here.last_number(table))
        for table in tables:
            _compare(there, table, sums[table.name], on_rows, target.place)
        there.execute("copy_queue_search")
    return Copied(as_of, sums)


def _carry(here: Side, there: Side, table: Table, on_rows: OnRows) -> Sum:
    found = Sum()
    for rows in here.read(table):
        found.add(table, rows)
        there.write(table, rows)
        on_rows(table.name, len(rows))
    return found


def _compare(there: Side, table: Table, expected: Sum, on_rows: OnRows, place: str) -> None:
    found = Sum()
    for rows in there.read(table):
        found.add(table, rows)
        on_rows(table.name, len(rows))
    if found != expected:
        raise StoreError(
            f"{place} does not give back what was written to {table.name}:"
            f" {found.rows} of {expected.rows} rows, hash {found.hash} for {expected.hash}",
            "nothing was copied; please report this",
        )


def _refuse_full(there: Side, tables: Sequence[Table], place: str) -> None:
    full = [f"{count} {table.name}" for table in tables if (count := there.count(table))]
    if full:
        raise StoreError(
            f"{place} holds data already: {', '.join(full)}",
            "copy into an empty database, a new file, or another schema: postgresql://…?schema=NAME",
        )


def _json(text: str) -> str:
    """JSON in one form: PostgreSQL keeps neither the order of keys nor how a number was written.

    It writes 1e19 with all of its digits, so that nobody can tell any more which were whole numbers.
    """
    value = orjson.loads(text)
    if _NUMBER.search(text):
        value = _numbers(value)
    return orjson.dumps(value, option=orjson.OPT_SORT_KEYS).decode()


def _numbers(value: Any) -> Any:
    if isinstance(value, (int, float)) and not isinstance(value, bool):
        return repr(float(value) + 0.0)
    if isinstance(value, dict):
        return {key: _numbers(inner) for key, inner in value.items()}
    return [_numbers(inner) for inner in value] if isinstance(value, list) else value


def _instant(text: str) -> str:
    """An instant in the width that Stoma writes; a hand may have written another one."""
    if len(text) == _INSTANT and text.endswith("Z"):
        return text
    moment = datetime.fromisoformat(text)
    moment = moment.astimezone(UTC) if moment.tzinfo else moment.replace(tzinfo=UTC)
    return moment.isoformat(timespec="microseconds").replace("+00:00", "Z")


PLAIN: Mapping[str, Callable[[Any], Any]] = {
    "json": _json,
    "instant": _instant,
    "boolean": bool,
    "bytes": lambda data: blake2b(data, digest_size=16).hexdigest(),
    # SQLite knows no negative zero.
    "double precision": lambda number: repr(number + 0.0),
}
"""How the values of a type are made comparable; all others are as they are."""
