"""What a run holds in memory does not grow with what it brings."""

from __future__ import annotations

import tracemalloc
from datetime import timedelta
from pathlib import Path

import pytest

from stoma.scheduler.base import NewRun, Task, TaskStatus, hand_trigger
from stoma.scheduler.pipeline import Control, Surroundings, execute
from stoma.stores import Store
from tests.support.scripted import install

LEASE = timedelta(seconds=30)


def test_memory_stays_flat_however_many_pages_come(
    store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    script = install(monkeypatch)
    script.per_page = 200
    around = Surroundings(store, tmp_path, LEASE, "me")

    def most(task_id: str, pages: int) -> int:
        """Bytes that a run of so many pages holds at most."""
        script.pages = pages
        task = Task(task_id, task_id, "scripted", config={"script": "s"})
        store.runs.add(NewRun(task.id, hand_trigger(), task.priority, "0"), store.now())
        run = store.runs.claim("me", store.now(), store.now() + LEASE)
        assert run is not None
        tracemalloc.start()
        try:
            ended = execute(run, task, around, Control())
            assert ended is not None
            assert (ended.status, ended.seen) == (TaskStatus.COMPLETED, 200 * pages)
            return tracemalloc.get_traced_memory()[1]
        finally:
            tracemalloc.stop()

    most("warm", 2)
    few = most("few", 3)
    assert most("many", 15) < few + (100 << 10)
