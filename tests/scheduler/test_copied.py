"""A scheduler on a copied store goes on where the other one stood: nothing twice, no due instant lost."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from datetime import timedelta
from pathlib import Path

import pytest

from stoma.errors import Unreachable
from stoma.scheduler.base import CatchUp, Retry, Run, Schedule, Task, TaskStatus
from stoma.scheduler.config import Config
from stoma.scheduler.manager import Scheduler
from stoma.stores import open_store
from stoma.stores.copying import copy
from tests.campaigns.crashes import Report, _check_instants
from tests.support import postgres
from tests.support.clock import Clock
from tests.support.scripted import Script, install
from tests.support.waiting import until

TASKS = {
    "t": Task(
        "t", "t", "scripted", config={"script": "s"}, schedule=(Schedule("hourly"),), catch_up=CatchUp("latest"),
        retry=Retry(count=2, first=timedelta(minutes=10), jitter=0),
    ),
    "often": Task("often", "often", "scripted", config={"script": "s"}, schedule=(Schedule("interval_20m"),)),
}  # fmt: skip


@pytest.fixture
def script(monkeypatch: pytest.MonkeyPatch) -> Script:
    return install(monkeypatch)


@pytest.fixture(params=["sqlite to postgres", "postgres to sqlite"])
def urls(request: pytest.FixtureRequest, postgres_server: postgres.Server) -> Iterator[tuple[str, str]]:
    with ExitStack() as stack:
        url = stack.enter_context(postgres_server.fresh_database())
        pair = ("sqlite:///stoma.db", url)
        yield pair if request.param.startswith("sqlite") else pair[::-1]


@contextmanager
def scheduling(url: str, clock: Clock) -> Iterator[Scheduler]:
    """A scheduler that works by the clock of the test."""
    made = Scheduler(
        Config(base=Path.cwd(), store_url=url, tasks=TASKS, check_interval=timedelta(milliseconds=50)),
        clock=clock,
    )
    with made:
        yield made


def test_it_goes_on_where_the_other_one_stood(
    urls: tuple[str, str], clock: Clock, script: Script, tmp_path: Path
) -> None:
    first_url, second_url = urls
    with scheduling(first_url, clock) as first:
        store = first.store
        clock.forward(hours=1)
        until(lambda: store.runs.last_of("t") and store.runs.last_of("t").status is TaskStatus.COMPLETED)
        until(lambda: store.runs.last_of("often").status is TaskStatus.COMPLETED)

        def fails(number: int, collection: object) -> None:
            if number == 1:
                raise Unreachable("the source went away")

        script.before_page = fails
        clock.forward(hours=1)
        until(
            lambda: all(run.status is TaskStatus.PENDING and run.attempt == 1 for run in last_of_each(first))
        )
        assert store.runs.progress("t", "live")["page"]["token"] == {"page": 1}
        stood = {task_id: store.runs.cursor(task_id) for task_id in TASKS}
    with open_store(first_url, tmp_path) as old, open_store(second_url, tmp_path) as new:
        copy(old.database, new.database)
    script.before_page = lambda number, collection: None
    script.asked.clear()
    clock.forward(hours=5, minutes=30)
    with scheduling(second_url, clock) as second:
        store = second.store
        assert {task_id: store.runs.cursor(task_id)["position"] for task_id in TASKS} == {
            task_id: row["position"] for task_id, row in stood.items()
        }
        until(
            lambda: (
                not store.runs.open()
                and {run.status for run in last_of_each(second)} == {TaskStatus.COMPLETED}
            )
        )
        # The pages that were committed are not asked for again.
        assert script.asked.count(0) < script.asked.count(1)
        assert store.records.count() == 30
        assert sum(run.new for run in store.runs.history(limit=100)) == 30
        for task in TASKS.values():
            row = store.agenda.accounted()[task.id]
            report = Report()
            runs = store.runs.history(task.id, limit=1000)
            _check_instants(store, task, runs, row["valid_since"], row["accounted_until"], report)
            assert row["accounted_until"] >= clock.now - timedelta(hours=1)
            assert len({run.id for run in runs}) == len({run.trigger for run in runs}) == len(runs)


def last_of_each(scheduler: Scheduler) -> list[Run]:
    return list(scheduler.store.runs.last_of_each(TASKS).values())
