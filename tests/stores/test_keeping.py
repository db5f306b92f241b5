"""What the store forgets, and what it keeps whatever its age, on both databases."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stoma.records import Record, sealed
from stoma.scheduler.base import NewRun, Run, Skip, SkipReason, TaskPriority, TaskStatus, backfill_scope
from stoma.stores import Store, open_store, validators
from stoma.stores.agenda import account, standing
from stoma.stores.base import statements
from stoma.stores.indexing import Index
from stoma.stores.keeping import OBSERVATIONS, RECORDS, RUNS, SKIPS, Sweep, midnight, thinned
from stoma.stores.logs import Line
from stoma.stores.records import OBSERVATION_COLUMNS, REJECT_COLUMNS, Prepared, save
from stoma.stores.runs import End
from tests.support.clock import Clock

DAY, HOUR = timedelta(days=1), timedelta(hours=1)
LEASE = timedelta(seconds=30)
COMPLETED, FAILED = TaskStatus.COMPLETED, TaskStatus.FAILED


@pytest.fixture(autouse=True)
def few(monkeypatch: pytest.MonkeyPatch) -> None:
    """Of each task the newest three runs stay."""
    monkeypatch.setattr("stoma.stores.keeping.NEWEST", 3)


def rows(store: Store, table: str, order: str) -> list[dict[str, Any]]:
    """A table as the store reads it."""
    texts: Any = statements(store.dialect)
    texts["of a test"] = f"select * from {table} order by {order}"
    try:
        with store.database.reader() as reader:
            return [dict(row) for row in reader.all("of a test")]
    finally:
        del texts["of a test"]
        getattr(store.database, "_idle", set()).clear()


def counted(store: Store, table: str) -> int:
    return len(rows(store, table, "1"))


def ran(
    store: Store,
    clock: Clock,
    task_id: str = "a",
    status: TaskStatus = COMPLETED,
    *,
    new: int = 0,
    **more: Any,
) -> Run:
    """A run that is over, and the clock a day on."""
    trigger = f"hand:{clock.now:%Y%m%d%H%M}{more.get('scope', '')}"
    store.runs.add(NewRun(task_id, trigger, TaskPriority.NORMAL, "0", **more), clock.now)
    run = store.runs.claim("me", clock.now, clock.now + LEASE)
    assert run is not None
    with store.database.transaction() as tx:
        counts = {"new": new, "changed": 0, "unchanged": 0, "fresh": new}
        tx.execute("run_page_outcome", id=run.id, **counts)
    ended = store.runs.end(run, End(status), clock.now)
    assert ended is not None
    clock.forward(days=1)
    return ended


def swept(store: Store, what: str, before: datetime, limit: int = 100) -> int:
    """What a whole sweep deletes, in steps of `limit` rows."""
    store.keeping.begin(what, before, store.now())
    gone = 0
    for _ in range(1000):
        sweep = store.keeping.sweeps()[what]
        step = store.keeping.sweep(sweep, before, store.now(), limit)
        gone += step.gone
        if not step.has_more:
            assert store.keeping.sweeps()[what].position is None
            return gone
    raise AssertionError("it has no end")


def left(store: Store, task_id: str = "a") -> list[int]:
    return sorted(run.id for run in store.runs.history(task_id))


@pytest.mark.parametrize("limit", [1, 2, 100])
def test_old_runs_go_with_their_tries_and_what_others_reckon_with_stays(
    store: Store, clock: Clock, limit: int
) -> None:
    first = ran(store, clock)
    news = ran(store, clock, new=1)
    gone = [ran(store, clock), ran(store, clock, status=FAILED)]
    completed = ran(store, clock)
    gone += [ran(store, clock, status=FAILED) for _ in range(3)]
    newest = [ran(store, clock, status=FAILED) for _ in range(3)]
    before = {
        "silence": store_since(store, clock),
        "seen_before": store.runs.standing("a", "live").seen_before,
    }
    assert swept(store, RUNS, clock.now, limit) == len(gone)
    assert left(store) == [run.id for run in (first, news, completed, *newest)]
    assert counted(store, "attempts") == 6
    assert before == {
        "silence": store_since(store, clock),
        "seen_before": store.runs.standing("a", "live").seen_before,
    }


def store_since(store: Store, clock: Clock) -> datetime:
    """Since when there was no news."""
    with store.database.reader() as reader:
        row = reader.one("news_last", task_id="a", now=clock.now)
    assert row is not None
    return row["since_at"]


def test_a_task_without_news_is_silent_since_its_first_run(store: Store, clock: Clock) -> None:
    ran(store, clock)
    since = store_since(store, clock)
    for _ in range(6):
        ran(store, clock)
    assert swept(store, RUNS, clock.now) == 3
    assert store_since(store, clock) == since


def test_runs_that_are_named_that_are_open_or_windows_of_backfills_stay(store: Store, clock: Clock) -> None:
    ran(store, clock)
    named = [ran(store, clock, status=FAILED) for _ in range(4)]
    window = ran(store, clock, status=FAILED, scope=backfill_scope("x"))
    old = ran(store, clock, status=FAILED)
    again = store.runs.again(ran(store, clock, status=FAILED).id, clock.now)
    gone = {"task_id": "a", "fingerprint": "f", "run_id": named[3].id, "now": clock.now}
    with store.database.transaction() as tx:
        tx.execute("cursor_move", **gone | {"position": {}, "run_id": named[0].id})
        tx.execute(
            "progress_save", **gone | {"scope": "live", "window": {}, "page": {}, "run_id": named[1].id}
        )
        tx.execute(
            "upstream_ended", task_id="b", upstream="a", run_id=named[2].id, status="failed", now=clock.now
        )
        tx.execute("gone_note", reason="410", **gone)
    store.runs.settle(again, TaskStatus.CANCELLED, "", clock.now + DAY)
    for _ in range(4):
        ran(store, clock, status=FAILED)
    # One is not old enough by then: it was begun again, and is over since a short time ago.
    assert swept(store, RUNS, again.created_at + HOUR) == 1
    assert old.id not in left(store)
    assert {run.id for run in [*named, window, again]} <= set(left(store))


def test_a_run_that_is_begun_again_between_the_look_and_the_end_of_it_stays(
    store: Store, clock: Clock
) -> None:
    ended = [ran(store, clock, status=FAILED) for _ in range(6)]
    looked = store.keeping.look(RUNS, [], clock.now, clock.now, 100)
    assert [row["id"] for row in looked.old] == [ended[1].id, ended[2].id]
    store.runs.again(ended[1].id, clock.now)
    with store.database.transaction() as tx:
        ids = [row["id"] for row in looked.old]
        assert tx.execute("runs_forget", ids=ids, before=clock.now) == 1
        tx.execute("attempts_forget", ids=ids)
    assert ended[1].id in left(store)
    assert len(store.runs.attempts(ended[1].id)) == 1


def test_each_task_keeps_its_own(store: Store, clock: Clock) -> None:
    for _ in range(5):
        ran(store, clock, "a", FAILED)
        ran(store, clock, "b", FAILED)
    assert swept(store, RUNS, clock.now, 2) == 2
    assert (len(left(store, "a")), len(left(store, "b"))) == (4, 4)


def test_a_sweep_ends_where_nothing_behind_it_can_be_old(store: Store, clock: Clock) -> None:
    for _ in range(5):
        ran(store, clock, status=FAILED)
    looked = store.keeping.look(RUNS, [], clock.now - 4 * DAY, clock.now, 2)
    assert (looked.old, looked.position) == ([], None)
    # It reads no further, however many there are.
    assert store.keeping.look(RUNS, [], clock.now, clock.now, 2).position is not None


def test_what_a_clock_wrote_that_was_ahead_does_not_end_a_sweep(store: Store, clock: Clock) -> None:
    right = clock.now
    clock.forward(days=3650)
    for _ in range(3):
        ran(store, clock, status=FAILED)
    put(store, record(1))
    clock.now = right
    for _ in range(5):
        ran(store, clock, status=FAILED)
    put(store, record(2))
    clock.forward(days=2)
    # By 3 runs at a time: the first step sees nothing but those of the clock that was ahead.
    assert swept(store, RUNS, clock.now, 3) == 2
    assert swept(store, RECORDS, clock.now - DAY, 1) == 1


def test_what_a_clock_reached_that_was_ahead_is_given_up(store: Store, clock: Clock) -> None:
    for _ in range(9):
        ran(store, clock, status=FAILED)
    right = clock.now
    store.keeping.begin(RUNS, right + 1000 * DAY, right + 1180 * DAY)
    sweep = store.keeping.sweeps()[RUNS]
    # All that lies behind us may be gone; what is yet to come is not.
    assert store.keeping.kept_since(right) == right
    # One that is under way deletes no more than the clock of now allows.
    assert store.keeping.sweep(sweep, right - 5 * DAY, right, 100).gone == 3
    store.keeping.begin(RUNS, right - 2 * DAY, right)
    assert store.keeping.sweeps()[RUNS].before == right - 2 * DAY == store.keeping.kept_since(right)


def test_skips_go_but_not_the_last_one_nor_one_that_may_grow(store: Store, clock: Clock) -> None:
    start = clock.now
    store.agenda.adopt({"a": "x", "b": "x"}, start)
    for number in range(4):
        for task_id, reason in (("a", f"{number}"), ("b", "the same")):
            at = start + number * DAY
            with store.database.transaction() as tx:
                before = standing(tx, task_id, "x")
                assert before is not None
                account(tx, before, at, [], [Skip(at, at, 1, SkipReason.BLOCKED, reason)], at)
    assert swept(store, SKIPS, start + 30 * DAY, 2) == 3
    assert [row["detail"] for row in store.agenda.skips("a")] == ["3"]
    assert [row["count"] for row in store.agenda.skips("b")] == [4]


def test_only_one_of_two_processes_makes_a_step(store: Store, clock: Clock) -> None:
    for _ in range(9):
        ran(store, clock, status=FAILED)
    store.keeping.begin(RUNS, clock.now, clock.now)
    mine = store.keeping.sweeps()[RUNS]
    assert store.keeping.sweep(mine, clock.now, clock.now, 4).gone == 3
    theirs = store.keeping.sweep(mine, clock.now, clock.now, 4)
    # There may be more behind it.
    assert (theirs.gone, theirs.has_more) == (0, True)
    assert store.keeping.sweeps()[RUNS] == Sweep(RUNS, [4], clock.now, 1)


def test_more_that_is_kept_holds_at_once_and_a_limit_once_reached_stays_known(
    store: Store, clock: Clock
) -> None:
    for _ in range(9):
        ran(store, clock, status=FAILED)
    assert store.keeping.kept_since(clock.now) is None
    store.keeping.begin(RUNS, clock.now, clock.now)
    sweep = store.keeping.sweeps()[RUNS]
    assert store.keeping.sweep(sweep, clock.now - 30 * DAY, clock.now, 100).gone == 0
    store.keeping.begin(RUNS, clock.now - 30 * DAY, clock.now)
    assert store.keeping.kept_since(clock.now) == clock.now


def test_a_sweep_goes_no_further_than_is_known_of_it(store: Store, clock: Clock) -> None:
    for _ in range(9):
        ran(store, clock, status=FAILED)
    # It was begun some days ago, so what is told of it is the limit of then.
    store.keeping.begin(RUNS, clock.now - 5 * DAY, clock.now)
    sweep = store.keeping.sweeps()[RUNS]
    assert store.keeping.sweep(sweep, clock.now, clock.now, 100).gone == 3
    assert store.keeping.kept_since(clock.now) == clock.now - 5 * DAY


# -- what is logged and rejected -------------------------------------------------------------------------------


@pytest.mark.parametrize("what", ["logs", "rejects"])
def test_the_oldest_lines_and_rejects_go_some_at_a_time(store: Store, clock: Clock, what: str) -> None:
    def add(at: datetime) -> None:
        if what == "logs":
            store.logs.add([Line(1, at, "INFO", "x")])
        else:
            with store.database.transaction() as tx:
                tx.insert("rejects", REJECT_COLUMNS, [("a", 1, "x", "why", {"item": 1}, at)])

    start = clock.now
    # A clock that was ahead has written the first.
    add(start + 3650 * DAY)
    for number in range(5):
        add(start + number * DAY)
    now = start + 5 * DAY
    before = start + 3 * DAY
    assert store.keeping.count_old(what, before=before) == 3
    steps = [store.keeping.expire(what, before, now, 2) for _ in range(2)]
    assert [(step.gone, step.has_more) for step in steps] == [(2, True), (1, False)]
    table, column = ("run_logs", "logged_at") if what == "logs" else ("rejects", "rejected_at")
    stays = [start + days * DAY for days in (3, 4, 3650)]
    assert [row[column] for row in rows(store, table, column)] == stays
    # By a clock that is behind, until somebody has told it the time, all that is stored has still to come.
    long_ago = start - 365 * DAY
    assert store.keeping.expire(what, long_ago, long_ago + DAY, 100).gone == 0


# -- observations ----------------------------------------------------------------------------------------------

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)
SERIES = st.sampled_from([("s", "1", "stars"), ("s", "1", "forks"), ("s", "2", "stars"), ("t", "1", "stars")])
MEASURED = st.lists(st.tuples(SERIES, st.integers(0, 24 * 6)), max_size=60, unique=True)


def observed(measured: Sequence[Any]) -> list[dict[str, Any]]:
    return [
        dict(
            zip(OBSERVATION_COLUMNS, (*series, float(hours), NOON + hours * HOUR, hours), strict=True),
        )
        for series, hours in sorted(measured)
    ]


def expected(found: Sequence[dict[str, Any]], before: datetime) -> list[dict[str, Any]]:
    """What stays, told in another way."""
    stays = []
    for row in found:
        alike = [other for other in found if series(other) == series(row)]
        same_day = [other for other in alike if other["observed_at"].date() == row["observed_at"].date()]
        if row["observed_at"] >= before or row in (alike[0], same_day[-1]):
            stays.append(row)
    return stays


def series(row: dict[str, Any]) -> tuple[str, ...]:
    return row["source"], row["external_id"], row["measure"]


@given(MEASURED, st.integers(0, 7), st.integers(1, 7))
def test_of_each_day_the_last_stays_and_the_first_ever(measured: Sequence[Any], days: int, size: int) -> None:
    found, before = observed(measured), midnight(NOON + days * DAY)
    gone: list[dict[str, Any]] = []
    last: Sequence[Any] = ()
    # In pieces, as the store hands them in: each has one row of the next.
    for start in range(0, len(found), size):
        piece = found[start : start + size + 1]
        gone += thinned(piece, before, last)
        last = [*series(found[min(start + size, len(found)) - 1])]
    assert [row for row in found if row not in gone] == expected(found, before)


@pytest.mark.parametrize("size", [1, 3, 100])
def test_observations_are_thinned_in_the_store(store: Store, size: int) -> None:
    hours = (0, 1, 5, 13, 14, 30, 38, 39, 40, 90, 91)
    found = observed([((source, "1", "stars"), hour) for source in ("s", "t") for hour in hours])
    with store.database.transaction() as tx:
        tx.insert("observations", OBSERVATION_COLUMNS, [list(row.values()) for row in found])
    before = midnight(NOON + 3 * DAY)
    kept = expected(found, before)
    assert swept(store, OBSERVATIONS, before, size) == len(found) - len(kept) == 10
    assert rows(store, "observations", "source, observed_at") == kept
    assert swept(store, OBSERVATIONS, before + 2 * DAY, size) == 2


# -- records ---------------------------------------------------------------------------------------------------


def record(number: int, title: str = "title", source: str = "s") -> Record:
    return Record(source, f"{number}", "paper", title, url="https://example.org", measures={"stars": 1.0})


def put(store: Store, *records: Record, task: str = "a", run: int = 1) -> None:
    with store.database.transaction() as tx:
        save(tx, Prepared.of(sealed(one) for one in records), task, run, store.now())


@pytest.mark.parametrize("limit", [2, 100])
def test_records_not_seen_for_so_long_go_with_all_that_is_known_of_them(
    store: Store, clock: Clock, limit: int
) -> None:
    for version in range(5):
        put(store, *(record(n, f"title {version}", s) for n in range(3) for s in ("s", "t")), run=version)
        clock.forward(days=2)
    put(store, record(1, "title 4"), task="b", run=9)
    before = clock.now - DAY
    assert swept(store, RECORDS, before, limit) == 5
    assert [(row["source"], row["external_id"]) for row in rows(store, "records", "id")] == [("s", "1")]
    for table, count in (("record_versions", 4), ("sightings", 2), ("observations", 6)):
        assert counted(store, table) == count, table
    # Seen again, it is new.
    put(store, record(2))
    assert store.records.get("s", "2") is not None
    assert store.records.versions("s", "2") == []


def test_one_that_is_seen_between_the_look_and_the_end_of_it_stays(store: Store, clock: Clock) -> None:
    put(store, record(1, "as it was"), record(2, "as it was"))
    put(store, record(1), record(2), run=2)
    clock.forward(days=10)
    looked = store.keeping.look(RECORDS, [], clock.now - DAY, clock.now, 100)
    assert len(looked.old) == 2
    put(store, record(1))
    with store.database.transaction() as tx:
        which = {"ids": [row["id"] for row in looked.old], "before": clock.now - DAY}
        assert tx.execute("record_observations_forget", limit=100, **which) == 2
        assert [row["id"] for row in tx.all("records_hold", **which)] == [looked.old[1]["id"]]
        assert tx.execute("record_versions_forget", **which) == 1
        assert tx.execute("record_sightings_forget", **which) == 1
        assert tx.execute("records_forget", **which) == 1
    assert [row["external_id"] for row in rows(store, "records", "id")] == ["1"]
    assert len(store.records.versions("s", "1")) == 1


def test_the_source_of_a_record_that_goes_is_asked_as_if_for_the_first_time(
    store: Store, clock: Clock
) -> None:
    put(store, record(1), task="a")
    clock.forward(days=10)
    put(store, record(2), task="b")
    with store.database.transaction() as tx:
        for task in ("a", "b"):
            validators.replace(tx, task, [(task, "GET x", "f", '"etag"', "", 1, 1, clock.now)])
    assert swept(store, RECORDS, clock.now - DAY) == 1
    # It would go on to answer "not modified", and the record would never come back.
    assert store.validators.of_task("a") == []
    assert len(store.validators.of_task("b")) == 1


def test_nobody_waits_for_whoever_saves_records_of_the_source(
    postgres_url: str, tmp_path: Path, clock: Clock
) -> None:
    with (
        open_store(postgres_url, tmp_path, clock=clock) as store,
        open_store(postgres_url, tmp_path, clock=clock) as other,
    ):
        put(store, record(1))
        clock.forward(days=10)
        before = clock.now - DAY
        store.keeping.begin(RECORDS, before, clock.now)
        sweep = store.keeping.sweeps()[RECORDS]
        with other.database.transaction() as saving:
            saving.lock("records s")
            step = store.keeping.sweep(sweep, before, clock.now, 100, is_patient=False)
        # The next one begins at the same row.
        assert (step.gone, step.has_more) == (0, False)
        assert store.keeping.sweeps()[RECORDS] == sweep
        assert store.keeping.sweep(sweep, before, clock.now, 100, is_patient=False).gone == 1


def test_whoever_has_time_waits_for_whoever_saves_records(
    postgres_url: str, tmp_path: Path, clock: Clock
) -> None:
    with (
        open_store(postgres_url, tmp_path, clock=clock) as store,
        open_store(postgres_url, tmp_path, clock=clock) as other,
    ):
        put(store, record(1))
        clock.forward(days=10)
        gone: list[int] = []
        with other.database.transaction() as saving:
            saving.lock("records s")
            thread = threading.Thread(target=lambda: gone.append(swept(store, RECORDS, clock.now - DAY)))
            thread.start()
            thread.join(0.3)
            assert gone == []
            assert counted(other, "records") == 1
        thread.join()
        assert gone == [1]


def test_its_words_go_with_a_record(store: Store, clock: Clock) -> None:
    put(store, record(1), replace(record(2), title="other"))
    [first, second] = [row["id"] for row in rows(store, "records", "id")]
    index = Index(store.database)
    while index.take_up() is not None:
        pass
    assert counted(store, "search_entries") == 2
    clock.forward(days=10)
    put(store, replace(record(2), title="other"))
    assert swept(store, RECORDS, clock.now - DAY) == 1
    assert first not in [row["record_id"] for row in rows(store, "search_entries", "record_id")]
    assert second != first
