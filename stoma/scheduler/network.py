"""Whether this machine has a network at all: told by what failed and what answered, and by the time handed in.

An outage begins when three public hosts could not be connected to within two minutes and none answered meanwhile; it
ends with the first answer. While it lasts one run at a time may try.
"""

from __future__ import annotations

import threading
from datetime import datetime, timedelta

from stoma.hosts import budget_name, is_private

ENOUGH = 3
"""How many hosts must fail: one or two are their own trouble."""

WITHIN = timedelta(minutes=2)
FIRST_WAIT = timedelta(seconds=30)
LONGEST_WAIT = timedelta(minutes=5)

LOST_AFTER = timedelta(minutes=10)
"""A run that was let try and says nothing for so long counts as failed."""

INSIDE = (".local", ".internal", ".home.arpa")
"""Endings of names that lead to no public host (RFC 6762, ICANN 2024, RFC 8375)."""


class Network:
    """What the runs of one process know together; may be told by several threads."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        # The last failure of each host; during an outage all that failed since it began.
        self._failed: dict[str, datetime] = {}
        self._since: datetime | None = None
        self._wait = FIRST_WAIT
        # When a public host answered last.
        self.answered_at: datetime | None = None
        # When the next run may try, or when the one that does counts as lost.
        self._next: datetime | None = None
        self._is_probing = False

    @property
    def is_out(self) -> bool:
        """True while there is no network."""
        return self._since is not None

    @property
    def since(self) -> datetime | None:
        """When the first of the failures was that made the outage; None when there is none."""
        return self._since

    @property
    def hosts(self) -> tuple[str, ...]:
        """The hosts that could not be connected to, in the outage or lately."""
        with self._lock:
            return tuple(sorted(self._failed))

    @property
    def probe_at(self) -> datetime | None:
        """When the next run may try; while one does, when it counts as lost; None without an outage."""
        return self._next

    def failed(self, host: str, now: datetime) -> bool:
        """No connection to `host` could be made; True exactly when an outage begins with it."""
        name = budget_name(host)
        if not is_public(name):
            return False
        with self._lock:
            if self._since is not None:
                self._failed[name] = now
                if self._is_probing:
                    self._wait_longer(now)
                return False
            # What lies in the future was written before the clock was set back.
            recent = {key: at for key, at in self._failed.items() if abs(now - at) <= WITHIN}
            self._failed = recent | {name: now}
            if len(self._failed) < ENOUGH:
                return False
            self._since = min(self._failed.values())
            self._wait, self._next, self._is_probing = FIRST_WAIT, now + FIRST_WAIT, False
            return True

    def answered(self, host: str, now: datetime) -> bool:
        """`host` answered, with whatever; True exactly when this ends an outage."""
        if not is_public(budget_name(host)):
            return False
        with self._lock:
            was_out, self.answered_at = self._since is not None, now
            self._failed, self._since, self._next, self._is_probing = {}, None, None, False
            return was_out

    def may_probe(self, now: datetime) -> bool:
        """True when a run may ask a public host: always without an outage, else for one run at a time.

        Whoever gets True during an outage asks, and reports by `failed` or `answered`, or else by `withdrew`.
        """
        with self._lock:
            if self._since is None or self._next is None:
                return True
            if self._is_probing and now >= self._next:
                self._wait_longer(self._next)
            # A wait that seems longer than any was written before the clock was set back.
            if now < self._next <= now + (LOST_AFTER if self._is_probing else LONGEST_WAIT):
                return False
            self._next, self._is_probing = now + LOST_AFTER, True
            return True

    def withdrew(self, now: datetime) -> None:
        """The run that was let try ended without asking anybody: the next one may."""
        with self._lock:
            if self._is_probing:
                self._next, self._is_probing = now, False

    def _wait_longer(self, failed_at: datetime) -> None:
        self._wait = min(self._wait * 2, LONGEST_WAIT)
        self._next, self._is_probing = failed_at + self._wait, False


def is_public(name: str) -> bool:
    # A name without a dot is known to the own network only; an address of IPv6 has none either.
    if not name or is_private(name) or name.endswith(INSIDE):
        return False
    return "." in name or ":" in name
