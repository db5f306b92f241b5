"""The tables as the migrations declare them are those that the databases have."""

from __future__ import annotations

from stoma.stores import Store
from stoma.stores.tables import shared, tables
from tests.support.rows import asked

INNER = ("search_words",)
"""What belongs to an index of SQLite's own, and begins like this."""


def real(store: Store) -> dict[str, list[str]]:
    """The columns of each table as the database tells them."""
    if store.dialect == "sqlite":
        names = [name for (name,) in asked(store, "select name from sqlite_master where type = 'table'")]
        return {
            name: [row[1] for row in asked(store, f"pragma table_info({name})")]
            for name in names
            if not name.startswith(("sqlite_", *INNER))
        }
    found: dict[str, list[str]] = {}
    text = (
        "select table_name, column_name from information_schema.columns join information_schema.tables"
        " using (table_schema, table_name) where table_schema = 'public' and table_type = 'BASE TABLE'"
        " order by table_name, ordinal_position"
    )
    for table, column in asked(store, text):
        found.setdefault(table, []).append(column)
    return found


def test_every_table_is_known_with_its_columns(store: Store) -> None:
    declared = {name: list(table.columns) for name, table in tables(store.dialect).items()}
    found = real(store)
    found.pop("schema_migrations")
    assert declared == found


def test_every_table_is_known_with_its_key(store: Store) -> None:
    for name, table in tables(store.dialect).items():
        if store.dialect == "sqlite":
            told = asked(store, f"pragma table_info({name})")
            key = [row[1] for row in sorted(told, key=lambda row: row[5]) if row[5]]
        else:
            text = (
                "select a.attname from pg_index i join pg_attribute a on a.attrelid = i.indrelid and a.attnum ="
                " any(i.indkey) where i.indrelid = ?::regclass and i.indisprimary"
                " order by array_position(i.indkey::int2[], a.attnum)"
            )
            key = [row[0] for row in asked(store, text, name)]
        assert list(table.key) == key, name


def test_types_are_told_apart() -> None:
    records = shared()["records"]
    assert (records.columns["id"], records.columns["tags"]) == ("identity", "json")
    assert (records.identity, shared()["agenda"].identity) == ("id", None)
    assert shared()["raw_pages"].columns["body"] == "bytes"
    # An added column.
    assert tables("sqlite", upto=1)["runs"].columns.keys() == shared()["runs"].columns.keys() - {
        "cancel_asked_at",
        "fresh",
    }
    assert shared()["observations"].columns["value"] == "double precision"
