"""The index of words is built right behind the writers, by whichever process is there."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from stoma.errors import StoreUnavailable
from stoma.log import logger
from stoma.scheduler import indexing
from stoma.scheduler.base import Task
from stoma.scheduler.config import Config
from stoma.scheduler.foreground import Foreground
from stoma.scheduler.indexing import Indexing, take_up_here
from stoma.scheduler.manager import Scheduler
from stoma.scheduler.owner import this_process
from stoma.scheduler.pipeline import Surroundings
from stoma.stores import Store, open_store
from stoma.stores.questions import Selection
from tests.support.records import record, stored
from tests.support.scripted import Script, install
from tests.support.waiting import until

ALL = Selection()


@pytest.fixture(autouse=True)
def _looks_seldom(monkeypatch: pytest.MonkeyPatch) -> None:
    # Whatever happens soon happens because somebody said so.
    monkeypatch.setattr(indexing, "LOOK_SECONDS", 60.0)
    monkeypatch.setattr(indexing, "QUIET_SECONDS", 0.01)


@pytest.fixture
def working(store: Store) -> Iterator[Indexing]:
    thread = Indexing(store)
    thread.start()
    yield thread
    thread.stop()


def lines(level: str = "WARNING") -> Any:
    told: list[str] = []
    number = logger.add(lambda message: told.append(message.record["message"]), level=level)
    return told, lambda: logger.remove(number)


def test_it_takes_up_what_is_there_and_what_it_is_told_of(store: Store, working: Indexing) -> None:
    stored(store, record("a", "word"))
    working.note()
    until(lambda: store.search.ids("word", ALL, 5) == [1])
    stored(store, record("b", "word"))
    working.note()
    until(lambda: store.search.ids("word", ALL, 5) == [2, 1])


def test_a_stop_finishes_what_is_left(store: Store, working: Indexing) -> None:
    stored(store, *(record(f"r{n}", "word") for n in range(60)))
    store.search.index._most = 7
    working.stop()
    assert len(store.search.ids("word", ALL, 100)) == 60
    working.stop()


def test_a_stop_without_time_leaves_the_rest_to_the_next(store: Store, working: Indexing) -> None:
    stored(store, *(record(f"r{n}", "word") for n in range(60)))
    working.stop(0.0)
    assert store.search.check() == 0
    assert take_up_here(store, 10.0)
    assert len(store.search.ids("word", ALL, 100)) == 60


def test_a_finish_can_be_cut_short(store: Store, working: Indexing, monkeypatch: pytest.MonkeyPatch) -> None:
    asked = threading.Event()
    endless = store.search.index.take_up

    def one() -> int | None:
        asked.set()
        endless()
        return 0

    monkeypatch.setattr(store.search.index, "take_up", one)
    monkeypatch.setattr(store.search, "last_queued", lambda: 1)
    working.stop(60.0, asked.is_set)
    assert asked.is_set()
    assert not working._thread.is_alive()


def test_a_store_that_fails_is_told_once_and_tried_again(
    store: Store, working: Indexing, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(indexing, "RETRY_SECONDS", 0.01)
    monkeypatch.setattr(indexing, "LOOK_SECONDS", 0.01)
    plain, failures = store.search.last_queued, iter(range(5))

    def failing() -> int | None:
        if next(failures, None) is not None:
            raise StoreUnavailable("the disk is full")
        return plain()

    told, forget = lines()
    try:
        monkeypatch.setattr(store.search, "last_queued", failing)
        stored(store, record("a", "word"))
        working.note()
        until(lambda: store.search.ids("word", ALL, 5) == [1])
    finally:
        forget()
    assert [line for line in told if "disk is full" in line] == [
        "the search index has to wait, and is tried again: the disk is full"
    ]


def test_busy_writers_are_waited_for_but_not_for_ever(
    store: Store, working: Indexing, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(indexing, "PATIENCE_SECONDS", 0.2)
    monkeypatch.setattr(indexing, "QUIET_SECONDS", 0.02)
    numbers = iter(range(1, 1_000_000))
    # Something new each time it looks.
    monkeypatch.setattr(store.search, "last_queued", lambda: next(numbers))
    stored(store, record("a", "word"))
    working.note()
    until(lambda: store.search.ids("word", ALL, 5) == [1])


# -- in its places ----------------------------------------------------------------------------------------------------


@pytest.fixture
def script(monkeypatch: pytest.MonkeyPatch) -> Script:
    return install(monkeypatch)


def task(task_id: str = "t") -> Task:
    return Task(task_id, task_id, "scripted", config={"script": "s"})


def test_runs_in_the_foreground_leave_nothing_to_take_up(url: str, tmp_path: Path, script: Script) -> None:
    with open_store(url, tmp_path) as store:
        around = Surroundings(store, tmp_path, timedelta(seconds=30), str(this_process()))
        Foreground(around, [task()], 1).run()
        assert store.records.count() == 30
        assert (store.search.lag().records, store.search.check()) == (0, 0)


def test_a_scheduler_takes_up_what_its_runs_bring_and_a_stop_finishes(
    url: str, tmp_path: Path, script: Script
) -> None:
    scheduler = Scheduler(Config(base=tmp_path, store_url=url, tasks={"t": task()}))
    scheduler.start()
    try:
        scheduler.run_task_now("t")
        until(lambda: scheduler.store.records.count() == 30)
        until(lambda: scheduler.store.search.lag().records == 0)
        stored(scheduler.store, record("late", "zebra"))
    finally:
        scheduler.stop()
    with open_store(url, tmp_path) as store:
        assert len(store.search.ids("zebra", ALL, 5)) == 1
        assert store.search.check() == 0
