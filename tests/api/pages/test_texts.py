"""What strangers wrote, as pages carry it."""

from __future__ import annotations

import pytest

from stoma.api.pages.texts import marked, number_text, plain, record_path, short, value_text
from stoma.excerpts import excerpt
from stoma.query import parse


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("plain", "plain"),
        ("two\nlines\tand a tab", "two\nlines\tand a tab"),
        ("bell\x07 esc\x1b[31m nul\0 c1\x9b", "bell� esc�[31m nul� c1�"),
        ("\u202eevil\u202c \u2066x\u2069 \u200f", "�evil� �x� �"),
        # What a script needs to be written stays: joiners of emoji and of Persian.
        ("\U0001f469\u200d\U0001f52c می\u200cخواهم", "\U0001f469\u200d\U0001f52c می\u200cخواهم"),
        (12, "12"),
    ],
)
def test_what_is_unseen_or_turns_others_round_is_replaced(text: object, shown: str) -> None:
    assert plain(text) == shown


@pytest.mark.parametrize(
    ("source", "name", "path"),
    [
        ("arxiv", "2605.00001", "/records/arxiv/2605.00001"),
        ("feed", "https://a.org/x?y=1#z", "/records/feed/https%3A%2F%2Fa.org%2Fx%3Fy%3D1%23z"),
        ("feed", "../../é %41", "/records/feed/..%2F..%2F%C3%A9%20%2541"),
        ("feed", "..", "/records/12"),
        (".", "x", "/records/12"),
        ("a/b", "x", "/records/12"),
        ("feed", "two\nlines", "/records/12"),
        ("", "x", "/records/12"),
    ],
)
def test_a_record_has_an_address_whatever_it_is_called(source: str, name: str, path: str) -> None:
    assert record_path({"id": 12, "source": source, "external_id": name}) == path


def test_an_excerpt_in_pieces() -> None:
    found = excerpt("On Language Models of language", parse("language"), 100)
    assert list(marked(found)) == [
        ("On ", False),
        ("Language", True),
        (" Models of ", False),
        ("language", True),
    ]


def test_values_and_numbers() -> None:
    assert [number_text(value) for value in (12345.0, 0.25, 1.5, 1e20)] == ["12,345", "0.25", "1.50", "1e+20"]
    assert number_text(3, signed=True) == "+3"
    assert value_text({"a": ["ö", None]}) == '{"a": ["ö", null]}'
    assert value_text(None) == "nothing"
    assert short("x" * 10, 4).startswith("xxxx… (10 letters")
