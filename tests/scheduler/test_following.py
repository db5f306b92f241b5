"""What follows from the end of a run, decided in the transaction that ends it."""

from __future__ import annotations

import threading
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from stoma.scheduler.base import Dependency, Run, Task, TaskStatus, hand_trigger
from stoma.scheduler.config import Config
from stoma.scheduler.following import Following
from stoma.scheduler.parts import new_run
from stoma.stores import Store
from stoma.stores.runs import End
from tests.support.clock import Clock
from tests.support.scripted import install

LEASE = timedelta(seconds=30)


class World:
    """Tasks, and runs of them that end as the test says."""

    def __init__(self, store: Store, clock: Clock) -> None:
        self.store, self.clock = store, clock
        self.tasks: dict[str, Task] = {}
        store.runs.on_final = Following(lambda: Config(base=Path.cwd(), store_url="", tasks=dict(self.tasks)))

    def task(self, task_id: str, *after: str | Dependency, **more: Any) -> None:
        waits = tuple(Dependency(d) if isinstance(d, str) else d for d in after)
        self.tasks[task_id] = Task(task_id, task_id, "scripted", config={"script": "s"}, after=waits, **more)

    def run(self, task_id: str, status: TaskStatus = TaskStatus.COMPLETED) -> Run:
        """A run by hand that ends like this."""
        self.clock.forward(seconds=1)
        added = self.store.runs.add(new_run(self.tasks[task_id], hand_trigger()), self.clock.now)
        return self.end(added, status)

    def end(self, run: Run, status: TaskStatus = TaskStatus.COMPLETED) -> Run:
        now, lease = self.clock.now, self.clock.now + LEASE
        assert self.store.runs.reserve(run, "me", now, lease) is not None
        claimed = self.store.runs.claim_one(run.id, "me", now, lease)
        assert claimed is not None
        ended = self.store.runs.end(claimed, End(status), self.clock.now)
        assert ended is not None
        return ended

    def triggers(self, task_id: str) -> list[str]:
        found = [run.trigger for run in reversed(self.store.runs.history(task_id))]
        return [trigger for trigger in found if not trigger.startswith("hand:")]


@pytest.fixture
def world(store: Store, clock: Clock, monkeypatch: pytest.MonkeyPatch) -> World:
    install(monkeypatch)
    return World(store, clock)


def test_a_run_follows_the_end_of_another(world: World) -> None:
    world.task("a")
    world.task("b", "a")
    first = world.run("a")
    assert world.triggers("b") == [f"after:{first.id}"]
    [waiting] = world.store.runs.open_of("b")
    assert waiting.status is TaskStatus.PENDING
    assert waiting.reason == f"follows run {first.id} of a"


def test_only_the_status_that_is_waited_for_counts(world: World) -> None:
    world.task("a")
    world.task("well", "a")
    world.task("badly", Dependency("a", "failed"))
    world.task("anyhow", Dependency("a", "any"))
    failed = world.run("a", TaskStatus.FAILED)
    assert world.triggers("well") == []
    assert world.triggers("badly") == world.triggers("anyhow") == [f"after:{failed.id}"]
    world.run("a", TaskStatus.CANCELLED)
    assert len(world.triggers("anyhow")) == 1


def test_a_run_that_ends_once_more_is_followed_once_more(world: World) -> None:
    world.task("a")
    world.task("b", Dependency("a", "any"), overlap="queue")
    run = world.run("a", TaskStatus.FAILED)
    again = world.end(world.store.runs.again(run.id, world.clock.now))
    assert world.triggers("b") == [f"after:{run.id}", f"after:{run.id}/{again.fence}"]


def test_a_try_that_will_be_repeated_is_no_end(world: World) -> None:
    world.task("a")
    world.task("b", Dependency("a", "any"))
    world.store.runs.add(new_run(world.tasks["a"], hand_trigger()), world.clock.now)
    claimed = world.store.runs.claim("me", world.clock.now, world.clock.now + LEASE)
    assert claimed is not None
    world.store.runs.end(claimed, End(TaskStatus.PENDING, not_before=world.clock.now), world.clock.now)
    assert world.triggers("b") == []


def test_fan_in_waits_for_all_since_the_last_run(world: World) -> None:
    for name in ("a", "b"):
        world.task(name)
    world.task("c", "a", "b")
    world.run("a")
    world.run("a")
    assert world.triggers("c") == []
    last = world.run("b")
    assert world.triggers("c") == [f"after:{last.id}"]
    # Both count only once.
    world.run("b")
    assert len(world.triggers("c")) == 1
    [run] = world.store.runs.open_of("c")
    world.end(run)
    again = world.run("a")
    assert world.triggers("c")[1:] == [f"after:{again.id}"]


