"""What the store forgets when its time is over: each call looks at a few rows and deletes those that may go.

Nothing is held in memory: how far it has come is a row of `keeping`, so that it goes on after a restart and on
another node. Of two processes that make the same step, the second one writes nothing. Speaks no dialect.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import pairwise
from typing import Any

from stoma.stores.base import Database, Reader, Row, Transaction
from stoma.stores.runs import FURTHEST

NEWEST = 100
"""Runs of each task that stay, however old: `last_run` in a condition looks at so many."""

RUNS, SKIPS, OBSERVATIONS, RECORDS = SWEPT = ("runs", "skips", "observations", "records")
"""What is looked through row by row, because some of it stays."""

CLOCK, HELD = ("clock", "held")
"""Besides: by which clock things were deleted last, and since when none are because it has gone ahead."""

MOST_AHEAD = 10_000
"""Lines that a clock wrote which was ahead, in front of all others: that many are passed over."""

SERIES = ("source", "external_id", "measure")
KEY = (*SERIES, "observed_at", "run_id")


@dataclass(frozen=True, slots=True)
class Sweep:
    """How far one way through all rows of a kind has come."""

    what: str
    # Behind which row it goes on; empty at its beginning, None when it is over.
    position: Sequence[Any] | None
    # What is older is looked for.
    before: datetime
    step: int


@dataclass(frozen=True, slots=True)
class Step:
    """What came of a step: how many rows it deleted, and whether another one may find more."""

    gone: int
    has_more: bool


@dataclass(frozen=True, slots=True)
class Looked:
    """A few rows that were looked at: those that may go, and where to go on; None behind the last that can be old."""

    old: Sequence[Row]
    position: Sequence[Any] | None


def thinned(rows: Sequence[Row], before: datetime, last_seen: Sequence[Any] = ()) -> list[Row]:
    """Of measurements in the order of their key, those that may go: the last of each UTC day stays, and the first ever.

    `before` is a midnight in UTC; what is not older stays. `last_seen` is the key in front of the first row. The last
    row is not judged: what follows it is not known.
    """
    old = []
    series = tuple(last_seen[: len(SERIES)])
    for row, following in pairwise(rows):
        mine = tuple(row[name] for name in SERIES)
        is_first, series = mine != series, mine
        if is_first or row["observed_at"] >= before:
            continue
        is_same = mine == tuple(following[name] for name in SERIES)
        if is_same and _day(row["observed_at"]) == _day(following["observed_at"]):
            old.append(row)
    return old


class Keeping:
    """Deletes, from every table, what is old."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._look: Mapping[str, Callable[[Reader, Sequence[Any], datetime, datetime, int], Looked]] = {
            RUNS: _numbered("old_runs", newer=NEWEST - 1),
            SKIPS: _numbered("old_skips"),
            OBSERVATIONS: _observations,
            RECORDS: _numbered("old_records"),
        }
        self._forget: Mapping[str, Callable[[Transaction, Sequence[Row], datetime, int], Step]] = {
            RUNS: _forget_runs,
            SKIPS: _forget_skips,
            OBSERVATIONS: _forget_observations,
            RECORDS: _forget_records,
        }

    def sweeps(self) -> dict[str, Sweep]:
        """Those that were ever begun, by what they go through; `CLOCK` and `HELD` are no sweeps but instants."""
        with self._database.reader() as reader:
            rows = reader.all("keeping_all")
        return {
            row["what"]: Sweep(row["what"], row["position"], row["before_at"], row["step"]) for row in rows
        }

    def kept_since(self, now: datetime) -> datetime | None:
        """Runs and skips from before this are kept no longer; None where none was ever deleted."""
        with self._database.reader() as reader:
            return kept_since(reader, now)

    def begin(self, what: str, before: datetime, now: datetime) -> None:
        """Look anew for what is older; one that looks so far already goes on as it was."""
        with self._database.transaction() as tx:
            tx.execute("keeping_begin", what=what, position=[], before=before, now=now)

    def note(self, what: str, at: datetime | None) -> None:
        """Remember the instant of `CLOCK` or `HELD`; None forgets it."""
        with self._database.transaction() as tx:
            if at is None:
                tx.execute("keeping_drop", what=what)
            else:
                tx.execute("keeping_note", what=what, at=at)

    def sweep(
        self, sweep: Sweep, before: datetime, now: datetime, limit: int, *, is_patient: bool = True
    ) -> Step:
        """Look at the next rows, at most `limit`, and delete those that may go and are older than `before`.

        One that is not patient does nothing where somebody else saves a page of the same source.
        """
        if sweep.position is None:
            return Step(0, has_more=False)
        before = min(before, sweep.before)
        with self._database.reader() as reader:
            looked = self._look[sweep.what](reader, sweep.position, before, now, limit)
        with self._database.transaction() as tx:
            if sweep.what == RECORDS and not _hold_sources(tx, looked.old, is_patient):
                return Step(0, has_more=False)
            position = None if looked.position is None else list(looked.position)
            if not tx.execute("keeping_move", what=sweep.what, step=sweep.step, position=position):
                # Somebody else has made it; there may be more behind it.
                return Step(0, has_more=True)
            if not looked.old:
                return Step(0, has_more=position is not None)
            step = self._forget[sweep.what](tx, looked.old, before, limit)
            if step.has_more:
                # What belongs to these rows was too much for one step.
                here = list(sweep.position)
                tx.execute("keeping_move", what=sweep.what, step=sweep.step + 1, position=here)
        return Step(step.gone, has_more=position is not None or step.has_more)

    def look(self, what: str, position: Sequence[Any], before: datetime, now: datetime, limit: int) -> Looked:
        """What `sweep` would delete of the next rows."""
        with self._database.reader() as reader:
            return self._look[what](reader, position, before, now, limit)

    def expire(self, what: str, before: datetime, now: datetime, limit: int) -> Step:
        """Delete the first `logs` of runs, `rejects` or rows of the `audit`, at most `limit`, that are older."""
        span = {"before": before, "furthest": now + FURTHEST, "limit": limit, "most": MOST_AHEAD + limit}
        with self._database.reader() as reader:
            found = reader.one(f"{what}_old", **span)
        if not found or not found["count"]:
            return Step(0, has_more=False)
        with self._database.transaction() as tx:
            gone = tx.execute(f"{what}_forget", **span)
        return Step(gone, has_more=gone >= limit)

    def count_old(self, what: str, **values: Any) -> int:
        """How many of the `logs`, `rejects`, `raw` pages or rows of the `audit` could be deleted."""
        with self._database.reader() as reader:
            row = reader.one(f"{what}_old_all", **values)
        return int(row["count"]) if row else 0


