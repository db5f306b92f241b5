"""Days of the past, collected by hand: a span is cut into calendar months, and each window is one run.

backfill_of     what is asked for: its windows, and the id by which the same command finds it again
left            the windows that are not completed yet
reckon          what these would cost
take            the run of a window, for this process: a new one, one that was left open, or one begun again
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta
from typing import Any

from stoma import collectors
from stoma.collectors.base import Collection, Deadline
from stoma.errors import NotFound, UsageError
from stoma.hosts import rule_for
from stoma.log import logger
from stoma.references import resolve
from stoma.scheduler.base import (
    NewRun,
    Run,
    Span,
    Task,
    TaskPriority,
    TaskStatus,
    backfill_scope,
    backfill_trigger,
)
from stoma.scheduler.marks import backfill_id, fingerprint
from stoma.scheduler.parts import new_run
from stoma.scheduler.pipeline import Control, Surroundings, client, named_hosts
from stoma.stores import Store

DAY = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class Backfill:
    """What is asked for: a task, and the days of the past that it shall collect."""

    id: str
    task: Task
    span: Span
    windows: Sequence[Span]

    def run(self, window: Span) -> NewRun:
        """The run of one window, about to be queued: everything else goes first."""
        new = new_run(self.task, backfill_trigger(self.id, window), scope=backfill_scope(self.id))
        return replace(new, priority=TaskPriority.LOW, starts_over=False)


@dataclass(frozen=True, slots=True)
class Cost:
    """What is left of a backfill costs: requests, records where the source tells, and the time by its budget."""

    requests: int
    records: int | None
    host: str
    gap: timedelta
    # True where the source itself told how many records there are.
    is_told: bool

    @property
    def time(self) -> timedelta:
        """How long it takes by the budget of the host, if nobody else asks there."""
        return self.requests * self.gap

    def as_dict(self) -> dict[str, Any]:
        """The fields as JSON carries them."""
        return {
            "requests": self.requests,
            "records": self.records,
            "host": self.host,
            "hours": round(self.time.total_seconds() / 3600, 3),
            "is_told": self.is_told,
        }


def span_of(first: date, last: date | None, now: datetime) -> Span:
    """The days that were asked for, until the last that is over everywhere if nothing is said; raises UsageError."""
    yesterday = now.date() - DAY
    # Far in the west it is still yesterday until noon, and sources count days in zones of their own.
    last = last or (now - DAY / 2).date() - DAY
    if first > last:
        raise UsageError(f"--from {first} lies behind --to {last}", "the first day comes first")
    if last > yesterday:
        raise UsageError(f"--to {last} is not over yet; the last whole day is {yesterday} (UTC)")
    return Span(first, last)


def windows(span: Span) -> list[Span]:
    """The span, cut at the ends of calendar months."""
    found = []
    first = span.first
    while first <= span.last:
        following = (first.replace(day=1) + 31 * DAY).replace(day=1)
        found.append(Span(first, min(following - DAY, span.last)))
        first = following
    return found


def backfill_of(task: Task, span: Span) -> Backfill:
    """The backfill of these days with what the task collects now."""
    mark = fingerprint(task, collectors.make(task.collector))
    return Backfill(backfill_id(task.id, mark, span), task, span, windows(span))


def left(store: Store, backfill: Backfill) -> list[Span]:
    """The windows that are not completed, the oldest first."""
    runs = store.runs.of_scope(backfill.task.id, backfill_scope(backfill.id))
    done = {run.trigger for run in runs if run.status is TaskStatus.COMPLETED}
    return [window for window in backfill.windows if backfill_trigger(backfill.id, window) not in done]


def reckon(backfill: Backfill, wanted: Sequence[Span], around: Surroundings) -> Cost:
    """What these windows would cost; may ask the source. Raises UsageError where the task cannot collect the past."""
    task = backfill.task
    collector, config = collectors.make(task.collector), resolve(task.config, around.base)
    control = Control(deadline=Deadline(task.timeout.total_seconds()))
    with client(around, control, named=named_hosts(task, collector, config)) as http:
        estimate = collector.estimate(
            Collection(
                task_id=task.id,
                config=config,
                http=http,
                now=around.store.now(),
                span=Span(wanted[0].first, wanted[-1].last),
                log=lambda text: logger.info("{}", text),
            )
        )
    gap = rule_for(estimate.host, around.hosts).gap
    # Each cut between two windows costs a page that is not full.
    requests = estimate.requests + len(wanted) - 1
    return Cost(requests, estimate.records, estimate.host, gap, estimate.is_told)


def take(store: Store, backfill: Backfill, window: Span, owner: str, lease: timedelta) -> Run | None:
    """The run of a window, reserved for `owner`, or as it is when it is completed; None while others work on it."""
    now = store.now()
    run = store.runs.of_trigger(backfill.task.id, backfill_trigger(backfill.id, window))
    if run is None:
        with suppress(NotFound):  # the same command in another terminal was a moment earlier
            return store.runs.add(backfill.run(window), now, owner=owner, lease_until=now + lease)
        return None
    if run.status is TaskStatus.COMPLETED:
        return run
    if run.status.is_final:
        with suppress(UsageError):
            run = store.runs.again(run.id, now)
    return store.runs.reserve(run, owner, now, now + lease)


def stop(store: Store, run: Run) -> None:
    """Somebody stopped it by hand: nobody goes on with this window but the same command."""
    if not run.status.is_final:
        store.runs.settle(
            run, TaskStatus.CANCELLED, "stopped by hand; the same backfill goes on here", store.now()
        )
