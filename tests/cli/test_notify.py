"""`stoma notify`: who can be told, what waits, and a message to try an address."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from stoma.cli.main import main
from stoma.cli.run import main as stoma_run
from stoma.notify import services
from stoma.notify.sending import Sender
from stoma.scheduler.config import load_config
from stoma.stores import open_store
from stoma.stores.outbox import Letter, put
from tests.support.server import Reply, Server

Command = Callable[..., Result]
OPS = "${env:STOMA_TEST_OPS_URL}"


@pytest.fixture
def home(tmp_path: Path) -> Path:
    (tmp_path / "stoma.yaml").write_text(
        "version: 1\npresets: []\n"
        'notify: {targets: {ops: "${env:STOMA_TEST_OPS_URL}", team: "${file:chat}"}}\n'
        "tasks: {a: {collector: github, config: {mode: search, query: x}}}\n"
    )
    return tmp_path


@pytest.fixture
def stoma(home: Path) -> Command:
    return lambda *words: CliRunner().invoke(main, ["notify", *words])


def test_a_message_is_really_sent(stoma: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    with Server(lambda asked: Reply()) as server:
        monkeypatch.setenv("STOMA_TEST_OPS_URL", f"json://127.0.0.1:{server.port}/hidden-path-1")
        result = stoma("test", "ops")
        assert (result.exit_code, result.output) == (0, f"ops {OPS}: sent\n")
        [asked] = server.requests
        assert json.loads(asked.body)["title"] == "Stoma: a test"


def test_what_is_refused_is_told_without_the_secret(stoma: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    with Server(lambda asked: Reply(403)) as server:
        monkeypatch.setenv("STOMA_TEST_OPS_URL", f"json://127.0.0.1:{server.port}/hidden-path-2")
        result = stoma("test", "ops")
        assert result.exit_code == 1
        assert f"ops {OPS}: not sent: " in result.output
        assert "403" in result.output
        assert "hidden-path" not in result.output
        told = json.loads(stoma("test", "ops", "--json").stdout)
        assert [(one["target"], one["sent"]) for one in told] == [("ops", False)]


@pytest.mark.parametrize(
    ("words", "code", "told"),
    [
        (("test", "opps"), 2, 'there is no target "opps"; did you mean "ops"?'),
        (("test", "ops"), 1, "the environment variable STOMA_TEST_OPS_URL is not set"),
        (("test", "team"), 1, "${file:chat} cannot be read"),
        (("test",), 2, "issing argument 'TARGET'"),
    ],
)
def test_what_cannot_be_tried(stoma: Command, words: tuple[str, ...], code: int, told: str) -> None:
    result = stoma(*words)
    assert result.exit_code == code
    assert told in result.output
    assert "Traceback" not in result.output


def test_without_apprise_it_says_how_to_get_it(stoma: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(services, "is_installed", lambda: False)
    result = stoma("test", "ops")
    assert result.exit_code == 2
    assert "pip install 'stoma-scheduler[notify]'" in result.output


def test_the_list_tells_what_waits_and_why(
    home: Path, stoma: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert "blocked: the environment variable STOMA_TEST_OPS_URL is not set" in " ".join(
        stoma("list").output.split()
    )
    with Server(lambda asked: Reply(500)) as server, open_store("sqlite:///stoma.db", home) as store:
        monkeypatch.setenv("STOMA_TEST_OPS_URL", f"json://127.0.0.1:{server.port}/")
        letter = Letter("task a", "opened", "failing", "ops", OPS, "t", "b")
        with store.database.transaction() as tx:
            put(tx, [letter], store.now())
        config = load_config(home / "stoma.yaml")
        Sender(store, lambda: config).round()
        with store.database.transaction() as tx:
            put(tx, [replace(letter, target="old")], store.now())
        told = {one["target"]: one for one in json.loads(stoma("list", "--json").stdout)["targets"]}
        assert told["ops"]["state"].startswith("failing after 1 try: ")
        assert (told["ops"]["waiting"], told["ops"]["sent"]) == (1, 0)
        assert told["old"]["state"] == "blocked: it is declared no more"
        server.handler = lambda asked: Reply()
        store.outbox.sent(
            store.outbox.claim("ops", OPS, "me", store.now().replace(year=2099), store.now(), 9),
            store.now(),
        )
        told = {one["target"]: one for one in json.loads(stoma("list", "--json").stdout)["targets"]}
        assert (told["ops"]["state"], told["ops"]["sent"], told["ops"]["waiting"]) == ("ready", 1, 0)
        assert told["ops"]["last_sent_at"]


def test_nobody_to_tell(tmp_path: Path, stoma: Command) -> None:
    (tmp_path / "stoma.yaml").write_text("version: 1\npresets: []\n")
    result = stoma("list")
    assert result.exit_code == 0
    assert "declare targets under notify.targets" in result.output


def test_check_warns_of_an_unset_reference_and_ends_well(home: Path) -> None:
    result = CliRunner().invoke(stoma_run, ["--check"])
    assert result.exit_code == 0
    assert (
        "warning: alerts to ops wait: the environment variable STOMA_TEST_OPS_URL is not set" in result.output
    )
    told = json.loads(CliRunner().invoke(stoma_run, ["--check", "--json"]).stdout)
    assert [one["message"].partition(":")[0] for one in told["warnings"]] == [
        "alerts to ops wait",
        "alerts to team wait",
    ]
