"""Settles due tasks: locks the agenda of each, lets it be decided, and writes runs and skips in one transaction."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime

from stoma.log import logger
from stoma.scheduler import agenda
from stoma.scheduler.base import NewRun, Skip, Task, at_trigger, iso
from stoma.scheduler.config import schedule_hash, task_hash
from stoma.scheduler.parts import host_of
from stoma.scheduler.ticker import Ticker
from stoma.stores import Store
from stoma.stores.agenda import account, standing
from stoma.stores.base import Transaction

AT_ONCE = 200
"""Due tasks settled in one transaction: enough to be quick, few enough to keep it short."""

Refuse = Callable[[Task], agenda.Refusal | None]


def settle_due(
    store: Store, ticker: Ticker, tasks: Mapping[str, Task], refuse: Refuse, now: datetime
) -> list[int]:
    """Deal with every instant that is due at `now`; gives the ids of the runs that came of it.

    A task whose transaction fails stays due, so that nothing is lost but time.
    """
    due = ticker.tick(now)
    made: list[int] = []
    for start in range(0, len(due), AT_ONCE):
        chunk = due[start : start + AT_ONCE]
        settled: dict[str, datetime] = {}
        try:
            with store.database.transaction() as tx:
                for task_id in chunk:
                    if task_id not in tasks:
                        continue
                    settled[task_id], runs = _settle(tx, ticker, tasks[task_id], refuse, now)
                    made += runs
        except BaseException:
            for task_id in due[start:]:
                ticker.postponed(task_id)
            raise
        for task_id, until in settled.items():
            ticker.settled(task_id, until)
    return made


def _settle(
    tx: Transaction, ticker: Ticker, task: Task, refuse: Refuse, now: datetime
) -> tuple[datetime, list[int]]:
    before = standing(tx, task.id, schedule_hash(task))
    if before is None:
        # Another node took up another schedule of this task; its instants are that node's business.
        return now, []
    decision = agenda.settle(
        task,
        ticker.patterns(task.id),
        before.accounted_until,
        now,
        refusal=refuse(task),
        has_open_run=bool(before.open_runs),
    )
    for skip in decision.skips:
        logger.info("{}: {}", task.id, _told(skip))
    runs = [
        NewRun(
            task_id=task.id,
            trigger=at_trigger(instant),
            priority=task.priority,
            config_hash=task_hash(task),
            scheduled_for=instant,
            host=host_of(task),
        )
        for instant in decision.runs
    ]
    made = account(tx, before, decision.accounted_until, runs, decision.skips, now)
    return decision.accounted_until, made


def _told(skip: Skip) -> str:
    when = f"due {iso(skip.first)}"
    if skip.count > 1:
        when = f"{skip.count} due from {iso(skip.first)} to {iso(skip.last)}"
    detail = f" ({skip.detail})" if skip.detail else ""
    return f"{when} skipped: {skip.reason}{detail}"
