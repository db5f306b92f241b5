"""What the store knows about the due instants of one task within a span of time. Speaks no dialect."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from stoma.scheduler.base import Run, Skip, SkipReason, at_trigger
from stoma.stores.base import Database
from stoma.stores.keeping import kept_since


@dataclass(frozen=True, slots=True)
class Traces:
    """All of it, as it stood at one moment. Instants are aware UTC."""

    # Runs due in the span, and those made in it that no schedule asked for.
    runs: Sequence[Run] = ()
    # Skips that overlap the span, as a whole.
    skips: Sequence[Skip] = ()
    # The agenda of the task; None when no scheduler has taken it up.
    schedule_hash: str | None = None
    valid_since: datetime | None = None
    accounted_until: datetime | None = None
    removed_at: datetime | None = None
    # The oldest run or skip of the task that the store still has.
    oldest: datetime | None = None
    # Runs and skips from before this are kept no longer; None where that does not reach into the span.
    kept_since: datetime | None = None


def traces(database: Database, task_id: str, start: datetime, end: datetime) -> Traces:
    """What is known of a task from `start` until before `end`."""
    span = {"task_id": task_id, "start": start, "end": end}
    now = database.now()
    with database.reader() as reader:
        runs = reader.all(
            "runs_due_between",
            task_id=task_id,
            first_trigger=at_trigger(start),
            end_trigger=at_trigger(end),
        )
        runs += reader.all("runs_made_between", **span)
        skips = reader.all("skips_between", **span)
        agenda = reader.one("agenda_of", task_id=task_id) or {}
        since = kept_since(reader, now)
        oldest = [reader.one(name, task_id=task_id) for name in ("oldest_run", "oldest_skip")]
    return Traces(
        runs=[Run.from_row(row) for row in runs],
        skips=[
            Skip(row["first"], row["last"], row["count"], SkipReason(row["reason"]), row["detail"])
            for row in skips
        ],
        schedule_hash=agenda.get("schedule_hash"),
        valid_since=agenda.get("valid_since"),
        accounted_until=agenda.get("accounted_until"),
        removed_at=agenda.get("removed_at"),
        oldest=min((row["since_at"] for row in oldest if row), default=None),
        kept_since=since if since is not None and since > start else None,
    )
