"""How things stand, as plain values: what `status`, `list-tasks`, the API and the state file all show."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from itertools import islice
from typing import Any

from stoma import own
from stoma.scheduler import gone
from stoma.scheduler.base import Run, Switches, Task, TaskStatus, iso
from stoma.scheduler.config import Config, blocked_reason
from stoma.scheduler.owner import Owner, is_gone, this_process
from stoma.scheduler.remembered import Remembered
from stoma.scheduler.zones import zone_of
from stoma.stores import Store
from stoma.stores.agenda import ASKED_SINGLY, CLOCK_FAULT
from stoma.stores.base import Row
from stoma.stores.runs import Trouble

AT_ONCE = 50
"""Tasks that are looked up together."""

SILENT_AFTER = timedelta(seconds=30)
"""A scheduler that has not been heard of for this long does not count as running."""


def task_overview(
    config: Config,
    store: Store,
    now: datetime,
    *ids: str,
    remembered: Remembered | None = None,
    at_once: int = AT_ONCE,
    wait: bool = True,
) -> list[dict[str, Any]]:
    """Every task, or those with these ids, with its state, next and last run."""
    parts = in_parts(config, store, now, ids or config.tasks, remembered, at_once, wait=wait)
    return [row for part in parts for row in part]


def in_parts(
    config: Config,
    store: Store,
    now: datetime,
    ids: Iterable[str],
    remembered: Remembered | None = None,
    at_once: int = AT_ONCE,
    *,
    wait: bool = True,
) -> Iterator[list[dict[str, Any]]]:
    """The same, a few tasks at a time: between two parts whoever has patience can let others work.

    `remembered` is what whoever asks again and again keeps; without `wait` code that is being imported will do.
    """
    known = remembered or Remembered()
    switches = store.agenda.switches()
    # What this process does not run, the scheduler may know.
    code = _code_told(store, now) if own.is_unread() else {}
    names = iter(ids)
    while part := [config.tasks[task_id] for task_id in islice(names, at_once)]:
        keys = [task.id for task in part]
        last = known.last_runs(store.runs, keys) if remembered else store.runs.last_of_each(keys)
        troubles = store.runs.troubles(last.values())
        agenda = store.agenda.accounted(keys if len(keys) <= ASKED_SINGLY else None)
        yield [
            describe(
                task,
                config,
                last.get(task.id),
                switches,
                _accounted(task, agenda, now, known),
                known,
                code.get(task.id),
                troubles.get(task.id),
                wait=wait,
            )
            for task in part
        ]


def describe(
    task: Task,
    config: Config,
    last: Run | None,
    switches: Switches,
    accounted_until: datetime,
    remembered: Remembered,
    code: str | None = None,
    trouble: Trouble | None = None,
    *,
    wait: bool = True,
) -> dict[str, Any]:
    """One task with its next run after `accounted_until`; `code` says why its own code cannot be used, as far as known.

    `status` is that of the run under way or else of its newest one, `blocked` while it cannot run, None before the
    first. `trouble` is how it fails, also while a run waits or is tried again; None for one that is blocked.
    """
    switch = switches.tasks.get(task.id)
    enabled = switch.is_on if switch else task.enabled
    blocked = blocked_reason(task, config, wait=wait) or code or gone.told(task, switches.gone.get(task.id))
    due = remembered.next_run(task, accounted_until) if enabled and blocked is None else None
    status: str | None = str(last.status) if last else None
    if blocked and (last is None or last.status.is_final):
        status = "blocked"
    return {
        "id": task.id,
        "name": task.name,
        "collector": task.collector,
        "schedule": task.schedule_text,
        "occasion": task.occasion,
        "after": [dependency.task for dependency in task.after],
        "when": task.when,
        "priority": str(task.priority),
        "enabled": enabled,
        "status": status,
        "reason": blocked or (last.error or last.reason if last else None),
        "trouble": trouble.as_dict() if trouble and status != "blocked" else None,
        "next_run": iso(due),
        "last_run": iso(last.started_at or last.created_at) if last else None,
        "origin": task.origin,
    }


def _code_told(store: Store, now: datetime) -> dict[str, str]:
    return {
        task_id: reason for node in live_nodes(store, now) for task_id, reason in node.get("code", {}).items()
    }


def _accounted(task: Task, agenda: Mapping[str, Row], now: datetime, known: Remembered) -> datetime:
    """From when on the next run is to be sought: a clock that was ahead has dealt with what lies before."""
    row = agenda.get(task.id)
    if (
        row is None
        or row["schedule_hash"] != known.schedule_hash(task)
        or row["accounted_until"] - now > CLOCK_FAULT
    ):
        return now
    until: datetime = row["accounted_until"]
    return max(now, until)


def live_nodes(store: Store, now: datetime) -> list[dict[str, Any]]:
    """The schedulers that work on this store, as they described themselves last."""
    return [
        {
            "node": _name(row["owner"]),
            "pid": row["pid"],
            "version": row["version"],
            "api": row["api_url"],
            "config_hash": row["config_hash"],
            "generation": row["generation"],
            "started_at": iso(row["started_at"]),
            "heartbeat_at": iso(row["heartbeat_at"]),
            **row["state"],
        }
        for row in store.nodes.all()
        if abs(now - row["heartbeat_at"]) < SILENT_AFTER and not is_gone(row["owner"])
    ]


def other_nodes(store: Store, now: datetime) -> bool:
    """True when a scheduler other than this process works on this store."""
    here = str(this_process())
    return any(
        row["owner"] != here and abs(now - row["heartbeat_at"]) < SILENT_AFTER and not is_gone(row["owner"])
        for row in store.nodes.all()
    )


def is_at_work(store: Store, owner: str, now: datetime) -> bool:
    """True when this scheduler works on this store, also one that can write nothing just now."""
    return store.database.scheduler() is not None or any(
        row["owner"] == owner and abs(now - row["heartbeat_at"]) < SILENT_AFTER for row in store.nodes.all()
    )


def is_scheduler_running(store: Store, now: datetime) -> bool:
    """True when a scheduler works on this store, also one that can write nothing just now."""
    return bool(live_nodes(store, now)) or store.database.scheduler() is not None


def status_overview(
    config: Config,
    store: Store,
    now: datetime,
    tasks: Sequence[Mapping[str, Any]] | None = None,
    counts: Mapping[str, int] | None = None,
) -> dict[str, Any]:
    """The whole in one answer: is a scheduler running, what does it do, what is wrong with the files.

    `tasks` is what `task_overview` gave and `counts` how many records of each kind there are, where that is known.
    """
    nodes = live_nodes(store, now)
    tasks = task_overview(config, store, now) if tasks is None else tasks
    open_runs = store.runs.open()
    paused_since = store.agenda.paused_since()
    errors = [error for node in nodes for error in node.get("errors", [])]
    running = [run.as_dict() for run in open_runs if run.status is TaskStatus.RUNNING]
    hosts = [row for row in store.hosts.all(now) if row["cooling_until"] > now]
    cooling = {row["host"]: row for row in hosts}
    at_work = {(run.task_id, run.scope): run.id for run in open_runs if run.status is TaskStatus.RUNNING}
    waiting = [
        run.as_dict()
        | {
            "waits_for": waits_for(
                run,
                now,
                cooling.get(run.host or ""),
                at_work.get((run.task_id, run.scope)),
                paused=paused_since is not None,
                zone=config.timezone,
            )
        }
        for run in open_runs
        if run.status is not TaskStatus.RUNNING
    ]
    return {
        "running": bool(nodes) or store.database.scheduler() is not None,
        # A scheduler that holds the file but has not been heard of: it hangs, or cannot write.
        "silent": None if nodes else store.database.scheduler(),
        "nodes": nodes,
        "config": {
            "generation": nodes[-1]["generation"] if nodes else 0,
            "hash": config.hash,
            "errors": errors,
        },
        "tasks": len(tasks),
        "enabled": sum(task["enabled"] for task in tasks),
        "blocked": sum(task["status"] == "blocked" for task in tasks),
        "paused_since": iso(paused_since),
        "running_runs": running,
        "waiting_runs": waiting,
        "next_runs": sorted(
            ({"task": t["id"], "at": t["next_run"]} for t in tasks if t["next_run"]),
            key=lambda n: str(n["at"]),
        )[:10],
        "hosts": [
            {"host": row["host"], "cooling_until": iso(row["cooling_until"]), "reason": row["reason"]}
            for row in hosts
        ],
        "failing": [
            {"task": task["id"], **trouble} for task in tasks if (trouble := task["trouble"]) is not None
        ],
        "gone": [
            {"task": task["id"], "reason": task["reason"]}
            for task in tasks
            if task["status"] == "blocked" and str(task["reason"]).startswith(gone.SINCE)
        ],
        "records": store.records.count_by_kind() if counts is None else dict(counts),
        "store": store.dialect,
        "now": iso(now),
    }


def waits_for(
    run: Run,
    now: datetime,
    cooling: Mapping[str, Any] | None = None,
    behind: int | None = None,
    *,
    paused: bool = False,
    zone: str = "UTC",
) -> str:
    """Why a run that is not running waits; instants by the clock of `zone`, as all others where it is shown.

    `cooling` is the host that it asks, while that wants to be left alone; `behind` the run of its task under way.
    """
    if paused:
        return "everything is paused"
    if run.not_before is not None and run.not_before > now:
        when = _when(run.not_before, now, zone)
        return f"{run.reason or 'waiting for the next try'} at {when}{f': {run.error}' if run.error else ''}"
    if behind is not None:
        return f"waits for run {behind}"
    if cooling is not None:
        until = _when(cooling["cooling_until"], now, zone)
        return f"host busy: {cooling['host']} until {until} ({cooling['reason']})"
    return "waiting for a free place"


def _when(instant: datetime, now: datetime, zone: str) -> str:
    local = instant.astimezone(zone_of(zone))
    is_today = local.date() == now.astimezone(local.tzinfo).date()
    return f"{local:%H:%M:%S %Z}" if is_today else f"{local:%Y-%m-%d %H:%M:%S %Z}"


def _name(owner: str) -> str:
    parsed = Owner.parse(owner)
    return parsed.described if parsed else owner
