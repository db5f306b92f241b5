"""What became of each due instant of a day: a run, a skip with its reason, or what it still waits for. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from itertools import groupby
from typing import Any

from stoma.scheduler.agenda import ON_TIME, due_instants
from stoma.scheduler.base import Run, Skip, Task, duration_text, iso
from stoma.scheduler.config import schedule_hash
from stoma.scheduler.outlook import SECOND, TICK
from stoma.scheduler.timetables import timetables_of
from stoma.stores.traces import Traces

MOST_SINGLE = 48
"""More lines than this are joined where neighbours have the same fate."""

SKIPPED, TO_COME, WAITING, NOT_THERE, NOT_KEPT, LOST = (
    "skipped", "to come", "waiting", "not there yet", "not kept", "lost"
)  # fmt: skip
"""What may have become of an instant besides a run, whose status is the word."""


@dataclass(frozen=True, slots=True)
class Fate:
    """What became of some neighbouring due instants, or of a run that no schedule asked for."""

    first: datetime
    last: datetime
    # How many instants; None where only a part of a span lies in the day and nobody can count it any more.
    count: int | None
    outcome: str
    why: str = ""
    runs: tuple[Run, ...] = ()

    def as_dict(self) -> dict[str, Any]:
        """The fields as JSON carries them."""
        return {
            "first": iso(self.first),
            "last": iso(self.last),
            "count": self.count,
            "outcome": self.outcome,
            "why": self.why,
            "runs": [run.as_dict() for run in self.runs],
        }


def fates(
    task: Task | None, traces: Traces, start: datetime, end: datetime, now: datetime, *, joined: bool = True
) -> list[Fate]:
    """What became of everything from `start` until before `end`, in order.

    `task` is None when it is declared no more: then only what the store has is told.
    """
    valid_since = _valid_since(task, traces, now)
    timetables = timetables_of(task) if task is not None else ()
    due = list(due_instants(timetables, start - TICK, end - TICK))
    ran = {run.scheduled_for for run in traces.runs}
    spans = [_skipped(skip, due, valid_since, start, end) for skip in traces.skips]
    covered = [(skip.first, skip.last) for skip in traces.skips]
    open_ones = [
        instant
        for instant in due
        if instant not in ran and not any(first <= instant <= last for first, last in covered)
    ]
    found = [_of_run(run) for run in traces.runs] + spans
    found += [_open(instant, traces, valid_since, now) for instant in open_ones]
    # Neighbours of one fate are one line, unless something else lies between them.
    found = list(_joined(sorted(found, key=_place), lambda fate: not fate.runs and fate.outcome != SKIPPED))
    return list(_joined(found, _is_plain)) if joined and len(found) > MOST_SINGLE else found


def remarks(task: Task | None, traces: Traces) -> list[str]:
    """What has to be known to read the day."""
    found = []
    if task is None:
        found.append("the task is declared no more; this is what the store has of it")
    elif task.schedule and traces.schedule_hash is None:
        found.append("no scheduler has taken up this task yet; it is dealt with from when one does")
    elif task.schedule and traces.schedule_hash != schedule_hash(task):
        found.append("its schedule was edited, and no scheduler has taken up the edit yet")
    if task is not None and not task.schedule:
        found.append("it has no schedule" + ("" if task.after else ": it runs only by hand"))
    if traces.kept_since is not None:
        found.append(
            f"runs and skips from before {iso(traces.kept_since)} are kept no longer, apart from those shown here;"
            " `keep: {runs: …}` in stoma.yaml says how long"
        )
    if traces.removed_at is not None:
        found.append(f"schedulers have not seen it declared since {iso(traces.removed_at)}")
    return found


def trigger_words(run: Run) -> str:
    """Why a run was made, as far as no zone is needed to say it."""
    kind, _, rest = run.trigger.partition(":")
    # A run that ended more than once is told apart by its fence, which says nothing to people.
    after = f"after run {rest.partition('/')[0]}"
    words = {"at": "due", "hand": "by hand", "after": after, "backfill": f"backfill {rest}"}
    return words.get(kind, run.trigger)


def _valid_since(task: Task | None, traces: Traces, now: datetime) -> datetime:
    """From when on the schedule in the files is accounted for."""
    if task is None or traces.valid_since is None or traces.schedule_hash != schedule_hash(task):
        return now
    return traces.valid_since


def _of_run(run: Run) -> Fate:
    instant = run.scheduled_for or run.created_at
    said = [] if run.scheduled_for else [trigger_words(run)]
    late = run.started_at - instant if run.started_at else ON_TIME * 0
    if run.scheduled_for and late > ON_TIME:
        said.append(f"started {duration_text(late)} late")
    said += [text for text in (run.reason, run.error) if text]
    return Fate(instant, instant, 1, str(run.status), "; ".join(said), (run,))


def _skipped(
    skip: Skip, due: Sequence[datetime], valid_since: datetime, start: datetime, end: datetime
) -> Fate:
    """The part of a skip that lies in the day."""
    inside = [instant for instant in due if skip.first <= instant <= skip.last]
    why = f"{skip.reason}: {skip.detail}" if skip.detail else str(skip.reason)
    if skip.first > valid_since and inside:
        return Fate(inside[0], inside[-1], len(inside), SKIPPED, why)
    # Of an earlier schedule: what it named is no longer known.
    first, last = max(skip.first, start), min(skip.last, end - SECOND)
    return Fate(first, last, skip.count if (first, last) == (skip.first, skip.last) else None, SKIPPED, why)


def _open(instant: datetime, traces: Traces, valid_since: datetime, now: datetime) -> Fate:
    """An instant that is neither a run nor skipped."""
    until = traces.accounted_until or now
    if instant > now:
        return Fate(instant, instant, 1, TO_COME)
    if instant <= valid_since:
        began = f"it began at {iso(valid_since)}" if valid_since < now else "no scheduler has taken it up"
        return Fate(instant, instant, 1, NOT_THERE, f"the task or its schedule was not there yet; {began}")
    if instant > until:
        return Fate(instant, instant, 1, WAITING, "due; no scheduler has dealt with it yet")
    if traces.kept_since is not None and instant < traces.kept_since:
        return Fate(
            instant, instant, 1, NOT_KEPT, f"runs and skips from before {iso(traces.kept_since)} were deleted"
        )
    if traces.oldest is None or instant < traces.oldest:
        kept = f"since {iso(traces.oldest)}" if traces.oldest else "nothing any more"
        return Fate(instant, instant, 1, NOT_KEPT, f"before what the store keeps: of this task {kept}")
    return Fate(instant, instant, 1, LOST, "neither a run nor skipped, which should not be; please report it")


def _place(fate: Fate) -> tuple[datetime, int]:
    return fate.first, fate.runs[0].id if fate.runs else 0


def _is_plain(fate: Fate) -> bool:
    """One that may be joined with its neighbours: a run that went as it should, or no run at all."""
    return all(run.scheduled_for is not None for run in fate.runs)


def _joined(found: Sequence[Fate], may_join: Any) -> Iterator[Fate]:
    def key(pair: tuple[int, Fate]) -> object:
        number, fate = pair
        # What may not be joined has a key of its own.
        return (fate.outcome, fate.why, bool(fate.runs)) if may_join(fate) else number

    for _, group in groupby(enumerate(found), key):
        alike = [fate for _, fate in group]
        if len(alike) == 1:
            yield alike[0]
            continue
        counts = [fate.count for fate in alike]
        yield replace(
            alike[0],
            last=alike[-1].last,
            count=None if None in counts else sum(count or 0 for count in counts),
            runs=tuple(run for fate in alike for run in fate.runs),
        )
