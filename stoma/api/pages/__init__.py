"""Pages for people, rendered here with Bottle's templates, which escape everything."""

from __future__ import annotations

from datetime import datetime
from functools import cache
from hashlib import blake2b
from importlib.resources import files
from typing import Any

import bottle

from stoma.api.guard import HEADERS
from stoma.scheduler.manager import Scheduler
from stoma.scheduler.overview import status_overview, task_overview


def status_page(scheduler: Scheduler) -> bottle.HTTPResponse:
    """The first page: health in a sentence, what runs, every task, the last runs, the newest records."""
    store, now = scheduler.store, scheduler.store.now()
    overview = status_overview(scheduler.config, store, now)
    tasks = task_overview(scheduler.config, store, now)
    body = _template("status.html").render(
        demo=scheduler.config.demo,
        style_mark=_style_mark(),
        sentence=_sentence(overview, tasks, scheduler),
        errors=scheduler.errors,
        overview=overview,
        tasks=tasks,
        runs=store.runs.history(limit=15),
        records=store.records.latest(10),
        clock=_clock,
        web=_web,
        now=now,
    )
    return bottle.HTTPResponse(body, 200, HEADERS | {"Content-Type": "text/html; charset=utf-8"})


def style() -> bottle.HTTPResponse:
    """The one style sheet."""
    headers = HEADERS | {"Content-Type": "text/css; charset=utf-8", "Cache-Control": "max-age=31536000"}
    return bottle.HTTPResponse(_style(), 200, headers)


@cache
def _style() -> str:
    return (files(__name__) / "style.css").read_text(encoding="utf-8")


@cache
def _style_mark() -> str:
    """Part of the sheet's address, so that a browser may keep it and still sees a new one at once."""
    return blake2b(_style().encode(), digest_size=4).hexdigest()


@cache
def _template(name: str) -> bottle.SimpleTemplate:
    return bottle.SimpleTemplate((files(__name__) / name).read_text(encoding="utf-8"))


def _sentence(overview: dict[str, Any], tasks: list[dict[str, Any]], scheduler: Scheduler) -> str:
    if scheduler.errors:
        return "A file is broken; everything goes on as it was before the edit."
    if not scheduler.is_alive:
        return "The scheduler does not tick."
    able = sum(task["enabled"] and task["status"] != "blocked" for task in tasks)
    running, failing = len(overview["running_runs"]), len(overview["failing"])
    text = f"{able} {'task' if able == 1 else 'tasks'} at work, {running or 'none'} running now"
    if overview["blocked"]:
        text += f", {overview['blocked']} blocked"
    return f"{text}, {failing} failing." if failing else f"{text}."


def _clock(value: Any) -> str:
    """An instant for people, in UTC; a dash for none."""
    if not value:
        return "–"
    instant = value if isinstance(value, datetime) else datetime.fromisoformat(value)
    return f"{instant:%Y-%m-%d %H:%M:%S}"


def _web(url: str) -> str:
    """A link only where it leads to the web: records come from strangers."""
    return url if url.startswith(("https://", "http://")) else ""
