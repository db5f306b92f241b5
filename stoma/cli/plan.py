"""`stoma plan`: what an edit would do, before a scheduler takes it up."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

import click

from stoma.cli.context import beside_running, config_option, json_option, load
from stoma.cli.output import USAGE, leave, on_clock, print_json, reporting, several, tell

if TYPE_CHECKING:
    from stoma.scheduler.plan import Known, Plan, TaskPlan
    from stoma.scheduler.settings import Config
    from stoma.stores import Store


@click.command()
@config_option
@json_option
@reporting
def plan(config_file: Path | None, as_json: bool) -> None:
    """What the files on disk would change about what is in force. Exit code 2 when they are broken."""
    from stoma.errors import ConfigError
    from stoma.scheduler.lastgood import config_in_force, existing_store
    from stoma.scheduler.loader import Loader
    from stoma.scheduler.overview import live_nodes
    from stoma.scheduler.plan import Known, touched
    from stoma.scheduler.plan import plan as compare

    try:
        fresh = load(config_file)
    except ConfigError as error:
        if not as_json:
            raise
        print_json({"ok": False, "errors": [problem.as_dict() for problem in error.problems]})
        leave(USAGE)
    old, known, now, due = None, Known(), datetime.now(UTC), set()
    store = existing_store(beside_running(Loader(config_file), fresh))
    if store is not None:
        with store:
            old, now = config_in_force(store, config_file, fresh.base), store.now()
            known = _known(store, touched(old, fresh))
            due = {name for node in live_nodes(store, now) for name in node.get("restart_needed", ())}
    found = compare(old, fresh, known, now)
    if as_json:
        needed = sorted({*found.restart, *due})
        told = {
            "ok": True,
            "in_force": old is not None,
            **found.as_dict(),
            "restart_needed": needed,
            "errors": [],
        }
        print_json(told)
        return
    _show_plan(found, fresh, is_first=old is None)
    for name in sorted(due.difference(found.restart)):
        tell(f"restart needed: {name} was edited before")


def _known(store: Store, task_ids: Sequence[str]) -> Known:
    """What the store has of these tasks."""
    from stoma.scheduler.base import TaskStatus
    from stoma.scheduler.plan import Known

    waiting: dict[str, int] = {}
    for run in store.runs.open():
        if run.status is not TaskStatus.RUNNING:
            waiting[run.task_id] = waiting.get(run.task_id, 0) + 1
    return Known(
        overrides=store.agenda.overrides(),
        cursors={i: row for i in task_ids if (row := store.runs.cursor(i)) is not None},
        progress={i: row for i in task_ids if (row := store.runs.progress(i, "live")) is not None},
        waiting=waiting,
    )


def _show_plan(plan: Plan, fresh: Config, *, is_first: bool) -> None:
    if is_first:
        tell("no scheduler has taken up these files yet: all of them would be new")
    elif plan.is_empty:
        tell("nothing would change")
    for task in plan.tasks:
        zone = fresh.tasks[task.task_id].timezone if task.task_id in fresh.tasks else fresh.timezone
        _show_task(task, zone)
    if plan.settings:
        tell("settings")
    for edit in plan.settings:
        late = "  (needs a restart)" if edit.key in plan.restart else ""
        tell(f"    {edit.key}: {_value(edit.old)} → {_value(edit.new)}{late}")


def _show_task(task: TaskPlan, zone: str) -> None:
    sign = {"added": "+", "removed": "-", "changed": "~"}[task.what]
    tell(f"{sign} {task.task_id}  {task.what} ({task.origin})")
    for edit in task.edits:
        tell(f"    {edit.key}: {_value(edit.old)} → {_value(edit.new)}")
    before, after = (on_clock(at, zone) if at else "none" for at in (task.next_before, task.next_after))
    told = {"added": f"next run: {after}", "removed": f"next run was: {before}"}.get(task.what, "")
    if task.what == "changed" and before != after:
        told = f"next run: {before} → {after}"
    if task.cancelled_runs:
        tell(f"    {several(task.cancelled_runs, 'waiting run')} would be cancelled")
    for line in (told, task.starts_anew, f"blocked: {task.blocked}" if task.blocked else None):
        if line:
            tell(f"    {line}")


def _value(text: str | None) -> str:
    return "(none)" if text is None else text
