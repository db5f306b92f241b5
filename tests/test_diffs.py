"""What is different between two versions of a record."""

from __future__ import annotations

import time
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stoma.diffs import changed_fields, changes, compared

BASE: dict[str, Any] = {
    "title": "On stable sets",
    "summary": "",
    "url": "https://example.org/1",
    "authors": ["Ada", "Bo"],
    "tags": ["x", "x"],
    "published_at": None,
    "updated_at": datetime(2026, 1, 1, tzinfo=UTC),
    "attributes": {"version": 1, "doi": None, "inner": {"a": 1, "b": [1]}},
}


def test_nothing_is_different() -> None:
    assert changes(BASE, dict(BASE)) == []


def test_each_field_in_its_own_way() -> None:
    later = BASE | {
        "title": "On very stable sets",
        "authors": ["Bo", "Cy"],
        "tags": ["x"],
        "published_at": datetime(2026, 1, 2, tzinfo=UTC),
        "attributes": {"version": 2, "inner": {"a": 1, "b": [1, 2]}, "new": "text"},
    }
    told = {change.field: change.as_dict() for change in changes(BASE, later)}
    # One shape, whatever changed.
    assert {tuple(one) for one in told.values()} == {
        ("field", "before", "after", "words", "added", "removed")
    }
    for name, one in told.items():
        assert one.pop("field") == name
    assert {name: (one.pop("before"), one.pop("after")) for name, one in told.items()} == {
        "title": ("On stable sets", "On very stable sets"),
        "authors": (["Ada", "Bo"], ["Bo", "Cy"]),
        "tags": (["x", "x"], ["x"]),
        "published_at": (None, "2026-01-02T00:00:00Z"),
        "attributes.version": (1, 2),
        "attributes.inner.b": ([1], [1, 2]),
        "attributes.new": (None, "text"),
    }
    nothing = {"words": [], "added": [], "removed": []}
    assert told == {
        "title": nothing | {"words": [["=", "On"], ["+", " very"], ["=", " stable sets"]]},
        "authors": nothing | {"added": ["Cy"], "removed": ["Ada"]},
        "tags": nothing | {"removed": ["x"]},
        "published_at": nothing,
        "attributes.version": nothing,
        "attributes.inner.b": nothing | {"added": [2]},
        "attributes.new": nothing,
    }
    assert changed_fields(BASE, later) == list(told)


def test_another_order_of_a_list_is_a_change() -> None:
    [change] = changes(BASE, BASE | {"authors": ["Bo", "Ada"]})
    assert (change.field, change.added, change.removed) == ("authors", [], [])


TEXTS = st.text(alphabet="ab \n", max_size=60)


@given(TEXTS, TEXTS)
def test_the_pieces_are_both_texts(before: str, after: str) -> None:
    pieces = compared(before, after)
    assert "".join(text for sign, text in pieces if sign != "+") == before
    assert "".join(text for sign, text in pieces if sign != "-") == after
    assert all(text for _, text in pieces)


@pytest.mark.parametrize(
    ("before", "after"),
    [
        (" ".join(map(str, range(200_000))), " ".join(map(str, range(200_000, 0, -1)))),
        ("a b " * 450, "b a c " * 300),
        ("x" * 2_000_000, "y" * 2_000_000),
    ],
)
def test_huge_texts_take_little_time(before: str, after: str) -> None:
    began = time.process_time()
    pieces = compared(before, after)
    assert time.process_time() - began < 1
    assert "".join(text for sign, text in pieces if sign != "-") == after
