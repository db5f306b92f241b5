"""`stoma search`, and what docs/search.md shows of it."""

from __future__ import annotations

import json
import re
import shlex
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from stoma.cli import search as command
from stoma.cli.main import main
from stoma.stores import Store, open_store
from stoma.stores.questions import RECORD_FIELDS
from tests.support.records import indexed, record, stored
from tests.support.waiting import until

PAGE = (Path(__file__).resolve().parents[2] / "docs" / "search.md").read_text()
Command = Callable[..., Result]


@pytest.fixture
def home(tmp_path: Path, url: str, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("COLUMNS", "100")
    (tmp_path / "stoma.yaml").write_text(
        f"""\
version: 1
timezone: UTC
presets: []
store: {{url: "{url}"}}
tasks:
  ml_papers: {{collector: arxiv, config: {{search_query: "cat:cs.LG"}}, schedule: daily}}
"""
    )
    return tmp_path


@pytest.fixture
def real(home: Path, url: str) -> Iterator[Store]:
    with open_store(url, home) as opened:
        yield opened


@pytest.fixture
def stoma(home: Path) -> Command:
    return lambda *words: CliRunner().invoke(main, words)


PAPER = record(
    "2605.1",
    "Attention is all you need",
    "The dominant models are complex. " * 20 + "Here attention \x1b[31m is enough.",
    url="https://example.org/2605.1",
    published_at=datetime(2026, 5, 1, tzinfo=UTC),
)


def test_what_people_see(stoma: Command, real: Store) -> None:
    indexed(real, PAPER, record("2605.2", "Another", "attention"))
    result = stoma("search", "attention")
    assert result.exit_code == 0
    lines = result.stdout.splitlines()
    assert lines[0] == "Attention is all you need"
    assert lines[1] == "  paper  lab:2605.1  2026-05-01"
    assert lines[2].startswith("  …")
    assert "Here attention �[31m is enough." in lines[2]
    assert lines[3] == "  https://example.org/2605.1"
    assert lines[5] == "Another"
    assert "\x1b" not in result.stdout
    assert "more than this one" in stoma("search", "attention", "--limit", "1").stdout
    assert stoma("search", "attention", "--newest").stdout.splitlines()[0] == "Another"


def test_colours_on_a_terminal(stoma: Command, real: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    indexed(real, PAPER)
    monkeypatch.setenv("FORCE_COLOR", "1")
    assert "\x1b[1;33mAttention\x1b[0m" in stoma("search", "attention").stdout


def test_json_is_an_array_of_records(stoma: Command, real: Store) -> None:
    indexed(real, PAPER, record("other", "Attention", source="elsewhere", kind="entry"))
    found = json.loads(stoma("search", "attention", "--kind", "paper", "--json").stdout)
    assert [tuple(one) for one in found] == [RECORD_FIELDS]
    assert found[0]["external_id"] == "2605.1"
    assert json.loads(stoma("search", "nowhere", "--json").stdout) == []
    found = json.loads(stoma("search", "attention", "--source", "elsewhere", "--json").stdout)
    assert [one["external_id"] for one in found] == ["other"]


def test_nothing_found_says_why(stoma: Command, real: Store) -> None:
    assert stoma("search", "attention").stdout == "there are no records yet\n"
    indexed(real, PAPER, record("other", "transformers"))
    assert "without the limits of kind" in stoma("search", "attention", "--kind", "filing").stdout
    told = stoma("search", "transformer attention").stdout
    assert "nothing found for transformer attention in 2 records" in told
    assert "no record has transformer (try with * for other endings)" in told
    assert "no record has attention" not in told
    assert "OR between them" in stoma("search", "transformers attention").stdout


@pytest.mark.parametrize(
    "words",
    [
        ("language", "-survey"), ("language -survey",), ("-survey language",), ("language", "-hybrid", "-survey"),
        ("-hybrid language -survey",), ("--kind", "paper", "-survey", "--limit=3", "language"),
        ("--", "language", "-survey"),
        ("-survey", "language", "--since", "2026-01-01", "--newest"),
    ],
)  # fmt: skip
def test_a_word_behind_a_hyphen_is_no_option(stoma: Command, real: Store, words: tuple[str, ...]) -> None:
    indexed(real, record("a", "A language"), record("b", "A survey of language"), record("c", "A hybrid"))
    result = stoma("search", *words, "--json") if "--" not in words else stoma("search", "--json", *words)
    assert result.exit_code == 0, result.stderr
    assert [one["external_id"] for one in json.loads(result.stdout)] == ["a"]


def test_help_and_options_stay_what_they_are(stoma: Command, real: Store) -> None:
    for words in (("-h",), ("language", "--help"), ("language", "-h")):
        assert stoma("search", *words).stdout.startswith("Usage: ")
    # The value of an option is no word, whatever it begins with.
    assert "not a moment" in stoma("search", "language", "--since", "-7d").stderr
    assert "no such option" in stoma("search", "language", "--survey").stderr
    assert "requires an argument" in stoma("search", "language", "--kind").stderr


def test_until_and_names_that_nothing_has(stoma: Command, real: Store) -> None:
    indexed(real, PAPER)
    assert "2605.1" in stoma("search", "attention", "--until", "2199-01-01").stdout
    assert "without the limits" in stoma("search", "attention", "--until", "2026-01-01").stdout
    result = stoma("search", "attention", "--kind", "papers", "--source", "labs")
    assert result.exit_code == 0
    assert 'there is no record of a kind "papers"; did you mean "paper"?' in result.stderr
    assert 'there is no record of a source "labs"; did you mean "lab"?' in result.stderr


def test_errors(stoma: Command, real: Store) -> None:
    for words, message in (
        (["(attention"], "not closed"),
        (["attention", "--since", "soon"], "not a moment"),
        (["attention", "--task", "ml_paper"], "ml_papers"),
    ):
        result = stoma("search", *words)
        assert result.exit_code != 0
        assert message in result.stderr
        assert "Traceback" not in result.stderr
    assert stoma("search", "(attention").exit_code == 2
    assert stoma("search", "-attention").exit_code == 2
    assert stoma("search").exit_code == 2


def test_what_is_not_in_the_index_is_taken_up_or_told(
    stoma: Command, real: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    stored(real, PAPER)
    assert stoma("search", "attention").stdout.startswith("Attention is all")
    stored(real, *(record(f"r{n}", "attention") for n in range(1000)))
    monkeypatch.setattr(command, "BUILDING_SECONDS", 0.0)
    result = stoma("search", "attention")
    assert "about 1000 records cannot be found yet: the next search goes on" in result.stderr
    until(lambda: "warning" not in stoma("search", "attention").stderr)


@pytest.mark.parametrize("line", re.findall(r"^stoma (search .*)$", PAGE, re.MULTILINE))
def test_the_examples_of_the_page(stoma: Command, real: Store, line: str) -> None:
    indexed(real, record("a", "Attention to a language model in C++", "transformers"), task="ml_papers")
    result = stoma(*shlex.split(line))
    assert (result.exit_code, result.stderr) == (0, "")
    assert "Attention to a" in result.stdout


def test_the_table_of_the_page(real: Store) -> None:
    rows = re.findall(r"^\| `(.*?)` \|", PAGE, re.MULTILINE)
    assert len(rows) == 6
    indexed(real, record("a", "two words, this other transform language models"))
    from stoma.stores.questions import Selection

    for query in rows:
        assert real.search.ids(query, Selection(), 1) == [1], query
