"""How much waits, on both databases."""

from __future__ import annotations

from datetime import timedelta

from stoma.scheduler.base import NewRun, TaskPriority, TaskStatus
from stoma.stores import Store
from stoma.stores.depths import depths, is_migrated
from stoma.stores.runs import End
from stoma.stores.schema import Migration, migrations


def new(task: str, trigger: str, **more: object) -> NewRun:
    return NewRun(task, trigger, TaskPriority.NORMAL, "hash", **more)  # type: ignore[arg-type]


def test_an_empty_store_has_nothing_that_waits(store: Store) -> None:
    found = depths(store.database, store.now())
    assert (found.pending, found.ready, found.leases, found.backfills, found.messages) == (0, 0, 0, 0, 0)
    assert (found.ready_at, found.completed_at, found.message_at, found.unindexed_at) == (None,) * 4


def test_what_waits_is_counted(store: Store) -> None:
    now = store.now()
    for task in ("a", "b", "c"):
        store.runs.add(new(task, "hand:1"), now)
    store.runs.add(new("d", "hand:1", not_before=now + timedelta(hours=1)), now)
    store.runs.add(new("e", "backfill:x/1", scope="backfill:x"), now)
    store.runs.add(new("e", "backfill:x/2", scope="backfill:x"), now)
    done = store.runs.claim("me", now, now + timedelta(minutes=1))
    assert done is not None
    store.runs.end(done, End(TaskStatus.COMPLETED), now)
    store.runs.claim("me", now, now + timedelta(minutes=1))
    found = depths(store.database, now + timedelta(seconds=5))
    assert (found.pending, found.running, found.interrupted) == (4, 1, 0)
    assert (found.ready, found.ready_at) == (3, now)
    assert (found.leases, found.expired) == (1, 0)
    assert (found.backfills, found.windows) == (1, 2)
    assert found.completed_at == now
    later = depths(store.database, now + timedelta(minutes=2))
    assert (later.leases, later.expired) == (0, 1)


def test_tables_of_an_older_program_are_noticed(store: Store) -> None:
    assert is_migrated(store.database)
    newer = Migration(9999, "newer", "", "0.0.0")
    assert not is_migrated(store.database, [*migrations(store.dialect), newer])
