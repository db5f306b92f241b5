"""What probes are told: live, ready, and all in one look."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import psutil
import pytest
from psycopg import OperationalError

from stoma.api import health
from stoma.api.server import Server
from stoma.scheduler import manager
from stoma.scheduler.config import load_config
from stoma.scheduler.manager import Scheduler
from stoma.stores import aside
from stoma.stores.schema import Migration, migrations
from tests.api.test_server import YAML, Client
from tests.support import postgres
from tests.support.waiting import until

WELL = {"status": "well", "live": True, "ready": True, "reasons": []}


@pytest.fixture
def scheduler(tmp_path: Path) -> Iterator[Scheduler]:
    (tmp_path / "stoma.yaml").write_text(YAML)
    with Scheduler(load_config(tmp_path / "stoma.yaml")) as scheduler:
        yield scheduler


@pytest.fixture
def client(scheduler: Scheduler) -> Iterator[Client]:
    server = Server(scheduler, "127.0.0.1", 0)
    server.start()
    yield Client(server.port)
    server.stop()


def test_well(client: Client) -> None:
    assert client.ask("GET", "/health")[:2] == (200, WELL)
    assert client.ask("GET", "/health/live")[:2] == (200, {"live": True})
    assert client.ask("GET", "/health/ready")[:2] == (200, {"ready": True})


def test_a_broken_edit_is_ready_but_told(client: Client, scheduler: Scheduler, tmp_path: Path) -> None:
    (tmp_path / "stoma.yaml").write_text(YAML.replace("schedule: daily\n", "shedule: daily\n"))
    scheduler.rescan()
    told = ["a file is broken; what was in force before the edit goes on"]
    assert client.ask("GET", "/health/ready")[:2] == (200, {"ready": True, "degraded": told})
    status, body, _ = client.ask("GET", "/health")
    assert (status, body["status"], body["reasons"]) == (200, "degraded", told)
    (tmp_path / "stoma.yaml").write_text(YAML)
    scheduler.rescan()
    assert client.ask("GET", "/health")[:2] == (200, WELL)


def test_a_store_that_is_away_is_live_but_not_ready_and_its_place_is_not_told(
    client: Client, scheduler: Scheduler, tmp_path: Path
) -> None:
    scheduler.store.database.close()
    assert client.ask("GET", "/health/live")[0] == 200
    for path in ("/health", "/health/ready"):
        status, body, _ = client.ask("GET", path)
        assert (status, body["ready"]) == (503, False)
        assert "the store does not answer" in str(body)
        assert str(tmp_path) not in str(body)


def test_a_frozen_database_holds_up_no_probe_and_no_scrape(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(aside, "PATIENCE_SECONDS", 0.5)
    database = postgres.start(postgres.binaries())
    with suppress(OperationalError), database.fresh_database() as url:
        (tmp_path / "stoma.yaml").write_text(YAML + f"store: {{url: '{url}'}}\n")
        scheduler = Scheduler(load_config(tmp_path / "stoma.yaml"))
        scheduler.start()
        server = Server(scheduler, "127.0.0.1", 0)
        server.start()
        client = Client(server.port)
        assert client.ask("GET", "/health")[:2] == (200, WELL)
        main = psutil.Process(database.process.pid)
        frozen = [main, *main.children(recursive=True)]
        for process in frozen:
            process.suspend()
        try:
            began = time.monotonic()
            # More than there are threads to answer.
            for _ in range(6):
                assert client.ask("GET", "/health/ready")[0] == 503
                assert "stoma_store_up 0.0" in client.ask("GET", "/metrics")[1]
            assert client.ask("GET", "/health/live")[0] == 200
            assert time.monotonic() - began < 5
        finally:
            for process in frozen:
                process.resume()
        until(lambda: client.ask("GET", "/health/ready")[0] == 200)
        server.stop()
        scheduler.stop()
    database.stop()


def test_tables_of_before_are_not_ready(
    client: Client, scheduler: Scheduler, monkeypatch: pytest.MonkeyPatch
) -> None:
    newer = [*migrations("sqlite"), Migration(9999, "newer", "", "0.0.0")]
    known = health.is_migrated
    monkeypatch.setattr(health, "is_migrated", lambda database: known(database, newer))
    status, body, _ = client.ask("GET", "/health/ready")
    assert (status, body["reason"]) == (503, "the tables of the store are older than this program")


def test_a_loop_that_stands_still_is_neither(
    client: Client, scheduler: Scheduler, monkeypatch: pytest.MonkeyPatch
) -> None:
    stands, gate = threading.Event(), threading.Event()

    def stand() -> None:
        stands.set()
        gate.wait(20)

    monkeypatch.setattr(scheduler, "turn", stand)
    scheduler._wake.set()
    assert stands.wait(10)
    try:
        monkeypatch.setattr(manager, "monotonic", lambda: time.monotonic() + 31)
        assert client.ask("GET", "/health/live")[:2] == (503, {"live": False})
        status, body, _ = client.ask("GET", "/health")
        assert (status, body["status"], body["live"], body["ready"]) == (503, "failing", False, False)
    finally:
        gate.set()


def test_a_disk_without_room_is_told(
    client: Client, scheduler: Scheduler, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("stoma.scheduler.parts.NO_ROOM", 2**60)
    status, body, _ = client.ask("GET", "/health")
    assert (status, body["status"], body["reasons"]) == (200, "degraded", ["the disk is full"])
