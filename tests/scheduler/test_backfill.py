"""The past beside the present, on both databases: windows, runs side by side, and going on where it was."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from stoma.errors import BadAnswer, SourceRefused, UsageError
from stoma.hosts import HostRule
from stoma.scheduler.agenda import settle
from stoma.scheduler.backfill import Backfill, backfill_of, left, reckon, span_of, stop, take, windows
from stoma.scheduler.base import (
    Dependency,
    Expect,
    NewRun,
    Retry,
    Run,
    Schedule,
    Span,
    Task,
    TaskPriority,
    TaskStatus,
    hand_trigger,
)
from stoma.scheduler.config import Config, schedule_hash
from stoma.scheduler.following import Following
from stoma.scheduler.foreground import Foreground
from stoma.scheduler.manager import Scheduler
from stoma.scheduler.owner import this_process
from stoma.scheduler.parts import switch
from stoma.scheduler.pipeline import Control, Surroundings, execute
from stoma.scheduler.timetables import timetables_of
from stoma.stores import Store, open_store
from stoma.stores.agenda import standing
from stoma.stores.runs import End
from tests.support.clock import Clock
from tests.support.scripted import Script, install
from tests.support.waiting import until

LEASE = timedelta(seconds=30)
ME = str(this_process())
TASK = Task("t", "T", "scripted", config={"script": "s"}, retry=Retry(count=0))
THREE = Span(date(2025, 11, 20), date(2026, 1, 10))
NOVEMBER, DECEMBER, JANUARY = windows(THREE)


@pytest.fixture
def script(monkeypatch: pytest.MonkeyPatch) -> Script:
    return install(monkeypatch)


@pytest.fixture
def around(store: Store, tmp_path: Path) -> Surroundings:
    return Surroundings(store, tmp_path, LEASE, ME)


@pytest.fixture
def go(store: Store, around: Surroundings) -> Callable[..., Run | None]:
    """Carry out one try of a window, or of the task as it is due."""

    def go(window: Span | None = None, task: Task = TASK, wanted: Backfill | None = None) -> Run | None:
        if window is None:
            run = store.runs.add(
                NewRun(task.id, hand_trigger(), task.priority, "0"),
                store.now(),
                owner=ME,
                lease_until=store.now(),
            )
        else:
            run = take(store, wanted or backfill_of(task, THREE), window, ME, LEASE)
        assert run is not None
        claimed = store.runs.claim_one(run.id, ME, store.now(), store.now() + LEASE)
        assert claimed is not None
        return execute(claimed, task, around, Control())

    return go


@pytest.mark.parametrize(
    ("first", "last", "expected"),
    [
        ("2026-01-01", "2026-01-31", ["2026-01-01..2026-01-31"]),
        ("2026-01-15", "2026-01-15", ["2026-01-15..2026-01-15"]),
        ("2025-12-31", "2026-01-01", ["2025-12-31..2025-12-31", "2026-01-01..2026-01-01"]),
        ("2024-02-10", "2024-03-05", ["2024-02-10..2024-02-29", "2024-03-01..2024-03-05"]),
    ],
)
def test_a_span_is_cut_at_the_ends_of_months(first: str, last: str, expected: list[str]) -> None:
    found = windows(Span(date.fromisoformat(first), date.fromisoformat(last)))
    assert [window.text for window in found] == expected


def test_windows_hold_each_day_once() -> None:
    found = windows(Span(date(1991, 8, 14), date(2026, 11, 22)))
    days = [w.first + timedelta(days=k) for w in found for k in range((w.last - w.first).days + 1)]
    assert days == [date(1991, 8, 14) + timedelta(days=k) for k in range(len(days))]
    assert days[-1] == date(2026, 11, 22)


def test_the_days_that_were_asked_for() -> None:
    now = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)
    assert span_of(date(2026, 1, 1), None, now) == Span(date(2026, 1, 1), date(2026, 2, 28))
    # Before noon the day before is not over everywhere; whoever names it means it.
    now -= timedelta(seconds=1)
    assert span_of(date(2026, 1, 1), None, now) == Span(date(2026, 1, 1), date(2026, 2, 27))
    assert span_of(date(2026, 1, 1), date(2026, 2, 28), now) == Span(date(2026, 1, 1), date(2026, 2, 28))
    with pytest.raises(UsageError, match="lies behind"):
        span_of(date(2026, 2, 2), date(2026, 2, 1), now)
    with pytest.raises(UsageError, match="is not over yet; the last whole day is 2026-02-28"):
        span_of(date(2026, 1, 1), date(2026, 3, 1), now)
    with pytest.raises(UsageError, match="lies behind"):
        span_of(date(2026, 3, 1), None, now)


def test_the_same_command_means_the_same_backfill(script: Script) -> None:
    first = backfill_of(TASK, THREE)
    unlike = replace(TASK, name="other", config={"script": "s", "page_size": 7})
    assert first.id == backfill_of(unlike, THREE).id
    others = [
        backfill_of(replace(TASK, id="u"), THREE),
        backfill_of(replace(TASK, config={"script": "s", "query": "other"}), THREE),
        backfill_of(TASK, replace(THREE, last=date(2026, 1, 11))),
    ]
    assert len({first.id, *(one.id for one in others)}) == 4


def test_the_collector_gets_the_days_and_the_cursor_stays(
    store: Store, script: Script, go: Callable[..., Run]
) -> None:
    go()
    cursor = store.runs.cursor("t")
    script.pages = 2
    run = go(DECEMBER)
    assert (run.status, run.span, run.priority) == (TaskStatus.COMPLETED, DECEMBER, TaskPriority.LOW)
    assert script.collections[-1].span == DECEMBER
    assert script.collections[-1].cursor is None
    assert (run.pages, run.new) == (2, 20)
    assert store.runs.cursor("t") == cursor
    assert store.runs.progress("t", run.trigger) is None


def test_each_window_goes_on_at_its_own_last_page(
    store: Store, script: Script, go: Callable[..., Run]
) -> None:
    def refuse(number: int, collection: Any) -> None:
        if number == 2 and collection.span == NOVEMBER:
            raise SourceRefused("404")

    script.before_page = refuse
    assert go(NOVEMBER).status is TaskStatus.FAILED
    script.asked.clear()
    # The next one begins at its own beginning, whatever the one before has left.
    assert go(DECEMBER).status is TaskStatus.COMPLETED
    assert script.asked == [0, 1, 2]
    script.before_page = lambda number, collection: None
    script.asked.clear()
    run = go(NOVEMBER)
    assert (run.status, run.seen, run.new, run.attempt) == (TaskStatus.COMPLETED, 30, 30, 1)
    assert script.asked == [2]


def test_what_is_left(store: Store, script: Script, go: Callable[..., Run]) -> None:
    wanted = backfill_of(TASK, THREE)
    assert left(store, wanted) == [NOVEMBER, DECEMBER, JANUARY]
    go(DECEMBER)
    script.before_page = lambda number, collection: (_ for _ in ()).throw(SourceRefused("404"))
    go(JANUARY)
    assert left(store, wanted) == [NOVEMBER, JANUARY]
    again = take(store, wanted, DECEMBER, ME, LEASE)
    assert again is not None
    assert again.status is TaskStatus.COMPLETED


def test_a_window_belongs_to_one_process(store: Store, script: Script, clock: Clock) -> None:
    wanted = backfill_of(TASK, THREE)
    mine = take(store, wanted, NOVEMBER, ME, LEASE)
    assert mine is not None
    assert take(store, wanted, NOVEMBER, "another", LEASE) is None
    assert store.runs.claim("a scheduler", clock.now, clock.now + LEASE) is None
    running = store.runs.claim_one(mine.id, ME, clock.now, clock.now + LEASE)
    assert running is not None
    assert take(store, wanted, NOVEMBER, "another", LEASE) is None
    # Nobody has heard of this process any more.
    clock.forward(minutes=1)
    store.runs.end(running, End(TaskStatus.INTERRUPTED), clock.now)
    taken = take(store, wanted, NOVEMBER, "another", LEASE)
    assert taken is not None
    assert (taken.id, taken.owner) == (mine.id, "another")


def test_what_was_stopped_by_hand_waits_for_the_same_command(
    store: Store, script: Script, clock: Clock
) -> None:
    wanted = backfill_of(TASK, THREE)
    run = take(store, wanted, NOVEMBER, ME, LEASE)
    assert run is not None
    stop(store, run)
    assert store.runs.claim("a scheduler", clock.now, clock.now + LEASE) is None
    assert store.runs.get(run.id).status is TaskStatus.CANCELLED
    again = take(store, wanted, NOVEMBER, ME, LEASE)
    assert again is not None
    assert (again.id, again.status) == (run.id, TaskStatus.PENDING)


def test_the_past_and_the_present_run_side_by_side(store: Store, script: Script, clock: Clock) -> None:
    wanted, other = backfill_of(TASK, THREE), backfill_of(TASK, NOVEMBER)
    for new in (wanted.run(NOVEMBER), wanted.run(DECEMBER), other.run(NOVEMBER)):
        store.runs.add(new, clock.now)
    for number in (1, 2):
        store.runs.add(NewRun("t", f"hand:{number}", TaskPriority.NORMAL, "0"), clock.now)
    found = []
    while run := store.runs.claim(ME, clock.now, clock.now + LEASE):
        found.append((run.scope, run.trigger.rpartition("/")[2]))
    # One of each scope; what is due goes first.
    assert found == [
        ("live", "hand:1"),
        (f"backfill:{wanted.id}", NOVEMBER.text),
        (f"backfill:{other.id}", NOVEMBER.text),
    ]


def test_the_past_does_not_count_where_the_present_is_meant(
    store: Store, script: Script, go: Callable[..., Run], clock: Clock
) -> None:
    first = go(JANUARY)
    clock.forward(hours=1)
    live = go()
    clock.forward(hours=1)
    past = go(NOVEMBER)
    open_one = take(store, backfill_of(TASK, THREE), DECEMBER, ME, LEASE)
    assert open_one is not None
    assert store.runs.open_of("t") == []
    assert [run.id for run in store.runs.all_open_of("t")] == [open_one.id]
    assert store.runs.last_of("t") == live
    assert store.runs.last_of_each(["t"]) == {"t": live}
    with store.database.reader() as reader:
        last = reader.one("last_start", task_id="t")
        oldest = reader.one("oldest_run", task_id="t")
    assert last == {"started_at": live.started_at}
    assert oldest == {"since_at": live.created_at}
    assert [run.id for run in store.runs.history("t")] == [open_one.id, past.id, live.id, first.id]
    # Whoever switches a task off still wants the past that was asked for by hand.
    switch(store, TASK, enabled=False)
    assert not store.runs.get(open_one.id).status.is_final


def test_an_open_window_is_no_overlap(store: Store, script: Script, clock: Clock) -> None:
    task = replace(TASK, schedule=(Schedule("interval_1h"),))
    store.agenda.adopt({"t": schedule_hash(task)}, clock.now)
    take(store, backfill_of(task, THREE), NOVEMBER, ME, LEASE)
    before, now = clock.now, clock.forward(hours=1)
    with store.database.transaction() as tx:
        found = standing(tx, "t", schedule_hash(task))
    assert found is not None
    decision = settle(task, timetables_of(task), before, now, open_runs=len(found.open_runs))
    assert len(decision.runs) == 1


def test_nothing_follows_the_past(
    store: Store, script: Script, go: Callable[..., Run], tmp_path: Path
) -> None:
    follower = replace(TASK, id="u", after=(Dependency("t", "any"),))
    config = Config(base=tmp_path, tasks={"t": TASK, "u": follower})
    store.runs.on_final = Following(lambda: config)
    go(NOVEMBER)
    assert store.runs.history("u") == []
    # Nor does it use up what a task with `after` has seen end.
    store.runs.on_final = lambda tx, run, now: None
    with store.database.transaction() as tx:
        tx.execute("upstream_ended", task_id="u", upstream="t", run_id=1, status="completed", now=store.now())
    go(NOVEMBER, task=follower)
    assert store.agenda.upstream_ends() == {"u": {"t": 1}}
    store.runs.on_final = Following(lambda: config)
    go()
    assert len(store.runs.history("u")) == 2


def test_a_window_may_be_empty_unless_somebody_expects_more(
    store: Store, script: Script, go: Callable[..., Run], clock: Clock
) -> None:
    go()
    clock.forward(hours=1)
    script.pages, script.per_page = 1, 0
    assert go(NOVEMBER).status is TaskStatus.COMPLETED
    expecting = replace(TASK, expect=Expect(min_records=1, silence=timedelta(seconds=1)))
    run = go(DECEMBER, task=expecting)
    assert (run.status, run.reason) == (TaskStatus.SUSPECT, "saw 0 records, expected at least 1")
    script.unmodified = 1
    run = go(DECEMBER, task=expecting)
    assert (run.status, run.seen, run.pages) == (TaskStatus.COMPLETED, 1, 1)


def test_a_window_of_another_query_is_not_collected(
    store: Store, script: Script, go: Callable[..., Run]
) -> None:
    wanted = backfill_of(TASK, THREE)
    run = go(NOVEMBER, task=replace(TASK, config={"script": "s", "query": "edited"}), wanted=wanted)
    assert run.status is TaskStatus.SKIPPED
    assert "was edited since this backfill began" in (run.reason or "")
    assert script.asked == []


def test_a_scheduler_takes_up_a_window_whose_process_died(url: str, script: Script, tmp_path: Path) -> None:
    task = replace(TASK, retry=Retry())
    config = Config(base=tmp_path, store_url=url, tasks={"t": task})
    scheduler = Scheduler(config)
    store = scheduler.store
    wanted = backfill_of(task, THREE)
    gone = replace(this_process(), pid=2**22 + 1)
    run = take(store, wanted, DECEMBER, str(gone), LEASE)
    assert run is not None
    assert store.runs.claim_one(run.id, str(gone), store.now(), store.now() + LEASE) is not None
    with scheduler:
        until(lambda: store.runs.get(run.id).status.is_final)
        ended = store.runs.get(run.id)
        assert store.runs.cursor("t") is None
    assert (ended.status, ended.new) == (TaskStatus.COMPLETED, 30)
    assert script.collections[-1].span == DECEMBER


def test_the_foreground_carries_out_the_run_that_was_taken(url: str, script: Script, tmp_path: Path) -> None:
    with open_store(url, tmp_path) as store:
        waiting = store.runs.add(NewRun("t", "hand:1", TaskPriority.NORMAL, "0"), store.now())
        run = take(store, backfill_of(TASK, THREE), NOVEMBER, ME, LEASE)
        assert run is not None
        front = Foreground(Surroundings(store, tmp_path, LEASE, ME), [TASK], 1, reserved={"t": run})
        [ended] = front.run()
        assert (ended.id, ended.status) == (run.id, TaskStatus.COMPLETED)
        # The live run that waits is a scheduler's business.
        assert store.runs.get(waiting.id).status is TaskStatus.PENDING


def test_what_it_costs(script: Script, around: Surroundings) -> None:
    wanted = backfill_of(TASK, THREE)
    script.pages = 10
    cost = reckon(wanted, wanted.windows, around)
    assert (cost.requests, cost.records, cost.time, cost.is_told) == (12, 100, timedelta(0), True)
    # Each month asks at least once, and ends with a page that is not full.
    script.pages = 1
    slow = replace(around, hosts={"127.0.0.1": HostRule(timedelta(seconds=3), 1)})
    cost = reckon(wanted, wanted.windows, slow)
    assert (cost.requests, cost.time) == (3, timedelta(seconds=9))


def test_a_failed_try_of_a_window_is_tried_again(
    store: Store, script: Script, go: Callable[..., Run], clock: Clock
) -> None:
    patient = replace(TASK, retry=Retry(count=1, jitter=0))
    script.before_page = lambda number, collection: (_ for _ in ()).throw(BadAnswer("garbage"))
    assert go(NOVEMBER, task=patient).status is TaskStatus.PENDING
    script.before_page = lambda number, collection: None
    # The same command does not wait for the next try.
    assert go(NOVEMBER, task=patient).status is TaskStatus.COMPLETED
