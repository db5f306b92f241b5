"""One run, from a claimed row to its end.

    config with references resolved
      | collector.collect      one CollectorResult for each page, from the last committed page on
      | normalizer.normalize   records and rejects; no database is open here
      | save_page              one fenced transaction: counters and lease, records, progress
      | finish                 completed moves the cursor; suspect does not; in the last page's transaction

Everything that may end a run early arrives here as an exception and leaves as an `End`: a value.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from hashlib import blake2b
from pathlib import Path
from time import monotonic
from typing import Any

import orjson

from stoma import collectors
from stoma.collectors.base import BaseCollector, Collection, Deadline, Progress
from stoma.collectors.patience import Clock
from stoma.errors import (
    Blocked,
    DeadlineExceeded,
    Fenced,
    HostWait,
    StomaError,
    Stopped,
)
from stoma.hosts import HostRule
from stoma.log import logger
from stoma.records import CollectorResult, Record, Reject
from stoma.references import resolve, unset
from stoma.scheduler import outage
from stoma.scheduler.base import Run, Task, TaskStatus
from stoma.scheduler.network import Network
from stoma.scheduler.normalizing import normalize, normalizer_of
from stoma.scheduler.retry import next_try
from stoma.stores import Store
from stoma.stores.base import Row, Transaction
from stoma.stores.hosts import Budgets
from stoma.stores.records import Prepared, save, save_rejects
from stoma.stores.runs import End

MOST_REJECTS_KEPT = 100
"""Rejected items kept of one page; all of them are counted."""


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What every run of one process shares: where things are, and how this process behaves."""

    store: Store
    base: Path
    lease: timedelta
    owner: str
    hosts: Mapping[str, HostRule] = field(default_factory=dict)
    contact: str | None = None
    network: Network = field(default_factory=Network)
    # True where this process keeps its unfinished runs for itself instead of giving them back to the queue.
    keeps_retries: bool = False


@dataclass(slots=True)
class Control:
    """The strings that others may pull while a run works."""

    stopping: threading.Event = field(default_factory=threading.Event)
    deadline: Deadline = field(default_factory=lambda: Deadline(float("inf")))
    # Since when (on the clock of `monotonic`) somebody wants the run to end for good.
    cancelled_at: float | None = None
    # Called after each committed page with the counters so far.
    on_page: Callable[[Tally], None] = lambda _: None

    def cancel(self) -> None:
        """Let the run end for good at its next page."""
        self.cancelled_at = self.cancelled_at or monotonic()
        self.stopping.set()


@dataclass(slots=True)
class Tally:
    """What one attempt has brought so far."""

    pages: int = 0
    seen: int = 0
    expected: int | None = None


def execute(run: Run, task: Task, around: Surroundings, control: Control) -> Run | None:
    """Carry a claimed run to the end of this attempt; the row as it stands then, or None when it was fenced."""
    keeper = around.owner if around.keeps_retries else None
    if around.network.is_out:
        now = around.store.now()
        if held := outage.hold(around.network, run, now):
            kept_until = now + around.lease
            return around.store.runs.end(run, held, now, reserved_by=keeper, reserved_until=kept_until)
    try:
        return _collect(run, task, around, control)
    except Fenced:
        logger.warning("run {} of {} was taken over; nothing more is written", run.id, task.id)
        return None
    except Exception as error:  # collectors and normalizers may be anybody's code
        now = around.store.now()
        end = outage.judge(around.network, run, error, now) or judge_error(run, task, error, now)
        if isinstance(error, outage.ANSWERS):
            outage.answered(around.network, around.store, run, now)
        if control.cancelled_at is not None:
            end = End(TaskStatus.CANCELLED, reason="cancelled by hand", is_try=False)
        return around.store.runs.end(run, end, now, reserved_by=keeper, reserved_until=now + around.lease)


def judge_error(run: Run, task: Task, error: Exception, now: datetime) -> End:
    """What an error means for the run: wait, try again, or fail."""
    text = _told(error)
    if isinstance(error, Stopped):
        return End(TaskStatus.INTERRUPTED, reason="stopped", is_try=False)
    if isinstance(error, HostWait):
        return End(
            TaskStatus.PENDING, "host busy", text, error.until, is_try=False, attempt_status="host busy"
        )
    if isinstance(error, Blocked):
        return End(TaskStatus.SKIPPED, reason=f"blocked: {error.message}", error=text, is_try=False)
    again = next_try(task.retry, run.attempt, error, now, key=task.id)
    if again is None:
        return End(TaskStatus.FAILED, error=text)
    return End(TaskStatus.PENDING, "waiting for the next try", text, again, attempt_status="failed")


def fingerprint(task: Task, collector: BaseCollector) -> str:
    """16 hex digits of what is collected: cursor and progress belong to it, so that another query starts anew."""
    chosen = [task.collector, collector.source, collector.selection(task.config)]
    packed = orjson.dumps(chosen, option=orjson.OPT_SORT_KEYS)
    return blake2b(packed, digest_size=8).hexdigest()


