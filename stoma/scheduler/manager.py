"""The Scheduler: the one place where the parts meet. They start in order and stop in reverse.

    store -> lock -> agenda -> runner -> loop

The loop rings the regular jobs, settles what is due, fills free threads, and sleeps until something can happen.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from datetime import datetime, timedelta
from pathlib import Path
from time import monotonic, sleep

from stoma import metrics
from stoma.errors import Blocked, Problem, StoreError
from stoma.log import log_details, logger
from stoma.notify.alerting import Watching
from stoma.notify.notifier import Notifier
from stoma.scheduler import gone, lastgood
from stoma.scheduler.base import Run, Task, iso
from stoma.scheduler.board import Board
from stoma.scheduler.config import Config, blocked_reason
from stoma.scheduler.following import consequences
from stoma.scheduler.foreground import Foreground
from stoma.scheduler.handle import Handle, TaskState, followed, started
from stoma.scheduler.heartbeat import Heartbeat
from stoma.scheduler.indexing import Indexing
from stoma.scheduler.inforce import InForce
from stoma.scheduler.keeping import Keeper
from stoma.scheduler.loader import Loader
from stoma.scheduler.overview import task_overview
from stoma.scheduler.owner import this_process
from stoma.scheduler.parts import (
    connect,
    hand_run,
    surroundings,
    switch,
    task_named,
)
from stoma.scheduler.runlog import FLUSH_SECONDS, RunLog
from stoma.scheduler.runner import Runner, recover
from stoma.scheduler.sdnotify import Supervisor
from stoma.scheduler.settling import settle_due
from stoma.scheduler.ticker import Ticker
from stoma.scheduler.uptake import Uptake
from stoma.scheduler.watcher import Watcher
from stoma.stores import Store
from stoma.stores.agenda import CLOCK_FAULT

STOP_SECONDS = 6.0
"""How long a graceful stop waits for runs."""

LAST_WORDS_SECONDS = 2.5
"""How long what follows may take; together they stay below ten seconds."""

INDEXING_SECONDS = 0.5
"""How long the index of words may still be built when nothing is left of these."""

DELIVERY_SECONDS = 2.0
"""How long a stop waits for a message that is being sent; after that the next process sends it, as a repeat."""

HEARTBEAT = timedelta(seconds=5)
RESCAN = timedelta(seconds=2)
ALERTS = timedelta(seconds=10)
KEEP = timedelta(seconds=10)
"""How often some of what need not be kept any longer is deleted."""


class Scheduler:
    """Runs the tasks of a configuration; also a context manager that starts and stops."""

    def __init__(
        self,
        config: Config | Path | str | None = None,
        *,
        reload: Loader | None = None,
        clock: Callable[[], datetime] | None = None,
    ) -> None:
        """`config` is a Config or the path of a stoma.yaml; `reload` reads it anew when files were edited.

        A Config that was made in Python has no files. A broken file is replaced by its last good text, if there is one.
        """
        given = config if isinstance(config, Config) else None
        if reload is None and (given is None or given.files):
            path = given.path if given is not None else _path(config)
            reload = Loader(path, base=given.base if given is not None else None)
        first = given or lastgood.at_start(reload or Loader())[0]
        self._in_force = InForce(first, reload)
        self.last_tick: float | None = None
        # Whoever starts this as a process names the one who supervises it.
        self.supervisor = Supervisor()
        self.store: Store = connect(self.config, clock=clock)
        self.store.runs.on_final = consequences(lambda: self.config)
        self.board = Board(lambda: self.config, self.store)
        self.ticker = Ticker()
        self._loop_thread: threading.Thread | None = None
        self._end_asked = False
        self._pausing = threading.Lock()
        self._stopping = threading.Event()
        self._wake = threading.Event()
        self._look_again = threading.Event()
        self._stirred = threading.Event()
        self._around = surroundings(self.config, self.store)
        self.runner = Runner(
            self._around,
            self._task_in_force,
            self.config.max_concurrent_tasks,
            on_end=self._run_ended,
        )
        self._run_log = RunLog(self.runner)
        self._uptake = Uptake(self._in_force, self.store, self.ticker, self.runner, self._around)
        self.watcher = Watcher(self._files_stirred)
        self.heartbeat = Heartbeat(self.store, self._in_force)
        self._keeper = Keeper(self.store)
        self._indexing = Indexing(self.store)
        self._watching = Watching(self.store, lambda: self.config)
        self.notifier = Notifier(self.store, lambda: self.config, still=self._still_seconds)
        self._held = ExitStack()
        self._is_held = False
        self._last_now: datetime | None = None

    # -- starting and stopping -------------------------------------------------------------------------------

    def start(self) -> None:
        """Take the lock, take up the tasks and begin to tick on a thread; returns when that is done."""
        self.hold()
        try:
            now = self._last_now = self.store.now()
            # A file that is broken at the start is told at once.
            self._in_force.look()
            recover(self.store, self._task_in_force, now)
            self.take_up(now)
            self._run_log.install()
            for interval, name, work in (
                (HEARTBEAT, "heartbeat", self.beat),
                (timedelta(seconds=FLUSH_SECONDS), "run logs", self._flush_run_log),
                (min(HEARTBEAT, self.config.lease / 3), "leases", self.runner.keep),
                (RESCAN, "rescan", lambda: self.rescan(settled=True)),
                (ALERTS, "alerts", self._watch),
                (KEEP, "keeping", lambda: self._keeper.ring(self.config.keep)),
            ):
                self.ticker.every(interval, name, work)
            self._run_on_start(now)
            self.last_tick = monotonic()
            self.beat()
            if self._in_force.has_files:
                self.watcher.start(self.config)
        except BaseException:
            self._run_log.close()
            self._held.close()
            self._is_held = False
            raise
        self._loop_thread = threading.Thread(target=self._loop, name="scheduler", daemon=True)
        self._loop_thread.start()
        self._indexing.start()
        self.notifier.start()

    def hold(self) -> None:
        """Take the right to be the one scheduler of a SQLite file; raises SchedulerRunning naming who has it."""
        if not self._is_held:
            who = f"{this_process().described}, since {iso(self.heartbeat.started_at)}"
            self._held.enter_context(self.store.database.sole_scheduler(who))
            self._is_held = True

    def stop(self, seconds: float = STOP_SECONDS) -> None:
        """Stop ticking, let runs end at their next page, give back what is held; within about ten seconds."""
        if self._stopping.is_set():
            return
        until = monotonic() + seconds
        self.supervisor.stopping()
        self._stopping.set()
        self.watcher.stop()
        self.runner.ask_to_stop()
        self._wake.set()
        self.store.database.hurry()
        # A frozen database answers nothing and refuses nothing; nobody should have to wait for it.
        last_words = threading.Thread(target=self._end, args=(until,), name="stopping", daemon=True)
        last_words.start()
        last_words.join(max(0.0, until - monotonic()) + LAST_WORDS_SECONDS)
        self._held.close()

    def _end(self, until: float) -> None:
        try:
            if self._loop_thread is not None:
                self._loop_thread.join(timeout=1.5)
                self.runner.stop(until - monotonic())
                self._run_log.close()
                self._flush_run_log()
                self.heartbeat.leave(self.runner, self.loaded_at)
                self.notifier.stop(min(DELIVERY_SECONDS, until - monotonic()))
                self._indexing.stop(max(INDEXING_SECONDS, until - monotonic()))
        except StoreError as error:
            logger.error("while stopping: {}", error.message)
        finally:
            self.store.close()

    def ask_to_stop(self) -> None:
        """Let `wait_for_end` return; may be called from a signal handler, so it takes no lock of ours."""
        self._end_asked = True

    def wait_for_end(self, is_well: Callable[[], bool] = lambda: True) -> bool:
        """Wait until somebody asks for the end (True), or the loop is dead or all is not well any more (False)."""
        # A short sleep instead of an Event: a signal handler that sets an Event can deadlock on its lock.
        while not self._end_asked and self._loop_thread is not None and self._loop_thread.is_alive():
            if not is_well():
                return False
            sleep(0.1)
        return self._end_asked

    @property
    def config(self) -> Config:
        """The configuration in force."""
        return self._in_force.config

    @property
    def loaded_at(self) -> datetime | None:
        """When what is in force was taken up."""
        return self._uptake.loaded_at

    @property
    def generation(self) -> int:
        """Counts the configurations that were in force in this process."""
        return self._in_force.generation

    @property
    def errors(self) -> list[Problem]:
        """What is wrong with the files just now; the text before stays in force."""
        return self._in_force.errors

    @property
    def broken_seconds(self) -> float:
        """For how long something has been wrong with the files; 0 where nothing is."""
        since = self._in_force.broken_since
        return monotonic() - since if since is not None else 0.0

    @property
    def restart_needed(self) -> list[str]:
        """What was edited and only a restart brings into force, as it is written: `store.url`."""
        return self._in_force.restart_needed

    @property
    def is_running(self) -> bool:
        """True between start and stop."""
        return self._loop_thread is not None and not self._stopping.is_set()

    @property
    def is_alive(self) -> bool:
        """True while the loop thread lives and ticked within the last half minute."""
        thread, last = self._loop_thread, self.last_tick
        return thread is not None and thread.is_alive() and last is not None and monotonic() - last < 30

    def _still_seconds(self) -> float | None:
        """For how long the loop has not turned; None where it need not."""
        if self.last_tick is None or not self.is_running:
            return None
        return monotonic() - self.last_tick

    def __enter__(self) -> Scheduler:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    # -- tasks -----------------------------------------------------------------------------------------------

    def add_task(self, task: Task) -> None:
        """Add a task for the life of this process; raises ConfigError when its id is taken."""
        self._in_force.add(task)
        # The loop takes it up: the ticker is its own.
        self._uptake.note(task.id)
        self._wake.set()

    def _task_in_force(self, task_id: str) -> Task | None:
        return self.config.tasks.get(task_id)

    def task(self, task_id: str) -> TaskState:
        """How a task stands; raises NotFound."""
        task = task_named(self.config, task_id)
        last = self.store.runs.last_of_each([task_id]).get(task_id)
        [row] = task_overview(self.config, self.store, self.store.now(), task_id)
        due = row["next_run"]
        return TaskState(
            id=task.id,
            status=last.status if last else None,
            next_run=datetime.fromisoformat(due) if due else None,
            last_run=(last.started_at or last.created_at) if last else None,
            enabled=row["enabled"],
            blocked=blocked_reason(task, self.config),
        )

    def run_task_now(self, task_id: str) -> Handle:
        """Run a task at once: queued when the scheduler runs, else on a thread of its own; `await` the result."""
        task = task_named(self.config, task_id)
        if self.is_running:
            return followed(self.store, self.queue(task), self._stopping)
        around = surroundings(self.config, self.store)
        return started(Foreground(around, [task], slots=1))

    def queue(self, task: Task, reason: str | None = None) -> Run:
        """Put a run of the task into the queue; raises Blocked when it cannot run now."""
        blocked = blocked_reason(task, self.config)
        if blocked is not None:
            raise Blocked(f"{task.id} is blocked: {blocked}")
        run = self.store.runs.add(hand_run(task, reason), self.store.now())
        self.board.forget()
        self._wake.set()
        return run

    def queue_all(self, reason: str) -> list[Run]:
        """Put a run of every task that can run into the queue."""
        overrides = self.store.agenda.overrides()
        return [
            self.queue(task, reason)
            for task in self.config.tasks.values()
            if overrides.get(task.id, task.enabled) and blocked_reason(task, self.config) is None
        ]

    def enable(self, task_id: str, enabled: bool) -> None:
        """Switch a task on or off, for good."""
        switch(self.store, task_named(self.config, task_id), enabled)
        self._changed()
        self._wake.set()

    def cancel(self, run_id: int) -> Run:
        """End a run: one that waits at once, one that works at its next page. Raises NotFound, UsageError."""
        run = self.store.runs.ask_cancel(run_id, self.store.now())
        self.board.forget()
        self._wake.set()
        return run

    def retry(self, run_id: int) -> Run:
        """Begin a run again that ended without success, or end its wait. Raises NotFound, UsageError."""
        # Raises where the task is declared no more: its run would only be cancelled.
        task_named(self.config, self.store.runs.get(run_id).task_id)
        run = self.store.runs.again(run_id, self.store.now())
        self.board.forget()
        self._wake.set()
        return run

    def pause(self) -> None:
        """Start nothing more, for good; what runs ends. What falls due meanwhile is skipped as paused."""
        with self._pausing:
            self.store.agenda.pause(True, self.store.now())
            self.runner.pause(True)
        self._changed()

    def resume(self) -> None:
        """End the pause."""
        # What fell due until now belongs to the pause.
        self.store.agenda.pause(False, self.store.now())
        self._changed()
        self._wake.set()

    # -- the loop --------------------------------------------------------------------------------------------

    def _loop(self) -> None:
        pause = 0.0
        while not self._stopping.wait(pause):
            try:
                began = monotonic()
                self.turn()
                self.last_tick = monotonic()
                metrics.TICK.observe(self.last_tick - began)
                self.supervisor.alive()
                most = self.supervisor.within(self.config.check_interval.total_seconds())
                self._wake.wait(self.ticker.idle_seconds(self.store.now(), most))
                self._wake.clear()
                pause = 0.0
            except StoreError as error:
                if self._stopping.is_set():
                    return
                # Alive and waiting for the store is not dead: `ready` tells the two apart.
                self.last_tick = monotonic()
                self.supervisor.alive()
                self.supervisor.status(f"the store failed: {error.message}")
                metrics.TICK_ERRORS.add()
                metrics.STORE_ERRORS.add()
                pause = self.supervisor.within(min(max(1.0, pause * 2), 15.0))
                self.notifier.store_failed(error.message)
                logger.error("the store failed, trying again in {:.0f} s: {}", pause, error.message)
            except Exception as error:  # the loop must outlive every mistake
                metrics.TICK_ERRORS.add()
                pause = min(max(1.0, pause * 2), 15.0)
                logger.error("the scheduler stumbled, going on in {:.0f} s: {!r}", pause, error)
                log_details(error)

    def turn(self) -> None:
        """What the loop does each time: the regular jobs, edits, what is due, and runs for free threads."""
        self.ticker.ring()
        if self._look_again.is_set() or self._stirred.is_set():
            asked = self._look_again.is_set()
            self._look_again.clear()
            self._stirred.clear()
            self.rescan(settled=not asked)
        self._uptake.finish()
        now = self.store.now()
        self._watch_clock(now)
        self.tick(now)
        self.runner.heed_cancels()
        # Together, or what was read just before a pause would end it.
        with self._pausing:
            self.runner.pause(self.store.agenda.paused_since() is not None)
        self.runner.fill()

    def _watch_clock(self, now: datetime) -> None:
        """A clock that was ahead and is right again: what it left in the future would stall every task."""
        before, self._last_now = self._last_now, now
        if before is not None and before - now > CLOCK_FAULT:
            logger.warning(
                "the clock went back from {} to {}; due instants begin anew", iso(before), iso(now)
            )
            self.store.runs.wait_no_more()
            self.take_up(now)

    def tick(self, now: datetime) -> list[int]:
        """Settle every task that is due at `now`; gives the runs that came of it."""
        if not self.ticker.is_due(now):
            return []
        made = settle_due(self.store, self.ticker, self.config, now)
        self._went_on()
        return made

    # -- regular jobs ----------------------------------------------------------------------------------------

    def beat(self) -> None:
        """Say that this process lives, in the store and in the state file."""
        try:
            self.heartbeat.beat(self.runner, self.loaded_at)
        except StoreError as error:
            self.notifier.store_failed(error.message)
            raise
        self.notifier.store_works()
        self.supervisor.status(
            sentence(
                len(self.config.tasks), len(self.runner.working), self.errors, paused=self.runner.is_paused
            )
        )

    def rescan(self, *, settled: bool = False) -> None:
        """Take up edited files; what is broken is reported and stays as it was.

        `settled` leaves files alone that somebody seems to be writing just now.
        """
        before = self.generation
        if self._uptake.rescan(self.tick, settled=settled):
            self._changed()
            self.beat()
        if self.generation != before:
            self.supervisor.reloaded()
        self.watcher.aim(self.config)

    def _watch(self) -> None:
        if self._watching.look(self.errors, self._around.network):
            self.notifier.wake()

    def _files_stirred(self) -> None:
        self._stirred.set()
        self._wake.set()

    def _flush_run_log(self) -> None:
        self._run_log.flush(self.store, self.store.now())

    def look_again(self) -> None:
        """Take up edited files with the next turn of the loop, instead of with the next rescan."""
        self._look_again.set()
        self._wake.set()

    def _changed(self) -> None:
        """Something that is shown is no longer so."""
        self.heartbeat.note_change()
        self.board.forget()

    def _went_on(self) -> None:
        """The same by itself, which may be hundreds of times a second."""
        self.heartbeat.note_change()
        self.board.stir()

    def _run_ended(self, run: Run) -> None:
        self._went_on()
        self._indexing.note()
        self.notifier.wake()
        self._wake.set()

    def take_up(self, now: datetime) -> None:
        """Bring what is in force to those who work by it."""
        self._uptake.take_up(now)
        self._changed()

    def _run_on_start(self, now: datetime) -> None:
        overrides, is_gone = self.store.agenda.overrides(), self.store.agenda.switches().gone
        for task in self.config.tasks.values():
            wanted = task.run_on_start and overrides.get(task.id, task.enabled)
            if not wanted or blocked_reason(task, self.config) or gone.told(task, is_gone.get(task.id)):
                continue
            if not self.store.runs.open_of(task.id):
                self.store.runs.add(hand_run(task, "run_on_start"), now)


def sentence(tasks: int, working: int, errors: Sequence[Problem], *, paused: bool) -> str:
    """What a supervisor shows of a scheduler."""
    if errors:
        return f"a file is broken, all goes on as before the edit: {errors[0]}"
    told = f"{tasks} {'task' if tasks == 1 else 'tasks'}, {working or 'none'} running"
    return f"{told}, paused" if paused else told


def _path(given: object) -> Path | None:
    return Path(given) if isinstance(given, str | Path) else None


if __name__ == "__main__":
    from stoma.scheduler.alone import main

    raise SystemExit(main())
