"""Runs some tasks now, in this process, until every run is final: `--once`, and `run-task` without a scheduler.

Nothing is handed over: its runs are reserved for this process, which waits for their retries itself.
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from time import monotonic

from stoma.collectors.base import Deadline
from stoma.errors import StoreError
from stoma.log import logger
from stoma.scheduler.base import NewRun, Run, Task, hand_trigger
from stoma.scheduler.pipeline import Control, Surroundings, Tally, execute
from stoma.scheduler.runner import CUT_OFF, GRACE_SECONDS, hung, recover, report

STOP_SECONDS = 8.0
"""How long a stop waits for runs that do not answer."""

LOOK_SECONDS = 0.2
"""How often the queue is looked at while something waits."""


class Foreground:
    """Carries runs of the given tasks to their end, at most `slots` at once."""

    def __init__(
        self,
        around: Surroundings,
        tasks: Sequence[Task],
        hashes: Mapping[str, str],
        hosts: Mapping[str, str | None],
        slots: int,
        on_progress: Callable[[Run, Tally | None], None] = lambda *_: None,
    ) -> None:
        self._around = replace(around, keeps_retries=True)
        self._tasks = {task.id: task for task in tasks}
        self._hashes = hashes
        self._hosts = hosts
        self._slots = slots
        self._on_progress = on_progress
        self._changed = threading.Event()
        self._stop_asked = False
        self._cut_off_at: float | None = None
        self._waiting: list[Run] = []
        self._working: dict[int, tuple[Run, Control]] = {}
        self._ended: deque[tuple[int, Run | None, Exception | None]] = deque()

    def ask_to_stop(self) -> None:
        """Let everything stop at its next page; `run` then returns. A signal handler may call this: no lock."""
        self._stop_asked = True

    def run(self) -> list[Run]:
        """The runs, in the order of the tasks, as they ended (or stand, when stopped)."""
        store = self._around.store
        recover(store, self._tasks.get, store.now(), only=self._tasks.keys())
        order = [self._take(task) for task in self._tasks.values()]
        self._waiting = list(order)
        renewed = monotonic()
        while self._working or (self._waiting and not self._stop_asked):
            self._changed.clear()
            self._collect_ended()
            if self._stop_asked:
                self._stop_working()
            else:
                self._start()
                self._give_up_hung()
            if monotonic() - renewed > self._around.lease.total_seconds() / 3:
                renewed = monotonic()
                held = [*self._waiting, *(run for run, _ in self._working.values())]
                store.runs.renew(held, self._around.owner, self._lease())
                mine = {run.id for run, _ in self._working.values()}
                recover(store, self._tasks.get, store.now(), spared=mine, only=self._tasks.keys())
            self._changed.wait(LOOK_SECONDS)
        self._collect_ended()
        for run in self._waiting:
            # Stopped: what this process kept for itself goes back to the queue at once.
            store.runs.release(run, self._around.owner)
        return [store.runs.get(run.id) for run in order]

    def _take(self, task: Task) -> Run:
        """An open run of the task that nobody keeps, else a new one."""
        store, owner, now = self._around.store, self._around.owner, self._around.store.now()
        for left in store.runs.open_of(task.id):
            taken = store.runs.reserve(left, owner, now, self._lease())
            if taken is not None:
                logger.info("{}: takes up run {}, which was left open", task.id, taken.id)
                return taken
        new = NewRun(
            task.id, hand_trigger(), task.priority, self._hashes[task.id], host=self._hosts.get(task.id)
        )
        return store.runs.add(new, now, owner=owner, lease_until=self._lease())

    def _lease(self) -> datetime:
        return self._around.store.now() + self._around.lease

    def _start(self) -> None:
        store = self._around.store
        for run in list(self._waiting):
            if len(self._working) >= self._slots:
                return
            now = store.now()
            if run.not_before is not None and run.not_before > now:
                continue
            claimed = store.runs.claim_one(run.id, self._around.owner, now, now + self._around.lease)
            if claimed is None:
                self._drop_if_taken(run)
                continue
            self._waiting.remove(run)
            task = self._tasks[run.task_id]
            control = Control(deadline=Deadline(task.timeout.total_seconds()))
            control.on_page = lambda tally, run=claimed: self._on_progress(run, tally)  # type: ignore[misc]
            self._working[run.id] = (claimed, control)
            self._on_progress(claimed, None)
            threading.Thread(
                target=self._work, args=(claimed, task, control), name=f"run-{run.id}", daemon=True
            ).start()

    def _drop_if_taken(self, run: Run) -> None:
        """Another process may have ended this run, or taken it after our lease had passed: follow it no more."""
        current = self._around.store.runs.get(run.id)
        if current.status.is_final or current.owner != self._around.owner:
            self._waiting.remove(run)

    def _work(self, run: Run, task: Task, control: Control) -> None:
        ended, failure = None, None
        try:
            with logger.contextualize(subject=f"{task.id} #{run.id}: "):
                ended = execute(run, task, self._around, control)
                if ended is not None:
                    report(ended)
        except Exception as error:
            failure = error
        self._ended.append((run.id, ended, failure))
        self._changed.set()

    def _collect_ended(self) -> None:
        while self._ended:
            run_id, ended, failure = self._ended.popleft()
            if self._working.pop(run_id, None) is None:
                continue
            if isinstance(failure, StoreError):
                raise failure
            if failure is not None:
                logger.error("run {}: {}", run_id, failure)
            if ended is not None:
                self._on_progress(ended, None)
                if not ended.status.is_final:
                    self._waiting.append(ended)

    def _stop_working(self) -> None:
        """Let runs end at their next page, and cut off those that do not answer in time."""
        self._cut_off_at = self._cut_off_at or monotonic() + STOP_SECONDS
        for run, control in list(self._working.values()):
            control.stopping.set()
            if monotonic() > self._cut_off_at:
                self._around.store.runs.end(run, CUT_OFF, self._around.store.now())
                del self._working[run.id]

    def _give_up_hung(self) -> None:
        for run, control in list(self._working.values()):
            if control.deadline.remaining() < -GRACE_SECONDS:
                end = hung(self._tasks[run.task_id])
                self._around.store.runs.end(run, end, self._around.store.now())
                del self._working[run.id]
