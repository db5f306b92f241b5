"""No network: said once, nobody loses a try, one run at a time tries again, and all go on when it is back."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from loguru import logger

from stoma.collectors.base import Deadline
from stoma.errors import BadAnswer, Unreachable
from stoma.scheduler.base import NewRun, Run, Task, TaskStatus
from stoma.scheduler.outage import NO_NETWORK
from stoma.scheduler.pipeline import Control, Surroundings, execute
from stoma.stores import Store
from tests.support.clock import Clock
from tests.support.scripted import Script, install

LEASE = timedelta(seconds=30)
HOSTS = {name: f"{name}.example.org" for name in "abcd"}


class World:
    """Four tasks on four hosts; the network is there or not."""

    def __init__(self, store: Store, clock: Clock, script: Script) -> None:
        self.store, self.clock = store, clock
        self.around = Surroundings(store, Path.cwd(), LEASE, "me")
        self.reachable = False
        self.asked: list[str] = []
        self.told: list[str] = []
        script.pages = 1
        script.before_page = self._ask

    def _ask(self, number: int, collection: Any) -> None:
        self.asked.append(collection.task_id)
        if not self.reachable:
            host = HOSTS[collection.task_id]
            raise Unreachable(f"{host}: no such name", host=host)

    def run(self, name: str) -> Run:
        """Carry the open run of a task, or a new one, through one attempt."""
        now = self.clock.now
        if not self.store.runs.open_of(name):
            task = Task(name, name, "scripted", config={"script": "s"})
            self.store.runs.add(NewRun(name, f"hand:{now}", task.priority, "0", host=HOSTS.get(name)), now)
        [waiting] = self.store.runs.open_of(name)
        assert self.store.runs.reserve(waiting, "me", now, now + LEASE) is not None
        claimed = self.store.runs.claim_one(waiting.id, "me", now, now + LEASE)
        assert claimed is not None
        task = Task(name, name, "scripted", config={"script": "s"})
        ended = execute(claimed, task, self.around, Control(deadline=Deadline(60)))
        assert ended is not None
        return ended


@pytest.fixture
def world(store: Store, clock: Clock, monkeypatch: pytest.MonkeyPatch) -> Iterator[World]:
    found = World(store, clock, install(monkeypatch))
    sink = logger.add(lambda message: found.told.append(message.record["message"]), level="INFO")
    yield found
    logger.remove(sink)


def test_two_hosts_that_fail_are_their_own_trouble(world: World) -> None:
    first, second = world.run("a"), world.run("b")
    assert (first.attempt, second.attempt) == (1, 1)
    assert first.reason == "waiting for the next try"


def test_an_outage_is_said_once_and_costs_no_try(world: World) -> None:
    world.run("a")
    world.run("b")
    third = world.run("c")
    assert (third.status, third.reason, third.attempt) == (TaskStatus.PENDING, NO_NETWORK, 0)
    assert third.not_before == world.clock.now + timedelta(seconds=30)
    for _ in range(5):
        world.run("d")
    told = [line for line in world.told if line.startswith("no network")]
    assert len(told) == 1
    assert "a.example.org, b.example.org, c.example.org" in told[0]
    # While it is out, and until the next one may try, nobody is asked.
    assert world.asked == ["a", "b", "c"]


def test_one_run_at_a_time_tries_and_all_go_on_when_it_is_back(world: World) -> None:
    for name in "abcd":
        world.run(name)
    world.clock.forward(seconds=31)
    world.run("d")
    assert world.asked == ["a", "b", "c", "d"]
    assert world.run("c").not_before == world.clock.now + timedelta(seconds=60)
    assert world.asked == ["a", "b", "c", "d"]
    world.reachable = True
    world.clock.forward(seconds=61)
    assert world.run("d").status is TaskStatus.COMPLETED
    assert "the network is back" in world.told
    assert [run.not_before for run in world.store.runs.open_of("c")] == [None]
    assert world.run("c").status is TaskStatus.COMPLETED


def test_a_refusal_shows_that_there_is_a_network(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in "abcd":
        world.run(name)
    world.clock.forward(seconds=31)

    def refuse(number: int, collection: Any) -> None:
        raise BadAnswer("500")

    world.reachable = True
    monkeypatch.setattr(world, "_ask", refuse)
    from tests.support.scripted import SCRIPTS

    SCRIPTS["s"].before_page = refuse
    world.run("a")
    assert not world.around.network.is_out


def test_what_needs_no_network_runs_on(world: World) -> None:
    for name in "abc":
        world.run(name)
    monkey = Task("local", "local", "scripted", config={"script": "s"})
    now = world.clock.now
    run = world.store.runs.add(NewRun("local", "hand:1", monkey.priority, "0", host="127.0.0.1"), now)
    world.store.runs.reserve(run, "me", now, now + LEASE)
    claimed = world.store.runs.claim_one(run.id, "me", now, now + LEASE)
    world.reachable = True
    assert claimed is not None
    ended = execute(claimed, monkey, world.around, Control(deadline=Deadline(60)))
    assert ended is not None
    assert ended.status is TaskStatus.COMPLETED
    assert world.around.network.is_out
