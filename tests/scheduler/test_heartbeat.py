"""What a scheduler tells about itself with each beat."""

from __future__ import annotations

from pathlib import Path
from time import monotonic

import pytest

from stoma.cli.status import show_status
from stoma.scheduler import heartbeat
from stoma.scheduler.base import Schedule, Task
from stoma.scheduler.config import Config
from stoma.scheduler.manager import Scheduler
from stoma.scheduler.overview import status_overview
from tests.support.scripted import install
from tests.support.waiting import state_file


def test_the_state_file_and_the_status_carry_what_the_process_uses(
    url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    install(monkeypatch)
    task = Task("t", "t", "scripted", config={"script": "s"}, schedule=(Schedule("weekly"),))
    with Scheduler(Config(base=tmp_path, store_url=url, tasks={"t": task})) as scheduler:
        usage = state_file(tmp_path)["usage"]
        assert set(usage) == {"memory_bytes", "cpu_percent", "threads"}
        assert usage["memory_bytes"] > 10_000_000
        assert usage["threads"] >= 1

        now = scheduler.store.now()
        overview = status_overview(scheduler.config, scheduler.store, now) | {"full_disk": None}
        [node] = overview["nodes"]
        assert node["usage"]["memory_bytes"] > 10_000_000
        # Its own key: `threads` beside it is how many runs may go on at once.
        assert node["threads"] == scheduler.config.max_concurrent_tasks

        node["usage"] = {"memory_bytes": 61_600_000, "cpu_percent": 0.4, "threads": 9}
        show_status(overview, "UTC")
        assert "  uses 62 MB of memory, 0.4 % of a core, 9 threads\n" in capsys.readouterr().out
        node["usage"]["cpu_percent"] = 0.0
        show_status(overview, "UTC")
        assert ", 0 % of a core, " in capsys.readouterr().out
        # Just started, and a node of a version that does not tell.
        node["usage"] = {"memory_bytes": 61_600_000, "cpu_percent": None, "threads": None}
        show_status(overview, "UTC")
        assert "  uses 62 MB of memory\n" in capsys.readouterr().out
        del node["usage"]
        show_status(overview, "UTC")
        assert "uses" not in capsys.readouterr().out


def test_the_state_file_is_written_aside_and_politely(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    install(monkeypatch)
    tasks = {f"t{n}": Task(f"t{n}", "t", "scripted", config={"script": "s"}) for n in range(500)}
    monkeypatch.setattr(heartbeat, "PAUSE_SECONDS", 0.2)
    with Scheduler(Config(base=tmp_path, tasks=tasks)) as scheduler:
        began = monotonic()
        scheduler.beat()
        assert monotonic() - began < 0.15
        # Leaving hurries it, and has the last word.
    assert monotonic() - began < 1.5
    state = state_file(tmp_path)
    assert (state["running"], len(state["tasks"])) == (False, 500)
    assert not list(tmp_path.glob(".scheduler_state*"))
