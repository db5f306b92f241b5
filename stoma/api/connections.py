"""Connections of waitress with what it lacks: a time limit for whole requests and for slow readers, and a limit that
fits the open files of this process. Its own refusals are told in our form.
"""

from __future__ import annotations

import json
import logging
import socket
import time
from collections.abc import Callable
from contextlib import suppress

from waitress.channel import HTTPChannel
from waitress.task import ErrorTask

from stoma.api.guard import HEADERS
from stoma.log import logger

MOST = 2_000
"""Connections that are open at once."""

FILES_OF_THE_REST = 300
"""Open files that databases, runs and logs may need."""

LARGEST_HEAD = 32_768
"""Bytes of the first line and the headers of a request."""

IDLE_SECONDS = 30.0
"""How long nobody needs to say anything."""

CROWDED_SECONDS = 5.0
"""The same while four fifths of the connections are taken."""

INCOMPLETE_SECONDS = 30.0
"""How long a request may take to arrive, however steadily it drips."""

STALLED_SECONDS = 30.0
"""How long a client may leave an answer lying that is ready to be read."""

DRAIN_SECONDS = 2.0
MOST_DRAINED = 16_000_000
"""How long, and how many bytes of a request are thrown away that was refused already."""

SWEEP_SECONDS = 1.0

TOLD = {
    400: ("the request cannot be understood", "it is not HTTP as it should be"),
    413: ("the request is too large", "a body has less than 1 MB"),
    431: (
        "the head of the request is too large",
        f"address and headers have less than {LARGEST_HEAD // 1024} KB",
    ),
    501: ("the request is sent in a way that is not known here", ""),
}
"""What waitress refuses before anything of ours sees it."""

# Says for each request that has to wait that it has to wait.
logging.getLogger("waitress.queue").setLevel(logging.ERROR)


class Refused(ErrorTask):  # type: ignore[misc]
    """An answer to what cannot be understood, in the form of all others; it repeats nothing of what was sent."""

    def execute(self) -> None:
        """Send it; the connection ends with it."""
        error = self.request.error
        message, hint = TOLD.get(error.code, ("the request could not be answered", "see the log"))
        told = json.dumps({"error": error.reason, "message": message, "hint": hint}).encode()
        self.status = f"{error.code} {error.reason}"
        self.response_headers.extend({**HEADERS, "Content-Type": "application/json; charset=utf-8"}.items())
        self.channel.has_refused = True
        self.set_close_on_finish()
        self.content_length = len(told)
        self.write(told)


class Channel(HTTPChannel):  # type: ignore[misc]
    """A connection that remembers since when its client lets us wait."""

    error_task_class = Refused
    close_when_flushed: bool
    # When the request began that has not arrived wholly; None between requests.
    began: float | None = None
    # A request was refused before it had arrived; the rest of it may still be on its way.
    has_refused = False
    # Since when that is thrown away, and how many bytes it was.
    draining: float | None = None
    drained = 0
    # Since when nothing was read of what is ready, and when something was sent last before that.
    stalled: tuple[float, float] | None = None

    def received(self, data: bytes) -> bool:
        """Take what the client has sent."""
        if self.draining is not None:
            self.drained += len(data)
            if self.drained > MOST_DRAINED:
                self.handle_close()
            return False
        before = self.request
        taken = bool(super().received(data))
        if self.request is None:
            self.began = None
        elif self.request is not before:
            self.began = time.monotonic()
        return taken

    def handle_write(self) -> None:
        """Send what is ready. A refusal is read only by a client that may first send what it began to send.

        Closed with something unread, a connection is reset, and the answer is lost with it.
        """
        if not (self.has_refused and self.close_when_flushed):
            super().handle_write()
            return
        self.close_when_flushed = False
        super().handle_write()
        if self.total_outbufs_len:
            self.close_when_flushed = True
        elif self.connected and not self.will_close:
            self.draining = time.monotonic()
            with suppress(OSError):
                self.socket.shutdown(socket.SHUT_WR)

    def is_overdue(self, now: float, *, is_crowded: bool) -> bool:
        """Whether the client has let us wait for too long; `now` on the clock of `time.monotonic`."""
        if self.draining is not None:
            return now - self.draining > DRAIN_SECONDS
        if self.total_outbufs_len:
            if self.stalled is None or self.stalled[1] != self.last_activity:
                self.stalled = now, self.last_activity
            return now - self.stalled[0] > STALLED_SECONDS
        self.stalled = None
        if self.requests:
            return False
        if self.began is not None:
            return now - self.began > INCOMPLETE_SECONDS
        # By the clock of waitress, which may be set; both ways it counts.
        silent: float = abs(time.time() - self.last_activity)
        return silent > (CROWDED_SECONDS if is_crowded else IDLE_SECONDS)


class Sweeper:
    """Closes what is overdue; called by the thread that serves, between two of its turns."""

    def __init__(self, channels: Callable[[], list[Channel]], most: int) -> None:
        self._channels, self._most = channels, most
        self._next = 0.0

    def sweep(self, now: float) -> None:
        """Look through all connections, at most once a second."""
        if now < self._next:
            return
        self._next = now + SWEEP_SECONDS
        channels = self._channels()
        is_crowded = len(channels) > 0.8 * self._most
        for channel in channels:
            if channel.is_overdue(now, is_crowded=is_crowded):
                # At once: who does not read would never let it be closed in order.
                channel.handle_close()


def allowed(files: int) -> int:
    """Connections for a process that may have so many files open: a body and an answer may need one each, too."""
    return max(20, min(MOST, (files - FILES_OF_THE_REST) // 3))


def make_room() -> int:
    """How many connections may be open; raises what the process allows itself, as far as the system lets it."""
    try:
        import resource
    except ImportError:  # pragma: no cover — Windows
        return 400
    wanted = 3 * MOST + FILES_OF_THE_REST
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    most = wanted if hard == resource.RLIM_INFINITY else min(wanted, hard)
    if soft != resource.RLIM_INFINITY and soft < most:
        try:
            resource.setrlimit(resource.RLIMIT_NOFILE, (most, hard))
            soft = most
        except (OSError, ValueError) as error:  # a container may forbid it
            logger.debug("the limit of open files stays {}: {}", soft, error)
    found = MOST if soft == resource.RLIM_INFINITY else allowed(soft)
    if found < MOST:
        logger.warning(
            "at most {} connections at once instead of {}: this process may have {} files open;"
            " allow {} (LimitNOFILE= of systemd, ulimit -n)",
            found, MOST, soft, wanted,
        )  # fmt: skip
    return found
