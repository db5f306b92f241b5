"""Lists of records, newest first, on both databases; and that none of the questions reads a table from end to end."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta
from itertools import product
from typing import Any

import pytest

from stoma.errors import UsageError
from stoma.records import Record, sealed
from stoma.stores import Store
from stoma.stores.questions import EARLIEST, LATEST, Listed, Selection
from stoma.stores.records import Prepared, save
from tests.support.asked import plan
from tests.support.clock import Clock

KINDS, SOURCES, TASKS = ("paper", "entry"), ("a", "b"), ("one", "two")


def put(store: Store, *records: Record, task: str = "one", run: int = 1) -> None:
    with store.database.transaction() as tx:
        save(tx, Prepared.of(sealed(record) for record in records), task, run, store.now())


def fill(store: Store, clock: Clock) -> None:
    """Pages of several records at one instant, of all kinds, sources and tasks; some seen by a second task later."""
    number = 0
    for task, source, kind in list(product(TASKS, SOURCES, KINDS)) * 2:
        clock.forward(hours=1)
        page = [Record(source, str(number + extra), kind, title=f"{number}") for extra in range(3)]
        number += 3
        put(store, *page, task=task)
        if number % 2:
            clock.forward(hours=1)
            put(store, page[0], task="two")


def everything(store: Store, selection: Selection, limit: int) -> list[dict[str, Any]]:
    """All pages of a list."""
    found: list[dict[str, Any]] = []
    before: int | None = None
    while True:
        page = store.questions.listed(selection, before=before, limit=limit)
        assert len(page.rows) <= limit
        found += page.rows
        if page.next is None:
            return found
        before = page.next


def naive(store: Store, selection: Selection) -> list[int]:
    """The same list, made of every row."""
    with store.database.reader() as reader:
        rows = reader.all("record_newest", limit=10_000)
        seen = {
            (row["source"], row["external_id"]): at["first_seen_at"]
            for row in rows
            for at in reader.all("sightings_of", source=row["source"], external_id=row["external_id"])
            if at["task_id"] == selection.task
        }
    keep = [
        row
        for row in rows
        if selection.kind in (None, row["kind"])
        and selection.source in (None, row["source"])
        and (selection.since is None or row["first_seen_at"] >= selection.since)
        and (selection.until is None or row["first_seen_at"] < selection.until)
        and (selection.task is None or (row["source"], row["external_id"]) in seen)
    ]

    def newness(row: dict[str, Any]) -> tuple[datetime, int]:
        return seen.get((row["source"], row["external_id"]), row["first_seen_at"]), row["id"]

    return [row["id"] for row in sorted(keep, key=newness, reverse=True)]


def test_every_selection_in_pages_of_any_size(store: Store, clock: Clock) -> None:
    began = clock.now
    fill(store, clock)
    middle = began + timedelta(hours=9)
    cases = product(
        (None, "paper", "none"), (None, "a"), (None, "one", "two"), (None, middle), (None, middle)
    )
    for kind, source, task, since, until in cases:
        selection = Selection(kind, source, task, since, until)
        wanted = naive(store, selection)
        for limit in (1, 4, 1000):
            assert [row["id"] for row in everything(store, selection, limit)] == wanted, (selection, limit)


def test_an_empty_store_has_an_empty_list(store: Store) -> None:
    assert store.questions.listed(Selection()) == Listed([], None)
    assert store.questions.listed(Selection(source="a"), before=5) == Listed([], None)
    assert (store.questions.kinds(), store.questions.sources()) == ([], [])


def test_a_list_goes_on_behind_a_record_that_was_deleted(store: Store, clock: Clock) -> None:
    fill(store, clock)
    page = store.questions.listed(Selection(), limit=5)
    assert page.next is not None
    with store.database.transaction() as tx:
        connection: Any = tx._connection  # type: ignore[attr-defined]
        connection.execute(f"delete from records where id = {page.next}")
    following = store.questions.listed(Selection(), before=page.next, limit=5)
    assert [row["id"] for row in following.rows] == naive(store, Selection())[4:9]


def test_a_list_of_a_task_does_not_go_on_behind_what_it_never_saw(store: Store, clock: Clock) -> None:
    put(store, Record("a", "1", "paper"), task="one")
    with pytest.raises(UsageError, match="two has not seen a record 1"):
        store.questions.listed(Selection(task="two"), before=1)


def test_what_there_is(store: Store, clock: Clock) -> None:
    fill(store, clock)
    assert (store.questions.kinds(), store.questions.sources()) == (["entry", "paper"], ["a", "b"])


def test_a_record_that_changed_keeps_its_place(store: Store, clock: Clock) -> None:
    first, second = Record("a", "1", "paper"), Record("a", "2", "paper")
    put(store, first)
    clock.forward(hours=1)
    put(store, second)
    clock.forward(hours=1)
    put(store, replace(first, title="new"))
    assert [row["external_id"] for row in store.questions.listed(Selection()).rows] == ["2", "1"]


NOW = datetime.fromisoformat("2026-03-01T12:00:00Z")
WEEK = {"since": NOW - timedelta(days=7)}
OF_TASK, OF_KIND, OF_SOURCE = {"task_id": "task3"}, {"kind": "kind3"}, {"source": "source3"}
PAGE: dict[str, Any] = {"limit": 51, "at": LATEST, "since": EARLIEST}
PLACE: dict[str, Any] = {"at": NOW - timedelta(days=30), "below": 10_000}
MANY = {"most": 10_001}
MEASURE = {"source": "source3", "measure": "stars", "ids": ["bench.17"]}
TABLES = ("records", "record_versions", "sightings", "observations")

ASKED: list[tuple[str, dict[str, Any], str]] = [
    ("question_list", PAGE, "records_by_first_seen"),
    ("question_list", PAGE | PLACE, "records_by_first_seen"),
    ("question_list", PAGE | WEEK, "records_by_first_seen"),
    ("question_list_of_kind", PAGE | OF_KIND, "records_by_kind_seen"),
    ("question_list_of_kind", PAGE | {"kind": "rare"} | PLACE, "records_by_kind_seen"),
    ("question_list_of_source", PAGE | OF_KIND | OF_SOURCE | PLACE, "records_by_source_seen"),
    ("question_list_of_task", PAGE | OF_TASK | WEEK, "sightings_by_task_seen"),
    ("question_list_of_task", PAGE | OF_TASK | PLACE, "sightings_by_task_seen"),
    ("question_place_of_task", {"id": 5, **OF_TASK}, "records_pkey"),
    ("question_kinds", {}, "records_by_kind"),
    ("question_kinds", OF_SOURCE, "records_by_source_seen"),
    ("question_sources", {}, "records_by_source_seen"),
    ("question_count", OF_KIND | WEEK | MANY, "records_by_kind_seen"),
    ("question_count", OF_KIND | OF_SOURCE | WEEK | MANY, "records_by_source_seen"),
    ("question_count_of_task", OF_TASK | WEEK | MANY, "sightings_by_task_seen"),
    ("question_changed", PAGE | WEEK | MANY, "record_versions_by_time"),
    ("question_changed", PAGE | PLACE | WEEK | MANY | OF_SOURCE | OF_KIND, "record_versions_by_time"),
    ("question_changed_count", WEEK | MANY, "record_versions_by_time"),
    ("question_versions_since", WEEK | MANY, "record_versions_by_time"),
    ("question_said", WEEK | OF_SOURCE | {"ids": ["bench.17"]}, "record_versions_pkey"),
    ("question_some", OF_SOURCE | {"ids": ["bench.17"]}, "records_source_external_id_key"),
    ("measured_back_to", {"until": NOW, "count": 9_999}, "observations_by_time"),
    ("measured_next", {"before": NOW, "limit": 200}, "observations_by_time"),
    ("measured_then", MEASURE | {"at": NOW}, "observations_pkey"),
    ("story_by_id", {"external_id": "bench.17"}, "records_source_external_id_key"),
    ("story_before", OF_SOURCE | {"external_id": "bench.17"}, "records_source_external_id_key"),
    ("story_measures", OF_SOURCE | {"external_id": "bench.17"}, "observations_pkey"),
]  # fmt: skip
# An index by the name that SQLite has for it.
USED = {index: index for _, _, index in ASKED} | {
    "records_pkey": "INTEGER PRIMARY KEY",
    "records_source_external_id_key": "sqlite_autoindex_records_1",
    "record_versions_pkey": "sqlite_autoindex_record_versions_1",
    "observations_pkey": "sqlite_autoindex_observations_1",
}

FILL = """
insert into records (source, external_id, kind, title, summary, url, authors, tags, attributes, content_hash, version,
                     first_seen_at, last_seen_at)
