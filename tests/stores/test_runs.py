"""Runs on both databases: inserted once, claimed by one, fenced, ended."""

from __future__ import annotations

import threading
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from stoma.errors import Fenced, NotFound, UsageError
from stoma.scheduler.base import NewRun, Run, TaskPriority, TaskStatus, at_trigger
from stoma.stores import Store, open_store
from stoma.stores.hosts import Budgets
from stoma.stores.runs import End
from tests.support.clock import Clock

LEASE = timedelta(seconds=30)


def new(
    task_id: str = "a", trigger: str = "hand:1", priority: TaskPriority = TaskPriority.NORMAL, **more
) -> NewRun:
    return NewRun(task_id, trigger, priority, "0" * 16, **more)


def add(store: Store, task_id: str = "a") -> Run:
    return store.runs.add(new(task_id), store.now())


def claim(store: Store, owner: str = "me") -> Run | None:
    now = store.now()
    return store.runs.claim(owner, now, now + LEASE)


def test_a_trigger_makes_one_run_of_a_task(store: Store) -> None:
    store.runs.add(new(trigger=at_trigger(store.now())), store.now())
    with pytest.raises(NotFound):
        store.runs.add(new(trigger=at_trigger(store.now())), store.now())
    store.runs.add(new("b", trigger=at_trigger(store.now())), store.now())
    assert len(store.runs.open()) == 2


def test_a_row_comes_back_as_it_went_in(store: Store, clock: Clock) -> None:
    due = clock.now - timedelta(minutes=1, microseconds=5)
    run = store.runs.add(new(scheduled_for=due, host="example.org"), store.now())
    assert run == store.runs.get(run.id)
    assert run.scheduled_for == due
    assert run.scheduled_for is not None
    assert run.scheduled_for.utcoffset() == timedelta(0)
    assert (run.status, run.attempt, run.fence, run.host) == (TaskStatus.PENDING, 0, 0, "example.org")


def test_claims_follow_priority_then_age(store: Store, clock: Clock) -> None:
    for name, priority in (("low", "low"), ("normal", "normal"), ("high", "high"), ("critical", "critical")):
        store.runs.add(new(name, priority=TaskPriority(priority)), store.now())
    clock.forward(seconds=1)
    store.runs.add(new("later", priority=TaskPriority.CRITICAL), store.now())
    order = []
    while run := claim(store):
        order.append(run.task_id)
    assert order == ["critical", "later", "high", "normal", "low"]


def test_waiting_overtakes_priority_so_that_nothing_starves(store: Store, clock: Clock) -> None:
    store.runs.add(new("old", priority=TaskPriority.LOW), store.now())
    clock.forward(minutes=31)
    store.runs.add(new("fresh", priority=TaskPriority.CRITICAL), store.now())
    first = claim(store)
    assert first is not None
    assert first.task_id == "old"


def test_a_task_runs_once_at_a_time(store: Store, clock: Clock) -> None:
    store.runs.add(new(trigger="hand:1"), store.now())
    store.runs.add(new(trigger="hand:2"), store.now())
    first = claim(store)
    assert first is not None
    assert claim(store) is None
    store.runs.end(first, End(TaskStatus.COMPLETED), store.now())
    second = claim(store)
    assert second is not None
    assert second.trigger == "hand:2"


def test_a_retry_waits_for_its_moment(store: Store, clock: Clock) -> None:
    store.runs.add(new(), store.now())
    run = claim(store)
    assert run is not None
    again = clock.now + timedelta(seconds=45)
    ended = store.runs.end(run, End(TaskStatus.PENDING, error="no", not_before=again), store.now())
    assert ended is not None
    assert (ended.status, ended.not_before, ended.finished_at) == (TaskStatus.PENDING, again, None)
    assert claim(store) is None
    clock.forward(seconds=45)
    second = claim(store)
    assert second is not None
    assert (second.id, second.attempt) == (run.id, 2)
    assert [row["status"] for row in store.runs.attempts(run.id)] == ["pending", "running"]


def test_what_was_not_a_try_is_not_counted(store: Store, clock: Clock) -> None:
    store.runs.add(new(), store.now())
    for _ in range(3):
        run = claim(store)
        assert run is not None
        assert run.attempt == 1
        store.runs.end(run, End(TaskStatus.PENDING, "host busy", is_try=False), store.now())
    assert len(store.runs.attempts(run.id)) == 3


