"""`stoma runs`, `stoma cancel` and `stoma retry`: runs, through the store."""

from __future__ import annotations

import time
from pathlib import Path
from typing import TYPE_CHECKING

import click

from stoma.cli import completing
from stoma.cli.context import config_option, demo_option, json_option, opened
from stoma.cli.noting import noted
from stoma.cli.output import NOT_COMPLETE, leave, local, print_json, print_table, reporting, tell
from stoma.scheduler.base import Run, TaskStatus

if TYPE_CHECKING:
    from stoma.stores import Store

FOLLOW_SECONDS = 0.3

MOST_RUN_ID = 2**63 - 1
"""What both databases can hold; nobody gets there."""
"""How often the store is asked for more."""

CANCEL_SECONDS = 10.0
"""How long a run that was asked to stop is waited for."""


@click.command()
@click.argument("task_id", required=False, metavar="[TASK]", shell_complete=completing.tasks)
@click.option(
    "--status", type=click.Choice([str(status) for status in TaskStatus]), help="Only those that stand so."
)
@click.option(
    "--limit", type=click.IntRange(1, 100_000), default=20, show_default=True, help="Show at most so many."
)
@config_option
@demo_option
@json_option
@reporting
def runs(
    task_id: str | None, status: str | None, limit: int, config_file: Path | None, demo: bool, as_json: bool
) -> None:
    """Runs, newest first, of one task or of all."""
    from stoma.scheduler.parts import task_named

    with opened(config_file, demo=demo) as here:
        # A task that is declared no more has left its runs.
        if task_id and not here.store.runs.history(task_id, limit=1):
            task_named(here.config, task_id)
        found = here.store.runs.history(task_id, status=status, limit=limit)
        zone = here.config.timezone
    if as_json:
        print_json([run.as_dict() for run in found])
        return
    rows = [
        (
            run.id,
            run.task_id,
            run.status,
            trigger(run, zone),
            local(run.started_at, zone),
            run.error or run.reason,
            run.duration_seconds,
            run.seen,
            run.new,
            run.changed,
            run.attempt,
        )
        for run in found
    ]
    of = f" of {task_id}" if task_id else ""
    empty = f"no runs{of} that are {status}" if status else f"no runs{of} yet"
    columns = (
        "run",
        "task",
        "status",
        "trigger",
        "started",
        "error",
        "seconds",
        "seen",
        "new",
        "changed",
        "tries",
    )
    print_table(columns, rows, empty=empty, numbers=5)


@click.command()
@click.argument(
    "run_id", type=click.IntRange(1, MOST_RUN_ID), metavar="RUN", shell_complete=completing.open_runs
)
@click.option("--no-wait", is_flag=True, help="Do not wait for a run under way to stop.")
@config_option
@demo_option
@json_option
@reporting
def cancel(run_id: int, no_wait: bool, config_file: Path | None, demo: bool, as_json: bool) -> None:
    """End a run: one that waits at once, one that is under way at its next page."""
    with opened(config_file, demo=demo) as here:
        with noted(here.store, "cancel", run_id):
            run = here.store.runs.ask_cancel(run_id, here.store.now())
        was_waiting = run.status is not TaskStatus.RUNNING
        if not as_json:
            name = f"run {run.id} of {run.task_id}"
            if was_waiting:
                tell(f"{name} was waiting and is {run.status}")
            else:
                tell(f"{name} is asked to stop; it ends at its next page")
        if not was_waiting and not no_wait:
            run = _awaited(here.store, run_id)
            if not as_json:
                _tell_end(run)
    if as_json:
        print_json(run.as_dict())
    if not run.status.is_final and not no_wait:
        leave(NOT_COMPLETE)


@click.command()
@click.argument(
    "run_id", type=click.IntRange(1, MOST_RUN_ID), metavar="RUN", shell_complete=completing.ended_runs
)
@config_option
@demo_option
@json_option
@reporting
def retry(run_id: int, config_file: Path | None, demo: bool, as_json: bool) -> None:
    """Begin a run again that ended without success, or let one that waits for its next try start now."""
    from stoma.scheduler.overview import is_scheduler_running
    from stoma.scheduler.parts import task_named

    with opened(config_file, demo=demo) as here:
        now = here.store.now()
        with noted(here.store, "retry", run_id):
            # Raises where the task is declared no more: its run would only be cancelled.
            task_named(here.config, here.store.runs.get(run_id).task_id)
            run = here.store.runs.again(run_id, now)
        is_running = is_scheduler_running(here.store, now)
        paused = here.store.agenda.paused_since() is not None
    if as_json:
        print_json(run.as_dict())
        return
    tell(f"run {run.id} of {run.task_id} is in the queue again")
    if paused:
        tell("everything is paused: it waits for `stoma scheduler resume`")
    if not is_running:
        tell("no scheduler is running: it waits for one (`stoma-run`)")


def trigger(run: Run, zone: str) -> str:
    """Why a run was made, in words."""
    from stoma.scheduler.explain import trigger_words

    if run.scheduled_for is None:
        return trigger_words(run)
    due, begun = local(run.scheduled_for, zone), local(run.started_at or run.scheduled_for, zone)
    # On the day of its start the time is enough.
    return f"due {due[11:16]}" if due[:10] == begun[:10] else f"due {due[:16]}"


def _awaited(store: Store, run_id: int) -> Run:
    """The run when it is over, or as it stands when that took too long."""
    until = time.monotonic() + CANCEL_SECONDS
    while not (run := store.runs.get(run_id)).status.is_final and time.monotonic() < until:
        time.sleep(FOLLOW_SECONDS)
    return run


def _tell_end(run: Run) -> None:
    if run.status.is_final:
        tell(f"run {run.id} of {run.task_id} is {run.status}; what it had committed stays")
    else:
        tell(f"run {run.id} of {run.task_id} is still {run.status}; it ends when its source has answered")
