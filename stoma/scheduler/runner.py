"""Runs claimed runs on threads of its own, keeps their leases and deadlines, and lets nobody hold it up."""

from __future__ import annotations

import threading
from collections.abc import Callable
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial
from time import monotonic, sleep

from stoma import metrics
from stoma.collectors.base import Deadline
from stoma.errors import StoreError
from stoma.log import log_details, logger
from stoma.scheduler.base import Retry, Run, Task, TaskStatus
from stoma.scheduler.counting import count_end, count_start
from stoma.scheduler.overview import SILENT_AFTER, other_nodes
from stoma.scheduler.owner import is_gone
from stoma.scheduler.pipeline import Control, Surroundings, Tally, execute
from stoma.scheduler.retry import next_try
from stoma.stores import Store
from stoma.stores.base import Transaction
from stoma.stores.runs import End, Standing, standing_of
from stoma.wording import several

GRACE_SECONDS = 5.0
"""How long after its deadline a run may still end by itself before its thread counts as hung."""


PASSED_ON = timedelta(minutes=10)
"""How long a run may wait for a node that knows its task."""


class Lost(Exception):
    """The process that worked on a run is gone."""


@dataclass(frozen=True, slots=True)
class Claimed:
    """A run that was claimed, and where its collection stood in that transaction; None: not asked for."""

    run: Run
    standing: Standing | None = None


