"""Time as the HTTP client keeps it: nothing waits without an ear for a stop, nothing outlives the deadline."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime

from stoma.collectors.base import Deadline
from stoma.errors import DeadlineExceeded, StomaError, Stopped, Unreachable


@dataclass(frozen=True, slots=True)
class Limits:
    """How patient a client is, in seconds, and how much it takes, in bytes."""

    asks: int = 3
    pauses: tuple[float, ...] = (1.0, 4.0)
    patience: float = 30.0
    # The same where a request was made that comes to nothing without the next one: a redirect, a page in parts.
    midway: float = 120.0
    connect: float = 10.0
    silence: float = 30.0
    # One request from its beginning to its last byte.
    request: float = 120.0
    # After a stop, for the request under way.
    grace: float = 3.0
    # Where a source asks for patience without saying how much.
    cooling: float = 60.0
    body: int = 64 << 20
    redirects: int = 5


class Clock:
    """The time of day, and a wait that `stopping` ends early; tests hand in another one."""

    def now(self) -> datetime:
        """The present moment, aware UTC."""
        return datetime.now(UTC)

    def wait(self, stopping: threading.Event, seconds: float) -> bool:
        """Wait; True when asked to stop."""
        return stopping.wait(seconds)


class Watch:
    """Keeps the deadline of a run and listens for its stop, also while a request is under way."""

    def __init__(
        self,
        deadline: Deadline,
        stopping: threading.Event,
        limits: Limits,
        clock: Clock,
        cut: Callable[[], None],
    ) -> None:
        """`cut` ends the request under way; it is called from a thread of the watch's own."""
        self._deadline = deadline
        self._stopping = stopping
        self._limits = limits
        self._clock = clock
        self._cut = cut
        self._over = threading.Event()
        self._thread: threading.Thread | None = None
        # When the request under way began, by the clock that never jumps.
        self._began: float | None = None

    def now(self) -> datetime:
        """The present moment, aware UTC."""
        return self._clock.now()

    def left(self) -> float:
        """Seconds until the deadline, zero or less when it has passed."""
        return self._deadline.remaining()

    def check(self) -> None:
        """Raise Stopped or DeadlineExceeded if it is time to."""
        if self._stopping.is_set():
            raise Stopped("asked to stop")
        if self.left() <= 0:
            raise DeadlineExceeded("the time of the run is up")

    def wait(self, seconds: float) -> None:
        """Wait, unless that would outlive the deadline."""
        if seconds > 0 and seconds >= self.left():
            raise DeadlineExceeded("the time of the run is up before the next request may be made")
        if seconds > 0 and self._clock.wait(self._stopping, seconds):
            raise Stopped("asked to stop")
        self.check()

    @contextmanager
    def request(self) -> Iterator[None]:
        """Have what happens inside cut when time is up: a time-out of a socket only knows silence."""
        if self._thread is None:
            self._thread = threading.Thread(target=self._keep, name="http-watch", daemon=True)
            self._thread.start()
        self._began = time.monotonic()
        try:
            yield
        finally:
            self._began = None

    def why(self, url: str) -> StomaError:
        """Why the request under way was cut."""
        if self._stopping.is_set():
            return Stopped("asked to stop")
        if self.left() <= 0:
            return DeadlineExceeded(f"the time of the run was up while {url} was answering")
        return Unreachable(f"{url} took more than {self._limits.request:g} s for one answer")

    def close(self) -> None:
        """Watch no longer."""
        self._over.set()

    def _keep(self) -> None:
        stopped: float | None = None
        while not self._over.wait(0.2):
            now, began = time.monotonic(), self._began
            if self._stopping.is_set() and stopped is None:
                stopped = now
            if began is None:
                continue
            is_grace_over = stopped is not None and now - stopped > self._limits.grace
            if is_grace_over or self.left() <= 0 or now - began > self._limits.request:
                self._cut()
