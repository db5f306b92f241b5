"""Secrets: resolved where they are used, masked everywhere else."""

from __future__ import annotations

from pathlib import Path

import pytest

from stoma import references
from stoma.errors import Blocked
from stoma.references import holds_secret, mask, mask_bytes, mask_data, remember, resolve, unset


@pytest.fixture(autouse=True)
def nothing_known(monkeypatch: pytest.MonkeyPatch) -> None:
    """What these tests call a secret is none elsewhere."""
    monkeypatch.setattr(references, "_seen", {})
    monkeypatch.setattr(references, "_in_data", ())


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


SPELLED = [
    'tök/en+ "7"&x',
    "t%C3%B6k%2Fen%2B%20%227%22%26x",
    "t%c3%b6k/en%2b+%227%22%26x",
    "t%25C3%25B6k%252Fen%252B%2520%25227%2522%2526x",
    't\\u00f6k\\/en\\u002B \\"7\\"\\u0026x',
    "t&#246;k/en&#x2B; &quot;7&quot;&amp;x",
]


@pytest.mark.parametrize("spelled", SPELLED)
def test_what_a_source_echoes_is_masked_however_it_is_spelled(spelled: str) -> None:
    remember('tök/en+ "7"&x', "${env:ODD}")
    assert mask_data({f"a{spelled}": (f"{spelled} and {spelled}", 7, None)}) == {
        "a***": ("*** and ***", 7, None)
    }
    assert holds_secret(spelled.encode())
    assert mask_bytes(f"<{spelled}>".encode()) == b"<***>"


@pytest.mark.parametrize(
    "value",
    [
        "python7", "https://api.example.org/v2/things", "http://127.0.0.1:8000/", "ops@example.org", "postgresql",
        "microsoft research", "Team-42-Berlin", "ACME_CORP", "Jane Doe jane@example.org", "20261123120000",
    ],
)  # fmt: skip
def test_what_is_at_home_in_data_stays_there(value: str) -> None:
    remember(value, "${env:NO_SECRET}")
    assert mask(f"in words: {value}") == "in words: ${env:NO_SECRET}"
    assert mask_data(f"in data: {value}") == f"in data: {value}"
    assert mask_bytes(value.encode()) == value.encode()


@pytest.mark.parametrize("value", ["https://me:geheim@example.org/", "https://example.org/?key=geheim7"])
def test_an_address_with_credentials_is_a_secret(value: str) -> None:
    remember(value, "${env:ADDRESS}")
    assert mask_data(f"at {value}.") == "at ***."


@pytest.mark.parametrize(
    "value", ["s3cr3t-TOKEN", "ghp_16C7e42F292c", "correct+horse/battery", "Tr0ub4dor&3"]
)
def test_what_looks_like_a_secret_is_one_whatever_it_is_called(value: str) -> None:
    remember(value, "${env:FIRST}")
    remember(value, "${env:SECOND}")
    assert mask_data(f"x{value}x") == "x***x"


def test_a_password_of_the_store_is_no_part_of_data() -> None:
    remember("s3cr3t-TOKEN", "***", in_data=False)
    assert mask("s3cr3t-TOKEN") == "***"
    assert mask_data("s3cr3t-TOKEN") == "s3cr3t-TOKEN"


def test_a_part_of_a_secret_is_none() -> None:
    remember("abcdefgh-ijkl/mnop", "${env:LONGER}")
    assert not holds_secret(b"abcdefgh-ijkl and /mnop")
    assert mask_bytes(b"abcdefgh-ijkl and /mnop") == b"abcdefgh-ijkl and /mnop"
