"""The view `entries` on both databases: entries in the words of feeds, whichever source they belong to."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, cast

from stoma.normalizers.feed import FeedNormalizer
from stoma.records import CollectorResult, Record, checked, sealed
from stoma.stores import Store
from stoma.stores.records import Outcome, Prepared, save
from tests.support.clock import Clock

ENTRY: dict[str, Any] = {
    "key": "k", "id": "k", "link": "https://x.org/1", "title": "T", "title_type": "text/plain",
    "summary": "s", "summary_type": "text/plain", "content": "<p>c</p>", "content_type": "text/html",
    "authors": ["A"], "tags": ["t"], "published": "2026-11-23T09:00:00Z", "updated": "2026-11-23T10:00:00Z",
    "comments": "https://x.org/1#c", "enclosures": [{"url": "https://x.org/a.mp3", "length": 5}],
    "measures": {"comments": 3},
}  # fmt: skip


def put(store: Store, *items: dict[str, Any], source: str = "blog", **config: Any) -> Outcome:
    result = CollectorResult(source, items, "http://x", store.now())
    normalizer = FeedNormalizer().prepared({"full_content": True, **config})
    made = list(cast("Iterable[Any]", normalizer.normalize(result)))
    records = [sealed(checked(one)) for one in made if isinstance(one, Record)]
    assert len(records) == len(made)
    with store.database.transaction() as tx:
        return save(tx, Prepared.of(records), "t", 1, store.now())


def entries(store: Store) -> list[dict[str, Any]]:
    with store.database.reader() as reader:
        return reader.all("entries_newest", limit=10)


def test_an_entry_in_the_words_of_feeds(store: Store, clock: Clock) -> None:
    put(store, ENTRY)
    clock.forward(hours=1)
    # More comments are measured again; they make no new version.
    assert put(store, ENTRY | {"measures": {"comments": 4}}) == Outcome(unchanged=1)
    [row] = entries(store)
    assert (row["source"], row["entry_id"], row["title"], row["summary"]) == ("blog", "k", "T", "s")
    assert (row["content"], row["content_type"]) == ("<p>c</p>", "text/html")
    assert (row["link"], row["comments_link"]) == ("https://x.org/1", "https://x.org/1#c")
    assert (row["authors"], row["categories"]) == (["A"], ["t"])
    assert row["enclosures"] == [{"url": "https://x.org/a.mp3", "length": 5}]
    assert (row["comments"], row["version"]) == (4, 1)
    assert row["published_at"].isoformat() == "2026-11-23T09:00:00+00:00"
    assert row["updated_at"].isoformat() == "2026-11-23T10:00:00+00:00"


def test_what_an_entry_lacks_is_null_and_other_kinds_are_none(store: Store) -> None:
    put(store, {"key": "bare", "title": "B"}, source="other", full_content=False)
    put(store, {"key": "sound", "title": "S"}, kind="episode")
    [row] = entries(store)
    assert (row["source"], row["entry_id"]) == ("other", "bare")
    missing = (
        "content",
        "content_type",
        "enclosures",
        "comments_link",
        "comments",
        "published_at",
        "updated_at",
    )
    assert {row[name] for name in missing} == {None}
