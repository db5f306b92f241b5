"""Brings what is in force to those who work by it: the agenda, the hosts, the ticker and the runner.

An edit passes through here: looked for, checked and swapped by `inforce`, then told to the store, task by task.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import datetime

from stoma.log import logger
from stoma.scheduler.base import TaskStatus
from stoma.scheduler.config import schedule_hash
from stoma.scheduler.inforce import InForce
from stoma.scheduler.overview import other_nodes
from stoma.scheduler.parts import known_hosts
from stoma.scheduler.pipeline import Surroundings
from stoma.scheduler.runner import Runner
from stoma.scheduler.ticker import Ticker
from stoma.scheduler.timetables import timetables_of
from stoma.stores import Store


class Uptake:
    """Takes up configurations; used by the loop's thread alone."""

    def __init__(
        self, in_force: InForce, store: Store, ticker: Ticker, runner: Runner, around: Surroundings
    ) -> None:
        self.loaded_at: datetime | None = None
        self._in_force = in_force
        self._store = store
        self._ticker = ticker
        self._runner = runner
        self._around = around
        # Tasks that an edit removed, and whether what is in force still has to be taken up.
        self._removed: list[str] = []
        self._is_due = False

    def note(self) -> None:
        """Something new is in force; `finish` takes it up."""
        self._is_due = True

    def rescan(self, settle: Callable[[datetime], object]) -> bool:
        """Take up edited files; a broken edit is reported and changes nothing. True when there is news to tell.

        `settle` deals with what is due by the text before, so that no instant falls between two schedules.
        """
        errors = list(self._in_force.errors)
        settle(self._store.now())
        change = self._in_force.look()
        if change is not None:
            self._removed += change.removed
            self._is_due = True
            parts = (("added", change.added), ("removed", change.removed), ("edited", change.edited))
            told = "; ".join(f"{word} {', '.join(ids)}" for word, ids in parts if ids)
            logger.info(
                "configuration taken up, generation {}: {}", self._in_force.generation, told or "settings"
            )
        self.finish()
        return change is not None or errors != self._in_force.errors

    def finish(self) -> None:
        """Tell the store and the ticker what is in force; tried again until it is done."""
        if not self._is_due:
            return
        now = self._store.now()
        gone = [task_id for task_id in self._removed if task_id not in self._in_force.config.tasks]
        for task_id in gone:
            for run in self._store.runs.open_of(task_id):
                self._store.runs.settle(run, TaskStatus.CANCELLED, "its task is not declared any more", now)
        self.take_up(now)
        self._is_due = False
        self._removed.clear()

    def take_up(self, now: datetime) -> None:
        """Tell the agenda, the hosts, the ticker and the runner about what is in force."""
        config, store = self._in_force.config, self._store
        timed = {task.id: task for task in config.tasks.values() if task.schedule}
        away = [row["task_id"] for row in store.agenda.accounted().values() if row["removed_at"] is None]
        away = [task_id for task_id in away if task_id not in timed]
        # On a shared database another node may know a task that this one does not.
        if away and not other_nodes(store, now):
            store.agenda.remove(away, now)
        accounted = store.agenda.adopt({i: schedule_hash(task) for i, task in timed.items()}, now)
        self._ticker.load({i: timetables_of(task) for i, task in timed.items()}, accounted)
        store.hosts.know(known_hosts(config))
        self._runner.use(replace(self._around, hosts=config.hosts, contact=config.contact))
        self.loaded_at = now
