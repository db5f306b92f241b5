"""PostgreSQL: a pool of connections, `COPY` for bulk, advisory locks; "now" is the database's clock."""

from __future__ import annotations

import logging
import shlex
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from time import monotonic
from typing import Any, cast

import orjson
import psycopg
from psycopg import sql
from psycopg.conninfo import conninfo_to_dict, make_conninfo
from psycopg.rows import dict_row, tuple_row
from psycopg.types.json import Jsonb, set_json_dumps, set_json_loads
from psycopg_pool import ConnectionPool, PoolTimeout

from stoma import __version__
from stoma.errors import Conflict, StoreUnavailable
from stoma.metrics import STORE
from stoma.references import remember
from stoma.stores.base import Database, Row, chosen, statements
from stoma.stores.copying_postgres import PostgresSide
from stoma.stores.postgres_rows import copied
from stoma.stores.postgres_schema import applied_to, line_of, migrate, schema_of, search_path
from stoma.stores.schema import Migration, is_current, migrations, refuse_older
from stoma.stores.tables import Table, tables

OLDEST = 14
"""The oldest PostgreSQL that is tested for."""

CHECK = "check that it runs and that {} is right"
WRITE = "give this user the right to write there"
GRANT = "grant this user the right to what is named; which role needs which is told in docs/postgres.md"
ESCAPE = "write postgresql://USER:PASSWORD@HOST:PORT/NAME, with %40 for @ and %2F for / inside the password"

OPTIONS = {
    "application_name": "stoma",
    "connect_timeout": "10",
    # Whoever falls silent in the middle of something (a cable, a host, a firewall) is given up within a minute, on both
    # sides: by the defaults a run would hang for a quarter of an hour, and its locks would stay for two hours.
    "keepalives_idle": "30",
    "keepalives_interval": "10",
    "keepalives_count": "3",
    "tcp_user_timeout": "30000",
    # No statement of Stoma takes long, and no transaction waits for anything but the database.
    "options": "-c statement_timeout=60s -c idle_in_transaction_session_timeout=60s -c timezone=UTC"
    " -c tcp_keepalives_idle=30 -c tcp_keepalives_interval=10 -c tcp_keepalives_count=3 -c tcp_user_timeout=30000",
}


# What the pool has to tell of a lost connection is told here, with the place and without the password.
logging.getLogger("psycopg.pool").setLevel(logging.CRITICAL)


