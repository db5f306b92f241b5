"""Raw pages in both databases: what is written, how it comes back, how it goes."""

from __future__ import annotations

import os
import zlib
from datetime import UTC, datetime, timedelta
from typing import Any

from stoma.records import Record
from stoma.stores import Store
from stoma.stores.raw import Answer, Attempt, Batch, judge_again, packed, save_raw, unpacked
from tests.support.clock import Clock

DAY = timedelta(days=1)
NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)


def attempt(run_id: int = 1, fence: int = 1, task: str = "t", began_at: datetime = NOON) -> Attempt:
    return Attempt(task, run_id, fence, "f" * 16, {"now": began_at.isoformat(), "cursor": None}, began_at)


def answer(body: bytes = b"body", status: int = 200) -> Answer:
    return Answer("key", "http://a/?q=1", status, {"etag": '"1"'}, zlib.compress(body), len(body), NOON)


def put(
    store: Store, one: Attempt, answers: list[Answer], *, keep_for: timedelta = DAY, given: int = 2
) -> None:
    keys = packed([("s", str(number)) for number in range(given)])
    batch = Batch(one, 0, answers, keys, True, one.began_at + keep_for)
    with store.database.transaction() as tx:
        save_raw(tx, batch, one.began_at)


def test_what_is_kept_comes_back(store: Store, clock: Clock) -> None:
    # Any byte, and more of them than a row of either database holds at once.
    body = os.urandom(3_000_000) + bytes(range(256))
    one = attempt()
    put(store, one, [answer(body), answer(b"", 404)])
    [found] = store.raw.attempts("t", NOON, clock.now)
    assert found == Attempt("t", 1, 1, "f" * 16, one.context, NOON)
    first, second = store.raw.answers(found)
    assert (first["status"], first["headers"], first["fetched_at"]) == (200, {"etag": '"1"'}, NOON)
    assert (first["url"], first["request"]) == ("http://a/?q=1", "key")
    assert store.raw.body(first["id"]) == body
    assert (second["status"], store.raw.body(second["id"])) == (404, b"")
    [given] = store.raw.given(found)
    assert (given.number, given.keys, given.saved_at) == (0, [("s", "0"), ("s", "1")], NOON)
    kept = store.raw.kept("t", clock.now)
    assert (kept.pages, kept.size, kept.oldest_at, kept.last_until) == (2, len(body), NOON, NOON + DAY)
    assert kept.bytes > 3_000_000


def test_the_newest_attempt_comes_first_and_others_tasks_do_not(store: Store, clock: Clock) -> None:
    put(store, attempt(1), [answer()])
    put(store, attempt(1, 2, began_at=NOON + timedelta(hours=2)), [answer()])
    put(store, attempt(2, began_at=NOON + timedelta(hours=1)), [answer()])
    put(store, attempt(3, task="other"), [answer()])
    found = store.raw.attempts("t", NOON, clock.now)
    assert [(one.run_id, one.fence) for one in found] == [(1, 2), (2, 1), (1, 1)]
    assert len(store.raw.attempts("t", NOON + timedelta(hours=1), clock.now)) == 2
    assert store.raw.kept("t", clock.now).pages == 3


def test_what_has_expired_is_not_replayed_and_goes_step_by_step(
    store: Store, clock: Clock, monkeypatch: Any
) -> None:
    put(store, attempt(1), [answer()] * 5)
    put(store, attempt(2), [answer()], keep_for=3 * DAY)
    assert store.raw.expire(clock.now, 2) == 0
    clock.forward(days=1)
    assert [one.run_id for one in store.raw.attempts("t", NOON, clock.now)] == [2]
    assert store.raw.kept("t", clock.now).pages == 1
    steps = [store.raw.expire(clock.now, 2) for _ in range(4)]
    # Two answers and what they gave, two more, the last one with the attempt itself, nothing.
    assert steps == [3, 2, 2, 0]
    assert len(store.raw.answers(attempt(2))) == 1
    clock.forward(days=2)
    assert store.raw.expire(clock.now, 2) == 3
    assert store.raw.kept("t", clock.now).pages == 0


def test_an_attempt_goes_behind_what_its_pages_gave(store: Store, clock: Clock, monkeypatch: Any) -> None:
    one = attempt()
    put(store, one, [answer()])
    with store.database.transaction() as tx:
        for number in (1, 2):
            save_raw(tx, Batch(one, number, [], packed([]), False, NOON + DAY), NOON)
    clock.forward(days=1)
    assert [store.raw.expire(clock.now, 1) for _ in range(4)] == [2, 1, 2, 0]


def test_keys_are_packed() -> None:
    keys = [("a", str(number)) for number in range(1000)] + [("b", "ü\0")]
    assert unpacked(packed(keys)) == keys
    assert len(packed(keys)) < 3_000


def test_what_counts_as_newer() -> None:
    def judged(**row: Any) -> list[str]:
        row = {"superseded_at": None, "changed_by": None, "seen_by": None, "content_hash": "b", **row}
        known = [{"external_id": "1", "last_seen_at": NOON, "first_seen_at": NOON, **row}]
        again = judge_again({"1": (Record("s", "1", "k"), "a")}, known, run_id=7, saved_at=NOON + DAY)
        return [name for name in ("new", "changed", "same", "newer") if getattr(again, name)]

    later = NOON + 2 * DAY
    assert judged() == ["changed"]
    assert judged(content_hash="a") == ["same"]
    # First stored behind the page: by another run, or by a replay of it.
    assert judged(first_seen_at=later, seen_by=8) == ["newer"]
    assert judged(first_seen_at=later, seen_by=7) == ["changed"]
    assert judged(superseded_at=later, changed_by=8, content_hash="a") == ["newer"]
    assert judged(superseded_at=later, changed_by=7) == ["changed"]
    assert judged(superseded_at=NOON, changed_by=8) == ["changed"]
