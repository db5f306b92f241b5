"""What plots show, and where they are: of a task's runs, and of what is measured of a record."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import datetime, tzinfo
from itertools import groupby
from typing import Any
from urllib.parse import quote, urlencode

from stoma.api.answers import Asked, Document
from stoma.api.pages.axes import spans
from stoma.api.pages.charts import Plot, bars, curve
from stoma.api.pages.looks import grouped, length
from stoma.api.pages.texts import plain
from stoma.api.route import Param, one_of
from stoma.errors import NotFound
from stoma.scheduler.parts import task_named
from stoma.scheduler.zones import zone_of
from stoma.stores.rising import is_rank

MOST_RUNS = 60
MOST_DAYS = 60
MOST_READ = 3_000
"""Runs that are read for a plot by day."""

BY = Param("by", "A bar for each run, or for each day.", one_of("run", "day", default="run"))
MEASURE = Param("measure", "What is measured, such as stars.", required=True)

# Pictures are documents of their own: their style stands in them, and nothing else may.
HEADERS = {
    "Content-Security-Policy": "default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'",
    "Cache-Control": "private, max-age=15",
}


def task_plot(asked: Asked, task_id: str, name: str) -> Document:
    """A plot of a task's runs: brought, seen, duration or lateness."""
    plots = {plot.name: plot for plot in of_task(asked, task_id, asked.query["by"])}
    if name not in plots:
        raise NotFound(f'there is no plot "{name[:50]}"', f"there are {', '.join(plots)}")
    return _document(bars(plots[name]))


def of_task(asked: Asked, task_id: str, by: str = "run") -> list[Plot]:
    """Every plot of a task, oldest first, by run or by day of the configured zone; raises NotFound."""
    scheduler = asked.scheduler
    rows = scheduler.store.looking.figures(task_id, MOST_READ if by == "day" else MOST_RUNS)[::-1]
    if not rows:
        task_named(scheduler.config, task_id)
    zone = zone_of(scheduler.config.timezone)
    groups = _by_day(rows, zone) if by == "day" else [(_clock(_due(row), zone), [row]) for row in rows]
    return list(_plots(groups))


def task_plot_path(task_id: str, name: str, by: str = "run") -> str:
    """Where a plot of a task is."""
    return f"/tasks/{quote(task_id, safe='')}/plot/{name}.svg" + (f"?by={by}" if by != "run" else "")


def record_plot(asked: Asked, number: str) -> Document:
    """A measure of a record over time."""
    measure = asked.query["measure"]
    is_number = number.isascii() and number.isdigit() and len(number) < 19
    found = asked.scheduler.store.looking.measured(int(number), measure) if is_number else None
    if found is None:
        raise NotFound(f'nothing called "{plain(measure[:50])}" was measured of record {number[:20]}')
    points = [(row["observed_at"], row["value"]) for row in found.observations]
    zone = zone_of(asked.scheduler.config.timezone)
    return _document(curve(measure, points, zone, is_place=is_rank(measure)))


def record_plot_path(number: int, measure: str) -> str:
    """Where the plot of a measure of a record is."""
    return f"/plots/records/{number}.svg?{urlencode({'measure': measure})}"


def _document(svg: bytes) -> Document:
    return Document(svg, "image/svg+xml", headers=HEADERS)


def _plots(groups: Iterable[tuple[str, Sequence[Mapping[str, Any]]]]) -> Iterable[Plot]:
    listed = list(groups)

    def columns(*fields: Callable[[Sequence[Mapping[str, Any]]], float | None]) -> Any:
        return [(label, [field(rows) for field in fields]) for label, rows in listed]

    def total(name: str) -> Callable[[Sequence[Mapping[str, Any]]], float]:
        return lambda rows: sum(row[name] for row in rows)

    def longest(first: Callable[[Mapping[str, Any]], Any], last: str) -> Any:
        def of(rows: Sequence[Mapping[str, Any]]) -> float | None:
            found = [row[last] - first(row) for row in rows if first(row) and row[last]]
            return max(0.0, max(found).total_seconds()) if found else None

        return of

    whole = lambda value: grouped(round(value))  # noqa: E731 — as short as the others
    named = ("new", "changed", "rejected")
    yield Plot("brought", "New, changed and rejected", named, columns(*map(total, named)), whole)
    yield Plot("seen", "Seen", ("seen",), columns(total("seen")), whole)
    took = longest(lambda row: row["started_at"], "finished_at")
    yield Plot("duration", "How long it took", ("took",), columns(took), length, spans)
    late = longest(lambda row: row["scheduled_for"], "started_at")
    yield Plot("lateness", "How late it started", ("late",), columns(late), length, spans)


def _by_day(rows: Sequence[Mapping[str, Any]], zone: tzinfo) -> list[tuple[str, list[Mapping[str, Any]]]]:
    def day(row: Mapping[str, Any]) -> str:
        there = _due(row).astimezone(zone)
        return f"{there.day} {there:%b}"

    found = [(label, list(group)) for label, group in groupby(rows, day)]
    # Of the first one the beginning may not have been read.
    return found[-MOST_DAYS:] if len(rows) < MOST_READ or len(found) < 2 else found[1:][-MOST_DAYS:]


def _due(row: Mapping[str, Any]) -> datetime:
    found: datetime = row["scheduled_for"] or row["created_at"]
    return found


def _clock(at: datetime, zone: tzinfo) -> str:
    there = at.astimezone(zone)
    return f"{there.day} {there:%b %H:%M}"