@dataclass(slots=True, eq=False)
class Working:
    """One run on one thread."""

    run: Run
    task: Task
    control: Control

    @property
    def tally(self) -> Tally:
        """What it has brought so far."""
        return self.control.tally


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
        # Threads that hold a slot, and those that hang and hold none any more.
        self._threads: set[threading.Thread] = set()
        self._hung: set[threading.Thread] = set()
        self._working: dict[threading.Thread, Working] = {}
        self._stopping = False
        self._paused = False

    @property
    def working(self) -> list[Working]:
        """The runs under way in this process."""
        with self._lock:
            return list(self._working.values())

    def use(self, around: Surroundings) -> None:
        """Runs that begin from now on find these surroundings."""
        self._around = around

    @property
    def abandoned(self) -> int:
        """Threads that hang and were given up."""
        return len(self._hung)

    @property
    def busy(self) -> int:
        """Slots in use."""
        return len(self._threads)

    @property
    def slots(self) -> int:
        """How many runs work at once at most."""
        return self._slots

    @property
    def is_paused(self) -> bool:
        """True while nothing is claimed because everything is paused."""
        return self._paused

    def pause(self, paused: bool) -> None:
        """Claim nothing more, or go on; runs under way end."""
        self._paused = paused

    def fill(self) -> None:
        """Claim runs for every free thread, until the queue has none that may start."""
        while self._may_claim and self.busy < self._slots:
            # Only this method adds threads, and only one thread calls it: a free slot stays free meanwhile.
            claimed = self._claim()
            if claimed is None:
                return
            name = f"run-{claimed.run.id}"
            thread = threading.Thread(target=self._work, args=(claimed,), name=name, daemon=True)
            with self._lock:
                self._threads.add(thread)
            try:
                thread.start()
            except BaseException:
                self._leave(thread)
                raise

    def keep(self) -> None:
        """Renew the leases of what works, give up what hangs, and take back what others have lost."""
        store, now = self._around.store, self._around.store.now()
        for thread, entry in list(self._working.items()):
            if end := hung(entry.task, entry.control):
                self._abandon(thread, entry, end, now)
        mine = [entry.run for entry in self.working]
        if mine:
            store.runs.renew(mine, self._around.owner, now + self._around.lease)
        # Behind the renewal: after a long sleep the leases of what still works here have passed too.
        recover(store, self._find_task, now, spared={run.id for run in mine})

    def heed_cancels(self) -> None:
        """Let runs end that somebody asked to end."""
        if not self._working:
            return
        asked = {run.id for run in self._around.store.runs.cancel_asked()}
        for entry in self.working:
            if entry.run.id in asked:
                entry.control.cancel()

    def ask_to_stop(self) -> None:
        """Ask every run to stop at its next page, and claim no more."""
        self._stopping = True
        for entry in self.working:
            entry.control.stopping.set()

    def stop(self, seconds: float) -> None:
        """Ask every run to stop, wait, and interrupt those that do not answer."""
        self.ask_to_stop()
        until = monotonic() + seconds
        while self.working and monotonic() < until:
            sleep(0.02)
        for thread, entry in list(self._working.items()):
            self._give_up(thread)
            count_end(self._around.store.runs.end(entry.run, CUT_OFF, self._around.store.now()))
            logger.warning("run {} of {} did not stop in time; it was cut off", entry.run.id, entry.task.id)

    def _claim(self) -> Claimed | None:
        store = self._around.store
        now = store.now()
        run = store.runs.claim(self._around.owner, now, now + self._around.lease)
        return Claimed(run) if run is not None else None

    def _work(self, claimed: Claimed | None) -> None:
        thread = threading.current_thread()
        try:
            while claimed is not None:
                following = self._one(thread, claimed)
                # Given up meanwhile, or asked to stop: what is claimed now would only be given back.
                claimed = following or (
                    self._claim() if thread in self._threads and self._may_claim else None
                )
        except StoreError as error:
            metrics.STORE_ERRORS.add()
            # The row keeps its lease until it expires; then it is taken up again.
            logger.log("DEBUG" if self._stopping else "ERROR", "the store failed: {}", error.message)
        except Exception as error:  # a thread that dies in silence would leave its run to its lease
            logger.error("run thread: {!r}", error)
            log_details(error)
        finally:
            self._leave(thread)

    @property
    def _may_claim(self) -> bool:
        return not self._stopping and not self._paused

    def _claim_along(
        self, thread: threading.Thread, following: list[Claimed], tx: Transaction, now: datetime
    ) -> None:
        """Claim the next run in the transaction that ends this one: one commit instead of two."""
        # What an earlier transaction claimed, which then failed, was not claimed.
        following.clear()
        if thread in self._threads and self._may_claim:
            around = self._around
            run = around.store.runs.claim_in(tx, around.owner, now, now + around.lease)
            if run is not None:
                following.append(Claimed(run, standing_of(tx, run.task_id, run.progress_scope)))

    def _one(self, thread: threading.Thread, claimed: Claimed) -> Claimed | None:
        """Carry out a run; gives the next one, where it was claimed along."""
        run = claimed.run
        task = self._find_task(run.task_id)
        if task is None:
            self._put_back(run)
            return None
        deadline = Deadline(task.timeout.total_seconds())
        entry = Working(run, task, Control(deadline=deadline, standing=claimed.standing))
        count_start(run)
        following: list[Claimed] = []
        # Where others claim at the same moment the claim may fail, and would take the last page with it.
        if self._around.store.database.one_writer:
            entry.control.in_end = partial(self._claim_along, thread, following)
        with self._lock:
            self._working[thread] = entry
            if self._stopping:
                entry.control.stopping.set()
        try:
            with logger.contextualize(
                subject=f"{task.id} #{run.id}: ", task=task.id, run=run.id, attempt=run.attempt, worker=self
            ):
                began = monotonic()
                ended = execute(run, task, self._around, entry.control)
                metrics.DURATION.observe(monotonic() - began, task.collector)
                if ended is not None:
                    report(ended)
                    count_end(ended)
        finally:
            with self._lock:
                if self._working.get(thread) is entry:
                    del self._working[thread]
        if ended is None:
            return None
        self._on_end(ended)
        return following[0] if following else None

    def _put_back(self, run: Run) -> None:
        """A run of a task that is not declared here: another node may know it, else it is over."""
        store, now = self._around.store, self._around.store.now()
        # Passed to and fro for so long, no node knows it.
        others = now - run.created_at < PASSED_ON and other_nodes(store, now)
        if others:
            end = End(
                TaskStatus.PENDING,
                "its task is not declared on this node",
                None,
                now + SILENT_AFTER,
                is_try=False,
            )
        else:
            end = End(TaskStatus.CANCELLED, reason="its task is not declared any more", is_try=False)
        count_end(store.runs.end(run, end, now))

    def _abandon(self, thread: threading.Thread, entry: Working, end: End, now: datetime) -> None:
        """A thread that hangs in foreign code cannot be killed: its run ends without it."""
        self._give_up(thread)
        entry.control.stopping.set()
        count_end(self._around.store.runs.end(entry.run, end, now))
        logger.error("run {} of {} {}", entry.run.id, entry.task.id, end.error or end.reason)

    def _give_up(self, thread: threading.Thread) -> None:
        with self._lock:
            self._working.pop(thread, None)
            if thread in self._threads:
                self._threads.remove(thread)
                self._hung.add(thread)

    def _leave(self, thread: threading.Thread) -> None:
        with self._lock:
            self._threads.discard(thread)
            self._hung.discard(thread)


