"""`stoma scheduler`: tasks and runs, through the store and the files."""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

import click

from stoma.cli import completing
from stoma.cli.context import config_option, demo_option, json_option, load, opened
from stoma.cli.log_options import Logging, log_options
from stoma.cli.noting import note_done, noted
from stoma.cli.output import (
    DEGRADED,
    INTERRUPTED,
    NOT_COMPLETE,
    WELL,
    aside,
    leave,
    local,
    print_json,
    print_table,
    reporting,
    tell,
    tell_error,
)

if TYPE_CHECKING:
    from stoma.errors import StoreError
    from stoma.stores import Store

FOLLOW_SECONDS = 0.2


@click.group("scheduler", context_settings={"help_option_names": ["-h", "--help"]})
def group() -> None:
    """Tasks and runs. Every command works with and without a running scheduler."""


@group.command()
@config_option
@click.option(
    "--preset", "presets", multiple=True, metavar="NAME", shell_complete=completing.presets,
    help="Use this preset too. Repeatable.",
)  # fmt: skip
@click.option("--host", help="Listen on this address instead of api.host.")
@click.option("--port", type=click.IntRange(0, 65535), help="Listen on this port instead of api.port.")
@click.option("--no-server", is_flag=True, help="Run the scheduler without the control server.")
@log_options
@reporting
def start(
    config_file: Path | None,
    presets: tuple[str, ...],
    host: str | None,
    port: int | None,
    no_server: bool,
    log: Logging,
) -> None:
    """Start the scheduler and the control server, until Ctrl-C (the same as `stoma-run`)."""
    from stoma.cli import run

    log.begin()
    leave(run.start(run.reader(config_file, presets, host, port), with_server=not no_server))


@group.command()
@click.option("--watch", "is_watching", is_flag=True, help="Show what runs, live, until Ctrl-C.")
@config_option
@demo_option
@json_option
@reporting
def status(is_watching: bool, config_file: Path | None, demo: bool, as_json: bool) -> None:
    """How things stand. Exit code 0: running; 1: not running; 3: a file is broken, the disk full, or the store away."""
    from stoma.cli.status import is_degraded, show_status, status_despite, status_of
    from stoma.errors import ConfigError, StoreError

    if is_watching:
        if as_json:
            raise click.UsageError("--watch is for people: leave out --json")
        _watch(config_file, demo=demo)
        return
    broken: list[dict[str, Any]] = []
    zone = "UTC"
    try:
        with opened(config_file, demo=demo, warn=False) as here:
            overview = status_of(here.config, here.store)
            broken = [problem.as_dict() for problem in here.errors]
            zone = here.config.timezone
    except ConfigError as error:
        # A scheduler that runs goes on with the text before; what it does is still in the store.
        broken = [problem.as_dict() for problem in error.problems]
        try:
            found = status_despite(config_file)
        except StoreError as away:
            _tell_away(away, broken, as_json=as_json)
        if found is None:
            raise
        overview = found
    except StoreError as error:
        _tell_away(error, [], as_json=as_json)
    known = {json.dumps(error, sort_keys=True) for error in overview["config"]["errors"]}
    overview["config"]["errors"] += [e for e in broken if json.dumps(e, sort_keys=True) not in known]
    if as_json:
        print_json(overview)
    else:
        show_status(overview, zone)
    if is_degraded(overview):
        leave(DEGRADED)
    leave(WELL if overview["running"] else NOT_COMPLETE)


def _tell_away(error: StoreError, broken: list[dict[str, Any]], *, as_json: bool) -> NoReturn:
    """All that can be said without the store."""
    from stoma.cli.status import tell_broken

    if as_json:
        found = {"running": None, "error": error.message, "hint": error.hint}
        print_json(found | ({"config": {"errors": broken}} if broken else {}))
    else:
        tell_broken(broken)
        tell_error(error.message, error.hint)
    leave(DEGRADED)


def _watch(config_file: Path | None, *, demo: bool) -> None:
    from stoma.cli.watch import watch

    with opened(config_file, demo=demo, must_exist=True) as here:
        try:
            watch(here.store, here.config.timezone)
        except KeyboardInterrupt:
            leave(INTERRUPTED)


