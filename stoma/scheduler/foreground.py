"""Runs some tasks now, in this process, until every run is final: `--once`, and `run-task` without a scheduler.

Nothing is handed over: its runs are reserved for this process, which waits for their retries itself.
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from time import monotonic

from stoma.collectors.base import Deadline
from stoma.errors import StoreError
from stoma.log import logger
from stoma.scheduler.base import Run, Task, TaskStatus
from stoma.scheduler.dependencies import accepts, in_order
from stoma.scheduler.indexing import Indexing
from stoma.scheduler.parts import hand_run
from stoma.scheduler.pipeline import Control, Surroundings, Tally, execute
from stoma.scheduler.runlog import FLUSH_SECONDS, RunLog
from stoma.scheduler.runner import CUT_OFF, hung, recover, report

STOP_SECONDS = 8.0
"""How long a stop waits for runs that do not answer."""

INDEXING_SECONDS = 600.0
"""How long the index of words is built when the runs are over, unless somebody asks for the end."""

LOOK_SECONDS = 0.2
"""How often the queue is looked at while something waits."""


class Foreground:
    """Carries runs of the given tasks to their end, at most `slots` at once."""

    def __init__(
        self,
        around: Surroundings,
        tasks: Sequence[Task],
        slots: int,
        on_progress: Callable[[Run, Tally | None], None] = lambda *_: None,
        reserved: Mapping[str, Run] | None = None,
    ) -> None:
        """`reserved` are runs, by task, that this process has taken already; for other tasks it takes one."""
        self._around = replace(around, keeps_retries=True)
        self._tasks = {task.id: task for task in tasks}
        # Those whose run is still to be taken: each comes behind those of the others that it waits for.
        self._to_take = in_order(tasks)
        self._taken: dict[str, Run] = {}
        self._reserved = dict(reserved or {})
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
        log = RunLog(self)
        log.install()
        indexing = Indexing(self._around.store)
        indexing.start()
        is_well = False
        try:
            ended = self._run(log)
            is_well = True
        finally:
            log.close()
            # Where the store failed, or somebody waits for the end, the next process does the rest.
            indexing.stop(INDEXING_SECONDS if is_well else 0.0, lambda: self._stop_asked)
        # Not where the store failed: nobody should have to wait for it once more.
        log.flush(self._around.store, self._around.store.now())
        return ended

    def _run(self, log: RunLog) -> list[Run]:
        store = self._around.store
        recover(store, self._tasks.get, store.now(), only=self._tasks.keys())
        self._take_ready()
        renewed = flushed = monotonic()
        while self._working or ((self._waiting or self._to_take) and not self._stop_asked):
            self._changed.clear()
            self._collect_ended()
            self._take_ready()
            if self._stop_asked:
                self._stop_working()
            else:
                self._start()
                self._heed_cancels()
                self._give_up_hung()
            if monotonic() - renewed > self._around.lease.total_seconds() / 3:
                renewed = monotonic()
                held = [*self._waiting, *(run for run, _ in self._working.values())]
                store.runs.renew(held, self._around.owner, self._lease())
                mine = {run.id for run, _ in self._working.values()}
                recover(store, self._tasks.get, store.now(), spared=mine, only=self._tasks.keys())
            if monotonic() - flushed > FLUSH_SECONDS:
                flushed = monotonic()
                log.flush(store, store.now())
            self._changed.wait(LOOK_SECONDS)
        self._collect_ended()
        for run in self._waiting:
            # Stopped: what this process kept for itself goes back to the queue at once.
            store.runs.release(run, self._around.owner)
        taken = [self._taken[task_id] for task_id in self._tasks if task_id in self._taken]
        return [store.runs.get(run.id) for run in taken]

    def _take_ready(self) -> None:
        """Take the runs of tasks whose upstream tasks, as far as they are among these, are over."""
        while not self._stop_asked:
            ready = [task for task in self._to_take if self._is_over(d.task for d in task.after)]
            for task in ready:
                self._to_take.remove(task)
                run = self._taken[task.id] = self._take(task)
                if reason := self._refusal(task):
                    self._around.store.runs.settle(run, TaskStatus.SKIPPED, reason, self._around.store.now())
                else:
                    self._waiting.append(run)
            if not ready:
                return

    def _is_over(self, task_ids: Iterable[str]) -> bool:
        among_these = [task_id for task_id in task_ids if task_id in self._tasks]
        return all(
            task_id in self._taken and self._around.store.runs.get(self._taken[task_id].id).status.is_final
            for task_id in among_these
        )

    def _refusal(self, task: Task) -> str | None:
        """Why a task does not run although its turn has come: what it waits for did not end as it should."""
        for upstream in dict.fromkeys(d.task for d in task.after if d.task in self._taken):
            status = self._around.store.runs.get(self._taken[upstream].id).status
            wanted = [d for d in task.after if d.task == upstream]
            if not any(accepts(dependency, status) for dependency in wanted):
                return f"runs after {upstream} {wanted[0].status}, and that is {status}"
        return None

    def _take(self, task: Task) -> Run:
        """An open run of the task that nobody keeps, else a new one."""
        if task.id in self._reserved:
            return self._reserved[task.id]
        store, owner, now = self._around.store, self._around.owner, self._around.store.now()
        for left in store.runs.open_of(task.id):
            taken = store.runs.reserve(left, owner, now, self._lease())
            if taken is not None:
                logger.info("{}: takes up run {}, which was left open", task.id, taken.id)
                return taken
        return store.runs.add(hand_run(task), now, owner=owner, lease_until=self._lease())

    def _lease(self) -> datetime:
        return self._around.store.now() + self._around.lease

    def _start(self) -> None:
        store = self._around.store
        for run in list(self._waiting):
            if len(self._working) >= self._slots:
                return
            now = store.now()
            # Asked anew: somebody may have cancelled the run meanwhile, or ended its wait.
            not_before = store.runs.get(run.id).not_before
            if not_before is not None and not_before > now:
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
            with logger.contextualize(
                subject=f"{task.id} #{run.id}: ", task=task.id, run=run.id, attempt=run.attempt, worker=self
            ):
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

    def _heed_cancels(self) -> None:
        for run in self._around.store.runs.cancel_asked() if self._working else ():
            if run.id in self._working:
                self._working[run.id][1].cancel()

    def _give_up_hung(self) -> None:
        for run, control in list(self._working.values()):
            if end := hung(self._tasks[run.task_id], control):
                self._around.store.runs.end(run, end, self._around.store.now())
                del self._working[run.id]
