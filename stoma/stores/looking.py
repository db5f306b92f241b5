"""What pages ask of runs and records, each answer bounded however much there is. Speaks no dialect."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from stoma.diffs import changes
from stoma.scheduler.base import Run, TaskStatus
from stoma.stores.base import Database, Reader, Row
from stoma.stores.logs import Line
from stoma.stores.runs import NEWEST
from stoma.stores.stories import Measured, Version, measured, named

MOST_CHANGED = 5_000
"""Changes of all runs that are looked through for those of one."""

MOST_WINDOWS = 240
"""Windows of a backfill that are told: twenty years of months."""

MOST_MEASURES = 12
MOST_SIGHTINGS = 50


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which runs are meant; None does not matter. `since` bounds when they were made."""

    task: str | None = None
    status: str | None = None
    since: datetime | None = None

    def values(self) -> dict[str, Any]:
        """By the names that statements use."""
        is_final = self.status is not None and TaskStatus(self.status).is_final
        return {
            "task_id": self.task,
            "ended": self.status if is_final else None,
            "open": None if is_final else self.status,
        }


@dataclass(frozen=True, slots=True)
class Portrait:
    """One record: as it is, its latest versions newest first, what was measured, who saw it."""

    row: Row
    versions: Sequence[Version]
    # The version below which the list goes on; None behind the first one.
    next: int | None
    measures: Sequence[Measured]
    sightings: Sequence[Row]


class Looking:
    """Asks for what a page shows."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def runs(
        self, wanted: Wanted, *, limit: int, below: int | None = None, only_final: bool = False
    ) -> list[Run]:
        """Runs, newest first, with ids below `below`."""
        with self._database.reader() as reader:
            values = wanted.values() | {
                "first": _first_since(reader, wanted.since),
                "below": below or NEWEST,
                "final": True if only_final else None,
            }
            name = "look_runs_open" if values["open"] else "look_runs"
            return [Run.from_row(row) for row in reader.all(name, **values, limit=limit)]

    def bars(self, wanted: Wanted, limit: int) -> list[Row]:
        """The same with only what a timeline draws: id, task_id, status and instants."""
        with self._database.reader() as reader:
            values = wanted.values() | {"first": _first_since(reader, wanted.since), "limit": limit}
            if values["open"]:
                return reader.all("look_runs_open", **values, below=NEWEST)
            return reader.all("look_bars", **values)

    def figures(self, task_id: str, limit: int) -> list[Row]:
        """Counters and instants of the newest live runs of a task that are over, newest first."""
        with self._database.reader() as reader:
            return reader.all("look_figures", task_id=task_id, limit=limit)

    def log(self, run_id: int, *, limit: int, below: int | None = None) -> list[Line]:
        """The last lines of the log of a run, with ids below `below`, in the order they were logged."""
        with self._database.reader() as reader:
            rows = reader.all("look_log", run_id=run_id, below=below or NEWEST, limit=limit)
        return [Line(**row) for row in reversed(rows)]

    def windows(self, run: Run) -> list[Run]:
        """The windows of the backfill that a run belongs to, in their order; none of a live run."""
        if run.is_live:
            return []
        with self._database.reader() as reader:
            rows = reader.all(
                "look_windows", task_id=run.task_id, trigger=run.scope, scope=run.scope, limit=MOST_WINDOWS
            )
        return [Run.from_row(row) for row in rows]

    def collected(self, run: Run, now: datetime, *, limit: int, below: int | None = None) -> list[Row]:
        """The records that the task saw for the first time while this run was carried out, newest first.

        Goes on below the record number `below`. A backfill beside it counts as well.
        """
        if run.started_at is None:
            return []
        values = {"task_id": run.task_id, "since": run.started_at, "until": run.finished_at or now}
        with self._database.reader() as reader:
            if below is not None:
                place = reader.one("question_place_of_task", id=below, task_id=run.task_id)
                if place is None:
                    return []
                values["until"] = min(values["until"], place["first_seen_at"])
            return reader.all("look_collected", **values, below=below, limit=limit)

    def changed(self, run: Run, now: datetime, *, limit: int) -> list[Row]:
        """The records that this run brought a new version of, the latest first."""
        if run.started_at is None or not run.changed:
            return []
        values = {"since": run.started_at, "until": run.finished_at or now, "run_id": run.id}
        with self._database.reader() as reader:
            rows = reader.all("look_changed", **values, most=MOST_CHANGED, limit=limit)
        # It may have brought several of one record.
        return list({row["id"]: row for row in rows}.values())

    def portrait(
        self, text: str, source: str | None = None, *, below: int | None = None, limit: int
    ) -> Portrait:
        """One record by the names that `stoma show` takes, with `limit` of its versions, below a version.

        Raises NotFound, and UsageError where several sources have the id.
        """
        with self._database.reader() as reader:
            row = named(reader, text, source)
            key = {"source": row["source"], "external_id": row["external_id"]}
            top = min(below or row["version"] + 1, row["version"] + 1)
            # One more, to know what the oldest one that is shown says otherwise, and since when.
            rows = reader.all("look_versions", **key, below=min(top, row["version"]), limit=limit + 1)
            rows = [row, *rows] if top > row["version"] else rows
            measures = reader.all("story_measures", **key)[:MOST_MEASURES]
            return Portrait(
                row,
                _versions(rows[: limit + 1], row["first_seen_at"])[:limit],
                rows[limit - 1]["version"] if len(rows) > limit else None,
                [measured(reader, key, told) for told in measures],
                reader.all("sightings_of", **key)[:MOST_SIGHTINGS],
            )

    def measured(self, number: int, name: str) -> Measured | None:
        """One measure of the record of this number over time; None where there is nothing."""
        with self._database.reader() as reader:
            row = reader.one("story_by_number", id=number)
            if row is None:
                return None
            key = {"source": row["source"], "external_id": row["external_id"]}
            told = {one["measure"]: one for one in reader.all("story_measures", **key)}
            return measured(reader, key, told[name]) if name in told else None


def _first_since(reader: Reader, since: datetime | None) -> int:
    """The number from which on runs were made since then: numbers grow as time does, so halving finds it."""
    if since is None:
        return 0
    last = reader.one("look_run_last")
    low, high = 0, (last["id"] if last and last["id"] is not None else 0) + 1
    while low < high:
        middle = (low + high) // 2
        row = reader.one("look_run_from", id=middle)
        if row is None or row["created_at"] >= since:
            high = middle
        else:
            low = row["id"] + 1
    return low


def _versions(rows: Sequence[Row], first_seen_at: datetime) -> list[Version]:
    """Each version, newest first, with what it says otherwise than the one behind it."""
    found = []
    for row, before in zip(rows, [*rows[1:], None], strict=True):
        since = before["superseded_at"] if before else first_seen_at
        told = changes(before, row) if before else []
        found.append(Version(row, since, row.get("superseded_at"), row.get("run_id"), told))
    return found
