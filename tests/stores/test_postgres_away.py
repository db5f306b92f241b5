"""A PostgreSQL that is stopped and comes back: who asks meanwhile waits or is told, and goes on by itself."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from stoma.errors import StoreUnavailable
from stoma.stores import Store, open_store
from tests.support.away import Away


@pytest.fixture(scope="module")
def server() -> Iterator[Away]:
    made = Away()
    yield made
    made.close()


@pytest.fixture
def store(server: Away, tmp_path: Path) -> Iterator[Store]:
    with open_store(server.url, tmp_path, connections=4) as opened:
        yield opened


def use(store: Store) -> None:
    """Have several connections in the pool."""
    with store.database.reader() as one, store.database.reader() as two:
        one.all("nodes_all")
        two.all("nodes_all")


def test_what_died_while_nobody_looked_is_replaced_without_an_error(server: Away, store: Store) -> None:
    use(store)
    server.stop()
    server.start()
    use(store)
    store.agenda.enable("t", False, store.now())
    assert store.agenda.overrides() == {"t": False}


def test_who_asks_while_it_is_away_waits_for_it(server: Away, store: Store) -> None:
    use(store)
    server.stop()
    asked: list[object] = []
    asking = threading.Thread(target=lambda: asked.append(store.nodes.all()))
    asking.start()
    server.start()
    asking.join(10)
    assert asked == [[]]


def test_what_was_being_written_is_told_and_not_there(server: Away, store: Store) -> None:
    before = store.agenda.overrides()

    def write(task_id: str) -> None:
        tx.execute("override_set", task_id=task_id, enabled=True, now=now)

    now = store.now()
    with pytest.raises(StoreUnavailable, match=r"PostgreSQL at 127"), store.database.transaction() as tx:
        write("before")
        server.stop()
        server.start()
        write("after")
    assert store.agenda.overrides() == before
