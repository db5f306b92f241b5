"""Secrets: resolved where they are used, masked everywhere else."""

from __future__ import annotations

from pathlib import Path

import pytest

from stoma.errors import Blocked
from stoma.references import mask, resolve, unset


def test_references_are_resolved_inside_any_value(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("A_TOKEN", "from-the-environment")
    (tmp_path / "token").write_text("from-a-file\n")
    given = {"headers": ["Bearer ${env:A_TOKEN}"], "body": {"x": "${file:token}", "n": 3}}
    assert resolve(given, tmp_path) == {
        "headers": ["Bearer from-the-environment"],
        "body": {"x": "from-a-file", "n": 3},
    }


def test_what_was_resolved_is_masked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("A_TOKEN", "s3cr3t-value")
    resolve("${env:A_TOKEN}", tmp_path)
    assert mask("GET /?token=s3cr3t-value failed") == "GET /?token=${env:A_TOKEN} failed"


def test_the_longest_secret_is_masked_first(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SHORT", "abcdef")
    monkeypatch.setenv("LONG", "abcdef-and-more")
    resolve(["${env:SHORT}", "${env:LONG}"], tmp_path)
    assert mask("abcdef-and-more") == "${env:LONG}"


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("${env:NOT_SET_AT_ALL}", "NOT_SET_AT_ALL is not set"),
        ("${file:missing}", "cannot be read: No such file"),
        ("${file:.}", "cannot be read: Is a directory"),
        ("${file:empty}", "is empty"),
        ("${file:binary}", "not UTF-8"),
    ],
)
def test_what_is_unset_blocks_with_its_reason(text: str, said: str, tmp_path: Path) -> None:
    (tmp_path / "empty").write_text(" \n")
    (tmp_path / "binary").write_bytes(b"\xff\xfe\xfa")
    with pytest.raises(Blocked, match=said):
        resolve({"x": [text]}, tmp_path)
    assert said in (unset({"x": [text]}, tmp_path) or "")


def test_what_is_set_is_not_unset(tmp_path: Path) -> None:
    assert unset({"x": ["plain", 3, None]}, tmp_path) is None
