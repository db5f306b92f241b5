"""How things stand, and commands: the scheduler, its tasks and its runs over HTTP."""

from __future__ import annotations

from typing import Any

from stoma.api.answers import Answer, Asked, Document
from stoma.api.runs import run_number
from stoma.scheduler.base import iso
from stoma.scheduler.manager import Scheduler
from stoma.scheduler.parts import task_named

JSON = "application/json; charset=utf-8"


def status(asked: Asked) -> Document:
    """How the scheduler stands: running and waiting runs, next runs, errors in the files."""
    scheduler = asked.scheduler
    sight = scheduler.board.look()
    # What this process knows is newer than its last heartbeat.
    key = (
        scheduler.is_running,
        scheduler.generation,
        scheduler.loaded_at,
        scheduler.config.hash,
        tuple(scheduler.errors),
        tuple(scheduler.restart_needed),
    )
    own = {"running": scheduler.is_running, "config": config_standing(scheduler)}
    return Document(sight.text("status", key, lambda: {**sight.status, **own}), JSON)


def tasks(asked: Asked) -> Document:
    """Every task with its state, next and last run."""
    sight = asked.scheduler.board.look()
    return Document(sight.text("tasks", (), lambda: {"tasks": sight.tasks}), JSON)


def config_standing(scheduler: Scheduler) -> dict[str, Any]:
    """Which configuration is in force, and what is wrong with the files."""
    return {
        "generation": scheduler.generation,
        "loaded_at": iso(scheduler.loaded_at),
        "hash": scheduler.config.hash,
        "errors": [problem.as_dict() for problem in scheduler.errors],
        "restart_needed": scheduler.restart_needed,
    }


def run_task(asked: Asked, task_id: str) -> Answer:
    """Queue a run of a task now."""
    run = asked.scheduler.queue(task_named(asked.scheduler.config, task_id))
    return Answer(run.as_dict(), 202)


def enable_task(asked: Asked, task_id: str) -> Answer:
    """Switch a task on; it outlasts a restart."""
    asked.scheduler.enable(task_id, True)
    return Answer({"id": task_id, "enabled": True})


def disable_task(asked: Asked, task_id: str) -> Answer:
    """Switch a task off; it outlasts a restart."""
    asked.scheduler.enable(task_id, False)
    return Answer({"id": task_id, "enabled": False})


def cancel_run(asked: Asked, run_id: str) -> Answer:
    """End a run: one that waits at once, one that works at its next page."""
    return Answer(asked.scheduler.cancel(run_number(run_id)).as_dict(), 202)


def retry_run(asked: Asked, run_id: str) -> Answer:
    """Begin a run again that ended without success, or end its wait for the next try."""
    return Answer(asked.scheduler.retry(run_number(run_id)).as_dict(), 202)


def pause(asked: Asked) -> Answer:
    """Start nothing more; it outlasts a restart."""
    asked.scheduler.pause()
    return Answer({"paused": True})


def resume(asked: Asked) -> Answer:
    """End the pause."""
    asked.scheduler.resume()
    return Answer({"paused": False})
