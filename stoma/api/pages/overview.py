"""The first page: health in a sentence, what runs, what comes next, what failed, the newest records."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from stoma.api import control
from stoma.api.answers import Asked, Document, Redirect
from stoma.api.pages import render
from stoma.scheduler.base import Run
from stoma.scheduler.board import Sight
from stoma.scheduler.manager import Scheduler
from stoma.stores import Store
from stoma.wording import listed

MOST_RUNS, MOST_COMING, MOST_FAILING, MOST_RECORDS = 8, 8, 6, 6
"""Lines of each part."""


TROUBLES = {
    "failing": "it failed before",
    "suspect": "it found suspiciously little before",
    "silence": "nothing new or changed for longer than it should be",
    "gone": "its source says that it is gone",
    "network": "the network seems to be away",
    "store": "the store cannot be written",
}
"""Alerts that are told here; tasks that fail just now and broken files show by themselves."""


@dataclass(frozen=True, slots=True)
class Health:
    """How it all stands: `good`, `warn` or `bad`, in one sentence, and what there is beside."""

    level: str
    sentence: str
    beside: str = ""


def page(asked: Asked) -> Document:
    """How it all stands."""
    scheduler = asked.scheduler
    store, sight = scheduler.store, scheduler.board.look()
    status = sight.status
    fails = {task["task"] for task in status["failing"]}
    blocked = [task for task in sight.tasks if task["enabled"] and task["status"] == "blocked"]
    troubles = [
        alert
        for alert in store.alerts.open()
        if alert.kind in TROUBLES and not (alert.kind in ("failing", "suspect") and alert.task_id in fails)
    ]
    # Work that is under way, and what it may come to: what the last one saw.
    running = [(run, _seen_before(store, run)) for run in store.runs.running()[:MOST_RUNS]]
    return render.page(
        asked,
        "overview.html",
        health=health(sight, len(troubles), is_alive=scheduler.is_alive, is_broken=bool(scheduler.errors)),
        troubles=troubles[:MOST_FAILING],
        words=TROUBLES,
        running=running,
        waiting=status["waiting_runs"][:MOST_RUNS],
        waiting_number=len(status["waiting_runs"]),
        coming=status["next_runs"][:MOST_COMING],
        failing=status["failing"][:MOST_FAILING],
        failing_number=len(status["failing"]),
        blocked=blocked[:MOST_FAILING],
        blocked_number=len(blocked),
        can_run=any(task["status"] != "blocked" for task in sight.tasks),
        hosts=status["hosts"][:MOST_FAILING],
        counts=status["records"],
        tasks=len(sight.tasks),
        is_all_by_hand=_is_all_by_hand(scheduler),
        records=store.records.newest(MOST_RECORDS),
        last=store.runs.history(limit=MOST_RUNS),
    )


def pause(asked: Asked) -> Redirect:
    """Start nothing more; it outlasts a restart."""
    control.pause(asked)
    return Redirect(render.back(asked, "/"))


def resume(asked: Asked) -> Redirect:
    """End the pause."""
    control.resume(asked)
    return Redirect(render.back(asked, "/"))


def health(sight: Sight, troubles: int = 0, *, is_alive: bool, is_broken: bool) -> Health:
    """What a person should know within five seconds."""
    able = sum(task["enabled"] and task["status"] != "blocked" for task in sight.tasks)
    beside = _beside(sight.status, sight.tasks)
    failing = len(sight.status["failing"])
    if not is_alive:
        return Health("bad", "The scheduler does not tick: nothing is started.", beside)
    if is_broken:
        return Health("bad", "A file is broken; everything goes on as it was before the edit.", beside)
    if sight.status["paused_since"]:
        return Health("warn", "Everything is paused.", beside)
    if not sight.tasks:
        return Health("warn", "There are no tasks yet.")
    if failing:
        return Health(
            "bad", f"{_several(failing)} of {len(sight.tasks)} {'fails' if failing == 1 else 'fail'}.", beside
        )
    if troubles:
        return Health(
            "warn", f"{troubles} {'thing wants' if troubles == 1 else 'things want'} looking after.", beside
        )
    if not able:
        return Health("warn", "No task can run.", beside)
    return Health("good", f"All is well: {_several(able)} at work.", beside)


def _beside(status: Mapping[str, Any], tasks: Sequence[Mapping[str, Any]]) -> str:
    """What runs, waits or is held back, in a line."""
    off = sum(not task["enabled"] for task in tasks)
    counts = (
        (len(status["running_runs"]), "running now"),
        (len(status["waiting_runs"]), "waiting"),
        (status["blocked"], "blocked"),
        (off, "switched off"),
    )
    said = [f"{number} {word}" for number, word in counts if number]
    return f"{listed(said, 'and')}." if said else "Nothing runs just now."


def _several(number: int) -> str:
    return f"{number} {'task' if number == 1 else 'tasks'}"


def _seen_before(store: Store, run: Run) -> int | None:
    return store.runs.standing(run.task_id, run.progress_scope).seen_before if run.is_live else None


def _is_all_by_hand(scheduler: Scheduler) -> bool:
    return not any(task.schedule for task in scheduler.config.tasks.values())
