"""Settles due tasks: locks the agenda of each, lets it be decided, and writes runs and skips in one transaction."""

from __future__ import annotations

from datetime import datetime

from stoma.log import logger
from stoma.scheduler import agenda
from stoma.scheduler.base import Skip, Switches, Task, at_trigger, iso
from stoma.scheduler.config import Config, schedule_hash
from stoma.scheduler.judging import judge
from stoma.scheduler.parts import new_run
from stoma.scheduler.ticker import Ticker
from stoma.stores import Store
from stoma.stores.agenda import account, standing
from stoma.stores.base import Transaction

AT_ONCE = 200
"""Due tasks settled in one transaction: enough to be quick, few enough to keep it short."""


def settle_due(store: Store, ticker: Ticker, config: Config, now: datetime) -> list[int]:
    """Deal with every instant that is due at `now`; gives the ids of the runs that came of it.

    A task whose transaction fails stays due, so that nothing is lost but time.
    """
    due = ticker.tick(now)
    switches = store.agenda.switches()
    made: list[int] = []
    for start in range(0, len(due), AT_ONCE):
        # In the order of their ids, as what follows from the end of a run: two that lock the same rows do not meet.
        chunk = sorted(due[start : start + AT_ONCE])
        settled: dict[str, datetime] = {}
        try:
            with store.database.transaction() as tx:
                for task_id in chunk:
                    if task_id not in config.tasks:
                        continue
                    settled[task_id], runs = _settle(tx, ticker, config, switches, config.tasks[task_id], now)
                    made += runs
        except BaseException:
            for task_id in due[start:]:
                ticker.postponed(task_id)
            raise
        for task_id, until in settled.items():
            ticker.settled(task_id, until)
    return made


def _settle(
    tx: Transaction, ticker: Ticker, config: Config, switches: Switches, task: Task, now: datetime
) -> tuple[datetime, list[int]]:
    before = standing(tx, task.id, schedule_hash(task))
    if before is None:
        # Another node took up another schedule of this task; its instants are that node's business.
        return now, []
    decision = agenda.settle(
        task,
        ticker.timetables(task.id),
        before.accounted_until,
        now,
        judge=judge(task, config, switches, tx, now),
        open_runs=len(before.open_runs),
    )
    for skip in decision.skips:
        logger.info("{}: {}", task.id, _told(skip))
    runs = [
        new_run(
            task,
            at_trigger(instant),
            scheduled_for=instant,
            not_before=decision.waits.get(instant),
            reason="spread" if instant in decision.waits else None,
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
