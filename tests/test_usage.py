"""What this process costs, as it measures itself."""

from __future__ import annotations

import gc
import json
import threading
import time

import psutil
import pytest

from stoma.usage import MOST_YOUNG, Usage, expect_many_objects


def test_cpu_is_the_share_of_one_core_since_the_last_time() -> None:
    spent = iter([10.0, 10.05, 10.05, 20.05, 20.05])
    usage = Usage(lambda: next(spent))
    shares = [usage.measure(now)["cpu_percent"] for now in (100.0, 105.0, 110.0, 115.0, 125.0)]
    # Nothing to compare with; 0.05 s of 5 s; nothing; two cores; nothing.
    assert shares == [None, 1.0, 0.0, 200.0, 0.0]


def test_over_a_moment_a_share_says_nothing() -> None:
    spent = iter([0.0, 0.5, 0.5, 1.0])
    usage = Usage(lambda: next(spent))
    shares = [usage.measure(now)["cpu_percent"] for now in (0.0, 0.001, 5.0, 5.001)]
    assert shares == [None, None, 10.0, 10.0]


def test_work_shows() -> None:
    def work() -> None:
        began = time.thread_time()
        while time.thread_time() - began < 0.2:
            sum(range(1000))

    usage = Usage()
    usage.measure(0.0)
    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    # As if a second had passed: a fifth of it was spent, by whichever thread.
    assert usage.measure(1.0)["cpu_percent"] >= 20


def test_memory_and_threads_are_those_of_this_process() -> None:
    usage, done = Usage(), threading.Event()
    before = usage.measure(0.0)
    held = bytearray(b"x" * 40_000_000)
    threads = [threading.Thread(target=done.wait) for _ in range(3)]
    for thread in threads:
        thread.start()
    after = usage.measure(5.0)
    done.set()
    assert 30_000_000 < after["memory_bytes"] - before["memory_bytes"] < 60_000_000
    assert after["memory_bytes"] == pytest.approx(psutil.Process().memory_info().rss, rel=0.2)
    assert after["threads"] == before["threads"] + 3
    assert len(held) == 40_000_000
    assert json.loads(json.dumps(after)) == after
    for thread in threads:
        thread.join()


def test_a_system_that_does_not_tell_is_no_trouble(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> None:
        raise psutil.AccessDenied

    usage = Usage()
    monkeypatch.setattr(psutil, "Process", refuse)
    assert usage.measure(0.0) == {"memory_bytes": None, "cpu_percent": None, "threads": None}


def test_a_measurement_costs_less_than_a_millisecond() -> None:
    usage = Usage()
    usage.measure(0.0)
    costs = []
    for number in range(50):
        began = time.process_time()
        usage.measure(float(number))
        costs.append(time.process_time() - began)
    assert sorted(costs)[25] < 0.001


def test_the_collector_of_garbage_looks_less_often_where_pages_come() -> None:
    before = gc.get_threshold()
    try:
        expect_many_objects()
        assert gc.get_threshold() == (MOST_YOUNG, *before[1:])
    finally:
        gc.set_threshold(*before)
