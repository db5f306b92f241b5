"""docs/questions.md: each command and each address of the page answers."""

from __future__ import annotations

import shlex
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from click.testing import CliRunner

from stoma.api import data
from stoma.api.routes import ROUTES
from stoma.api.server import Server
from stoma.cli.main import main
from stoma.records import Record
from stoma.scheduler.config import load_config
from stoma.scheduler.manager import Scheduler
from tests.api.test_server import Client
from tests.stores.test_questions import put
from tests.support.pages import DOCS

PAGE = (DOCS / "questions.md").read_text(encoding="utf-8")
COMMANDS = [line.partition(" # ")[0].strip() for line in PAGE.splitlines() if line.startswith("stoma ")]
ADDRESSES = [shlex.split(line)[1] for line in PAGE.splitlines() if line.startswith("curl ")]


@pytest.fixture
def scheduler(tmp_path: Path) -> Iterator[Scheduler]:
    (tmp_path / "stoma.yaml").write_text("version: 1\npresets: []\n")
    scheduler = Scheduler(load_config(tmp_path / "stoma.yaml"))
    paper = Record("arxiv", "2605.00001", "paper", title="On stable sets")
    put(scheduler.store, paper, Record("github", "7", "repository", title="ada/stable"))
    put(scheduler.store, replace(paper, title="On all stable sets"))
    yield scheduler
    scheduler.store.close()


def test_there_are_examples() -> None:
    assert (len(COMMANDS), len(ADDRESSES)) == (6, 4)


@pytest.mark.parametrize("command", COMMANDS)
def test_each_command(scheduler: Scheduler, command: str) -> None:
    result = CliRunner().invoke(main, shlex.split(command)[1:])
    assert result.exit_code == 0, result.output
    assert "stable" in result.output


def test_each_address(scheduler: Scheduler) -> None:
    server = Server(scheduler, "127.0.0.1", 0)
    server.start()
    for address in ADDRESSES:
        status, body, _ = Client(server.port).ask("GET", address.removeprefix("http://127.0.0.1:8000"))
        assert status == 200, (address, body)
    server.stop()


def test_every_route_is_on_the_page() -> None:
    paths = [route.path for route in ROUTES if route.function.__module__ == data.__name__]
    assert len(paths) == 4
    for path in paths:
        assert f"`{path.replace('<source>', 'SOURCE').replace('<external_id:path>', 'ID')}`" in PAGE
