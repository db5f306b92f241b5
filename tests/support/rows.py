"""Rows for every table, with what is hard to carry over, and tables read back as values."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from fractions import Fraction
from typing import Any

from stoma.stores import Store
from stoma.stores.base import Database
from stoma.stores.tables import Table

BEGIN = datetime(2026, 3, 1, 23, 59, 59, 999_999, tzinfo=UTC)

JSONS: list[Any] = [
    {},
    [],
    {"ö": ["ä", {"b": None, "a": True}], "n": [0.1, -0.0, 1e16, 2**53 + 1, 1.0, 1e-300, 1e300]},
    ["\u202e", 'a\\b"c\td\n', "\U0001f600", "'; drop table records; --"],
]
TEXTS = ["", "a\tb\\N\nc", "„ö“ \U0001f600", "'; drop table records; --", "\\.", "NULL", "{}"]


def value(column: str, kind: str, number: int) -> Any:
    """A value of a type; those of different numbers are different where something may have to be unique."""
    if kind == "json":
        return JSONS[number % len(JSONS)]
    if kind == "instant":
        return BEGIN + timedelta(days=number * 37, microseconds=number)
    if kind == "boolean":
        return number % 2 == 0
    if kind == "bytes":
        return bytes(range(256)) * number
    if kind == "double precision":
        return [0.1, -1.5e-300, 1e300, 3.0, -0.0][number % 5]
    if kind == "text":
        return f"{column} {number}{TEXTS[number % len(TEXTS)]}"
    return number * 1000 + len(column)


def fill(database: Database, tables: Mapping[str, Table], count: int = 7) -> None:
    """Some rows in each of these tables."""
    with database.transaction() as tx:
        for table in tables.values():
            columns = [f'"{column}"' for column in table.columns]
            rows = [[value(c, kind, n) for c, kind in table.columns.items()] for n in range(1, count + 1)]
            tx.insert(f'"{table.name}"', columns, rows)


def rows(store: Store, table: Table) -> list[tuple[Any, ...]]:
    """What a table holds, in some order that is always the same, as plain values of Python."""
    names = ", ".join(f'"{column}"' for column in table.columns)
    found = [
        tuple(plain(cell, kind) for cell, kind in zip(row, table.columns.values(), strict=True))
        for row in asked(store, f'select {names} from "{table.name}"')
    ]
    return sorted(found, key=repr)


def asked(store: Store, text: str, *values: Any) -> list[tuple[Any, ...]]:
    """The answer to a statement of a test's own, as the driver gives it."""
    with store.database.reader() as reader:
        connection: Any = getattr(reader, "_connection", None)
        text = text.replace("?", "%s") if store.dialect == "postgres" and values else text
        # Without values nothing is looked for in the text.
        answer = connection.execute(text, values) if values else connection.execute(text)
        return [tuple(row.values()) if isinstance(row, dict) else tuple(row) for row in answer.fetchall()]


def plain(cell: Any, kind: str) -> Any:
    """A value as both databases mean it."""
    if cell is None:
        return None
    if kind == "json":
        return _json(cell)
    if kind == "instant":
        return (datetime.fromisoformat(cell) if isinstance(cell, str) else cell).astimezone(UTC).isoformat()
    return bool(cell) if kind == "boolean" else cell


def _json(cell: Any) -> str:
    found = json.loads(cell) if isinstance(cell, str) else cell
    return json.dumps(_numbers(found), sort_keys=True)


def _numbers(found: Any) -> Any:
    if isinstance(found, dict):
        return {key: _numbers(inner) for key, inner in found.items()}
    if isinstance(found, list):
        return [_numbers(inner) for inner in found]
    # PostgreSQL keeps a number exactly, not how it was written: 1e16 comes back without a point.
    is_number = isinstance(found, int | float) and not isinstance(found, bool)
    return repr(Fraction(found)) if is_number else found
