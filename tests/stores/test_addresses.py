"""Addresses of stores, and the schema that stands behind them."""

from __future__ import annotations

import pytest

from stoma.errors import ConfigError
from stoma.stores.addresses import apart, split_schema, with_schema


@pytest.mark.parametrize(
    ("url", "schema", "joined"),
    [
        ("postgresql://h/d", None, "postgresql://h/d"),
        ("postgresql://h/d", "stoma", "postgresql://h/d?schema=stoma"),
        ("postgresql://h/d?sslmode=require", 'a "b" & ü?', None),
        ("postgresql://h/d", "${env:X}", "postgresql://h/d?schema=%24%7Benv%3AX%7D"),
    ],
)
def test_a_schema_is_joined_and_taken_apart_again(url: str, schema: str | None, joined: str | None) -> None:
    found = with_schema(url, schema)
    assert joined in (found, None)
    assert split_schema(found) == apart(found) == (url, schema)


@pytest.mark.parametrize(
    ("url", "rest"),
    [
        ("postgresql://h/d?schema=s", "postgresql://h/d"),
        ("postgresql://h/d?schema=s&sslmode=require", "postgresql://h/d?sslmode=require"),
        ("postgresql://h/d?sslmode=require&schema=s", "postgresql://h/d?sslmode=require"),
        ("postgresql://h/d?a=b&schema=s&c=d", "postgresql://h/d?a=b&c=d"),
        # Written apart behind a reference that had it already.
        ("postgresql://h/d?schema=s?schema=s", "postgresql://h/d"),
    ],
)
def test_it_may_stand_among_the_options_of_an_address(url: str, rest: str) -> None:
    assert split_schema(url) == (rest, "s")


@pytest.mark.parametrize(
    ("url", "said"),
    [
        ("postgresql://h/d?schema=a?schema=b", "store.url names the schema a, store.schema b"),
        ("sqlite:///x.db?schema=a", "store.schema is for PostgreSQL"),
        ("postgresql://h/d?schema=", "cannot be the name of a schema"),
        ("postgresql://h/d?schema=pg_temp", "cannot be the name of a schema"),
        ("postgresql://h/d?schema=" + "ü" * 32, "cannot be the name of a schema"),
        ("postgresql://h/d?schema=a%00b", "cannot be the name of a schema"),
    ],
)
def test_what_cannot_be_meant_is_told(url: str, said: str) -> None:
    with pytest.raises(ConfigError, match=said):
        split_schema(url)
