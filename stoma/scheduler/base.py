"""The words of scheduling as values: Task, Run, their statuses and priorities."""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from enum import StrEnum
from typing import Any

AGEING = timedelta(minutes=10)
"""How long a run waits to overtake one that is a step more important and came later: nothing starves."""


LIVE = "live"
"""The scope of what is collected as it comes; only this one has a cursor."""


class TaskPriority(StrEnum):
    """How important a task is; waiting raises it slowly."""

    CRITICAL = "critical"
    HIGH = "high"
    NORMAL = "normal"
    LOW = "low"

    @property
    def rank(self) -> int:
        """0 for critical to 3 for low."""
        return list(TaskPriority).index(self)


class TaskStatus(StrEnum):
    """Where a run stands: open (pending, running, interrupted) or final."""

    PENDING = "pending"
    RUNNING = "running"
    INTERRUPTED = "interrupted"
    COMPLETED = "completed"
    SUSPECT = "suspect"
    FAILED = "failed"
    SKIPPED = "skipped"
    CANCELLED = "cancelled"

    @property
    def is_final(self) -> bool:
        """True when nothing more will happen to the run."""
        return self not in OPEN


OPEN = frozenset({TaskStatus.PENDING, TaskStatus.RUNNING, TaskStatus.INTERRUPTED})


class SkipReason(StrEnum):
    """Why a due instant did not become a run."""

    OVERLAP = "overlap"
    CONDITION = "condition"
    HOLIDAY = "holiday"
    DISABLED = "disabled"
    PAUSED = "paused"
    TOO_LATE = "too_late"
    MERGED = "merged"
    BLOCKED = "blocked"


@dataclass(frozen=True, slots=True)
class Retry:
    """How often and when a failed run is tried again; `count` is how many tries may follow the first."""

    count: int = 3
    backoff: str = "exponential"  # exponential | linear | constant
    first: timedelta = timedelta(seconds=30)
    max: timedelta = timedelta(minutes=30)
    jitter: float = 0.2


@dataclass(frozen=True, slots=True)
class CatchUp:
    """What becomes of instants that passed while nothing ran: none | latest | all; None: until the next instant."""

    runs: str = "latest"
    max_lateness: timedelta | None = None


@dataclass(frozen=True, slots=True)
class Expect:
    """What a good run brings; less makes it `suspect` and leaves the cursor where it is."""

    # None: at least one, once a run has seen any; in a window of the past, none.
    min_records: int | None = None
    # How long nothing new or changed may come; None: as long as it likes.
    silence: timedelta | None = None


@dataclass(frozen=True, slots=True)
class Notify:
    """Who is told of a trouble, and when."""

    # Names of targets; None: all of them.
    to: tuple[str, ...] | None = None
    # How many runs in a row have to fail.
    after_failures: int = 3
    on_recovery: bool = True
    reminders: bool = True


@dataclass(frozen=True, slots=True)
class Schedule:
    """When a task is due, as it was written: a pattern, and what bends it."""

    # One of the six patterns, or a cron expression of five fields.
    pattern: str
    # None: the task's.
    timezone: str | None = None
    # Each run waits up to this long, by an amount of its own.
    jitter: timedelta = timedelta(0)
    # Days on which instants are skipped: `weekends`, `holidays/US`, `holidays/NYSE`, `2026-12-24`.
    skip: tuple[str, ...] = ()
    # `from` and `until`: a date, or a date and a time, by the clock of the zone; `until` is the last day or moment.
    start: str | None = None
    until: str | None = None

    @property
    def text(self) -> str:
        """In one line, for people."""
        words = [self.pattern]
        words += [self.timezone] if self.timezone else []
        words += [f"jitter {duration_text(self.jitter)}"] if self.jitter else []
        words += [f"skip {' '.join(self.skip)}"] if self.skip else []
        words += [f"from {self.start}"] if self.start else []
        words += [f"until {self.until}"] if self.until else []
        return " ".join(words)


