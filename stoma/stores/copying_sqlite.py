"""SQLite as one end of a copy."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from stoma.stores.sqlite_rows import Cursor
    from stoma.stores.tables import Table

AT_ONCE = 2000
"""Rows that are held in memory together."""


class SqliteSide:
    """A connection in a transaction; values are as SQLite keeps them anyway."""

    def __init__(self, connection: Any, cursor: Cursor) -> None:
        self._connection = connection
        self._cursor = cursor

    def count(self, table: Table) -> int:
        return int(self._one(f'select count(*) from "{table.name}"') or 0)  # noqa: S608 — names are ours

    def read(self, table: Table) -> Iterator[Sequence[Sequence[Any]]]:
        # In no order but that in which they lie in the file: any other might be sorted in memory.
        text = f'select {_names(table)} from "{table.name}"'  # noqa: S608 — names are ours
        cursor = self._connection.execute(text)
        while rows := cursor.fetchmany(AT_ONCE):
            yield rows

    def write(self, table: Table, rows: Sequence[Sequence[Any]]) -> None:
        marks = ", ".join("?" * len(table.columns))
        text = f'insert into "{table.name}" ({_names(table)}) values ({marks})'  # noqa: S608 — names are ours
        self._connection.executemany(text, rows)

    def last_number(self, table: Table) -> int:
        return int(self._one("select seq from sqlite_sequence where name = ?", table.name) or 0)

    def number_behind(self, table: Table, last: int) -> None:
        if last > self.last_number(table):
            self._connection.execute("delete from sqlite_sequence where name = ?", (table.name,))
            self._connection.execute(
                "insert into sqlite_sequence (name, seq) values (?, ?)", (table.name, last)
            )

    def execute(self, name: str, **values: Any) -> int:
        return self._cursor.execute(name, **values)

    def _one(self, text: str, *values: Any) -> Any:
        row = self._connection.execute(text, values).fetchone()
        return row[0] if row else None


def _names(table: Table) -> str:
    return ", ".join(f'"{column}"' for column in table.columns)