@group.command("list-tasks")
@config_option
@demo_option
@json_option
@reporting
def list_tasks(config_file: Path | None, demo: bool, as_json: bool) -> None:
    """Every task with its schedule, state, last and next run."""
    from stoma.scheduler.overview import task_overview

    with opened(config_file, demo=demo) as here:
        tasks = task_overview(here.config, here.store, here.store.now())
        zone = here.config.timezone
    if as_json:
        print_json(tasks)
        return
    rows = [
        (
            task["id"],
            task["collector"],
            task["occasion"],
            task["priority"],
            task["status"] if task["enabled"] else f"{task['status'] or ''} (off)".strip(),
            local(task["last_run"], zone),
            local(task["next_run"], zone),
        )
        for task in tasks
    ]
    print_table(
        ("task", "collector", "schedule", "priority", "state", "last run", "next run"),
        rows,
        empty="no tasks yet: add one with `stoma scheduler add-task`, or load a preset with `load-preset`",
    )
    for task in tasks:
        if task["status"] == "blocked":
            tell(f"{task['id']} is blocked: {task['reason']}")


@group.command("run-task")
@click.argument("task_id", shell_complete=completing.tasks)
@click.option("--no-wait", is_flag=True, help="With a running scheduler: queue the run and return at once.")
@config_option
@demo_option
@json_option
@reporting
def run_task(task_id: str, no_wait: bool, config_file: Path | None, demo: bool, as_json: bool) -> None:
    """Run a task now: by the running scheduler, whose run is followed to its end, else right here."""
    from stoma.cli.once import run_here
    from stoma.errors import Blocked
    from stoma.scheduler.config import blocked_reason
    from stoma.scheduler.overview import is_scheduler_running
    from stoma.scheduler.parts import hand_run, task_named

    with aside(as_json), opened(config_file, demo=demo, with_code=True) as here:
        task, now = task_named(here.config, task_id), here.store.now()
        if not is_scheduler_running(here.store, now):
            if no_wait:
                raise click.UsageError("no scheduler is running that could take it; leave out --no-wait")
            with noted(here.store, "run-task", task_id):
                leave(run_here(here.config, here.store, [task], as_json))
        reason = blocked_reason(task, here.config)
        if reason:
            raise Blocked(f"{task_id} is blocked: {reason}")
        with noted(here.store, "run-task", task_id):
            run = here.store.runs.add(hand_run(task), now)
        if no_wait:
            print_json(run.as_dict()) if as_json else tell(f"run {run.id} of {task_id} is queued")
            return
        if here.store.agenda.paused_since() is not None:
            # Following it would take as long as the pause.
            tell_error(
                f"everything is paused: run {run.id} of {task_id} waits",
                "`stoma scheduler resume` lets it go on",
            )
            leave(NOT_COMPLETE)
        leave(_follow(here.store, run.id, as_json))


@group.command("enable-task")
@click.argument("task_id", shell_complete=completing.tasks)
@config_option
@demo_option
@reporting
def enable_task(task_id: str, config_file: Path | None, demo: bool) -> None:
    """Switch a task on; it outlasts a restart."""
    _switch(config_file, task_id, True, demo)
    tell(f"{task_id} is switched on")


@group.command("disable-task")
@click.argument("task_id", shell_complete=completing.tasks)
@config_option
@demo_option
@reporting
def disable_task(task_id: str, config_file: Path | None, demo: bool) -> None:
    """Switch a task off; it outlasts a restart. A run under way goes on."""
    _switch(config_file, task_id, False, demo)
    tell(f"{task_id} is switched off")


@group.command()
@config_option
@demo_option
@reporting
def pause(config_file: Path | None, demo: bool) -> None:
    """Start nothing more, until `resume`; runs under way end. It outlasts a restart."""
    with opened(config_file, demo=demo) as here, noted(here.store, "pause"):
        here.store.agenda.pause(True, here.store.now())
    tell("everything is paused; what falls due meanwhile is skipped. `stoma scheduler resume` ends it")


@group.command()
@config_option
@demo_option
@reporting
def resume(config_file: Path | None, demo: bool) -> None:
    """End the pause: runs that wait start, and what falls due from now on."""
    with opened(config_file, demo=demo) as here, noted(here.store, "resume"):
        since = here.store.agenda.paused_since()
        here.store.agenda.pause(False, here.store.now())
    tell("the pause is over" if since else "there is no pause")


@group.command("load-preset")
@click.option(
    "--preset", required=True, metavar="NAME", shell_complete=completing.presets,
    help="default, research, business, development or your own.",
)  # fmt: skip
@config_option
@json_option
@reporting
def load_preset(preset: str, config_file: Path | None, as_json: bool) -> None:
    """Add a preset for good, in tasks/_presets.yaml; a running scheduler takes it up within seconds."""
    from stoma.scheduler import edits

    config = load(config_file)
    added = edits.load_preset(config.base, preset, path=config_file)
    if added:
        note_done(config_file, "load-preset", preset)
    if as_json:
        print_json({"preset": preset, "added": added})
    elif added:
        tell(f"preset {preset} added to tasks/_presets.yaml: {', '.join(added)}")
    else:
        tell(f"preset {preset} is loaded already")


