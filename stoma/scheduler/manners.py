"""How Stoma stands with each host, as a value: the rule, what became of its requests, and when it may be asked next."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from stoma.hosts import SAME_BUDGET, Allowance, HostRule, rule_for, rule_origin
from stoma.scheduler.base import iso
from stoma.stores.base import Row


@dataclass(frozen=True, slots=True)
class HostStanding:
    """One host. `next_at` is None when a request may be sent now; `waits_for` says what it waits for otherwise."""

    host: str
    # Names that are counted together with it.
    also: tuple[str, ...]
    tasks: tuple[str, ...]
    rule: HostRule
    # `stoma.yaml`, `built-in`, or `private` for addresses without limits.
    rule_from: str
    in_use: int = 0
    asked: int = 0
    unmodified: int = 0
    busy: int = 0
    failed: int = 0
    last_asked_at: datetime | None = None
    # What the host itself allows, while that holds.
    allowance: Allowance | None = None
    cooling_until: datetime | None = None
    reason: str = ""
    next_at: datetime | None = None
    waits_for: str = ""

    @property
    def unmodified_share(self) -> float | None:
        """How many of its requests were answered with 304, from 0 to 1; None where there were none."""
        return self.unmodified / self.asked if self.asked else None

    def as_dict(self) -> dict[str, Any]:
        """The fields as JSON carries them."""
        told = self.allowance
        return {
            "host": self.host,
            "also": list(self.also),
            "tasks": list(self.tasks),
            "gap_seconds": self.rule.gap.total_seconds(),
            "concurrency": self.rule.concurrency,
            "rule_from": self.rule_from,
            "connections_in_use": self.in_use,
            "asked": self.asked,
            "unmodified": self.unmodified,
            "unmodified_share": self.unmodified_share,
            "busy": self.busy,
            "failed": self.failed,
            "last_asked_at": iso(self.last_asked_at),
            "remaining": told.remaining if told else None,
            "limit": told.limit if told else None,
            "reset_at": iso(told.reset_at) if told else None,
            "cooling_until": iso(self.cooling_until),
            "reason": self.reason or None,
            "next_at": iso(self.next_at),
            "waits_for": self.waits_for or None,
        }


def standings(
    rows: Sequence[Row], tasks: Mapping[str, Sequence[str]], rules: Mapping[str, HostRule], now: datetime
) -> list[HostStanding]:
    """Every host that is known: by `rows` of the store, and by `tasks` that would ask it (ids by host)."""
    known = {row["host"]: row for row in rows}
    return [
        _standing(host, known.get(host), tuple(tasks.get(host, ())), rules, now)
        for host in sorted({*known, *tasks})
    ]


def _standing(
    host: str, row: Row | None, tasks: tuple[str, ...], rules: Mapping[str, HostRule], now: datetime
) -> HostStanding:
    rule = rule_for(host, rules)
    also = tuple(name for name, counted in SAME_BUDGET.items() if counted == host)
    standing = HostStanding(host, also, tasks, rule, rule_origin(host, rules))
    if row is None:
        return standing
    is_cooling, is_later = row["cooling_until"] > now, row["next_at"] > now
    is_full = rule.concurrency is not None and row["in_use"] >= rule.concurrency
    if is_cooling:
        waits_for, next_at = "cool-down", max(row["cooling_until"], row["next_at"])
    else:
        waits_for, next_at = ("connection" if is_full else "turn" if is_later else ""), row["next_at"]
    return replace(
        standing,
        **{name: row[name] for name in ("in_use", "asked", "unmodified", "busy", "failed")},
        last_asked_at=row["last_asked_at"] if row["asked"] else None,
        allowance=_allowance(row, now),
        cooling_until=row["cooling_until"] if is_cooling else None,
        reason=row["reason"] if is_cooling else "",
        next_at=next_at if next_at > now else None,
        waits_for=waits_for,
    )


def _allowance(row: Row, now: datetime) -> Allowance | None:
    """What the host told last, unless it counts anew by now."""
    if row["told_remaining"] is None:
        return None
    reset_at = row["told_reset_at"]
    if reset_at is not None and reset_at <= now:
        return None
    return Allowance(row["told_remaining"], row["told_limit"], reset_at)
