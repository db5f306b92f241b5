"""A run and the hosts it asks: what its config names may lie in a private network, and what it asked is counted."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path

import pytest

from stoma.scheduler.base import NewRun, Run, Task, TaskStatus, hand_trigger
from stoma.scheduler.pipeline import Control, Surroundings, execute
from stoma.stores import Store
from tests.support.clock import Clock
from tests.support.scripted import Script, install
from tests.support.server import Reply, Server

LEASE = timedelta(seconds=30)


@pytest.fixture
def server() -> Iterator[Server]:
    with Server(lambda asked: Reply(body=b"here")) as started:
        yield started


@pytest.fixture
def script(monkeypatch: pytest.MonkeyPatch) -> Script:
    return install(monkeypatch)


@pytest.fixture
def go(store: Store, tmp_path: Path, script: Script) -> Callable[..., Run]:
    def go(url: str, **config: str) -> Run:
        """One run that asks `url` before its only page."""
        script.pages = 1
        script.before_page = lambda number, collection: collection.http.get(url, parse=lambda r: r)
        task = Task(
            id="t", name="T", collector="scripted", normalizer="scripted", config={"script": "s", **config}
        )
        store.runs.add(NewRun("t", hand_trigger(), task.priority, "0"), store.now())
        around = Surroundings(store, tmp_path, LEASE, "me")
        claimed = store.runs.claim("me", store.now(), store.now() + LEASE)
        assert claimed is not None
        ended = execute(claimed, task, around, Control())
        assert ended is not None
        return ended

    return go


def test_only_hosts_that_the_config_names_may_be_private(
    server: Server, script: Script, go: Callable[..., Run]
) -> None:
    inside = server.url.replace("127.0.0.1", "localhost")
    ended = go(inside)
    assert ended.status is TaskStatus.FAILED
    assert "is a private address, and the configuration does not name its host" in str(ended.error)
    assert server.requests == []
    assert go(inside, page=f"{inside}/feed").status is TaskStatus.COMPLETED
    # Where a collector asks without a config is named by its code.
    assert go(server.url).status is TaskStatus.COMPLETED


def test_what_a_run_asked_is_counted(
    server: Server, store: Store, go: Callable[..., Run], clock: Clock
) -> None:
    for _ in range(2):
        go(server.url)
    (row,) = [row for row in store.hosts.all(clock.now) if row["host"] == "127.0.0.1"]
    assert (row["asked"], row["failed"], row["last_asked_at"]) == (2, 0, clock.now)
