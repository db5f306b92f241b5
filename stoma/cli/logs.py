"""`stoma logs`: what was logged while a run was carried out, try by try."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from stoma.cli import completing
from stoma.cli.context import config_option, demo_option, json_option, opened
from stoma.cli.output import local, print_json, reporting, tell
from stoma.cli.runs import FOLLOW_SECONDS, MOST_RUN_ID, trigger
from stoma.scheduler.base import Run, iso

if TYPE_CHECKING:
    from stoma.stores import Store
    from stoma.stores.base import Row
    from stoma.stores.logs import Line

LINGER_SECONDS = 2.0
"""How long the last lines of a run may come behind its end: they are written about once a second."""


@click.command()
@click.argument("run_id", type=click.IntRange(1, MOST_RUN_ID), metavar="RUN", shell_complete=completing.runs)
@click.option("--follow", is_flag=True, help="Go on until the run is over.")
@config_option
@demo_option
@json_option
@reporting
def logs(run_id: int, follow: bool, config_file: Path | None, demo: bool, as_json: bool) -> None:
    """What was logged while a run was carried out, try by try. RUN: its number, as `stoma runs` shows it."""
    with opened(config_file, demo=demo) as here:
        run = here.store.runs.get(run_id)
        if as_json:
            if follow:
                raise click.UsageError("--json prints once: leave out --follow")
            _logs_as_json(here.store, run)
            return
        zone = here.config.timezone
        tell(f"run {run.id} of {run.task_id}, {trigger(run, zone)}: {run.status}")
        told = 0
        for text in _told(here.store, run_id, zone, follow):
            tell(text)
            told += 1
        if not told:
            tell("it has not started yet" if run.started_at is None else "nothing is kept of its log")


def _told(store: Store, run_id: int, zone: str, follow: bool) -> Iterator[str]:
    """Headings of tries and lines, as they come; until the run is over when they are followed."""
    headed: dict[int, str] = {}
    ended: set[int] = set()
    above, over_since = 0, None
    while True:
        # Asked before the lines: what was logged before this moment is then among them, but for the last second.
        run = store.runs.get(run_id)
        attempts = store.runs.attempts(run_id)
        lines = store.logs.of_run(run_id, above=above)
        above = lines[-1].id if lines else above
        yield from _interleaved(attempts, lines, zone, headed, ended, is_last=not follow)
        if not follow:
            return
        if run.status.is_final:
            over_since = over_since or time.monotonic()
            # The line about the end is the last one of a run.
            is_told = any(line.message.startswith(str(run.status)) for line in lines)
            if is_told or time.monotonic() - over_since > LINGER_SECONDS:
                yield from _interleaved(store.runs.attempts(run_id), [], zone, headed, ended, is_last=True)
                return
        time.sleep(FOLLOW_SECONDS)


def _interleaved(
    attempts: list[Row],
    lines: list[Line],
    zone: str,
    headed: dict[int, str],
    ended: set[int],
    *,
    is_last: bool,
) -> Iterator[str]:
    """Each try with a heading, its lines, and how it ended; `headed` (with their last line) and `ended` were told."""
    rest = list(lines)
    for number, attempt in enumerate(attempts):
        fence, following = attempt["fence"], attempts[number + 1 :]
        if fence in ended:
            continue
        if fence not in headed:
            headed[fence] = ""
            yield _heading(attempt, zone)
        until = following[0]["started_at"] if following else None
        mine = [line for line in rest if until is None or line.logged_at < until]
        rest = rest[len(mine) :]
        headed[fence] = mine[-1].message if mine else headed[fence]
        for line in mine:
            yield f"  {local(line.logged_at, zone)[11:19]} {line.level: <7} {line.message}"
        # More lines of a try may come until the next one begins, or the run is over.
        if attempt["finished_at"] is not None and (following or is_last):
            ended.add(fence)
            # The last line of a run that is over says it already.
            if not headed[fence].startswith(attempt["status"]):
                yield f"  {local(attempt['finished_at'], zone)[11:19]} {_ending(attempt)}"


def _heading(attempt: Row, zone: str) -> str:
    from stoma.scheduler.owner import Owner

    owner = Owner.parse(attempt["owner"])
    node = owner.described if owner else attempt["owner"]
    return f"try {attempt['attempt']}, {node}, {local(attempt['started_at'], zone)}"


def _ending(attempt: Row) -> str:
    return f"{attempt['status']}: {attempt['error']}" if attempt["error"] else str(attempt["status"])


def _logs_as_json(store: Store, run: Run) -> None:
    instants = ("started_at", "finished_at")
    attempts: list[dict[str, Any]] = [
        {key: iso(row[key]) if key in instants else row[key] for key in row if key != "run_id"}
        for row in store.runs.attempts(run.id)
    ]
    lines = [
        {"at": iso(line.logged_at), "level": line.level, "message": line.message}
        for line in store.logs.of_run(run.id)
    ]
    print_json({**run.as_dict(), "attempts": attempts, "lines": lines})
