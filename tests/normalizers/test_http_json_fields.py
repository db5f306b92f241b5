"""What the quick ways leave as it is has to be what the slow ones would make of it."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stoma.normalizers.http_json_fields import SHORT, Field, line_of, names_of

SPACES = [
    " ",
    "  ",
    "\t",
    "\n",
    "\r",
    "\x0b",
    "\x0c",
    "\x1c",
    "\x1f",
    "\x7f",
    "\x85",
    "\xa0",
    "\u2028",
    "\u3000",
    "\u200b",
]
WORDS = st.one_of(st.sampled_from([*SPACES, "word", "é", "量"]), st.text(max_size=3))
TEXTS = st.lists(WORDS, max_size=12).map("".join)


@pytest.mark.parametrize("space", SPACES)
@pytest.mark.parametrize("longer", [0, SHORT])
def test_any_white_space_becomes_one_blank(longer: int, space: str) -> None:
    for text in (f"a{space}b{'x' * longer}", f"{space}a{'x' * longer}", f"a{'x' * longer}{space}"):
        assert line_of(text) == " ".join(text.split())


@given(TEXTS)
@pytest.mark.parametrize("longer", [0, SHORT])
def test_a_line_has_one_blank_between_its_words(longer: int, text: str) -> None:
    for one in ("x" * longer + text, text + "x" * longer):
        assert line_of(one) == " ".join(one.split())


@given(st.lists(TEXTS, max_size=5))
@pytest.mark.parametrize("longer", [0, SHORT])
def test_names_are_lines_each_once_and_none_is_empty(longer: int, names: list[str]) -> None:
    given_names = [*names, "x" * longer]
    lines = [" ".join(name.split()) for name in given_names]
    assert names_of(given_names) == tuple(dict.fromkeys(line for line in lines if line))


@pytest.mark.parametrize(
    ("field", "expected"),
    [("a", 1), ("b.c", 2), ("b", {"c": 2}), ("x", None), ({"path": "x", "default": 7}, 7), ("length(@)", 2)],
)
def test_a_field_looks_where_its_value_is(field: Any, expected: Any) -> None:
    item = {"a": 1, "b": {"c": 2}}
    made = Field.of("f", field)
    assert made.look(item) == made.value(item) == expected


def test_a_field_that_is_cast_is_cast_however_it_is_looked_up() -> None:
    made = Field.of("f", {"path": "a", "cast": "int"})
    assert made.look({"a": "12"}) == 12
    with pytest.raises(ValueError, match="f: found twelve, expected a whole number"):
        made.look({"a": "twelve"})
