"""`stoma audit`, and the commands that are noted there."""

from __future__ import annotations

import json
import socket
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from stoma.auditing import user
from stoma.cli.main import main
from stoma.stores import Store, open_store
from tests.support.github import Github, repository

Command = Callable[..., Result]


@pytest.fixture
def github() -> Iterator[Github]:
    with Github([repository(1, 1, "2026-01-01T12:00:00Z")]) as server:
        yield server


@pytest.fixture
def home(tmp_path: Path, url: str, github: Github, monkeypatch: pytest.MonkeyPatch) -> Path:
    (tmp_path / "stoma.yaml").write_text(
        f"""\
version: 1
presets: []
store: {{url: "{url}"}}
notify: {{targets: {{ops: ["${{env:STOMA_AUDIT_OPS}}"]}}}}
tasks:
  papers:
    collector: github
    config: {{base_url: "{github.url}/nowhere"}}
    schedule: daily
    retry: {{count: 0}}
  repos: {{collector: github, config: {{mode: search, query: x, base_url: "{github.url}"}}}}
"""
    )
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("STOMA_AUDIT_OPS", "json://127.0.0.1:1/x")
    return tmp_path


@pytest.fixture
def real(home: Path, url: str) -> Iterator[Store]:
    with open_store(url, home) as opened:
        yield opened


def stoma(*words: str, code: int = 0) -> str:
    found = CliRunner().invoke(main, words)
    assert found.exit_code == code, found.output
    return found.output


def noted(store: Store) -> list[tuple[str, str, str]]:
    return [(one.action, one.target, one.outcome) for one in reversed(store.audit.latest())]


def test_commands_are_noted(real: Store, home: Path) -> None:
    stoma("scheduler", "disable-task", "papers")
    stoma("scheduler", "enable-task", "papers")
    stoma("scheduler", "enable-task", "nobody", code=2)
    stoma("scheduler", "pause")
    stoma("scheduler", "resume")
    config = '{"mode": "search", "query": "x", "token": "${env:NOWHERE}"}'
    stoma("scheduler", "add-task", "mine", "Mine", "github", "daily", "--config", config)
    stoma("scheduler", "remove-task", "mine")
    stoma("scheduler", "run-task", "papers", code=1)
    stoma("retry", "1")
    stoma("cancel", "1")
    stoma("cancel", "77", code=2)
    stoma("replay", "papers")
    stoma("replay", "papers", "--dry-run")
    stoma("notify", "test", "ops", code=1)
    stoma("store", "vacuum")
    assert noted(real) == [
        ("disable-task", "papers", "done"),
        ("enable-task", "papers", "done"),
        ("enable-task", "nobody", "failed"),
        ("pause", "", "done"),
        ("resume", "", "done"),
        ("add-task", "mine", "done"),
        ("remove-task", "mine", "done"),
        ("run-task", "papers", "done"),
        ("retry", "1", "done"),
        ("cancel", "1", "done"),
        ("cancel", "77", "failed"),
        ("replay", "papers", "done"),
        ("notify-test", "ops", "done"),
        ("store-vacuum", "", "done"),
    ]
    found = real.audit.latest()
    assert {(one.who, one.via, one.address, one.status) for one in found} == {
        (user(), "cli", socket.gethostname(), None)
    }
    [added] = [one for one in found if one.action == "add-task"]
    assert added.circumstances["sent"]["config"] == json.loads(config)


def test_presets_and_backfills_and_hosts_are_noted(real: Store) -> None:
    stoma("scheduler", "load-preset", "--preset", "research")
    stoma("scheduler", "load-preset", "--preset", "research")  # is loaded already
    stoma("hosts", "127.0.0.1", "--reset")
    stoma("backfill", "repos", "--from", "2026-01-01", "--to", "2026-01-02", "--yes")
    assert noted(real) == [
        ("load-preset", "research", "done"),
        ("reset-host", "127.0.0.1", "done"),
        ("backfill", "repos", "done"),
    ]
    assert real.audit.latest()[0].circumstances == {"days": "2026-01-01 to 2026-01-02"}


def test_what_was_noted_is_told(real: Store) -> None:
    assert "nothing was changed" in stoma("audit")
    stoma("scheduler", "pause")
    stoma("cancel", "77", code=2)
    text = stoma("audit")
    for word in ("pause", user(), "failed: "):
        assert word in text
    assert [one["action"] for one in told()] == ["cancel", "pause"]
    assert [one["action"] for one in told("--limit", "1")] == ["cancel"]
    assert [one["action"] for one in told("--outcome", "done")] == ["pause"]
    assert told("--since", "2999-01-01") == []
    assert "nothing such" in stoma("audit", "--since", "2999-01-01")


def told(*words: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = json.loads(stoma("audit", "--json", *words))
    return found


def test_a_hostile_name_drives_no_terminal(real: Store) -> None:
    CliRunner().invoke(main, ["scheduler", "enable-task", "\x1b[2J\u202eevil"])
    [line] = [line for line in stoma("audit").splitlines() if "enable-task" in line]
    assert line.isprintable()


def test_a_copy_takes_the_audit_along(home: Path) -> None:
    (home / "stoma.yaml").write_text('version: 1\npresets: []\nstore: {url: "sqlite:///a.db"}\n')
    stoma("scheduler", "pause")
    stoma("store", "copy", "sqlite:///a.db", "sqlite:///b.db")
    with open_store("sqlite:///a.db", home) as old, open_store("sqlite:///b.db", home) as new:
        assert noted(old) == [("pause", "", "done")]
        assert [entry[0] for entry in noted(new)] == ["pause", "store-copy"]
        assert new.audit.latest()[1] == old.audit.latest()[0]


def test_a_file_is_changed_also_where_the_store_is_away(home: Path) -> None:
    (home / "stoma.yaml").write_text('version: 1\npresets: []\nstore: {url: "postgresql://127.0.0.1:1/x"}\n')
    text = stoma(
        "scheduler", "add-task", "mine", "Mine", "arxiv", "daily", "--config", '{"search_query": "x"}'
    )
    assert "not noted in the audit" in text
    assert (home / "tasks" / "mine.yaml").exists()
