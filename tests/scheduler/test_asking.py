"""What is to come of many tasks: the next first, and no more reckoned than is told."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime
from pathlib import Path

import pytest

from stoma.scheduler import asking
from stoma.scheduler.base import Schedule, Task
from stoma.scheduler.config import Config
from stoma.scheduler.outlook import Coming, coming
from stoma.stores import open_store
from tests.support.clock import Clock


def test_of_many_tasks_only_what_is_told_is_reckoned(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    often = Task("0", "Often", "arxiv", schedule=(Schedule("interval_5m"), Schedule("daily_at_13:00")))
    tasks = {str(number): replace(often, id=str(number)) for number in range(30)}
    # Due at the very same instants: told in the order of the files.
    tasks |= {
        f"day{number}": replace(often, id=f"day{number}", schedule=(Schedule("hourly"),)) for number in (2, 1)
    }
    reckoned: list[Coming] = []

    def counted(task: Task, after: datetime, until: datetime) -> Iterator[Coming]:
        for one in coming(task, after, until):
            reckoned.append(one)
            yield one

    monkeypatch.setattr(asking, "coming", counted)
    config = Config(base=tmp_path, tasks=tasks)
    with open_store("sqlite:///stoma.db", tmp_path, clock=Clock()) as store:
        told = asking.to_come(config, store, days=3660, limit=100)
        assert len(reckoned) <= 100 + len(tasks) + 1
        every = [one for task in tasks.values() for one in coming(task, told.now, told.now.replace(hour=23))]
        assert list(told.instants) == sorted(every, key=lambda one: one.at)[:100]
        few = asking.to_come(config, store)
        assert len(few.instants) == asking.OF_ALL
        assert max(sum(one.task_id == name for one in few.instants) for name in tasks) <= asking.OF_EACH
