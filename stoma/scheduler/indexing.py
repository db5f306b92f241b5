"""Builds the index of words right behind the writers: a thread that takes up what they have stored.

It is modest, for it shares processor and database with the runs: it waits until nothing has been stored for a moment,
and where that does not come it works in between, most of the time resting. A stop lets it finish, as long as there is
time; what is left over, also after a kill, waits in the store for the next process.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from contextlib import suppress
from time import monotonic

from stoma import metrics
from stoma.errors import StomaError, StoreUnavailable
from stoma.log import log_details, logger
from stoma.scheduler.overview import is_scheduler_running
from stoma.stores import Store

LOOK_SECONDS = 2.0
"""How often the queue is looked at while nobody says that something was stored."""

QUIET_SECONDS = 0.2
"""How long nothing has to be stored for the writers to be at rest."""

PATIENCE_SECONDS = 10.0
"""How long that is waited for."""

RESTS = 2.0
"""How much longer it rests than it works while the writers are busy."""

RETRY_SECONDS = 5.0
"""How long it waits when the store fails."""

LATE_SECONDS = 3.0
"""A finish that takes longer is told."""

STEP_SECONDS = 0.05
"""How often a finish looks whether it is to be cut short."""


class Indexing:
    """Takes up what is stored, from `start` to `stop`."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._stirred = threading.Event()
        self._ending = threading.Event()
        # Until when it goes on although it is to end.
        self._give_up_at = float("inf")
        self._thread = threading.Thread(target=self._run, name="indexing", daemon=True)

    def start(self) -> None:
        """Begin, on a thread of its own."""
        self._thread.start()

    def note(self) -> None:
        """Something was stored."""
        self._stirred.set()

    def stop(self, seconds: float = float("inf"), is_cut_short: Callable[[], bool] = lambda: False) -> None:
        """Take up what is left, for at most so long or until `is_cut_short`, and end."""
        if not self._thread.is_alive():
            return
        began = monotonic()
        self._give_up_at = began + seconds
        self._ending.set()
        self._stirred.set()
        is_told = False
        while self._thread.is_alive() and monotonic() < self._give_up_at:
            self._thread.join(STEP_SECONDS)
            if is_cut_short():
                self._give_up_at = min(self._give_up_at, monotonic())
            if not is_told and monotonic() - began > LATE_SECONDS and seconds > 2 * LATE_SECONDS:
                is_told = True
                logger.warning(
                    "the search index is being brought up to date; interrupt it, and it is done next time"
                )
        # One batch may be under way.
        self._thread.join(1.0)

    def _run(self) -> None:
        is_failing = False
        while True:
            is_last = self._ending.is_set()
            try:
                self._catch_up()
                is_failing = False
            except Exception as error:  # the thread must outlive every mistake
                if is_last or self._ending.is_set():
                    return
                if not is_failing:
                    told = error.message if isinstance(error, StomaError) else repr(error)
                    logger.error("the search index has to wait, and is tried again: {}", told)
                    log_details(error)
                is_failing = True
                self._ending.wait(RETRY_SECONDS)
            if is_last:
                return
            self._stirred.wait(LOOK_SECONDS)
            self._stirred.clear()

    def _catch_up(self) -> None:
        """Take up what is queued, batch by batch, until nothing is."""
        search = self._store.search
        last = self._rested()
        taken = 0
        while last is not None and monotonic() < self._give_up_at:
            began = monotonic()
            count = search.index.take_up()
            if count is None:
                break
            taken += count
            metrics.INDEXED.add(by=count)
            before, last = last, search.last_queued()
            if last is not None and last > before:
                self._ending.wait(RESTS * (monotonic() - began))
        if taken:
            search.index.tidy()

    def _rested(self) -> int | None:
        """What was queued last, when nothing more is coming for a moment, or has been coming for too long."""
        until = monotonic() + PATIENCE_SECONDS
        last = self._store.search.last_queued()
        while last is not None and monotonic() < until and not self._ending.wait(QUIET_SECONDS):
            before, last = last, self._store.search.last_queued()
            if last == before:
                break
        return last


def catch_up_here(store: Store, seconds: float) -> None:
    """Take up what is queued where no scheduler does it; who may only read has to go without."""
    with suppress(StoreUnavailable):
        if store.search.last_queued() is not None and not is_scheduler_running(store, store.now()):
            take_up_here(store, seconds)


def take_up_here(store: Store, seconds: float) -> bool:
    """Take up what is queued, on this thread, for about so long; True when nothing is left."""
    until = monotonic() + seconds
    taken = 0
    while (count := store.search.index.take_up()) is not None:
        taken += count
        if monotonic() > until:
            return False
    if taken:
        store.search.index.tidy()
    return True
