"""One task: how it stands, what is to come, its runs and skips, why, and what it is declared to do."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from itertools import islice
from typing import Any

from stoma.api.answers import Asked, Document
from stoma.api.pages import looks, plots, render
from stoma.api.pages.tasks import state_of
from stoma.api.route import TEXT, Param
from stoma.scheduler import asking
from stoma.scheduler.base import LIVE, Task
from stoma.scheduler.outlook import coming, conditions
from stoma.scheduler.overview import task_overview
from stoma.scheduler.parts import host_of, task_named
from stoma.scheduler.plan import definition
from stoma.scheduler.zones import zone_of

MOST_RUNS, MOST_SKIPS, MOST_COMING, MOST_FOLLOWERS = 15, 8, 5, 10
"""Lines of each part."""

AHEAD = timedelta(days=400)
"""How far is looked for what is to come: a task may run once a year."""

MOST_FATES = 300
"""Lines of a day that are told."""

WHY_PARAMS = (
    Param("date", "A day such as 2026-11-23, today, yesterday or tomorrow.", {**TEXT, "default": "today"}),
)


def page(asked: Asked, task_id: str) -> Document:
    """How one task stands, and what it is declared to do."""
    store, config = asked.scheduler.store, asked.scheduler.config
    # One that is declared no more has left its runs.
    is_past = asking.is_past_task(config, store, task_id)
    task = None if is_past else task_named(config, task_id)
    runs = store.runs.history(task_id, limit=MOST_RUNS)
    values: dict[str, Any] = {
        "task_id": task_id,
        "task": task,
        "runs": runs,
        "skips": store.agenda.skips(task_id, MOST_SKIPS),
        "plots": _plots(asked, task_id) if any(run.finished_at for run in runs) else [],
    }
    if task is None:
        return render.page(asked, "task.html", **values)
    now = store.now()
    [row] = task_overview(config, store, now, task_id, wait=False)
    said, rest = _definition(task)
    return render.page(
        asked,
        "task.html",
        **values,
        row=row,
        state=state_of(row),
        words=looks.occasion(task),
        coming=list(islice(coming(task, now, now + AHEAD), MOST_COMING)) if _comes(row) else [],
        conditions=[told for told in conditions(task) if task.schedule and not told.startswith("after ")],
        followers=config.followers.get(task_id, ())[:MOST_FOLLOWERS],
        host=host_of(task),
        cursor=store.runs.cursor(task_id),
        progress=store.runs.progress(task_id, LIVE),
        said=said,
        rest=rest,
    )


def why(asked: Asked, task_id: str) -> Document:
    """What became of each due instant of a day."""
    scheduler = asked.scheduler
    told = asking.day(scheduler.config, scheduler.store, task_id, asked.query["date"], joined=True)
    return render.page(
        asked,
        "why.html",
        task_id=task_id,
        day=told.date,
        before=told.date - timedelta(days=1),
        after=told.date + timedelta(days=1),
        day_zone=told.zone,
        fates=[(_span(fate.first, fate.last, told.zone), fate) for fate in told.fates[:MOST_FATES]],
        left_out=max(0, len(told.fates) - MOST_FATES),
        notes=told.notes,
    )


def _comes(row: Mapping[str, Any]) -> bool:
    """Whether what is due becomes a run, as it stands now."""
    return bool(row["enabled"]) and row["status"] != "blocked"


def _plots(asked: Asked, task_id: str) -> list[dict[str, Any]]:
    """The plots in which there is something to see."""
    return [
        {
            "title": plot.title,
            "series": plot.series,
            "path": plots.task_plot_path(task_id, plot.name),
            "plot": plot,
        }
        for plot in plots.of_task(asked, task_id)
        if not plot.is_empty
    ]


def _definition(task: Task) -> tuple[Mapping[str, str], Mapping[str, str]]:
    """What is said of a task, and what is as it is without a word."""
    usual = definition(Task(task.id, task.id, task.collector))
    whole = {key: text for key, text in definition(task).items() if text is not None}
    said = {key: text for key, text in whole.items() if usual.get(key) != text or key == "collector"}
    return said, {key: text for key, text in whole.items() if key not in said}


def _span(first: datetime, last: datetime, zone: str) -> str:
    there = zone_of(zone)
    begin, end = first.astimezone(there), last.astimezone(there)
    if first == last:
        return f"{begin:%H:%M:%S}"
    # In an hour that comes twice only the offset tells one from the other.
    offset = "" if begin.utcoffset() == end.utcoffset() else f" ({begin:%z} to {end:%z})"
    return f"{begin:%H:%M:%S} to {end:%H:%M:%S}{offset}"
