"""`stoma next` and `stoma why`: what will happen, and what became of what was due."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from stoma.cli import completing
from stoma.cli.context import config_option, demo_option, json_option, opened
from stoma.cli.output import on_clock, print_json, print_table, reporting, several, tell

if TYPE_CHECKING:
    from stoma.scheduler.base import Run
    from stoma.scheduler.explain import Fate
    from stoma.scheduler.outlook import Coming


@click.command("next")
@click.argument("task_id", required=False, metavar="[TASK]", shell_complete=completing.tasks)
@click.option("--days", type=click.IntRange(1, 3660), default=7, show_default=True, help="Look so far ahead.")
@click.option("--limit", type=click.IntRange(1), help="Show at most so many.  [default: 20, of all 50]")
@config_option
@demo_option
@json_option
@reporting
def next_(
    task_id: str | None, days: int, limit: int | None, config_file: Path | None, demo: bool, as_json: bool
) -> None:
    """The instants to come, of one task or of all: zone, daylight saving, days off, what keeps tasks from running."""
    from stoma.scheduler.asking import OF_EACH, to_come

    with opened(config_file, demo=demo) as here:
        told = to_come(here.config, here.store, task_id, days=days, limit=limit)
    if as_json:
        print_json(told.as_dict())
        return
    found, paused = told.instants, told.paused_since
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
    for name, notes in told.notes.items():
        if notes:
            tell(f"{name}: {'; '.join(notes)}")


@click.command()
@click.argument("task_id", metavar="TASK", shell_complete=completing.tasks)
@click.argument("day", metavar="DATE")
@config_option
@demo_option
@json_option
@reporting
def why(task_id: str, day: str, config_file: Path | None, demo: bool, as_json: bool) -> None:
    """What became of each due instant of that day. DATE: 2026-11-23, today, yesterday or tomorrow."""
    from stoma.scheduler.asking import day as day_of_task
    from stoma.scheduler.zones import by_clock

    with opened(config_file, demo=demo) as here:
        told = day_of_task(here.config, here.store, task_id, day, joined=not as_json)
    if as_json:
        print_json(told.as_dict())
        return
    asked, zone = told.date, told.zone
    tell(f"{task_id} on {asked:%A}, {asked}, by the clock of {zone}")
    rows = [
        (_span(fate, zone), fate.count, _ids(fate.runs), fate.outcome, *_took(fate), by_clock(fate.why, zone))
        for fate in told.fates
    ]
    empty = "nothing was due that day, and nothing ran"
    columns = ("due", "instants", "run", "status", "tries", "took", "new", "why")
    print_table(
        columns, rows, empty=empty if told.end <= told.now else "nothing is due that day, and nothing ran"
    )
    for line in told.notes:
        tell(by_clock(line, zone))


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
