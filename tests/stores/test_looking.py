"""What pages ask of runs and records, on both databases."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

from stoma.errors import NotFound
from stoma.records import Record
from stoma.scheduler.base import NewRun, Run, Span, TaskPriority, TaskStatus, backfill_scope, backfill_trigger
from stoma.stores import Store
from stoma.stores.logs import Line
from stoma.stores.looking import Wanted
from stoma.stores.runs import End
from tests.stores.test_questions import put
from tests.support.clock import Clock

LEASE = timedelta(minutes=5)
REPO = Record("github", "7", "repository", title="Ada/Stable", tags=("a",))


def queued(store: Store, task: str, trigger: str, scope: str = "live") -> Run:
    now = store.now()
    new = NewRun(task, trigger, TaskPriority.NORMAL, "h", scope=scope)
    return store.runs.add(new, now, owner="me", lease_until=now + LEASE)


def begun(store: Store, task: str, trigger: str, scope: str = "live") -> Run:
    now = store.now()
    run = store.runs.claim_one(queued(store, task, trigger, scope).id, "me", now, now + LEASE)
    assert run is not None
    return run


def ended(store: Store, run: Run, status: TaskStatus = TaskStatus.COMPLETED) -> Run:
    done = store.runs.end(run, End(status), store.now())
    assert done is not None
    return done


def ids(store: Store, wanted: Wanted, **given: int | bool) -> list[int]:
    return [run.id for run in store.looking.runs(wanted, **({"limit": 10} | given))]  # type: ignore[arg-type]


def test_runs_by_task_status_and_time(store: Store, clock: Clock) -> None:
    first = ended(store, begun(store, "a", "hand:1"))
    clock.forward(hours=1)
    failed = ended(store, begun(store, "a", "hand:2"), TaskStatus.FAILED)
    clock.forward(hours=1)
    other = ended(store, begun(store, "b", "hand:3"), TaskStatus.FAILED)
    running, waiting = begun(store, "a", "hand:4"), queued(store, "b", "hand:5")
    assert ids(store, Wanted()) == [waiting.id, running.id, other.id, failed.id, first.id]
    assert ids(store, Wanted(), only_final=True) == [other.id, failed.id, first.id]
    assert ids(store, Wanted("a"), only_final=True) == [failed.id, first.id]
    assert ids(store, Wanted(status="failed")) == [other.id, failed.id]
    assert ids(store, Wanted("a", "failed")) == [failed.id]
    assert ids(store, Wanted(status="running")) == [running.id]
    assert ids(store, Wanted("a", "pending")) == []
    assert ids(store, Wanted("b", "pending")) == [waiting.id]
    assert ids(store, Wanted(), below=other.id, limit=1) == [failed.id]
    assert [row["id"] for row in store.looking.bars(Wanted("a"), 10)] == [running.id, failed.id, first.id]
    assert [row["id"] for row in store.looking.bars(Wanted(status="running"), 10)] == [running.id]


def test_since_is_found_by_halving_also_where_runs_are_gone(store: Store, clock: Clock) -> None:
    assert ids(store, Wanted(since=clock.now)) == []
    began = clock.now
    made = []
    for number in range(9):
        made.append(ended(store, begun(store, "a", f"hand:{number}")).id)
        clock.forward(hours=1)
    with store.database.transaction() as tx:
        tx.execute("runs_forget", ids=[made[0], made[3], made[4], made[8]], before=clock.now)
    left = [run for run in made if run not in (made[0], made[3], made[4], made[8])]
    for hours in range(-1, 11):
        since = began + timedelta(hours=hours)
        wanted = [run for run in left if made.index(run) >= hours]
        assert ids(store, Wanted(since=since)) == wanted[::-1], hours
        assert ids(store, Wanted("a", "completed", since)) == wanted[::-1], hours


def test_the_windows_of_a_backfill_and_of_no_other(store: Store) -> None:
    def window(backfill: str, month: int) -> Run:
        span = Span.of(f"2026-{month:02d}-01..2026-{month:02d}-28")
        return queued(store, "a", backfill_trigger(backfill, span), backfill_scope(backfill))

    second, first = window("abcdefabcdef", 2), window("abcdefabcdef", 1)
    window("abcdefabcdee", 1), window("bbcdefabcdef", 1)
    assert [run.id for run in store.looking.windows(first)] == [first.id, second.id]
    assert store.looking.windows(queued(store, "a", "hand:1")) == []


def test_what_a_run_brought_and_changed(store: Store, clock: Clock) -> None:
    old = begun(store, "one", "hand:1")
    put(store, REPO, task="one", run=old.id)
    clock.forward(minutes=1)
    old = ended(store, old)
    clock.forward(minutes=1)
    run = begun(store, "one", "hand:2")
    assert store.looking.collected(run, store.now(), limit=5) == []
    clock.forward(minutes=1)
    put(store, replace(REPO, external_id="8"), replace(REPO, external_id="9"), task="one", run=run.id)
    put(store, replace(REPO, external_id="10"), task="two", run=99)
    put(store, replace(REPO, title="new"), task="one", run=run.id)
    run = ended(store, run)
    clock.forward(minutes=5)
    put(store, replace(REPO, title="newer"), replace(REPO, external_id="11"), task="one", run=run.id + 1)
    found = store.looking.collected(run, store.now(), limit=5)
    assert [row["external_id"] for row in found] == ["9", "8"]
    behind = store.looking.collected(run, store.now(), limit=5, below=found[0]["id"])
    assert [row["external_id"] for row in behind] == ["8"]
    assert store.looking.collected(run, store.now(), limit=5, below=10**9) == []
    assert [row["external_id"] for row in store.looking.collected(old, store.now(), limit=5)] == ["7"]
    changed = store.looking.changed(replace(run, changed=1), store.now(), limit=5)
    assert [row["external_id"] for row in changed] == ["7"]
    assert store.looking.changed(replace(old, changed=1), store.now(), limit=5) == []


def test_versions_are_told_some_at_a_time_newest_first(store: Store, clock: Clock) -> None:
    for number in range(1, 6):
        put(store, replace(REPO, title=f"title {number}"), run=number)
        clock.forward(days=1)
    found = store.looking.portrait("7", "github", limit=2)
    assert [version.row["version"] for version in found.versions] == [5, 4]
    assert [change.field for change in found.versions[1].changes] == ["title"]
    assert (found.versions[0].superseded_at, found.versions[1].run, found.next) == (None, 5, 4)
    behind = store.looking.portrait(f"#{found.row['id']}", below=4, limit=2)
    assert ([version.row["version"] for version in behind.versions], behind.next) == ([3, 2], 2)
    last = store.looking.portrait("7", below=2, limit=2)
    assert ([version.row["version"] for version in last.versions], last.next) == ([1], None)
    assert last.versions[0].changes == []
    assert last.versions[0].since == found.row["first_seen_at"]
    with pytest.raises(NotFound):
        store.looking.portrait("#999", limit=2)


def test_one_measure_of_a_record(store: Store, clock: Clock) -> None:
    for stars in (10, 30):
        put(store, replace(REPO, measures={"stars": stars, "forks": 1}))
        clock.forward(days=1)
    number = store.looking.portrait("7", limit=1).row["id"]
    found = store.looking.measured(number, "stars")
    assert found is not None
    assert [row["value"] for row in found.observations] == [10, 30]
    assert store.looking.measured(number, "nope") is None
    assert store.looking.measured(10**9, "stars") is None


def test_the_last_lines_of_a_log_in_their_order(store: Store) -> None:
    store.logs.add([Line(1, store.now(), "INFO", f"line {number}") for number in range(5)])
    lines = store.looking.log(1, limit=2)
    assert [line.message for line in lines] == ["line 3", "line 4"]
    assert [line.message for line in store.looking.log(1, limit=2, below=lines[0].id)] == ["line 1", "line 2"]


def test_figures_of_runs_that_are_over(store: Store, clock: Clock) -> None:
    ended(store, begun(store, "a", "hand:1"))
    begun(store, "a", "backfill:x/2026-01-01..2026-01-31", "backfill:x")
    last = ended(store, begun(store, "a", "hand:2"), TaskStatus.FAILED)
    begun(store, "a", "hand:3")
    found = store.looking.figures("a", 10)
    assert found[0]["id"] == last.id
    assert len(found) == 2
