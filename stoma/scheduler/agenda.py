"""What becomes of due instants: which become runs, which are skipped and why. Pure; catch-up is decided here."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import islice, takewhile
from typing import Protocol

from stoma.scheduler.base import Skip, SkipReason, Task

ON_TIME = timedelta(minutes=1)
"""An instant not older than this is simply due; an older one has to be caught up with."""

MOST_CAUGHT_UP = 100
"""How many missed instants `catch_up: all` makes into runs at once; the newest ones."""


class Pattern(Protocol):
    """What the agenda has to know of a schedule."""

    def next_after(self, moment: datetime) -> datetime | None:
        """The first due instant later than `moment`."""


AT_ONCE = 5_000
"""Instants of one task settled at once: a year of downtime takes several turns, and blocks nobody meanwhile."""


@dataclass(frozen=True, slots=True)
class Settlement:
    """Every due instant up to `accounted_until`: as a run, or inside a skip."""

    accounted_until: datetime
    runs: Sequence[datetime] = ()
    skips: Sequence[Skip] = ()


@dataclass(frozen=True, slots=True)
class Refusal:
    """Why a task may not run at all just now."""

    reason: SkipReason
    detail: str = ""


def due_instants(patterns: Sequence[Pattern], after: datetime, until: datetime) -> list[datetime]:
    """The instants later than `after` and not later than `until`, in order, each once; at most AT_ONCE."""
    found: set[datetime] = set()
    complete_until = until
    for pattern in patterns:
        few = list(islice(takewhile(lambda instant: instant <= until, _instants(pattern, after)), AT_ONCE))
        if len(few) == AT_ONCE:
            complete_until = min(complete_until, few[-1])
        found.update(few)
    return sorted(instant for instant in found if instant <= complete_until)[:AT_ONCE]


def next_due(patterns: Sequence[Pattern], after: datetime) -> datetime | None:
    """The first instant of any of the patterns later than `after`."""
    return min((found for p in patterns if (found := p.next_after(after)) is not None), default=None)


def settle(
    task: Task,
    patterns: Sequence[Pattern],
    accounted_until: datetime,
    now: datetime,
    *,
    refusal: Refusal | None = None,
    has_open_run: bool = False,
) -> Settlement:
    """Decide about every instant that has become due: in order of time, each exactly once."""
    due = due_instants(patterns, accounted_until, now)
    if not due:
        return Settlement(max(accounted_until, now))
    later = next_due(patterns, due[-1]) if len(due) == AT_ONCE else None
    more = later is not None and later <= now
    if more:
        # There are later ones: none of these is the newest, and the last of them stay for the next turn, which
        # can tell which are the newest.
        due = due[:-MOST_CAUGHT_UP]
    newest = frozenset() if more else frozenset(due[-MOST_CAUGHT_UP if task.catch_up.runs == "all" else -1 :])
    decided = {instant: _refusal_of(task, instant, newest, now, refusal) for instant in due}
    wanted = [instant for instant in due if decided[instant] is None]
    if task.overlap == "skip" and wanted:
        # What catch_up: all brings back waits for one another; that is what was asked for.
        brought_back = task.catch_up.runs == "all" and now - due[0] > ON_TIME
        keep = wanted if brought_back else [] if has_open_run else wanted[:1]
        for instant in wanted[len(keep) :]:
            decided[instant] = Refusal(SkipReason.OVERLAP, "the run before was not over")
    runs = [instant for instant in due if decided[instant] is None]
    return Settlement(due[-1] if more else now, runs, _spans(due, decided))


def _refusal_of(
    task: Task, instant: datetime, newest: AbstractSet[datetime], now: datetime, refusal: Refusal | None
) -> Refusal | None:
    if refusal is not None:
        return refusal
    late = now - instant
    policy = task.catch_up
    if late > ON_TIME and policy.runs == "none":
        return Refusal(SkipReason.TOO_LATE, "nothing ran at that time, and catch_up is none")
    if policy.max_lateness is not None and late > max(policy.max_lateness, ON_TIME):
        return Refusal(SkipReason.TOO_LATE, "later than catch_up.max_lateness allows")
    if instant not in newest:
        return Refusal(SkipReason.MERGED, "a later instant stands for it")
    return None


def _spans(due: Sequence[datetime], decided: dict[datetime, Refusal | None]) -> list[Skip]:
    """Neighbouring instants with the same reason, joined."""
    spans: list[Skip] = []
    before: Refusal | None = None
    for instant in due:
        refusal = decided[instant]
        if refusal is not None:
            if refusal == before:
                last = spans[-1]
                spans[-1] = Skip(last.first, instant, last.count + 1, last.reason, last.detail)
            else:
                spans.append(Skip(instant, instant, 1, refusal.reason, refusal.detail))
        before = refusal
    return spans


def _instants(pattern: Pattern, after: datetime) -> Iterable[datetime]:
    moment = pattern.next_after(after)
    while moment is not None:
        yield moment
        moment = pattern.next_after(moment)
