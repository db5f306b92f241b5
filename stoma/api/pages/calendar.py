"""What is to come within a week: days beside one another, a line for each task."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import date, timedelta

from stoma.api.answers import Asked, Document
from stoma.api.pages import looks, render
from stoma.api.pages.tasks import matches
from stoma.api.route import Param
from stoma.scheduler.ahead import Ahead, outlook
from stoma.scheduler.base import Task
from stoma.scheduler.outlook import bounds
from stoma.scheduler.zones import zone_of

DAYS = 7
AT_ONCE = 25
"""Tasks on a page: each is reckoned anew (up to 40 instants, 30 to 90 µs each)."""

PARAMS = (
    Param("q", "Only tasks whose id, name or collector holds these words."),
    Param("cursor", "What follows on this task."),
)


@dataclass(slots=True)
class Line:
    """One task: its instants by day, as times of the clock; days on which it is due often have only a word."""

    task: Task
    words: str
    days: dict[date, list[str]] = field(default_factory=dict)
    often: frozenset[date] = frozenset()


def page(asked: Asked) -> Document:
    """What is due within the next days, by the clock of the configured zone."""
    query, config = asked.query, asked.scheduler.config
    sight = asked.scheduler.board.look()
    zone = zone_of(config.timezone)
    enabled = {row["id"] for row in sight.tasks if row["enabled"] and row["status"] != "blocked"}
    sought = [
        task
        for task in config.tasks.values()
        if task.schedule and task.id in enabled and matches(_row(task), query.get("q", ""))
    ]
    start = next((at + 1 for at, task in enumerate(sought) if task.id == query.get("cursor")), 0)
    part = sought[start : start + AT_ONCE]
    blocked = [
        row["id"]
        for row in sight.tasks
        if row["enabled"]
        and row["status"] == "blocked"
        and row["schedule"]
        and matches(row, query.get("q", ""))
    ]
    today = sight.now.astimezone(zone).date()
    days = [today + timedelta(days=number) for number in range(DAYS)]
    until = bounds(days[-1], zone)[1]
    found = outlook(part, sight.now, until - timedelta(seconds=1)).found
    return render.page(
        asked,
        "calendar.html",
        days=days,
        lines=_lines(part, found, config.timezone),
        number=len(sought),
        blocked=blocked,
        following=part[-1].id if start + AT_ONCE < len(sought) else None,
        query={"q": query["q"]} if "q" in query else {},
        cursor=query.get("cursor"),
    )


def _row(task: Task) -> dict[str, str]:
    return {"id": task.id, "name": task.name, "collector": task.collector}


def _lines(tasks: Sequence[Task], found: Sequence[Ahead], zone: str) -> list[Line]:
    """A line for each task, in their order."""
    there = zone_of(zone)
    lines = {task.id: Line(task, looks.occasion(task)) for task in tasks}
    for one in found:
        line = lines[one.task.id]
        local = one.first.at.astimezone(there)
        if one.day is not None:
            line.often |= {local.date()}
        line.days.setdefault(local.date(), []).append(f"{local:%H:%M}")
    return list(lines.values())