def test_the_fence_keeps_a_former_owner_out(store: Store, clock: Clock) -> None:
    store.runs.add(new(), store.now())
    stale = claim(store)
    assert stale is not None
    store.runs.end(stale, End(TaskStatus.INTERRUPTED, is_try=False), store.now())
    assert store.runs.end(stale, End(TaskStatus.COMPLETED), store.now()) is None
    fresh = claim(store, "another")
    assert fresh is not None
    with store.database.transaction() as tx, pytest.raises(Fenced):
        store.runs.finish(tx, stale, End(TaskStatus.COMPLETED), store.now())
    assert store.runs.get(stale.id).status is TaskStatus.RUNNING


def test_expired_leases_are_found(store: Store, clock: Clock) -> None:
    store.runs.add(new(), store.now())
    run = claim(store)
    assert run is not None
    assert store.runs.expired(clock.forward(seconds=29)) == []
    store.runs.renew([run], "me", clock.now + LEASE)
    assert store.runs.expired(clock.forward(seconds=29)) == []
    assert [found.id for found in store.runs.expired(clock.forward(seconds=2))] == [run.id]


def test_a_reserved_run_is_passed_over_while_its_keeper_lives(store: Store, clock: Clock) -> None:
    run = store.runs.add(new(), store.now(), owner="keeper", lease_until=store.now() + LEASE)
    assert claim(store) is None
    mine = store.runs.claim_one(run.id, "keeper", store.now(), store.now() + LEASE)
    assert mine is not None
    store.runs.end(
        mine, End(TaskStatus.PENDING), store.now(), reserved_by="keeper", reserved_until=store.now() + LEASE
    )
    assert claim(store) is None
    clock.forward(seconds=31)
    assert claim(store) is not None


def test_a_cooling_or_full_host_is_passed_over(store: Store, clock: Clock) -> None:
    store.hosts.know({"slow.example": 1})
    for task_id in ("a", "b"):
        store.runs.add(new(task_id, host="slow.example"), store.now())
    store.runs.add(new("c", host="other.example"), store.now())
    assert [run.task_id for run in (claim(store), claim(store)) if run] == ["a", "c"]
    assert claim(store) is None