select 'source' || n % 7, 'bench.' || n, case when n % 10000 = 5 then 'rare' else 'kind' || n % 5 end, 'Title',
    repeat('words ', 20), 'https://example.org', '[]', '[]', '{}', 'hash', 2,
    timestamptz '2026-03-01 12:00Z' - (40000 - n) / 1000 * interval '2 days', now()
from generate_series(1, 40000) as n;
insert into sightings select 'task' || n % 9, 'source' || n % 7, 'bench.' || n,
    timestamptz '2026-03-01 12:00Z' - (40000 - n) / 1000 * interval '2 days', now(), 1
from generate_series(1, 40000) as n;
insert into record_versions select source, external_id, 1, title, summary, url, '[]', '[]', null, null, '{}', 'old',
    first_seen_at + interval '1 hour', 1 from records where id % 4 = 0;
insert into observations select source, external_id, 'stars', id, first_seen_at, day
from records, generate_series(1, 2) as day where id % 2 = 0;
analyze;
"""


REPOSITORIES = """
insert into records (source, external_id, kind, title, summary, url, authors, tags, attributes, content_hash, version,
                     first_seen_at, last_seen_at)
select 'github', 'repository.' || n, 'repository', 'owner' || n % 100 || '/name' || n, 'words', 'https://example.org',
    '[]', '[]', '{}', 'hash', 1, timestamptz '2026-03-01 12:00Z' - (3000 - n) / 75 * interval '2 days', now()
