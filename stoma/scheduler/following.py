"""What follows from the end of a run: decided in the transaction that ends it, so that no end is ever missed."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime

from stoma.log import logger
from stoma.notify.alerting import Alerting
from stoma.scheduler.agenda import MOST_OPEN, Refusal
from stoma.scheduler.base import Run, SkipReason, Task, after_trigger
from stoma.scheduler.config import Config
from stoma.scheduler.dependencies import ACCEPTED, accepts, missing
from stoma.scheduler.judging import judge
from stoma.scheduler.parts import new_run
from stoma.stores.agenda import switches_of
from stoma.stores.base import Transaction
from stoma.stores.runs import insert, open_of

LASTING = frozenset({SkipReason.DISABLED, SkipReason.PAUSED, SkipReason.BLOCKED})
"""Reasons that are the same for each end of an upstream run."""


def consequences(config: Callable[[], Config]) -> Callable[[Transaction, Run, datetime], None]:
    """All that follows from the end of a run, for the store's `runs.on_final`: other runs, and who is told."""
    following, alerting = Following(config), Alerting(config)

    def each(tx: Transaction, run: Run, now: datetime) -> None:
        following(tx, run, now)
        alerting(tx, run, now)

    return each


class Following:
    """Starts the tasks that wait for others."""

    def __init__(self, config: Callable[[], Config]) -> None:
        self._config = config

    def __call__(self, tx: Transaction, run: Run, now: datetime) -> None:
        """Note the end of a run with all tasks that wait for it, and queue those that have everything now."""
        config = self._config()
        # In the order of their ids: two that end at the same moment take the same locks in the same order.
        for task_id in config.followers.get(run.task_id, ()) if run.scope == "live" else ():
            task = config.tasks[task_id]
            if not any(d.task == run.task_id and accepts(d, run.status) for d in task.after):
                continue
            # Two upstream runs that end at the same moment do not see each other: one after the other.
            tx.lock(f"after {task_id}")
            tx.execute(
                "upstream_ended",
                task_id=task_id,
                upstream=run.task_id,
                run_id=run.id,
                status=str(run.status),
                now=now,
            )
            # What is waited for may have been edited since the others ended.
            wanted = {(d.task, status) for d in task.after for status in ACCEPTED[d.status]}
            rows = tx.all("upstream_ends_of", task_id=task_id)
            ended = {row["upstream"] for row in rows if (row["upstream"], row["status"]) in wanted}
            if not missing(task, ended):
                self._start(tx, config, task, run, now)

    def _start(self, tx: Transaction, config: Config, task: Task, run: Run, now: datetime) -> None:
        upstream = {
            "task": run.task_id,
            "status": str(run.status),
            "seen": run.seen,
            "new": run.new,
            "changed": run.changed,
        }
        refusal = judge(task, config, switches_of(tx, task.id), tx, now, upstream)(now)
        if refusal is None and len(open_of(tx, task.id)) >= MOST_OPEN[task.overlap]:
            refusal = Refusal(SkipReason.OVERLAP, "the run before was not over")
        if refusal is None:
            reason = f"follows run {run.id} of {run.task_id}"
            trigger = after_trigger(run.id)
            if insert(tx, new_run(task, trigger, reason=reason), now) is None:
                # The same run has ended once more, after it was begun again by hand.
                insert(tx, new_run(task, f"{trigger}/{run.fence}", reason=reason), now)
            return
        tx.execute("upstream_forget", task_id=task.id)
        _skip(tx, task, run, refusal, now)


def _skip(tx: Transaction, task: Task, run: Run, refusal: Refusal, now: datetime) -> None:
    """Keep why nothing followed; what lasts, such as being switched off, is one row."""
    lasts = refusal.reason in LASTING
    cause = f"after {run.task_id}" if lasts else f"after run {run.id} of {run.task_id}"
    values = {
        "last": now,
        "count": 1,
        "reason": str(refusal.reason),
        "detail": f"{cause}: {refusal.detail}" if refusal.detail else cause,
    }
    before = tx.one("skip_last", task_id=task.id) if lasts else None
    if before is None or not tx.execute("skip_extend", id=before["id"], **values):
        tx.one("skip_insert", task_id=task.id, first=now, **values)
    logger.info("{}: skipped {}: {}", task.id, cause, refusal.reason)
