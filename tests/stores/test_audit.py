"""Rows of the audit: kept as they are, told newest first, deleted when they are old."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

from stoma.scheduler.keeping import Keeper
from stoma.scheduler.settings import Keep
from stoma.stores import Store
from stoma.stores.audit import DONE, REFUSED, Entry
from tests.support.clock import Clock


def entry(store: Store, **more: object) -> Entry:
    made = Entry(
        store.now(), "env:A", "http", "127.0.0.1", "pause", "", DONE, 200, {"path": "/pause", "n": [1]}
    )
    return replace(made, **more)  # type: ignore[arg-type]


def test_what_is_noted_is_told_newest_first(store: Store, clock: Clock) -> None:
    first, since = entry(store), store.now() + timedelta(hours=1)
    store.audit.add(first)
    clock.forward(hours=2)
    second = entry(store, via="cli", status=None, outcome=REFUSED)
    store.audit.add(second)
    found = store.audit.latest()
    assert [replace(one, id=0) for one in found] == [second, first]
    assert store.audit.latest(since=since) == found[:1]
    assert store.audit.latest(outcome=DONE) == found[1:]
    # Page by page, whatever is added meanwhile.
    store.audit.add(second)
    assert store.audit.latest(below=found[0].id, limit=1) == found[1:]


def test_rows_go_with_the_runs(store: Store, clock: Clock) -> None:
    store.audit.add(entry(store, target="old"))
    clock.forward(days=179)
    store.audit.add(entry(store, target="young"))
    Keeper(store).finish(Keep(), lambda gone: None)
    assert [one.target for one in store.audit.latest()] == ["young", "old"]
    clock.forward(days=2)
    gone = Keeper(store).finish(Keep(), lambda gone: None)
    assert gone["audit"] == 1
    assert [one.target for one in store.audit.latest()] == ["young"]
