"""Runs in the store: inserted once, claimed by one, fenced, ended. Speaks no dialect."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from stoma.errors import Conflict, Fenced, NotFound, UsageError
from stoma.hosts import LONGEST_COOLING
from stoma.records import holdable
from stoma.references import mask
from stoma.scheduler.base import NewRun, Run, TaskStatus, iso, queue_instant
from stoma.stores.base import Database, Reader, Row, Transaction

LONGEST_TEXT = 4000
"""Characters of an error or reason that are kept."""

CLAIM_TRIES = 5
"""How often a claim is made again after another one was a moment earlier."""

FURTHEST = timedelta(days=3)
"""No lease and no wait for a next try reaches further; one that does was written by a clock that was wrong."""

NEWEST = 2**62
"""Above every run id: where a listing that shows the newest first begins."""


@dataclass(frozen=True, slots=True)
class End:
    """How an attempt ended: what becomes of the run, and what stays in the attempt."""

    status: TaskStatus
    reason: str | None = None
    error: str | None = None
    # When the run may be claimed again, for a status that is not final.
    not_before: datetime | None = None
    # False when nothing was tried: a host was busy, or the process was asked to stop.
    is_try: bool = True
    # What the attempt itself is called in `attempts`; None: like the run.
    attempt_status: str | None = None


TROUBLED = (TaskStatus.FAILED, TaskStatus.SUSPECT)
"""Ends that say that a task fails."""


@dataclass(frozen=True, slots=True)
class Trouble:
    """How a task fails: how it ended last, whatever it waits for or tries since."""

    status: str
    reason: str | None
    # When it is tried again, where a run waits for that.
    again_at: datetime | None = None

    def as_dict(self) -> dict[str, Any]:
        """As JSON carries it."""
        return {"status": self.status, "reason": self.reason, "again_at": iso(self.again_at)}


@dataclass(frozen=True, slots=True)
class Standing:
    """Where the collection of a task stands: its cursor, and where an unfinished collection continues."""

    cursor: Row | None
    progress: Row | None
    # What the last accepted run saw; None before the first.
    seen_before: int | None
    # Whether the store has validators of the task, and a note that its source is gone.
    has_validators: bool = False
    is_gone: bool = False


class Runs:
    """The table `runs` with `attempts`, `progress` and `cursors`."""

    def __init__(self, database: Database) -> None:
        self._database = database
        # Called in the transaction in which a run ends for good: what follows from it is decided there.
        self.on_final: Callable[[Transaction, Run, datetime], None] = lambda tx, run, now: None

    # -- waiting ---------------------------------------------------------------------------------------------

    def add(
        self, new: NewRun, now: datetime, *, owner: str | None = None, lease_until: datetime | None = None
    ) -> Run:
        """Queue a run, reserved for `owner` until `lease_until` when given; the same trigger gives the same run."""
        with self._database.transaction() as tx:
            row = insert(tx, new, now, owner=owner, lease_until=lease_until)
        if row is None:
            raise NotFound(f"a run {new.trigger} of {new.task_id} exists already")
        return Run.from_row(row)

    def reserve(self, run: Run, owner: str, now: datetime, lease_until: datetime) -> Run | None:
        """Take an open run that nobody keeps out of the queue, for `claim_one`; None when it is kept."""
        with self._database.transaction() as tx:
            row = tx.one("run_reserve", id=run.id, owner=owner, now=now, lease_until=lease_until)
        return Run.from_row(row) if row else None

    def release(self, run: Run, owner: str) -> None:
        """Give a reserved run back to the queue."""
        with self._database.transaction() as tx:
            tx.execute("run_release", id=run.id, owner=owner)

    def claim(self, owner: str, now: datetime, lease_until: datetime) -> Run | None:
        """Take the next run of the queue, or None when nothing may start now."""
        for _ in range(CLAIM_TRIES):
            # Two that claim runs of one task at the same moment do not see each other; the index lets one pass.
            with suppress(Conflict), self._database.transaction() as tx:
                return self.claim_in(tx, owner, now, lease_until)
        return None

    def claim_in(self, tx: Transaction, owner: str, now: datetime, lease_until: datetime) -> Run | None:
        """The same inside a transaction; raises Conflict where another one claims at the same moment."""
        row = tx.one(
            "run_claim",
            owner=owner,
            now=now,
            now_us=micros(now),
            longest_us=micros(now + LONGEST_COOLING),
            furthest=now + FURTHEST,
            lease_until=lease_until,
        )
        return _started(tx, row, now)

    def claim_one(self, run_id: int, owner: str, now: datetime, lease_until: datetime) -> Run | None:
        """Take one run that `owner` has reserved, or None when it may not start now."""
        with suppress(Conflict), self._database.transaction() as tx:
            row = tx.one("run_claim_one", id=run_id, owner=owner, now=now, lease_until=lease_until)
            return _started(tx, row, now)
        return None

    def settle(self, run: Run, status: TaskStatus, reason: str, now: datetime) -> bool:
        """End a waiting run that will never start; False when it started meanwhile."""
        with self._database.transaction() as tx:
            return bool(
                tx.execute("run_settle", id=run.id, status=str(status), reason=reason, error=None, now=now)
            )

    def ask_cancel(self, run_id: int, now: datetime) -> Run:
        """End a run: one that waits at once, one that is running at its next page, by who works on it.

        Raises NotFound, and UsageError when it is over already.
        """
        run = self.get(run_id)
        with self._database.transaction() as tx:
            row = tx.one("run_ask_cancel", id=run_id, now=now)
        if row is not None:
            return Run.from_row(row)
        if not self.settle(run, TaskStatus.CANCELLED, "cancelled by hand", now):
            current = self.get(run_id)
            if current.status.is_final:
                raise UsageError(f"run {run_id} of {run.task_id} is over: it is {current.status}")
            # It started between the two questions.
            return self.ask_cancel(run_id, now)
        return self.get(run_id)

    def again(self, run_id: int, now: datetime) -> Run:
        """Begin a run again that ended without success, or let one start now that waits for its next try.

        Raises NotFound, and UsageError when it is running or completed.
        """
        run = self.get(run_id)
        values = {"reason": "asked for again", "queue_at": queue_instant(run.priority, now)}
        with self._database.transaction() as tx:
            row = tx.one("run_again", id=run_id, **values) or tx.one("run_hasten", id=run_id)
        if row is None:
            status = self.get(run_id).status
            hint = f"`stoma scheduler run-task {run.task_id}` starts a new one" if status.is_final else ""
            raise UsageError(f"run {run_id} of {run.task_id} is {status}", hint)
        return Run.from_row(row)

    def hasten(self, reason: str) -> None:
        """Let all runs start now that wait for this reason."""
        with self._database.transaction() as tx:
            tx.execute("run_hasten_all", reason=reason)

    def wait_no_more(self) -> None:
        """Let every run start that waits for a moment: the clock that wrote it was wrong."""
        with self._database.transaction() as tx:
            tx.execute("run_wait_no_more")

    def cancel_asked(self) -> list[Run]:
        """Running runs that somebody asked to end."""
        return self._runs("run_cancel_asked")

    # -- running ---------------------------------------------------------------------------------------------

    def renew(self, runs: list[Run], owner: str, lease_until: datetime) -> None:
        """Keep the leases of runs that this process works on or has reserved."""
        with self._database.transaction() as tx:
            tx.many(
                "run_renew",
                [
                    {"owner": owner, "id": run.id, "fence": run.fence, "lease_until": lease_until}
                    for run in runs
                ],
            )

    def end(
        self,
        run: Run,
        end: End,
        now: datetime,
        *,
        reserved_by: str | None = None,
        reserved_until: datetime | None = None,
        in_end: Callable[[Transaction, datetime], None] = lambda tx, now: None,
    ) -> Run | None:
        """Close an attempt, with `in_end` in its transaction; None when the run has another owner by now."""

        def close(tx: Transaction) -> Run | None:
            try:
                ended = self.finish(tx, run, end, now, reserved_by=reserved_by, reserved_until=reserved_until)
            except Fenced:
                return None
            in_end(tx, now)
            return ended

        return self._database.write(close)

    def finish(
        self,
        tx: Transaction,
        run: Run,
        end: End,
        now: datetime,
        *,
        reserved_by: str | None = None,
        reserved_until: datetime | None = None,
        pages: int = 0,
        unmodified: int = 0,
    ) -> Run:
        """Close an attempt inside a transaction; raises Fenced when the run has another owner by now.

        `pages` and `unmodified` items are those that were not counted yet.
        """
        ended = _finish(tx, run, end, now, reserved_by, reserved_until, pages, unmodified)
        if ended.status.is_final:
            self.on_final(tx, ended, now)
        return ended

    def expired(self, now: datetime) -> list[Run]:
        """Running runs whose lease has passed."""
        return self._runs("run_expired", now=now, furthest=now + FURTHEST)

    def reserved(self) -> list[Run]:
        """Open runs that wait for the process that keeps them."""
        return self._runs("run_reserved")

    # -- asking ----------------------------------------------------------------------------------------------

    def get(self, run_id: int) -> Run:
        """One run; raises NotFound."""
        found = self._runs("run_get", id=run_id)
        if not found:
            raise NotFound(f"there is no run {run_id}")
        return found[0]

    def running(self) -> list[Run]:
        """The runs that are under way, on any node."""
        return self._runs("run_running")

    def open(self) -> list[Run]:
        """Every run that is not final, in the order of the queue."""
        return self._runs("run_open")

    def open_of(self, task_id: str) -> list[Run]:
        """The live runs of a task that are not final, the oldest first."""
        return self._runs("run_open_of_task", task_id=task_id)

    def all_open_of(self, task_id: str) -> list[Run]:
        """The same with the windows of backfills."""
        return self._runs("run_open_of_task_in_all", task_id=task_id)

    def of_trigger(self, task_id: str, trigger: str) -> Run | None:
        """The run of a task that this trigger made."""
        found = self._runs("run_of_trigger", task_id=task_id, trigger=trigger)
        return found[0] if found else None

    def of_scope(self, task_id: str, scope: str) -> list[Run]:
        """The runs of a task in one scope, the oldest first: the windows of a backfill."""
        return self._runs("runs_of_scope", task_id=task_id, scope=scope)

    def last_of_each(self, task_ids: Iterable[str]) -> dict[str, Run]:
        """The live run of each of these tasks that is under way, else its newest one."""
        return {run.task_id: run for run in self._runs("run_last_of_each", ids=list(task_ids))}

    def last_marks(self, task_ids: Iterable[str]) -> dict[str, tuple[int, int]]:
        """Number and fence of the same runs."""
        with self._database.reader() as reader:
            rows = reader.all("run_last_marks", ids=list(task_ids))
        return {row["task_id"]: (row["id"], row["fence"]) for row in rows}

    def troubles(self, runs: Iterable[Run]) -> dict[str, Trouble]:
        """By task: how it fails, of those for which these are the last runs and which fail."""
        found: dict[str, Trouble] = {}
        unsaid: dict[str, Run] = {}
        for run in runs:
            if run.status in TROUBLED:
                found[run.task_id] = Trouble(str(run.status), run.error or run.reason)
            elif run.status is not TaskStatus.COMPLETED:
                unsaid[run.task_id] = run
        if unsaid:
            with self._database.reader() as reader:
                rows = reader.all("run_troubles", ids=[run.id for run in unsaid.values()])
            for row in rows:
                if row["status"] in TROUBLED:
                    again_at = unsaid[row["task_id"]].not_before
                    found[row["task_id"]] = Trouble(row["status"], row["reason"], again_at)
        return found

    def last_of(self, task_id: str) -> Run | None:
        """The newest live run of a task."""
        found = self._runs("run_last_of_task", task_id=task_id)
        return found[0] if found else None

    def history(
        self, task_id: str | None = None, *, status: str | None = None, limit: int = 50, below: int = NEWEST
    ) -> list[Run]:
        """Runs, newest first, with ids below `below`, of one task or one status where given."""
        values: dict[str, Any] = {"below": below, "limit": limit}
        if task_id is not None:
            return self._runs("run_history_of_task", task_id=task_id, status=status or "", **values)
        if status is None:
            return self._runs("run_history", **values)
        kind = "run_history_ended" if TaskStatus(status).is_final else "run_history_open"
        return self._runs(kind, status=status, **values)

    def attempts(self, run_id: int) -> list[Row]:
        """Each try of a run with its node, times and error."""
        with self._database.reader() as reader:
            return reader.all("attempts_of_run", run_id=run_id)

    def standing(self, task_id: str, scope: str) -> Standing:
        """Where the collection of a task stands."""
        with self._database.reader() as reader:
            return standing_of(reader, task_id, scope)

    def progress(self, task_id: str, scope: str) -> Row | None:
        """Where an unfinished collection continues."""
        with self._database.reader() as reader:
            return reader.one("progress_get", task_id=task_id, scope=scope)

    def cursor(self, task_id: str) -> Row | None:
        """The watermark of a task; None before its first completed run."""
        with self._database.reader() as reader:
            return reader.one("cursor_get", task_id=task_id)

    def _runs(self, name: str, **values: Any) -> list[Run]:
        with self._database.reader() as reader:
            return [Run.from_row(row) for row in reader.all(name, **values)]


def insert(
    tx: Transaction,
    new: NewRun,
    now: datetime,
    *,
    owner: str | None = None,
    lease_until: datetime | None = None,
) -> Row | None:
    """Queue a run inside a transaction; None when its trigger has a run already."""
    row = tx.one(
        "run_insert",
        task_id=new.task_id,
        trigger=new.trigger,
        scope=new.scope,
        scheduled_for=new.scheduled_for,
        reason=new.reason,
        priority=str(new.priority),
        queue_at=queue_instant(new.priority, new.scheduled_for or now),
        host=new.host,
        config_hash=new.config_hash,
        not_before=new.not_before,
        owner=owner,
        lease_until=lease_until,
        now=now,
    )
    if row is not None and new.starts_over:
        tx.execute("upstream_forget", task_id=new.task_id)
    return row


def _finish(
    tx: Transaction,
    run: Run,
    end: End,
    now: datetime,
    reserved_by: str | None,
    reserved_until: datetime | None,
    pages: int,
    unmodified: int,
) -> Run:
    error = _text(end.error)
    row = tx.one(
        "run_end",
        id=run.id,
        fence=run.fence,
        status=str(end.status),
        reason=_text(end.reason),
        error=error,
        not_before=end.not_before,
        finished_at=now if end.status.is_final else None,
        not_a_try=0 if end.is_try else 1,
        reserved_by=None if end.status.is_final else reserved_by,
        reserved_until=None if end.status.is_final or reserved_by is None else reserved_until,
        pages=pages,
        unmodified=unmodified,
    )
    if row is None:
        raise Fenced(f"run {run.id} of {run.task_id} has another owner now")
    if row["cancel_asked_at"] is not None and not end.status.is_final:
        row = tx.one("run_end_asked", id=run.id, now=now) or row
    status = end.attempt_status or row["status"]
    tx.execute("attempt_end", run_id=run.id, fence=run.fence, now=now, status=status, error=error)
    return Run.from_row(row)


def standing_of(reader: Reader, task_id: str, scope: str) -> Standing:
    """Where the collection of a task stands."""
    row = reader.one("collection_standing", task_id=task_id, scope=scope)
    assert row is not None  # noqa: S101 — it is asked of one row that is always there
    return Standing(
        cursor={"fingerprint": row["cursor_mark"], "position": row["position"]}
        if row["cursor_mark"] is not None
        else None,
        progress=row if row["fingerprint"] is not None else None,
        seen_before=row["seen_before"],
        has_validators=bool(row["has_validators"]),
        is_gone=bool(row["is_gone"]),
    )


def _text(text: str | None) -> str | None:
    """What a stranger may have worded, as it can be stored: without secrets, holdable, of bounded length."""
    return str(holdable(mask(text)))[:LONGEST_TEXT] if text else None


def open_of(reader: Reader, task_id: str) -> list[Run]:
    """The live runs of a task that are not final."""
    return [Run.from_row(row) for row in reader.all("run_open_of_task", task_id=task_id)]


def micros(instant: datetime) -> int:
    """Microseconds since the epoch, as the tables of budgets keep them."""
    return round(instant.timestamp() * 1_000_000)


def _started(tx: Transaction, row: Row | None, now: datetime) -> Run | None:
    if row is None:
        return None
    run = Run.from_row(row)
    tx.execute(
        "attempt_insert", run_id=run.id, fence=run.fence, attempt=run.attempt, owner=run.owner, now=now
    )
    return run