@dataclass(frozen=True, slots=True)
class Dependency:
    """A task that has to end before: `completed`, `failed` (failed or suspect), or `any` of these."""

    task: str
    status: str = "completed"


@dataclass(frozen=True, slots=True)
class Task:
    """What to do and when: one entry under `tasks:`, complete, with defaults filled in and references unresolved."""

    id: str
    name: str
    collector: str
    config: Mapping[str, Any] = field(default_factory=dict)
    schedule: tuple[Schedule, ...] = ()
    timezone: str = "UTC"
    priority: TaskPriority = TaskPriority.NORMAL
    timeout: timedelta = timedelta(minutes=10)
    retry: Retry = Retry()
    overlap: str = "skip"  # skip | queue
    catch_up: CatchUp = CatchUp()
    # What has to end first: once all of these have since the last run, the task runs.
    after: tuple[Dependency, ...] = ()
    # A safe expression; an instant at which it is false is skipped.
    when: str | None = None
    expect: Expect = Expect()
    notify: Notify = Notify()
    run_on_start: bool = False
    enabled: bool = True
    keep_cursor: bool = False
    # How long raw pages are kept; None: as long as the store says.
    raw: timedelta | None = None
    # A name from NORMALIZERS; None: the one called like the collector. An object only in Python.
    normalizer: Any = None
    # Where it is declared: `file:line`, or `python`.
    origin: str = "python"

    @property
    def schedule_text(self) -> str:
        """The schedule in one line, for people; empty for a task that runs only by hand."""
        return ", ".join(schedule.text for schedule in self.schedule)

    @property
    def occasion(self) -> str:
        """When it runs, in one line: its schedule, what it follows, or by hand."""
        words = [self.schedule_text] if self.schedule else []
        if self.after:
            names = (d.task if d.status == "completed" else f"{d.task} ({d.status})" for d in self.after)
            words.append(f"after {' and '.join(names)}")
        return ", ".join(words) or "by hand"


@dataclass(frozen=True, slots=True)
class Run:
    """One execution of a task with all its tries: one row of `runs`. Instants are aware UTC."""

    id: int
    task_id: str
    trigger: str
    scope: str
    scheduled_for: datetime | None
    status: TaskStatus
    reason: str | None
    attempt: int
    not_before: datetime | None
    priority: TaskPriority
    host: str | None
    config_hash: str
    fence: int
    owner: str | None
    lease_until: datetime | None
    cancel_asked_at: datetime | None
    created_at: datetime
    started_at: datetime | None
    finished_at: datetime | None
    pages: int
    seen: int
    new: int
    changed: int
    unchanged: int
    rejected: int
    error: str | None

    @classmethod
    def from_row(cls, row: Mapping[str, Any]) -> Run:
        """A run from a row of the table, whose columns carry the same names."""
        values = {name: row[name] for name in cls.__slots__}
        values["status"] = TaskStatus(values["status"])
        values["priority"] = TaskPriority(values["priority"])
        return cls(**values)

    @property
    def span(self) -> Span | None:
        """The days that a backfill's run collects; None for a live one."""
        kind, _, rest = self.trigger.partition(":")
        return Span.of(rest.rpartition("/")[2]) if kind == "backfill" else None

    @property
    def is_live(self) -> bool:
        """False for a run that collects days of the past."""
        return self.scope == LIVE

    @property
    def progress_scope(self) -> str:
        """Under what its progress is kept: each window of a backfill has its own."""
        return self.scope if self.is_live else self.trigger

    @property
    def duration_seconds(self) -> float | None:
        """Seconds from the first start to the end; None while it is not over."""
        if self.started_at is None or self.finished_at is None:
            return None
        return round((self.finished_at - self.started_at).total_seconds(), 3)

    def as_dict(self) -> dict[str, Any]:
        """The fields as JSON carries them on the command line and over HTTP."""
        return {
            "task": self.task_id,
            "run": self.id,
            "trigger": self.trigger,
            "status": str(self.status),
            "reason": self.reason,
            "attempt": self.attempt,
            "seen": self.seen,
            "new": self.new,
            "changed": self.changed,
            "unchanged": self.unchanged,
            "rejected": self.rejected,
            "pages": self.pages,
            "scheduled_for": iso(self.scheduled_for),
            "not_before": iso(self.not_before),
            "started_at": iso(self.started_at),
            "finished_at": iso(self.finished_at),
            "duration_seconds": self.duration_seconds,
            "error": self.error,
        }


