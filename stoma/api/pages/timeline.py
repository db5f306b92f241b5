"""Runs as bars over time, a lane for each task. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta, tzinfo
from typing import Any

from stoma.api.pages.looks import length
from stoma.scheduler.base import TaskStatus

SLOTS = 240
"""Parts of the width that can be told apart: runs that begin in the same one are one bar."""

MOST_LANES = 12
MOST_BARS = 300
MOST_TICKS = 7

WORST_FIRST = ("failed", "suspect", "interrupted", "running", "pending", "completed", "cancelled", "skipped")

STEPS = [timedelta(minutes=minutes) for minutes in (1, 5, 15, 30)]
STEPS += [timedelta(hours=hours) for hours in (1, 3, 6, 12)]
STEPS += [timedelta(days=days) for days in (1, 2, 7, 14, 30, 90, 365, 3650)]


@dataclass(slots=True)
class Bar:
    """One run, or several that begin together; `left` and `width` in percent."""

    left: float
    width: float
    status: str
    run: int
    told: str
    count: int = 1


@dataclass(frozen=True, slots=True)
class Lane:
    """The runs of one task."""

    task: str
    bars: Sequence[Bar]


@dataclass(frozen=True, slots=True)
class Timeline:
    """What is drawn, from `start` to `end`; `ticks` are places in percent with the instant there."""

    start: datetime
    end: datetime
    lanes: Sequence[Lane]
    ticks: Sequence[tuple[float, datetime]]
    # Tasks that found no place.
    more: int


def timeline(rows: Iterable[Any], start: datetime, end: datetime, zone: tzinfo) -> Timeline:
    """Rows of runs, in any order, as lanes by name; where there are too many, those with the worst and the newest."""
    by_task: dict[str, list[Bar]] = {}
    # A run that is tried again by hand keeps its number and begins later than those after it.
    for row in sorted(rows, key=_begun, reverse=True):
        if (bar := _bar(row, start, end)) is not None:
            _place(by_task.setdefault(row["task_id"], []), bar)
    # Sorting keeps the order of equals: the newest first.
    worst = sorted(by_task, key=lambda task: min(_badness(bar.status) for bar in by_task[task]) > 1)
    kept: list[Lane] = []
    bars = 0
    for task in worst[:MOST_LANES]:
        if kept and bars + len(by_task[task]) > MOST_BARS:
            break
        bars += len(by_task[task])
        kept.append(Lane(task, by_task[task]))
    ticks = list(_ticks(start, end, zone))
    return Timeline(start, end, sorted(kept, key=lambda lane: lane.task), ticks, len(by_task) - len(kept))


def _begun(row: Any) -> datetime:
    found: datetime = row["started_at"] or row["finished_at"] or row["created_at"]
    return found


def _bar(row: Any, start: datetime, end: datetime) -> Bar | None:
    begun = _begun(row)
    is_running = row["status"] == TaskStatus.RUNNING
    over = row["finished_at"] or (end if is_running else begun)
    if over < start or begun > end:
        return None
    whole = (end - start) / 100 or timedelta(seconds=1)
    left = max((begun - start) / whole, 0.0)
    width = max((min(over, end) - max(begun, start)) / whole, 100 / SLOTS)
    took = length(over - begun) if row["started_at"] else ""
    told = ", ".join(part for part in (f"run {row['id']}", row["status"], took) if part)
    left = round(min(left, 100 - 100 / SLOTS), 2)
    return Bar(left, round(min(width, 100 - left), 2), row["status"], row["id"], told)


def _place(bars: list[Bar], bar: Bar) -> None:
    """Add a bar that begins before all that are there, or with the last of them."""
    last = bars[-1] if bars else None
    if last is None or last.left - bar.left >= 100 / SLOTS:
        bars.append(bar)
        return
    end = max(last.left + last.width, bar.left + bar.width)
    last.count += 1
    if _badness(bar.status) < _badness(last.status):
        last.status, last.run = bar.status, bar.run
    last.left = min(last.left, bar.left)
    last.width = round(end - last.left, 2)
    last.told = f"{last.count} runs, the worst {last.status}"


def _badness(status: str) -> int:
    return WORST_FIRST.index(status) if status in WORST_FIRST else len(WORST_FIRST)


def _ticks(start: datetime, end: datetime, zone: tzinfo) -> Iterator[tuple[float, datetime]]:
    """Round instants by the clock of a zone."""
    span = end - start
    step = next((step for step in STEPS if span / step <= MOST_TICKS), STEPS[-1])
    day = start.astimezone(zone).replace(hour=0, minute=0, second=0, microsecond=0)
    at = day + (start - day) // step * step
    while at <= end and span:
        if at >= start:
            yield round((at - start) / span * 100, 2), at
        at += step
