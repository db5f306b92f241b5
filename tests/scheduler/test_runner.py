"""Threads that claim, keep their leases, and are given up when they hang."""

from __future__ import annotations

import gc
import subprocess
import sys
import threading
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from time import monotonic
from typing import Any

import pytest

from stoma.collectors import make
from stoma.errors import StoreUnavailable
from stoma.log import logger
from stoma.scheduler import runner as runner_module
from stoma.scheduler.base import NewRun, Retry, Run, Task, TaskStatus
from stoma.scheduler.owner import this_process
from stoma.scheduler.pipeline import Control, Surroundings, fingerprint
from stoma.scheduler.runner import Runner, Working, recover
from stoma.stores import Store, open_store
from stoma.stores.nodes import Node
from tests.support.clock import Clock
from tests.support.scripted import Script, install
from tests.support.waiting import until

LEASE = timedelta(seconds=30)


def task(task_id: str, **more: Any) -> Task:
    return Task(task_id, task_id, "scripted", config={"script": "s"}, **more)


@pytest.fixture
def script(monkeypatch: pytest.MonkeyPatch) -> Script:
    return install(monkeypatch)


@pytest.fixture
def tasks() -> dict[str, Task]:
    return {f"t{n}": task(f"t{n}") for n in range(6)}


@pytest.fixture
def runner(store: Store, tasks: dict[str, Task], tmp_path: Path) -> Runner:
    return Runner(Surroundings(store, tmp_path, LEASE, str(this_process())), tasks.get, slots=2)


def queue(store: Store, *ids: str) -> list[Run]:
    return [
        store.runs.add(NewRun(task_id, f"hand:{n}", task(task_id).priority, "0"), store.now())
        for n, task_id in enumerate(ids)
    ]


def statuses(store: Store) -> list[str]:
    return [str(run.status) for run in reversed(store.runs.history())]


def test_everything_in_the_queue_is_run_on_few_threads(
    store: Store, runner: Runner, script: Script, tasks: dict[str, Task]
) -> None:
    most: list[int] = []
    script.before_page = lambda number, collection: most.append(len(runner.working))
    queue(store, *tasks)
    runner.fill()
    until(lambda: not store.runs.open())
    assert statuses(store) == ["completed"] * 6
    assert max(most) <= 2
    until(lambda: runner.busy == 0)
    assert runner.working == []


def test_a_task_that_is_gone_cancels_its_run(store: Store, runner: Runner) -> None:
    queue(store, "unknown")
    runner.fill()
    until(lambda: not store.runs.open())
    [run] = store.runs.history()
    assert (run.status, run.reason) == (TaskStatus.CANCELLED, "its task is not declared any more")


def test_leases_of_working_runs_are_kept(store: Store, runner: Runner, script: Script, clock: Clock) -> None:
    script.before_page = lambda number, collection: script.hanging.wait(10)  # type: ignore[assignment, return-value]
    queue(store, "t0")
    runner.fill()
    until(lambda: script.asked)
    clock.forward(seconds=25)
    runner.keep()
    clock.forward(seconds=25)
    assert store.runs.expired(clock.now) == []
    script.hanging.set()
    until(lambda: not store.runs.open())


