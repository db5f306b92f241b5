"""What people ask about tasks, runs and hosts, answered from configuration and store: for commands and for the API."""

from __future__ import annotations

import heapq
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from itertools import islice
from typing import Any

from stoma.errors import NotFound, UsageError
from stoma.hosts import budget_name, plain_host
from stoma.scheduler import gone
from stoma.scheduler.base import Run, Switches, Task, iso
from stoma.scheduler.config import Config, blocked_reason
from stoma.scheduler.edits import TASK_ID
from stoma.scheduler.explain import Fate, fates, remarks
from stoma.scheduler.manners import HostStanding, standings
from stoma.scheduler.outlook import Coming, bounds, coming, conditions, held, zone_name
from stoma.scheduler.parts import host_of, task_named
from stoma.scheduler.zones import zone_of
from stoma.stores import Store
from stoma.stores.runs import NEWEST
from stoma.stores.traces import traces
from stoma.wording import did_you_mean, shown

OF_EACH = 3
"""Instants told of each task, when all of them are."""

OF_ONE, OF_ALL = 20, 50
"""Instants told of one task, and of all."""

LOOKED_AT = 500
"""Runs that are looked at together for those since a moment."""


@dataclass(frozen=True, slots=True)
class ToCome:
    """The instants to come, the next first; instants are aware UTC."""

    now: datetime
    until: datetime
    # Since when everything is paused.
    paused_since: datetime | None
    instants: Sequence[Coming]
    # By task: what else is to be known of it.
    notes: Mapping[str, Sequence[str]]

    def as_dict(self) -> dict[str, Any]:
        """As JSON carries it on the command line and over HTTP."""
        return {
            "paused": self.paused_since is not None,
            "until": iso(self.until),
            "instants": [one.as_dict() for one in self.instants],
            "tasks": [{"task": name, "notes": list(told)} for name, told in self.notes.items()],
        }


@dataclass(frozen=True, slots=True)
class Day:
    """What became of each due instant of a task on one day, by the clock of `zone`."""

    task_id: str
    date: date
    zone: str
    start: datetime
    end: datetime
    now: datetime
    notes: Sequence[str]
    fates: Sequence[Fate]

    def as_dict(self) -> dict[str, Any]:
        """As JSON carries it on the command line and over HTTP."""
        return {
            "task": self.task_id,
            "date": self.date.isoformat(),
            "zone": self.zone,
            "from": iso(self.start),
            "until": iso(self.end),
            "notes": list(self.notes),
            "instants": [fate.as_dict() for fate in self.fates],
        }


def to_come(
    config: Config, store: Store, task_id: str | None = None, *, days: int = 7, limit: int | None = None
) -> ToCome:
    """The instants of one task or of all within so many days; raises NotFound."""
    tasks = [task_named(config, task_id)] if task_id else list(config.tasks.values())
    now, switches = store.now(), store.agenda.switches()
    until = now + timedelta(days=days)
    most = limit or (OF_ONE if task_id else OF_ALL)
    found: list[Iterator[Coming]] = []
    notes: dict[str, list[str]] = {}
    for task in tasks:
        keeps = held(task, switches, _blocked(task, config, switches))
        notes[task.id] = [*([keeps] if keeps else []), *conditions(task)]
        if task_id or not keeps:
            # One task that is due each minute should not hide all others.
            found.append(islice(coming(task, now, until), most if task_id or limit else OF_EACH))
    paused = switches.paused.changed_at if switches.paused and switches.paused.is_on else None
    # Each is reckoned only when its turn comes: of many tasks that are due often few instants are told.
    first = islice(heapq.merge(*found, key=lambda one: one.at), most)
    return ToCome(now, until, paused, list(first), notes)


