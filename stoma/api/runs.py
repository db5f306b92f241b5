"""Runs over HTTP: a list, one with its tries and its log, and the log as it grows."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from stoma.api.answers import Answer, Asked
from stoma.errors import NotFound
from stoma.moments import moment_of
from stoma.scheduler import asking
from stoma.scheduler.base import Run, iso
from stoma.scheduler.owner import Owner
from stoma.scheduler.zones import zone_of
from stoma.stores.base import Row
from stoma.stores.logs import Line
from stoma.stores.runs import NEWEST

LINES = 200
"""Lines of its log that are told with a run."""

LINGER = timedelta(seconds=3)
"""How long the last lines of a run may come behind its end: they are written about once a second."""


def runs(asked: Asked) -> Answer:
    """Runs, newest first."""
    scheduler, query = asked.scheduler, asked.query
    since = None
    if "since" in query:
        since = moment_of(query["since"], scheduler.store.now(), zone_of(scheduler.config.timezone))
    found, following = asking.runs(
        scheduler.config,
        scheduler.store,
        task_id=query.get("task"),
        status=query.get("status"),
        since=since,
        limit=query["limit"],
        below=query.get("cursor", NEWEST),
    )
    return Answer({"runs": [run.as_dict() for run in found], "next": following})


def run(asked: Asked, run_id: str) -> Answer:
    """One run with its tries, and its log from the beginning."""
    store = asked.scheduler.store
    found = store.runs.get(run_number(run_id))
    return Answer(
        found.as_dict()
        | {
            "priority": str(found.priority),
            "scope": found.scope,
            "host": found.host,
            "created_at": iso(found.created_at),
            "cancel_asked_at": iso(found.cancel_asked_at),
            "attempts": [_attempt(row) for row in store.runs.attempts(found.id)],
            "log": _log(asked, found, 0, LINES),
        }
    )


def log(asked: Asked, run_id: str) -> Answer:
    """What was logged while a run was carried out; asked again and again with its `next` it follows the run."""
    # Asked before the lines: what was logged until now is then among them.
    found = asked.scheduler.store.runs.get(run_number(run_id))
    return Answer(_log(asked, found, asked.query.get("after", 0), asked.query["limit"]))


def run_number(text: str) -> int:
    """The number of a run; raises NotFound for anything else."""
    if not (text.isascii() and text.isdigit() and len(text) < 19):
        raise NotFound(f'"{text[:50]}" is not the number of a run')
    return int(text)


def _log(asked: Asked, found: Run, above: int, limit: int) -> dict[str, Any]:
    store = asked.scheduler.store
    lines = store.logs.of_run(found.id, above=above, limit=limit + 1)
    has_more = len(lines) > limit
    lines = lines[:limit]
    ended = found.finished_at
    is_over = found.status.is_final and (ended is None or store.now() - ended > LINGER)
    return {
        "run": found.id,
        "status": str(found.status),
        "lines": [_line(line) for line in lines],
        "next": lines[-1].id if lines else above,
        # Nothing more will come.
        "is_over": is_over and not has_more,
    }


def _line(line: Line) -> dict[str, Any]:
    return {"id": line.id, "at": iso(line.logged_at), "level": line.level, "message": line.message}


def _attempt(row: Row) -> dict[str, Any]:
    owner = Owner.parse(row["owner"])
    started, ended = row["started_at"], row["finished_at"]
    return {
        "attempt": row["attempt"],
        "node": owner.described if owner else row["owner"],
        "status": row["status"],
        "started_at": iso(started),
        "finished_at": iso(ended),
        "duration_seconds": round((ended - started).total_seconds(), 3) if ended else None,
        "error": row["error"],
    }
