"""Runs claimed runs on threads of its own, keeps their leases and deadlines, and lets nobody hold it up."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from time import monotonic

from stoma.collectors.base import Deadline
from stoma.errors import StoreError
from stoma.log import logger
from stoma.scheduler.base import Retry, Run, Task, TaskStatus
from stoma.scheduler.owner import is_gone
from stoma.scheduler.pipeline import Control, Surroundings, Tally, execute
from stoma.scheduler.retry import next_try
from stoma.stores import Store
from stoma.stores.runs import End

GRACE_SECONDS = 5.0
"""How long after its deadline a run may still end by itself before its thread counts as hung."""


class Lost(Exception):
    """The process that worked on a run is gone."""


@dataclass(slots=True)
class Working:
    """One run on one thread."""

    run: Run
    task: Task
    control: Control
    tally: Tally


class Runner:
    """Daemon threads, at most `slots`; each claims the next run when it is done with one."""

    def __init__(
        self,
        around: Surroundings,
        find_task: Callable[[str], Task | None],
        slots: int,
        on_end: Callable[[Run], None] = lambda _: None,
    ) -> None:
        self._around = around
        self._find_task = find_task
        self._slots = slots
        self._on_end = on_end
        self._lock = threading.Lock()
        self._working: dict[int, Working] = {}
        self._threads = 0
        self._stopping = False
        self.abandoned = 0

    @property
    def working(self) -> list[Working]:
        """The runs under way in this process."""
        with self._lock:
            return list(self._working.values())

    def fill(self) -> None:
        """Claim runs for every free thread, until the queue has none that may start."""
        while self._take_slot():
            run = self._claim()
            if run is None:
                self._give_slot()
                return
            threading.Thread(target=self._work, args=(run,), name=f"run-{run.id}", daemon=True).start()

    def keep(self) -> None:
        """Renew the leases of what works, and give up what hangs."""
        store, now = self._around.store, self._around.store.now()
        for entry in self.working:
            if entry.control.deadline.remaining() < -GRACE_SECONDS:
                self._abandon(entry, now)
        alive = [entry.run for entry in self.working]
        if alive:
            store.runs.renew(alive, self._around.owner, now + self._around.lease)

    def stop(self, seconds: float) -> None:
        """Ask every run to stop at its next page, wait, and interrupt those that do not answer."""
        self._stopping = True
        for entry in self.working:
            entry.control.stopping.set()
        until = monotonic() + seconds
        while self.working and monotonic() < until:
            threading.Event().wait(0.02)
        now = self._around.store.now() if self.working else None
        for entry in self.working:
            self.abandoned += 1
            end = End(TaskStatus.INTERRUPTED, reason="stopped while it did not answer", is_try=False)
            if now is not None:
                self._around.store.runs.end(entry.run, end, now)
            logger.warning("run {} of {} did not stop in time; it was cut off", entry.run.id, entry.task.id)

    def _take_slot(self) -> bool:
        with self._lock:
            free = not self._stopping and self._threads < self._slots
            self._threads += free
            return free

    def _give_slot(self) -> None:
        with self._lock:
            self._threads -= 1

    def _claim(self) -> Run | None:
        store = self._around.store
        now = store.now()
        return store.runs.claim(self._around.owner, now, now + self._around.lease)

    def _work(self, run: Run | None) -> None:
        try:
            while run is not None and self._one(run):
                # Asked to stop: what is claimed now would only be given back.
                run = None if self._stopping else self._claim()
        except StoreError as error:
            # The row keeps its lease until it expires; then it is taken up again.
            logger.log("DEBUG" if self._stopping else "ERROR", "the store failed: {}", error.message)
        except Exception as error:  # a thread that dies in silence would leave its run to its lease
            logger.error("run thread: {!r}", error)
            logger.opt(exception=True).debug("run thread")
        finally:
            self._give_slot()

    def _one(self, run: Run) -> bool:
        """Execute one run; False when this thread was given up meanwhile and must end."""
        task = self._find_task(run.task_id)
        if task is None:
            end = End(TaskStatus.CANCELLED, reason="its task is not declared any more", is_try=False)
            self._around.store.runs.end(run, end, self._around.store.now())
            return True
        entry = Working(run, task, Control(deadline=Deadline(task.timeout.total_seconds())), Tally())
        entry.control.on_page = lambda tally: setattr(entry, "tally", tally)
        with self._lock:
            self._working[run.id] = entry
            if self._stopping:
                entry.control.stopping.set()
        try:
            with logger.contextualize(subject=f"{task.id} #{run.id}: "):
                ended = execute(run, task, self._around, entry.control)
                if ended is not None:
                    report(ended)
        finally:
            with self._lock:
                given_up = self._working.get(run.id) is not entry
                if not given_up:
                    del self._working[run.id]
                else:
                    # Its place was filled when it was given up; `_work` will give back one slot too many.
                    self._threads += 1
                    self.abandoned -= 1
        if ended is not None:
            self._on_end(ended)
        return not given_up

    def _abandon(self, entry: Working, now: datetime) -> None:
        """A thread that hangs in foreign code cannot be killed: its run ends without it."""
        with self._lock:
            if self._working.get(entry.run.id) is not entry:
                return
            del self._working[entry.run.id]
            self._threads -= 1
            self.abandoned += 1
        entry.control.stopping.set()
        allowed = entry.task.timeout
        error = f"timed out after {allowed}: its thread hangs and was given up"
        self._around.store.runs.end(entry.run, End(TaskStatus.FAILED, error=error), now)
        logger.error("run {} of {} {}", entry.run.id, entry.task.id, error)


def recover(store: Store, find_task: Callable[[str], Task | None], now: datetime) -> list[Run]:
    """Take back runs whose process is gone or silent: they follow the retry policy and continue where they were."""
    expired = {run.id: run for run in store.runs.expired(now)}
    for run in store.runs.running():
        if run.owner is not None and run.id not in expired and is_gone(run.owner):
            expired[run.id] = run
    taken = []
    for run in expired.values():
        task = find_task(run.task_id)
        again = next_try(task.retry if task else Retry(), run.attempt, Lost(), now, key=run.task_id)
        error = "the process that worked on it is gone"
        # An interrupted run may go on at once: what it had done is committed, and nobody refused it.
        status = TaskStatus.FAILED if again is None else TaskStatus.INTERRUPTED
        ended = store.runs.end(run, End(status, error=error, attempt_status="interrupted"), now)
        if ended is not None:
            logger.warning("run {} of {}: {}; {}", run.id, run.task_id, error, status)
            taken.append(ended)
    return taken


def report(run: Run) -> None:
    """One log line on how an attempt ended."""
    counts = (
        f"{run.seen} seen, {run.new} new, {run.changed} changed, {run.unchanged} unchanged,"
        f" {run.rejected} rejected, {run.pages} pages"
    )
    if run.status is TaskStatus.COMPLETED:
        logger.info("completed: {}", counts)
    elif run.status.is_final:
        logger.error("{}: {} ({})", run.status, run.error or run.reason, counts)
    else:
        when = f", again at {run.not_before:%H:%M:%S} UTC" if run.not_before else ""
        logger.warning("{}{}: {} ({})", run.status, when, run.error or run.reason, counts)
