"""How things stand, in one answer."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

from stoma.scheduler.base import NewRun, Run, Task, TaskPriority, TaskStatus, hand_trigger
from stoma.scheduler.overview import status_overview, task_overview
from stoma.scheduler.remembered import Remembered
from stoma.scheduler.settings import Config
from stoma.stores import Store
from stoma.stores.hosts import Budgets
from stoma.stores.runs import End
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
    there = status_overview(Config(tmp_path, timezone="Asia/Kolkata"), store, store.now())
    local = until.astimezone(ZoneInfo("Asia/Kolkata"))
    assert (
        f"until {local:%H:%M:%S} IST ("
        in {run["task"]: run["waits_for"] for run in there["waiting_runs"]}["rates"]
    )
    clock.forward(minutes=6)
    assert set(waiting(store, tmp_path).values()) == {"waiting for a free place"}


class Papers:
    """One task, its runs made and ended by hand."""

    def __init__(self, store: Store, base: Path, clock: Clock) -> None:
        self.store, self.clock = store, clock
        self.config = Config(base, tasks={"papers": Task("papers", "P", "arxiv", {"search_query": "x"})})
        self.remembered = Remembered()

    def add(self) -> Run:
        self.clock.forward(minutes=1)
        return self.store.runs.add(NewRun("papers", hand_trigger(), TaskPriority.NORMAL, "0"), self.clock.now)

    def begin(self) -> Run:
        found = self.store.runs.claim("me", self.clock.now, self.clock.now + timedelta(minutes=1))
        assert found is not None
        return found

    def end(self, status: TaskStatus, error: str | None = None, wait: timedelta | None = None) -> None:
        """Begin the next run, and end it so."""
        until = None if wait is None else self.clock.now + wait
        self.store.runs.end(self.begin(), End(status, error=error, not_before=until), self.clock.now)

    @property
    def row(self) -> dict[str, Any]:
        """How it stands; whoever remembers says the same."""
        now = self.clock.now
        [row] = task_overview(self.config, self.store, now)
        assert task_overview(self.config, self.store, now, remembered=self.remembered) == [row]
        return row

    @property
    def fails(self) -> list[tuple[str, str | None, bool]]:
        failing = status_overview(self.config, self.store, self.clock.now)["failing"]
        return [(task["status"], task["reason"], task["again_at"] is not None) for task in failing]


def test_a_task_fails_also_while_its_next_run_waits_is_tried_or_is_given_up(
    store: Store, tmp_path: Path, clock: Clock
) -> None:
    papers = Papers(store, tmp_path, clock)
    assert papers.row["trouble"] is None
    papers.add()
    papers.end(TaskStatus.FAILED, "first")
    assert (papers.fails, papers.row["status"]) == ([("failed", "first", False)], "failed")
    run = papers.add()
    assert (papers.fails, papers.row["status"]) == ([("failed", "first", False)], "pending")
    papers.begin()
    assert (papers.fails, papers.row["status"]) == ([("failed", "first", False)], "running")
    store.runs.end(store.runs.get(run.id), End(TaskStatus.CANCELLED), clock.now)
    assert papers.fails == [("failed", "first", False)]
    papers.add()
    papers.end(TaskStatus.COMPLETED)
    assert (papers.fails, papers.row["trouble"]) == ([], None)
    papers.add()
    assert papers.fails == []
    papers.end(TaskStatus.SUSPECT, "little")
    assert papers.fails == [("suspect", "little", False)]


def test_a_run_that_waits_for_its_next_try_fails_and_says_when(
    store: Store, tmp_path: Path, clock: Clock
) -> None:
    papers = Papers(store, tmp_path, clock)
    papers.add()
    papers.end(TaskStatus.COMPLETED)
    papers.add()
    store.runs.end(
        papers.begin(),
        End(
            TaskStatus.PENDING,
            error="no answer",
            not_before=clock.now + timedelta(minutes=5),
            attempt_status="failed",
        ),
        clock.now,
    )
    assert papers.fails == [("failed", "no answer", True)]
    # A process that is gone, or a host that is busy, is no end of a try.
    clock.forward(minutes=6)
    store.runs.end(
        papers.begin(), End(TaskStatus.INTERRUPTED, error="gone", attempt_status="interrupted"), clock.now
    )
    assert papers.fails == [("failed", "no answer", False)]
    papers.end(TaskStatus.COMPLETED)
    assert papers.fails == []


def test_of_two_open_runs_the_one_under_way_is_told_and_the_other_waits_for_it(
    store: Store, tmp_path: Path, clock: Clock
) -> None:
    papers = Papers(store, tmp_path, clock)
    first, _ = papers.add(), papers.add()
    papers.begin()
    assert papers.row["status"] == "running"
    assert waiting(store, tmp_path) == {"papers": f"waits for run {first.id}"}
    store.runs.end(store.runs.get(first.id), End(TaskStatus.COMPLETED), clock.now)
    assert papers.row["status"] == "pending"
    assert waiting(store, tmp_path) == {"papers": "waiting for a free place"}
