"""The job that deletes what need not be kept any longer: a few rows at a time, for a moment with each ring.

limits      by when each kind of row counts as old; None: never
ahead       by how much the clock has jumped, where that is more than can be believed at once
is_due      whether a sweep through a kind begins anew
paced       how many rows the next step takes, by how long the last one took
Keeper      makes the steps, one kind after the other, until the time is up
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from time import monotonic

from stoma.log import logger
from stoma.scheduler.settings import Keep
from stoma.stores import Store
from stoma.stores.keeping import CLOCK, HELD, SWEPT, Step, midnight

LOGS, REJECTS, AUDIT, RAW = EXPIRING = ("logs", "rejects", "audit", "raw")
"""Kinds whose oldest rows are the first."""

EVERY = timedelta(days=1)
"""How often the limit of a sweep moves on."""

LEAP = timedelta(days=30)
"""A clock that was looked at so long ago may have been set wrong meanwhile; what it would delete never comes back."""

DOUBT = timedelta(days=1)
"""How long nothing is deleted then. A clock that still says the same is believed: the machine was only away."""

SLICE = 0.05
"""Seconds of work with each ring: the loop has other things to do."""

LONGEST, SHORTEST = 0.006, 0.002
"""Seconds that a step should take: while it writes, nobody else does on SQLite."""

FEWEST, MOST = 10, 1_000
"""Rows that a step looks at."""

AT_FIRST = 100


@dataclass(frozen=True, slots=True)
class Limits:
    """What is older than these instants may go; None: nothing of that kind."""

    runs: datetime | None
    skips: datetime | None
    logs: datetime | None
    rejects: datetime | None
    observations: datetime | None
    records: datetime | None
    audit: datetime | None


def limits(keep: Keep, now: datetime) -> Limits:
    """By when things count as old. The log of a run goes with its run at the latest; days are those of UTC."""

    def before(kept: timedelta | None) -> datetime | None:
        return now - kept if kept is not None else None

    runs, logs, thinned = before(keep.runs), before(keep.logs), before(keep.observations)
    return Limits(
        runs=runs,
        skips=runs,
        logs=max((limit for limit in (runs, logs) if limit is not None), default=None),
        rejects=before(keep.rejects),
        observations=midnight(thinned) if thinned is not None else None,
        records=before(keep.records),
        # Who ran a task by hand is told for as long as the run.
        audit=runs,
    )


def ahead(now: datetime, looked_at: datetime | None) -> timedelta | None:
    """By how much the clock has gone on since it was looked at, where that is suspiciously much."""
    gone_on = now - looked_at if looked_at is not None else timedelta(0)
    return gone_on if gone_on > LEAP else None


def is_due(before: datetime, reached: datetime | None, now: datetime) -> bool:
    """Whether a sweep begins anew that was through at `reached`: with each day, and at once where less is kept.

    What lies ahead of `now` was reached by a clock that was wrong.
    """
    return reached is None or before - reached >= EVERY or reached > now


def paced(size: int, seconds: float) -> int:
    """How many rows the next step takes when one of `size` took so long."""
    if seconds > LONGEST:
        return max(FEWEST, size // 2)
    return min(MOST, size * 2) if seconds < SHORTEST else size


class Keeper:
    """Deletes what is old from one store; where it was is in the store, so any number of them may work on one."""

    def __init__(self, store: Store, clock: Callable[[], float] = monotonic) -> None:
        self._store = store
        self._clock = clock
        self._sizes: Counter[str] = Counter()
        self._next = 0
        self._is_told = False

    def ring(self, keep: Keep, seconds: float = SLICE) -> Counter[str]:
        """Work for about so long at most; how many rows of each kind are gone."""
        gone: Counter[str] = Counter()
        if self._is_held(self._store.now()):
            return gone
        until = self._clock() + seconds
        for kind, step in self._steps(keep):
            gone[kind] += step.gone
            if self._clock() >= until:
                break
        return gone

    def finish(self, keep: Keep, told: Callable[[Counter[str]], None] = lambda gone: None) -> Counter[str]:
        """Work until nothing old is left, also what only another day would have looked at, whatever the clock did."""
        gone: Counter[str] = Counter()
        self._believe(self._store.now())
        for kind, step in self._steps(keep, anew=True):
            gone[kind] += step.gone
            told(gone)
        return gone

    def would_go(self, keep: Keep, told: Callable[[Counter[str]], None] = lambda found: None) -> Counter[str]:
        """How many rows of each kind could be deleted now; deletes nothing."""
        now, found = self._store.now(), Counter[str]()
        wanted = limits(keep, now)
        found[RAW] = self._store.keeping.count_old(RAW, now=now)
        for kind in (LOGS, REJECTS, AUDIT):
            if (before := getattr(wanted, kind)) is not None:
                found[kind] = self._store.keeping.count_old(kind, before=before)
        for kind in SWEPT:
            before = getattr(wanted, kind)
            looked = self._store.keeping.look(kind, [], before, now, MOST) if before is not None else None
            while looked is not None:
                found[kind] += len(looked.old)
                told(found)
                on = looked.position
                looked = self._store.keeping.look(kind, on, before, now, MOST) if on is not None else None
        return found

    def _steps(self, keep: Keep, *, anew: bool = False) -> Iterator[tuple[str, Step]]:
        """Steps for as long as there is something to do, each kind in turn so that none has to wait for another."""
        now = self._store.now()
        wanted = limits(keep, now)
        self._begin(wanted, now, anew=anew)
        kinds = [*EXPIRING, *SWEPT]
        left = {RAW, *(kind for kind in kinds if getattr(wanted, kind, None) is not None)}
        left -= {kind for kind, sweep in self._store.keeping.sweeps().items() if sweep.position is None}
        while left:
            kind = kinds[self._next % len(kinds)]
            self._next += 1
            if kind not in left:
                continue
            step = self._step(kind, getattr(wanted, kind, now), now, is_patient=anew)
            if not step.has_more:
                left.remove(kind)
            yield kind, step

    def _is_held(self, now: datetime) -> bool:
        """Whether nothing is deleted because the clock has gone ahead by so much that it may be wrong.

        What it goes by is in the store: so it holds for all who delete, also for those that live for a moment only.
        """
        known = self._store.keeping.sweeps()
        looked_at, since = (known[what].before if what in known else None for what in (CLOCK, HELD))
        leap = ahead(now, looked_at)
        if leap is None:
            # Not set back by a clock that is behind: many machines begin in the past, until they are told the time.
            if looked_at is None or now - looked_at >= EVERY:
                self._store.keeping.note(CLOCK, now)
            if since is not None:
                self._store.keeping.note(HELD, None)
            self._is_told = False
            return False
        if since is not None and now - since >= DOUBT:
            self._believe(now)
            return False
        if since is None or since > now:
            self._store.keeping.note(HELD, now)
        if not self._is_told:
            self._is_told = True
            logger.warning(
                "the clock went ahead by {} days: nothing old is deleted for a day, in case it is wrong;"
                " `stoma store vacuum` deletes now",
                leap.days,
            )
        return True

    def _believe(self, now: datetime) -> None:
        self._store.keeping.note(CLOCK, now)
        self._store.keeping.note(HELD, None)

    def _begin(self, wanted: Limits, now: datetime, *, anew: bool) -> None:
        known = self._store.keeping.sweeps()
        for kind in SWEPT:
            before, sweep = getattr(wanted, kind), known.get(kind)
            if before is None or (sweep is not None and sweep.position is not None and not anew):
                continue
            if anew or is_due(before, sweep.before if sweep is not None else None, now):
                self._store.keeping.begin(kind, before, now)

    def _step(self, kind: str, before: datetime, now: datetime, *, is_patient: bool) -> Step:
        size = self._sizes[kind] or AT_FIRST
        keeping, started = self._store.keeping, self._clock()
        if kind == RAW:
            gone = self._store.raw.expire(now, size)
            step = Step(gone, has_more=gone > 0)
        elif kind in SWEPT:
            step = keeping.sweep(keeping.sweeps()[kind], before, now, size, is_patient=is_patient)
        else:
            step = keeping.expire(kind, before, now, size)
        self._sizes[kind] = paced(size, self._clock() - started)
        return step
