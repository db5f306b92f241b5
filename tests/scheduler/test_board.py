"""One looks for all who ask; what is shown is young, and what was changed is seen at once."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from stoma.errors import StoreUnavailable
from stoma.scheduler import board as module
from stoma.scheduler.base import Schedule, Task
from stoma.scheduler.board import BRIDGED_SECONDS, COUNT_REST, FRESH_SECONDS, REST, Board, Sight
from stoma.scheduler.config import Config
from stoma.stores import Store, open_store
from tests.support.clock import Clock
from tests.support.waiting import until


class Watched(Board):
    """Counts its looks; `gate` holds them up, and each takes `takes` seconds by the clock of the test."""

    def __init__(self, config: Config, store: Store) -> None:
        self.seconds = 100.0
        self.takes = 0.0
        self.looks = 0
        self.config = config
        self.gate = threading.Event()
        self.gate.set()
        self.fault: Exception | None = None
        super().__init__(lambda: self.config, store, lambda: self.seconds)

    def _look(self, config: Config) -> Sight:
        self.looks += 1
        assert self.gate.wait(10)
        self.seconds += self.takes
        if self.fault:
            raise self.fault
        return super()._look(config)


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    with open_store("sqlite:///stoma.db", tmp_path, clock=Clock()) as opened:
        yield opened


@pytest.fixture
def board(store: Store, tmp_path: Path) -> Watched:
    task = Task("one", "One", "arxiv", {"search_query": "x"}, (Schedule("daily_at_13:00"),))
    return Watched(Config(base=tmp_path, tasks={"one": task}), store)


def test_what_was_seen_is_shown_for_a_second(board: Watched) -> None:
    first = board.look()
    board.seconds += FRESH_SECONDS
    assert board.look() is first
    board.seconds += 0.01
    assert board.look() is not first
    assert board.looks == 2


def test_what_was_changed_is_seen_at_once(board: Watched) -> None:
    first = board.look()
    board.forget()
    assert board.look() is not first


def test_another_configuration_is_seen_at_once(board: Watched, tmp_path: Path) -> None:
    assert len(board.look().tasks) == 1
    board.config = Config(base=tmp_path)
    assert board.look().tasks == []


def test_what_goes_on_by_itself_is_seen_soon_but_looks_do_not_follow_one_another(board: Watched) -> None:
    board.takes = 0.005
    first = board.look()
    board.stir()
    board.seconds += 0.9 * REST * board.takes
    assert board.look() is first
    board.seconds += 0.2 * REST * board.takes
    assert board.look() is not first
    # What was stirred is seen: nobody looks again for it.
    board.seconds += 2 * REST * board.takes
    assert board.look() is board.look()
    assert board.looks == 2


def test_while_one_looks_the_others_are_shown_what_was_seen_before(board: Watched) -> None:
    first = board.look()
    board.gate.clear()
    board.seconds += BRIDGED_SECONDS - 0.5
    with ThreadPoolExecutor(2) as pool:
        looking = pool.submit(board.look)
        until(lambda: board.looks == 2)
        assert board.look() is first
        # That it was changed outweighs that somebody waits.
        board.forget()
        waiting = pool.submit(board.look)
        board.gate.set()
        assert looking.result(10) is not first
        assert waiting.result(10) is not looking.result()
    assert board.looks == 3


def test_what_is_too_old_is_waited_for(board: Watched) -> None:
    first = board.look()
    board.gate.clear()
    board.seconds += BRIDGED_SECONDS + 0.1
    with ThreadPoolExecutor(3) as pool:
        found = [pool.submit(board.look) for _ in range(3)]
        until(lambda: board.looks == 2)
        board.gate.set()
        sights = {id(one.result(10)) for one in found}
    assert len(sights) == 1
    assert id(first) not in sights
    assert board.looks == 2


def test_a_look_that_fails_is_told_and_tried_again(board: Watched) -> None:
    board.fault = StoreUnavailable("gone")
    with pytest.raises(StoreUnavailable):
        board.look()
    board.fault = None
    board.seconds += FRESH_SECONDS + 0.01
    assert len(board.look().tasks) == 1


def test_those_who_wait_for_a_look_that_fails_do_not_each_look_again(board: Watched) -> None:
    board.fault = StoreUnavailable("gone")
    board.takes = 5.0
    board.gate.clear()
    with ThreadPoolExecutor(6) as threads:
        found = [threads.submit(board.look) for _ in range(6)]
        until(lambda: board.looks == 1)
        board.gate.set()
        assert all(isinstance(one.exception(10), StoreUnavailable) for one in found)
    assert board.looks == 1
    assert board.latest() is None
    # A change shows that the store is there again.
    board.fault = None
    board.forget()
    assert board.look() is board.latest()
    board.fault = StoreUnavailable("gone")
    board.forget()
    with pytest.raises(StoreUnavailable):
        board.look()
    assert board.latest() is not None


def test_records_are_not_counted_more_often_than_that_is_worth(
    board: Watched, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    counted = []

    def count() -> dict[str, int]:
        counted.append(board.seconds)
        board.seconds += 0.2
        return {"paper": len(counted)}

    monkeypatch.setattr(store.records, "count_by_kind", count)
    for _ in range(20):
        board.forget()
        board.look()
        board.seconds += 1
    assert len(counted) == 2
    assert counted[1] - counted[0] > 0.2 * COUNT_REST
    assert board.look().status["records"] == {"paper": 2}


def test_an_answer_is_made_once_of_each_sight(board: Watched) -> None:
    sight = board.look()
    made = [sight.text("a", key, lambda key=key: {"key": key}) for key in (1, 1, 2)]
    assert made == [b'{"key":1}', b'{"key":1}', b'{"key":2}']
    assert made[0] is made[1]
    assert sight.text("b", 1, lambda: {"b": 1}) == b'{"b":1}'


def test_nobody_waits_for_long_for_what_another_one_sees(
    board: Watched, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "PATIENCE_SECONDS", 0.1)
    board.gate.clear()
    looking = threading.Thread(target=board.look)
    looking.start()
    until(lambda: board.looks)
    with pytest.raises(StoreUnavailable, match="has not answered"):
        board.look()
    board.gate.set()
    looking.join()
    assert board.look() is board.look()
