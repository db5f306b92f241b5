"""`stoma next` and `stoma why`: what will happen, and what became of what was due."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from datetime import date, datetime, timedelta
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from stoma.cli.context import config_option, demo_option, json_option, opened
from stoma.cli.output import on_clock, print_json, print_table, reporting, several, tell

if TYPE_CHECKING:
    from stoma.cli.context import Opened
    from stoma.scheduler.base import Run, Switches, Task
    from stoma.scheduler.explain import Fate
    from stoma.scheduler.outlook import Coming

OF_EACH = 3
"""Instants shown of each task, when all of them are."""

OF_ONE, OF_ALL = 20, 50
"""Instants shown of one task, and of all."""


@click.command("next")
@click.argument("task_id", required=False, metavar="[TASK]")
@click.option("--days", type=click.IntRange(1, 3660), default=7, show_default=True, help="Look so far ahead.")
@click.option(
    "--limit", type=click.IntRange(1), help=f"Show at most so many.  [default: {OF_ONE}, of all {OF_ALL}]"
)
@config_option
@demo_option
@json_option
@reporting
def next_(
    task_id: str | None, days: int, limit: int | None, config_file: Path | None, demo: bool, as_json: bool
) -> None:
    """The instants to come, of one task or of all: zone, daylight saving, days off, what keeps tasks from running."""
    from stoma.scheduler.outlook import coming, conditions, held
    from stoma.scheduler.parts import task_named

    with opened(config_file, demo=demo) as here:
        tasks = [task_named(here.config, task_id)] if task_id else list(here.config.tasks.values())
        now, switches = here.store.now(), here.store.agenda.switches()
    until = now + timedelta(days=days)
    most = limit or (OF_ONE if task_id else OF_ALL)
    found: list[Coming] = []
    notes: dict[str, list[str]] = {}
    for task in tasks:
        keeps = held(task, switches, _blocked(task, here, switches))
        notes[task.id] = [*([keeps] if keeps else []), *conditions(task)]
        if task_id or not keeps:
            # One task that is due each minute should not hide all others.
            found += islice(coming(task, now, until), most if task_id or limit else OF_EACH)
    found = sorted(found, key=lambda one: one.at)[:most]
    paused = switches.paused.changed_at if switches.paused and switches.paused.is_on else None
    if as_json:
        shown = {
            "paused": paused is not None,
            "until": _iso(until),
            "instants": [one.as_dict() for one in found],
        }
        print_json({**shown, "tasks": [{"task": name, "notes": told} for name, told in notes.items()]})
        return
    rows = [(one.task_id, on_clock(one.at, one.zone), one.zone, _note(one)) for one in found]
    empty = f"nothing is due within {several(days, 'day')}; --days looks further"
    print_table(("task", "due", "zone", "note"), rows, empty=empty)
    if paused:
        tell(
            f"everything is paused since {on_clock(paused, here.config.timezone)}: until it is resumed, nothing runs"
        )
    if any(count == OF_EACH for count in Counter(one.task_id for one in found).values()) and not (
        task_id or limit
    ):
        tell(f"the next {OF_EACH} of each task; name one to see more of it")
    for name, told in notes.items():
        if told:
            tell(f"{name}: {'; '.join(told)}")


@click.command()
@click.argument("task_id", metavar="TASK")
@click.argument("day", metavar="DATE")
@config_option
@demo_option
@json_option
@reporting
def why(task_id: str, day: str, config_file: Path | None, demo: bool, as_json: bool) -> None:
    """What became of each due instant of that day. DATE: 2026-11-23, today, yesterday or tomorrow."""
    from stoma.scheduler.explain import fates, remarks
    from stoma.scheduler.outlook import bounds, zone_name
    from stoma.scheduler.zones import zone_of
    from stoma.stores.traces import traces

    with opened(config_file, demo=demo) as here:
        task = _task(here, task_id)
        zone = zone_name(task) if task is not None else here.config.timezone
        now = here.store.now()
        asked = day_of(day, now.astimezone(zone_of(zone)).date())
        start, end = bounds(asked, zone_of(zone))
        known = traces(here.store.database, task_id, start, end)
        keeps = _keeps(here, task)
    found = fates(task, known, start, end, now, joined=not as_json)
    said = [*remarks(task, known), *keeps]
    if as_json:
        where = {
            "task": task_id,
            "date": asked.isoformat(),
            "zone": zone,
            "from": _iso(start),
            "until": _iso(end),
        }
        print_json({**where, "notes": said, "instants": [fate.as_dict() for fate in found]})
        return
    tell(f"{task_id} on {asked:%A}, {asked}, by the clock of {zone}")
    rows = [
        (_span(fate, zone), fate.count, _ids(fate.runs), fate.outcome, *_took(fate), fate.why)
        for fate in found
    ]
    empty = "nothing was due that day, and nothing ran"
    columns = ("due", "instants", "run", "status", "tries", "took", "new", "why")
    print_table(columns, rows, empty=empty if end <= now else "nothing is due that day, and nothing ran")
    for line in said:
        tell(line)


def _task(here: Opened, task_id: str) -> Task | None:
    """The task; None for one that is declared no more but has left runs; NotFound for any other."""
    from stoma.scheduler.parts import task_named

    if task_id not in here.config.tasks and here.store.runs.history(task_id, limit=1):
        return None
    return task_named(here.config, task_id)


def _blocked(task: Task, here: Opened, switches: Switches) -> str | None:
    from stoma.scheduler import gone
    from stoma.scheduler.config import blocked_reason

    return blocked_reason(task, here.config) or gone.told(task, switches.gone.get(task.id))


def _keeps(here: Opened, task: Task | None) -> list[str]:
    """What will keep the instants to come from running, as long as nobody changes it."""
    from stoma.scheduler.outlook import held

    said = []
    switches = here.store.agenda.switches()
    if task is not None and (keeps := held(task, switches, _blocked(task, here, switches))):
        said.append(f"it is {keeps}: what is to come will be skipped until that changes")
    if since := here.store.agenda.paused_since():
        since_then = on_clock(since, here.config.timezone)
        said.append(
            f"everything is paused since {since_then}: what is to come will be skipped until it is resumed"
        )
    return said


def day_of(text: str, today: date) -> date:
    """The day that a person wrote; raises UsageError."""
    from stoma.errors import UsageError

    near = {"today": 0, "yesterday": -1, "tomorrow": 1}
    if text in near:
        return today + timedelta(days=near[text])
    try:
        found = date.fromisoformat(text)
    except ValueError:
        found = date.min
    if not 1970 <= found.year <= 9000:
        raise UsageError(f'"{text[:80]}" is not a date', "write one such as 2026-11-23, today or yesterday")
    return found


def _note(one: Coming) -> str:
    skipped = [f"skipped: {one.skipped}"] if one.skipped else []
    return "; ".join([*skipped, *one.marks])


def _span(fate: Fate, zone: str) -> str:
    from stoma.scheduler.zones import zone_of

    first, last = (moment.astimezone(zone_of(zone)) for moment in (fate.first, fate.last))
    if fate.first == fate.last:
        return f"{first:%H:%M:%S}"
    # In an hour that comes twice only the offset tells one from the other.
    offset = "" if first.utcoffset() == last.utcoffset() else f" ({first:%z} to {last:%z})"
    return f"{first:%H:%M:%S} to {last:%H:%M:%S}{offset}"


def _ids(runs: Sequence[Run]) -> str:
    if len(runs) < 2:
        return str(runs[0].id) if runs else ""
    return f"{runs[0].id} to {runs[-1].id}"


def _took(fate: Fate) -> tuple[Any, Any, Any]:
    """Tries, seconds and new records of the runs of a fate."""
    if not fate.runs:
        return None, None, None
    seconds = [run.duration_seconds for run in fate.runs if run.duration_seconds is not None]
    took = f"{sum(seconds):.1f} s" if seconds else None
    return sum(run.attempt for run in fate.runs), took, sum(run.new for run in fate.runs)


def _iso(instant: datetime) -> str | None:
    from stoma.scheduler.base import iso

    return iso(instant)
