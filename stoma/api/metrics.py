"""What Prometheus is told: what this process has counted, how it stands, and how the store stands."""

from __future__ import annotations

import platform
import shutil
import threading
from collections.abc import Iterable, Iterator
from contextlib import suppress
from datetime import datetime
from time import monotonic

from stoma import __version__
from stoma.api.answers import Asked, Document
from stoma.errors import StoreError
from stoma.metrics import HOSTS, TASKS, Reading, text
from stoma.scheduler.board import Sight
from stoma.scheduler.manager import Scheduler
from stoma.scheduler.parts import data_folder
from stoma.stores.aside import answered
from stoma.stores.depths import Depths, depths

SHARED = " Of the store: each node tells the same."


def metrics(asked: Asked) -> Document:
    """What is counted and how all stands, in the text format of Prometheus."""
    found, kind = text(readings(asked.scheduler), asked.accept)
    return Document(found, kind)


def readings(scheduler: Scheduler) -> list[Reading]:
    """All that is looked up when somebody asks; without the store it is less."""
    shared: list[Reading] = []
    with suppress(StoreError):
        shared = answered(scheduler.store.database, lambda: of_store(scheduler), "metrics")
    return [
        *of_process(scheduler),
        _one("stoma_store_up", "1 while the store answers.", bool(shared)),
        *shared,
    ]


def of_store(scheduler: Scheduler) -> list[Reading]:
    """What only the store knows; raises StoreError."""
    sight, now = scheduler.board.look(), scheduler.store.now()
    return [*of_queue(depths(scheduler.store.database, now), now), *of_sight(sight)]


def of_process(scheduler: Scheduler) -> Iterator[Reading]:
    """What this process knows by itself."""
    names = ("version", "python", "store")
    values = (__version__, platform.python_version(), scheduler.store.dialect)
    yield Reading("stoma_build", "The program that tells this.", names, {values: 1}, "info")
    yield Reading(
        "stoma_config", "The configuration in force.", ("hash",), {(scheduler.config.hash,): 1}, "info"
    )
    yield _one("stoma_config_generation", "Counts the configurations of this process.", scheduler.generation)
    yield _one("stoma_config_errors", "Errors in the files now.", len(scheduler.errors))
    yield _one(
        "stoma_config_broken_seconds",
        "For how long some file has been broken; 0 while none is.",
        scheduler.broken_seconds,
    )
    yield _one(
        "stoma_restart_needed",
        "Settings that were edited and wait for a restart.",
        len(scheduler.restart_needed),
    )
    if scheduler.last_tick is not None:
        yield _one(
            "stoma_tick_age_seconds",
            "How long ago the loop turned last.",
            max(0.0, monotonic() - scheduler.last_tick),
        )
    runner = scheduler.runner
    yield _one("stoma_working_runs", "Runs that this process works on now.", len(runner.working))
    yield _one("stoma_run_slots", "How many runs it works on at most.", runner.slots)
    yield _one("stoma_abandoned_threads", "Threads that hang and were given up.", runner.abandoned)
    yield _one("process_threads", "Threads of this process.", threading.active_count())
    try:
        free = shutil.disk_usage(data_folder(scheduler.config)).free
    except OSError:
        return
    yield _one("stoma_disk_free_bytes", "Free space where the state file and a SQLite store lie.", free)


def of_queue(found: Depths, now: datetime) -> Iterator[Reading]:
    """What waits."""
    by_status = {"pending": found.pending, "running": found.running, "interrupted": found.interrupted}
    yield Reading(
        "stoma_queue_runs",
        f"Runs that are not over, by status.{SHARED}",
        ("status",),
        {(status,): number for status, number in by_status.items()},
    )
    yield _one("stoma_queue_ready_runs", f"Runs that could start and wait for a place.{SHARED}", found.ready)
    yield _one(
        "stoma_queue_wait_seconds",
        f"How long the one of them has waited that waits longest.{SHARED}",
        _age(found.ready_at, now),
    )
    yield Reading(
        "stoma_leases",
        f"Runs that a process holds: live, or expired where that process is silent.{SHARED}",
        ("state",),
        {("live",): found.leases, ("expired",): found.expired},
    )
    yield _one("stoma_backfills", f"Backfills that are not over.{SHARED}", found.backfills)
    yield _one("stoma_backfill_windows", f"Their windows that are not over.{SHARED}", found.windows)
    yield _one(
        "stoma_index_lag_records", f"Records that cannot be found by words yet.{SHARED}", found.unindexed
    )
    yield _one(
        "stoma_index_lag_seconds",
        f"How long the oldest of them has waited.{SHARED}",
        _age(found.unindexed_at, now),
    )
    yield _one("stoma_outbox_messages", f"Messages that wait to be sent.{SHARED}", found.messages)
    yield _one(
        "stoma_outbox_wait_seconds",
        f"How long the oldest of them has waited.{SHARED}",
        _age(found.message_at, now),
    )
    if found.completed_at is not None:
        yield _one(
            "stoma_last_completed_timestamp_seconds",
            f"When a run was completed last.{SHARED}",
            found.completed_at.timestamp(),
        )


def of_sight(sight: Sight) -> Iterator[Reading]:
    """How tasks, hosts and nodes stand."""
    status = sight.status
    blocked = sum(task["enabled"] and task["status"] == "blocked" for task in sight.tasks)
    enabled = sum(task["enabled"] for task in sight.tasks)
    states = {"on": enabled - blocked, "blocked": blocked, "off": len(sight.tasks) - enabled}
    yield Reading(
        "stoma_tasks",
        f"Tasks: on, blocked, or off.{SHARED}",
        ("state",),
        {(state,): number for state, number in states.items()},
    )
    # Only those that fail; the rest has no series.
    failing = [(TASKS[task["task"]], str(task["status"])) for task in status["failing"]]
    yield Reading(
        "stoma_task_failing",
        f"1 for each task that failed last or is suspect, also while it is tried again.{SHARED}",
        ("task", "status"),
        dict.fromkeys(failing, 1),
    )
    yield _one("stoma_nodes", f"Schedulers that are heard of.{SHARED}", len(status["nodes"]))
    yield _one("stoma_paused", f"1 while everything is paused.{SHARED}", status["paused_since"] is not None)
    yield Reading(
        "stoma_host_cooling_seconds",
        f"How much longer a host wants to be left alone.{SHARED}",
        ("host",),
        {(HOSTS[row["host"]],): _left(row["cooling_until"], sight.now) for row in status["hosts"]},
    )
    yield Reading(
        "stoma_stored_records",
        f"Records in the store, by kind.{SHARED}",
        ("kind",),
        {(kind,): number for kind, number in _first(status["records"].items())},
    )


def _first(rows: Iterable[tuple[str, int]]) -> list[tuple[str, int]]:
    """Kinds are words that people make up: the hundred of which there are most."""
    return sorted(rows, key=lambda row: -row[1])[:100]


def _one(name: str, told: str, value: float) -> Reading:
    return Reading(name, told, (), {(): value})


def _age(instant: datetime | None, now: datetime) -> float:
    return max(0.0, (now - instant).total_seconds()) if instant is not None else 0.0


def _left(until: str, now: datetime) -> float:
    return max(0.0, (datetime.fromisoformat(until) - now).total_seconds())
