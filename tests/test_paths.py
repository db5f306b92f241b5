"""Paths: what they find, that plain ones mean the same without the library, and what is said of faulty ones."""

from __future__ import annotations

import time
from pathlib import Path as File
from typing import Any

import jmespath
import pytest
from hypothesis import given
from hypothesis import strategies as st

from stoma.paths import path_of

DOCUMENT = {
    "a": {"b": {"c": 1}, "odd-name": 2, "n": None},
    "list": [{"b": 1}, {"b": 2}, 5],
    "text": "abc",
}


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("a.b.c", 1),
        ("text", "abc"),
        (" text ", "abc"),
        ("@", DOCUMENT),
        ('a."odd-name"', 2),
        ('"a".b', {"c": 1}),
        ("list[0].b", 1),
        ("list[-2].b", 2),
        ("list[7].b", None),
        ("list[-7]", None),
        ("list.b", None),
        ("text.b", None),
        ("text[0]", None),
        ("a.missing.c", None),
        ("a.n.c", None),
    ],
)
def test_plain_paths_find_what_the_library_finds(text: str, found: Any) -> None:
    path = path_of(text)
    assert path.steps is not None
    assert path.find(DOCUMENT) == found == jmespath.search(text, DOCUMENT)


names = st.sampled_from(["a", "b", "_c1", '"odd-name"', "list"])
steps = st.lists(st.tuples(names, st.sampled_from(["", "[0]", "[-1]", "[2]"])), min_size=1, max_size=4)
trees = st.recursive(
    st.none() | st.integers() | st.text(max_size=3),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from(["a", "b", "_c1", "odd-name", "list"]), inner)
    ),
    max_leaves=12,
)


@given(steps, trees)
def test_any_plain_path_means_the_same_to_both(parts: list[tuple[str, str]], tree: Any) -> None:
    text = ".".join(name + position for name, position in parts)
    path = path_of(text)
    assert path.steps is not None
    assert path.find(tree) == jmespath.search(text, tree)


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("list[*].b", [1, 2]),
        ("missing || `[]`", []),
        ("values(a.b)", [1]),
        ("a.b.c < `2`", True),
        ("list[?b==`2`] | [0].b", 2),
        ("not_null(missing, text)", "abc"),
    ],
)
def test_other_paths_are_the_librarys(text: str, found: Any) -> None:
    path = path_of(text)
    assert path.steps is None
    assert path.keys is None
    assert path.find(DOCUMENT) == found


def test_the_keys_of_a_path_through_mappings() -> None:
    assert path_of("a.b").keys == ("a", "b")
    assert path_of("a[0]").keys is None
    assert path_of("@").keys is None


def test_what_cannot_be_reckoned_is_an_error_of_values() -> None:
    with pytest.raises(ValueError, match="length"):
        path_of("length(@)").find(5)


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("", '"" is not a path: it is empty'),
        ("a[", '"a[" is not a path: it breaks off at its end'),
        ("content-type", "letter 8 (-) cannot stand there; with other characters than letters, digits and _ a "
         "name stands in double quotes: '\"content-type\"'"),
        ("a.@type", "double quotes: 'a.\"@type\"'"),
        ("$.a", 'it is JMESPath, which begins without "$."'),
        ("items.0.b", "a position is written [0], not .0"),
        ("a..b", "letter 3 (.) cannot stand there"),
        ("a b", "double quotes: '\"a b\"'"),
        ("lenght(a)", 'there is no function lenght(); did you mean "length"?'),
        ("a[?lenght(b) > `1`]", "there is no function lenght()"),
        ("length()", "length() takes 1 argument, not 0"),
        ("contains(a)", "contains() takes 2 arguments, not 1"),
        ("not_null()", "not_null() takes at least 1 argument, not 0"),
        ("${env:X}", "is not a path"),
        ("(" * 900, "it is nested too deeply"),
        ("a" * 1_001 + "-", "a path has at most 1,000 letters; this one has 1,002"),
    ],
)  # fmt: skip
def test_what_is_no_path(text: str, told: str) -> None:
    with pytest.raises(ValueError) as error:
        path_of(text)
    assert told in str(error.value)
    assert str(error.value).isprintable()


def test_plain_paths_are_much_faster_than_the_library() -> None:
    def seconds(look: Any) -> float:
        best = 1.0
        for _ in range(5):
            began = time.perf_counter()
            for _ in range(2_000):
                look(DOCUMENT)
            best = min(best, time.perf_counter() - began)
        return best

    for text in ("text", "a.b.c", "list[0].b"):
        assert seconds(jmespath.compile(text).search) > 5 * seconds(path_of(text).find), text


def test_the_library_is_loaded_only_for_what_needs_it() -> None:
    import subprocess
    import sys

    program = (
        "import sys; from stoma.paths import path_of\n"
        "path_of('a.b[0]'); assert 'jmespath' not in sys.modules\n"
        "path_of('a[*].b'); assert 'jmespath' in sys.modules"
    )
    root = str(File(__file__).resolve().parent.parent)
    subprocess.run([sys.executable, "-c", program], check=True, env={"PYTHONPATH": root})
