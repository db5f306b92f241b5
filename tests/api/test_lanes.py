"""Probes are answered while everybody else waits."""

from __future__ import annotations

import threading
import time
from pathlib import Path

from stoma.api.lanes import THREADS
from stoma.api.server import Server
from stoma.scheduler.board import Board, Sight
from stoma.scheduler.config import load_config
from stoma.scheduler.manager import Scheduler
from tests.api.test_server import YAML, Client
from tests.support.waiting import until


def test_probes_and_what_a_page_looks_like_wait_for_nobody(tmp_path: Path) -> None:
    (tmp_path / "stoma.yaml").write_text(YAML)
    gate, waiting = threading.Event(), []

    class Frozen(Board):
        def look(self) -> Sight:
            waiting.append(1)
            gate.wait(10)
            return super().look()

    with Scheduler(load_config(tmp_path / "stoma.yaml")) as scheduler:
        scheduler.board = Frozen(lambda: scheduler.config, scheduler.store)
        server = Server(scheduler, "127.0.0.1", 0)
        server.start()
        client = Client(server.port)
        asking = [
            threading.Thread(target=client.ask, args=("GET", "/api/scheduler/status"))
            for _ in range(THREADS + 2)
        ]
        for thread in asking:
            thread.start()
        try:
            until(lambda: len(waiting) == THREADS)
            began = time.monotonic()
            for path in ("/health/live", "/health", "/static/style.css"):
                assert client.ask("GET", path)[0] == 200
            assert time.monotonic() - began < 3
        finally:
            gate.set()
            for thread in asking:
                thread.join()
            server.stop()
