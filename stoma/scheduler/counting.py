"""What is counted of a run for those who watch: how late it began, how its tries ended, what its pages brought."""

from __future__ import annotations

from collections.abc import Mapping

from stoma import metrics
from stoma.scheduler.base import Run


def count_start(run: Run) -> None:
    """Note how late a run begins that a schedule made, at its first try."""
    if run.fence == 1 and run.scheduled_for is not None and run.started_at is not None:
        late = (run.started_at - run.scheduled_for).total_seconds()
        metrics.LATENESS.observe(max(0.0, late), run.priority)


def count_end(run: Run | None) -> None:
    """Count what became of a run with an attempt of it; None: another process has it by now."""
    if run is not None:
        metrics.ATTEMPTS.add(run.status)
        if run.status.is_final:
            metrics.RUNS.add(run.task_id, run.status)


def count_page(task_id: str, outcome: Mapping[str, int]) -> None:
    """Count the records of a page that was committed, by what became of them."""
    for name, count in outcome.items():
        if count:
            metrics.RECORDS.add(task_id, name, by=count)
