"""What the server answers, as one table."""

from __future__ import annotations

from stoma.api import control, data, health
from stoma.api.export import export
from stoma.api.pages import PAGES
from stoma.api.route import BOOLEAN, Param, Route, one_of, whole
from stoma.scheduler.base import TaskStatus

LAST = 2**62
"""Above every number of a row."""

SELECTING = (
    Param("kind", "Only records of this kind, such as paper."),
    Param("source", "Only records of this source, such as arxiv."),
    Param("task", "Only what this task has seen."),
    Param("since", "Only what was stored since then: a moment such as 2026-01-31, or a time such as 7d."),
    Param("until", "Only what was stored before then."),
)
LIMIT = Param("limit", "At most so many.", whole(50, 1, 1_000))
BEFORE = Param("before", "What follows on an answer: its `next`.", whole(None, 1, LAST))
SOUGHT = "The words that are sought, as `stoma search` takes them."

ROUTES: tuple[Route, ...] = (
    Route("GET", "/api/scheduler/status", control.status),
    Route("GET", "/api/scheduler/tasks", control.tasks),
    Route("POST", "/api/scheduler/tasks/<task_id>/run", control.run_task),
    Route("PUT", "/api/scheduler/tasks/<task_id>/enable", control.enable_task),
    Route("PUT", "/api/scheduler/tasks/<task_id>/disable", control.disable_task),
    Route("POST", "/api/scheduler/runs/<run_id>/cancel", control.cancel_run),
    Route("POST", "/api/scheduler/runs/<run_id>/retry", control.retry_run),
    Route("POST", "/api/scheduler/pause", control.pause),
    Route("POST", "/api/scheduler/resume", control.resume),
    Route(
        "GET",
        "/api/scheduler/history",
        control.history,
        (
            Param("task", "Only runs of this task."),
            Param("status", "Only runs with this status.", one_of(*TaskStatus)),
            LIMIT,
            BEFORE,
        ),
    ),
    Route("POST", "/api/scheduler/presets/<preset>", control.load_preset),
    Route("GET", "/api/records", data.records, (*SELECTING, LIMIT, BEFORE)),
    Route("GET", "/api/records/<source>/<external_id:path>", data.story),
    Route(
        "GET",
        "/api/search",
        data.search,
        (
            Param("query", SOUGHT),
            *SELECTING,
            Param("order", "The best first, or the newest.", one_of("best", "newest", default="best")),
            LIMIT,
            BEFORE,
            Param("q", "The same as query."),
        ),
    ),
    Route(
        "GET",
        "/api/changes",
        data.changes,
        (
            Param("since", "Since when, such as 7d.", {"type": "string", "default": "7d"}),
            Param("kind", "Only records of this kind."),
            Param("source", "Only records of this source."),
            Param("task", "Only what this task has seen."),
            LIMIT,
            Param("before", "What follows on an answer: its `next`."),
        ),
    ),
    Route(
        "GET",
        "/api/export",
        export,
        (
            Param("format", "jsonl or csv.", {"type": "string", "default": "jsonl"}),
            *SELECTING,
            Param("query", SOUGHT),
            Param("view", "In the columns of a view, such as papers."),
            Param("safe_for_spreadsheets", "Let no cell begin a formula.", BOOLEAN),
        ),
    ),
    Route("GET", "/health/live", health.live),
    Route("GET", "/health/ready", health.ready),
    *PAGES,
)
