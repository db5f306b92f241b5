"""From a configuration to working parts: the store, what runs need, and runs themselves."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from contextlib import suppress
from datetime import datetime
from pathlib import Path
from typing import Any

from stoma import collectors
from stoma.errors import Blocked, ConfigError, NotFound, Problem
from stoma.hosts import budget_name, rule_for
from stoma.references import resolve
from stoma.scheduler.base import NewRun, Task, TaskStatus, hand_trigger
from stoma.scheduler.config import Config, nearest_task, task_hash
from stoma.scheduler.owner import this_process
from stoma.scheduler.pipeline import Surroundings
from stoma.stores import Store, open_store
from stoma.stores.addresses import split_schema, sqlite_path

DEMO_FOLDER = "stoma-demo"

NO_ROOM = 1_000_000
"""Bytes below which a disk counts as full: the next transaction may need as much."""


def data_folder(config: Config) -> Path:
    """Where the SQLite file and `scheduler_state.json` lie: `STOMA_DATA`, else beside `stoma.yaml`."""
    given = os.environ.get("STOMA_DATA")
    folder = Path(given) if given else config.base
    return folder / DEMO_FOLDER if config.demo else folder


def connect(config: Config, *, clock: Callable[[], datetime] | None = None, existing: bool = False) -> Store:
    """Open the store that the configuration names; an unset reference in its address is a ConfigError.

    Raises NotFound when it has to be `existing` and is not; then none is made.
    """
    # Every thread may write while the loop and the server ask.
    connections = config.max_concurrent_tasks + 5
    return open_store(
        _url(config),
        data_folder(config),
        synchronous=config.synchronous,
        connections=connections,
        clock=clock,
        existing=existing,
    )


def file_of(config: Config) -> Path | None:
    """The file of the store that the configuration names, there or not; None where it is a PostgreSQL."""
    return sqlite_path(split_schema(_url(config))[0], data_folder(config))


def full_disk(config: Config) -> Path | None:
    """The folder of the store or of the state file whose disk is full, for people; None where there is room."""
    with suppress(OSError):
        path = file_of(config)
        for folder in dict.fromkeys((data_folder(config), *([path.parent] if path else []))):
            if shutil.disk_usage(folder).free < NO_ROOM:
                return folder
    return None


def _url(config: Config) -> str:
    try:
        return str(resolve(config.store_url, config.base))
    except Blocked as error:
        file = str(config.path) if config.path else ""
        raise ConfigError([Problem(f"store.url: {error.message}", file=file, hint=error.hint)]) from None


def surroundings(config: Config, store: Store) -> Surroundings:
    """What every run of this process shares."""
    return Surroundings(
        store=store,
        base=config.base,
        lease=config.lease,
        owner=str(this_process()),
        hosts=config.hosts,
        contact=config.contact,
        raw=config.raw,
    )


def new_run(task: Task, trigger: str, **more: Any) -> NewRun:
    """A run of a task, about to be queued."""
    return NewRun(
        task_id=task.id,
        trigger=trigger,
        priority=task.priority,
        config_hash=task_hash(task),
        host=host_of(task),
        starts_over=bool(task.after),
        **more,
    )


def hand_run(task: Task, reason: str | None = None) -> NewRun:
    """A run that somebody asked for."""
    return new_run(task, hand_trigger(), reason=reason)


def switch(store: Store, task: Task, enabled: bool) -> None:
    """Switch a task on or off, for good; nothing changes where it is so already."""
    now = store.now()
    if store.agenda.overrides().get(task.id, task.enabled) != enabled:
        store.agenda.enable(task.id, enabled, now)
    if not enabled:
        # Whoever switches off a task does not want its next try either; what was asked for by hand stays.
        for run in store.runs.open_of(task.id):
            if not run.trigger.startswith("hand:"):
                store.runs.settle(run, TaskStatus.CANCELLED, "its task was switched off", now)


def host_of(task: Task) -> str | None:
    """The name under which the host of a task is counted, for the queue; None where it cannot be told."""
    host = collectors.host_of(task.collector, task.config)
    return budget_name(host) if host else None


def known_hosts(config: Config) -> dict[str, int | None]:
    """How many connections each host of the tasks takes."""
    hosts = {host for task in config.tasks.values() if (host := host_of(task))}
    return {host: rule_for(host, config.hosts).concurrency for host in sorted(hosts)}


def task_named(config: Config, task_id: str) -> Task:
    """The task of that id; NotFound names the nearest one."""
    task = config.tasks.get(task_id)
    if task is None:
        near = nearest_task(config, task_id)
        raise NotFound(
            f'there is no task "{task_id}"',
            f'did you mean "{near}"?' if near else "`stoma scheduler list-tasks` shows them all",
        )
    return task