def day(config: Config, store: Store, task_id: str, text: str, *, joined: bool = False) -> Day:
    """What became of the due instants of the day that `text` names; raises NotFound and UsageError.

    A task that is declared no more but has left runs can be asked for as well. `joined` makes one of neighbours that
    had the same fate, where there are many.
    """
    task = None if is_past_task(config, store, task_id) else task_named(config, task_id)
    zone = zone_name(task) if task is not None else config.timezone
    now = store.now()
    asked = day_of(text, now.astimezone(zone_of(zone)).date())
    start, end = bounds(asked, zone_of(zone))
    known = traces(store.database, task_id, start, end)
    notes = [*remarks(task, known), *_keeps(config, store, task)]
    found = fates(task, known, start, end, now, joined=joined)
    return Day(task_id, asked, zone, start, end, now, notes, found)


def day_of(text: str, today: date) -> date:
    """The day that a person wrote; raises UsageError."""
    near = {"today": 0, "yesterday": -1, "tomorrow": 1}
    if text in near:
        return today + timedelta(days=near[text])
    try:
        found = date.fromisoformat(text)
    except ValueError:
        found = date.min
    if not 1970 <= found.year <= 9000:
        raise UsageError(f'"{shown(text)}" is not a date', "write one such as 2026-11-23, today or yesterday")
    return found


def is_past_task(config: Config, store: Store, task_id: str) -> bool:
    """True for a task that is declared no more and has left runs."""
    if task_id in config.tasks or not TASK_ID.match(task_id):
        return False
    return bool(store.runs.history(task_id, limit=1))


def runs(
    config: Config,
    store: Store,
    *,
    task_id: str | None = None,
    status: str | None = None,
    since: datetime | None = None,
    limit: int = 50,
    below: int = NEWEST,
) -> tuple[list[Run], int | None]:
    """Runs, newest first, and below which number the list goes on; None at its end. Raises NotFound.

    `since` bounds when they were made.
    """
    if task_id is not None and not is_past_task(config, store, task_id):
        task_named(config, task_id)
    found: list[Run] = []
    while len(found) <= limit:
        size = limit + 1 if since is None else max(limit + 1, LOOKED_AT)
        rows = store.runs.history(task_id, status=status, limit=size, below=below)
        fresh = [run for run in rows if since is None or run.created_at >= since]
        found += fresh
        # Numbers grow with time: behind so many that are older comes none that is younger.
        if len(rows) < size or not fresh:
            break
        below = rows[-1].id
    return found[:limit], found[limit - 1].id if len(found) > limit else None


def host_standings(config: Config, store: Store, host: str | None = None) -> list[HostStanding]:
    """Every host that is known, or this one; raises NotFound with the nearest name."""
    now = store.now()
    tasks: dict[str, list[str]] = {}
    for task in config.tasks.values():
        if asked := host_of(task):
            tasks.setdefault(asked, []).append(task.id)
    found = standings(store.hosts.all(now), tasks, config.hosts, now)
    if host is None:
        return found
    name = budget_name(plain_host(host))
    chosen = [one for one in found if one.host == name]
    if not chosen:
        near = did_you_mean(name, [one.host for one in found])
        raise NotFound(f'nothing is known of a host "{shown(name)}"{near}', "`stoma hosts` shows them all")
    return chosen


def _blocked(task: Task, config: Config, switches: Switches) -> str | None:
    return blocked_reason(task, config, wait=False) or gone.told(task, switches.gone.get(task.id))


def _keeps(config: Config, store: Store, task: Task | None) -> list[str]:
    """What will keep the instants to come from running, as long as nobody changes it."""
    said = []
    switches = store.agenda.switches()
    if task is not None and (keeps := held(task, switches, _blocked(task, config, switches))):
        said.append(f"it is {keeps}: what is to come will be skipped until that changes")
    if since := store.agenda.paused_since():
        local = since.astimezone(zone_of(config.timezone))
        since_then = f"{local:%a %Y-%m-%d %H:%M:%S} {local.isoformat()[-6:]}"
        said.append(
            f"everything is paused since {since_then}: what is to come will be skipped until it is resumed"
        )
    return said
