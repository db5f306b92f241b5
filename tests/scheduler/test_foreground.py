"""Runs in the foreground, until every run is final."""

from __future__ import annotations

import threading
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from stoma.errors import BadAnswer, SourceRefused
from stoma.scheduler.base import Dependency, NewRun, Retry, Run, Task, TaskStatus
from stoma.scheduler.config import Config
from stoma.scheduler.following import Following
from stoma.scheduler.foreground import Foreground
from stoma.scheduler.owner import this_process
from stoma.scheduler.pipeline import Surroundings
from stoma.stores import Store, open_store
from tests.support.scripted import Script, install
from tests.support.waiting import until

LEASE = timedelta(seconds=30)


@pytest.fixture
def store(url: str, tmp_path: Path) -> Any:
    # A real clock: the foreground waits for the moments it writes.
    with open_store(url, tmp_path) as opened:
        yield opened


@pytest.fixture
def script(monkeypatch: pytest.MonkeyPatch) -> Script:
    return install(monkeypatch)


def task(task_id: str = "t", **more: Any) -> Task:
    return Task(task_id, task_id, "scripted", config={"script": "s"}, **more)


def foreground(store: Store, *tasks: Task, slots: int = 2, owner: str = "") -> Foreground:
    around = Surroundings(store, Path.cwd(), LEASE, owner or str(this_process()))
    return Foreground(around, tasks, slots)


def test_tasks_run_to_their_end_in_order(store: Store, script: Script) -> None:
    runs = foreground(store, task("a"), task("b"), task("c")).run()
    assert [(run.task_id, run.status) for run in runs] == [(n, TaskStatus.COMPLETED) for n in "abc"]
    assert store.records.count() == 30


def test_retries_are_waited_for_here(store: Store, script: Script) -> None:
    failures = iter([BadAnswer("once"), BadAnswer("twice")])

    def flaky(number: int, collection: Any) -> None:
        error = next(failures, None)
        if error:
            raise error

    script.before_page = flaky
    quick = Retry(count=3, first=timedelta(milliseconds=20), jitter=0)
    [run] = foreground(store, task(retry=quick)).run()
    assert (run.status, run.attempt) == (TaskStatus.COMPLETED, 3)


def test_a_retry_is_not_handed_to_a_scheduler(store: Store, script: Script) -> None:
    def fail(number: int, collection: Any) -> None:
        now = store.now()
        assert store.runs.claim("a scheduler", now, now + LEASE) is None
        raise BadAnswer("no")

    script.before_page = fail
    quick = Retry(count=1, first=timedelta(milliseconds=300), jitter=0)
    front = foreground(store, task(retry=quick))
    thread = threading.Thread(target=front.run)
    thread.start()
    until(lambda: any(run.status is TaskStatus.PENDING and run.attempt == 1 for run in store.runs.open()))
    far = store.now() + timedelta(seconds=20)
    assert store.runs.claim("a scheduler", far, far + LEASE) is None
    thread.join()
    [run] = store.runs.history()
    assert (run.status, run.attempt) == (TaskStatus.FAILED, 2)


def test_what_an_earlier_process_left_open_is_taken_up(store: Store, script: Script) -> None:
    left = store.runs.add(NewRun("t", "hand:1", task().priority, "0"), store.now())
    store.runs.claim("gone", store.now() - timedelta(hours=1), store.now() - timedelta(minutes=59))
    [run] = foreground(store, task()).run()
    assert (run.id, run.status) == (left.id, TaskStatus.COMPLETED)
    assert len(store.runs.history()) == 1


def test_it_waits_for_a_run_that_another_process_works_on(store: Store, script: Script) -> None:
    store.runs.add(NewRun("t", "hand:1", task().priority, "0"), store.now())
    other = store.runs.claim(str(this_process()) + "0", store.now(), store.now() + timedelta(seconds=0.5))
    assert other is not None
    began = datetime.now(UTC)
    [run] = foreground(store, task()).run()
    assert run.status is TaskStatus.COMPLETED
    assert datetime.now(UTC) - began < timedelta(seconds=20)


def test_stop_gives_back_what_is_open(store: Store, script: Script) -> None:
    began = threading.Event()

    def slow(number: int, collection: Any) -> None:
        began.set()
        until(lambda: all(control.stopping.is_set() for _, control in front._working.values()), 20)

    script.before_page = slow
    front = foreground(store, task("a"), task("b"), slots=1)
    found: list[Run] = []
    thread = threading.Thread(target=lambda: found.extend(front.run()))
    thread.start()
    assert began.wait(10)
    front.ask_to_stop()
    thread.join(10)
    assert [str(run.status) for run in found] == ["interrupted", "pending"]
    now = store.now()
    # Anybody may take them now.
    assert store.runs.claim("a scheduler", now, now + LEASE) is not None
    assert store.runs.claim("a scheduler", now, now + LEASE) is not None


