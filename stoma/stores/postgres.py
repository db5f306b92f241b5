"""PostgreSQL: a pool of connections, `COPY` for bulk, advisory locks; "now" is the database's clock."""

from __future__ import annotations

import logging
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

from stoma import __version__
from stoma.errors import Conflict, StoreUnavailable
from stoma.references import mask, remember
from stoma.stores.base import Database, Row, chosen, statements
from stoma.stores.schema import migrations, refuse_older

OLDEST = 14
"""The oldest PostgreSQL that is tested for."""

CHECK = "check that it runs and that store.url is right"
ESCAPE = "write postgresql://USER:PASSWORD@HOST:PORT/NAME, with %40 for @ and %2F for / inside the password"

OPTIONS = {
    "application_name": "stoma",
    "connect_timeout": "10",
    "keepalives_idle": "30",
    # No statement of Stoma takes long, and no transaction waits for anything but the database.
    "options": "-c statement_timeout=60s -c idle_in_transaction_session_timeout=60s -c timezone=UTC",
}


# What the pool has to tell of a lost connection is told here, with the place and without the password.
logging.getLogger("psycopg.pool").setLevel(logging.CRITICAL)


class PostgresDatabase(Database):
    """One database, shared by any number of processes."""

    dialect = "postgres"
    one_writer = False

    def __init__(
        self, url: str, *, connections: int = 8, clock: Callable[[], datetime] | None = None
    ) -> None:
        self._clock = clock
        self._statements = statements(self.dialect)
        try:
            given: dict[str, Any] = conninfo_to_dict(url)
        except psycopg.Error:
            # The driver quotes the part it stumbled over, and that may be the password.
            raise StoreUnavailable("store.url is not a PostgreSQL address", ESCAPE) from None
        if given.get("password"):
            remember(str(given["password"]), "***", in_data=False)
        place = _place(given)
        if place is None:
            # An unescaped mark in the password has been taken for the end of it: nothing of this may be shown.
            raise StoreUnavailable("store.url is not a PostgreSQL address", ESCAPE)
        self._place = place
        self._conninfo = make_conninfo(**(OPTIONS | given))
        # One plain try first: the pool would hide the reason behind a time-out.
        with self._translated(), psycopg.connect(self._conninfo) as connection:
            if connection.info.server_version < OLDEST * 10_000:
                raise StoreUnavailable(
                    f"{self._place} runs PostgreSQL {connection.info.server_version // 10_000}",
                    f"Stoma needs {OLDEST} or newer",
                )
        self._pool = ConnectionPool(
            self._conninfo,
            min_size=1,
            max_size=connections,
            timeout=5,
            # The pool doubles its pauses between tries; this keeps them short, so that Stoma is back soon.
            reconnect_timeout=3,
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

    def migrate(self, program: str = __version__) -> None:
        known = migrations(self.dialect)
        with self._translated(), self._pool.connection() as connection, connection.transaction():
            cursor = connection.cursor(row_factory=tuple_row)
            cursor.execute("select pg_advisory_xact_lock(hashtext('stoma migrations'))")
            cursor.execute(
                "create table if not exists schema_migrations"
                " (number integer primary key, name text not null, applied_at timestamptz not null)"
            )
            cursor.execute("alter table schema_migrations add column if not exists min_program text")
            cursor.execute("select number, min_program from schema_migrations")
            applied: dict[int, str | None] = dict(cursor.fetchall())
            refuse_older(applied, known, program, f"the database {self._place}")
            for one in known:
                if one.number not in applied:
                    cursor.execute(one.text)
                    cursor.execute(
                        "insert into schema_migrations values (%s, %s, clock_timestamp(), %s)",
                        (one.number, one.name, one.min_program),
                    )
                elif applied[one.number] is None:
                    cursor.execute(
                        "update schema_migrations set min_program = %s where number = %s",
                        (one.min_program, one.number),
                    )

    @contextmanager
    def sole_scheduler(self, owner: str) -> Iterator[None]:
        yield  # any number may share a PostgreSQL

    def hurry(self) -> None:
        self._pool.timeout = 1

    def close(self) -> None:
        self._pool.close(timeout=1)

    @contextmanager
    def _translated(self) -> Iterator[None]:
        """The driver's errors as Stoma's, with the place and without the password."""
        try:
            yield
        except PoolTimeout as error:
            raise StoreUnavailable(f"PostgreSQL at {self._place}: {self._cause()}", CHECK) from error
        except (psycopg.OperationalError, psycopg.InterfaceError) as error:
            raise StoreUnavailable(f"PostgreSQL at {self._place}: {_line(error)}", CHECK) from error
        except (psycopg.errors.InsufficientPrivilege, psycopg.errors.ReadOnlySqlTransaction) as error:
            raise StoreUnavailable(
                f"PostgreSQL at {self._place}: {_line(error)}", "give this user the right to write there"
            ) from error
        except psycopg.errors.UniqueViolation as error:
            raise Conflict(f"PostgreSQL at {self._place}: {_line(error)}") from error
        except psycopg.ProgrammingError as error:
            if self._is_open:
                raise
            raise StoreUnavailable(f"store.url: {_line(error)}", ESCAPE) from None

    @property
    def _is_open(self) -> bool:
        return hasattr(self, "_pool")

    def _cause(self) -> str:
        """Why the pool gets no connection: it says only that it waited."""
        try:
            psycopg.connect(self._conninfo, connect_timeout=2).close()
        except psycopg.Error as error:
            return _line(error)
        return "every connection is in use"


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
        return self._connection.execute(chosen(self._texts[name], values), _encoded(values))


def _place(given: Mapping[str, Any]) -> str | None:
    """Where the database is, for messages; None where a password seems to have been taken apart as host and name."""
    host, port = str(given.get("host") or "localhost"), str(given.get("port") or 5432)
    name = str(given.get("dbname") or "")
    odd = any(mark in host for mark in "@:?") and not host.startswith("/") and host.count(":") < 2
    if odd or not port.replace(",", "").isdigit() or any(mark in name for mark in "@?/"):
        return None
    return f"{host}:{port}/{name}"


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
    # The first line is the cause; what follows is advice for administrators.
    lines = str(error).strip().splitlines()
    return mask(" ".join(lines[0].split())) if lines else type(error).__name__