@dataclass(frozen=True, slots=True)
class Span:
    """Days of the past that a backfill collects, first and last included; in the source's own zone."""

    first: date
    last: date

    @property
    def text(self) -> str:
        """As it stands in a trigger: `2026-01-01..2026-01-31`."""
        return f"{self.first}..{self.last}"

    @classmethod
    def of(cls, text: str) -> Span:
        """The span that `text` tells; raises ValueError."""
        first, _, last = text.partition("..")
        return cls(date.fromisoformat(first), date.fromisoformat(last))


@dataclass(frozen=True, slots=True)
class NewRun:
    """A run that is about to be inserted; `(task_id, trigger)` makes it unique."""

    task_id: str
    trigger: str
    priority: TaskPriority
    config_hash: str
    scheduled_for: datetime | None = None
    scope: str = LIVE
    host: str | None = None
    reason: str | None = None
    not_before: datetime | None = None
    # True for a task with `after`: what ended before this run counts no more for the next one.
    starts_over: bool = False


@dataclass(frozen=True, slots=True)
class Skip:
    """Consecutive due instants, first to last, that became no run, and why."""

    first: datetime
    last: datetime
    count: int
    reason: SkipReason
    detail: str = ""


@dataclass(frozen=True, slots=True)
class Switch:
    """Something that is switched by hand, and when it was switched last."""

    is_on: bool
    changed_at: datetime


@dataclass(frozen=True, slots=True)
class Gone:
    """A source that said it is gone for good: what was asked of it, since when, and in which words."""

    fingerprint: str
    since: datetime
    reason: str


@dataclass(frozen=True, slots=True)
class Switches:
    """What holds tasks back until somebody changes it: single ones, the pause of everything, sources that are gone."""

    tasks: Mapping[str, Switch] = field(default_factory=dict)
    paused: Switch | None = None
    gone: Mapping[str, Gone] = field(default_factory=dict)


def at_trigger(instant: datetime) -> str:
    """The trigger of a scheduled run: its due instant, so that no instant can run twice."""
    return f"at:{iso(instant)}"


def after_trigger(run_id: int) -> str:
    """The trigger of a run that follows another: the one whose end was the last that was missing."""
    return f"after:{run_id}"


def backfill_scope(backfill: str) -> str:
    """The scope of all windows of a backfill."""
    return f"backfill:{backfill}"


def backfill_trigger(backfill: str, span: Span) -> str:
    """The trigger of one window of a backfill, so that no window can run twice."""
    return f"backfill:{backfill}/{span.text}"


def hand_trigger() -> str:
    """The trigger of a run that somebody asked for: unique each time."""
    return f"hand:{uuid.uuid4()}"


def queue_instant(priority: TaskPriority, due: datetime) -> datetime:
    """Where a run stands in the queue: the earlier the sooner; each step of priority is worth AGEING of waiting."""
    return due + AGEING * priority.rank


def iso(instant: datetime | None) -> str | None:
    """An instant as text: UTC, seconds, `Z`; microseconds only where there are any."""
    if instant is None:
        return None
    return instant.astimezone(UTC).isoformat().replace("+00:00", "Z")


def duration_text(span: timedelta) -> str:
    """A span as people write it: `1h30m`; whole seconds."""
    seconds = round(span.total_seconds())
    parts = []
    for unit, size in (("d", 86_400), ("h", 3_600), ("m", 60), ("s", 1)):
        number, seconds = divmod(seconds, size)
        parts += [f"{number}{unit}"] if number else []
    return "".join(parts) or "0s"
