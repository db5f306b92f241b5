"""One run, from a claimed row to its end.

    config with references resolved
      | collector.collect      one CollectorResult for each page, from the last committed page on
      | making.make            records and rejects, by the normalizer; no database is open here
      | merging.merged         what is stored already has its say, where the normalizer wants it
      | saving.page            one fenced transaction for each page; the last one ends the run

Everything that may end a run early arrives here as an exception and leaves as an `End`: a value.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import partial
from pathlib import Path
from time import monotonic
from typing import TYPE_CHECKING, Any

from stoma import collectors, metrics, own
from stoma.collectors.base import BaseCollector, Collection, Deadline, Progress
from stoma.collectors.patience import Clock
from stoma.errors import (
    Blocked,
    DeadlineExceeded,
    Fenced,
    HostWait,
    SourceGone,
    StomaError,
    Stopped,
    StoreError,
    StoreUnavailable,
)
from stoma.hosts import HostRule, hosts_named
from stoma.log import logger
from stoma.references import resolve, unset
from stoma.scheduler import gone, outage, yielded
from stoma.scheduler.base import Run, Task, TaskStatus
from stoma.scheduler.counting import count_page
from stoma.scheduler.making import make
from stoma.scheduler.marks import belongs, fingerprint, full_fingerprint
from stoma.scheduler.merging import merged
from stoma.scheduler.network import Network
from stoma.scheduler.normalizing import normalizer_of
from stoma.scheduler.rawpages import RawPages
from stoma.scheduler.resuming import (
    failures_before,
    failures_told,
    forget_progress,
    is_given_up,
    leads_nowhere,
    note_failures,
)
from stoma.scheduler.retry import next_try
from stoma.scheduler.saving import InEnd, Saving
from stoma.scheduler.validating import RunValidators
from stoma.stores import Store
from stoma.stores.base import Transaction
from stoma.stores.hosts import Budgets
from stoma.stores.runs import End, Standing

if TYPE_CHECKING:
    from stoma.collectors.http import HttpClient, Kept
    from stoma.records import CollectorResult

STORE_PAUSE = timedelta(seconds=30)
STORE_PATIENCE = timedelta(days=1)
"""How soon a run tries again at the latest whose page could not be stored, and for how long that is no try of it."""


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
    # How long raw pages are kept of a task that does not say otherwise; None: not at all.
    raw: timedelta | None = None


@dataclass(slots=True)
class Tally:
    """What one attempt has brought so far."""

    pages: int = 0
    seen: int = 0
    expected: int | None = None
    is_resumed: bool = False
    # True once a page was committed that goes further than where it was resumed.
    is_further: bool = False
    # How many runs before it failed in a row where this one was resumed.
    failures: int = 0


@dataclass(slots=True)
class Control:
    """The strings that others may pull while a run works."""

    stopping: threading.Event = field(default_factory=threading.Event)
    deadline: Deadline = field(default_factory=lambda: Deadline(float("inf")))
    # Since when (on the clock of `monotonic`) somebody wants the run to end for good.
    cancelled_at: float | None = None
    # Counted after each committed page, and then told.
    tally: Tally = field(default_factory=Tally)
    on_page: Callable[[Tally], None] = lambda _: None
    # Called in the transaction that ends the attempt.
    in_end: InEnd = lambda tx, now: None
    # Where the collection stood in the transaction that claimed the run; None: not asked for yet.
    standing: Standing | None = None

    def cancel(self) -> None:
        """Let the run end for good at its next page."""
        self.cancelled_at = self.cancelled_at or monotonic()
        self.stopping.set()


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
    except BaseException as error:  # collectors and normalizers may be anybody's code, and call sys.exit
        if isinstance(error, StoreError):
            metrics.STORE_ERRORS.add()
        now = around.store.now()
        end = outage.judge(around.network, run, error, now) or judge_error(
            run, task, error, now, waits=not around.keeps_retries
        )
        if isinstance(error, outage.ANSWERS):
            outage.answered(around.network, around.store, run, now)
        if control.cancelled_at is not None:
            end = End(TaskStatus.CANCELLED, reason="cancelled by hand", is_try=False)
        in_end = control.in_end
        if isinstance(error, SourceGone) and run.is_live and end.status is TaskStatus.FAILED:
            in_end = partial(_gone, run, task, error.message, control.in_end)
        if (
            end.status is TaskStatus.FAILED
            and control.tally.is_resumed
            and leads_nowhere(run, control.tally.pages, error)
        ):
            failures = control.tally.failures + 1
            if is_given_up(error, failures):
                in_end = partial(forget_progress, run, in_end)
            else:
                in_end = partial(note_failures, run, failures, in_end)
            logger.warning("{}", failures_told(task.id, error, failures))
        kept_until = now + around.lease
        return around.store.runs.end(
            run, end, now, reserved_by=keeper, reserved_until=kept_until, in_end=in_end
        )


def judge_error(run: Run, task: Task, error: BaseException, now: datetime, *, waits: bool = True) -> End:
    """What an error means for the run: wait, try again, or fail.

    `waits` where somebody will take the run up again for a day while the store cannot be written.
    """
    text = _told(error)
    if isinstance(error, StoreUnavailable) and waits and now - run.created_at < STORE_PATIENCE:
        # A full disk or a database that is away says nothing of the run, which goes on at its last page.
        until = now + min(STORE_PAUSE, task.retry.first)
        return End(
            TaskStatus.PENDING, "store failed", text, until, is_try=False, attempt_status="store failed"
        )
    if isinstance(error, Stopped):
        return End(TaskStatus.INTERRUPTED, reason="stopped", is_try=False)
    if isinstance(error, HostWait) and not error.retry:
        return End(
            TaskStatus.PENDING, "host busy", text, error.until, is_try=False, attempt_status="host busy"
        )
    if isinstance(error, Blocked):
        return End(TaskStatus.SKIPPED, reason=f"blocked: {error.message}", error=text, is_try=False)
    again = next_try(task.retry, run.attempt, error, now, key=task.id)
    if again is None:
        reason = gone.SOURCE_GONE if isinstance(error, SourceGone) and run.is_live else None
        return End(TaskStatus.FAILED, reason=reason, error=text)
    return End(TaskStatus.PENDING, "waiting for the next try", text, again, attempt_status="failed")


def client(
    around: Surroundings,
    control: Control,
    attempt: int = 1,
    *,
    named: frozenset[str] = frozenset(),
    keep: Callable[[Kept], None] | None = None,
    validators: RunValidators | None = None,
) -> HttpClient:
    """What asks sources for one try of a run: within the budgets of the store, until the deadline or the stop.

    `named`: the hosts that may lie in a private network. `keep` is shown what came. `validators` make requests
    conditional.
    """
    from stoma.collectors.http import HttpClient, user_agent

    known = around.contact is not None and unset(around.contact, around.base) is None
    contact = resolve(around.contact, around.base) if known else None
    return HttpClient(
        budget=Budgets(around.store.database, around.hosts, around.owner, _waiter(control)),
        user_agent=user_agent(contact),
        deadline=control.deadline,
        stopping=control.stopping,
        attempt=attempt,
        log=lambda text: logger.info("{}", text),
        clock=_StoreClock(around.store),
        named=named,
        keep=keep,
        validators=validators,
    )


def named_hosts(task: Task, collector: BaseCollector, config: Mapping[str, Any]) -> frozenset[str]:
    """The hosts that a task itself names: in its config, and where its collector asks without one."""
    host = collectors.host_of(task.collector, config)
    return hosts_named([config, getattr(collector, "origin", ""), f"https://{host}"])


def _collect(run: Run, task: Task, around: Surroundings, control: Control) -> Run:
    store = around.store
    config = resolve(task.config, around.base)
    collector = collectors.make(task.collector)
    normalizer = normalizer_of(task, config)
    mark = fingerprint(task, collector)
    if not belongs(run, mark):
        raise Blocked("what the task collects was edited since this backfill began", "begin another one")
    standing = control.standing or store.runs.standing(task.id, run.progress_scope)
    progress = _progress(standing, mark)
    made = full_fingerprint(task, collector, normalizer)
    validators = _validators(run, store, standing, made, is_resumed=progress is not None)
    named = named_hosts(task, collector, config)
    keep_for = around.raw if task.raw is None else task.raw
    raw = RawPages(run, task, mark, keep_for) if keep_for else None
    keep = raw.keep if raw is not None else None
    with client(around, control, run.attempt, named=named, keep=keep, validators=validators) as http:
        collection = Collection(
            task_id=task.id,
            config=config,
            http=http,
            now=store.now(),
            cursor=_cursor(standing, task, mark) if run.is_live else None,
            progress=progress,
            span=run.span,
            log=lambda text: logger.info("{}", text),
        )
        if raw is not None:
            raw.begin(collection)
        saving = Saving.of(store, run, task, mark, around.lease, control.in_end, standing, validators, raw)
        saving.may_be_empty = collector.may_bring_nothing(collection)
        tally = control.tally
        tally.is_resumed = progress is not None
        tally.failures = failures_before(standing) if progress is not None else 0
        given = yielded.pages(collector, task.collector, collector.collect(collection))
        for result in _fruitful(given, http, tally):
            _check(control)
            page = make(result, normalizer, task, validators, may_skip=raw is None)
            records = merged(normalizer, page.records, store.records)
            ended = saving.page(page.result, records, page.rejects, made=page.count)
            count_page(task.id, saving.outcome)
            http.committed()
            outage.answered(around.network, store, run, collection.now)
            tally.pages += 1
            tally.is_further |= progress is None or result.next_page != progress.page
            tally.seen += len(result.items) + result.unmodified
            tally.expected = result.expected
            control.on_page(tally)
            if ended is not None:
                break
        else:
            ended = saving.end()
        if saving.vanished:
            logger.info("{} of {} items gave no record of their own", saving.vanished, saving.seen)
        return ended


def _fruitful(
    results: Iterator[CollectorResult], http: HttpClient, tally: Tally
) -> Iterator[CollectorResult]:
    """The results; an attempt that asked and has to wait is a try unless it got further, or it would never end."""
    try:
        yield from results
    except HostWait as error:
        error.retry = http.has_asked and not tally.is_further
        raise


class _StoreClock(Clock):
    """What a source asks for in seconds is kept as an instant, by the clock that all who share the store share."""

    def __init__(self, store: Store) -> None:
        self._store = store

    def now(self) -> datetime:
        return self._store.now()


def _validators(
    run: Run, store: Store, standing: Standing, made: str, *, is_resumed: bool
) -> RunValidators | None:
    if not run.is_live:
        return None
    return RunValidators(
        store, run.task_id, made, store.now(), is_resumed=is_resumed, has_any=standing.has_validators
    )


def _gone(run: Run, task: Task, said: str, in_end: InEnd, tx: Transaction, now: datetime) -> None:
    gone.note(tx, run, task, said, now)
    in_end(tx, now)


def _cursor(standing: Standing, task: Task, mark: str) -> Mapping[str, Any] | None:
    row = standing.cursor
    if row is None:
        return None
    if row["fingerprint"] != mark and not task.keep_cursor:
        logger.info("what it collects was edited: it starts anew, without its cursor")
        return None
    return row["position"]  # type: ignore[no-any-return]


def _progress(standing: Standing, mark: str) -> Progress | None:
    row = standing.progress
    if row is None:
        return None
    if row["fingerprint"] != mark:
        # A page token leads on in the query that gave it, and in no other: `keep_cursor` is not for it.
        logger.info("what it collects was edited: it begins anew, not where run {} stopped", row["run_id"])
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


def _told(error: BaseException) -> str:
    """An error in words: Stoma's own as they are, a stranger's with its kind and its place."""
    if isinstance(error, StomaError):
        return f"{error.message} ({error.hint})" if error.hint else error.message
    return own.told(error)
