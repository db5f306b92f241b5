"""Reading YAML: what is accepted, what is refused, and in which words."""

from __future__ import annotations

import os
import time

import pytest
import yaml
from hypothesis import example, given, settings
from hypothesis import strategies as st

from stoma.documents import Checker, Format, building, explain, parse, read, reading
from stoma.documents.building import DEEPEST, MOST_ALIASED
from stoma.documents.places import quote
from stoma.errors import Problem


def problems(text: str | bytes) -> list[str]:
    """Each fault as `line:column message`."""
    return [f"{p.line}:{p.column} {p.message}" for p in parse(text, "x.yaml").problems]


@pytest.fixture(params=["libyaml", "pure"])
def parser(request, monkeypatch):
    """Both parsers: machines without libyaml have only the second."""
    if request.param == "pure":
        monkeypatch.setattr(building, "parser_class", building.pure_parser)
    elif not yaml.__with_libyaml__:
        pytest.skip("no libyaml here")
    return request.param


# -- values --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("word", "value"),
    [
        ("", None), ("~", None), ("null", None), ("NULL", None),
        ("true", True), ("True", True), ("FALSE", False),
        ("0", 0), ("10", 10), ("-3", -3), ("+4", 4), ("9223372036854775807", 2**63 - 1),
        ("1.5", 1.5), (".5", 0.5), ("1.", 1.0), ("-0.25", -0.25), ("1e3", 1000.0), ("2.5E-3", 0.0025),
        # What YAML 1.1 reads as something else is text here.
        ("10:30", "10:30"), ("1:30:00", "1:30:00"), ("NO", "NO"), ("no", "no"), ("on", "on"), ("Yes", "Yes"),
        ("y", "y"), ("2026-01-01", "2026-01-01"), ("2026-01-01 10:00:00", "2026-01-01 10:00:00"),
        ("0o17", "0o17"), ("0x1F", "0x1F"), ("1_000", "1_000"), ("0b1", "0b1"), (".inf", ".inf"), (".nan", ".nan"),
        ("nULL", "nULL"), ("=", "="),
        # What a number would lose is text as well.
        ("007", "007"), ("0000320193", "0000320193"), ("00.5", "00.5"), ("1e999", "1e999"),
        ("9223372036854775808", "9223372036854775808"), ("9" * 5000, "9" * 5000),
        (".", "."), ("+", "+"), ("e3", "e3"), ("1.2.3", "1.2.3"), ("8-K", "8-K"),
    ],
)  # fmt: skip
def test_what_an_unquoted_word_means(word, value, parser):
    document = parse(f"key: {word}", "x.yaml")
    assert document.data == {"key": value}
    assert type(document.data["key"]) is type(value)


def test_quoted_words_are_text(parser):
    assert parse("""{a: "10", b: 'true', c: "null", d: ''}""", "x").data == {
        "a": "10",
        "b": "true",
        "c": "null",
        "d": "",
    }


def test_blocks_anchors_and_line_ends(parser):
    text = "a: &x [1, two]\r\nb: *x\r\nc: |\r\n  one\r\n  two\r\nd: >\r\n  one\r\n  two\r\n"
    document = parse(text, "x.yaml")
    assert document.data == {"a": [1, "two"], "b": [1, "two"], "c": "one\ntwo\n", "d": "one two\n"}
    assert document.problems == []


def test_a_byte_order_mark_is_no_part_of_the_text():
    assert parse(b"\xef\xbb\xbfa: 1", "x").data == {"a": 1}


def test_values_remember_where_they_stand(parser):
    document = parse("a:\n  - x\n  - {b: 1,\n     c: 2}\n", "x.yaml")
    assert document.place(("a",), of_key=True) == (1, 1)
    assert document.place(("a", 1)) == (3, 5)
    assert document.place(("a", 1, "c"), of_key=True) == (4, 6)
    assert document.place(("a", 1, "c")) == (4, 9)
    assert document.line(("a",)) == 1
    # A place that is not there is that of the nearest one around it.
    assert document.place(("a", 1, "nothing")) == (3, 5)


