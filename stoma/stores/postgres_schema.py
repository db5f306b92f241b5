"""The schema of a PostgreSQL that the tables lie in, and the steps that bring them up to date."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import psycopg
from psycopg import sql

from stoma.errors import StoreError, StoreUnavailable
from stoma.references import mask
from stoma.stores.copying_postgres import PATIENCE
from stoma.stores.schema import UNCHANGED, Applied, Migration, refuse_older


def search_path(schema: str | None) -> str:
    """The option that makes a schema the only one that is looked into; nothing for None."""
    if schema is None:
        return ""
    quoted = '"' + schema.replace('"', '""') + '"'
    return "-c search_path=" + quoted.replace("\\", "\\\\").replace(" ", "\\ ")


def schema_of(connection: psycopg.Connection[Any], wanted: str | None, place: str) -> str:
    """The schema that the tables are in, or will be; raises StoreUnavailable where that is another one."""
    row = connection.execute("select current_schema()").fetchone()
    found = row[0] if row else None
    if wanted is not None and found not in (wanted, None):
        raise StoreUnavailable(
            f"PostgreSQL at {place}: something on the way there drops `options`, so the schema cannot be chosen",
            "connect without a pooler, or let it pass `options` on",
        )
    if wanted is None and found is None:
        raise StoreUnavailable(
            f"PostgreSQL at {place}: this role has no schema to work in",
            "write store: {schema: NAME} into stoma.yaml",
        )
    return str(wanted or found)


def applied_to(connection: psycopg.Connection[Any]) -> Applied:
    """What was applied; of tables from before that was kept, only the numbers."""
    there = connection.execute("select to_regclass('schema_migrations') is not null as found").fetchone()
    if not there or not there["found"]:
        return {}
    text = "select number, to_jsonb(schema_migrations) ->> 'min_program' as least from schema_migrations"
    return {row["number"]: row["least"] for row in connection.execute(text)}


def migrate(
    connection: psycopg.Connection[Any], schema: str, place: str, program: str, known: Sequence[Migration]
) -> None:
    """Apply what is missing, inside a transaction and under a lock; raises StoreError where a step fails."""
    # Old tables may be large, and another process may be at it just now.
    connection.execute(PATIENCE)
    connection.execute("select pg_advisory_xact_lock(hashtextextended(%s, 0))", (f"{schema} migrations",))
    here = connection.execute("select current_schema() as name").fetchone()
    if here and here["name"] is None:
        connection.execute(sql.SQL("create schema {}").format(sql.Identifier(schema)))
    connection.execute(
        "create table if not exists schema_migrations"
        " (number integer primary key, name text not null, applied_at timestamptz not null)"
    )
    connection.execute("alter table schema_migrations add column if not exists min_program text")
    applied = applied_to(connection)
    refuse_older(applied, known, program, place)
    for one in known:
        if one.number not in applied:
            _apply(connection, one, place)
            row = (one.number, one.name, one.min_program)
            connection.execute("insert into schema_migrations values (%s, %s, clock_timestamp(), %s)", row)
        elif applied[one.number] is None:
            which = (one.min_program, one.number)
            connection.execute("update schema_migrations set min_program = %s where number = %s", which)


def _apply(connection: psycopg.Connection[Any], one: Migration, place: str) -> None:
    try:
        connection.execute(one.text.encode())
    except (psycopg.OperationalError, psycopg.errors.InsufficientPrivilege):
        raise
    except psycopg.Error as error:
        raise StoreError(f"{place}: {one.title} failed: {line_of(error)}", UNCHANGED) from error


def line_of(error: Exception) -> str:
    """What the server said, in one line: the first is the cause, what follows is advice for administrators."""
    lines = str(error).strip().splitlines()
    return mask(" ".join(lines[0].split())) if lines else type(error).__name__
