"""The budget of hosts in memory, and a clock that moves only when somebody waits on it: DESIGN.md's rules, no sleep."""

from __future__ import annotations

import threading
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta

from stoma.collectors.patience import Clock
from stoma.errors import HostWait
from stoma.hosts import ANSWERED, Grant, HostRule, Outcome, budget_name, rule_for

START = datetime(2026, 11, 23, 9, 0, tzinfo=UTC)


class FakeClock(Clock):
    """Time that passes only while somebody waits; `waits` keeps how long each wait was."""

    def __init__(self, start: datetime = START) -> None:
        self.start = start
        self.passed = 0.0
        self.waits: list[float] = []

    def now(self) -> datetime:
        """The time of day."""
        return self.start + timedelta(seconds=self.passed)

    def monotonic(self) -> float:
        """Seconds that passed."""
        return self.passed

    def wait(self, stopping: threading.Event, seconds: float) -> bool:
        """Let time pass at once, unless asked to stop."""
        if not stopping.is_set():
            self.waits.append(round(seconds, 3))
            self.passed += seconds
        return stopping.is_set()


class MemoryBudget:
    """Keeps the rules for one process, as the store keeps them for all; `events` tells what was asked of it."""

    def __init__(self, clock: FakeClock, rules: Mapping[str, HostRule] | None = None) -> None:
        self.clock = clock
        self.rules = rules or {}
        self.events: list[tuple[str, ...]] = []
        self.cooling: dict[str, datetime] = {}
        self.next_at: dict[str, datetime] = {}
        self.in_use: dict[int, str] = {}
        self.holds: list[timedelta] = []
        self.outcomes: list[Outcome] = []
        self._numbers = 0

    def enter(self, host: str, hold: timedelta, patience: timedelta) -> Grant:
        """Reserve the next turn by the rules."""
        name, rule, now = budget_name(host), rule_for(host, self.rules), self.clock.now()
        turn = max(self.next_at.get(name, now), now)
        if self.cooling.get(name, now) > now:
            raise HostWait(name, self.cooling[name], "cooling down")
        if turn > now + patience:
            raise HostWait(name, turn, "its budget is used up", is_turn=True)
        if rule.concurrency is not None and list(self.in_use.values()).count(name) >= rule.concurrency:
            raise HostWait(name, now + timedelta(seconds=10), "no connection is free")
        self.next_at[name] = turn + rule.gap
        self._numbers += 1
        self.in_use[self._numbers] = name
        self.holds.append(hold)
        self.events.append(("enter", host))
        return Grant((turn - now).total_seconds(), self._numbers, name)

    def leave(self, grant: Grant, outcome: Outcome = ANSWERED) -> None:
        """Give the connection back."""
        self.outcomes.append(outcome)
        self.events.append(("leave", self.in_use.pop(grant.connection)))

    def is_cooling(self, host: str) -> bool:
        """Whether the host refuses everybody now."""
        now = self.clock.now()
        return self.cooling.get(budget_name(host), now) > now

    def cool(self, host: str, until: datetime, reason: str) -> None:
        """Refuse the host until then."""
        self.cooling[budget_name(host)] = until
        self.events.append(("cool", host, reason))

    def close(self) -> None:
        """Nothing was only counted."""
