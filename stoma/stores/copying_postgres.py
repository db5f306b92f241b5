"""PostgreSQL as one end of a copy."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import TYPE_CHECKING, Any

import orjson
from psycopg import DataError

from stoma.errors import StoreError

if TYPE_CHECKING:
    from stoma.stores.base import Transaction
    from stoma.stores.tables import Table

AT_ONCE = 2000
"""Rows that are held in memory together."""

# A copy takes as long as it takes; between two statements it waits for the other side.
PATIENCE = "set local statement_timeout = 0; set local idle_in_transaction_session_timeout = 0"

# How a type is asked for, so that its values are what SQLite would hold.
ASKED = {
    "instant": """to_char("{0}" at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"')""",
    "boolean": '"{0}"::integer',
    "json": '"{0}"::text',
}


class PostgresSide:
    """A connection in a transaction."""

    def __init__(self, connection: Any, session: Transaction) -> None:
        self._connection = connection
        self._session = session
        connection.execute(PATIENCE)

    def hold(self, tables: Iterable[Table]) -> None:
        """Let nobody else write these tables."""
        names = ", ".join(f'"{table.name}"' for table in tables)
        self._connection.execute(f"lock table {names} in exclusive mode")

    def count(self, table: Table) -> int:
        return int(self._one(f'select count(*) as found from "{table.name}"'))  # noqa: S608 — names are ours

    def read(self, table: Table) -> Iterator[Sequence[Sequence[Any]]]:
        asked = [ASKED.get(kind, '"{0}"').format(column) for column, kind in table.columns.items()]
        jsons = [place for place, kind in enumerate(table.columns.values()) if kind == "json"]
        key = ", ".join(f'"{column}"' for column in table.key)
        text = f'select {", ".join(asked)} from "{table.name}" order by {key}'  # noqa: S608 — names are ours
        # Held by the server: the driver would fetch everything at once.
        with self._connection.cursor(name="stoma_copy", row_factory=_plain) as cursor:
            cursor.execute(text)
            while rows := cursor.fetchmany(AT_ONCE):
                for row in rows:
                    for place in jsons:
                        if row[place] is not None:
                            # Without the spaces that jsonb puts in.
                            row[place] = orjson.dumps(orjson.loads(row[place])).decode()
                yield rows

    def write(self, table: Table, rows: Sequence[Sequence[Any]]) -> None:
        text = f'copy "{table.name}" ({_names(table)}) from stdin'
        try:
            with self._connection.cursor() as cursor, cursor.copy(text) as copy:
                for row in rows:
                    copy.write_row(row)
        except DataError as error:
            why = str(error).partition("\n")[0]
            raise StoreError(
                f"PostgreSQL does not take what {_named(table, rows)} holds: {why}",
                "nothing was copied; mend or delete that in the store that is copied",
            ) from None

    def last_number(self, table: Table) -> int:
        text = "select coalesce(pg_sequence_last_value(%s::regclass), 0) as found"
        return int(self._one(text, self._sequence(table)))

    def number_behind(self, table: Table, last: int) -> None:
        if last > self.last_number(table):
            self._one("select setval(%s::regclass, %s) as found", self._sequence(table), last)

    def execute(self, name: str, **values: Any) -> int:
        return self._session.execute(name, **values)

    def _sequence(self, table: Table) -> Any:
        return self._one("select pg_get_serial_sequence(%s, %s) as found", f'"{table.name}"', table.identity)

    def _one(self, text: str, *values: Any) -> Any:
        row = self._connection.execute(text, values).fetchone()
        assert row is not None  # noqa: S101 — these questions have an answer
        return row["found"]


def _names(table: Table) -> str:
    return ", ".join(f'"{column}"' for column in table.columns)


def _named(table: Table, rows: Sequence[Sequence[Any]]) -> str:
    """The table, and the row with a character that PostgreSQL has no place for, where it is that."""
    columns = list(table.columns)
    for row in rows:
        if any(isinstance(value, str) and ("\0" in value or "\\u0000" in value) for value in row):
            return f"{table.name} {', '.join(str(row[columns.index(name)]) for name in table.key)}"
    return table.name


def _plain(cursor: Any) -> Any:
    """Rows as lists."""
    return list