@group.command("add-task")
@click.argument("task_id")
@click.argument("name")
@click.argument("collector", metavar="TYPE", shell_complete=completing.collectors)
@click.argument("schedule", shell_complete=completing.schedules)
@click.option("--priority", shell_complete=completing.priorities, help="critical, high, normal or low.")
@click.option(
    "--config", "settings", metavar="JSON", help="What to collect, for example '{\"max_results\": 25}'."
)
@click.option("--replace", is_flag=True, help="Replace a task that add-task wrote before.")
@click.option(
    "--config-file",
    type=click.Path(path_type=Path, dir_okay=False),
    envvar="STOMA_CONFIG",
    metavar="FILE",
    help="Use this stoma.yaml.  [default: ./stoma.yaml]",
)
@reporting
def add_task(
    task_id: str,
    name: str,
    collector: str,
    schedule: str,
    priority: str | None,
    settings: str | None,
    replace: bool,
    config_file: Path | None,
) -> None:
    """Add a task for good: writes tasks/TASK_ID.yaml after checking it. TYPE: arxiv, github, sec_edgar…"""
    from stoma.scheduler import edits
    from stoma.scheduler.config import base_of

    path = edits.add_task(
        base_of(config_file),
        task_id,
        name,
        collector,
        schedule,
        priority,
        _settings(settings),
        replace,
        path=config_file,
    )
    told = {"name": name, "collector": collector, "schedule": schedule, "priority": priority}
    note_done(config_file, "add-task", task_id, sent={**told, "config": _settings(settings)}, replace=replace)
    tell(f"{task_id} is written to {_short(path)}; a running scheduler takes it up within seconds")


@group.command("remove-task")
@click.argument("task_id", shell_complete=completing.tasks)
@config_option
@reporting
def remove_task(task_id: str, config_file: Path | None) -> None:
    """Remove a task that add-task wrote; for another one, say where it stands."""
    from stoma.scheduler import edits
    from stoma.scheduler.config import base_of

    path = edits.remove_task(base_of(config_file), task_id, path=config_file)
    note_done(config_file, "remove-task", task_id)
    tell(f"{task_id} is gone: {_short(path)} was deleted; its records and runs stay")


def _switch(config_file: Path | None, task_id: str, enabled: bool, demo: bool) -> None:
    from stoma.scheduler.parts import switch, task_named

    action = "enable-task" if enabled else "disable-task"
    with opened(config_file, demo=demo) as here, noted(here.store, action, task_id):
        switch(here.store, task_named(here.config, task_id), enabled)


def _settings(text: str | None) -> dict[str, Any] | None:
    from stoma.errors import UsageError

    if text is None:
        return None
    try:
        found = json.loads(text)
    except json.JSONDecodeError as error:
        raise UsageError(
            f"--config is not JSON: {error.msg} at character {error.pos + 1}",
            'write it like \'{"search_query": "machine learning", "max_results": 25}\'',
        ) from None
    if not isinstance(found, dict):
        raise UsageError(f"--config: found {text}, expected an object such as '{{\"max_results\": 25}}'")
    return found


def _follow(store: Store, run_id: int, as_json: bool) -> int:
    """Show a run that a scheduler works on until it is final; gives the exit code."""
    from stoma.cli.once import progress, result_of, show
    from stoma.scheduler.base import TaskStatus
    from stoma.scheduler.overview import is_scheduler_running
    from stoma.scheduler.pipeline import Tally

    try:
        with progress(quiet=as_json) as report:
            while not (run := store.runs.get(run_id)).status.is_final:
                report(run, Tally(run.pages, run.seen))
                time.sleep(FOLLOW_SECONDS)
                if not is_scheduler_running(store, store.now()):
                    tell_error(
                        f"the scheduler stopped; run {run_id} is {run.status} and waits for the next one"
                    )
                    return NOT_COMPLETE
            report(run, None)
    except KeyboardInterrupt:
        tell_error(f"no longer following; run {run_id} goes on in the scheduler")
        return INTERRUPTED
    if as_json:
        print_json([result_of(run)])
    else:
        show([result_of(run)])
    return WELL if run.status is TaskStatus.COMPLETED else NOT_COMPLETE


def _short(path: Path) -> str:
    try:
        return str(path.relative_to(Path.cwd()))
    except ValueError:
        return str(path)
