"""Tasks over HTTP: one as it stands and as it is written, why it ran or did not, and adding and removing them."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime
from pathlib import Path
from time import monotonic, sleep
from typing import Any

from stoma.api.answers import Answer, Asked
from stoma.errors import StomaError, UsageError
from stoma.own import is_path
from stoma.references import references
from stoma.resources import preset_path
from stoma.scheduler import asking, edits
from stoma.scheduler.base import Task, TaskPriority, iso
from stoma.scheduler.config import Config, load_preset
from stoma.scheduler.files import digest_of, shown_name
from stoma.scheduler.manager import Scheduler
from stoma.scheduler.overview import task_overview
from stoma.scheduler.parts import task_named
from stoma.scheduler.plan import definition
from stoma.wording import shown

UPTAKE_SECONDS = 2.0
"""How long an answer waits for a new task to come into force."""

LOOK_SECONDS = 0.02
FIRST_YEAR = 1970

NEW_TASK = {
    "type": "object",
    "properties": {
        "id": {
            "type": "string",
            "minLength": 1,
            "maxLength": 200,
            "description": "At most 64 small letters, digits, `_` and `-`; also the name of its file.",
        },
        "name": {"type": "string", "minLength": 1, "maxLength": 200, "description": "For people."},
        "collector": {
            "type": "string",
            "minLength": 1,
            "maxLength": 200,
            "description": "arxiv, github, sec_edgar, http_json, feed, or one that an installed package offers.",
        },
        "schedule": {
            "type": ["string", "array"],
            "minLength": 1,
            "maxLength": 200,
            "items": {"type": "string", "minLength": 1, "maxLength": 200},
            "minItems": 1,
            "maxItems": 20,
            "description": "When it is due, such as `daily_at_09:00`, or several; left out: by hand alone.",
        },
        "priority": {"type": "string", "enum": [str(priority) for priority in TaskPriority]},
        "config": {"type": "object", "description": "What to collect: the options of the collector."},
        "replace": {
            "type": "boolean",
            "default": False,
            "description": "Write over a task that was added like this before.",
        },
    },
    "required": ["id", "name", "collector"],
    "additionalProperties": False,
    "examples": [
        {
            "id": "night_papers",
            "name": "Papers of the night",
            "collector": "arxiv",
            "schedule": "daily_at_06:00",
            "config": {"search_query": "cat:cs.LG"},
        }
    ],
}
"""What `stoma scheduler add-task` takes, as the body of a request."""


def task(asked: Asked, task_id: str) -> Answer:
    """One task: how it stands, and its definition as it is in force."""
    scheduler = asked.scheduler
    found = task_named(scheduler.config, task_id)
    store = scheduler.store
    [row] = task_overview(scheduler.config, store, store.now(), task_id, wait=False)
    cursor, progress = store.runs.cursor(task_id), store.runs.progress(task_id, "live")
    return Answer(
        row
        | {
            "definition": definition(found),
            "cursor": cursor["position"] if cursor else None,
            "cursor_moved_at": iso(cursor["moved_at"]) if cursor else None,
            # Where an unfinished collection goes on.
            "is_unfinished": progress is not None,
            "runs": [run.as_dict() for run in store.runs.history(task_id, limit=5)],
        }
    )


def add(asked: Asked) -> Answer:
    """Add a task for good: writes tasks/ID.yaml after checking it, as `stoma scheduler add-task` does."""
    config, body = _editable(asked), asked.body
    _refuse_references(body)
    given = {key: body[key] for key in ("name", "collector") if key in body}
    try:
        path = edits.add_task(
            config.base,
            body["id"],
            **given,
            schedule=body.get("schedule"),
            priority=body.get("priority"),
            config=body.get("config"),
            replace=body.get("replace", False),
            path=config.path,
        )
    except UsageError as error:
        # Here it is a field of the body.
        raise UsageError(error.message, error.hint.replace("--replace", '"replace": true')) from None
    in_force = _taken_up(asked.scheduler, path)
    return Answer({"id": body["id"], "file": shown_name(path, config.base), "in_force": in_force}, 201)


def remove(asked: Asked, task_id: str) -> Answer:
    """Remove a task that was added by command or API; its records and runs stay."""
    config = _editable(asked)
    path = edits.remove_task(config.base, task_id, path=config.path)
    asked.scheduler.look_again()
    return Answer({"id": task_id, "file": shown_name(path, config.base)})


def load(asked: Asked, preset: str) -> Answer:
    """Add a preset to tasks/_presets.yaml, so that its tasks outlast a restart."""
    config = _editable(asked)
    preset_path(preset, config.base)
    _refuse_code(preset, load_preset(preset, config.base).values())
    added = edits.load_preset(config.base, preset, path=config.path)
    asked.scheduler.look_again()
    return Answer({"preset": preset, "added": added})


def why(asked: Asked, task_id: str) -> Answer:
    """What became of each due instant of a day: the run it became, or why there is none."""
    scheduler = asked.scheduler
    told = asking.day(scheduler.config, scheduler.store, task_id, asked.query["date"], joined=True)
    return Answer(told.as_dict())


def skips(asked: Asked, task_id: str) -> Answer:
    """Due instants that did not become runs and why, newest first."""
    scheduler = asked.scheduler
    if not asking.is_past_task(scheduler.config, scheduler.store, task_id):
        task_named(scheduler.config, task_id)
    limit, before = asked.query["limit"], asked.query.get("cursor")
    rows = scheduler.store.agenda.skips(task_id, limit + 1, before and _place(before))
    found = [
        {
            "first": iso(row["first"]),
            "last": iso(row["last"]),
            "count": row["count"],
            "reason": row["reason"],
            "detail": row["detail"] or None,
        }
        for row in rows[:limit]
    ]
    onward = f"{found[-1]['last']}/{rows[limit - 1]['id']}" if len(rows) > limit else None
    return Answer({"skips": found, "next": onward})


def next_(asked: Asked) -> Answer:
    """The instants to come, of one task or of all."""
    scheduler, query = asked.scheduler, asked.query
    told = asking.to_come(
        scheduler.config, scheduler.store, query.get("task"), days=query["days"], limit=query.get("limit")
    )
    return Answer(told.as_dict())


def _place(text: str) -> tuple[datetime, int]:
    """The row that `next` of an answer told; raises UsageError for anything else."""
    instant, _, number = text.partition("/")
    try:
        found = datetime.fromisoformat(instant).astimezone(UTC)
        if found.year < FIRST_YEAR or not (number.isascii() and number.isdigit() and len(number) < 19):
            raise ValueError(text)
    except (ValueError, OverflowError):
        raise UsageError("cursor: that is no `next` of an answer", "begin the list anew") from None
    return found, int(number)


def _editable(asked: Asked) -> Config:
    """The configuration, where its files may be changed over HTTP."""
    config = asked.scheduler.config
    if config.demo:
        raise StomaError("this is the demo: it changes no files", "use `stoma scheduler` without --demo")
    if not config.files:
        raise StomaError("this scheduler was given its tasks in Python: it has no files to change")
    return config


def _taken_up(scheduler: Scheduler, path: Path) -> bool:
    """Wait a moment until what stands in a file is in force."""
    wanted, until = digest_of(path), monotonic() + UPTAKE_SECONDS
    scheduler.look_again()
    while scheduler.is_running and monotonic() < until:
        if scheduler.config.files.get(str(path)) == wanted:
            return True
        sleep(LOOK_SECONDS)
    return False


def _refuse_references(body: dict[str, Any]) -> None:
    """Whoever reaches the port must not have secrets of this machine sent to an address of their choice."""
    found = next(references(body), None)
    if found is not None:
        kind, name = found
        raise UsageError(
            f'"${{{kind}:{shown(name)}}}" is a reference to a secret, and these are written in files only',
            "use `stoma scheduler add-task`, or write the task into tasks/ by hand",
        )


def _refuse_code(preset: str, tasks: Iterable[Task]) -> None:
    for found in tasks:
        for name in (found.collector, found.normalizer):
            if isinstance(name, str) and is_path(name):
                raise UsageError(
                    f'the preset {shown(preset)} names code to run, "{shown(name)}", and that is not loaded over HTTP',
                    f"use `stoma scheduler load-preset --preset {shown(preset)}`",
                )
