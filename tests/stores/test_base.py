"""Statements by name, and what each database calls things."""

from __future__ import annotations

import pytest

from stoma.stores.base import chosen, statements, translate


@pytest.mark.parametrize("dialect", ["sqlite", "postgres"])
def test_every_statement_is_spelled_out(dialect: str) -> None:
    texts = statements(dialect)
    assert len(texts) > 50
    for name, text in texts.items():
        assert "{" not in chosen(text, {}), name
        assert text.split(None, 1)[0] in {"select", "insert", "update", "delete", "with"}, name


def test_both_databases_know_the_same_statements() -> None:
    assert statements("sqlite").keys() == statements("postgres").keys()


def test_parameters_are_translated_and_casts_left_alone() -> None:
    assert translate("select :a::text, 'x%' where b = :b_c", "postgres") == (
        "select %(a)s::text, 'x%%' where b = %(b_c)s"
    )
    assert translate("select :a", "sqlite") == "select :a"


def test_a_part_stands_only_where_its_value_is_given() -> None:
    text = translate("select 1 from a where id < :before {if kind: and kind = :kind} limit :limit", "sqlite")
    assert chosen(text, {"kind": None, "limit": 1}) == "select 1 from a where id < :before  limit :limit"
    assert " and kind = :kind limit" in chosen(text, {"kind": "paper"})
