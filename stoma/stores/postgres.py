"""PostgreSQL: a pool of connections, `COPY` for bulk, advisory locks; "now" is the database's clock."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Any, cast

import orjson
import psycopg
from psycopg.conninfo import conninfo_to_dict, make_conninfo
from psycopg.rows import dict_row, tuple_row
from psycopg.types.json import Jsonb, set_json_dumps, set_json_loads
from psycopg_pool import ConnectionPool, PoolTimeout

from stoma.errors import StoreUnavailable
from stoma.references import mask, remember
from stoma.stores.base import Database, Row, migrations, statements

OLDEST = 14
"""The oldest PostgreSQL that is tested for."""

OPTIONS = {
    "application_name": "stoma",
    "connect_timeout": "10",
    "keepalives_idle": "30",
    # No statement of Stoma takes long, and no transaction waits for anything but the database.
    "options": "-c statement_timeout=60s -c idle_in_transaction_session_timeout=60s -c timezone=UTC",
}


class PostgresDatabase(Database):
    """One database, shared by any number of processes."""

    dialect = "postgres"

    def __init__(
        self, url: str, *, connections: int = 8, clock: Callable[[], datetime] | None = None
    ) -> None:
        self._clock = clock
        self._statements = statements(self.dialect)
        try:
            given: dict[str, Any] = conninfo_to_dict(url)
        except psycopg.Error as error:
            raise StoreUnavailable(f"store.url is not a PostgreSQL address: {_line(error)}") from None
        if given.get("password"):
            remember(str(given["password"]), "***")
        self._place = (
            f"{given.get('host') or 'localhost'}:{given.get('port') or 5432}/{given.get('dbname') or ''}"
        )
        conninfo = make_conninfo(**(OPTIONS | given))
        # One plain try first: the pool would hide the reason behind a time-out.
        with self._translated(), psycopg.connect(conninfo) as connection:
            if connection.info.server_version < OLDEST * 10_000:
                raise StoreUnavailable(
                    f"{self._place} runs PostgreSQL {connection.info.server_version // 10_000}",
                    f"Stoma needs {OLDEST} or newer",
                )
        self._pool = ConnectionPool(
            conninfo,
            min_size=1,
            max_size=connections,
            timeout=10,
            configure=_configure,
            check=ConnectionPool.check_connection,
            open=True,
        )

    @contextmanager
    def transaction(self) -> Iterator[_Session]:
        with self._translated(), self._pool.connection() as connection, connection.transaction():
            yield _Session(connection, self._statements)

    @contextmanager
    def reader(self) -> Iterator[_Session]:
        with self._translated(), self._pool.connection() as connection:
            yield _Session(connection, self._statements)

    def now(self) -> datetime:
        if self._clock is not None:
            return self._clock()
        with self._translated(), self._pool.connection() as connection:
            row = connection.cursor(row_factory=tuple_row).execute("select clock_timestamp()").fetchone()
        assert row is not None  # noqa: S101 — a select without a table has a row
        return cast(datetime, row[0]).astimezone(UTC)

    def migrate(self) -> None:
        known = migrations(self.dialect)
        with self._translated(), self._pool.connection() as connection, connection.transaction():
            cursor = connection.cursor(row_factory=tuple_row)
            cursor.execute("select pg_advisory_xact_lock(hashtext('stoma migrations'))")
            cursor.execute(
                "create table if not exists schema_migrations"
                " (number integer primary key, name text not null, applied_at timestamptz not null)"
            )
            done = {row[0] for row in cursor.execute("select number from schema_migrations").fetchall()}
            for number, name, text in known:
                if number not in done:
                    cursor.execute(text)
                    cursor.execute(
                        "insert into schema_migrations values (%s, %s, clock_timestamp())", (number, name)
                    )

    @contextmanager
    def sole_scheduler(self, owner: str) -> Iterator[None]:
        yield  # any number may share a PostgreSQL

    def close(self) -> None:
        self._pool.close(timeout=2)

    @contextmanager
    def _translated(self) -> Iterator[None]:
        """The driver's errors as Stoma's, with the place and without the password."""
        try:
            yield
        except (psycopg.OperationalError, psycopg.InterfaceError, PoolTimeout) as error:
            raise StoreUnavailable(
                f"PostgreSQL at {self._place}: {_line(error)}",
                "check that it runs and that store.url is right",
            ) from error
        except (psycopg.errors.InsufficientPrivilege, psycopg.errors.ReadOnlySqlTransaction) as error:
            raise StoreUnavailable(
                f"PostgreSQL at {self._place}: {_line(error)}", "give this user the right to write there"
            ) from error


class _Session:
    """Statements by name on one connection, with rows as dictionaries of values."""

    def __init__(self, connection: psycopg.Connection[Row], texts: Mapping[str, str]) -> None:
        self._connection = connection
        self._texts = texts

    def all(self, name: str, **values: Any) -> list[Row]:
        return self._run(name, values).fetchall()

    def one(self, name: str, **values: Any) -> Row | None:
        return self._run(name, values).fetchone()

    def execute(self, name: str, **values: Any) -> int:
        return self._run(name, values).rowcount

    def many(self, name: str, rows: Iterable[Mapping[str, Any]]) -> None:
        text = self._texts[name]
        with self._connection.cursor() as cursor:
            cursor.executemany(text, [_encoded(row) for row in rows])

    def insert(self, table: str, columns: Sequence[str], rows: Iterable[Sequence[Any]]) -> None:
        text = f"copy {table} ({', '.join(columns)}) from stdin"
        with self._connection.cursor() as cursor, cursor.copy(text) as copy:
            for row in rows:
                copy.write_row([_encode(value) for value in row])

    def lock(self, name: str) -> None:
        self._connection.execute("select pg_advisory_xact_lock(hashtext(%s))", (name,))

    def _run(self, name: str, values: Mapping[str, Any]) -> psycopg.Cursor[Row]:
        return self._connection.execute(self._texts[name], _encoded(values))


def _configure(connection: psycopg.Connection[Any]) -> None:
    connection.autocommit = True
    connection.row_factory = dict_row
    set_json_dumps(orjson.dumps, connection)
    set_json_loads(orjson.loads, connection)


def _encoded(values: Mapping[str, Any]) -> dict[str, Any]:
    return {name: _encode(value) for name, value in values.items()}


def _encode(value: Any) -> Any:
    if isinstance(value, dict | list | tuple | Mapping):
        return Jsonb(value)
    return value


def _line(error: Exception) -> str:
    return mask(" ".join(str(error).split())) or type(error).__name__
