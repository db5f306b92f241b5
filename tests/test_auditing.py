"""What is noted of a change: nothing secret, nothing that drives a terminal, nothing large."""

from __future__ import annotations

import io
import json
from pathlib import Path
from typing import Any

import pytest

from stoma import log
from stoma.auditing import LARGEST, LONGEST_NAME, brief, entry_of, harmless, note, user
from stoma.references import HIDDEN, remember
from stoma.stores import Store, open_store
from stoma.stores.audit import REFUSED
from tests.support.stores import clock, store, url

__all__ = ["clock", "store", "url"]

HOSTILE = "\x1b[2Ja\x00b\ud800c\u202ed\r\ne"


@pytest.mark.parametrize(
    ("sent", "kept"),
    [
        ({"config": {"token": "letmein"}}, {"config": {"token": HIDDEN}}),
        ({"config": {"token": "${env:GITHUB_TOKEN}"}}, {"config": {"token": "${env:GITHUB_TOKEN}"}}),
        ({"in": {"Authorization": "Basic abc", "Auth": "x"}}, {"in": {"Authorization": HIDDEN, "Auth": HIDDEN}}),
        ({"api_key": 12345, "X-Api-Key": "k"}, {"api_key": HIDDEN, "X-Api-Key": HIDDEN}),
        ({"password": {"inner": "x"}, "pwd": ["y", None]}, {"password": {"inner": HIDDEN}, "pwd": [HIDDEN, None]}),
        ({"url": "https://me:pw@example.org/a"}, {"url": f"https://{HIDDEN}@example.org/a"}),
        ({"url": "https://e.org/?apikey=abc&q=x"}, {"url": f"https://e.org/?apikey={HIDDEN}&q=x"}),
        ({"body": '{"secret": "abc", "n": 1}'}, {"body": f'{{"secret": "{HIDDEN}", "n": 1}}'}),
        ({"authors": ["Ann"], "keywords": "a", "max": 3}, {"authors": ["Ann"], "keywords": "a", "max": 3}),
    ],
)  # fmt: skip
def test_what_a_name_calls_secret_is_hidden(sent: dict[str, Any], kept: dict[str, Any]) -> None:
    assert harmless(sent) == kept


def test_secrets_of_references_are_masked_everywhere() -> None:
    remember("s3cr3t-of-audit", "${env:AUDIT_SECRET}")
    assert "s3cr3t-of-audit" not in json.dumps(harmless({"s3cr3t-of-audit": ["x s3cr3t-of-audit y"]}))
    assert brief("/tasks/s3cr3t-of-audit/run") == "/tasks/${env:AUDIT_SECRET}/run"


def test_little_is_kept_of_much() -> None:
    assert (
        len(json.dumps(harmless({f"n{n}": {f"m{m}": "x" * 9000 for m in range(99)} for n in range(99)})))
        < 100
    )
    deep: Any = "x"
    for _ in range(500):
        deep = [deep]
    assert len(json.dumps(harmless({"deep": deep}))) < LARGEST


def test_whatever_is_noted_is_kept(store: Store) -> None:
    entry = entry_of(
        store, "http", HOSTILE, HOSTILE, "pause", HOSTILE * 99, REFUSED, 401, {HOSTILE: [HOSTILE]}
    )
    assert note(store, entry)
    [found] = store.audit.latest()
    for text in (found.who, found.address, found.target, *found.circumstances, *found.circumstances.values()):
        assert str(text).isprintable()
    assert len(found.target) == LONGEST_NAME


def test_a_line_goes_to_the_audit_file_and_nowhere_else(tmp_path: Path) -> None:
    stream = io.StringIO()
    log.set_up("INFO", stream, audit=tmp_path / "audit.log")
    note(None, entry_of(None, "http", "env:A", "10.0.0.1", "pause", outcome=REFUSED, status=401))
    log.set_up("WARNING")
    [line] = [json.loads(line) for line in (tmp_path / "audit.log").read_text().splitlines()]
    told = {name: line[name] for name in ("level", "who", "what", "address", "outcome", "status", "via")}
    assert told == {
        "level": "WARNING", "who": "env:A", "what": "pause", "address": "10.0.0.1", "outcome": "refused",
        "status": 401, "via": "http",
    }  # fmt: skip
    assert stream.getvalue() == ""


def test_a_store_that_is_away_undoes_nothing(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with open_store("sqlite:///a.db", tmp_path) as there:
        there.close()
        log.set_up("WARNING")
        assert not note(there, entry_of(there, "cli", "ann", "laptop", "pause"))
    assert "pause by ann is not in the audit table" in capsys.readouterr().err


@pytest.mark.parametrize(("name", "told"), [("root", "root (sudo by ann)"), ("bob", "bob")])
def test_only_root_is_asked_who_it_was_before(name: str, told: str, monkeypatch: pytest.MonkeyPatch) -> None:
    import pwd

    monkeypatch.setenv("SUDO_USER", "ann")
    monkeypatch.setattr(pwd, "getpwuid", lambda uid: type("Entry", (), {"pw_name": name}))
    assert user() == told
