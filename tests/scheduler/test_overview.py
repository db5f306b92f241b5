"""How things stand, in one answer."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

from stoma.scheduler.base import NewRun, TaskPriority, hand_trigger
from stoma.scheduler.overview import status_overview
from stoma.scheduler.settings import Config
from stoma.stores import Store
from stoma.stores.hosts import Budgets
from tests.support.clock import Clock


def waiting(store: Store, base: Path) -> dict[str, str]:
    overview = status_overview(Config(base), store, store.now())
    return {run["task"]: run["waits_for"] for run in overview["waiting_runs"]}


def test_a_run_whose_host_wants_to_be_left_alone_says_so(store: Store, tmp_path: Path, clock: Clock) -> None:
    for task, host in (("papers", "export.arxiv.org"), ("rates", "api.example.org")):
        store.runs.add(NewRun(task, hand_trigger(), TaskPriority.NORMAL, "0", host=host), store.now())
    assert set(waiting(store, tmp_path).values()) == {"waiting for a free place"}
    until = store.now() + timedelta(minutes=5)
    budgets = Budgets(store.database, {}, "me", lambda seconds: None)
    budgets.cool("api.example.org", until, "it answered 429 Too Many Requests")
    assert waiting(store, tmp_path) == {
        "papers": "waiting for a free place",
        "rates": f"host busy: api.example.org until {until:%H:%M:%S} UTC (it answered 429 Too Many Requests)",
    }
    clock.forward(minutes=6)
    assert set(waiting(store, tmp_path).values()) == {"waiting for a free place"}
