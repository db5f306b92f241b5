"""`stoma backfill`: collects days of the past in the foreground, month by month, beside what runs on schedule."""

from __future__ import annotations

import sys
import time
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from stoma.cli import completing
from stoma.cli.context import Opened, config_option, demo_option, json_option, opened
from stoma.cli.noting import noted
from stoma.cli.output import (
    INTERRUPTED,
    NOT_COMPLETE,
    WELL,
    console,
    leave,
    print_json,
    print_table,
    reporting,
    several,
    stoma_command,
    tell,
)
from stoma.scheduler.base import Run, Span, TaskStatus, duration_text
from stoma.signals import stopped_by_signals

if TYPE_CHECKING:
    from stoma.scheduler.backfill import Backfill, Cost
    from stoma.scheduler.foreground import Foreground

LOOK_SECONDS = 0.3
"""How often a window is looked at that another process works on."""

DAY = click.DateTime(formats=["%Y-%m-%d"])
UNTIL = "The last day.  [default: the last one that is over everywhere]"


@click.command()
@click.argument("task_id", metavar="TASK", shell_complete=completing.tasks)
@click.option("--from", "first", type=DAY, required=True, metavar="DATE", help="The first day.")
@click.option("--to", "last", type=DAY, metavar="DATE", help=UNTIL)
@click.option("--dry-run", is_flag=True, help="Say what it would cost, and collect nothing.")
@click.option("--yes", is_flag=True, help="Do not ask before it begins.")
@config_option
@demo_option
@json_option
@reporting
def backfill(
    task_id: str,
    first: datetime,
    last: datetime | None,
    dry_run: bool,
    yes: bool,
    config_file: Path | None,
    demo: bool,
    as_json: bool,
) -> None:
    """Collect days of the past: says first what it costs, and goes on where it was when it was stopped.

    Each calendar month is a run of its own. The task goes on as it does: its cursor stays, and nothing follows.
    """
    from stoma.errors import Blocked
    from stoma.scheduler.backfill import backfill_of, left, reckon, span_of
    from stoma.scheduler.config import blocked_reason
    from stoma.scheduler.parts import known_hosts, surroundings, task_named

    with opened(config_file, demo=demo, with_code=True) as here:
        task = task_named(here.config, task_id)
        span = span_of(first.date(), last.date() if last else None, here.store.now())
        if reason := blocked_reason(task, here.config):
            raise Blocked(f"{task.id} is blocked: {reason}")
        wanted = backfill_of(task, span)
        windows = left(here.store, wanted)
        here.store.hosts.know(known_hosts(here.config))
        cost = reckon(wanted, windows, surroundings(here.config, here.store)) if windows else None
        _tell_cost(wanted, windows, cost, on_stderr=as_json)
        if dry_run or not windows:
            if as_json:
                print_json(_plan(wanted, windows, cost) if dry_run else [])
            leave(WELL)
        on_terminal = sys.stdin.isatty() and sys.stdout.isatty()
        if on_terminal and not yes and not click.confirm("collect this now?", err=as_json):
            leave(NOT_COMPLETE)
        work = _Work(here, wanted, as_json)
        days = f"{span.first} to {span.last}"
        with noted(here.store, "backfill", task_id, days=days), stopped_by_signals(work.ask_to_stop):
            runs = work.carry_out(windows)
    if as_json:
        print_json([run.as_dict() for run in runs])
    else:
        _show(runs)
    if work.is_stopped:
        more = f" --config {config_file}" if config_file else ""
        click.echo(
            "stopped; what was collected stays. This goes on from there:\n"
            f"  {stoma_command()} backfill {task_id} --from {span.first} --to {span.last}{more}",
            err=True,
        )
        leave(INTERRUPTED)
    leave(WELL if all(run.status is TaskStatus.COMPLETED for run in runs) else NOT_COMPLETE)


