"""Due instants in the store: how far each task is accounted for, what was skipped, what is switched off."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from stoma.scheduler.base import Gone, NewRun, Run, Skip, Switch, Switches
from stoma.stores.base import Database, Reader, Row, Transaction
from stoma.stores.runs import insert, open_of

CLOCK_FAULT = timedelta(minutes=2)
"""A clock that differs by more was wrong before or is wrong now; less is what clocks do."""


ASKED_SINGLY = 100
"""So many tasks are looked up one by one; for more of them the whole agenda is read."""

PAUSED = "paused"
"""The switch that holds everything."""


@dataclass(frozen=True, slots=True)
class Standing:
    """How far a task is accounted for, read under a lock; `skip_id` is the skip that may be extended."""

    task_id: str
    accounted_until: datetime
    skip_id: int | None
    open_runs: Sequence[Run]


class Agenda:
    """The tables `agenda`, `skips` and `task_overrides`."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def adopt(self, schedules: dict[str, str], now: datetime) -> dict[str, datetime]:
        """Take up tasks with the hash of their schedule; gives `accounted_until` of each.

        A task that is new, was away, or whose schedule is another one is accounted for until now: nothing old
        fires. So is one that is accounted for beyond now, as only a clock that was wrong can have left it.
        """
        known = self.accounted(schedules if len(schedules) <= ASKED_SINGLY else None)
        fresh = [task_id for task_id in schedules if task_id not in known]
        anew = [
            task_id
            for task_id, schedule_hash in schedules.items()
            if task_id in known and _begins_anew(known[task_id], schedule_hash, now)
        ]
        if fresh or anew:
            with self._database.transaction() as tx:
                for name, ids in (("agenda_insert", fresh), ("agenda_renew", anew)):
                    tx.many(name, [{"task_id": i, "schedule_hash": schedules[i], "now": now} for i in ids])
        accounted = dict.fromkeys([*fresh, *anew], now)
        return {task_id: accounted.get(task_id) or known[task_id]["accounted_until"] for task_id in schedules}

    def remove(self, task_ids: Iterable[str], now: datetime) -> None:
        """Note that tasks are declared no more, so that they begin anew if they come back."""
        with self._database.transaction() as tx:
            tx.many("agenda_remove", [{"task_id": task_id, "now": now} for task_id in task_ids])

    def skips(self, task_id: str, limit: int = 50, before: tuple[datetime, int] | None = None) -> list[Row]:
        """What was skipped and why, newest first; behind the row that ended then and has this number."""
        at, below = before or (None, None)
        with self._database.reader() as reader:
            return reader.all("skips_of_task", task_id=task_id, limit=limit, before=at, below=below)

    def accounted(self, task_ids: Iterable[str] | None = None) -> dict[str, Row]:
        """The agenda of every task that has one, or of these few."""
        with self._database.reader() as reader:
            if task_ids is None:
                rows = reader.all("agenda_all")
            else:
                rows = [row for task_id in task_ids for row in reader.all("agenda_of", task_id=task_id)]
        return {row["task_id"]: row for row in rows}

    def enable(self, task_id: str, enabled: bool, now: datetime) -> None:
        """Switch a task on or off; this outlasts a restart and outranks its YAML."""
        with self._database.transaction() as tx:
            tx.execute("override_set", task_id=task_id, enabled=enabled, now=now)

    def pause(self, paused: bool, now: datetime) -> None:
        """Pause everything, or let it go on; this outlasts a restart."""
        with self._database.transaction() as tx:
            tx.execute("switch_set", switch=PAUSED, is_on=paused, now=now)

    def switches(self) -> Switches:
        """What holds tasks back until somebody changes it."""
        with self._database.reader() as reader:
            return _switches(reader, reader.all("overrides"), reader.all("gone_all"))

    def paused_since(self) -> datetime | None:
        """Since when everything is paused; None while it is not."""
        with self._database.reader() as reader:
            switch = _switches(reader, [], []).paused
        return switch.changed_at if switch is not None and switch.is_on else None

    def overrides(self) -> dict[str, bool]:
        """The tasks that were switched on or off by hand."""
        with self._database.reader() as reader:
            return {row["task_id"]: bool(row["enabled"]) for row in reader.all("overrides")}

    def upstream_ends(self) -> dict[str, dict[str, int]]:
        """By task with `after`: which upstream has ended since its last run, with the id of that run."""
        found: dict[str, dict[str, int]] = {}
        with self._database.reader() as reader:
            for row in reader.all("upstream_ends_all"):
                found.setdefault(row["task_id"], {})[row["upstream"]] = row["run_id"]
        return found


def switches_of(reader: Reader, task_id: str) -> Switches:
    """What holds one task back until somebody changes it, inside a transaction."""
    overrides, gone = (reader.all(name, task_id=task_id) for name in ("override_of", "gone_of"))
    return _switches(reader, overrides, gone)


def _switches(reader: Reader, overrides: Iterable[Row], gone: Iterable[Row]) -> Switches:
    paused = reader.one("switch_get", switch=PAUSED)
    return Switches(
        tasks={row["task_id"]: Switch(bool(row["enabled"]), row["changed_at"]) for row in overrides},
        paused=Switch(bool(paused["is_on"]), paused["changed_at"]) if paused is not None else None,
        gone={row["task_id"]: Gone(row["fingerprint"], row["gone_at"], row["reason"]) for row in gone},
    )


def _begins_anew(row: Row, schedule_hash: str, now: datetime) -> bool:
    return (
        row["schedule_hash"] != schedule_hash
        or row["removed_at"] is not None
        or row["accounted_until"] - now > CLOCK_FAULT
    )


def standing(tx: Transaction, task_id: str, schedule_hash: str) -> Standing | None:
    """Where a task stands, locked until the transaction ends; None when it was adopted with another schedule."""
    row = tx.one("agenda_get", task_id=task_id)
    if row is None or row["schedule_hash"] != schedule_hash:
        return None
    return Standing(task_id, row["accounted_until"], row["skip_id"], open_of(tx, task_id))


def account(
    tx: Transaction,
    before: Standing,
    until: datetime,
    runs: Sequence[NewRun],
    skips: Sequence[Skip],
    now: datetime,
) -> list[int]:
    """Insert runs and skips and move `accounted_until`, in the transaction that holds the lock; gives run ids."""
    made = [row["id"] for row in (insert(tx, new, now) for new in runs) if row is not None]
    ran = [new.scheduled_for for new in runs if new.scheduled_for is not None]
    # A skip may grow only while nothing but skipped instants lie between: a run in between would seem skipped.
    open_skip = before.skip_id
    for skip in skips:
        values = {"last": skip.last, "count": skip.count, "reason": str(skip.reason), "detail": skip.detail}
        unbroken = open_skip is not None and not any(instant < skip.first for instant in ran)
        if not (unbroken and tx.execute("skip_extend", id=open_skip, **values)):
            row = tx.one("skip_insert", task_id=before.task_id, first=skip.first, **values)
            open_skip = row["id"] if row else None
    if ran and (not skips or skips[-1].last < max(ran)):
        open_skip = None
    tx.execute("agenda_move", task_id=before.task_id, accounted_until=until, skip_id=open_skip)
    return made
