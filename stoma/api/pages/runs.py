"""Runs: a timeline, what is open, what ended; and the forms that end a run or begin it again."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

from stoma.api.answers import Asked, Document, Redirect
from stoma.api.pages import render
from stoma.api.pages.timeline import Timeline, timeline
from stoma.api.route import Param, one_of, whole
from stoma.errors import NotFound
from stoma.moments import moment_of
from stoma.scheduler import edits
from stoma.scheduler.base import Run, TaskStatus
from stoma.scheduler.explain import trigger_words
from stoma.scheduler.parts import task_named
from stoma.scheduler.zones import zone_of
from stoma.stores.looking import Wanted

LIMIT = 40
MOST_OPEN = 20
MOST_BARS = 1_500
"""Runs that a timeline looks at."""

SPAN = timedelta(hours=24)

MOST_TASKS = 100
"""Tasks that are offered in a list; of more the name has to be written."""

STATUS = Param("status", "Only runs with this status.", one_of(*TaskStatus))
PARAMS = (
    Param("task", "Only runs of this task."),
    STATUS,
    Param("since", "Only what was made since then: a moment such as 2026-01-31, or a time such as 7d."),
    Param("cursor", "What follows on a page: the number of its last run.", whole(None, 1, 2**62)),
)


def page(asked: Asked) -> Document:
    """Runs, the open ones first, then the newest."""
    query, scheduler = asked.query, asked.scheduler
    sight = scheduler.board.look()
    zone = zone_of(scheduler.config.timezone)
    since = moment_of(query["since"], sight.now, zone) if "since" in query else None
    wanted = Wanted(_task(asked), query.get("status"), since)
    cursor = query.get("cursor")
    looking = scheduler.store.looking
    runs = looking.runs(wanted, limit=LIMIT + 1, below=cursor, only_final=wanted.status is None)
    is_first = cursor is None
    return render.page(
        asked,
        "runs.html",
        runs=[(run, why(run)) for run in runs[:LIMIT]],
        following=runs[LIMIT - 1].id if len(runs) > LIMIT else None,
        query={name: query[name] for name in ("task", "status", "since") if name in query},
        cursor=cursor,
        open_runs=_open(sight.status, wanted) if is_first and wanted.status is None else [],
        open_count=len(sight.status["running_runs"]) + len(sight.status["waiting_runs"]),
        drawn=_drawn(asked, wanted, sight.now) if is_first else None,
        tasks=list(scheduler.config.tasks)[: MOST_TASKS + 1],
        most_tasks=MOST_TASKS,
        statuses=[str(status) for status in TaskStatus],
        span=SPAN,
    )


def cancel(asked: Asked, run_id: str) -> Redirect:
    """End a run: one that waits at once, one that works at its next page."""
    number = run_number(run_id)
    asked.scheduler.cancel(number)
    return Redirect(render.back(asked, f"/runs/{number}"))


def retry(asked: Asked, run_id: str) -> Redirect:
    """Begin a run again that ended without success, or end its wait for the next try."""
    number = run_number(run_id)
    asked.scheduler.retry(number)
    return Redirect(render.back(asked, f"/runs/{number}"))


def run_number(text: str) -> int:
    """The number of a run in an address; raises NotFound."""
    if not (text.isascii() and text.isdigit() and len(text) < 19):
        raise NotFound(f'"{text[:50]}" is not the number of a run')
    return int(text)


def why(run: Run) -> str:
    """Why a run was made; where its instant says it all, `due`."""
    return f"backfill {run.span.text}" if run.span else trigger_words(run)


def _task(asked: Asked) -> str | None:
    """The task that is asked for; the runs of one that is gone can still be seen."""
    task_id = asked.query.get("task")
    if task_id is None:
        return None
    is_id = edits.TASK_ID.match(task_id)
    if not (is_id and asked.scheduler.store.runs.history(task_id, limit=1)):
        task_named(asked.scheduler.config, task_id)
    return str(task_id)


def _open(status: Mapping[str, Any], wanted: Wanted) -> list[dict[str, Any]]:
    working = {one["run"]: one for node in status["nodes"] for one in node.get("working", [])}
    return [
        {**run, "expected": working.get(run["run"], {}).get("expected")}
        for run in (*status["running_runs"], *status["waiting_runs"])
        if wanted.task in (None, run["task"])
    ][:MOST_OPEN]


def _drawn(asked: Asked, wanted: Wanted, now: datetime) -> Timeline:
    start = wanted.since or now - SPAN
    rows = asked.scheduler.store.looking.bars(Wanted(wanted.task, wanted.status, start), MOST_BARS)
    if len(rows) == MOST_BARS:
        # Further back it would be only a part.
        start = rows[-1]["created_at"]
    return timeline(rows, start, now, zone_of(asked.scheduler.config.timezone))
