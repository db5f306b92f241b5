"""Budgets on both databases: gaps, connections and cool-downs hold for all who share the store."""

from __future__ import annotations

import json
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from stoma.errors import HostWait, Stopped, StoreUnavailable
from stoma.hosts import ANSWERED, Allowance, Grant, HostRule, Outcome
from stoma.scheduler.base import NewRun, TaskPriority, TaskStatus
from stoma.scheduler.owner import this_process
from stoma.stores import Store, open_store
from stoma.stores.hosts import Budgets
from stoma.stores.runs import End
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


@pytest.mark.parametrize("host", ["slow.example", "127.0.0.1"])
def test_a_short_cool_down_is_waited_for_in_place(store: Store, clock: Clock, host: str) -> None:
    mine, begun = budgets(store, clock), clock.now
    mine.cool(host, begun + PATIENCE, "it allows no more requests until then")
    grant = mine.enter(host, HOLD, PATIENCE)
    assert (grant.wait, clock.now) == (0, begun + PATIENCE)
    mine.leave(grant)
    # The turn counts from then on.
    if host == "slow.example":
        assert mine.enter(host, HOLD, PATIENCE).wait == 3
    mine.cool(host, clock.now + PATIENCE + timedelta(seconds=1), "429")
    with pytest.raises(HostWait, match="429"):
        mine.enter(host, HOLD, PATIENCE)


def test_a_short_cool_down_ends_with_a_stop(store: Store, clock: Clock) -> None:
    for host in ("slow.example", "127.0.0.1"):
        budgets(store).cool(host, clock.now + timedelta(seconds=9), "429")
        with pytest.raises(Stopped):
            budgets(store).enter(host, HOLD, PATIENCE)


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


def known(store: Store, clock: Clock, host: str) -> dict[str, Any]:
    return {row["host"]: row for row in store.hosts.all(clock.now)}[host]


def test_what_became_of_requests_is_counted(store: Store, clock: Clock) -> None:
    mine, begun = budgets(store, clock), clock.now
    told = Allowance(3, 60, clock.now + timedelta(minutes=5))
    for outcome in (
        ANSWERED,
        Outcome(is_unmodified=True),
        Outcome(is_busy=True),
        Outcome(is_failed=True, told=told),
        # Its turn came, but nothing was sent.
        Outcome(is_sent=False),
    ):
        mine.leave(mine.enter("two.example", HOLD, PATIENCE), outcome)
        clock.forward(seconds=10)
    row = known(store, clock, "two.example")
    assert {name: row[name] for name in ("asked", "unmodified", "busy", "failed", "in_use")} == {
        "asked": 4, "unmodified": 1, "busy": 1, "failed": 1, "in_use": 0,
    }  # fmt: skip
    assert row["last_asked_at"] == begun + timedelta(seconds=40)
    assert (row["told_remaining"], row["told_limit"], row["told_reset_at"]) == (3, 60, told.reset_at)


