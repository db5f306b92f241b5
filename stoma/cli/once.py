"""Runs in the foreground: progress on a terminal, a table of results, exit codes."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from stoma.cli.output import INTERRUPTED, NOT_COMPLETE, WELL, console, print_json, print_table, several, tell
from stoma.scheduler.base import Run, Task, TaskStatus
from stoma.signals import stopped_by_signals

if TYPE_CHECKING:
    from stoma.scheduler.config import Config
    from stoma.scheduler.pipeline import Tally
    from stoma.stores import Store

RESULT = ("task", "run", "status", "attempt", "seen", "new", "changed", "unchanged", "rejected", "pages",
          "duration_seconds", "error")  # fmt: skip
"""The fields of a result, in the order of the table and of the JSON."""

KEEP_SECONDS = 1.0
"""How long is spent at most on what need not be kept any longer, behind the runs."""

DELIVERY_SECONDS = 10.0
"""How long is spent at most on telling people what came of the runs; what is left waits for the next process."""

Report = Callable[[Run, "Tally | None"], None]


def run_once(config: Config, task_ids: Sequence[str], presets: Sequence[str], as_json: bool) -> int:
    """Run the chosen tasks until every run is final; gives the exit code."""
    from stoma.scheduler.parts import connect

    with connect(config) as store:
        tasks = choose(config, store, task_ids, presets)
        return run_here(config, store, tasks, as_json)


def choose(config: Config, store: Store, task_ids: Sequence[str], presets: Sequence[str]) -> list[Task]:
    """The named tasks; without names those of the presets, else all that are switched on and can run."""
    from stoma.scheduler.config import load_preset
    from stoma.scheduler.parts import task_named

    if task_ids:
        return [task_named(config, task_id) for task_id in dict.fromkeys(task_ids)]
    if presets:
        names = [task_id for preset in presets for task_id in load_preset(preset, config.base)]
        # The demo leaves out what it cannot play.
        return [config.tasks[task_id] for task_id in dict.fromkeys(names) if task_id in config.tasks]
    overrides = store.agenda.overrides()
    return [task for task in config.tasks.values() if overrides.get(task.id, task.enabled)]


def run_here(config: Config, store: Store, tasks: Sequence[Task], as_json: bool) -> int:
    """Run tasks in this process, show what came of it, and give the exit code."""
    from stoma.notify.notifier import deliver
    from stoma.scheduler.config import blocked_reason
    from stoma.scheduler.following import consequences
    from stoma.scheduler.foreground import Foreground
    from stoma.scheduler.keeping import Keeper
    from stoma.scheduler.parts import known_hosts, surroundings
    from stoma.usage import expect_many_objects

    expect_many_objects()
    blocked = {task.id: reason for task in tasks if (reason := blocked_reason(task, config))}
    ready = [task for task in tasks if task.id not in blocked]
    store.hosts.know(known_hosts(config))
    store.runs.on_final = consequences(lambda: config)
    asked_to_stop = False
    with progress(quiet=as_json) as report:
        front = Foreground(
            surroundings(config, store),
            ready,
            config.max_concurrent_tasks,
            report,
        )

        def stop() -> None:
            nonlocal asked_to_stop
            asked_to_stop = True
            front.ask_to_stop()

        with stopped_by_signals(stop):
            runs = {run.task_id: run for run in front.run()}
        if not asked_to_stop:
            Keeper(store).ring(config.keep, KEEP_SECONDS)
            deliver(store, config, DELIVERY_SECONDS)
    results = [
        result_of(runs[task.id]) if task.id in runs else _blocked(task, blocked[task.id]) for task in tasks
    ]
    if as_json:
        print_json(results)
    else:
        show(results)
    if asked_to_stop:
        return INTERRUPTED
    well = all(result["status"] == TaskStatus.COMPLETED for result in results)
    return WELL if well else NOT_COMPLETE


def result_of(run: Run) -> dict[str, Any]:
    """A run as a result."""
    fields = run.as_dict()
    result = {name: fields[name] for name in RESULT}
    result["error"] = fields["error"] if run.status is not TaskStatus.COMPLETED else None
    if result["error"] is None and run.status is not TaskStatus.COMPLETED:
        result["error"] = fields["reason"]
    return result


def show(results: Sequence[dict[str, Any]]) -> None:
    """Results as a table, with what went wrong below it."""
    columns = ("task", "run", "status", "seen", "new", "changed", "unchanged", "rejected", "pages", "seconds")
    rows = [
        [result["duration_seconds"] if name == "seconds" else result[name] for name in columns]
        for result in results
    ]
    print_table(columns, rows, empty="there is nothing to run: no task is switched on", numbers=7)
    for result in results:
        if result["error"]:
            tell(f"{result['task']}: {result['error']}")


@contextmanager
def progress(*, quiet: bool) -> Iterator[Report]:
    """A function to report progress to: bars on a terminal, silence elsewhere."""
    screen = console(stderr=True)
    if quiet or not screen.is_terminal:
        yield lambda run, tally: None
        return
    from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

    bars: dict[int, Any] = {}
    with Progress(
        TextColumn("{task.description}"), BarColumn(), TextColumn("{task.fields[said]}"), TimeElapsedColumn(),
        console=screen,
    ) as shown:  # fmt: skip

        def report(run: Run, tally: Tally | None) -> None:
            if run.id not in bars:
                called = f"{run.task_id} {run.span.text}" if run.span else run.task_id
                bars[run.id] = shown.add_task(called, total=None, said="starting")
            if tally is not None:
                said = f"{several(tally.seen, 'record')}, {several(tally.pages, 'page')}"
                if run.status is not TaskStatus.RUNNING:
                    said = f"{run.status}: {run.error or run.reason or 'in the queue'}"
                shown.update(bars[run.id], completed=tally.seen, total=tally.expected, said=said)
            elif run.status is not TaskStatus.RUNNING:
                shown.update(bars[run.id], said=f"{run.status}, {several(run.seen, 'record')}")
                if run.status.is_final:
                    shown.update(bars[run.id], total=1, completed=1)

        yield report


def _blocked(task: Task, reason: str) -> dict[str, Any]:
    empty: dict[str, Any] = dict.fromkeys(RESULT, 0)
    return empty | {
        "task": task.id,
        "run": None,
        "status": str(TaskStatus.SKIPPED),
        "duration_seconds": None,
        "error": f"blocked: {reason}",
    }
