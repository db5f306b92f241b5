"""What is due, and regular jobs whatever the local clock does."""

from __future__ import annotations

import time
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
import time_machine

from stoma.scheduler import patterns
from stoma.scheduler.ticker import Ticker

NOW = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)
HOUR = timedelta(hours=1)


@pytest.fixture
def ticker() -> Ticker:
    return Ticker()


def load(ticker: Ticker, **texts: str) -> None:
    ticker.load({i: [patterns.parse(text)] for i, text in texts.items()}, dict.fromkeys(texts, NOW))


def test_a_due_task_is_named_once_until_it_is_settled(ticker: Ticker) -> None:
    load(ticker, a="hourly", b="daily")
    assert ticker.tick(NOW) == []
    assert ticker.tick(NOW + HOUR) == ["a"]
    assert ticker.tick(NOW + HOUR) == []
    ticker.settled("a", NOW + HOUR)
    assert ticker.next_run("a") == NOW + 2 * HOUR
    assert ticker.tick(NOW + 2 * HOUR) == ["a"]


def test_what_could_not_be_settled_stays_due(ticker: Ticker) -> None:
    load(ticker, a="hourly")
    assert ticker.tick(NOW + HOUR) == ["a"]
    ticker.postponed("a")
    assert ticker.tick(NOW + HOUR) == ["a"]


def test_due_tasks_come_in_the_order_of_their_instants(ticker: Ticker) -> None:
    load(ticker, late="daily_at_15:00", early="daily_at_14:00")
    assert ticker.tick(NOW + 12 * HOUR) == ["early", "late"]


def test_loading_again_replaces_what_was_due(ticker: Ticker) -> None:
    load(ticker, a="hourly", b="hourly")
    load(ticker, b="hourly")
    assert ticker.tick(NOW + HOUR) == ["b"]
    assert ticker.next_run("a") is None


def test_it_sleeps_until_the_next_instant(ticker: Ticker) -> None:
    load(ticker, a="hourly")
    assert ticker.idle_seconds(NOW + HOUR - timedelta(seconds=0.25), most=1) == 0.25
    assert ticker.idle_seconds(NOW, most=1) == 1
    assert ticker.idle_seconds(NOW + 2 * HOUR, most=1) == 0


def test_jobs_ring_at_their_interval(ticker: Ticker) -> None:
    rung = []
    with time_machine.travel(NOW, tick=False) as clock:
        ticker.every(timedelta(seconds=5), "job", lambda: rung.append(1))
        for _ in range(20):
            clock.shift(1)
            ticker.ring()
    assert len(rung) == 4


def test_a_job_that_raises_is_called_again_and_starves_nobody(ticker: Ticker) -> None:
    rung = []

    def broken() -> None:
        rung.append("broken")
        raise RuntimeError("no")

    with time_machine.travel(NOW, tick=False) as clock:
        ticker.every(timedelta(seconds=1), "broken", broken)
        ticker.every(timedelta(seconds=1), "sound", lambda: rung.append("sound"))
        for _ in range(3):
            clock.shift(1)
            ticker.ring()
    assert sorted(rung) == ["broken"] * 3 + ["sound"] * 3


@pytest.mark.skipif(not hasattr(time, "tzset"), reason="the zone of a process cannot be changed here")
def test_jobs_go_on_when_the_local_clock_is_turned_back(
    ticker: Ticker, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TZ", "Europe/Berlin")
    time.tzset()
    rung = []
    try:
        before = datetime(2026, 10, 25, 0, 59, 50, tzinfo=UTC)
        # Handed over in that zone, or time_machine would set the zone of the process to UTC.
        # 02:59:50 summer time; ten seconds later it is 02:00:00 winter time.
        with time_machine.travel(before.astimezone(ZoneInfo("Europe/Berlin")), tick=False) as clock:
            ticker.every(timedelta(seconds=5), "job", lambda: rung.append(1))
            for _ in range(60):
                clock.shift(1)
                ticker.ring()
    finally:
        monkeypatch.undo()
        time.tzset()
    assert 11 <= len(rung) <= 13


def test_only_what_is_updated_is_touched(ticker: Ticker) -> None:
    load(ticker, a="hourly", b="hourly", c="daily")
    kept = ticker.next_run("b")
    daily = {"a": [patterns.parse("daily")]}
    for _ in range(300):
        ticker.update(daily, {"a": NOW}, ["c"])
        ticker.update({"a": [patterns.parse("hourly")]}, {"a": NOW}, [])
    assert ticker.next_run("b") is kept
    assert ticker.next_run("c") is None
    assert len(ticker._heap) < 200
    # However often it was updated, it is due once.
    assert ticker.tick(NOW + HOUR) == ["a", "b"]
