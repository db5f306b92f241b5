"""Budgets on both databases: gaps, connections and cool-downs hold for all who share the store."""

from __future__ import annotations

import threading
from dataclasses import replace
from datetime import timedelta

import pytest

from stoma.errors import HostWait, Stopped
from stoma.hosts import Grant, HostRule
from stoma.scheduler.owner import this_process
from stoma.stores import Store
from stoma.stores.hosts import Budgets
from tests.support.clock import Clock

HOLD, PATIENCE = timedelta(seconds=60), timedelta(seconds=30)
RULES = {"slow.example": HostRule(timedelta(seconds=3), 1), "two.example": HostRule(timedelta(0), 2)}


def budgets(store: Store, clock: Clock | None = None) -> Budgets:
    def wait(seconds: float) -> None:
        if clock is None:
            raise Stopped("enough")
        clock.forward(seconds=seconds)

    return Budgets(store.database, RULES, "me", wait)


def test_turns_are_a_gap_apart(store: Store, clock: Clock) -> None:
    mine = budgets(store)
    waits = []
    for _ in range(3):
        grant = mine.enter("slow.example", HOLD, PATIENCE)
        waits.append(grant.wait)
        mine.leave(grant)
    assert waits == [0.0, 3.0, 6.0]
    clock.forward(seconds=30)
    assert mine.enter("slow.example", HOLD, PATIENCE).wait == 0.0


def test_a_turn_too_far_away_gives_the_slot_back(store: Store, clock: Clock) -> None:
    mine = budgets(store)
    for _ in range(11):
        mine.leave(mine.enter("slow.example", HOLD, PATIENCE))
    with pytest.raises(HostWait) as caught:
        mine.enter("slow.example", HOLD, PATIENCE)
    assert caught.value.until == clock.now + timedelta(seconds=33)


def test_connections_are_counted_and_expire(store: Store, clock: Clock) -> None:
    mine = budgets(store)
    first = mine.enter("two.example", HOLD, PATIENCE)
    mine.enter("two.example", HOLD, PATIENCE)
    with pytest.raises(Stopped):
        mine.enter("two.example", HOLD, PATIENCE)
    mine.leave(first)
    mine.enter("two.example", HOLD, PATIENCE)
    with pytest.raises(Stopped):
        mine.enter("two.example", HOLD, PATIENCE)
    # Whoever held them was killed: they count until their time is over, and no longer.
    clock.forward(seconds=61)
    mine.enter("two.example", HOLD, PATIENCE)


def test_the_connections_of_a_killed_process_are_free_at_once(store: Store, clock: Clock) -> None:
    dead = replace(this_process(), started=this_process().started - 1)
    theirs = Budgets(store.database, RULES, str(dead), clock.forward)
    for _ in range(2):
        theirs.enter("two.example", timedelta(hours=1), PATIENCE)
    assert budgets(store, clock).enter("two.example", HOLD, PATIENCE).connection is not None


def test_waiting_for_a_connection_ends(store: Store, clock: Clock) -> None:
    mine = budgets(store, clock)
    for _ in range(2):
        mine.enter("two.example", timedelta(hours=1), PATIENCE)
    with pytest.raises(HostWait, match="no connection is free"):
        mine.enter("two.example", HOLD, PATIENCE)


def test_a_cool_down_holds_for_all_names_of_a_host(store: Store, clock: Clock) -> None:
    mine = budgets(store)
    until = clock.now + timedelta(minutes=5)
    mine.cool("rss.arxiv.org", until, "429 from the source")
    for name in ("export.arxiv.org", "oaipmh.arxiv.org"):
        with pytest.raises(HostWait, match="429 from the source") as caught:
            mine.enter(name, HOLD, PATIENCE)
        assert caught.value.until == until
    mine.cool("rss.arxiv.org", clock.now, "sooner is not later")
    with pytest.raises(HostWait):
        mine.enter("export.arxiv.org", HOLD, PATIENCE)
    clock.forward(minutes=5)
    mine.leave(mine.enter("export.arxiv.org", HOLD, PATIENCE))


def test_loopback_is_free_unless_it_asks_for_patience(store: Store, clock: Clock) -> None:
    mine = budgets(store)
    assert [mine.enter("127.0.0.1", HOLD, PATIENCE).connection for _ in range(5)] == [None] * 5
    mine.cool("127.0.0.1", clock.now + timedelta(seconds=90), "503")
    with pytest.raises(HostWait):
        mine.enter("127.0.0.1", HOLD, PATIENCE)


def test_threads_never_exceed_the_connections(store: Store) -> None:
    for _ in range(15):
        granted, refused = [], []
        together = threading.Barrier(4)

        def work(
            granted: list[Grant] = granted, refused: list[int] = refused, gate: threading.Barrier = together
        ) -> None:
            mine = budgets(store)
            gate.wait()
            try:
                granted.append(mine.enter("two.example", HOLD, PATIENCE))
            except Stopped:
                refused.append(1)

        threads = [threading.Thread(target=work) for _ in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert (len(granted), len(refused)) == (2, 2)
        for grant in granted:
            budgets(store).leave(grant)


def test_what_is_known_of_hosts(store: Store, clock: Clock) -> None:
    store.hosts.know({"two.example": 2, "slow.example": 1})
    budgets(store).enter("two.example", HOLD, PATIENCE)
    rows = {row["host"]: row for row in store.hosts.all(clock.now)}
    assert rows["two.example"]["in_use"] == 1
    assert rows["slow.example"]["concurrency"] == 1


def test_what_a_wrong_clock_left_does_not_stall_a_host(store: Store, clock: Clock) -> None:
    mine, right = budgets(store, clock), clock.now
    clock.forward(days=1000)
    mine.leave(mine.enter("slow.example", HOLD, PATIENCE))
    mine.cool("two.example", clock.now + timedelta(hours=1), "429")
    mine.cool("127.0.0.1", clock.now + timedelta(hours=1), "429")
    clock.now = right
    assert mine.enter("slow.example", HOLD, PATIENCE).wait == 0
    assert mine.enter("two.example", HOLD, PATIENCE).wait == 0
    mine.enter("127.0.0.1", HOLD, PATIENCE)
