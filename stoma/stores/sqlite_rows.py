"""Statements by name on one connection of SQLite, and values as SQLite keeps them."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from functools import lru_cache
from typing import Any

import orjson

from stoma.stores.base import Row, chosen
from stoma.stores.schema import columns_of

PLAIN = frozenset({str, int, float, bool, type(None)})
"""Types that SQLite takes as they are."""


Shape = tuple[list[str], list[tuple[str, Callable[[Any], Any]]]]


def _shape(description: Sequence[Sequence[Any]]) -> Shape:
    columns = [column[0] for column in description]
    return columns, [(column, decode) for column in columns if (decode := _decoder(column)) is not None]


class Cursor:
    """Statements by name on one connection, with rows as dictionaries of values."""

    def __init__(self, connection: sqlite3.Connection, texts: Mapping[str, str]) -> None:
        self._connection = connection
        self._texts = texts
        # By statement: the names of its columns, and which of them are decoded, and how.
        self._shapes: dict[str, Shape] = {}

    def close(self) -> None:
        """Let go of the connection."""
        self._connection.close()

    @contextmanager
    def held(self) -> Iterator[sqlite3.Connection]:
        """The connection, which sees everything as it is now until the end of the block."""
        self._connection.execute("begin")
        try:
            # What it sees is fixed by the first reading.
            self._connection.execute("select count(*) from schema_migrations").fetchone()
            yield self._connection
        finally:
            self._connection.execute("rollback")

    def all(self, name: str, **values: Any) -> list[Row]:
        cursor = self._connection.execute(chosen(self._texts[name], values), _encoded(values))
        rows = cursor.fetchall()
        if not rows:
            return []
        shape = self._shapes.get(name)
        if shape is None:
            shape = self._shapes[name] = _shape(cursor.description)
        columns, decoders = shape
        found = [dict(zip(columns, row, strict=True)) for row in rows]
        for row in found:
            for column, decode in decoders:
                if row[column] is not None:
                    row[column] = decode(row[column])
        return found

    def one(self, name: str, **values: Any) -> Row | None:
        rows = self.all(name, **values)
        return rows[0] if rows else None

    def execute(self, name: str, **values: Any) -> int:
        return self._connection.execute(chosen(self._texts[name], values), _encoded(values)).rowcount

    def many(self, name: str, rows: Iterable[Mapping[str, Any]]) -> None:
        self._connection.executemany(self._texts[name], [_encoded(row) for row in rows])

    def insert(self, table: str, columns: Sequence[str], rows: Iterable[Sequence[Any]]) -> None:
        marks = ", ".join("?" * len(columns))
        self._connection.executemany(
            f"insert into {table} ({', '.join(columns)}) values ({marks})",  # noqa: S608 — names are ours
            ([value if type(value) in PLAIN else encode(value) for value in row] for row in rows),
        )

    def lock(self, name: str) -> None:
        """Nothing to do: `begin immediate` lets one writer in at a time."""

    def try_lock(self, name: str) -> bool:
        """Nothing to do either."""
        return True


def _encoded(values: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value if type(value) in PLAIN else encode(value) for name, value in values.items()}


_WIDTH = len('"2026-01-01T00:00:00.000001Z"')


@lru_cache(maxsize=256)
def _text(instant: datetime) -> str:
    # Twice as fast as `isoformat`; where there are no microseconds it leaves them out.
    text = orjson.dumps(instant.astimezone(UTC), option=orjson.OPT_UTC_Z)
    return text[1:-1].decode() if len(text) == _WIDTH else f"{text[1:20].decode()}.000000Z"


def encode(value: Any) -> Any:
    """A value as SQLite keeps it: instants as text of one width (so that they sort), JSON as text."""
    if isinstance(value, datetime):
        return _text(value)
    if isinstance(value, dict | list | tuple | Mapping):
        return orjson.dumps(value).decode()
    return value


def _decoder(column: str) -> Callable[[Any], Any] | None:
    if column in columns_of("json"):
        return orjson.loads
    if column in columns_of("instant") or column.endswith(("_at", "_until", "_since")):
        return _instant
    return None


def _instant(value: Any) -> Any:
    # Columns of integer microseconds carry such names too.
    return datetime.fromisoformat(value) if isinstance(value, str) else value
