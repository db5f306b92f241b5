"""The thread that sends, so that no run and no tick waits for a service; and what it tells while the store is away."""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from time import monotonic

from stoma.errors import StoreError
from stoma.log import log_details, logger
from stoma.notify import deciding, messages, services
from stoma.notify.alerting import letters, place_of
from stoma.notify.deciding import Trouble
from stoma.notify.sending import Send, Sender, kind_of
from stoma.scheduler.config import Config
from stoma.stores import Store
from stoma.stores.aside import answered
from stoma.stores.outbox import STORE, Alert, Letter

IDLE_SECONDS = 5.0
"""How often the outbox is looked at when nobody says that something is in it."""

REST_SECONDS = 20.0
"""How long an address is left alone after a delivery: three hundred tasks that fail at once are a few messages."""

STILL_SECONDS = 60.0
"""When the loop stands still for so long, the store is asked whether that is why."""

ASK_EVERY = 15.0

STORE_GRACE = timedelta(minutes=1)
"""How long the store may be away before anybody is told: a database that is restarted is no news."""


SILENCE = "the store does not answer"


@dataclass(frozen=True, slots=True)
class Direct:
    """A message that cannot be kept, because the store is what fails."""

    letter: Letter
    not_before: datetime
    tries: int = 0


class StoreTrouble:
    """What is told of a store that cannot be used: known to this process only, best effort, by the same rules."""

    def __init__(self, config: Callable[[], Config], sender: Sender) -> None:
        self._config = config
        self._sender = sender
        self._lock = threading.Lock()
        self._failure: tuple[datetime, str] | None = None
        # Found by asking, and over when an answer comes; else when something could be written.
        self._is_silence = False
        self._alert: Alert | None = None
        self._waiting: list[Direct] = []

    def failed(self, message: str, now: datetime) -> None:
        """The store could not be used just now."""
        with self._lock:
            since = self._failure[0] if self._failure else now
            # What lies in the future was noted before the clock was set back.
            self._failure, self._is_silence = (min(since, now), message), False

    def works(self) -> None:
        """The store was read and written."""
        with self._lock:
            self._failure = None

    def silent(self, since: datetime) -> None:
        """The store neither answers nor refuses, and whoever would tell waits for it."""
        with self._lock:
            if self._failure is None:
                self._failure, self._is_silence = (since, SILENCE), True

    def answered(self) -> None:
        """The store answers; what it cannot do beside that is for others to tell."""
        with self._lock:
            if self._is_silence:
                self._failure, self._is_silence = None, False

    def round(self, now: datetime) -> None:
        """Tell what is to be told, and try again what did not arrive."""
        with self._lock:
            failure = self._failure
        config, before = self._config(), self._alert
        decision = None
        if failure is not None and (before is not None or now - failure[0] >= STORE_GRACE):
            wrong = Trouble(STORE, "store", failure[0], messages.tidy(failure[1]))
            decision = deciding.trouble(before, wrong, config.notify, now)
        elif failure is None and before is not None:
            decision = deciding.over(before, config.notify)
            # The end tells all that nobody was told yet.
            self._waiting.clear()
        if decision is not None:
            self._alert, subject = decision.alert, decision.alert or before
            if decision.told is not None and subject is not None:
                text = messages.of_process(
                    subject, decision.told, place_of(config), socket.gethostname(), now
                )
                if decision.told == deciding.REMINDER:
                    self._waiting.clear()
                found = letters(config, config.notify.to, STORE, decision.told, "store", text)
                self._waiting += [Direct(letter, now) for letter in found]
        self._waiting = [left for one in self._waiting if (left := self._try(config, one, now))]

    def _try(self, config: Config, one: Direct, now: datetime) -> Direct | None:
        """Send a message whose time has come; what is left of it."""
        # Further off than any next try is: the clock was set back.
        if now < one.not_before <= deciding.next_try(one.tries + 1, now):
            return one
        letter = one.letter
        error = self._sender.send_to(config, letter.address, letter.title, letter.body, kind_of([letter]))
        if error is None:
            return None
        logger.warning("alerts to {} cannot be sent: {}", letter.target, error)
        return replace(one, tries=one.tries + 1, not_before=deciding.next_try(one.tries + 1, now))


