"""All tasks: how each stands, when it runs, and buttons to run it and to switch it on and off."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from stoma.api import control
from stoma.api.answers import Asked, Document, Redirect
from stoma.api.pages import looks, render
from stoma.api.route import Param, one_of

AT_ONCE = 50
"""Tasks on a page."""

STATES = {
    "failing": ("failed", "suspect"),
    "running": ("running",),
    "waiting": ("pending", "interrupted"),
    "blocked": ("blocked",),
    "completed": ("completed",),
    "not run yet": ("new",),
    "off": ("off",),
}
"""By the words of the filter: the states that are meant."""

PARAMS = (
    Param("q", "Only tasks whose id, name or collector holds these words."),
    Param("state", "Only tasks in this state.", one_of(*STATES)),
    Param("cursor", "What follows on this task."),
)


def page(asked: Asked) -> Document:
    """Every task with its state, last and next run."""
    query = asked.query
    everything = asked.scheduler.board.look().tasks
    sought = [task for task in everything if matches(task, query.get("q", ""))]
    found = [task for task in sought if "state" not in query or is_in(task, query["state"])]
    start = _behind(found, query.get("cursor"))
    part = found[start : start + AT_ONCE]
    config = asked.scheduler.config
    filters = {name: query[name] for name in ("q", "state") if name in query}
    return render.page(
        asked,
        "tasks.html",
        tasks=[{**task, "state": state_of(task), "words": _words(config.tasks, task)} for task in part],
        number=len(found),
        all_number=len(everything),
        start=start,
        following=part[-1]["id"] if start + AT_ONCE < len(found) else None,
        query=filters,
        cursor=query.get("cursor"),
        choices=_choices(sought),
    )


def run(asked: Asked, task_id: str) -> Redirect:
    """Queue a run of a task now, and watch it."""
    answer = control.run_task(asked, task_id)
    return Redirect(f"/runs/{answer.body['run']}")


def enable(asked: Asked, task_id: str) -> Redirect:
    """Switch a task on; it outlasts a restart."""
    control.enable_task(asked, task_id)
    return Redirect(render.back(asked, "/tasks"))


def disable(asked: Asked, task_id: str) -> Redirect:
    """Switch a task off; it outlasts a restart."""
    control.disable_task(asked, task_id)
    return Redirect(render.back(asked, "/tasks"))


def state_of(task: Mapping[str, Any]) -> str:
    """One word for how a task stands: that of its newest run, else why there is none to come."""
    is_open = task["status"] in ("running", "pending", "interrupted")
    if not task["enabled"] and not is_open:
        return "off"
    return task["status"] or "new"


def is_in(task: Mapping[str, Any], state: str) -> bool:
    """True for a task that a word of the filter means; one that is tried again fails, and waits or runs too."""
    return state_of(task) in STATES[state] or (
        state == "failing" and bool(task["trouble"] and task["enabled"])
    )


def matches(task: Mapping[str, Any], sought: str) -> bool:
    """True when each of the words stands in the id, the name or the collector of a task."""
    text = f"{task['id']} {task['name']} {task['collector']}".casefold()
    return all(word in text for word in sought.casefold().split())


def _words(tasks: Mapping[str, Any], task: Mapping[str, Any]) -> str:
    # Between the look and now the task may have been taken out of its file.
    declared = tasks.get(task["id"])
    return looks.occasion(declared) if declared is not None else task["occasion"]


def _behind(found: Sequence[Mapping[str, Any]], cursor: str | None) -> int:
    """Where the page begins that follows on a task; the first page where there is no such task any more."""
    return next((at + 1 for at, task in enumerate(found) if task["id"] == cursor), 0)


def _choices(tasks: Sequence[Mapping[str, Any]]) -> list[tuple[str, str]]:
    """The states to choose from, each with how many tasks there are."""
    counts = {word: sum(is_in(task, word) for task in tasks) for word in STATES}
    return [("", f"all ({len(tasks)})"), *((word, f"{word} ({count})") for word, count in counts.items())]