def test_many_claimants_take_each_run_once(url: str, tmp_path: Path, clock: Clock) -> None:
    with open_store(url, tmp_path) as store:
        for number in range(40):
            store.runs.add(new(f"t{number}"), store.now())
        taken: list[int] = []

        def work(owner: str) -> None:
            while run := claim(store, owner):
                taken.append(run.id)
                store.runs.end(run, End(TaskStatus.COMPLETED), store.now())

        threads = [threading.Thread(target=work, args=(f"o{n}",)) for n in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert sorted(taken) == sorted(set(taken))
        assert len(taken) == 40


def test_history_is_newest_first_and_pages(store: Store, clock: Clock) -> None:
    for number in range(5):
        store.runs.add(new("a" if number % 2 else "b", trigger=f"hand:{number}"), store.now())
    first = store.runs.history(limit=2)
    rest = store.runs.history(limit=10, below=first[-1].id)
    assert [run.trigger for run in first + rest] == [f"hand:{n}" for n in (4, 3, 2, 1, 0)]
    assert {run.task_id for run in store.runs.history("a")} == {"a"}
    assert store.runs.history("a", status="completed") == []


def test_an_unknown_run_is_told(store: Store) -> None:
    with pytest.raises(NotFound, match="there is no run 7"):
        store.runs.get(7)


def test_two_claims_of_one_task_at_the_same_moment_are_no_error(url: str, tmp_path: Path) -> None:
    with open_store(url, tmp_path) as store:
        for number in range(30):
            store.runs.add(new("one", trigger=f"hand:{number}"), store.now())
        failed: list[BaseException] = []
        taken: list[int] = []

        def work(owner: str) -> None:
            try:
                while store.runs.open():
                    run = claim(store, owner)
                    if run is not None:
                        taken.append(run.id)
                        store.runs.end(run, End(TaskStatus.COMPLETED), store.now())
            except BaseException as error:
                failed.append(error)

        threads = [threading.Thread(target=work, args=(f"o{n}",)) for n in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert failed == []
        assert sorted(taken) == sorted(set(taken))
        assert len(taken) == 30


@pytest.mark.parametrize("status", ["completed", "failed", "pending", "running"])
def test_history_of_one_status(store: Store, clock: Clock, status: str) -> None:
    for number, name in enumerate(("completed", "failed", "pending", "running")):
        store.runs.add(new(name, trigger=f"hand:{number}"), store.now())
        if name != "pending":
            run = claim(store)
            assert run is not None
            if name != "running":
                store.runs.end(run, End(TaskStatus(name)), store.now())
        else:
            clock.forward(days=1)
            run = claim(store)
            assert run is not None
            store.runs.end(run, End(TaskStatus.PENDING, not_before=clock.now + LEASE), store.now())
    assert [run.task_id for run in store.runs.history(status=status)] == [status]


def test_each_claim_and_each_end_moves_the_fence(store: Store) -> None:
    run = store.runs.add(new(), store.now(), owner="me", lease_until=store.now() + LEASE)
    first = store.runs.claim_one(run.id, "me", store.now(), store.now() + LEASE)
    assert first is not None
    ended = store.runs.end(first, End(TaskStatus.INTERRUPTED), store.now())
    assert ended is not None
    again = claim(store)
    assert again is not None
    fences = [run.fence, first.fence, ended.fence, again.fence]
    assert fences == sorted(set(fences))


def test_a_lease_is_renewed_by_its_owner_alone(store: Store, clock: Clock) -> None:
    store.runs.add(new(), store.now())
    run = claim(store)
    assert run is not None
    clock.forward(seconds=31)
    store.runs.renew([replace(run, fence=run.fence - 1)], "me", clock.now + LEASE)
    store.runs.renew([run], "another", clock.now + LEASE)
    assert [found.id for found in store.runs.expired(clock.now)] == [run.id]


def test_a_cooling_host_is_passed_over_by_claims(store: Store, clock: Clock) -> None:
    budgets = Budgets(store.database, {}, "me", lambda seconds: None)
    budgets.cool("slow.example", clock.now + timedelta(minutes=5), "429")
    store.runs.add(new(host="slow.example"), store.now())
    assert claim(store) is None
    clock.forward(minutes=5, seconds=1)
    assert claim(store) is not None


def test_what_a_wrong_clock_left_in_the_future_holds_up_nothing(store: Store, clock: Clock) -> None:
    right = clock.now
    clock.forward(days=3650)
    for task_id in ("a", "b"):
        store.runs.add(new(task_id), right)
    running, waiting = claim(store), claim(store)
    assert running is not None
    assert waiting is not None
    end = End(TaskStatus.PENDING, not_before=clock.now + timedelta(minutes=30))
    store.runs.end(waiting, end, clock.now)
    clock.now = right
    assert [run.id for run in store.runs.expired(clock.now)] == [running.id]
    again = claim(store)
    assert again is not None
    assert again.id == waiting.id


def test_a_waiting_run_is_cancelled_at_once(store: Store, clock: Clock) -> None:
    run = add(store)
    assert store.runs.ask_cancel(run.id, clock.now).status is TaskStatus.CANCELLED
    assert store.runs.claim("me", clock.now, clock.now + LEASE) is None
    with pytest.raises(UsageError, match="it is cancelled"):
        store.runs.ask_cancel(run.id, clock.now)


def test_a_running_run_is_asked_and_never_waits_for_another_try(store: Store, clock: Clock) -> None:
    add(store)
    run = store.runs.claim("me", clock.now, clock.now + LEASE)
    asked = store.runs.ask_cancel(run.id, clock.now)
    assert (asked.status, asked.cancel_asked_at) == (TaskStatus.RUNNING, clock.now)
    assert [found.id for found in store.runs.cancel_asked()] == [run.id]
    # Whoever works on it has not noticed yet, and would try again.
    end = End(TaskStatus.PENDING, "waiting for the next try", "trouble", clock.now + LEASE)
    ended = store.runs.end(run, end, clock.now)
    assert (ended.status, ended.reason, ended.not_before) == (TaskStatus.CANCELLED, "cancelled by hand", None)
    assert ended.finished_at == clock.now
    [attempt] = store.runs.attempts(run.id)
    assert attempt["status"] == "cancelled"
    assert store.runs.cancel_asked() == []


def test_a_run_that_completes_before_it_is_cancelled_is_completed(store: Store, clock: Clock) -> None:
    add(store)
    run = store.runs.claim("me", clock.now, clock.now + LEASE)
    store.runs.ask_cancel(run.id, clock.now)
    assert store.runs.end(run, End(TaskStatus.COMPLETED), clock.now).status is TaskStatus.COMPLETED


@pytest.mark.parametrize("status", ["failed", "suspect", "cancelled", "skipped"])
def test_a_run_without_success_begins_again_with_fresh_tries(store: Store, clock: Clock, status: str) -> None:
    add(store)
    run = store.runs.claim("me", clock.now, clock.now + LEASE)
    store.runs.ask_cancel(run.id, clock.now)
    store.runs.end(run, End(TaskStatus(status), error="trouble"), clock.now)
    again = store.runs.again(run.id, clock.forward(hours=1))
    assert (again.status, again.attempt, again.finished_at) == (TaskStatus.PENDING, 0, None)
    claimed = store.runs.claim("me", clock.now, clock.now + LEASE)
    assert (claimed.id, claimed.attempt, claimed.cancel_asked_at) == (run.id, 1, None)
    assert claimed.started_at == clock.now
    assert len(store.runs.attempts(run.id)) == 2


def test_a_run_that_waits_for_its_next_try_may_start_now(store: Store, clock: Clock) -> None:
    add(store)
    run = store.runs.claim("me", clock.now, clock.now + LEASE)
    store.runs.end(run, End(TaskStatus.PENDING, "later", "trouble", clock.now + LEASE), clock.now)
    assert store.runs.claim("me", clock.now, clock.now + LEASE) is None
    assert store.runs.again(run.id, clock.now).not_before is None
    assert store.runs.claim("me", clock.now, clock.now + LEASE).attempt == 2


def test_what_is_running_or_completed_does_not_begin_again(store: Store, clock: Clock) -> None:
    add(store)
    run = store.runs.claim("me", clock.now, clock.now + LEASE)
    with pytest.raises(UsageError, match="is running"):
        store.runs.again(run.id, clock.now)
    store.runs.end(run, End(TaskStatus.COMPLETED), clock.now)
    with pytest.raises(UsageError, match="is completed"):
        store.runs.again(run.id, clock.now)
    with pytest.raises(NotFound):
        store.runs.again(99, clock.now)


def test_runs_that_wait_for_one_reason_are_let_go_together(store: Store, clock: Clock) -> None:
    for name, reason in (("a", "no network"), ("b", "no network"), ("c", "host busy")):
        add(store, name)
        run = store.runs.claim("me", clock.now, clock.now + LEASE)
        store.runs.end(run, End(TaskStatus.PENDING, reason, None, clock.now + LEASE), clock.now)
    store.runs.hasten("no network")
    assert {run.task_id for run in store.runs.open() if run.not_before is None} == {"a", "b"}


def test_what_ended_for_good_is_told_in_its_transaction(store: Store, clock: Clock) -> None:
    told: list[tuple[int, str]] = []
    store.runs.on_final = lambda tx, run, now: told.append((run.id, str(run.status)))
    add(store)
    run = store.runs.claim("me", clock.now, clock.now + LEASE)
    store.runs.end(run, End(TaskStatus.PENDING, not_before=clock.now), clock.now)
    assert told == []
    run = store.runs.claim("me", clock.now, clock.now + LEASE)
    store.runs.end(run, End(TaskStatus.FAILED), clock.now)
    assert told == [(run.id, "failed")]


def test_a_suspect_run_begins_again_from_nothing(store: Store, clock: Clock) -> None:
    """What it saw the first time must not make up for what it misses the second time."""
    for status, seen in (("suspect", 0), ("failed", 3)):
        run = store.runs.add(new(status), clock.now)
        claimed = store.runs.claim("me", clock.now, clock.now + LEASE)
        with store.database.transaction() as tx:
            tx.one("run_page", id=run.id, fence=claimed.fence, lease_until=clock.now, seen=3, rejected=1)
        store.runs.end(claimed, End(TaskStatus(status)), clock.now)
        assert store.runs.again(run.id, clock.now).seen == seen
        store.runs.ask_cancel(run.id, clock.now)