# -- faults --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("", ["0:0 this file is empty"]),
        ("# only words\n---\n", ["0:0 this file is empty"]),
        ("~", ["0:0 this file is empty"]),
        ("a: 1\n---\nb: 2", ["2:1 a second document begins here; one file holds one document"]),
        ("a: 1\nb: 2\na: 3", ['3:1 the key "a" stands here again; first in line 1']),
        ("<<: {a: 1}", ['1:1 merge keys "<<" are not supported; write the keys out, or use "defaults:"']),
        ("10: x", ["1:1 a key must be text, and this one is the number 10; put it in quotes"]),
        ("true: x", ["1:1 a key must be text, and this one is true; put it in quotes"]),
        ("? [a]\n: b", ["1:3 a key must be text, and this one is a list or a mapping; put it in quotes"]),
        ("a: !!int 3", ['1:4 the tag "!!int" is not supported; values say by themselves what they are']),
        ("a: !!python/object:os.system {}", [
            '1:4 the tag "!!python/object:os.system" is not supported; values say by themselves what they are'
        ]),
        ("a: *x", ['1:4 the alias "*x" has no anchor "&x" before it']),
        ("a: &x [*x]", ['1:8 the alias "*x" contains itself']),
        ("a:\n\tb: 1", ["2:1 a tab stands where YAML wants spaces; replace it by spaces"]),
        ("a:\n  b: 1\n\tc: 2", ["3:1 a tab stands where YAML wants spaces; replace it by spaces"]),
        ("a: ${FOO}", ["1:4 ${FOO} is not a reference; write ${env:NAME} or ${file:PATH}"]),
        ("a: ${ENV:FOO}", ["1:4 ${ENV:FOO} is not a reference; write ${env:NAME} or ${file:PATH}"]),
        ("a: ${env:FOO}", []),
        ("{a: ${env:FOO}}", [
            '1:5 put quotes around the reference: "${env:FOO}"; between { } or [ ] it needs them'
        ]),
        ("a: [${file:x}, b]", [
            '1:5 put quotes around the reference: "${file:x}"; between { } or [ ] it needs them'
        ]),
        ("a: x\x1b[2J", ["1:5 the invisible character U+001B stands here; remove it"]),
        ("a: x\u2028y", ["1:5 the invisible character U+2028 stands here; remove it"]),
        ("a: \x00", ["1:4 the invisible character U+0000 stands here; remove it"]),
        ('a: "\\0"', ["1:4 this text contains the control character U+0000; leave it out"]),
        # Faults that do not hide the rest of the file are told together.
        ("a: !x 1\n2: b\nc: 1\nc: 2", [
            '1:4 the tag "!x" is not supported; values say by themselves what they are',
            "2:1 a key must be text, and this one is the number 2; put it in quotes",
            '4:1 the key "c" stands here again; first in line 3',
        ]),
    ],
)  # fmt: skip
def test_faults(text, told, parser):
    assert problems(text) == told


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("a: b: c", '1:5 a ":" is not expected here; a text with ": " in it needs quotes, '
         "and keys of one mapping start in the same column"),
        ("a: [1,\n2", '2:2 the list that begins with "[" in line 1 lacks a "," or its "]"'),
        ("{a: 1", '1:6 the mapping that begins with "{" in line 1 lacks a "," or its "}"'),
        ("b: 1\na: 'x", "2:4 a quote is opened here and never closed"),
        ("a: 'x' y", "1:8 this stands behind a closing quote; put the whole text between one pair of quotes"),
        ("a: @x", '1:4 "@" cannot begin a text; put the text in quotes'),
        ("a: `x`", '1:4 "`" cannot begin a text; put the text in quotes'),
        ("a:\n  b: 1\n c: 2", "3:2 this does not belong to the mapping above; "
         "keys of one mapping start in the same column"),
        ("a: - b", '1:4 a list item "-" is not expected here; it stands on a line of its own'),
        ("a: ]", "1:4 a value is expected here"),
        ("  a: 1\nb: 2", "2:1 this does not belong to what stands above; check the indentation"),
        ("a: *", '1:5 "*" and "&" begin a YAML alias; put a text that begins with one in quotes'),
    ],
)  # fmt: skip
def test_syntax_errors_in_words(text, told, parser):
    assert problems(text) == [told]


def test_a_problem_as_people_see_it():
    assert str(parse("tasks:\n  x:\n\tname: y\n", "tasks/x.yaml").problems[0]) == (
        "tasks/x.yaml:3:1: a tab stands where YAML wants spaces; replace it by spaces\n     name: y\n    ^"
    )


@pytest.mark.parametrize(
    "deep", ["[" * 100_000, "- " * 100_000, "{a: " * 100_000, "[" * 100_000 + "]" * 100_000]
)
def test_nesting_does_not_reach_the_interpreters_limit(deep, parser):
    started = time.perf_counter()
    assert [p.split(" ", 1)[1] for p in problems(deep)] == [f"this is nested more than {DEEPEST} levels deep"]
    assert time.perf_counter() - started < 5


