"""The examples of docs/api.md, each asked of a real server."""

from __future__ import annotations

import json
import re
import shlex
from pathlib import Path

import pytest

from stoma.api.server import Server
from stoma.records import Record, sealed
from stoma.scheduler.config import load_config
from stoma.scheduler.manager import Scheduler
from stoma.scheduler.parts import task_named
from stoma.stores.records import Prepared, save
from tests.support.api_client import Client
from tests.support.waiting import until

PAGE = (Path(__file__).parents[1] / "docs" / "api.md").read_text()
YAML = """\
version: 1
presets: []
tasks:
  papers: {collector: arxiv, config: {search_query: x, base_url: "http://127.0.0.1:1"}, schedule: daily}
"""
PRESET = """\
tasks:
  quiet: {collector: arxiv, config: {search_query: x, base_url: "http://127.0.0.1:1"}}
"""


def examples() -> list[list[str]]:
    """The words of each command."""
    blocks = re.findall(r"```sh\n(.*?)```", PAGE, re.DOTALL)
    return [
        shlex.split(text)
        for block in blocks
        for text in re.split(r"\n(?=curl )", block.replace("\\\n", " ").strip())
    ]


def test_each_example_is_answered(tmp_path: Path) -> None:
    (tmp_path / "stoma.yaml").write_text(YAML)
    # In place of the shipped one, which would ask others when it is due.
    (tmp_path / "presets").mkdir()
    (tmp_path / "presets" / "research.yaml").write_text(PRESET)
    with Scheduler(load_config(tmp_path / "stoma.yaml")) as scheduler:
        scheduler.pause()
        scheduler.queue(task_named(scheduler.config, "papers"))
        record = sealed(Record("papers", "1", "entry", title="An item"))
        with scheduler.store.database.transaction() as tx:
            save(tx, Prepared.of([record]), "papers", 1, scheduler.store.now())
        server = Server(scheduler, "127.0.0.1", 0)
        server.start()
        client = Client(server.port)
        for words in examples():
            method, address, body, headers = asked(words)
            path = address.removeprefix("http://127.0.0.1:8000")
            status, answer = client.ask(method, path, body, headers)
            assert status in (200, 201, 202), (words, answer)
        # What the page says of errors is what is said.
        status, answer = client.ask("GET", "/api/scheduler/tasks/paper")
        assert status == 404
        told = re.search(r"```json\n(.*?)\n```", PAGE)
        assert told
        assert answer == json.loads(told[1])
        until(lambda: "quiet" in scheduler.config.tasks)
        server.stop()


def asked(words: list[str]) -> tuple[str, str, bytes | None, dict[str, str]]:
    """Method, address, body and headers of a call of curl."""
    assert words.pop(0) == "curl"
    method, address, body, headers = "GET", "", None, {}
    while words:
        word = words.pop(0)
        if word == "-X":
            method = words.pop(0)
        elif word == "-H":
            name, _, value = words.pop(0).partition(": ")
            headers[name] = value
        elif word == "-d":
            body = words.pop(0).encode()
        else:
            address = word
    return method, address, body, headers


@pytest.mark.parametrize("path", ["/api/docs", "/api/openapi.json"])
def test_the_reference_is_named(path: str) -> None:
    assert path in PAGE
