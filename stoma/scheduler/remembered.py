"""What is known of a task and still holds: the hash of its schedule, its next instant, its last run.

Whoever looks at all tasks again and again, as the board does, need not reckon anew what no edit has touched.
"""

from __future__ import annotations

from collections.abc import Container, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from stoma.scheduler.base import Run, Task
from stoma.scheduler.config import schedule_hash
from stoma.scheduler.outlook import next_run
from stoma.stores.runs import Runs

HOLDS = timedelta(hours=1)
"""How long it holds that no instant is in sight: the search for one ends somewhere, and goes further later."""


@dataclass(slots=True)
class _Known:
    # An edited task is another object, one that was left alone is the same.
    task: Task
    hash: str
    # The first instant behind `after` is `due`; `after` is None before anybody asked.
    after: datetime | None = None
    due: datetime | None = None


class Remembered:
    """Answers as `schedule_hash` and `next_run` do. For one thread at a time."""

    def __init__(self) -> None:
        self._known: dict[str, _Known] = {}
        self._last: dict[str, Run] = {}

    def schedule_hash(self, task: Task) -> str:
        """The hash of the schedule of a task."""
        return self._of(task).hash

    def next_run(self, task: Task, after: datetime) -> datetime | None:
        """The first instant later than `after` that is not known to be skipped."""
        known = self._of(task)
        if known.after is not None and known.after <= after < (known.due or known.after + HOLDS):
            return known.due
        known.after, known.due = after, next_run(task, after)
        return known.due

    def last_runs(self, runs: Runs, task_ids: Sequence[str]) -> dict[str, Run]:
        """As `Runs.last_of_each`; how many pages a run has is not brought up to date."""
        marks = runs.last_marks(task_ids)
        stale = [task_id for task_id, mark in marks.items() if self._mark(task_id) != mark]
        if stale:
            self._last |= runs.last_of_each(stale)
        return {task_id: self._last[task_id] for task_id in marks if task_id in self._last}

    def keep_only(self, tasks: Container[str]) -> None:
        """Forget all other tasks."""
        for kept in (self._known, self._last):
            for task_id in [task_id for task_id in kept if task_id not in tasks]:
                kept.pop(task_id)

    def _mark(self, task_id: str) -> tuple[int, int] | None:
        last = self._last.get(task_id)
        return (last.id, last.fence) if last else None

    def _of(self, task: Task) -> _Known:
        known = self._known.get(task.id)
        if known is None or known.task is not task:
            known = self._known[task.id] = _Known(task, schedule_hash(task))
        return known
