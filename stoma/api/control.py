"""How things stand, and commands: the scheduler, its tasks and its runs over HTTP."""

from __future__ import annotations

from stoma.api.answers import Answer, Asked
from stoma.errors import NotFound, StomaError
from stoma.scheduler import edits
from stoma.scheduler.base import iso
from stoma.scheduler.parts import task_named
from stoma.stores.runs import NEWEST


def status(asked: Asked) -> Answer:
    """How the scheduler stands: running and waiting runs, next runs, errors in the files."""
    scheduler = asked.scheduler
    overview = scheduler.board.look().status
    # What this process knows is newer than its last heartbeat.
    config = {
        "generation": scheduler.generation,
        "loaded_at": iso(scheduler.loaded_at),
        "hash": scheduler.config.hash,
        "errors": [problem.as_dict() for problem in scheduler.errors],
        "restart_needed": scheduler.restart_needed,
    }
    return Answer({**overview, "running": scheduler.is_running, "config": config})


def tasks(asked: Asked) -> Answer:
    """Every task with its state, next and last run."""
    return Answer({"tasks": asked.scheduler.board.look().tasks})


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
    return Answer(asked.scheduler.cancel(_run_id(run_id)).as_dict(), 202)


def retry_run(asked: Asked, run_id: str) -> Answer:
    """Begin a run again that ended without success, or end its wait for the next try."""
    return Answer(asked.scheduler.retry(_run_id(run_id)).as_dict(), 202)


def pause(asked: Asked) -> Answer:
    """Start nothing more; it outlasts a restart."""
    asked.scheduler.pause()
    return Answer({"paused": True})


def resume(asked: Asked) -> Answer:
    """End the pause."""
    asked.scheduler.resume()
    return Answer({"paused": False})


def history(asked: Asked) -> Answer:
    """Runs, newest first."""
    store, query = asked.scheduler.store, asked.query
    task_id, limit = query.get("task"), query["limit"]
    # The runs of a task that is gone can still be asked for; a wrong name gets its nearest.
    is_id = task_id is not None and edits.TASK_ID.match(task_id)
    if task_id is not None and not (is_id and store.runs.history(task_id, limit=1)):
        task_named(asked.scheduler.config, task_id)
    runs = store.runs.history(
        task_id, limit=limit, below=query.get("before", NEWEST), status=query.get("status")
    )
    following = runs[-1].id if len(runs) == limit else None
    return Answer({"runs": [run.as_dict() for run in runs], "next": following})


def load_preset(asked: Asked, preset: str) -> Answer:
    """Add a preset to tasks/_presets.yaml, so that its tasks outlast a restart."""
    if asked.scheduler.config.demo:
        raise StomaError(
            "this is the demo: it changes no files", "load it with `stoma scheduler load-preset`"
        )
    added = edits.load_preset(asked.scheduler.config.base, preset, path=asked.scheduler.config.path)
    asked.scheduler.look_again()
    return Answer({"preset": preset, "added": added})


def _run_id(text: str) -> int:
    if not (text.isascii() and text.isdigit() and len(text) < 19):
        raise NotFound(f'"{text[:50]}" is not the number of a run')
    return int(text)