def kept_since(reader: Reader, now: datetime) -> datetime | None:
    """Runs and skips from before this are kept no longer; what a clock reached that was ahead lies behind us."""
    row = reader.one("kept_since")
    return min(row["before_at"], now) if row and row["before_at"] is not None else None


def midnight(instant: datetime) -> datetime:
    """The beginning of its day in UTC."""
    return instant.astimezone(UTC).replace(hour=0, minute=0, second=0, microsecond=0)


def _day(instant: datetime) -> int:
    return instant.astimezone(UTC).toordinal()


def _numbered(name: str, **more: Any) -> Callable[[Reader, Sequence[Any], datetime, datetime, int], Looked]:
    """Rows that are numbered as they come: behind one that came later than `before`, none is old.

    Unless its instant has still to come: that was written by a clock that was ahead, and tells nothing.
    """

    def look(reader: Reader, position: Sequence[Any], before: datetime, now: datetime, limit: int) -> Looked:
        after = position[0] if position else 0
        rows = reader.all(name, after=after, before=before, furthest=now + FURTHEST, limit=limit, **more)
        is_last = len(rows) < limit or bool(rows[-1]["is_young"])
        return Looked([row for row in rows if row["may_go"]], None if is_last else [rows[-1]["id"]])

    return look


def _observations(
    reader: Reader, position: Sequence[Any], before: datetime, now: datetime, limit: int
) -> Looked:
    start: dict[str, Any] = dict(zip(KEY, position, strict=True)) if position else dict.fromkeys(KEY)
    if position:
        start["observed_at"] = datetime.fromisoformat(start["observed_at"])
    rows = reader.all("next_observations", limit=limit + 1, **start)
    is_last = len(rows) <= limit
    if is_last:
        return Looked(thinned(rows, before, position), None)
    last = [rows[-2][name] for name in KEY]
    last[KEY.index("observed_at")] = rows[-2]["observed_at"].isoformat()
    return Looked(thinned(rows, before, position), last)


def _forget_runs(tx: Transaction, rows: Sequence[Row], before: datetime, limit: int) -> Step:
    ids = [row["id"] for row in rows]
    gone = tx.execute("runs_forget", ids=ids, before=before)
    tx.execute("attempts_forget", ids=ids)
    return Step(gone, has_more=False)


def _forget_skips(tx: Transaction, rows: Sequence[Row], before: datetime, limit: int) -> Step:
    return Step(tx.execute("skips_forget", ids=[row["id"] for row in rows], before=before), has_more=False)


def _forget_observations(tx: Transaction, rows: Sequence[Row], before: datetime, limit: int) -> Step:
    tx.many("observation_forget", rows)
    return Step(len(rows), has_more=False)


def _hold_sources(tx: Transaction, rows: Sequence[Row], is_patient: bool) -> bool:
    """Whether nobody saves a page of the sources of these rows until the end of the transaction."""
    for source in sorted({row["source"] for row in rows}):
        if is_patient:
            tx.lock(f"records {source}")
        elif not tx.try_lock(f"records {source}"):
            return False
    return True


def _forget_records(tx: Transaction, rows: Sequence[Row], before: datetime, limit: int) -> Step:
    """Records with all that is known of them; what was measured of them goes first, so much at a time."""
    which = {"ids": [row["id"] for row in rows], "before": before}
    if tx.execute("record_observations_forget", limit=limit, **which) >= limit:
        return Step(0, has_more=True)
    tx.all("records_hold", **which)
    tx.execute("record_versions_forget", **which)
    tx.execute("record_validators_forget", **which)
    tx.execute("record_sightings_forget", **which)
    return Step(tx.execute("records_forget", **which), has_more=False)
