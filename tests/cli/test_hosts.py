"""`stoma hosts`: budgets, what is left of them, and a cool-down that is ended by hand."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from stoma.cli.main import main
from stoma.hosts import ANSWERED, Allowance, HostRule, Outcome
from stoma.stores import Store, open_store
from stoma.stores.hosts import Budgets

Command = Callable[..., Result]
HOLD, PATIENCE = timedelta(seconds=60), timedelta(seconds=30)


@pytest.fixture
def home(tmp_path: Path, url: str) -> Path:
    (tmp_path / "stoma.yaml").write_text(
        f"""\
version: 1
timezone: Europe/Berlin
presets: []
store: {{url: "{url}"}}
hosts:
  api.github.com: {{rate: 2/s, concurrency: 3}}
tasks:
  papers: {{collector: arxiv, config: {{search_query: "cat:cs.LG"}}}}
  bulk: {{collector: arxiv, config: {{search_query: "cat:cs.AI"}}}}
  repos: {{collector: github, config: {{mode: search, query: "topic:x"}}}}
"""
    )
    return tmp_path


@pytest.fixture
def real(home: Path, url: str) -> Iterator[Store]:
    """The store that the commands use, on the real clock."""
    with open_store(url, home) as opened:
        yield opened


@pytest.fixture
def stoma(home: Path) -> Command:
    return lambda *words: CliRunner().invoke(main, ["hosts", *words])


def budgets(store: Store) -> Budgets:
    rules = {"api.github.com": HostRule(timedelta(seconds=0.5), 3)}
    return Budgets(store.database, rules, "me", lambda seconds: None)


def line(result: Result, host: str) -> str:
    assert result.exit_code == 0, result.output
    (found,) = [line for line in result.output.splitlines() if line.split()[:1] == [host]]
    return " ".join(found.split())


def test_hosts_that_were_never_asked_are_shown_with_their_rule(stoma: Command, real: Store) -> None:
    result = stoma()
    assert line(result, "export.arxiv.org") == (
        "export.arxiv.org gap 3s, concurrency 1 (built-in) 0 of 1 – 0 – 0 0 now"
    )
    assert "rate 2/s, concurrency 3 (stoma.yaml) 0 of 3" in line(result, "api.github.com")
    (told,) = json.loads(stoma("rss.arxiv.org", "--json").output)
    assert told["host"] == "export.arxiv.org"
    assert (told["tasks"], told["also"]) == (["papers", "bulk"], ["oaipmh.arxiv.org", "rss.arxiv.org"])
    assert (told["asked"], told["unmodified_share"], told["next_at"], told["last_asked_at"]) == (
        0,
        None,
        None,
        None,
    )


def test_what_became_of_requests_and_what_is_left(stoma: Command, real: Store) -> None:
    mine, now = budgets(real), real.now()
    told = Allowance(7, 60, now + timedelta(minutes=30))
    for outcome in (
        ANSWERED,
        Outcome(is_unmodified=True),
        Outcome(is_failed=True),
        Outcome(is_busy=True, told=told),
    ):
        mine.leave(mine.enter("api.github.com", HOLD, PATIENCE), outcome)
    mine.enter("api.github.com", HOLD, PATIENCE)
    found = line(stoma(), "api.github.com")
    assert "1 of 3 7 of 60 until" in found
    assert "5 20% 1 1" in found
    (as_json,) = json.loads(stoma("api.github.com", "--json").output)
    assert {name: as_json[name] for name in ("asked", "unmodified_share", "busy", "failed", "remaining", "limit")} == {
        "asked": 5, "unmodified_share": 0.2, "busy": 1, "failed": 1, "remaining": 7, "limit": 60,
    }  # fmt: skip
    assert as_json["waits_for"] == "turn"
    # Four turns of half a second lie behind the first.
    assert as_json["next_at"] > now.isoformat()


def test_what_was_told_for_a_time_that_is_over_is_not_left(stoma: Command, real: Store) -> None:
    mine = budgets(real)
    over = Outcome(told=Allowance(0, 60, real.now() - timedelta(seconds=1)))
    mine.leave(mine.enter("api.github.com", HOLD, PATIENCE), over)
    assert json.loads(stoma("api.github.com", "--json").output)[0]["remaining"] is None


def test_a_host_that_is_full_says_so(stoma: Command, real: Store) -> None:
    rules = {"api.github.com": HostRule(timedelta(0), 3)}
    mine = Budgets(real.database, rules, "me", lambda seconds: None)
    for _ in range(3):
        mine.enter("api.github.com", HOLD, PATIENCE)
    assert line(stoma(), "api.github.com").endswith("when a connection is free")


def test_a_cool_down_with_its_reason_until_it_is_ended_by_hand(stoma: Command, real: Store) -> None:
    until = real.now() + timedelta(minutes=90)
    budgets(real).cool("rss.arxiv.org", until, "it answered 429 Too Many Requests")
    found = line(stoma(), "export.arxiv.org")
    # By the clock of the zone, and in how long.
    assert " CET (in 1h" in found or " CEST (in 1h" in found
    assert found.endswith("cooling down: it answered 429 Too Many Requests")
    (as_json,) = json.loads(stoma("export.arxiv.org", "--json").output)
    assert (as_json["waits_for"], as_json["reason"]) == ("cool-down", "it answered 429 Too Many Requests")

    result = stoma("rss.arxiv.org", "--reset")
    assert result.exit_code == 0
    assert result.output.startswith("export.arxiv.org may be asked again: it was to be left alone until")
    assert "(it answered 429 Too Many Requests)" in result.output
    assert line(stoma(), "export.arxiv.org").endswith("now")
    again = stoma("export.arxiv.org", "--reset")
    assert (again.exit_code, again.output) == (
        0,
        "export.arxiv.org is not cooling down: nothing was changed\n",
    )
    told = json.loads(stoma("api.github.com", "--reset", "--json").output)
    assert told == {"host": "api.github.com", "was_cooling_until": None, "reason": None, "runs": 0}


@pytest.mark.parametrize("words", [("api.githb.com",), ("api.githb.com", "--reset")])
def test_a_host_that_nobody_knows(stoma: Command, real: Store, words: tuple[str, ...]) -> None:
    result = stoma(*words)
    assert result.exit_code == 2
    assert 'nothing is known of a host "api.githb.com"; did you mean "api.github.com"?' in result.output


def test_a_reset_of_nothing(stoma: Command, real: Store) -> None:
    result = stoma("--reset")
    assert result.exit_code == 2
    assert "--reset needs the host" in result.output
    assert real.hosts.all(real.now()) == []