def test_a_hung_thread_is_given_up_and_its_place_filled(
    store: Store, runner: Runner, script: Script, tasks: dict[str, Task], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(runner_module, "GRACE_SECONDS", 0.0)
    hung = threading.Event()

    def hang(number: int, collection: Any) -> None:
        if collection.task_id in ("t0", "t1"):
            hung.wait(20)

    script.before_page = hang
    for name in ("t0", "t1"):
        tasks[name] = task(name, timeout=timedelta(seconds=0))
    runs = queue(store, "t0", "t1", "t2")
    runner.fill()
    until(lambda: len(script.asked) == 2)
    assert store.runs.get(runs[2].id).status is TaskStatus.PENDING
    runner.keep()
    assert [store.runs.get(run.id).status for run in runs[:2]] == [TaskStatus.FAILED] * 2
    assert "its thread hangs" in (store.runs.get(runs[0].id).error or "")
    assert runner.abandoned == 2
    runner.fill()
    until(lambda: store.runs.get(runs[2].id).status is TaskStatus.COMPLETED)
    stored = store.records.count()
    # What they still want to write is refused, and they do not come back as more threads than allowed.
    hung.set()
    until(lambda: runner.abandoned == 0)
    until(lambda: runner.busy == 0)
    assert store.records.count() == stored
    assert [store.runs.get(run.id).status for run in runs[:2]] == [TaskStatus.FAILED] * 2


def test_a_run_ends_at_its_next_page_when_it_is_cancelled(
    store: Store, runner: Runner, script: Script
) -> None:
    page = threading.Event()
    script.before_page = lambda number, collection: number == 1 and page.wait(10)
    [run] = queue(store, "t0")
    runner.fill()
    until(lambda: len(script.asked) == 2)
    store.runs.ask_cancel(run.id, store.now())
    runner.heed_cancels()
    page.set()
    until(lambda: not store.runs.open())
    ended = store.runs.get(run.id)
    assert (ended.status, ended.reason, ended.pages) == (TaskStatus.CANCELLED, "cancelled by hand", 1)


def test_what_somebody_cancelled_is_no_error_in_the_log(store: Store, runner: Runner, script: Script) -> None:
    lines: list[tuple[str, str]] = []
    handler = logger.add(lambda told: lines.append((told.record["level"].name, told.record["message"])))
    try:
        test_a_run_ends_at_its_next_page_when_it_is_cancelled(store, runner, script)
        until(lambda: any("cancelled" in message for _, message in lines))
    finally:
        logger.remove(handler)
    assert [level for level, message in lines if "cancelled" in message] == ["INFO"]


def test_a_cancelled_run_that_hangs_is_given_up(
    store: Store, runner: Runner, script: Script, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(runner_module, "GRACE_SECONDS", 0.0)
    script.before_page = lambda number, collection: script.hanging.wait(20)
    [run] = queue(store, "t0")
    runner.fill()
    until(lambda: script.asked)
    store.runs.ask_cancel(run.id, store.now())
    runner.heed_cancels()
    runner.keep()
    ended = store.runs.get(run.id)
    assert ended.status is TaskStatus.CANCELLED
    assert "its thread hangs" in (ended.reason or "")
    assert runner.abandoned == 1
    script.hanging.set()
    until(lambda: runner.abandoned == 0)


def test_a_run_that_was_to_be_cancelled_dies_with_its_process(store: Store, clock: Clock) -> None:
    queue(store, "t0")
    run = store.runs.claim("gone", clock.now, clock.now + LEASE)
    assert run is not None
    store.runs.ask_cancel(run.id, clock.now)
    recover(store, {"t0": task("t0")}.get, clock.forward(minutes=1))
    assert store.runs.get(run.id).status is TaskStatus.CANCELLED


def test_a_pause_holds_the_threads_that_work_too(
    store: Store, script: Script, tasks: dict[str, Task], tmp_path: Path
) -> None:
    runner = Runner(Surroundings(store, tmp_path, LEASE, str(this_process())), tasks.get, slots=1)
    script.before_page = lambda number, collection: runner.pause(True)
    queue(store, "t0", "t1", "t2")
    runner.fill()
    until(lambda: runner.busy == 0)
    runner.fill()
    assert statuses(store) == ["completed", "pending", "pending"]
    script.before_page = lambda number, collection: None
    runner.pause(False)
    runner.fill()
    until(lambda: not store.runs.open())
    assert statuses(store) == ["completed"] * 3


def test_the_next_run_is_claimed_in_the_transaction_that_ends_one(
    tmp_path: Path, script: Script, tasks: dict[str, Task]
) -> None:
    with open_store("sqlite:///stoma.db", tmp_path) as store:
        script.pages = 1
        runner = Runner(Surroundings(store, tmp_path, LEASE, str(this_process())), tasks.get, slots=1)
        queue(store, *tasks)
        commits: list[str] = []
        writer = store.database._writer  # type: ignore[attr-defined]
        writer.set_trace_callback(lambda text: commits.append(text) if text.lower() == "commit" else None)
        runner.fill()
        until(lambda: not store.runs.open())
        until(lambda: runner.busy == 0)
        # The first claim, and one for each run; the last one finds nothing more and asks once more, or twice.
        assert len(tasks) == 6
        assert len(commits) in (1 + 6 + 1, 1 + 6 + 2)


def test_a_run_that_was_claimed_along_continues_where_its_collection_stands(
    tmp_path: Path, script: Script, tasks: dict[str, Task]
) -> None:
    with open_store("sqlite:///stoma.db", tmp_path) as store:
        with store.database.transaction() as tx:
            mark = fingerprint(tasks["t1"], make("scripted"))
            values: dict[str, Any] = {"window": {}, "page": {"token": {"page": 2}}, "run_id": 7}
            tx.execute(
                "progress_save", task_id="t1", scope="live", fingerprint=mark, now=store.now(), **values
            )
        queue(store, "t0", "t1")
        Runner(Surroundings(store, tmp_path, LEASE, str(this_process())), tasks.get, slots=1).fill()
        until(lambda: not store.runs.open())
        assert script.asked == [0, 1, 2, 2]


def test_a_run_leaves_nothing_behind_that_only_the_garbage_collector_finds(
    runner: Runner, store: Store, script: Script, tasks: dict[str, Task]
) -> None:
    def alive() -> set[int]:
        return {id(entry) for entry in gc.get_objects() if isinstance(entry, Working | Control)}

    gc.collect()
    # Threads that other tests let hang keep theirs.
    before = alive()
    gc.disable()
    try:
        queue(store, *tasks)
        runner.fill()
        until(lambda: runner.busy == 0 and not store.runs.open())
        script.collections.clear()
        assert alive() <= before
    finally:
        gc.enable()


def test_what_was_claimed_along_with_a_page_that_failed_was_not_claimed(
    tmp_path: Path, script: Script, tasks: dict[str, Task], monkeypatch: pytest.MonkeyPatch
) -> None:
    with open_store("sqlite:///stoma.db", tmp_path) as store:
        script.pages = 1
        for name in ("t0", "t1"):
            tasks[name] = task(name, retry=Retry(count=0))
        first, second = queue(store, "t0", "t1")
        runner = Runner(Surroundings(store, tmp_path, LEASE, str(this_process())), tasks.get, slots=1)
        real, claims = store.runs.claim_in, []

        def claim_and_fail(*args: Any) -> Any:
            claims.append(real(*args))
            if len(claims) == 2:
                raise OSError("the power goes")
            return claims[-1]

        monkeypatch.setattr(store.runs, "claim_in", claim_and_fail)
        runner.fill()
        until(lambda: not store.runs.open())
        until(lambda: runner.busy == 0)
        assert statuses(store) == ["failed", "completed"]
        assert [found.id if found else None for found in claims[:3]] == [first.id, second.id, second.id]
        assert [len(store.runs.attempts(run.id)) for run in (first, second)] == [1, 1]


def test_stop_lets_runs_end_at_their_page_and_cuts_off_the_rest(
    store: Store, runner: Runner, script: Script
) -> None:
    hung = threading.Event()

    def work(number: int, collection: Any) -> None:
        if collection.task_id == "t0":
            hung.wait(20)
        else:
            until(lambda: runner._stopping, 20)

    script.before_page = work
    queue(store, "t0", "t1", "t2")
    runner.fill()
    until(lambda: len(script.asked) == 2)
    began = monotonic()
    runner.stop(0.5)
    assert monotonic() - began < 3
    assert statuses(store) == ["interrupted", "interrupted", "pending"]
    # Nothing was tried, so nothing is counted.
    assert {run.attempt for run in store.runs.history()} == {0}
    hung.set()
    until(lambda: runner.busy == 0)
    assert statuses(store) == ["interrupted", "interrupted", "pending"]


def test_a_silent_owner_loses_its_run_by_its_lease(store: Store, clock: Clock) -> None:
    queue(store, "t0")
    run = store.runs.claim("elsewhere/boot/ns/1/1", store.now(), store.now() + LEASE)
    assert run is not None
    assert recover(store, task_named, clock.now) == []
    [taken] = recover(store, task_named, clock.forward(seconds=31))
    assert (taken.status, taken.attempt, taken.not_before) == (TaskStatus.INTERRUPTED, 1, None)
    assert [row["status"] for row in store.runs.attempts(run.id)] == ["interrupted"]


def test_a_dead_owner_on_this_machine_loses_its_run_at_once(store: Store, clock: Clock) -> None:
    ask = "from stoma.scheduler.owner import this_process; print(this_process())"
    owner = subprocess.run(
        [sys.executable, "-c", ask], capture_output=True, text=True, check=True
    ).stdout.strip()
    queue(store, "t0")
    store.runs.claim(owner, store.now(), store.now() + LEASE)
    assert [run.status for run in recover(store, task_named, clock.now)] == [TaskStatus.INTERRUPTED]


def test_a_run_that_kills_its_process_each_time_fails_at_last(store: Store, clock: Clock) -> None:
    queue(store, "t0")
    ends = []
    for _ in range(3):
        assert store.runs.claim("gone", store.now(), store.now() + LEASE) is not None
        [taken] = recover(store, task_named, clock.forward(minutes=1))
        ends.append(str(taken.status))
    assert ends == ["interrupted", "interrupted", "failed"]


def task_named(task_id: str) -> Task:
    return task(task_id, retry=Retry(count=2))


def test_a_claim_that_fails_gives_its_slot_back(
    store: Store, runner: Runner, script: Script, monkeypatch: pytest.MonkeyPatch
) -> None:
    queue(store, "t0")
    with monkeypatch.context() as patch:
        patch.setattr(store.runs, "claim", lambda *_: (_ for _ in ()).throw(StoreUnavailable("disk full")))
        for _ in range(5):
            with pytest.raises(StoreUnavailable):
                runner.fill()
    assert runner.busy == 0
    runner.fill()
    until(lambda: not store.runs.open())


def test_a_process_that_slept_does_not_rob_itself(
    store: Store, runner: Runner, script: Script, clock: Clock
) -> None:
    script.before_page = lambda number, collection: script.hanging.wait(10)  # type: ignore[assignment, return-value]
    [run] = queue(store, "t0")
    runner.fill()
    until(lambda: script.asked)
    clock.forward(minutes=10)
    runner.keep()
    assert store.runs.get(run.id).status is TaskStatus.RUNNING
    script.hanging.set()
    until(lambda: not store.runs.open())
    assert (store.runs.get(run.id).attempt, runner.abandoned) == (1, 0)


def test_a_run_of_a_task_that_another_node_knows_goes_back(
    store: Store, runner: Runner, clock: Clock
) -> None:
    store.nodes.beat(Node("elsewhere", "x", 1, "0", None, "0", 1, clock.now, {}), clock.now)
    [run] = queue(store, "unknown")
    runner.fill()
    until(lambda: runner.busy == 0)
    found = store.runs.get(run.id)
    assert (found.status, found.attempt) == (TaskStatus.PENDING, 0)
    assert found.not_before is not None


def test_what_a_dead_process_kept_for_itself_is_free(store: Store, clock: Clock) -> None:
    dead = str(replace(this_process(), started=this_process().started - 1))
    store.runs.add(
        NewRun("t0", "hand:1", task("t0").priority, "0"), clock.now, owner=dead, lease_until=clock.now + LEASE
    )
    assert store.runs.claim("me", clock.now, clock.now + LEASE) is None
    recover(store, task_named, clock.now)
    assert store.runs.claim("me", clock.now, clock.now + LEASE) is not None


def test_only_the_asked_tasks_are_recovered(store: Store, clock: Clock) -> None:
    queue(store, "t0", "t1")
    for _ in range(2):
        store.runs.claim("gone", clock.now, clock.now + LEASE)
    clock.forward(minutes=1)
    assert [run.task_id for run in recover(store, task_named, clock.now, only={"t1"})] == ["t1"]
    assert [run.task_id for run in recover(store, task_named, clock.now)] == ["t0"]
