"""`stoma-run`: the scheduler and the control server; or some tasks once; or a check of the files."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from stoma import __version__
from stoma.cli import completing
from stoma.cli.context import beside_running, config_option, json_option, load, load_despite
from stoma.cli.log_options import Logging, log_options
from stoma.cli.output import (
    USAGE,
    WELL,
    aside,
    leave,
    local,
    print_json,
    print_table,
    reporting,
    several,
    stoma_command,
    tell,
    tell_note,
)
from stoma.cli.program import Program
from stoma.wording import listed

if TYPE_CHECKING:
    from stoma.api.server import Server
    from stoma.scheduler.config import Config
    from stoma.scheduler.loader import Loader
    from stoma.scheduler.manager import Scheduler

MOST_GREETED = 20
"""Tasks that are shown at the start; where to look stands below them."""


@click.command(cls=Program, context_settings={"help_option_names": ["-h", "--help"]})
@click.argument("task_ids", nargs=-1, metavar="[TASK]...", shell_complete=completing.tasks)
@config_option
@click.option(
    "--once", is_flag=True, help="Run the tasks now, in the foreground, until every run is final; then end."
)
@click.option("--check", is_flag=True, help="Judge the files on disk and end: exit code 0 or 2.")
@click.option(
    "--demo", is_flag=True, help="Run everything now against a local stand-in for the sources; no network."
)
@click.option(
    "--preset", "presets", multiple=True, metavar="NAME", shell_complete=completing.presets,
    help="Use this preset too. Repeatable.",
)  # fmt: skip
@json_option
@click.option("--host", help="Listen on this address instead of api.host.")
@click.option(
    "--port", type=click.IntRange(0, 65535), help="Listen on this port instead of api.port; 0: any free one."
)
@click.option("--no-server", is_flag=True, help="Run the scheduler without the control server.")
@log_options
@click.version_option(__version__, prog_name="stoma-run")
@reporting
def main(
    task_ids: tuple[str, ...],
    config_file: Path | None,
    once: bool,
    check: bool,
    demo: bool,
    presets: tuple[str, ...],
    as_json: bool,
    host: str | None,
    port: int | None,
    no_server: bool,
    log: Logging,
) -> None:
    """Collect data until SIGTERM or Ctrl-C.

    With --once [TASK]...: run those tasks now (without names: the tasks of --preset, else every task that is
    switched on), show what came of it, and end with 0 when all completed, else with 1.
    """
    if task_ids and not once:
        raise click.UsageError(
            f"to run {task_ids[0]} now, add --once; stoma-run alone runs everything on schedule"
        )
    if once and check:
        raise click.UsageError("--once runs tasks and --check only judges the files: choose one")
    if as_json and not (once or check):
        raise click.UsageError("--json goes with --once or --check")
    if check:
        with aside(as_json):
            leave(_check(config_file, presets, as_json))
    log.begin(quiet=once)
    with aside(as_json), ExitStack() as stack:
        redirect = None
        if demo:
            from stoma.demo.main import stand_in

            redirect = stack.enter_context(stand_in())
        loader = reader(config_file, presets, host, port, redirect)
        if once:
            from stoma.cli.once import run_once

            config = beside_running(loader, load_despite(loader)[0])
            leave(run_once(config, task_ids, presets, as_json))
        leave(start(loader, with_server=not no_server, run_all=demo))


def reader(
    config_file: Path | None,
    presets: Sequence[str] = (),
    host: str | None = None,
    port: int | None = None,
    redirect: Callable[[Config], Config] | None = None,
) -> Loader:
    """What reads the files, now and after each edit, and adds what the command line and the environment say."""
    from stoma.cli.listening import listening
    from stoma.scheduler.loader import Loader

    def amend(config: Config) -> Config:
        config = replace(config, api=listening(config.api, host, port, os.environ))
        return redirect(config) if redirect else config

    return Loader(config_file, presets=presets, amend=amend)


def start(loader: Loader, *, with_server: bool = True, run_all: bool = False) -> int:
    """Scheduler and server until a signal; gives the exit code."""
    from stoma.api.main import serve
    from stoma.cli.listening import make_token
    from stoma.usage import expect_many_objects

    expect_many_objects()

    def on_start(scheduler: Scheduler, server: Server | None) -> None:
        _greet(scheduler, server)
        if run_all:
            scheduler.queue_all("demo")

    # The scheduler tells what is wrong with the files itself.
    config, _ = load_despite(loader, warn=False)
    if with_server and (file := make_token(config.api, os.environ)):
        tell_note(f"a token for the dashboard and the API was made: it stands in {file}")
    return serve(config, reload=loader, with_server=with_server, on_start=on_start)


def _greet(scheduler: Scheduler, server: Server | None) -> None:
    """Each task's next run, how to run it now, and where to look."""
    from stoma.scheduler.overview import task_overview
    from stoma.scheduler.parts import data_folder

    config, store = scheduler.config, scheduler.store
    if config.demo:
        tell(
            f"demo: invented data from this machine, no source is asked; all is kept in {data_folder(config)}"
        )
    rows = [
        (
            task["id"],
            task["occasion"],
            _next(task, config),
            task["reason"] if _is_blocked(task) else "",
        )
        for task in task_overview(config, store, store.now())
    ]
    stoma = stoma_command()
    none = f"no tasks yet: add one with `{stoma} scheduler add-task`"
    print_table(("task", "schedule", "next run", "note"), rows[:MOST_GREETED], empty=none)
    if len(rows) > MOST_GREETED:
        tell(f"and {len(rows) - MOST_GREETED:,} more: {stoma} scheduler list-tasks")
    if rows:
        first = next((row[0] for row in rows if not row[3]), rows[0][0])
        tell(f"run one now:  {stoma} scheduler run-task {first}{' --demo' if config.demo else ''}")
    if server is not None:
        tell(f"dashboard:    {server.url}/")
        if config.api.tokens:
            from stoma.api.tokens import name_of

            tell(
                f"sign in:      with the token of {listed([name_of(text) for text in config.api.tokens], 'or')}"
            )
    tell("stop:         Ctrl-C")
    sys.stdout.flush()


