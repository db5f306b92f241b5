"""The language of searches: what counts as a word, and what a query asks for."""

from __future__ import annotations

from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stoma.errors import UsageError
from stoma.query import LONGEST_WORD, MOST_TERMS, And, Or, Term, parse, readable, spans, words


def term(text: str, *, is_prefix: bool = False) -> Term:
    return Term(tuple(text.split()), is_prefix)


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("Attention Is All You Need", ["attention", "is", "all", "you", "need"]),
        ("state-of-the-art", ["state", "of", "the", "art"]),
        ("x_y 2104.12255v1", ["x", "y", "2104", "12255v1"]),
        ("Schrödinger’s naïve Straße", ["schrodinger", "s", "naive", "strasse"]),
        (
            "C++, C# and F#; a#b issue #5",
            ["cplusplus", "csharp", "and", "fsharp", "asharp", "b", "issue", "5"],
        ),
        ("ﬁne ½ x² 𝐀 \N{KELVIN SIGN}", ["fine", "12", "x2", "a", "k"]),
        ("深度学习 models", ["深", "度", "学", "习", "models"]),
        ("GPT4の学習", ["gpt4", "の", "学", "習"]),
        ("", []),
        ("*** --- '' \0", []),
        ("a" * 300, ["a" * LONGEST_WORD]),
    ],
)
def test_words(text: str, found: list[str]):
    assert words(text) == found


def test_a_word_is_found_where_it_stands():
    text = "Über C++ und 深度"
    assert [(text[start:end], word) for start, end, word in spans(text)] == [
        ("Über", "uber"), ("C++", "cplusplus"), ("und", "und"), ("深", "深"), ("度", "度"),
    ]  # fmt: skip


@given(st.text())
def test_plain_and_other_letters_are_read_alike(text: str):
    found = words(text)
    assert found == [word for _, _, word in spans(text)]
    assert all(word and word.lower() == word for word in found)
    # What was read once is a word for ever: an index and a query meet.
    assert [again for word in found for again in words(word)] == found


@pytest.mark.parametrize(
    ("text", "node"),
    [
        ("attention", term("attention")),
        ("two words", And((term("two"), term("words")))),
        ('"language model"', term("language model")),
        ('"not closed', term("not closed")),
        ('"language mod*"', Term(("language", "mod"), True)),
        ('"lang* model"', term("lang model")),
        ("state-of-the-art", term("state of the art")),
        ("diffus*", term("diffus", is_prefix=True)),
        ("ml*", term("ml", is_prefix=True)),
        ("深*", term("深", is_prefix=True)),
        ('"language mod"*', term("language mod", is_prefix=True)),
        ("a -b", And((term("a"),), (term("b"),))),
        ('-"b c" a', And((term("a"),), (term("b c"),))),
        ("a OR b", Or((term("a"), term("b")))),
        ("a b OR c", Or((And((term("a"), term("b"))), term("c")))),
        ("a or b", And((term("a"), term("or"), term("b")))),
        ("a (b OR c)", And((term("a"), Or((term("b"), term("c")))))),
        ("a -(b OR c)", And((term("a"),), (Or((term("b"), term("c"))),))),
        ("x - y", And((term("x"), term("y")))),
        ("((a))", term("a")),
        ("c++", term("cplusplus")),
        ("深度", term("深 度")),
        ("a ... b", And((term("a"), term("b")))),
    ],
)
def test_what_a_query_asks_for(text: str, node: object):
    assert parse(text) == node


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "asks for nothing"),
        ("...", "asks for nothing"),
        ("()", "asks for nothing"),
        ("-a", "says only what must not be there"),
        ("a OR -b", "says only what must not be there"),
        ("a OR", "a side of OR asks for nothing"),
        ("OR a", "a side of OR asks for nothing"),
        ("(a", "is not closed"),
        ("a)", "a ) too many"),
        ("(" * 30 + "a" + ")" * 30, "parentheses inside one another"),
        ("w*", "one letter before *"),
        ('x -"language m*"', "one letter before *"),
        ("É*", "one letter before *"),
        ("a " * (MOST_TERMS + 1), f"more than {MOST_TERMS} words"),
    ],
)
def test_what_cannot_be_understood(text: str, message: str):
    with pytest.raises(UsageError, match=message.replace(")", r"\)").replace("(", r"\(")):
        parse(text)


@given(st.text(alphabet='ab "-()*OR+#é深', max_size=40))
def test_any_text_is_understood_or_refused(text: str):
    node = None
    with suppress(UsageError):
        node = parse(text)
    assert node is None or all(found.words for found in _terms(node))


def _terms(node: object) -> list[Term]:
    if isinstance(node, Term):
        return [node]
    if isinstance(node, Or):
        return [found for choice in node.choices for found in _terms(choice)]
    assert isinstance(node, And)
    assert node.wanted
    return [found for part in (*node.wanted, *node.unwanted) for found in _terms(part)]


@pytest.mark.parametrize(
    ("text", "plain"),
    [
        ("<p>One</p><p>two</p>", " One  two "),
        ('<a href="https://x.y">link</a> <img src=a.png/>', " link   "),
        ("if a<b and c>d", "if a<b and c>d"),
        ("vector<int> and <dialog>", "vector<int> and <dialog>"),
        ("Tom &amp; Jerry &lt;3 &nothing;", "Tom & Jerry <3 &nothing;"),
        ("<!-- gone -->here", " here"),
    ],
)
def test_tags_and_entities_are_not_read(text: str, plain: str):
    assert readable(text) == plain


def test_tags_without_end_take_no_time():
    for text in ('<a x="' * 20_000, "<a " + "x=1 " * 50_000, "<!--" * 20_000, "<" * 100_000):
        readable(text)
