"""`store: {raw: …}` and `stoma replay`, as a person meets them, on both databases."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from stoma.cli import replay as command
from stoma.cli.main import main
from stoma.cli.run import main as stoma_run
from stoma.records import CollectorResult, Reject
from stoma.stores import open_store
from tests.support.github import Github, repository
from tests.support.server import Server

YAML = """\
version: 1
presets: []
store: {{url: "{url}"{raw}}}
tasks:
  popular:
    collector: github
    config: {{mode: search, query: "{query}", limit: 10, base_url: "{base}"}}
"""


@pytest.fixture
def source() -> Iterator[Server]:
    with Github([repository(number, stars=number) for number in range(1, 4)]) as server:
        yield server


@pytest.fixture
def write(tmp_path: Path, url: str, source: Server) -> Callable[..., None]:
    def write(raw: str = ", raw: 90d", query: str = "stoma") -> None:
        text = YAML.format(url=url, raw=raw, base=source.url, query=query)
        (tmp_path / "stoma.yaml").write_text(text)

    return write


def stoma(*words: str) -> Result:
    return CliRunner().invoke(main, words)


def once() -> Result:
    return CliRunner().invoke(stoma_run, ["--once", "popular"])


def told(*words: str) -> dict[str, Any]:
    result = stoma("replay", "popular", "--json", *words)
    assert result.exit_code == 0, result.output
    found: dict[str, Any] = json.loads(result.stdout)
    return found


def test_nothing_is_kept_until_somebody_wants_it(write: Callable[..., None]) -> None:
    write(raw="")
    assert once().exit_code == 0
    result = stoma("replay", "popular")
    assert result.exit_code == 0
    assert result.output.startswith("nothing is kept of popular; write `store: {raw: 90d}`")
    write()
    assert "what it collects from now on is, for 90d" in stoma("replay", "popular").output
    write(raw=", raw: forever")
    assert "store.raw: " in stoma("replay", "popular").output


def test_a_mended_normalizer(
    write: Callable[..., None], source: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    from stoma.normalizers.github import GithubNormalizer

    write()

    def broken(self: Any, result: CollectorResult) -> list[Reject]:
        return [Reject("not yet", item) for item in result.items]

    with monkeypatch.context() as patch:
        patch.setattr(GithubNormalizer, "normalize", broken)
        assert once().exit_code == 1
        result = stoma("replay", "popular")
        assert result.exit_code == 0
        assert "rejected: 3 items: not yet" in result.output
    asked = len(source.requests)
    report = told("--dry-run")
    assert (report["new"], report["same"], report["dry_run"]) == (3, 0, True)
    assert report["kept"]["answers"] == 1
    assert 0 < report["kept"]["bytes"] < report["kept"]["uncompressed"]
    result = stoma("replay", "popular")
    assert result.exit_code == 0, result.output
    assert "1 answer kept since" in result.output
    assert (told()["same"], told()["new"]) == (3, 0)
    assert len(source.requests) == asked


def test_what_is_lost_is_named_and_no_failure(
    write: Callable[..., None], monkeypatch: pytest.MonkeyPatch
) -> None:
    from stoma.normalizers.github import GithubNormalizer

    write()
    assert once().exit_code == 0
    monkeypatch.setattr(command, "SHOWN", 2)
    monkeypatch.setattr(GithubNormalizer, "normalize", lambda self, result: [])
    result = stoma("replay", "popular")
    assert result.exit_code == 0
    assert "given then and no more (they stay as they are): 3 records" in result.output
    assert "and 1 more; --json names them all" in result.output
    assert len(told()["lost"]) == 3


def test_code_that_stumbles_is_a_failure(write: Callable[..., None], monkeypatch: pytest.MonkeyPatch) -> None:
    from stoma.collectors.github import GithubCollector

    write()
    assert once().exit_code == 0

    def collect(*_: Any) -> Any:
        raise KeyError("items")

    monkeypatch.setattr(GithubCollector, "collect", collect)
    result = stoma("replay", "popular")
    assert result.exit_code == 1
    assert "left out, 1 page of run 1: KeyError: 'items'" in result.output


def test_an_edited_query_is_left_out(write: Callable[..., None]) -> None:
    write()
    assert once().exit_code == 0
    write(query="another")
    result = stoma("replay", "popular")
    assert result.exit_code == 0
    assert "left out, 1 page of run 1: what the task collects was edited since" in result.output


def test_since_is_a_day(write: Callable[..., None]) -> None:
    write()
    assert once().exit_code == 0
    assert told("--since", "today")["tries"] == 1
    assert told("--since", "tomorrow")["tries"] == 0
    result = stoma("replay", "popular", "--since", "lately")
    assert result.exit_code == 2
    assert '"lately" is not a date' in result.output


def test_an_unknown_task(write: Callable[..., None]) -> None:
    write()
    result = stoma("replay", "populr")
    assert result.exit_code == 2
    assert 'did you mean "popular"?' in result.output


def test_once_deletes_what_has_expired(write: Callable[..., None], tmp_path: Path, url: str) -> None:
    write()
    assert once().exit_code == 0
    tables = ("raw_pages", "raw_given", "raw_attempts")

    def each(text: str) -> list[Any]:
        with open_store(url, tmp_path) as store, store.database.transaction() as tx:
            cursors = [tx._connection.execute(text.format(table)) for table in tables]  # type: ignore[attr-defined]
            return [cursor.fetchall() if cursor.description else [] for cursor in cursors]

    write(raw="")
    each("update {} set keep_until = '2026-01-01T00:00:00.000000Z'")
    assert [len(rows) for rows in each("select 1 from {}")] == [1, 1, 1]
    assert once().exit_code == 0
    assert each("select 1 from {}") == [[], [], []]
