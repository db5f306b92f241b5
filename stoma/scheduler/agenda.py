"""What becomes of due instants: which become runs, which are skipped and why. Pure; catch-up is decided here."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from itertools import islice, takewhile
from typing import Protocol

from stoma.scheduler.base import Skip, SkipReason, Switch, Switches, Task

ON_TIME = timedelta(minutes=1)
"""An instant not older than this is simply due; an older one has to be caught up with."""

MOST_CAUGHT_UP = 100
"""How many missed instants `catch_up: all` makes into runs at once; the newest ones."""

MOST_OPEN = {"skip": 1, "queue": 2}
"""How many runs of a task may be open, by `overlap`: the one under way, and one that waits behind it."""

BETWEEN = timedelta(seconds=30)
"""How far apart these begin at least, so that what was missed does not come back all at once."""

LOOKED_AHEAD = 3_000
"""How many instants are passed over at most to find one that is not left out: two days of a minute task."""

AT_ONCE = 5_000
"""Instants of one task settled at once: a year of downtime takes several turns, and blocks nobody meanwhile."""


class Timetable(Protocol):
    """What the agenda has to know of a schedule."""

    def next_after(self, moment: datetime) -> datetime | None:
        """The first due instant later than `moment`."""

    def off(self, instant: datetime) -> str | None:
        """Why nothing runs at this instant although it is due."""

    def delay(self, instant: datetime) -> timedelta:
        """How long the run of this instant waits."""


@dataclass(frozen=True, slots=True)
class Refusal:
    """Why a task may not run, or may not at some instant."""

    reason: SkipReason
    detail: str = ""


Judge = Callable[[datetime], Refusal | None]
"""What speaks against an instant, besides its being late."""


@dataclass(frozen=True, slots=True)
class Settlement:
    """Every due instant up to `accounted_until`: as a run, or inside a skip."""

    accounted_until: datetime
    runs: Sequence[datetime] = ()
    skips: Sequence[Skip] = ()
    # Before when the run of an instant does not start.
    waits: Mapping[datetime, datetime] = field(default_factory=dict)


def refusal(
    task: Task, switches: Switches, blocked: str | None, instant: datetime, now: datetime
) -> Refusal | None:
    """What is switched off does not run; nor, when it is switched on again, what was due before that."""

    def was_off(switch: Switch) -> bool:
        # A switch that was set beyond now was set by a clock that was wrong.
        return instant <= switch.changed_at <= now + ON_TIME

    paused = switches.paused
    if paused is not None and (paused.is_on or was_off(paused)):
        return Refusal(SkipReason.PAUSED)
    switch = switches.tasks.get(task.id)
    if not (switch.is_on if switch else task.enabled):
        return Refusal(SkipReason.DISABLED)
    if switch is not None and was_off(switch):
        return Refusal(SkipReason.DISABLED, "it was switched off then")
    return Refusal(SkipReason.BLOCKED, blocked) if blocked else None


def due_instants(
    timetables: Sequence[Timetable], after: datetime, until: datetime
) -> dict[datetime, list[Timetable]]:
    """The instants later than `after` and not later than `until`, in order, with who names each; at most AT_ONCE."""
    found: dict[datetime, list[Timetable]] = {}
    complete_until = until
    for timetable in timetables:
        few = list(islice(takewhile(lambda instant: instant <= until, _instants(timetable, after)), AT_ONCE))
        if len(few) == AT_ONCE:
            complete_until = min(complete_until, few[-1])
        for instant in few:
            found.setdefault(instant, []).append(timetable)
    return {instant: found[instant] for instant in sorted(found) if instant <= complete_until}


def next_due(timetables: Sequence[Timetable], after: datetime) -> datetime | None:
    """The first instant of any of the schedules later than `after`."""
    return min((found for t in timetables if (found := t.next_after(after)) is not None), default=None)


def next_run(timetables: Sequence[Timetable], after: datetime) -> datetime | None:
    """The first instant later than `after` that is not left out; None when none of the next ones will do."""
    for _ in range(LOOKED_AHEAD):
        found = next_due(timetables, after)
        if found is None:
            return None
        naming = [t for t in timetables if t.next_after(after) == found]
        if any(timetable.off(found) is None for timetable in naming):
            return found
        after = found
    return None


def settle(
    task: Task,
    timetables: Sequence[Timetable],
    accounted_until: datetime,
    now: datetime,
    *,
    judge: Judge = lambda instant: None,
    open_runs: int = 0,
) -> Settlement:
    """Decide about every instant that has become due: in order of time, each exactly once."""
    named = due_instants(timetables, accounted_until, now)
    due = list(named)[:AT_ONCE]
    if not due:
        return Settlement(max(accounted_until, now))
    later = next_due(timetables, due[-1]) if len(due) == AT_ONCE else None
    more = later is not None and later <= now
    if more:
        # There are later ones: none of these is the newest, and the last of them stay for the next turn, which
        # can tell which are the newest.
        due = due[:-MOST_CAUGHT_UP]
    decided = {instant: judge(instant) or _day_off(named[instant], instant) for instant in due}
    free = [instant for instant in due if decided[instant] is None]
    brings_back = task.catch_up.runs == "all"
    newest = frozenset() if more else frozenset(free[-MOST_CAUGHT_UP if brings_back else -1 :])
    decided |= {instant: _too_late(task, instant, newest, now) for instant in free}
    wanted = [instant for instant in due if decided[instant] is None]
    # What catch_up: all brings back waits for one another; that is what was asked for.
    if wanted and not (brings_back and now - due[0] > ON_TIME):
        keep = wanted[: max(0, MOST_OPEN[task.overlap] - open_runs)]
        for instant in wanted[len(keep) :]:
            decided[instant] = Refusal(SkipReason.OVERLAP, "the run before was not over")
    runs = [instant for instant in due if decided[instant] is None]
    waits = _waits(runs, named, now)
    return Settlement(due[-1] if more else now, runs, _spans(due, decided), waits)


def _day_off(timetables: Sequence[Timetable], instant: datetime) -> Refusal | None:
    """An instant falls away only if every schedule that names it leaves it out."""
    reasons = [timetable.off(instant) for timetable in timetables]
    if any(reason is None for reason in reasons):
        return None
    return Refusal(SkipReason.HOLIDAY, str(reasons[0]))


def _too_late(task: Task, instant: datetime, newest: AbstractSet[datetime], now: datetime) -> Refusal | None:
    late = now - instant
    policy = task.catch_up
    if late > ON_TIME and policy.runs == "none":
        return Refusal(SkipReason.TOO_LATE, "nothing ran at that time, and catch_up is none")
    if policy.max_lateness is not None and late > max(policy.max_lateness, ON_TIME):
        return Refusal(SkipReason.TOO_LATE, "later than catch_up.max_lateness allows")
    if instant not in newest:
        return Refusal(SkipReason.MERGED, "a later instant stands for it")
    return None


def _waits(
    runs: Sequence[datetime], named: Mapping[datetime, Sequence[Timetable]], now: datetime
) -> dict[datetime, datetime]:
    """Jitter, and the distance between runs that are brought back."""
    found: dict[datetime, datetime] = {}
    back = 0
    for instant in runs:
        delays = [timetable.delay(instant) for timetable in named[instant] if timetable.off(instant) is None]
        starts = instant + min(delays, default=timedelta(0))
        if now - instant > ON_TIME:
            starts = max(starts, now + back * BETWEEN)
            back += 1
        if starts > now:
            found[instant] = starts
    return found


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


def _instants(timetable: Timetable, after: datetime) -> Iterable[datetime]:
    moment = timetable.next_after(after)
    while moment is not None:
        yield moment
        moment = timetable.next_after(moment)
