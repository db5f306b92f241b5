"""One run: how it stands, its tries, its log, what it brought."""

from __future__ import annotations

from typing import Any

from stoma.api.answers import Asked, Document
from stoma.api.pages import render
from stoma.api.pages.runs import run_number, why
from stoma.api.route import Param, whole
from stoma.scheduler.base import Run, TaskStatus
from stoma.scheduler.owner import Owner
from stoma.stores.base import Row
from stoma.stores.runs import NEWEST

LIMIT = 20
"""Records of each kind that are shown."""

MOST_LINES = 100
MOST_ATTEMPTS = 30

PARAMS = (
    Param("cursor", "Records that follow: the number of the last one.", whole(None, 1, NEWEST)),
    Param("log", "Lines that came before: the number of the first one.", whole(None, 1, NEWEST)),
)

AGAIN = (TaskStatus.FAILED, TaskStatus.SUSPECT, TaskStatus.CANCELLED, TaskStatus.SKIPPED)
"""How a run has ended that may begin again."""


def page(asked: Asked, run_id: str) -> Document:
    """One run with its log and what it collected."""
    scheduler, query = asked.scheduler, asked.query
    store = scheduler.store
    run = store.runs.get(run_number(run_id))
    now = store.now()
    attempts = store.runs.attempts(run.id)
    lines = store.looking.log(run.id, limit=MOST_LINES + 1, below=query.get("log"))
    records = store.looking.collected(run, now, limit=LIMIT + 1, below=query.get("cursor"))
    return render.page(
        asked,
        "run.html",
        run=run,
        why=why(run),
        is_declared=run.task_id in scheduler.config.tasks,
        expected=_expected(asked, run) if run.status is TaskStatus.RUNNING else None,
        # One that waits for nothing but a place, or for another run, would gain nothing.
        can_retry=run.status in AGAIN or (_is_open(run) and run.not_before is not None),
        attempts=[(row, _node(row)) for row in attempts[-MOST_ATTEMPTS:]],
        attempt_count=len(attempts),
        lines=lines[-MOST_LINES:],
        earlier=lines[-MOST_LINES].id if len(lines) > MOST_LINES else None,
        log=query.get("log"),
        records=records[:LIMIT],
        following=records[LIMIT - 1]["id"] if len(records) > LIMIT else None,
        cursor=query.get("cursor"),
        changed=store.looking.changed(run, now, limit=LIMIT) if "cursor" not in query else [],
        windows=store.looking.windows(run),
    )


def _is_open(run: Run) -> bool:
    return run.status is not TaskStatus.RUNNING and not run.status.is_final


def _expected(asked: Asked, run: Run) -> int | None:
    """How many records the collection will bring, where its source has told who carries it out."""
    for entry in asked.scheduler.runner.working:
        if entry.run.id == run.id:
            return entry.tally.expected
    nodes = asked.scheduler.board.look().status["nodes"]
    working: list[dict[str, Any]] = [one for node in nodes for one in node.get("working", [])]
    return next((one.get("expected") for one in working if one["run"] == run.id), None)


def _node(attempt: Row) -> str:
    owner = Owner.parse(attempt["owner"])
    return owner.described if owner else str(attempt["owner"])
