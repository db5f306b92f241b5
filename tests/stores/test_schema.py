"""Migrations, and programs that are too old for what a newer one has left."""

from __future__ import annotations

from pathlib import Path

import pytest

from stoma import __version__
from stoma.errors import StoreError
from stoma.stores import Store, open_store
from stoma.stores.base import Transaction
from stoma.stores.schema import Migration, columns_of, migrations, min_program_of, refuse_older
from tests.support.clock import Clock


def run(store: Store, text: str, *values: object) -> None:
    """A statement of the test's own."""
    with store.database.transaction() as tx:
        raw(tx, text.replace("?", "%s") if store.dialect == "postgres" else text, values)


def raw(tx: Transaction, text: str, values: tuple[object, ...]) -> None:
    connection = getattr(tx, "_connection", None)
    connection.execute(text, values)


def later(store: Store, number: int, least: str | None) -> None:
    """A migration of a later program was applied."""
    columns = "(number, name, applied_at, min_program)"
    run(
        store,
        f"insert into schema_migrations {columns} values (?, 'later', ?, ?)",
        number,
        "2027-01-01",
        least,
    )


@pytest.mark.parametrize("dialect", ["sqlite", "postgres"])
def test_migrations_are_numbered_without_gaps(dialect: str) -> None:
    numbers = [one.number for one in migrations(dialect)]
    assert numbers == list(range(1, len(numbers) + 1))


@pytest.mark.parametrize("dialect", ["sqlite", "postgres"])
def test_no_migration_needs_a_later_program_than_this_one(dialect: str) -> None:
    refuse_older({}, migrations(dialect), __version__, "here")
    refuse_older({one.number: None for one in migrations(dialect)}, migrations(dialect), __version__, "here")
    assert {one.name: one.min_program for one in migrations(dialect)}["sources"] == "0.1.0"


@pytest.mark.parametrize(
    ("text", "program", "least"),
    [
        ("-- What it is for.\n-- min_program: 1.4.0\n\ncreate table x (y text);", "2.0.0", "1.4.0"),
        ("-- What it is for.\ncreate table x (y text);", "2.3.1", "2.0.0"),
        ("create table x (y text);", "0.7.0", "0.0.0"),
        ("create table x (y text); -- min_program: 9.0.0", "0.7.0", "0.0.0"),
    ],
)
def test_a_migration_says_which_program_may_go_on(text: str, program: str, least: str) -> None:
    assert min_program_of(text, program) == least


@pytest.mark.parametrize(
    ("program", "least", "may"),
    [
        ("1.4.0", "1.4.0", True), ("1.4.1", "1.4.0", True), ("1.10.0", "1.9.0", True), ("1.3.9", "1.4.0", False),
        ("1.9.0", "1.10.0", False), ("2.0.0rc1", "2.0.0", True), ("1.5.0.dev3+local", "2.0.0", False),
    ],
)  # fmt: skip
def test_versions_are_compared_by_their_numbers(program: str, least: str, may: bool) -> None:
    known = [Migration(1, "first", "", "0.0.0")]
    if may:
        refuse_older({1: "0.0.0", 2: least}, known, program, "here")
    else:
        with pytest.raises(StoreError, match=f"it needs {least} or newer, and this is"):
            refuse_older({1: "0.0.0", 2: least}, known, program, "here")


def test_a_program_that_is_too_old_refuses_with_words_and_changes_nothing(store: Store) -> None:
    newest = migrations(store.dialect)[-1].number
    with pytest.raises(StoreError) as caught:
        store.database.migrate("0.0.9")
    where = "stoma.db" if store.dialect == "sqlite" else "the database "
    assert where in caught.value.message
    assert caught.value.message.endswith(
        f"was brought to schema {newest} by a newer Stoma; it needs 0.1.0 or newer, and this is 0.0.9"
    )
    assert "update this Stoma" in caught.value.hint
    store.database.migrate("0.1.0")


def test_a_newer_schema_is_used_only_where_it_allows_this_program(
    store: Store, url: str, tmp_path: Path, clock: Clock
) -> None:
    later(store, 100, "0.1.0")
    open_store(url, tmp_path, clock=clock).close()
    later(store, 101, "99.0.0")
    # One that came behind it does not take it back.
    later(store, 102, "0.1.0")
    with pytest.raises(StoreError, match=r"schema 102 .* it needs 99\.0\.0 or newer"):
        open_store(url, tmp_path, clock=clock)


def test_a_newer_schema_that_does_not_say_is_not_used(
    store: Store, url: str, tmp_path: Path, clock: Clock
) -> None:
    later(store, 100, None)
    with pytest.raises(StoreError, match="it needs a newer one"):
        open_store(url, tmp_path, clock=clock)


def test_tables_from_before_this_was_kept_get_it(
    store: Store, url: str, tmp_path: Path, clock: Clock
) -> None:
    run(store, "alter table schema_migrations drop column min_program")
    with pytest.raises(StoreError, match=r"it needs 0\.1\.0 or newer, and this is 0\.0\.9"):
        store.database.migrate("0.0.9")
    open_store(url, tmp_path, clock=clock).close()
    # Now without looking at the files.
    later(store, 100, "0.1.0")
    with store.database.transaction() as tx:
        connection = getattr(tx, "_connection", None)
        rows = connection.execute("select min_program from schema_migrations").fetchall()
    assert None not in [row["min_program"] if isinstance(row, dict) else row[0] for row in rows]


def test_what_is_json_is_read_from_the_migrations() -> None:
    # Of a table, of a column that was added, renamed by a view, and taken out of another one by a view.
    assert {"attributes", "position", "categories", "enclosures", "topics"} <= columns_of("json")
    assert {"first", "not_before", "cancel_asked_at", "submitted_at"} <= columns_of("instant")
    assert not columns_of("json") & columns_of("instant")
    assert {"title", "version", "run_id", "if"}.isdisjoint(columns_of("json") | columns_of("instant"))