def _is_blocked(task: dict[str, Any]) -> bool:
    return bool(task["status"] == "blocked")


def _next(task: dict[str, Any], config: Config) -> str:
    if _is_blocked(task):
        return "blocked"
    return local(task["next_run"], config.timezone) if task["enabled"] else "switched off"


def _check(config_file: Path | None, presets: Sequence[str], as_json: bool) -> int:
    """Judge what is on disk; gives the exit code."""
    from stoma.errors import ConfigError
    from stoma.notify.sending import waiting
    from stoma.references import unset
    from stoma.scheduler.config import blocked_reason
    from stoma.scheduler.files import credentials_in, passwords_in, shown_name

    try:
        config = load(config_file, presets, with_code=True)
    except ConfigError as error:
        if not as_json:
            raise
        print_json({"ok": False, "errors": [problem.as_dict() for problem in error.problems]})
        return USAGE
    blocked = {task.id: reason for task in config.tasks.values() if (reason := blocked_reason(task, config))}
    warnings = [
        problem
        for path in map(Path, config.files)
        for told in (passwords_in, credentials_in)
        for problem in told(path.read_text(encoding="utf-8-sig"), shown_name(path, config.base))
    ]
    warnings += waiting(config)
    if as_json:
        told = [warning.as_dict() for warning in warnings]
        print_json(
            {"ok": True, "tasks": list(config.tasks), "blocked": blocked, "warnings": told, "errors": []}
        )
        return WELL
    tell(f"in order: {several(len(config.tasks), 'task')}, {several(len(config.files), 'file')}")
    if not config.tasks:
        tell("warning: there are no tasks: name presets, or write some under `tasks:`")
    unset_store = unset(config.store_url, config.base)
    if unset_store:
        tell(f"warning: nothing can start: store.url: {unset_store}")
    for task_id, reason in blocked.items():
        tell(f"warning: {task_id} is blocked: {reason}")
    for problem in warnings:
        tell(f"warning: {problem}")
    return WELL


if __name__ == "__main__":
    main(prog_name="stoma-run")
