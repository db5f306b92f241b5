"""`stoma backfill` against servers that stand in for the sources."""

from __future__ import annotations

import json
import os
import pty
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from stoma.cli.main import main
from stoma.demo.papers import invent
from stoma.demo.standin import StandIn
from stoma.scheduler.base import Run, TaskStatus
from stoma.stores import Store, open_store
from tests.support.edgar import Edgar, accession, master, row
from tests.support.github import Github, repository, status
from tests.support.server import Asked, Reply
from tests.support.waiting import until

STOMA = [sys.executable, "-m", "stoma.cli.main"]
DAYS = ("--from", "2025-12-15", "--to", "2026-02-10")
DECEMBER, JANUARY, FEBRUARY = "2025-12-15..2025-12-31", "2026-01-01..2026-01-31", "2026-02-01..2026-02-10"
# By month: in December 250 of them, which are three pages; the last two lie outside of what is asked for.
CREATED = [
    *("2025-12-20T12:00:00Z",) * 250,
    *("2026-01-31T23:59:59Z", "2026-02-01T00:00:00Z", "2026-02-10T23:59:59Z"),
    *("2025-12-14T23:59:59Z", "2026-02-11T00:00:00Z"),
]

Command = Callable[..., Result]


class Slow(Github):
    """Answers after a while, from the n-th request on; and counts."""

    delay, since = 0.0, 1

    def _reply(self, asked: Asked) -> Reply:
        if asked.number >= self.since:
            self.closing.wait(self.delay)
        return super()._reply(asked)


@pytest.fixture
def github() -> Iterator[Slow]:
    with Slow([repository(n, n, created) for n, created in enumerate(CREATED, 1)]) as server:
        yield server