def test_a_run_by_hand_starts_the_waiting_over(world: World) -> None:
    for name in ("a", "b"):
        world.task(name)
    world.task("c", "a", "b")
    world.run("a")
    world.run("c")
    world.run("b")
    assert world.triggers("c") == []
    assert world.store.agenda.upstream_ends() == {"c": {"b": world.store.runs.last_of("b").id}}


def test_chains_and_fan_out(world: World) -> None:
    world.task("a")
    world.task("b", "a")
    world.task("c", "a")
    world.task("d", "b")
    world.run("a")
    [b], [c] = world.store.runs.open_of("b"), world.store.runs.open_of("c")
    assert world.triggers("d") == []
    world.end(b)
    assert world.triggers("d") == [f"after:{b.id}"]
    assert c.trigger == b.trigger


def test_nothing_follows_when_the_end_is_not_committed(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    world.task("a")
    world.task("b", "a")
    run = world.store.runs.add(new_run(world.tasks["a"], hand_trigger()), world.clock.now)
    claimed = world.store.runs.claim("me", world.clock.now, world.clock.now + LEASE)
    assert claimed is not None
    with pytest.raises(RuntimeError), world.store.database.transaction() as tx:
        world.store.runs.finish(tx, claimed, End(TaskStatus.COMPLETED), world.clock.now)
        raise RuntimeError("power cut")
    assert world.store.runs.get(run.id).status is TaskStatus.RUNNING
    assert world.triggers("b") == []
    assert world.store.agenda.upstream_ends() == {}


@pytest.mark.parametrize(
    ("change", "reason", "told"),
    [
        ({"enabled": False}, "disabled", ""),
        ({"when": "upstream.new > 0"}, "condition", "upstream"),
        ({"config": {"script": "${env:STOMA_NOT_SET}"}}, "blocked", "STOMA_NOT_SET"),
    ],
)
def test_what_may_not_run_is_skipped_with_its_reason(
    world: World, change: dict[str, Any], reason: str, told: str
) -> None:
    world.task("a")
    world.task("b", "a")
    world.tasks["b"] = replace(world.tasks["b"], **change)
    ended = world.run("a")
    assert world.triggers("b") == []
    [skip] = world.store.agenda.skips("b")
    assert (skip["reason"], skip["count"], skip["first"]) == (reason, 1, ended.finished_at)
    assert skip["detail"].startswith(f"after run {ended.id} of a" if reason == "condition" else "after a")
    assert told in skip["detail"]
    # It is over: what ended before does not count for the next one.
    assert world.store.agenda.upstream_ends() == {}


def test_what_lasts_is_one_row(world: World) -> None:
    world.task("a")
    world.task("b", "a", enabled=False)
    for _ in range(5):
        last = world.run("a")
    [skip] = world.store.agenda.skips("b")
    assert (skip["count"], skip["last"]) == (5, last.finished_at)


def test_an_end_counts_by_what_is_waited_for_now(world: World) -> None:
    world.task("a")
    world.task("c")
    world.task("b", "a", "c")
    world.run("a")
    world.task("b", Dependency("a", "failed"), "c")
    world.run("c")
    assert world.triggers("b") == []
    failed = world.run("a", TaskStatus.FAILED)
    assert world.triggers("b") == [f"after:{failed.id}"]


def test_a_run_that_is_not_over_lets_the_next_one_fall_away(world: World) -> None:
    world.task("a")
    world.task("b", "a")
    world.task("q", "a", overlap="queue")
    world.run("a")
    world.run("a")
    assert len(world.triggers("b")) == 1
    assert [skip["reason"] for skip in world.store.agenda.skips("b")] == ["overlap"]
    assert len(world.triggers("q")) == 2


def test_two_that_end_at_the_same_moment_do_not_overlook_each_other(world: World) -> None:
    for name in ("a", "b"):
        world.task(name)
    world.task("c", "a", "b", overlap="queue")
    store, now = world.store, world.clock.now
    for _ in range(10):
        for name in ("a", "b"):
            store.runs.add(new_run(world.tasks[name], hand_trigger()), now)
        claimed = [store.runs.claim("me", now, now + LEASE) for _ in range(3)]
        runs = [run for run in claimed if run is not None and run.task_id in ("a", "b")]
        gate = threading.Barrier(2)

        def end(run: Run, gate: threading.Barrier = gate) -> None:
            gate.wait()
            store.runs.end(run, End(TaskStatus.COMPLETED), now)

        threads = [threading.Thread(target=end, args=(run,)) for run in runs]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        for run in claimed:
            if run is not None and run.task_id == "c":
                store.runs.end(run, End(TaskStatus.COMPLETED), now)
    assert len(world.triggers("c")) == 10
