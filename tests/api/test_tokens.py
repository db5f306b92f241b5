"""The tokens in force."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from loguru import logger

from stoma.api import tokens
from stoma.api.tokens import Tokens
from stoma.scheduler.config import Config
from stoma.scheduler.settings import Api

FIRST, SECOND = "the-first-of-the-tokens", "the-second-of-the-tokens"


class Here:
    """A configuration whose tokens are edited."""

    def __init__(self, base: Path) -> None:
        self.config = Config(base=base)
        self.said: list[str] = []

    def edit(self, *texts: str) -> None:
        self.config = replace(self.config, api=Api(tokens=texts))


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Here]:
    monkeypatch.setenv("TOKENS_A", FIRST)
    (tmp_path / "b").write_text(f"{SECOND}\n")
    found = Here(tmp_path)
    found.edit("${env:TOKENS_A}", "${file:b}")
    sink = logger.add(lambda line: found.said.append(str(line)), level="WARNING", format="{message}")
    monkeypatch.setattr(tokens, "FRESH_SECONDS", -1.0)
    yield found
    logger.remove(sink)


def test_each_is_known_by_the_name_of_its_reference(here: Here) -> None:
    found = Tokens(lambda: here.config)
    assert found.are_needed
    assert found.who(FIRST.encode()) == "env:TOKENS_A"
    assert found.who(SECOND.encode()) == "file:b"
    for wrong in (b"", b"x", FIRST[:-1].encode(), f"{FIRST} ".encode(), b"\xff\xfe", b"${env:TOKENS_A}"):
        assert found.who(wrong) is None
    assert here.said == []


def test_an_edit_counts_at_once_and_so_does_another_content_of_the_file(here: Here) -> None:
    found = Tokens(lambda: here.config)
    here.edit("${file:b}")
    assert found.who(FIRST.encode()) is None
    (here.config.base / "b").write_text("another-that-is-long-enough")
    assert found.who(SECOND.encode()) is None
    assert found.who(b"another-that-is-long-enough") == "file:b"
    here.edit()
    assert not found.are_needed
    assert found.named() == {}


def test_one_that_cannot_be_resolved_counts_no_more_and_nobody_gets_in_by_that(here: Here) -> None:
    found = Tokens(lambda: here.config)
    found.named()
    (here.config.base / "b").unlink()
    assert found.who(SECOND.encode()) is None
    assert found.who(FIRST.encode()) == "env:TOKENS_A"
    here.edit("${file:b}")
    assert found.named() == {}
    assert found.are_needed
    assert len(here.said) == 1
    assert "file:b does not count" in here.said[0]
    (here.config.base / "b").write_text(SECOND)
    assert found.who(SECOND.encode()) == "file:b"


def test_who_can_be_reached_by_others_never_stands_open(here: Here) -> None:
    here.edit()
    found = Tokens(lambda: here.config, is_exposed=True)
    assert found.are_needed
    assert found.who(b"") is None


def test_a_short_one_is_told_once_and_never_shown(here: Here) -> None:
    (here.config.base / "b").write_text("hunter22")
    found = Tokens(lambda: here.config)
    for _ in range(3):
        assert found.who(b"hunter22") == "file:b"
    [line] = here.said
    assert "file:b has less than 16 characters" in line
    assert "hunter22" not in line


def test_those_that_are_given_in_python_count_beside(here: Here) -> None:
    found = Tokens(lambda: here.config, ["one-given-in-python", "another-given-in-python"])
    assert len(found.named()) == 4
    assert found.who(b"one-given-in-python") == "token 3"
    assert found.who(b"another-given-in-python") == "token 4"


def test_what_the_environment_holds_need_not_be_text(here: Here, monkeypatch: pytest.MonkeyPatch) -> None:
    raw = b"\xff\xfe-sixteen-bytes-and-more"
    monkeypatch.setenv("TOKENS_A", raw.decode("utf-8", "surrogateescape"))
    assert Tokens(lambda: here.config).who(raw) == "env:TOKENS_A"
