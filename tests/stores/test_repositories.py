"""The view `repositories`: what both modes of github know about a repository is one record and one row of it."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from stoma.normalizers import make
from stoma.records import CollectorResult, Record, sealed
from stoma.scheduler.merging import merged
from stoma.stores import Store
from stoma.stores.records import Outcome, Prepared, save
from tests.support.clock import Clock

ROW = {
    "rank": 2, "list": "daily", "full_name": "Owner/Name", "id": 7, "description": "What it is", "language": "Rust",
    "stars": 1500, "forks": 12, "period": "daily", "period_stars": 300,
}  # fmt: skip
ITEM = {
    "id": 7, "full_name": "Owner/Name", "html_url": "https://github.com/Owner/Name", "description": "What it is",
    "language": "Rust", "stargazers_count": 1510, "forks_count": 13, "open_issues_count": 4,
    "created_at": "2020-05-06T07:08:09Z", "pushed_at": "2026-05-07T04:00:56Z", "homepage": "https://name.rs",
    "topics": ["b", "a"], "license": {"spdx_id": "MIT"}, "fork": False, "archived": True,
}  # fmt: skip


def put(store: Store, *items: dict[str, Any]) -> Outcome:
    """Save items of either mode as a run would."""
    normalizer = make("github")
    given = normalizer.normalize(CollectorResult("github", items, "http://x/", store.now()))
    assert all(isinstance(record, Record) for record in given)
    wanted = merged(normalizer, [sealed(record) for record in given], store.records)
    with store.database.transaction() as tx:
        return save(tx, Prepared.of(wanted), "t", 1, store.now())


def repositories(store: Store) -> list[dict[str, Any]]:
    with store.database.reader() as reader:
        return reader.all("repositories_newest", limit=100)


def changes(outcome: Outcome) -> tuple[int, int, int]:
    return outcome.new, outcome.changed, outcome.unchanged


def test_what_is_trending(store: Store, clock: Clock) -> None:
    put(store, ROW)
    [row] = repositories(store)
    assert row == {
        "id": row["id"], "github_id": 7, "full_name": "Owner/Name", "owner": "Owner", "name": "Name",
        "description": "What it is", "language": "Rust", "url": "https://github.com/Owner/Name",
        "stars": 1500, "forks": 12, "version": 1, "first_seen_at": clock.now, "last_seen_at": clock.now,
        "topics": None, "license": None, "homepage": None, "is_fork": None, "is_archived": None,
        "open_issues": None, "created_at": None, "pushed_at": None, "external_id": "7", "default_branch": None,
        "is_template": None, "size_kb": None, "stars_daily": 300,
    }  # fmt: skip


def test_what_a_search_adds_stays_when_it_is_trending_again(store: Store, clock: Clock) -> None:
    put(store, ROW)
    clock.forward(hours=1)
    # One record, which says more than before.
    assert changes(put(store, ITEM)) == (0, 1, 0)
    clock.forward(hours=1)
    assert changes(put(store, ROW | {"stars": 1520})) == (0, 0, 1)
    clock.forward(hours=1)
    assert changes(put(store, ITEM | {"stargazers_count": 1520})) == (0, 0, 1)
    assert store.records.count() == 1
    [row] = repositories(store)
    assert (row["stars"], row["forks"], row["open_issues"], row["version"]) == (1520, 13, 4, 2)
    assert (row["topics"], row["license"], row["homepage"]) == (["b", "a"], "MIT", "https://name.rs")
    assert (row["is_fork"], row["is_archived"]) == (False, True)
    assert row["created_at"] == datetime(2020, 5, 6, 7, 8, 9, tzinfo=UTC)
    assert row["pushed_at"] == datetime(2026, 5, 7, 4, 0, 56, tzinfo=UTC)
    with store.database.reader() as reader:
        measured = reader.all("observations_of", source="github", external_id="7")
    assert [one["value"] for one in measured if one["measure"] == "stars"] == [1500, 1510, 1520, 1520]
    [before] = store.records.versions("github", "7")
    assert (before["tags"], before["published_at"]) == (["Rust"], None)


def test_what_a_search_says_is_gone_is_gone_from_the_view(store: Store, clock: Clock) -> None:
    put(store, ITEM)
    clock.forward(hours=1)
    assert changes(put(store, ITEM | {"topics": [], "license": None, "homepage": ""})) == (0, 1, 0)
    clock.forward(hours=1)
    put(store, ROW)
    [row] = repositories(store)
    # No topics is something else than topics that nobody told.
    assert (row["topics"], row["license"], row["homepage"], row["is_archived"]) == ([], None, None, True)


def test_a_new_name_is_a_new_version_of_the_same(store: Store, clock: Clock) -> None:
    put(store, ITEM)
    clock.forward(hours=1)
    put(store, ITEM | {"full_name": "Else/Where", "html_url": "https://github.com/Else/Where"})
    [row] = repositories(store)
    assert (row["full_name"], row["version"]) == ("Else/Where", 2)
    [before] = store.records.versions("github", "7")
    assert before["title"] == "Owner/Name"


def test_a_new_name_that_the_other_mode_brings_is_the_same_too(store: Store, clock: Clock) -> None:
    put(store, ROW)
    clock.forward(hours=1)
    put(store, ITEM | {"full_name": "Else/Where", "html_url": "https://github.com/Else/Where"})
    # And somebody else takes the name that became free.
    put(store, ROW | {"id": 8, "stars": 3})
    found = {row["github_id"]: row for row in repositories(store)}
    assert {number: row["full_name"] for number, row in found.items()} == {7: "Else/Where", 8: "Owner/Name"}
    assert [found[number]["stars"] for number in (7, 8)] == [1510, 3]


def test_a_row_without_number_shows_until_the_number_is_known(store: Store) -> None:
    nameless = {name: value for name, value in ROW.items() if name != "id"}
    put(store, nameless, nameless | {"full_name": "other/one"})
    assert [(row["github_id"], row["full_name"]) for row in repositories(store)] == [
        (None, "other/one"),
        (None, "Owner/Name"),
    ]
    put(store, ITEM)
    assert {(row["github_id"], row["full_name"]) for row in repositories(store)} == {
        (7, "Owner/Name"),
        (None, "other/one"),
    }
    # It was hidden, not lost.
    assert store.records.get("github", "owner/name") is not None


def test_records_of_other_kinds_are_none(store: Store) -> None:
    papers = [
        Record("arxiv", "7", "repository"),
        Record("github", "8", "other"),
        # As they were written before there was one record.
        Record("github", "details:7", "repository_details", tags=("a",)),
    ]
    with store.database.transaction() as tx:
        save(tx, Prepared.of(sealed(record) for record in papers), "t", 1, store.now())
    assert repositories(store) == []


def test_the_newest_are_found_by_index(store: Store, url: str) -> None:
    put(store, *[ITEM | {"id": number, "full_name": f"o/n{number}"} for number in range(1, 2000)])
    put(store, *[{"rank": 1, "full_name": f"O/N{number}"} for number in range(1900, 2100)])
    with store.database.reader() as reader:
        assert len(reader.all("repositories_newest", limit=3000)) == 2099
    ask = "explain query plan" if url.startswith("sqlite") else "explain"
    database: Any = store.database
    with database.reader() as reader:
        rows = reader._connection.execute(f"{ask} select * from repositories order by id desc limit 20")
        plan = "\n".join(str(tuple(row.values()) if isinstance(row, dict) else tuple(row)) for row in rows)
    # Each measure by the key of its record, a name without its case by its own index.
    assert plan.count("observations_pkey" if ask == "explain" else "sqlite_autoindex_observations_1") == 6
    assert "repositories_by_name" in plan
    assert not [word for word in ("Seq Scan", "SCAN", "TEMP B-TREE") if word in plan], plan
