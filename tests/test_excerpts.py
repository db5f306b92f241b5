"""What is shown of a text that a query found."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stoma.excerpts import Excerpt, excerpt, hits
from stoma.query import parse


def marked(found: Excerpt) -> str:
    """The text with brackets around what was asked for."""
    text, at = "", 0
    for start, end in found.hits:
        text += f"{found.text[at:start]}[{found.text[start:end]}]"
        at = end
    return text + found.text[at:]


@pytest.mark.parametrize(
    ("text", "query", "shown"),
    [
        ("Attention is all you need", "attention need", "[Attention] is all you [need]"),
        ("Attention is all you need", '"is all you"', "Attention [is all you] need"),
        ("Über C++  und\n深度学习", "uber c++ 深度", "[Über] [C++] und [深度]学习"),
        ("transformers transform", "transform*", "[transformers] [transform]"),
        ("a b c", '"a b" OR "b c"', "[a b c]"),
        ("this and that", "this -that", "[this] and that"),
        ("<p>Some <b>bold</b> text &amp; more</p>", "bold", "Some [bold] text & more"),
        ("nothing of it", "word", "nothing of it"),
        ("", "word", ""),
    ],
)
def test_what_was_asked_for_is_marked(text: str, query: str, shown: str):
    assert marked(excerpt(text, parse(query), 100)) == shown


def test_a_long_text_is_cut_around_most_of_the_hits():
    text = "needle " + "hay " * 50 + "a needle and another needle " + "hay " * 50
    found = excerpt(text, parse("needle"), 60)
    assert marked(found).count("[needle]") == 2
    assert (found.text[0], found.text[-1]) == ("…", "…")
    assert len(found.text) <= 60
    assert marked(excerpt(text, parse("word"), 30)) == "needle hay hay hay hay hay…"


@given(st.text(max_size=300), st.integers(10, 80))
def test_any_text_is_cut_to_measure(text: str, most: int):
    found = excerpt(text, parse("a OR bb*"), most)
    assert len(found.text) <= most
    assert all(0 <= start < end <= len(found.text) for start, end in found.hits)
    assert "\n" not in found.text


@given(st.text(alphabet="ab c<>&;\n", max_size=200))
def test_marks_never_overlap(text: str):
    found = hits(text, parse('a OR "a b" OR bb*'))
    assert all(before[1] <= after[0] for before, after in pairwise(found))
