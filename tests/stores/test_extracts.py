"""Which rows an export gets, from both databases."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from itertools import chain
from pathlib import Path
from typing import Any

import pytest

from stoma.errors import UsageError
from stoma.formats import Cells
from stoma.stores import Store, open_store
from stoma.stores.base import chosen, statements
from stoma.stores.extracts import (
    BATCH_CHARACTERS,
    LEAST_ROWS,
    MOST_ROWS,
    WINDOW,
    Extract,
    Wanted,
    next_size,
)
from stoma.stores.questions import RECORD_FIELDS, Selection
from stoma.stores.views import KINDS, RECORDS, VIEWS
from tests.support.clock import Clock
from tests.support.exports import every_kind, plain, put

PYTHON = {
    "integer": int, "text": str, "number": float, "boolean": bool, "instant": str, "texts": str, "json": str,
}  # fmt: skip


def rows(store: Store, **wanted: Any) -> list[Cells]:
    return list(chain.from_iterable(Extract(store, Wanted(**wanted)).batches()))


def names(store: Store, **selection: Any) -> list[str]:
    """The external ids of a selection."""
    return [row[2] for row in rows(store, selection=Selection(**selection))]


def indexed(store: Store) -> None:
    while store.search.index.take_up() is not None:
        pass


def test_records_have_the_fields_that_are_told_everywhere(store: Store) -> None:
    assert tuple(column.name for column in RECORDS) == RECORD_FIELDS


@pytest.mark.parametrize("view", VIEWS)
def test_the_columns_of_views_are_those_they_have(store: Store, view: str) -> None:
    put(store, every_kind())
    with store.database.reader() as reader:
        [*_, shown] = reader.all(f"{view}_newest", limit=10)
    assert [column.name for column in VIEWS[view]] == list(shown), "stoma/stores/views.py names the columns"
    found = rows(store, view=view)
    assert len(found) >= 1
    for row in found:
        for column, cell in zip(VIEWS[view], row, strict=True):
            assert cell is None or type(cell) is PYTHON[column.type], column
    # Nothing that the view shows is lost on the way.
    whole = dict(zip((column.name for column in VIEWS[view]), found[0], strict=True))
    assert {name for name, cell in whole.items() if cell is None} == {
        name for name, value in shown.items() if value is None
    }


def test_both_databases_tell_the_same(tmp_path: Path, clock: Clock, postgres_url: str) -> None:
    told = []
    for url in ("sqlite:///a.db", postgres_url):
        with open_store(url, tmp_path, clock=clock) as one:
            # One after the other, so that they get the same numbers.
            for record in every_kind():
                put(one, [record])
            told.append({view: rows(one, view=view) for view in (None, *VIEWS)})
    for view in told[0]:
        assert told[0][view] == told[1][view]
    assert [len(found) for found in told[0].values()] == [9, 2, 2, 1, 1, 1]


def test_a_selection(store: Store, clock: Clock) -> None:
    began = clock.now
    put(store, plain(3))
    clock.forward(hours=1)
    put(store, [*plain(1, 4, kind="other"), *plain(1, 5, source="s2")], task="t2")
    clock.forward(hours=1)
    put(store, plain(1, 6), task="t2")
    assert names(store) == ["1", "2", "3", "4", "5", "6"]
    assert names(store, kind="item") == ["1", "2", "3", "5", "6"]
    assert names(store, source="s2") == ["5"]
    assert names(store, task="t2") == ["4", "5", "6"]
    assert names(store, task="t2", kind="item", source="s") == ["6"]
    # `since` itself is in, `until` is not.
    hour = timedelta(hours=1)
    assert names(store, since=began + hour) == ["4", "5", "6"]
    assert names(store, until=began + hour) == ["1", "2", "3"]
    assert names(store, since=began + hour, until=began + 2 * hour) == ["4", "5"]
    assert names(store, since=began + 9 * hour) == []
    assert names(store, kind="nothing") == []


def test_numbers_and_times_need_not_go_together(store: Store, clock: Clock) -> None:
    began, hour = clock.now, timedelta(hours=1)
    for number, hours in enumerate((1, 2, 1, 2), 1):
        clock.now = began + hours * hour
        put(store, plain(1, number))
    assert names(store, since=began + 2 * hour) == ["2", "4"]
    assert names(store, until=began + 2 * hour) == ["1", "3"]


def test_the_kind_of_a_view_is_its_own(store: Store) -> None:
    put(store, every_kind())
    for view, kind in KINDS.items():
        numbers = {row[0] for row in rows(store, selection=Selection(kind=kind))}
        assert {row[0] for row in rows(store, view=view)} == numbers
    assert rows(store, view="papers", selection=Selection(source="github")) == []
    assert len(rows(store, view="papers", selection=Selection(source="arxiv", task="t"))) == 2


def test_what_comes_later_is_left_out_and_nobody_is_held_up(store: Store) -> None:
    put(store, plain(50))
    extract = Extract(store, Wanted())
    batches = extract.batches()
    found = [row[2] for row in next(batches)]
    assert 0 < len(found) < 50
    assert 0 < (extract.share or 0) < 1
    # Between two batches no transaction is open, so that anybody may write, and SQLite's WAL may shrink.
    put(store, plain(5, 51))
    if store.dialect == "postgres":
        assert busy_sessions(store) == 0
    found += [row[2] for batch in batches for row in batch]
    assert found == [str(n) for n in range(1, 51)]
    assert extract.share == 1


def busy_sessions(store: Store) -> int:
    database: Any = store.database
    with database._pool.connection() as connection:
        row = connection.execute(
            "select count(*) as count from pg_stat_activity"
            " where datname = current_database() and state like 'idle in transaction%'"
        ).fetchone()
    return int(row["count"])


def test_gaps_of_any_size_are_jumped(store: Store) -> None:
    put(store, plain(3))
    far_away(store, 10**12)
    put(store, plain(1, 4, source="s2"))
    assert names(store) == ["1", "2", "3", "4"]
    assert names(store, kind="item") == ["1", "2", "3", "4"]
    assert names(store, kind="nothing") == []
    assert names(store, source="s2") == ["4"]


def far_away(store: Store, number: int) -> None:
    """The next record gets a number far behind the others, as where all between them was deleted."""
    database: Any = store.database
    if store.dialect == "sqlite":
        with store.database.transaction():
            database._writer.execute("update sqlite_sequence set seq = ? where name = 'records'", (number,))
        return
    with database._pool.connection() as connection:
        connection.execute(f"alter sequence records_id_seq restart with {number}")


def test_a_query_finds_all_its_hits_newest_first(store: Store) -> None:
    put(store, [*plain(700), *plain(3, 701, summary="rare")])
    indexed(store)
    found = rows(store, query="title")
    assert [row[2] for row in found] == [str(n) for n in range(703, 0, -1)]
    assert [row[2] for row in rows(store, query="rare -703")] == ["702", "701"]
    assert rows(store, query="rare", selection=Selection(kind="other")) == []
    assert rows(store, query="nothing") == []
    assert Extract(store, Wanted(query="rare")).share is None
    with pytest.raises(UsageError, match="asks for nothing"):
        Extract(store, Wanted(query="  "))


def test_a_query_in_the_columns_of_a_view(store: Store) -> None:
    put(store, every_kind())
    indexed(store)
    assert [row[1] for row in rows(store, view="entries", query="T")] == ["blog"]
    assert rows(store, view="papers", query="blog") == []


@pytest.mark.parametrize(
    ("size", "length", "following"),
    [
        (LEAST_ROWS, 100, 2 * LEAST_ROWS),
        (MOST_ROWS, 100, MOST_ROWS),
        (MOST_ROWS, BATCH_CHARACTERS // 100, 100),
        (MOST_ROWS, BATCH_CHARACTERS, LEAST_ROWS),
        (100, 0, 200),
    ],
)
def test_large_rows_are_read_a_few_at_a_time(size: int, length: int, following: int) -> None:
    assert next_size(size, [("x" * length, 1, None)] * size) == following


def test_no_rows_say_nothing_of_their_size() -> None:
    assert next_size(77, []) == 77


def test_instants_are_told_as_everywhere(store: Store, clock: Clock) -> None:
    put(store, every_kind())
    by_name = {column.name: index for index, column in enumerate(RECORDS)}
    found = {row[2]: row for row in rows(store)}
    paper = found["2605.00001"]
    assert paper[by_name["published_at"]] == "2026-05-06T07:08:09Z"
    assert paper[by_name["updated_at"]] == "2026-05-06T07:08:09.000120Z"
    assert found["n"][by_name["published_at"]] == "0001-02-03T04:05:06.000700Z"
    assert datetime.fromisoformat(paper[by_name["first_seen_at"]]) == clock.now


def test_a_window_is_wider_than_a_batch() -> None:
    assert MOST_ROWS <= WINDOW


@pytest.mark.parametrize(
    ("given", "used"),
    [
        ({}, "INTEGER PRIMARY KEY (rowid>? AND rowid<?)"),
        ({"source": "s"}, "INTEGER PRIMARY KEY (rowid>? AND rowid<?)"),
        ({"since": "x", "until": "y"}, "INTEGER PRIMARY KEY (rowid>? AND rowid<?)"),
        ({"task_id": "t"}, "INTEGER PRIMARY KEY (rowid>? AND rowid<?)"),
        ({"kind": "k"}, "records_by_kind (kind=? AND id>? AND id<?)"),
    ],
)
def test_a_window_is_all_that_is_looked_at(tmp_path: Path, given: dict[str, str], used: str) -> None:
    with open_store("sqlite:///a.db", tmp_path) as store:
        [first, *others] = plan(store, "export_ids", {"after": 0, "upto": 9} | given)
        assert used in first
        assert not [step for step in others if "SCAN" in step]
        for view in VIEWS:
            for numbers in ({"ids": "[1]"}, {"first": 1, "last": 9}):
                steps = plan(store, f"export_{view}", numbers)
                assert not [step for step in steps if "SCAN" in step and "json_each" not in step]


def plan(store: Store, name: str, values: Mapping[str, Any]) -> list[str]:
    database: Any = store.database
    text = chosen(statements("sqlite")[name], values)
    return [row[3] for row in database._writer.execute(f"explain query plan {text}", values)]