def test_a_request_to_a_host_with_a_budget_costs_two_transactions(
    store: Store, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    begun = counting(store, monkeypatch)
    mine = budgets(store)
    for outcome in (ANSWERED, Outcome(is_unmodified=True, told=Allowance(1, 2, clock.now))):
        mine.leave(mine.enter("slow.example", HOLD, PATIENCE), outcome)
    mine.close()
    # As many as without counting: one for the turn, one for giving the connection back.
    assert len(begun) == 4


def test_a_request_to_a_free_host_costs_none(
    store: Store, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    begun = counting(store, monkeypatch)
    mine, told = budgets(store), Allowance(8, None, None)
    for _ in range(5):
        mine.leave(mine.enter("127.0.0.1", HOLD, PATIENCE), Outcome(is_unmodified=True, told=told))
    mine.leave(mine.enter("localhost", HOLD, PATIENCE))
    assert begun == []
    # They are written together when the client is closed.
    mine.close()
    mine.close()
    assert len(begun) == 1
    row = known(store, clock, "127.0.0.1")
    assert (row["asked"], row["unmodified"], row["told_remaining"]) == (5, 5, 8)
    assert row["last_asked_at"] == clock.now
    assert known(store, clock, "localhost")["asked"] == 1


def test_a_store_that_cannot_count_does_not_fail_the_run(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    mine = budgets(store)
    mine.leave(mine.enter("127.0.0.1", HOLD, PATIENCE))

    def gone() -> None:
        raise StoreUnavailable("no space")

    monkeypatch.setattr(store.database, "transaction", gone)
    mine.close()


def counting(store: Store, monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Grows with each transaction of the store."""
    begun: list[int] = []
    real: Callable[[], Any] = store.database.transaction

    @contextmanager
    def transaction() -> Iterator[Any]:
        begun.append(1)
        with real() as tx:
            yield tx

    monkeypatch.setattr(store.database, "transaction", transaction)
    return begun


def test_a_cool_down_that_is_ended_by_hand(store: Store, clock: Clock) -> None:
    mine, until = budgets(store), clock.now + timedelta(minutes=5)
    waiting = []
    for number, (host, reason) in enumerate(
        (("two.example", "host busy"), ("two.example", "sooner"), ("slow.example", "host busy"))
    ):
        not_before = until if reason == "host busy" else clock.now + timedelta(minutes=1)
        store.runs.add(NewRun(f"t{number}", "hand:1", TaskPriority.NORMAL, "0", host=host), clock.now)
        claimed = store.runs.claim("me", clock.now, clock.now + timedelta(seconds=30))
        assert claimed is not None
        store.runs.end(claimed, End(TaskStatus.PENDING, reason, None, not_before, is_try=False), clock.now)
        waiting.append(claimed.id)
    mine.cool("two.example", until, "it answered 429")
    assert store.hosts.warm("two.example") == (until, "it answered 429", 1)
    assert store.runs.get(waiting[0]).not_before is None
    assert None not in [store.runs.get(number).not_before for number in waiting[1:]]
    mine.leave(mine.enter("two.example", HOLD, PATIENCE))
    assert store.hosts.warm("two.example") is None
    assert store.hosts.warm("never.example") is None


CHILD = """\
import json, sys
from datetime import datetime, timedelta
from pathlib import Path
from stoma.hosts import HostRule
from stoma.scheduler.owner import this_process
from stoma.stores import open_store
from stoma.stores.hosts import Budgets

url, base, number, now, gap, concurrency, leaves = json.loads(sys.argv[1])
clock = (lambda: datetime.fromisoformat(now)) if now else None
with open_store(url, Path(base), clock=clock) as store:
    rules = {"shared.example": HostRule(timedelta(seconds=gap), concurrency)}
    mine = Budgets(store.database, rules, str(this_process()), lambda seconds: None)
    waits = []
    for _ in range(number):
        grant = mine.enter("shared.example", timedelta(hours=1), timedelta(minutes=1))
        waits.append(grant.wait)
        if leaves:
            mine.leave(grant)
    print(json.dumps(waits), flush=True)
    sys.stdin.read()
"""


@contextmanager
def processes(count: int, *given: Any) -> Iterator[list[subprocess.Popen[str]]]:
    """Real processes that ask for turns at the same time, and stay until their input ends."""
    command = [sys.executable, "-c", CHILD, json.dumps(given)]
    started = [
        subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        for _ in range(count)
    ]
    try:
        yield started
    finally:
        for one in started:
            one.kill()
            one.communicate()


def told(process: subprocess.Popen[str]) -> list[float]:
    assert process.stdout is not None
    waits: list[float] = json.loads(process.stdout.readline())
    return waits


def test_no_turn_is_given_to_two_processes(url: str, tmp_path: Path, store: Store, clock: Clock) -> None:
    with processes(2, url, str(tmp_path), 15, clock.now.isoformat(), 0.5, None, True) as both:
        waits = [wait for process in both for wait in told(process)]
    assert sorted(waits) == [0.5 * number for number in range(30)]


def test_what_a_killed_process_holds_is_free_at_once(url: str, tmp_path: Path) -> None:
    # Given a process that holds both connections of a host for an hour
    with (
        processes(1, url, str(tmp_path), 2, None, 0, 2, False) as (other,),
        open_store(url, tmp_path) as store,
    ):
        assert told(other) == [0, 0]
        rules = {"shared.example": HostRule(timedelta(0), 2)}

        def wait(seconds: float) -> None:
            raise Stopped("no connection is free")

        mine = Budgets(store.database, rules, str(this_process()), wait)
        with pytest.raises(Stopped):
            mine.enter("shared.example", HOLD, PATIENCE)
        # When it is killed in the middle
        other.kill()
        other.wait()
        # I expect that the next who asks sees it: at the first look its connections are taken from it.
        with pytest.raises(Stopped):
            mine.enter("shared.example", HOLD, PATIENCE)
        assert mine.enter("shared.example", HOLD, PATIENCE).connection is not None
        (row,) = store.hosts.all(datetime.now(UTC))
        assert (row["in_use"], row["asked"]) == (1, 3)
