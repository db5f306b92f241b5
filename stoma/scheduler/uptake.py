"""Brings what is in force to those who work by it: the agenda, the hosts, the ticker and the runner.

An edit passes through here: looked for, checked and swapped by `inforce`, then told to the store, task by task. Only
tasks that differ are touched: all others keep their next instant.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import datetime
from pathlib import Path

from stoma.hosts import HostRule, rule_for
from stoma.log import logger
from stoma.scheduler import lastgood, location
from stoma.scheduler.base import Task, TaskStatus
from stoma.scheduler.config import schedule_hash
from stoma.scheduler.files import Text, passwords_in, shown_name
from stoma.scheduler.inforce import InForce
from stoma.scheduler.overview import other_nodes
from stoma.scheduler.parts import host_of, known_hosts
from stoma.scheduler.pipeline import Surroundings
from stoma.scheduler.runner import Runner
from stoma.scheduler.ticker import Ticker
from stoma.scheduler.timetables import timetables_of
from stoma.stores import Store


class Uptake:
    """Takes up configurations, one after the other: mostly the loop does, but anybody may ask for a rescan."""

    def __init__(
        self, in_force: InForce, store: Store, ticker: Ticker, runner: Runner, around: Surroundings
    ) -> None:
        self.loaded_at: datetime | None = None
        self._in_force = in_force
        self._store = store
        self._ticker = ticker
        self._runner = runner
        self._around = around
        # What still has to be taken up: whether there is something, and the tasks that differ.
        self._is_due = False
        self._differing: set[str] = set()
        self._taking_up = threading.RLock()
        # What was taken up: the hash of each task's schedule, how many connections each host takes, by which rules,
        # and the texts that were kept in the store.
        self._schedules: dict[str, str] = {}
        self._hosts: dict[str, int | None] = {}
        self._rules: Mapping[str, HostRule] = {}
        self._texts: Mapping[Path, Text] | None = None

    def note(self, task_id: str) -> None:
        """A task is new in force; `finish` takes it up. May be called by any thread."""
        self._differing.add(task_id)
        self._is_due = True

    def rescan(self, settle: Callable[[datetime], object], *, settled: bool = False) -> bool:
        """Take up edited files; a broken one is reported and stays as it was. True when there is news to tell.

        `settle` deals with what is due by the text before, so that no instant falls between two schedules; `settled`
        leaves files alone that somebody seems to be writing just now.
        """
        with self._taking_up:
            return self._rescan(settle, settled=settled)

    def _rescan(self, settle: Callable[[datetime], object], *, settled: bool) -> bool:
        errors = list(self._in_force.errors)
        settle(self._store.now())
        change = self._in_force.look(settled=settled)
        if change is not None:
            self._differing.update(change.added, change.removed, change.edited)
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
        with self._taking_up:
            if self._is_due:
                # Before the tasks are looked at: one that is added meanwhile is due again.
                self._is_due = False
                differing = set(self._differing)
                try:
                    self._take_up_only(differing, self._store.now())
                except BaseException:
                    self._is_due = True
                    raise
                self._differing -= differing
            self._keep_texts()

    def take_up(self, now: datetime) -> None:
        """Tell everything that is in force to the agenda, the hosts, the ticker and the runner."""
        with self._taking_up:
            self._take_up_all(now)

    def _take_up_all(self, now: datetime) -> None:
        config, store = self._in_force.config, self._store
        timed = {task.id: task for task in config.tasks.values() if task.schedule}
        schedules = {task_id: schedule_hash(task) for task_id, task in timed.items()}
        away = [row["task_id"] for row in store.agenda.accounted().values() if row["removed_at"] is None]
        self._remove([task_id for task_id in away if task_id not in timed], now)
        accounted = store.agenda.adopt(schedules, now)
        self._ticker.load({i: timetables_of(task) for i, task in timed.items()}, accounted)
        self._schedules = schedules
        self._hosts, self._rules = {}, config.hosts
        self._know(known_hosts(config))
        self._use(now)
        self._keep_texts()
        if self._in_force.has_files:
            location.note(self._in_force.started_with)

    def _take_up_only(self, task_ids: set[str], now: datetime) -> None:
        """The same for the tasks that differ."""
        tasks = self._in_force.config.tasks
        gone = sorted(task_id for task_id in task_ids if task_id not in tasks)
        for task_id in () if self._are_others(gone, now) else gone:
            # Only those that wait are settled: one that runs ends under the definition it began with.
            for run in self._store.runs.all_open_of(task_id):
                self._store.runs.settle(run, TaskStatus.CANCELLED, "its task is not declared any more", now)
        here = [tasks[task_id] for task_id in sorted(task_ids - set(gone))]
        self._schedule(here, gone, now)
        rules = self._in_force.config.hosts
        if rules != self._rules:
            self._know(known_hosts(self._in_force.config))
            self._rules = rules
        else:
            hosts = {host for task in here if (host := host_of(task))}
            self._know({host: rule_for(host, rules).concurrency for host in sorted(hosts)})
        self._use(now)

    def _schedule(self, here: list[Task], gone: list[str], now: datetime) -> None:
        """Adopt the schedules that are new or other ones; a task that was edited in another way is not touched."""
        fresh = {
            task.id: found
            for task in here
            if task.schedule and (found := schedule_hash(task)) != self._schedules.get(task.id)
        }
        by_hand = [task.id for task in here if not task.schedule]
        away = [task_id for task_id in (*gone, *by_hand) if task_id in self._schedules]
        if away:
            self._remove(away, now)
        if fresh or away:
            accounted = self._store.agenda.adopt(fresh, now) if fresh else {}
            timed = {task.id: timetables_of(task) for task in here if task.id in fresh}
            self._ticker.update(timed, accounted, away)
        self._schedules.update(fresh)
        for task_id in away:
            del self._schedules[task_id]

    def _remove(self, task_ids: list[str], now: datetime) -> None:
        if task_ids and not self._are_others(task_ids, now):
            self._store.agenda.remove(task_ids, now)

    def _are_others(self, task_ids: list[str], now: datetime) -> bool:
        # On a shared database another node may know a task that this one does not.
        return bool(task_ids) and other_nodes(self._store, now)

    def _know(self, hosts: Mapping[str, int | None]) -> None:
        fresh = {host: many for host, many in hosts.items() if self._hosts.get(host, -1) != many}
        if fresh:
            self._store.hosts.know(fresh)
            self._hosts.update(fresh)

    def _use(self, now: datetime) -> None:
        config = self._in_force.config
        self._runner.use(replace(self._around, hosts=config.hosts, contact=config.contact, raw=config.raw))
        self.loaded_at = now

    def _keep_texts(self) -> None:
        """Note the texts in force in the store, for a start that meets a broken file."""
        texts, base = self._in_force.texts, self._in_force.config.base
        if not self._in_force.has_files or texts is self._texts:
            return
        lastgood.keep(self._store, base, texts)
        before, self._texts = self._texts or {}, texts
        for path, text in texts.items():
            if before.get(path) != text:
                for problem in passwords_in(text.content, shown_name(path, base)):
                    logger.warning("{}", problem)
