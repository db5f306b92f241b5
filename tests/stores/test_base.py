"""Statements by name, and what each database calls things."""

from __future__ import annotations

import pytest

from stoma.stores.base import statements, translate


@pytest.mark.parametrize("dialect", ["sqlite", "postgres"])
def test_every_statement_is_spelled_out(dialect: str) -> None:
    texts = statements(dialect)
    assert len(texts) > 50
    for name, text in texts.items():
        assert "{" not in text, name
        assert text.split(None, 1)[0] in {"select", "insert", "update", "delete", "with"}, name


def test_both_databases_know_the_same_statements() -> None:
    assert statements("sqlite").keys() == statements("postgres").keys()


def test_parameters_are_translated_and_casts_left_alone() -> None:
    assert translate("select :a::text, 'x%' where b = :b_c", "postgres") == (
        "select %(a)s::text, 'x%%' where b = %(b_c)s"
    )
    assert translate("select :a", "sqlite") == "select :a"
