"""The log lines of runs on both databases."""

from __future__ import annotations

from datetime import timedelta

import pytest

from stoma.stores import Store
from stoma.stores.logs import Line
from tests.support.clock import Clock


def test_lines_come_back_in_the_order_they_were_logged(store: Store, clock: Clock) -> None:
    later = clock.now + timedelta(seconds=1)
    store.logs.add([Line(7, later, "INFO", "one"), Line(8, clock.now, "INFO", "of another run")])
    store.logs.add([Line(7, clock.now, "WARNING", "two\nof them")])
    found = store.logs.of_run(7)
    assert [(line.logged_at, line.level, line.message) for line in found] == [
        (later, "INFO", "one"),
        (clock.now, "WARNING", "two\nof them"),
    ]
    assert [line.message for line in store.logs.of_run(7, above=found[0].id)] == ["two\nof them"]
    assert [line.message for line in store.logs.of_run(7, limit=1)] == ["one"]
    assert store.logs.of_run(9) == []


def test_all_lines_are_written_or_none(store: Store, clock: Clock) -> None:
    broken = Line(7, None, "INFO", "without a time")
    with pytest.raises(Exception, match=r"(?i)null"):
        store.logs.add([Line(7, clock.now, "INFO", "one"), broken])
    assert store.logs.of_run(7) == []
