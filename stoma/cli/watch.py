"""`stoma scheduler status --watch`: what runs, live on a terminal; elsewhere a line for each thing that changes."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from stoma.cli.output import console, local, several, tell
from stoma.scheduler.base import Run, TaskStatus, duration_text
from stoma.wording import clean

if TYPE_CHECKING:
    from rich.console import Console
    from rich.text import Text

    from stoma.stores import Store

LOOK_SECONDS = 1.0

RECENT = timedelta(seconds=30)
"""Over how long the rate of records is counted."""

MOST_LINES = 15
"""Runs that are shown of each sort."""


@dataclass(slots=True)
class Pace:
    """How many records a run has seen at which moments, for as long as they count."""

    looks: list[tuple[datetime, int]] = field(default_factory=list)

    def rate(self, now: datetime, seen: int) -> float | None:
        """Records a second of late; None as long as that cannot be told."""
        self.looks = [(at, count) for at, count in self.looks if now - at <= RECENT and count <= seen]
        self.looks.append((now, seen))
        first, before = self.looks[0]
        seconds = (now - first).total_seconds()
        return (seen - before) / seconds if seconds >= 1 else None


@dataclass(frozen=True, slots=True)
class Glimpse:
    """What stands at one moment: the runs that are open, how much some expect, and those that ended since."""

    now: datetime
    is_running: bool
    paused_since: datetime | None
    running: tuple[Run, ...]
    waiting: tuple[Run, ...]
    ended: tuple[Run, ...]
    expected: Mapping[int, int | None] = field(default_factory=dict)


def watch(store: Store, zone: str) -> None:
    """Show what runs, until Ctrl-C."""
    if (screen := console()).is_terminal:
        _live(store, screen, zone)
        return
    told: dict[int, str] = {}
    for number, glimpse in enumerate(looks(store)):
        lines = list(news(glimpse, told))
        # Silence would look as if it hung.
        if number == 0 and not lines:
            lines = [summary(glimpse)]
        for line in lines:
            tell(f"{local(glimpse.now, zone)[11:19]} {line}")
        time.sleep(LOOK_SECONDS)


def _live(store: Store, screen: Console, zone: str) -> None:
    from rich.live import Live

    paces: dict[int, Pace] = {}
    with Live(console=screen, auto_refresh=False) as live:
        for glimpse in looks(store):
            live.update(_picture(glimpse, paces, screen.width, zone), refresh=True)
            time.sleep(LOOK_SECONDS)


def looks(store: Store) -> Iterator[Glimpse]:
    """One look after the other, without end."""
    from stoma.scheduler.overview import live_nodes

    open_before: dict[int, Run] = {}
    while True:
        now = store.now()
        found = store.runs.open()
        gone = [number for number in open_before if number not in {run.id for run in found}]
        nodes = live_nodes(store, now)
        yield Glimpse(
            now=now,
            is_running=bool(nodes) or store.database.scheduler() is not None,
            paused_since=store.agenda.paused_since(),
            running=tuple(run for run in found if run.status is TaskStatus.RUNNING),
            waiting=tuple(run for run in found if run.status is not TaskStatus.RUNNING),
            ended=tuple(store.runs.get(number) for number in gone),
            expected={
                work["run"]: work.get("expected") for node in nodes for work in node.get("working", ())
            },
        )
        open_before = {run.id: run for run in found}


def news(glimpse: Glimpse, told: dict[int, str]) -> Iterator[str]:
    """A line for each run that stands otherwise than was `told`, which is brought up to date."""
    for run in (*glimpse.ended, *glimpse.running, *glimpse.waiting):
        line = f"{run.task_id} #{run.id}: {_said(run, glimpse)}"
        if told.get(run.id) != line:
            told[run.id] = line
            yield line
        if run.status.is_final:
            told.pop(run.id, None)


def summary(glimpse: Glimpse) -> str:
    """How it stands, in one sentence."""
    if not glimpse.is_running:
        return "not running: start it with `stoma-run`"
    if glimpse.paused_since is not None:
        return "everything is paused: `stoma scheduler resume` ends it"
    return f"{several(len(glimpse.running), 'run')} under way, {len(glimpse.waiting)} waiting"


def _said(run: Run, glimpse: Glimpse) -> str:
    if run.status in (TaskStatus.PENDING, TaskStatus.INTERRUPTED):
        return f"{run.status}" + (f": {run.error or run.reason}" if run.error or run.reason else "")
    expected = glimpse.expected.get(run.id)
    of = f" of {expected:,}" if expected else ""
    counts = f"{run.seen:,}{of} seen, {several(run.pages, 'page')}"
    why = f": {run.error or run.reason}" if run.status.is_final and (run.error or run.reason) else ""
    return f"{run.status}, {counts}{why}"


def _picture(glimpse: Glimpse, paces: dict[int, Pace], width: int, zone: str) -> Text:
    """All of it, one line a run, cut at the edge of the screen: a line that breaks would jump with each look."""
    from rich.text import Text

    lines = [Text(f"{local(glimpse.now, zone)[11:]}  {summary(glimpse)}")]
    for run in glimpse.running[:MOST_LINES]:
        rate = paces.setdefault(run.id, Pace()).rate(glimpse.now, run.seen)
        speed = f", {rate:,.0f}/s" if rate is not None else ""
        since = duration_text(glimpse.now - run.started_at) if run.started_at else "0s"
        told = _said(run, glimpse).removeprefix("running, ")
        lines.append(Text.assemble((f"{run.task_id} #{run.id} ", "cyan"), f"{told}{speed}, {since}"))
    for run in glimpse.waiting[:MOST_LINES]:
        lines.append(Text(clean(f"{run.task_id} #{run.id} {_said(run, glimpse)}"), style="dim"))
    hidden = sum(max(0, len(some) - MOST_LINES) for some in (glimpse.running, glimpse.waiting))
    if hidden:
        lines.append(Text(f"and {hidden} more", style="dim"))
    for number in set(paces) - {run.id for run in glimpse.running}:
        del paces[number]
    for line in lines:
        line.truncate(width, overflow="ellipsis")
    return Text("\n").join(lines)
