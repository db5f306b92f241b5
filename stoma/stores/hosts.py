"""Budgets of hosts in the store: a turn and a connection for each request, shared by all who share the store."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

from stoma.errors import HostWait
from stoma.hosts import LONGEST_COOLING, Grant, HostRule, budget_name, rule_for
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

    def enter(self, host: str, hold: timedelta, patience: timedelta) -> Grant:
        """Reserve the next request; raises HostWait when its turn is further away than `patience`."""
        name, rule = budget_name(host), rule_for(host, self._rules)
        if rule.is_free:
            # A host without limits can still ask for patience.
            self._refuse_while_cooling(name)
            return Grant()
        waited = 0.0
        while True:
            grant = self._reserve(name, rule, hold, patience - timedelta(seconds=waited))
            if grant is not None:
                return grant
            self._wait(POLL_SECONDS)
            waited += POLL_SECONDS

    def leave(self, grant: Grant) -> None:
        """Give the connection back."""
        if grant.connection is not None:
            with self._database.transaction() as tx:
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

    def _reserve(self, name: str, rule: HostRule, hold: timedelta, patience: timedelta) -> Grant | None:
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
                return Grant(wait, opened["id"] if opened else None)
            self._free_dead(tx, name)
        assert standing is not None  # noqa: S101 — it was inserted a few lines above
        if now_us < standing["cooling_until"] <= micros(now + LONGEST_COOLING):
            raise HostWait(name, _instant(standing["cooling_until"]), standing["reason"])
        if latest < standing["next_at"] <= now_us + FURTHEST_TURN + 2 * gap:
            raise HostWait(name, _instant(standing["next_at"]), "its budget is used up")
        if patience <= timedelta(0):
            raise HostWait(name, now + timedelta(seconds=10), "no connection is free")
        return None

    def _free_dead(self, tx: Transaction, name: str) -> None:
        """A killed process gives nothing back; where it can be seen that it is gone, nobody waits for it."""
        for row in tx.all("connections_of_host", host=name):
            if is_gone(row["owner"]):
                tx.execute("connection_close", id=row["id"])

    def _refuse_while_cooling(self, name: str) -> None:
        with self._database.reader() as reader:
            now = self._database.now()
            rows = reader.all(
                "host_cooling", host=name, now=micros(now), longest=micros(now + LONGEST_COOLING)
            )
        if rows:
            raise HostWait(name, _instant(rows[0]["cooling_until"]), rows[0]["reason"])


class Hosts:
    """What is known of the hosts."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def know(self, hosts: Mapping[str, int | None]) -> None:
        """Note how many connections each host takes, so that claims can pass over a full one."""
        with self._database.transaction() as tx:
            tx.many("host_know", [{"host": host, "concurrency": many} for host, many in hosts.items()])

    def all(self, now: datetime) -> list[Row]:
        """Every host with its budget: next turn, cool-down and connections in use."""
        with self._database.reader() as reader:
            rows = reader.all("host_all", now=micros(now))
        for row in rows:
            row["next_at"], row["cooling_until"] = _instant(row["next_at"]), _instant(row["cooling_until"])
        return rows


def _instant(micro: int) -> datetime:
    return datetime.fromtimestamp(micro / 1_000_000, UTC)
