"""What the server answers, as one table."""

from __future__ import annotations

from stoma.api import about, alerts, audit, control, data, health, metrics, openapi, reference, runs, tasks
from stoma.api.export import TYPES, export
from stoma.api.feeds import FEEDS
from stoma.api.pages import PAGES
from stoma.api.route import BOOLEAN, TEXT, Param, Route, one_of, whole
from stoma.scheduler.base import TaskStatus
from stoma.stores.audit import OUTCOMES

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
CURSOR = Param("cursor", "What follows on an answer: its `next`.", whole(None, 1, LAST), also="before")
SOUGHT = "The words that are sought, as `stoma search` takes them."
TASK = Param("task", "Only runs of this task.")
STATUS = Param("status", "Only runs with this status.", one_of(*TaskStatus))

TASKS = "/api/scheduler/tasks"
CONTROL: tuple[Route, ...] = (
    Route("GET", "/api/scheduler/status", control.status, answer="Status"),
    Route("GET", TASKS, control.tasks, answer="Tasks"),
    Route("POST", TASKS, tasks.add, body=tasks.NEW_TASK, answer="TaskAdded", status=201),
    Route("GET", f"{TASKS}/<task_id>", tasks.task, answer="TaskDetail"),
    Route("DELETE", f"{TASKS}/<task_id>", tasks.remove, answer="TaskRemoved"),
    Route("POST", f"{TASKS}/<task_id>/run", control.run_task, answer="Run", status=202),
    Route("PUT", f"{TASKS}/<task_id>/enable", control.enable_task, answer="Enabled"),
    Route("PUT", f"{TASKS}/<task_id>/disable", control.disable_task, answer="Enabled"),
    Route(
        "GET",
        f"{TASKS}/<task_id>/why",
        tasks.why,
        (
            Param(
                "date",
                "A day such as 2026-11-23, today, yesterday or tomorrow.",
                {**TEXT, "default": "today"},
            ),
        ),
        answer="Why",
    ),
    Route(
        "GET",
        f"{TASKS}/<task_id>/skips",
        tasks.skips,
        (LIMIT, Param("cursor", "What follows on an answer: its `next`.")),
        answer="Skips",
    ),
    Route("POST", "/api/scheduler/runs/<run_id>/cancel", control.cancel_run, answer="Run", status=202),
    Route("POST", "/api/scheduler/runs/<run_id>/retry", control.retry_run, answer="Run", status=202),
    Route("POST", "/api/scheduler/pause", control.pause, answer="Paused"),
    Route("POST", "/api/scheduler/resume", control.resume, answer="Paused"),
    Route("GET", "/api/scheduler/history", runs.runs, (TASK, STATUS, LIMIT, CURSOR), answer="Runs"),
    Route("POST", "/api/scheduler/presets/<preset>", tasks.load, answer="PresetLoaded"),
    Route(
        "GET",
        "/api/next",
        tasks.next_,
        (
            Param("task", "Only instants of this task."),
            Param("days", "Look so far ahead.", whole(7, 1, 3660)),
            Param("limit", "At most so many; without it 20 of one task, of all 50.", whole(None, 1, 1_000)),
        ),
        answer="Next",
    ),
    Route(
        "GET",
        "/api/runs",
        runs.runs,
        (
            TASK,
            STATUS,
            Param("since", "Only runs made since then: a moment such as 2026-01-31, or a time such as 7d."),
            LIMIT,
            CURSOR,
        ),
        answer="Runs",
    ),
    Route("GET", "/api/runs/<run_id>", runs.run, answer="RunDetail"),
    Route(
        "GET",
        "/api/runs/<run_id>/log",
        runs.log,
        (
            Param("after", "Only lines behind this one: `next` of the answer before.", whole(None, 0, LAST)),
            Param("limit", "At most so many lines.", whole(200, 1, 2_000)),
        ),
        answer="Log",
    ),
    Route("POST", "/api/runs/<run_id>/cancel", control.cancel_run, answer="Run", status=202),
    Route("POST", "/api/runs/<run_id>/retry", control.retry_run, answer="Run", status=202),
    Route("GET", "/api/config", about.config, answer="Config"),
    Route("GET", "/api/nodes", about.nodes, answer="Nodes"),
    Route("GET", "/api/alerts", alerts.alerts, answer="Alerts"),
    Route(
        "GET",
        "/api/audit",
        audit.audit,
        (
            Param(
                "since", "Only what was done since then: a moment such as 2026-01-31, or a time such as 7d."
            ),
            Param("outcome", "Only what ended so.", one_of(*OUTCOMES)),
            LIMIT,
            CURSOR,
        ),
        answer="Audit",
    ),
    Route(
        "GET", "/api/hosts", about.hosts, (Param("host", "Only this one, as tasks name it."),), answer="Hosts"
    ),
    Route("POST", "/api/hosts/<host>/reset", about.reset_host, answer="HostReset"),
)

DATA: tuple[Route, ...] = (
    Route(
        "GET",
        "/api/records",
        data.records,
        (Param("q", SOUGHT), *SELECTING, LIMIT, CURSOR),
        answer="Records",
    ),
    Route("GET", "/api/records/<source>/<external_id:path>", data.story, answer="Story"),
    Route(
        "GET",
        "/api/search",
        data.search,
        (
            Param("q", SOUGHT, required=True, also="query"),
            *SELECTING,
            Param("order", "The best first, or the newest.", one_of("best", "newest", default="best")),
            LIMIT,
            CURSOR,
        ),
        answer="Records",
    ),
    Route(
        "GET",
        "/api/changes",
        data.changes,
        (
            Param("since", "Since when, such as 7d.", {**TEXT, "default": "7d"}),
            Param("kind", "Only records of this kind."),
            Param("source", "Only records of this source."),
            Param("task", "Only what this task has seen."),
            LIMIT,
            Param("cursor", "The list that goes on: `next` of `new` or of `changed`.", also="before"),
        ),
        answer="Changes",
    ),
    Route(
        "GET",
        "/api/export",
        export,
        (
            Param("format", "jsonl or csv.", {**TEXT, "default": "jsonl"}),
            *SELECTING,
            Param("query", SOUGHT, also="q"),
            Param("view", "In the columns of a view, such as papers."),
            Param("safe_for_spreadsheets", "Let no cell begin a formula.", BOOLEAN),
        ),
        media=tuple(kind.partition(";")[0] for kind in TYPES.values()),
    ),
)

ROUTES: tuple[Route, ...] = (
    *CONTROL,
    *DATA,
    Route("GET", "/api/openapi.json", openapi.answer, answer="OpenApi"),
    Route("GET", "/api/docs", reference.page, page=True, media=("text/html",)),
    Route("GET", "/metrics", metrics.metrics, media=("text/plain", "application/openmetrics-text")),
    Route("GET", "/health", health.health),
    Route("GET", "/health/live", health.live),
    Route("GET", "/health/ready", health.ready),
    *FEEDS,
    *PAGES,
)