class PostgresDatabase(Database):
    """One database, shared by any number of processes."""

    dialect = "postgres"
    one_writer = False

    def __init__(
        self,
        url: str,
        *,
        schema: str | None = None,
        connections: int = 8,
        clock: Callable[[], datetime] | None = None,
        name: str = "store.url",
    ) -> None:
        self._clock = clock
        # What messages call the address.
        self._name = name
        self._statements = statements(self.dialect)
        try:
            given: dict[str, Any] = conninfo_to_dict(url)
        except psycopg.Error:
            # The driver quotes the part it stumbled over, and that may be the password.
            raise StoreUnavailable(f"{name} is not a PostgreSQL address", ESCAPE) from None
        if given.get("password"):
            remember(str(given["password"]), "***", in_data=False)
        place = _place(given)
        if place is None:
            # An unescaped mark in the password has been taken for the end of it: nothing of this may be shown.
            raise StoreUnavailable(f"{name} is not a PostgreSQL address", ESCAPE)
        self._given = given
        self._place = place if schema is None else f"{place}, schema {schema}"
        # What the address says of its own comes last and counts.
        options = [OPTIONS["options"], search_path(schema), str(given.get("options") or "")]
        self._conninfo = make_conninfo(**(OPTIONS | given | {"options": " ".join(filter(None, options))}))
        # One plain try first: the pool would hide the reason behind a time-out.
        with self._translated(), psycopg.connect(self._conninfo) as connection:
            if connection.info.server_version < OLDEST * 10_000:
                raise StoreUnavailable(
                    f"{self._place} runs PostgreSQL {connection.info.server_version // 10_000}",
                    f"Stoma needs {OLDEST} or newer",
                )
            self._schema = schema_of(connection, schema, self._place)
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
        began = monotonic()
        with self._translated(), self._pool.connection() as connection, connection.transaction():
            yield _Session(connection, self._statements, self._schema)
        STORE.observe(monotonic() - began, "write")

    @contextmanager
    def reader(self) -> Iterator[_Session]:
        began = monotonic()
        with self._translated(), self._pool.connection() as connection:
            yield _Session(connection, self._statements, self._schema)
        STORE.observe(monotonic() - began, "read")

    def now(self) -> datetime:
        if self._clock is not None:
            return self._clock()
        with self._translated(), self._pool.connection() as connection:
            row = connection.cursor(row_factory=tuple_row).execute("select clock_timestamp()").fetchone()
        assert row is not None  # noqa: S101 — a select without a table has a row
        return cast(datetime, row[0]).astimezone(UTC)

    @property
    def place(self) -> str:
        return f"the database {self._place}"

    def is_fresh(self) -> bool:
        with self._translated(), self._pool.connection() as connection:
            return not applied_to(connection)

    @contextmanager
    def snapshot(self) -> Iterator[PostgresSide]:
        with self._translated(), self._pool.connection() as connection, connection.transaction():
            connection.execute("set transaction isolation level repeatable read, read only")
            side = PostgresSide(connection, _Session(connection, self._statements, self._schema))
            # What it sees is fixed by the first reading.
            applied_to(connection)
            yield side

    @contextmanager
    def filling(self, tables: Iterable[Table]) -> Iterator[PostgresSide]:
        with self._translated(), self._pool.connection() as connection, connection.transaction():
            side = PostgresSide(connection, _Session(connection, self._statements, self._schema))
            side.hold(tables)
            yield side

    def migrate(self, program: str = __version__, known: Sequence[Migration] | None = None) -> None:
        known = migrations(self.dialect) if known is None else known
        with self._translated(), self._pool.connection() as connection:
            # Asked first, so that a role that may not change tables can use them.
            applied = applied_to(connection)
            refuse_older(applied, known, program, self.place)
            if is_current(applied, known):
                return
            try:
                with connection.transaction():
                    migrate(connection, self._schema, self.place, program, known)
            except psycopg.errors.InsufficientPrivilege as error:
                needed = f"{self.place} must be brought to schema {known[-1].number}"
                raise StoreUnavailable(
                    f"{needed}, and this role may not: {line_of(error)}",
                    "run any command once as the role that owns the tables, `stoma runs` for example",
                ) from error

    def dump_command(self, file: str) -> str:
        """The line that writes everything into a file; the password is not in it."""
        secret = ("password", "sslpassword", "options")
        plain = make_conninfo(**{name: self._given[name] for name in self._given if name not in secret})
        # Named only where it is not the one that every database has: that cannot be made again.
        quoted = self._schema.replace('"', '""')
        schema = [] if self._schema == "public" else [f'--schema="{quoted}"']
        return shlex.join(["pg_dump", "--format=custom", f"--file={file}", *schema, f"--dbname={plain}"])

    def vacuum(self, *, full: bool) -> Sequence[str]:
        names = sql.SQL(", ").join(map(sql.Identifier, tables(self.dialect)))
        how = sql.SQL("vacuum (full, analyze) {}" if full else "vacuum (analyze) {}")
        left_out: list[str] = []

        def note(said: psycopg.errors.Diagnostic) -> None:
            if said.severity_nonlocalized == "WARNING":
                left_out.append(str(said.message_primary))

        with self._translated(), self._pool.connection() as connection:
            connection.add_notice_handler(note)
            connection.execute("set statement_timeout = 0")
            try:
                connection.execute(how.format(names))
            finally:
                connection.remove_notice_handler(note)
                connection.execute("reset statement_timeout")
        return left_out

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
            hint = CHECK.format(self._name)
            raise StoreUnavailable(f"PostgreSQL at {self._place}: {self._cause()}", hint) from error
        except (psycopg.OperationalError, psycopg.InterfaceError) as error:
            hint = CHECK.format(self._name)
            raise StoreUnavailable(f"PostgreSQL at {self._place}: {line_of(error)}", hint) from error
        except (psycopg.errors.InsufficientPrivilege, psycopg.errors.ReadOnlySqlTransaction) as error:
            may_not_write = isinstance(error, psycopg.errors.ReadOnlySqlTransaction)
            raise StoreUnavailable(
                f"PostgreSQL at {self._place}: {line_of(error)}", WRITE if may_not_write else GRANT
            ) from error
        except psycopg.errors.UniqueViolation as error:
            raise Conflict(f"PostgreSQL at {self._place}: {line_of(error)}") from error
        except psycopg.ProgrammingError as error:
            if self._is_open:
                raise
            raise StoreUnavailable(f"{self._name}: {line_of(error)}", ESCAPE) from None

    @property
    def _is_open(self) -> bool:
        return hasattr(self, "_pool")

    def _cause(self) -> str:
        """Why the pool gets no connection: it says only that it waited."""
        try:
            psycopg.connect(self._conninfo, connect_timeout=2).close()
        except psycopg.Error as error:
            return line_of(error)
        return "every connection is in use"


class _Session:
    """Statements by name on one connection, with rows as dictionaries of values."""

    def __init__(self, connection: psycopg.Connection[Row], texts: Mapping[str, str], schema: str) -> None:
        self._connection = connection
        self._texts = texts
        self._schema = schema

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
        if lines := copied(rows):
            with self._connection.cursor() as cursor, cursor.copy(text) as copy:
                copy.write(lines)

    def lock(self, name: str) -> None:
        # Locks belong to the whole database; another schema of it is another store.
        key = f"{self._schema} {name}"
        self._connection.execute("select pg_advisory_xact_lock(hashtextextended(%s, 0))", (key,))

    def try_lock(self, name: str) -> bool:
        text = "select pg_try_advisory_xact_lock(hashtextextended(%s, 0)) as is_held"
        row = self._connection.execute(text, (f"{self._schema} {name}",)).fetchone()
        return row is not None and bool(row["is_held"])

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