CUT_OFF = End(TaskStatus.INTERRUPTED, reason="stopped while it did not answer", is_try=False)
"""The end of a run whose thread was asked to stop and did not answer in time."""


def hung(task: Task, control: Control) -> End | None:
    """The end of a run whose thread does not heed its deadline or its cancelling; None while it may still do so.

    It is not tried again, for it would only hang once more.
    """
    if control.cancelled_at is not None and monotonic() - control.cancelled_at > GRACE_SECONDS:
        return End(TaskStatus.CANCELLED, reason="cancelled by hand; its thread hangs and was given up")
    if control.deadline.remaining() < -GRACE_SECONDS:
        return End(
            TaskStatus.FAILED, error=f"timed out after {task.timeout}: its thread hangs and was given up"
        )
    return None


def recover(
    store: Store,
    find_task: Callable[[str], Task | None],
    now: datetime,
    *,
    spared: AbstractSet[int] = frozenset(),
    only: AbstractSet[str] | None = None,
) -> list[Run]:
    """Take back runs whose process is gone or silent: they follow the retry policy and continue where they were.

    `spared` are the runs that this process works on; `only` limits it to these tasks.
    """
    expired = {run.id: run for run in store.runs.expired(now)}
    for run in store.runs.running():
        if run.owner is not None and run.id not in expired and is_gone(run.owner):
            expired[run.id] = run
    taken = []
    for run in expired.values():
        if run.id in spared or (only is not None and run.task_id not in only):
            continue
        task = find_task(run.task_id)
        again = next_try(task.retry if task else Retry(), run.attempt, Lost(), now, key=run.task_id)
        error = "the process that worked on it is gone"
        # An interrupted run may go on at once: what it had done is committed, and nobody refused it.
        status = TaskStatus.FAILED if again is None else TaskStatus.INTERRUPTED
        ended = store.runs.end(run, End(status, error=error, attempt_status="interrupted"), now)
        if ended is not None:
            logger.warning("run {} of {}: {}; {}", run.id, run.task_id, error, status)
            count_end(ended)
            taken.append(ended)
    for run in store.runs.reserved():
        if run.owner is not None and is_gone(run.owner):
            store.runs.release(run, run.owner)
    return taken


def report(run: Run) -> None:
    """One log line on how an attempt ended."""
    counts = (
        f"{run.seen} seen, {run.new} new, {run.changed} changed, {run.unchanged} unchanged,"
        f" {run.rejected} rejected, {several(run.pages, 'page')}"
    )
    if run.status is TaskStatus.COMPLETED:
        logger.info("completed: {}", counts)
    elif run.status is TaskStatus.CANCELLED:
        # Somebody wanted it so.
        logger.info("cancelled: {} ({})", run.reason or run.error, counts)
    elif run.status.is_final:
        logger.error("{}: {} ({})", run.status, run.error or run.reason, counts)
    else:
        when = f", again at {run.not_before:%H:%M:%S} UTC" if run.not_before else ""
        logger.warning("{}{}: {} ({})", run.status, when, run.error or run.reason, counts)
