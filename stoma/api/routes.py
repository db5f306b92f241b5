"""What the server answers, as one table: method, path, function, and a sentence for each."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from stoma.api import data
from stoma.api.answers import Answer, Stream
from stoma.api.export import export
from stoma.api.queries import known, number
from stoma.errors import NotFound, StomaError, StoreError, UsageError
from stoma.scheduler import edits
from stoma.scheduler.base import TaskStatus, iso
from stoma.scheduler.manager import Scheduler
from stoma.scheduler.overview import status_overview, task_overview
from stoma.scheduler.parts import task_named
from stoma.stores.runs import NEWEST

MOST_RUNS = 1000

Function = Callable[..., Answer | Stream]


def status(scheduler: Scheduler, query: Mapping[str, str]) -> Answer:
    """How the scheduler stands: running and waiting runs, next runs, errors in the files."""
    overview = status_overview(scheduler.config, scheduler.store, scheduler.store.now())
    # What this process knows is newer than its last heartbeat.
    config = {
        "generation": scheduler.generation,
        "loaded_at": iso(scheduler.loaded_at),
        "hash": scheduler.config.hash,
        "errors": [problem.as_dict() for problem in scheduler.errors],
        "restart_needed": scheduler.restart_needed,
    }
    return Answer({**overview, "running": scheduler.is_running, "config": config})


def tasks(scheduler: Scheduler, query: Mapping[str, str]) -> Answer:
    """Every task with its state, next and last run."""
    return Answer({"tasks": task_overview(scheduler.config, scheduler.store, scheduler.store.now())})


def run_task(scheduler: Scheduler, query: Mapping[str, str], task_id: str) -> Answer:
    """Queue a run of a task now."""
    run = scheduler.queue(task_named(scheduler.config, task_id))
    return Answer(run.as_dict(), 202)


def enable_task(scheduler: Scheduler, query: Mapping[str, str], task_id: str) -> Answer:
    """Switch a task on; it outlasts a restart."""
    scheduler.enable(task_id, True)
    return Answer({"id": task_id, "enabled": True})


def disable_task(scheduler: Scheduler, query: Mapping[str, str], task_id: str) -> Answer:
    """Switch a task off; it outlasts a restart."""
    scheduler.enable(task_id, False)
    return Answer({"id": task_id, "enabled": False})


def cancel_run(scheduler: Scheduler, query: Mapping[str, str], run_id: str) -> Answer:
    """End a run: one that waits at once, one that works at its next page."""
    return Answer(scheduler.cancel(_run_id(run_id)).as_dict(), 202)


def retry_run(scheduler: Scheduler, query: Mapping[str, str], run_id: str) -> Answer:
    """Begin a run again that ended without success, or end its wait for the next try."""
    return Answer(scheduler.retry(_run_id(run_id)).as_dict(), 202)


def pause(scheduler: Scheduler, query: Mapping[str, str]) -> Answer:
    """Start nothing more; it outlasts a restart."""
    scheduler.pause()
    return Answer({"paused": True})


def resume(scheduler: Scheduler, query: Mapping[str, str]) -> Answer:
    """End the pause."""
    scheduler.resume()
    return Answer({"paused": False})


def history(scheduler: Scheduler, query: Mapping[str, str]) -> Answer:
    """Runs, newest first: `task`, `status`, `limit` (1 to 1000) and `before` (a run id) narrow it down."""
    query = known(query, ("task", "status", "limit", "before"))
    limit = number(query, "limit", 50, 1, MOST_RUNS)
    before = number(query, "before", NEWEST, 1, NEWEST)
    task_id = query.get("task")
    # The runs of a task that is gone can still be asked for; a wrong name gets its nearest.
    is_id = task_id is not None and edits.TASK_ID.match(task_id)
    if task_id is not None and not (is_id and scheduler.store.runs.history(task_id, limit=1)):
        task_named(scheduler.config, task_id)
    wanted = query.get("status")
    if wanted is not None and wanted not in set(TaskStatus):
        raise UsageError(f'"{wanted[:50]}" is not a status', f"one of {', '.join(TaskStatus)}")
    runs = scheduler.store.runs.history(task_id, limit=limit, below=before, status=wanted)
    following = runs[-1].id if len(runs) == limit else None
    return Answer({"runs": [run.as_dict() for run in runs], "next": following})


def load_preset(scheduler: Scheduler, query: Mapping[str, str], preset: str) -> Answer:
    """Add a preset to tasks/_presets.yaml, so that its tasks outlast a restart."""
    if scheduler.config.demo:
        raise StomaError(
            "this is the demo: it changes no files", "load it with `stoma scheduler load-preset`"
        )
    added = edits.load_preset(scheduler.config.base, preset, path=scheduler.config.path)
    scheduler.look_again()
    return Answer({"preset": preset, "added": added})


def live(scheduler: Scheduler, query: Mapping[str, str]) -> Answer:
    """200 while the scheduler ticks."""
    return Answer({"live": True}) if scheduler.is_alive else Answer({"live": False}, 503)


def ready(scheduler: Scheduler, query: Mapping[str, str]) -> Answer:
    """200 while the store answers and the scheduler ticks."""
    try:
        scheduler.store.now()
        scheduler.store.agenda.overrides()
    except StoreError as error:
        return Answer({"ready": False, "reason": error.message}, 503)
    if not scheduler.is_running:
        return Answer({"ready": False, "reason": "the scheduler is starting or stopping"}, 503)
    if not scheduler.is_alive:
        return Answer({"ready": False, "reason": "the scheduler does not tick: its loop stands still"}, 503)
    return Answer({"ready": True})


ROUTES: tuple[tuple[str, str, Function], ...] = (
    ("GET", "/api/scheduler/status", status),
    ("GET", "/api/scheduler/tasks", tasks),
    ("POST", "/api/scheduler/tasks/<task_id>/run", run_task),
    ("PUT", "/api/scheduler/tasks/<task_id>/enable", enable_task),
    ("PUT", "/api/scheduler/tasks/<task_id>/disable", disable_task),
    ("POST", "/api/scheduler/runs/<run_id>/cancel", cancel_run),
    ("POST", "/api/scheduler/runs/<run_id>/retry", retry_run),
    ("POST", "/api/scheduler/pause", pause),
    ("POST", "/api/scheduler/resume", resume),
    ("GET", "/api/scheduler/history", history),
    ("POST", "/api/scheduler/presets/<preset>", load_preset),
    ("GET", "/api/records", data.records),
    ("GET", "/api/records/<source>/<external_id:path>", data.story),
    ("GET", "/api/search", data.search),
    ("GET", "/api/changes", data.changes),
    ("GET", "/api/export", export),
    ("GET", "/health/live", live),
    ("GET", "/health/ready", ready),
)


def _run_id(text: str) -> int:
    if not (text.isascii() and text.isdigit() and len(text) < 19):
        raise NotFound(f'"{text[:50]}" is not the number of a run')
    return int(text)
