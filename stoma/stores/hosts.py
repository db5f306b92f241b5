"""Budgets of hosts in the store: a turn and a connection for each request, shared by all who share the store."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from stoma.errors import HostWait, StoreError
from stoma.hosts import (
    ANSWERED,
    LONGEST_COOLING,
    Allowance,
    Grant,
    HostRule,
    Outcome,
    budget_name,
    rule_for,
)
from stoma.scheduler.owner import is_gone
from stoma.stores.base import Database, Row, Transaction
from stoma.stores.runs import micros

FURTHEST_TURN = 120_000_000
"""Microseconds: nobody waits as long for a turn, so none that is given lies further ahead."""

POLL_SECONDS = 0.1
"""How soon a request looks again whether a connection has become free."""


class Budgets:
    """Grants requests to hosts by their rules; `wait` sleeps and may raise to give up."""

    def __init__(
        self,
        database: Database,
        rules: Mapping[str, HostRule],
        owner: str,
        wait: Callable[[float], Any],
    ) -> None:
        self._database = database
        self._rules = rules
        self._owner = owner
        self._wait = wait
        # Requests to hosts without limits: nothing is written for them until the end.
        self._counted: dict[str, _Count] = {}

    def enter(self, host: str, hold: timedelta, patience: timedelta) -> Grant:
        """Reserve the next request; raises HostWait when its turn, or the end of a cool-down, is beyond `patience`."""
        name, rule = budget_name(host), rule_for(host, self._rules)
        waited = 0.0
        while True:
            left = patience - timedelta(seconds=waited)
            found = self._free(name, left) if rule.is_free else self._reserve(name, rule, hold, left)
            if isinstance(found, Grant):
                return found
            self._wait(found)
            waited += found

    def leave(self, grant: Grant, outcome: Outcome = ANSWERED) -> None:
        """Give the connection back, and note what became of the request in the same transaction."""
        if grant.connection is None:
            self._counted.setdefault(grant.host, _Count()).add(outcome)
            return
        with self._database.transaction() as tx:
            # The host before the connection, as a reservation has it: so that none waits for the other.
            if outcome != ANSWERED:
                count = _Count()
                # That it was asked was counted with its turn.
                count.numbers["asked"] = -1
                count.add(outcome)
                count.write(tx, grant.host)
            tx.execute("connection_close", id=grant.connection)

    def cool(self, host: str, until: datetime, reason: str) -> None:
        """Nobody asks this host before `until`."""
        name = budget_name(host)
        with self._database.transaction() as tx:
            tx.execute("host_know", host=name, concurrency=rule_for(host, self._rules).concurrency)
            tx.execute(
                "host_cool",
                host=name,
                until=micros(until),
                longest=micros(self._database.now() + LONGEST_COOLING),
                reason=reason,
            )

    def close(self) -> None:
        """Write what was only counted; a store that cannot take it loses a number and nothing else."""
        counted, self._counted = self._counted, {}
        if not counted:
            return
        with suppress(StoreError), self._database.transaction() as tx:
            for host, count in sorted(counted.items()):
                tx.execute("host_know", host=host, concurrency=rule_for(host, self._rules).concurrency)
                count.write(tx, host)

    def is_cooling(self, host: str) -> bool:
        """True while nobody may ask this host; only reads."""
        return self._cooling(budget_name(host), self._database.now()) is not None

    def _cooling(self, name: str, now: datetime) -> Row | None:
        with self._database.reader() as reader:
            longest = micros(now + LONGEST_COOLING)
            return reader.one("host_cooling", host=name, now=micros(now), longest=longest)

    def _free(self, name: str, patience: timedelta) -> Grant | float:
        """A grant, or how many seconds to wait: a host without limits can still ask for patience."""
        now = self._database.now()
        if (row := self._cooling(name, now)) is not None:
            return self._until_cooled(name, row, now, patience)
        self._counted.setdefault(name, _Count()).last_asked_at = micros(now)
        return Grant(host=name)

    def _until_cooled(self, name: str, row: Row, now: datetime, patience: timedelta) -> float:
        until = _instant(row["cooling_until"])
        if until > now + patience:
            raise HostWait(name, until, row["reason"])
        return (until - now).total_seconds()

    def _reserve(self, name: str, rule: HostRule, hold: timedelta, patience: timedelta) -> Grant | float:
        """A grant, or how many seconds to wait before the next look."""
        now = self._database.now()
        now_us, gap = micros(now), round(rule.gap.total_seconds() * 1_000_000)
        latest = now_us + round(patience.total_seconds() * 1_000_000)
        with self._database.transaction() as tx:
            tx.execute("host_know", host=name, concurrency=rule.concurrency)
            # Locks the row, so that the count of connections that follows is nobody else's at the same time.
            standing = tx.one("host_get", host=name)
            row = tx.one(
                "host_reserve",
                host=name,
                now=now_us,
                gap=gap,
                latest=latest,
                furthest=now_us + FURTHEST_TURN + 2 * gap,
                longest=micros(now + LONGEST_COOLING),
            )
            if row is not None:
                wait = (row["turn_at"] - now_us) / 1_000_000
                expires = row["turn_at"] + round(hold.total_seconds() * 1_000_000)
                tx.execute("connections_expired", now=now_us)
                opened = tx.one("connection_open", host=name, expires_at=expires, owner=self._owner)
                return Grant(wait, opened["id"] if opened else None, name)
            self._free_dead(tx, name)
        assert standing is not None  # noqa: S101 — it was inserted a few lines above
        if now_us < standing["cooling_until"] <= micros(now + LONGEST_COOLING):
            return self._until_cooled(name, standing, now, patience)
        if latest < standing["next_at"] <= now_us + FURTHEST_TURN + 2 * gap:
            raise HostWait(name, _instant(standing["next_at"]), "its budget is used up", is_turn=True)
        if patience <= timedelta(0):
            raise HostWait(name, now + timedelta(seconds=10), "no connection is free")
        return POLL_SECONDS

    def _free_dead(self, tx: Transaction, name: str) -> None:
        """A killed process gives nothing back; where it can be seen that it is gone, nobody waits for it."""
        for row in tx.all("connections_of_host", host=name):
            if is_gone(row["owner"]):
                tx.execute("connection_close", id=row["id"])


class Hosts:
    """What is known of the hosts."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def know(self, hosts: Mapping[str, int | None]) -> None:
        """Note how many connections each host takes, so that claims can pass over a full one."""
        with self._database.transaction() as tx:
            tx.many("host_know", [{"host": host, "concurrency": many} for host, many in hosts.items()])

    def all(self, now: datetime) -> list[Row]:
        """Every host with its budget: next turn, cool-down, connections in use, and what became of its requests.

        What only a clock that was wrong can have written is left out.
        """
        with self._database.reader() as reader:
            rows = reader.all("host_all", now=micros(now))
        for row in rows:
            for name in ("next_at", "cooling_until", "last_asked_at", "told_reset_at"):
                row[name] = _instant(row[name] or 0)
            if row["next_at"] > now + 2 * timedelta(microseconds=FURTHEST_TURN):
                row["next_at"] = _instant(0)
            if row["cooling_until"] > now + LONGEST_COOLING:
                row["cooling_until"] = _instant(0)
        return rows

    def warm(self, host: str) -> tuple[datetime, str, int] | None:
        """End a cool-down by hand: until when it was, why, and how many runs need not wait for it; None without one."""
        with self._database.transaction() as tx:
            now = self._database.now()
            standing = tx.one("host_get", host=host)
            if standing is None or standing["cooling_until"] <= micros(now):
                return None
            until = _instant(standing["cooling_until"])
            tx.execute("host_warm", host=host)
            # A moment earlier: what a run waits for was rounded on its way.
            hastened = tx.execute("host_hasten", host=host, until=until - timedelta(seconds=1))
            return until, standing["reason"], hastened


@dataclass(slots=True)
class _Count:
    """What became of some requests to one host."""

    numbers: Counter[str] = field(default_factory=Counter)
    last_asked_at: int = 0
    told: Allowance | None = None

    def add(self, outcome: Outcome) -> None:
        self.numbers["asked"] += outcome.is_sent
        self.numbers["unmodified"] += outcome.is_unmodified
        self.numbers["busy"] += outcome.is_busy
        self.numbers["failed"] += outcome.is_failed
        self.told = outcome.told or self.told

    def write(self, tx: Transaction, host: str) -> None:
        names = ("asked", "unmodified", "busy", "failed")
        if any(self.numbers[name] for name in names):
            numbers = {name: self.numbers[name] for name in names}
            tx.execute("host_count", host=host, last_asked_at=self.last_asked_at, **numbers)
        if self.told is not None:
            reset_at = None if self.told.reset_at is None else micros(self.told.reset_at)
            tx.execute(
                "host_told",
                host=host,
                remaining=self.told.remaining,
                limit=self.told.limit,
                reset_at=reset_at,
            )


def _instant(micro: int) -> datetime:
    return datetime.fromtimestamp(micro / 1_000_000, UTC)