def test_one_refusal_does_not_touch_the_others(store: Store, script: Script) -> None:
    def refuse(number: int, collection: Any) -> None:
        if collection.task_id == "b":
            raise SourceRefused("404")

    script.before_page = refuse
    runs = foreground(store, task("a"), task("b"), task("c")).run()
    assert [str(run.status) for run in runs] == ["completed", "failed", "completed"]


def test_a_run_that_hangs_is_given_up_here_too(
    store: Store, script: Script, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("stoma.scheduler.runner.GRACE_SECONDS", 0.0)
    release = threading.Event()

    def hang(number: int, collection: Any) -> None:
        if collection.task_id == "a":
            release.wait(20)

    script.before_page = hang
    try:
        runs = foreground(store, task("a", timeout=timedelta(seconds=0.1)), task("b")).run()
    finally:
        release.set()
    assert [str(run.status) for run in runs] == ["failed", "completed"]
    assert "its thread hangs" in (runs[0].error or "")


def test_a_stop_does_not_wait_for_a_run_that_hangs(
    store: Store, script: Script, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("stoma.scheduler.foreground.STOP_SECONDS", 0.2)
    began, release = threading.Event(), threading.Event()

    def hang(number: int, collection: Any) -> None:
        began.set()
        release.wait(20)

    script.before_page = hang
    front = foreground(store, task())
    found: list[Run] = []
    thread = threading.Thread(target=lambda: found.extend(front.run()))
    thread.start()
    assert began.wait(10)
    front.ask_to_stop()
    thread.join(5)
    release.set()
    assert [(str(run.status), run.attempt) for run in found] == [("interrupted", 0)]


def after(*names: str, status: str = "completed") -> dict[str, Any]:
    return {"after": tuple(Dependency(name, status) for name in names)}


def test_a_task_waits_for_those_of_the_others_that_it_follows(store: Store, script: Script) -> None:
    order: list[str] = []
    script.before_page = lambda number, collection: order.append(collection.task_id)
    script.pages = 1
    tasks = [task("c", **after("b", "a")), task("b", **after("a", "elsewhere")), task("a")]
    runs = foreground(store, *tasks, slots=3).run()
    assert order == ["a", "b", "c"]
    assert [run.task_id for run in runs] == ["c", "b", "a"]


def test_the_run_that_followed_is_the_one_that_is_taken(store: Store, script: Script) -> None:
    tasks = [task("a"), task("b", **after("a"))]
    config = Config(base=Path.cwd(), tasks={t.id: t for t in tasks})
    store.runs.on_final = Following(lambda: config)
    first, second = foreground(store, *tasks).run()
    assert second.trigger == f"after:{first.id}"
    assert second.status is TaskStatus.COMPLETED
    assert len(store.runs.history("b")) == 1


def test_what_follows_a_failure_does_not_run(store: Store, script: Script) -> None:
    def fail(number: int, collection: Any) -> None:
        if collection.task_id == "a":
            raise SourceRefused("no")

    script.before_page = fail
    tasks = [
        task("a"),
        task("b", **after("a")),
        task("c", **after("b")),
        task("d", **after("a", status="any")),
    ]
    runs = {run.task_id: run for run in foreground(store, *tasks).run()}
    assert runs["a"].status is TaskStatus.FAILED
    assert (runs["b"].status, runs["b"].reason) == (
        TaskStatus.SKIPPED,
        "runs after a completed, and that is failed",
    )
    assert runs["c"].status is TaskStatus.SKIPPED
    assert runs["d"].status is TaskStatus.COMPLETED


def test_a_run_in_the_foreground_can_be_cancelled(store: Store, script: Script) -> None:
    page = threading.Event()
    script.before_page = lambda number, collection: number == 1 and page.wait(10)
    front = foreground(store, task())
    ended: list[Run] = []
    thread = threading.Thread(target=lambda: ended.extend(front.run()))
    thread.start()
    until(lambda: len(script.asked) == 2)
    store.runs.ask_cancel(store.runs.last_of("t").id, store.now())
    until(lambda: all(control.cancelled_at for _, control in front._working.values()))
    page.set()
    thread.join(10)
    assert [run.status for run in ended] == [TaskStatus.CANCELLED]


@pytest.mark.parametrize("change", ["cancel", "retry"])
def test_a_wait_ends_when_somebody_says_so(store: Store, script: Script, change: str) -> None:
    failures = iter([BadAnswer("once")])

    def flaky(number: int, collection: Any) -> None:
        if error := next(failures, None):
            raise error

    script.before_page = flaky
    front = foreground(store, task(retry=Retry(count=1, first=timedelta(hours=1), max=timedelta(hours=1))))
    ended: list[Run] = []
    thread = threading.Thread(target=lambda: ended.extend(front.run()))
    thread.start()
    until(lambda: (run := store.runs.last_of("t")) is not None and run.not_before is not None)
    run = store.runs.last_of("t")
    if change == "cancel":
        store.runs.ask_cancel(run.id, store.now())
    else:
        store.runs.again(run.id, store.now())
    thread.join(10)
    assert [str(run.status) for run in ended] == ["cancelled" if change == "cancel" else "completed"]