def _collect(run: Run, task: Task, around: Surroundings, control: Control) -> Run:
    from stoma.collectors.http import HttpClient, user_agent

    store = around.store
    config = resolve(task.config, around.base)
    collector = collectors.make(task.collector)
    normalizer = normalizer_of(task)
    mark = fingerprint(task, collector)
    known = around.contact is not None and unset(around.contact, around.base) is None
    contact = resolve(around.contact, around.base) if known else None
    waiter = _waiter(control)
    with HttpClient(
        budget=Budgets(store.database, around.hosts, around.owner, waiter),
        user_agent=user_agent(contact),
        deadline=control.deadline,
        stopping=control.stopping,
        attempt=run.attempt,
        log=lambda text: logger.info("{}", text),
        clock=_StoreClock(store),
    ) as http:
        collection = Collection(
            task_id=task.id,
            config=config,
            http=http,
            now=store.now(),
            cursor=_cursor(store, task, mark),
            progress=_progress(store, task, run, mark),
            log=lambda text: logger.info("{}", text),
        )
        tally = Tally()
        latest_cursor: Mapping[str, Any] | None = None
        pages = collector.collect(collection)
        for result in pages:
            _check(control)
            records, rejects = normalize(normalizer, result)
            latest_cursor = result.cursor or latest_cursor
            ended = _save_page(around, run, task, mark, result, records, rejects, latest_cursor)
            outage.answered(around.network, store, run, collection.now)
            tally.pages += 1
            tally.seen += len(result.items)
            tally.expected = result.expected
            control.on_page(tally)
            if ended is not None:
                return ended
        # The source ended without saying so on its last page.
        now = store.now()
        with store.database.transaction() as tx:
            total = tx.one("run_get", id=run.id) or {"seen": 0, "rejected": 0}
            return _finish(store, tx, run, task, mark, latest_cursor, total, now)


class _StoreClock(Clock):
    """What a source asks for in seconds is kept as an instant, by the clock that all who share the store share."""

    def __init__(self, store: Store) -> None:
        self._store = store

    def now(self) -> datetime:
        return self._store.now()


def _save_page(
    around: Surroundings,
    run: Run,
    task: Task,
    mark: str,
    result: CollectorResult,
    records: list[tuple[Record, str]],
    rejects: list[Reject],
    cursor: Mapping[str, Any] | None,
) -> Run | None:
    """Commit one page; the ended run when it was the last one."""
    prepared = Prepared.of(records)
    store = around.store
    now = store.now()
    with store.database.transaction() as tx:
        counts = {"seen": len(result.items), "rejected": len(rejects)}
        total = tx.one("run_page", id=run.id, fence=run.fence, lease_until=now + around.lease, **counts)
        if total is None:
            raise Fenced(f"run {run.id} of {run.task_id} has another owner now")
        outcome = save(tx, prepared, task.id, run.id, now)
        if result.items:
            tx.execute(
                "run_page_outcome",
                id=run.id,
                new=outcome.new,
                changed=outcome.changed,
                unchanged=outcome.unchanged,
            )
        if rejects:
            save_rejects(tx, rejects[:MOST_REJECTS_KEPT], task.id, run.id, now)
        if result.next_page is None:
            return _finish(store, tx, run, task, mark, cursor, total, now)
        tx.execute(
            "progress_save",
            task_id=task.id,
            scope=run.scope,
            fingerprint=mark,
            window=dict(result.window),
            page={"token": result.next_page},
            run_id=run.id,
            now=now,
        )
    return None


def _finish(
    store: Store,
    tx: Transaction,
    run: Run,
    task: Task,
    mark: str,
    cursor: Mapping[str, Any] | None,
    total: Row,
    now: datetime,
) -> Run:
    """End a run that came to its end: the cursor moves here and nowhere else."""
    tx.execute("progress_delete", task_id=task.id, scope=run.scope)
    seen, rejected = total["seen"], total["rejected"]
    if seen and rejected >= seen:
        reason = f"every one of {seen} items was rejected; the table rejects says why"
        return store.runs.finish(tx, run, End(TaskStatus.SUSPECT, reason=reason), now)
    least = task.expect.min_records
    if least is None and not seen:
        before = tx.one("run_seen_before", task_id=task.id)
        least = 1 if before is not None and before["seen"] else 0
    if least is not None and seen < least:
        reason = f"saw {seen} records, expected at least {least}"
        return store.runs.finish(tx, run, End(TaskStatus.SUSPECT, reason=reason), now)
    if cursor is not None and run.scope == "live":
        tx.execute(
            "cursor_move", task_id=task.id, fingerprint=mark, position=dict(cursor), run_id=run.id, now=now
        )
    return store.runs.finish(tx, run, End(TaskStatus.COMPLETED), now)


def _cursor(store: Store, task: Task, mark: str) -> Mapping[str, Any] | None:
    row = store.runs.cursor(task.id)
    if row is None:
        return None
    if row["fingerprint"] != mark and not task.keep_cursor:
        logger.info("what it collects was edited: it starts anew, without its cursor")
        return None
    return row["position"]  # type: ignore[no-any-return]


def _progress(store: Store, task: Task, run: Run, mark: str) -> Progress | None:
    row = store.runs.progress(task.id, run.scope)
    if row is None or (row["fingerprint"] != mark and not task.keep_cursor):
        return None
    logger.info("continues at the last committed page, of run {}", row["run_id"])
    return Progress(row["window"], row["page"]["token"])


def _check(control: Control) -> None:
    if control.stopping.is_set():
        raise Stopped("the run was asked to stop")
    if control.deadline.remaining() <= 0:
        raise DeadlineExceeded("the run used up its time", "give the task a longer timeout")


def _waiter(control: Control) -> Callable[[float], None]:
    def wait(seconds: float) -> None:
        control.stopping.wait(seconds)
        _check(control)

    return wait


def _told(error: Exception) -> str:
    """An error in words: Stoma's own as they are, a stranger's with its kind."""
    if isinstance(error, StomaError):
        return f"{error.message} ({error.hint})" if error.hint else error.message
    return f"{type(error).__name__}: {error}"