class _Work:
    """One window after the other, until the last one or until somebody asks to stop."""

    def __init__(self, here: Opened, wanted: Backfill, as_json: bool) -> None:
        from stoma.scheduler.parts import surroundings

        self.is_stopped = False
        self._store = here.store
        self._around = surroundings(here.config, here.store)
        self._wanted = wanted
        self._as_json = as_json
        self._front: Foreground | None = None

    def ask_to_stop(self) -> None:
        """A signal handler may call this: no lock."""
        self.is_stopped = True
        if self._front is not None:
            self._front.ask_to_stop()

    def carry_out(self, windows: Sequence[Span]) -> list[Run]:
        """The runs of these windows, as they ended; one that fails does not hold up the next."""
        from stoma.cli.once import progress
        from stoma.scheduler.backfill import stop
        from stoma.scheduler.foreground import Foreground

        runs: list[Run] = []
        tells = not self._as_json and not console(stderr=True).is_terminal
        with progress(quiet=self._as_json) as report:
            for window in windows:
                run = self._taken(window)
                if run is None:
                    break
                if not run.status.is_final:
                    task = self._wanted.task
                    self._front = Foreground(self._around, [task], 1, report, reserved={task.id: run})
                    if self.is_stopped:
                        self._front.ask_to_stop()
                    self._front.run()
                    run = self._store.runs.get(run.id)
                    stop(self._store, run)
                runs.append(self._store.runs.get(run.id))
                if tells:
                    click.echo(_line(runs[-1]), err=True)
                if self.is_stopped:
                    break
        return runs

    def _taken(self, window: Span) -> Run | None:
        """The run of a window, for this process or at its end; None when somebody asks to stop before."""
        from stoma.scheduler.backfill import take
        from stoma.scheduler.runner import recover

        task, is_told = self._wanted.task, False
        while not self.is_stopped:
            recover(self._store, lambda _: task, self._store.now(), only={task.id})
            run = take(self._store, self._wanted, window, self._around.owner, self._around.lease)
            if run is not None:
                return run
            if not is_told:
                click.echo(f"{window.text}: another process works on it; waiting", err=True)
                is_told = True
            time.sleep(LOOK_SECONDS)
        return None


def _tell_cost(wanted: Backfill, windows: Sequence[Span], cost: Cost | None, *, on_stderr: bool) -> None:
    """What it is about, in two lines for people."""
    many = several(len(wanted.windows), "month")
    done = len(wanted.windows) - len(windows)
    lines = [f"{wanted.task.id}: {wanted.span.first} to {wanted.span.last}, {many}"]
    if cost is None:
        lines[0] += ", all collected already"
    else:
        lines[0] += f", {done} of them collected already" if done else ""
        about = "" if cost.is_told else "about "
        records = "records unknown" if cost.records is None else f"{about}{cost.records:,} records"
        took = f"about {duration_text(cost.time)} by the budget of" if cost.time else "no budget at"
        lines.append(f"about {several(cost.requests, 'request')}, {records}, {took} {cost.host}")
    for line in lines:
        click.echo(line, err=True) if on_stderr else tell(line)


def _plan(wanted: Backfill, windows: Sequence[Span], cost: Cost | None) -> dict[str, Any]:
    nothing = {"requests": 0, "records": 0, "host": None, "hours": 0.0, "is_told": True}
    return {
        "task": wanted.task.id,
        "backfill": wanted.id,
        "from": str(wanted.span.first),
        "to": str(wanted.span.last),
        "windows": [window.text for window in wanted.windows],
        "left": [window.text for window in windows],
        **(cost.as_dict() if cost is not None else nothing),
    }


def _show(runs: Sequence[Run]) -> None:
    columns = ("days", "run", "status", "seen", "new", "changed", "unchanged", "rejected", "pages", "seconds")
    rows = [
        (run.span.text if run.span else "", run.id, run.status, run.seen, run.new, run.changed, run.unchanged,
         run.rejected, run.pages, run.duration_seconds)
        for run in runs
    ]  # fmt: skip
    print_table(columns, rows, empty="nothing was begun", numbers=7)
    for run in runs:
        if run.status is not TaskStatus.COMPLETED:
            tell(f"{run.span.text if run.span else run.id}: {run.error or run.reason or run.status}")


def _line(run: Run) -> str:
    return f"{run.span.text if run.span else run.id}: {run.status}, {run.seen} seen, {run.new} new"