def test_aliases_that_explode(parser):
    lines = ["a0: &a0 [x, x, x, x, x, x, x, x, x]"]
    lines += [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 9)}]" for n in range(1, 12)]
    assert f"stand for more than {MOST_ALIASED:,} values" in problems("\n".join(lines))[0]


def test_an_alias_of_a_long_text_counts_for_its_length():
    text = "a: &a " + "x" * 1_000_000 + "\nb: [" + ", ".join(["*a"] * 100) + "]"
    assert "stand for more than" in problems(text)[0]


def test_many_small_aliases_are_fine():
    text = "r: &r {count: 3, first: 30s, max: 30m}\n" + "\n".join(f"k{n}: *r" for n in range(10_000))
    assert problems(text) == []


def test_long_lines_are_clipped_around_the_column():
    problem = parse("a: " + "x" * 300 + ": " + "y" * 300, "x.yaml").problems[0]
    assert len(problem.quoted) <= 122
    assert problem.quoted[problem.caret - 1] == ":"
    assert problem.quoted.startswith("…")
    assert problem.quoted.endswith("…")


def test_a_quoted_line_cannot_drive_the_terminal():
    problem = parse("a: \x1b]0;pwned\x07\x1b[2J", "x.yaml").problems[0]
    assert problem.quoted == "a: ·]0;pwned··[2J"
    assert str(problem).replace("\n", "").isprintable()


def test_the_caret_stands_below_wide_letters():
    assert quote("日本: [x", 6) == ("日本: [x", 8)


def test_a_quoted_line_keeps_its_secrets():
    text = 'api: {tokens: [hunter2, "${env:T}"], port: 1}\nurl: postgresql://joe:geheim@h/db\nurl: 2\nurl: 3'
    assert quote(text.splitlines()[0], 1)[0] == 'api: {tokens: [*******, "${env:T}"], port: 1}'
    assert quote("password: 'open sesame' # mine", 1)[0] == "password: '**** ******' # mine"
    assert quote(text.splitlines()[1], 1)[0] == "url: postgresql://joe:******@h/db"


# -- files ---------------------------------------------------------------------------------------------------


def told(path) -> list[str]:
    return [p.message for p in read(path, "x.yaml").problems]


def test_files_that_cannot_be_read(tmp_path):
    assert told(tmp_path / "nothing.yaml") == ["there is no such file"]
    assert told(tmp_path) == ["is a folder; a file is expected"]
    link = tmp_path / "link.yaml"
    link.symlink_to("/there/is/no/gone.yaml")
    assert told(link) == ["is a link to /there/is/no/gone.yaml, which does not exist"]
    loop = tmp_path / "loop.yaml"
    loop.symlink_to(loop)
    assert "which does not exist" in told(loop)[0]
    pipe = tmp_path / "pipe.yaml"
    os.mkfifo(pipe)
    assert told(pipe) == ["is not a regular file"]
    assert told(tmp_path / ("x" * 300)) == ["cannot be read: File name too long"]
    assert told(tmp_path / "a.yaml" / "b.yaml") == ["there is no such file"]


def test_a_file_without_permission(tmp_path, monkeypatch):
    # Root may read everything, so the refusal is put in its way.
    def refuse(path):
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(reading, "_content", refuse)
    assert told(tmp_path / "x.yaml") == ["cannot be read: Permission denied"]


def test_files_that_are_too_large(tmp_path):
    path = tmp_path / "large.yaml"
    path.write_bytes(b"# " + b"x" * 5_000_000)
    assert told(path) == ["this file is larger than 5 MB (5.0 MB); split it into several"]


def test_files_that_are_not_utf8(tmp_path):
    path = tmp_path / "latin.yaml"
    path.write_bytes("a: 1\nb: Müller".encode("latin-1"))
    (problem,) = read(path, "x.yaml").problems
    assert str(problem) == "x.yaml:2:5: this file is not UTF-8: it holds the byte 0xfc\n    save it as UTF-8"
    path.write_bytes("a: 1".encode("utf-16"))
    assert told(path) == ["this file is not UTF-8: it holds the byte 0xff"]


# -- any bytes -----------------------------------------------------------------------------------------------