from generate_series(1, 3000) as n;
analyze;
"""


def test_questions_look_into_indexes(store: Store) -> None:
    looked_into(store, FILL, ASKED)


def test_a_repository_is_looked_for_by_its_name(store: Store) -> None:
    # Among so many that it matters: of few, the planner may as well look through all of their kind.
    looked_into(
        store, REPOSITORIES, [("story_repository", {"full_name": "Owner7/Name7"}, "repositories_by_name")]
    )


def looked_into(store: Store, fill: str, asked: list[tuple[str, dict[str, Any], str]]) -> None:
    """Check that each statement uses its index, and reads no table from end to end."""
    if store.dialect == "postgres":
        with store.database.transaction() as tx:
            tx._connection.execute(fill)  # type: ignore[attr-defined]
    for name, values, index in asked:
        steps = plan(store, name, **values)
        told = f"{name} {values}:\n" + "\n".join(steps)
        if store.dialect == "sqlite":
            known = USED.get(index, index)
            # It has no statistics, so that an empty database gives the plan of a full one.
            assert any(step.endswith(known) or f"{known} (" in step for step in steps), told
            walks = [step for step in steps if step.startswith("SCAN") and "USING" not in step]
            assert {step.split()[1] for step in walks} <= {"v", "found", "counted", "wanted", "json_each"}, (
                told
            )
        else:
            assert not [step for step in steps if "Seq Scan" in step and step.split()[-1] in TABLES], told
            assert any(index in step for step in steps), told


@pytest.mark.parametrize("values", [{}, OF_SOURCE])
def test_measurements_are_brought_together_without_sorting_on_sqlite(
    store: Store, values: dict[str, Any]
) -> None:
    if store.dialect != "sqlite":
        pytest.skip("PostgreSQL sorts some thousand rows faster than it walks")
    [step] = plan(store, "measured", until=NOW, **WEEK, **values)
    assert step.startswith("SEARCH observations USING INDEX observations_by_time")
