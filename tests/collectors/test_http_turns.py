"""A source asks for patience while others wait for turns that were granted before; on both databases."""

from __future__ import annotations

import threading
from collections.abc import Callable
from datetime import datetime, timedelta

import pytest

from stoma.collectors.base import Deadline
from stoma.collectors.http import Clock, HttpClient
from stoma.errors import HostWait, SourceBusy
from stoma.hosts import HostRule
from stoma.stores import Store
from stoma.stores.hosts import Budgets
from tests.support.clock import Clock as StoreClock
from tests.support.server import Asked, Reply
from tests.support.world import HERE, Serve


class OnStore(Clock):
    """The client's time is that of the store; whoever waits lets it pass, or does what the test wants instead."""

    def __init__(self, clock: StoreClock) -> None:
        self.clock = clock
        self.waits: list[float] = []
        self.instead: Callable[[], object] | None = None

    def now(self) -> datetime:
        return self.clock.now

    def wait(self, stopping: threading.Event, seconds: float) -> bool:
        self.waits.append(seconds)
        if self.instead is None:
            self.clock.forward(seconds=seconds)
        else:
            self.instead()
        return False


RARE = {"127.0.0.1": HostRule(timedelta(seconds=3), 3)}


def on_store(store: Store, clock: StoreClock) -> tuple[HttpClient, OnStore]:
    """A client with the real budgets of a host that may be asked every 3 seconds, three times at once."""
    passing = OnStore(clock)
    budget = Budgets(store.database, RARE, "me", lambda seconds: clock.forward(seconds=seconds))
    deadline, stopping = Deadline(600, lambda: clock.now.timestamp()), threading.Event()
    return HttpClient(budget, "Stoma/test", deadline, stopping, clock=passing, named=HERE), passing


def test_nobody_asks_any_more(store: Store, clock: StoreClock, serve: Serve) -> None:
    # Given three who ask at once, of whom the first is answered when the two others have their turns
    begun, granted, answered = clock.now, threading.Barrier(3), threading.Event()
    ends: list[Exception] = []

    def later() -> None:
        client, passing = on_store(store, clock)
        passing.instead = lambda: (granted.wait(9), answered.wait(9))
        with client, pytest.raises((HostWait, SourceBusy)) as raised:
            client.get(server.url, parse=lambda r: r)
        ends.append(raised.value)

    others = [threading.Thread(target=later) for _ in range(2)]

    def handler(asked: Asked) -> Reply:
        if asked.number == 1:
            for other in others:
                other.start()
            granted.wait(9)
        return Reply(429, headers={"Retry-After": "120"})

    server = serve(handler)
    client, _ = on_store(store, clock)
    # When it is sent away for two minutes
    with client, pytest.raises(SourceBusy):
        client.get(server.url, parse=lambda r: r)
    clock.forward(seconds=6)
    answered.set()
    for other in others:
        other.join(9)
    # I expect that their turns come and are given back, not sent and not counted.
    assert len(server.requests) == 1
    assert [type(end) for end in ends] == [HostWait, HostWait]
    assert {end.until for end in ends if isinstance(end, HostWait)} == {begun + timedelta(seconds=120)}
    (row,) = store.hosts.all(clock.now)
    assert (row["asked"], row["busy"], row["failed"], row["in_use"]) == (1, 1, 0, 0)


def test_a_short_cool_down_is_waited_for_in_place(store: Store, clock: StoreClock, serve: Serve) -> None:
    begun, server = clock.now, serve(Reply(body=b"here"))
    client, passing = on_store(store, clock)
    with client:
        client.get(server.url, parse=lambda r: r)

        def cooled() -> None:
            client.cool("127.0.0.1", begun + timedelta(seconds=20), "429")
            clock.forward(seconds=3)
            passing.instead = None

        passing.instead = cooled
        assert client.get(server.url, parse=lambda r: r.fetched_at) == begun + timedelta(seconds=20)
    assert len(server.requests) == 2
    (row,) = store.hosts.all(clock.now)
    assert (row["asked"], row["in_use"]) == (2, 0)


def test_who_need_not_wait_does_not_look_again(
    store: Store, clock: StoreClock, serve: Serve, monkeypatch: pytest.MonkeyPatch
) -> None:
    looks: list[str] = []
    look = Budgets.is_cooling

    def is_cooling(self: Budgets, host: str) -> bool:
        looks.append(host)
        return look(self, host)

    monkeypatch.setattr(Budgets, "is_cooling", is_cooling)
    server = serve(Reply(body=b"here"))
    client, passing = on_store(store, clock)
    with client:
        client.get(server.url, parse=lambda r: r)
        assert looks == []
        client.get(server.url, parse=lambda r: r)
    assert (looks, passing.waits[-1]) == (["127.0.0.1"], 3)
