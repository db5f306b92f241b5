"""What is wrong and not over yet, over HTTP."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from stoma.api.server import Server
from stoma.scheduler.base import TaskStatus
from stoma.scheduler.config import load_config
from stoma.scheduler.manager import Scheduler
from stoma.scheduler.parts import hand_run
from stoma.stores.runs import End
from tests.support.api_client import Client
from tests.support.clock import Clock
from tests.support.stores import clock as clock

YAML = """\
version: 1
presets: []
tasks: {one: {collector: arxiv, config: {search_query: all}}}
"""


@pytest.fixture
def scheduler(tmp_path: Path, clock: Clock) -> Iterator[Scheduler]:
    (tmp_path / "stoma.yaml").write_text(YAML)
    scheduler = Scheduler(load_config(tmp_path / "stoma.yaml"), clock=clock)
    yield scheduler
    scheduler.store.close()


@pytest.fixture
def client(scheduler: Scheduler) -> Iterator[Client]:
    server = Server(scheduler, "127.0.0.1", 0)
    server.start()
    yield Client(server.port)
    server.stop()


def test_what_is_wrong_is_told_also_where_nobody_is(scheduler: Scheduler, client: Client) -> None:
    assert client.ask("GET", "/api/alerts") == (200, {"alerts": []})
    store, now = scheduler.store, scheduler.store.now()
    store.runs.add(hand_run(scheduler.config.tasks["one"]), now)
    run = store.runs.claim("me", now, now.replace(hour=13))
    assert run is not None
    store.runs.end(run, End(TaskStatus.SUSPECT, reason="saw 0 records"), now)
    status, body = client.ask("GET", "/api/alerts")
    assert status == 200
    [alert] = body["alerts"]
    assert (alert["about"], alert["kind"], alert["task"], alert["bad_runs"]) == (
        "task one",
        "suspect",
        "one",
        1,
    )
    assert alert["detail"] == f"Run {run.id}: saw 0 records"