@pytest.fixture
def home(tmp_path: Path, url: str, github: Slow) -> Path:
    (tmp_path / "stoma.yaml").write_text(
        f"""\
version: 1
presets: []
store: {{url: "{url}"}}
defaults: {{retry: {{count: 0}}}}
tasks:
  repos:
    collector: github
    config: {{mode: search, query: "topic:x", limit: 5, base_url: "{github.url}"}}
  trending: {{collector: github, config: {{base_url: "{github.url}"}}}}
  secret: {{collector: github, config: {{mode: search, query: "${{env:NOT_SET_HERE}}", base_url: "{github.url}"}}}}
  follower: {{collector: github, config: {{base_url: "{github.url}"}}, after: repos}}
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


def windows(store: Store) -> list[tuple[str, str, int]]:
    """Each window with its status and how many repositories it brought."""
    runs = [run for run in reversed(store.runs.history("repos")) if run.span]
    return [(run.span.text, str(run.status), run.new) for run in runs if run.span]


def pages(github: Slow, before: int) -> list[str]:
    """The number of each page that was asked for since."""
    return [asked.query.get("page", "1") for asked in github.requests[before:]]


def repositories(store: Store) -> int:
    return store.records.count_by_kind().get("repository", 0)


def test_it_collects_each_month_and_nothing_else(stoma: Command, real: Store, github: Slow) -> None:
    result = stoma("backfill", "repos", *DAYS)
    assert result.exit_code == 0, result.output
    assert "repos: 2025-12-15 to 2026-02-10, 3 months" in result.stdout
    assert "about 5 requests, 253 records, no budget at 127.0.0.1" in result.stdout
    assert windows(real) == [
        (DECEMBER, "completed", 250),
        (JANUARY, "completed", 1),
        (FEBRUARY, "completed", 2),
    ]
    # The days say what is collected, not `limit`.
    assert repositories(real) == 253
    assert real.runs.cursor("repos") is None
    assert real.runs.history("follower") == []
    asked = len(github.requests)
    again = stoma("backfill", "repos", *DAYS)
    assert (again.exit_code, "all collected already" in again.stdout) == (0, True)
    assert len(github.requests) == asked


def test_a_dry_run_says_what_it_would_cost(stoma: Command, real: Store, github: Slow) -> None:
    result = stoma("backfill", "repos", *DAYS, "--dry-run", "--json")
    assert result.exit_code == 0, result.output
    found = json.loads(result.stdout)
    assert found.pop("backfill")
    assert found == {
        "task": "repos",
        "from": "2025-12-15",
        "to": "2026-02-10",
        "windows": [DECEMBER, JANUARY, FEBRUARY],
        "left": [DECEMBER, JANUARY, FEBRUARY],
        "requests": 5,
        "records": 253,
        "host": "127.0.0.1",
        "hours": 0.0,
        "is_told": True,
    }
    assert len(github.requests) == 1
    assert real.runs.history() == []


def test_the_budget_says_how_long_it_takes(stoma: Command, home: Path) -> None:
    text = (home / "stoma.yaml").read_text()
    (home / "stoma.yaml").write_text(text + 'hosts: {"127.0.0.1": {gap: 20m}}\n')
    result = stoma("backfill", "repos", *DAYS, "--dry-run")
    assert "about 5 requests, 253 records, about 1h40m by the budget of 127.0.0.1" in result.stdout, (
        result.output
    )


def test_json_is_the_runs_and_nothing_else(stoma: Command) -> None:
    result = stoma("backfill", "repos", *DAYS, "--json")
    found = json.loads(result.stdout)
    assert [run["trigger"].rpartition("/")[2] for run in found] == [DECEMBER, JANUARY, FEBRUARY]
    assert "3 months" in result.stderr


def test_a_window_that_fails_does_not_hold_up_the_next(stoma: Command, real: Store, github: Slow) -> None:
    # The third page of December: the first request is the estimate.
    github.faults[4] = status(404, "Not Found")
    result = stoma("backfill", "repos", *DAYS)
    assert result.exit_code == 1
    assert f"{DECEMBER}: http" in result.stdout
    assert windows(real) == [(DECEMBER, "failed", 200), (JANUARY, "completed", 1), (FEBRUARY, "completed", 2)]
    before = len(github.requests)
    again = stoma("backfill", "repos", *DAYS)
    assert again.exit_code == 0, again.output
    assert "3 months, 2 of them collected already" in again.stdout
    assert windows(real)[0] == (DECEMBER, "completed", 250)
    # One for the estimate, then the page before the one that was missing: repositories may have moved up.
    assert pages(github, before) == ["1", "2", "3"]


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (("repos", "--from", "2026-02-01", "--to", "2026-01-01"), "lies behind"),
        (("repos", "--from", "2026-01-01", "--to", "2999-01-01"), "is not over yet"),
        (("repos", "--from", "01.02.2026"), "does not match the format"),
        (("repos",), "missing option '--from'"),
        (("repo", *DAYS), 'did you mean "repos"'),
        (("trending", *DAYS), "trending"),
    ],
)
def test_what_cannot_be_done_is_told(stoma: Command, github: Slow, words: tuple[str, ...], told: str) -> None:
    result = stoma("backfill", *words)
    assert result.exit_code == 2, result.output
    assert told in result.stderr
    assert github.requests == []


def test_a_blocked_task_says_why(stoma: Command) -> None:
    result = stoma("backfill", "secret", *DAYS)
    assert result.exit_code == 1
    assert "NOT_SET_HERE is not set" in result.stderr


def test_another_process_is_waited_for(stoma: Command, home: Path, real: Store, github: Slow) -> None:
    github.delay, github.since = 0.4, 2
    with subprocess.Popen([*STOMA, "backfill", "repos", *DAYS], stdout=subprocess.DEVNULL) as first:
        until(lambda: bool(real.runs.running()))
        result = stoma("backfill", "repos", *DAYS)
    assert (first.returncode, result.exit_code) == (0, 0), result.output
    assert "another process works on it; waiting" in result.stderr
    assert [status for _, status, _ in windows(real)] == ["completed"] * 3
    assert repositories(real) == 253


def begun(store: Store) -> Run:
    """The window that is under way, behind its second page."""
    until(lambda: any(run.pages == 2 for run in store.runs.running()))
    return store.runs.running()[0]


def test_ctrl_c_says_how_to_go_on_and_the_same_command_does(
    stoma: Command, home: Path, real: Store, github: Slow
) -> None:
    github.delay, github.since = 0.5, 4
    command = [*STOMA, "backfill", "repos", *DAYS]
    with subprocess.Popen(command, stderr=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        run = begun(real)
        process.send_signal(signal.SIGINT)
        _, told = process.communicate(timeout=20)
    assert process.returncode == 130
    assert "backfill repos --from 2025-12-15 --to 2026-02-10" in told
    # No scheduler goes on with what somebody stopped.
    assert real.runs.get(run.id).status is TaskStatus.CANCELLED
    assert real.runs.open() == []
    github.delay, before = 0.0, len(github.requests)
    result = stoma("backfill", "repos", *DAYS)
    assert result.exit_code == 0, result.output
    assert windows(real) == [
        (DECEMBER, "completed", 250),
        (JANUARY, "completed", 1),
        (FEBRUARY, "completed", 2),
    ]
    assert pages(github, before) == ["1", "2", "3", "1", "1"]


def test_a_killed_one_goes_on_at_its_last_page(stoma: Command, real: Store, github: Slow) -> None:
    github.delay, github.since = 5.0, 4
    with subprocess.Popen([*STOMA, "backfill", "repos", *DAYS], stdout=subprocess.DEVNULL) as process:
        run = begun(real)
        process.kill()
    assert repositories(real) == 200
    github.delay, before = 0.0, len(github.requests)
    result = stoma("backfill", "repos", *DAYS, "--json")
    # With `retry: {count: 0}` the try that was killed was the last one: the command begins the run again, at that page.
    assert result.exit_code == 0, result.output
    assert json.loads(result.stdout)[0]["run"] == run.id
    assert windows(real) == [
        (DECEMBER, "completed", 250),
        (JANUARY, "completed", 1),
        (FEBRUARY, "completed", 2),
    ]
    assert pages(github, before) == ["1", "2", "3", "1", "1"]
    assert repositories(real) == 253


def ask_on_terminal(answer: bytes, *words: str) -> tuple[int, str]:
    """The exit code and output of the command on a terminal, where somebody answers its question."""
    own, theirs = pty.openpty()
    with subprocess.Popen(
        [*STOMA, "backfill", *words], stdin=theirs, stdout=theirs, stderr=theirs
    ) as process:
        os.close(theirs)
        output = b""
        is_answered = False
        while True:
            try:
                piece = os.read(own, 4096)
            except OSError:
                break
            output += piece
            if b"[y/N]" in output and not is_answered:
                os.write(own, answer)
                is_answered = True
    os.close(own)
    return process.returncode, output.decode()


def test_it_asks_on_a_terminal(home: Path, real: Store, github: Slow) -> None:
    code, output = ask_on_terminal(b"n\n", "repos", *DAYS)
    assert (code, len(github.requests)) == (1, 1), output
    assert real.runs.history() == []
    code, output = ask_on_terminal(b"y\n", "repos", *DAYS)
    assert code == 0, output
    assert repositories(real) == 253
    code, output = ask_on_terminal(b"", "repos", "--from", "2025-12-01", "--to", "2025-12-14", "--yes")
    assert (code, "[y/N]" in output) == (0, False), output


def test_papers_of_the_days_that_were_asked_for(tmp_path: Path) -> None:
    now = datetime.now(UTC)
    last = (now - timedelta(days=2)).date()
    first = last - timedelta(days=40)
    wanted = {paper.id for paper in invent(now) if first <= paper.published.date() <= last}
    with StandIn(now=now, per_second=10_000) as source:
        query = "cat:cs.* OR cat:stat.* OR cat:math.* OR cat:q-bio.* OR cat:physics.*"
        config = {"search_query": query, "max_results": 3, "base_url": source.url("arxiv")}
        tasks = {"papers": {"collector": "arxiv", "config": config}}
        (tmp_path / "stoma.yaml").write_text(json.dumps({"version": 1, "presets": [], "tasks": tasks}))
        result = CliRunner().invoke(main, ["backfill", "papers", "--from", str(first), "--to", str(last)])
        assert result.exit_code == 0, result.output
        with open_store("sqlite:///stoma.db", tmp_path) as store, store.database.transaction() as tx:
            found = {row["external_id"] for row in tx.all("record_newest", limit=10_000)}
    assert len(found) > 300
    assert found <= wanted
    assert f"{len(found):,} records" in result.stdout


def test_filings_of_the_days_that_were_asked_for(tmp_path: Path) -> None:
    edgar = Edgar()
    try:
        days = ("20251127", "20251128", "20251201", "20251202", "20251203")
        for number, day in enumerate(days, 1):
            edgar.put(day, master(row(number, filed=day)))
        (tmp_path / "stoma.yaml").write_text(
            "version: 1\npresets: []\nidentity: {contact: 'Jane Doe jane@example.org'}\ntasks:\n  filings:\n"
            f"    collector: sec_edgar\n    config: {{base_url: '{edgar.url}'}}\n"
        )
        words = ["backfill", "filings", "--from", "2025-11-28", "--to", "2025-12-02", "--json"]
        result = CliRunner().invoke(main, words)
    finally:
        edgar.server.close()
    assert result.exit_code == 0, result.output
    assert [run["new"] for run in json.loads(result.stdout)] == [1, 2]
    with open_store("sqlite:///stoma.db", tmp_path) as store, store.database.transaction() as tx:
        found = {row["external_id"] for row in tx.all("record_newest", limit=10_000)}
    assert found == {accession(number) for number in (2, 3, 4)}