class Notifier:
    """Two threads of its own between `start` and `stop`: one lives by the outbox, and waits where the store does."""

    def __init__(
        self,
        store: Store,
        config: Callable[[], Config],
        *,
        send: Send = services.send_within,
        clock: Callable[[], datetime] = lambda: datetime.now(UTC),
        still: Callable[[], float | None] = lambda: 0.0,
    ) -> None:
        """`still`: for how many seconds the loop has not turned; None when it need not any more."""
        self._store = store
        self._clock = clock
        self._still = still
        self._ask_at = 0.0
        self._sender = Sender(store, config, send, REST_SECONDS)
        self._store_trouble = StoreTrouble(config, self._sender)
        self._wake = threading.Event()
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._loop, name="notifier", daemon=True)
        self._store_thread = threading.Thread(target=self._watch_store, name="store watch", daemon=True)

    def start(self) -> None:
        """Begin to send, first of all what was left behind."""
        self._wake.set()
        self._thread.start()
        self._store_thread.start()

    def stop(self, seconds: float) -> None:
        """Begin no further delivery, and wait for the one under way."""
        self._stopping.set()
        self._wake.set()
        until = monotonic() + max(0.0, seconds)
        for thread in (self._thread, self._store_thread):
            if thread.is_alive():
                thread.join(max(0.0, until - monotonic()))

    def wake(self) -> None:
        """Something may wait to be sent."""
        self._wake.set()

    def store_failed(self, message: str) -> None:
        """The store could not be used just now."""
        self._store_trouble.failed(message, self._clock())

    def store_works(self) -> None:
        """The store was written just now."""
        self._store_trouble.works()

    def _loop(self) -> None:
        while not self._stopping.is_set():
            self._wake.wait(IDLE_SECONDS)
            self._wake.clear()
            if self._stopping.is_set():
                return
            try:
                self._sender.round(lambda: not self._stopping.is_set())
            except StoreError as error:
                # Who writes tells it; here it only means to try again.
                logger.debug("the outbox cannot be read: {}", error.message)
            except Exception as error:  # the thread must outlive every mistake
                logger.error("sending alerts: {!r}", error)
                log_details(error)

    def _watch_store(self) -> None:
        while not self._stopping.wait(IDLE_SECONDS):
            try:
                still = self._still()
                if still is None:
                    return
                self.ask_store(still)
                self._store_trouble.round(self._clock())
            except Exception as error:  # the thread must outlive every mistake
                logger.error("watching the store: {!r}", error)
                log_details(error)

    def ask_store(self, still: float) -> None:
        """Find out whether a loop that stood still for so many seconds waits for a store that says nothing at all."""
        if still < STILL_SECONDS:
            self._store_trouble.answered()
            return
        if monotonic() < self._ask_at:
            return
        self._ask_at = monotonic() + ASK_EVERY
        try:
            answered(self._store.database, self._store.agenda.paused_since, "alerts")
        except StoreError:
            self._store_trouble.silent(self._clock() - timedelta(seconds=still))
        else:
            self._store_trouble.answered()


def deliver(store: Store, config: Config, seconds: float) -> int:
    """Send what waits, for so long at most: for a process that ends. Gives how many messages arrived."""
    until = monotonic() + seconds

    def send(url: str, title: str, body: str, kind: str) -> str | None:
        return services.send_within(url, title, body, kind, max(0.5, until - monotonic()))

    if not services.is_installed():
        return Sender(store, lambda: config).round()
    return Sender(store, lambda: config, send).round(lambda: monotonic() < until)