YAMLISH = st.lists(
    st.sampled_from(
        [*"abc:-?,[]{}&*!|>%@`'\"\\#~<=. \t\n\r0123", ": ", "- ", "\n  ", "<<", "---", "...", "${env:", "}", "true",
         "\\u", "\\U", "\ud800", "\u2028", "\ufeff", "ü", "日", "\x1b", "\0", "!!", "%YAML", "%TAG", "&a ", "*a"]
    ),
    max_size=60,
).map("".join)  # fmt: skip


def is_sound(document) -> None:
    assert document.problems or document.readable
    for problem in document.problems:
        assert isinstance(problem, Problem)
        assert str(problem).replace("\n", "").isprintable()
        assert (problem.line == 0) == (problem.column == 0)


@given(st.binary(max_size=200))
@example(b"\xff\xfe")
@example(b"")
@settings(max_examples=300)
def test_any_bytes_are_a_document_or_problems(content):
    is_sound(parse(content, "x.yaml"))


@given(YAMLISH)
@example("? ? ?")
@example("{? }")
@example('"\\UFFFFFFFF"')
@example("%YAML 9.9\n---\na")
@example("&a &b c")
@example("&a *a")
@example("a: &a\nb: *a")
@settings(max_examples=500)
def test_what_looks_like_yaml_is_a_document_or_problems(text):
    with_libyaml = parse(text.encode("utf-8", errors="surrogatepass"), "x.yaml")
    is_sound(with_libyaml)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(building, "parser_class", building.pure_parser)
        pure = parse(text, "x.yaml")
    is_sound(pure)
    # The two parsers disagree about a few corners of YAML, but never about what an accepted file says.
    if not with_libyaml.problems and not pure.problems:
        assert with_libyaml.data == pure.data


# -- the judge -----------------------------------------------------------------------------------------------

SCHEMA = {
    "type": "object",
    "required": ["kind"],
    "additionalProperties": False,
    "not": {"required": ["gap", "rate"]},
    "properties": {
        "kind": {"type": "string", "enum": ["a", "b"]},
        "gap": {"type": ["integer", "null"], "minimum": 1},
        "rate": {"type": "string", "format": "even", "pattern": "^x*$"},
        "more": {
            "type": ["object", "string"],
            "propertyNames": {"pattern": "^[a-z]{1,2}$"},
            "additionalProperties": {"type": "boolean"},
        },
    },
    "allOf": [
        {
            "if": {"required": ["kind"], "properties": {"kind": {"const": "a"}}},
            "then": {"anyOf": [{"required": ["gap"]}, {"required": ["rate"]}]},
        }
    ],
}


def _even(text: str) -> None:
    if len(text) % 2:
        raise ValueError(f'"{text}" is odd')


FORMATS = {"even": Format(_even, "an even text")}
SINGLE = (
    st.none()
    | st.booleans()
    | st.integers(-1, 2)
    | st.floats(0, 2)
    | st.sampled_from(["a", "b", "xx", "", "c\n"])
)
VALUES = st.recursive(
    SINGLE,
    lambda inner: st.lists(inner, max_size=2)
    | st.dictionaries(st.sampled_from(["kind", "gap", "rate", "more", "a", "bb", "ccc", "a\n"]), inner, max_size=4),
    max_leaves=8,
)  # fmt: skip


@given(VALUES)
@settings(max_examples=500)
def test_the_quick_judgement_is_that_of_jsonschema(value):
    checker = Checker(SCHEMA, FORMATS)
    judged = checker._validator(SCHEMA).is_valid(value)
    assert checker.accepts(value) == judged
    # Judged again, from memory, and told why.
    assert checker.accepts(value) == judged
    faults = list(checker.faults(value))
    assert bool(faults) != judged
    assert bool(explain(reading.of_values(value), faults, FORMATS)) != judged


def test_a_whole_number_is_one_to_range_as_well():
    checker = Checker({"type": "integer"})
    assert checker.accepts(50)
    assert not checker.accepts(50.0)
    assert not checker.accepts(True)


def test_a_pattern_ends_where_the_text_ends():
    assert not Checker({"pattern": "^a$"}).accepts("a\n")


def test_of_very_many_faults_the_first_are_told():
    checker = Checker({"type": "object", "additionalProperties": {"type": "integer"}})
    document = parse("\n".join(f"k{n}: x" for n in range(5000)), "x.yaml")
    found = explain(document, checker.faults(document.data), {})
    assert len(found) == 201
    assert found[-1].message == "this file has more faults than these; mend them first"
