"""The first page: health in a sentence, what runs, every task, the last runs, the newest records."""

from __future__ import annotations

from typing import Any

from stoma.api.answers import Asked, Document
from stoma.api.pages.render import page as whole_page
from stoma.scheduler.board import Sight
from stoma.scheduler.manager import Scheduler


def page(asked: Asked) -> Document:
    """How it all stands."""
    scheduler = asked.scheduler
    store, sight = scheduler.store, scheduler.board.look()
    return whole_page(
        asked,
        "overview.html",
        sentence=_sentence(sight, scheduler),
        overview=sight.status,
        tasks=sight.tasks,
        runs=store.runs.history(limit=15),
        records=store.records.latest(10),
        now=sight.now,
    )


def _sentence(sight: Sight, scheduler: Scheduler) -> str:
    overview: dict[str, Any] = sight.status
    if scheduler.errors:
        return "A file is broken; everything goes on as it was before the edit."
    if not scheduler.is_alive:
        return "The scheduler does not tick."
    able = sum(task["enabled"] and task["status"] != "blocked" for task in sight.tasks)
    running, failing = len(overview["running_runs"]), len(overview["failing"])
    text = f"{able} {'task' if able == 1 else 'tasks'} at work, {running or 'none'} running now"
    if overview["blocked"]:
        text += f", {overview['blocked']} blocked"
    return f"{text}, {failing} failing." if failing else f"{text}."
