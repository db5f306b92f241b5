"""What makes an entry the same one, from run to run."""

from __future__ import annotations

from typing import Any

import pytest

from stoma.collectors.feed_identity import MOST_KEPT, identified
from stoma.records import LONGEST_ID


def keys(*items: dict[str, Any], shared: list[str] | None = None) -> list[str | None]:
    return [item.get("key") for item in identified(items, shared or [])[0]]


def test_id_then_link_then_title_and_date_then_text():
    assert keys({"id": "a", "link": "http://x/1"}, {"link": "http://x/2"}) == ["a", "http://x/2"]
    [one] = keys({"title": "T", "published": "today", "summary": "s"})
    assert one
    assert one.startswith("hash:")
    assert keys({"title": "T", "published": "today", "summary": "mended"}) == [one]
    assert keys({"title": "T", "published": "tomorrow"}) != [one]
    [text] = keys({"summary": "s"})
    assert text
    assert keys({"summary": "other"}) != [text]
    assert keys({"authors": ["somebody"]}) == [None]


def test_what_comes_twice_counts_once_and_the_first_of_it():
    items, shared = identified([{"id": "a", "title": "new"}, {"id": "a", "title": "old"}], [])
    assert [item["title"] for item in items] == ["new"]
    assert shared == []


def test_one_id_of_several_is_told_apart_by_links_and_stays_so():
    first = {"id": "a", "link": "http://x/1"}
    second = {"id": "a", "link": "http://x/2"}
    items, shared = identified([first, second, {"id": "b", "link": "http://x/3"}], [])
    assert [item["key"] for item in items] == ["a http://x/1", "a http://x/2", "b"]
    # When the other has left the feed, this one keeps its key.
    assert keys(first, shared=shared) == ["a http://x/1"]
    assert identified([first], shared)[1] == shared


@pytest.mark.parametrize("name", [{"id": "a", "link": "http://x/1"}, {"link": "http://x/"}])
def test_and_by_dates_where_links_are_alike(name: dict[str, str]):
    items, shared = identified([name | {"published": "1 May"}, name | {"published": "2 May"}], [])
    assert len({item["key"] for item in items}) == 2
    assert keys(name | {"published": "2 May"}, shared=shared) == [items[1]["key"]]


def test_what_is_kept_of_shared_ids_has_a_bound():
    many = [{"id": str(n), "link": f"http://x/{k}"} for n in range(MOST_KEPT + 50) for k in (1, 2)]
    items, shared = identified(many, ["known"])
    assert len(shared) == MOST_KEPT
    # What is in the feed now is told apart all the same.
    assert len({item["key"] for item in items}) == len(many)


def test_a_key_fits_whatever_the_id_is():
    long, other = "x" * 600, "x" * 599 + "y"
    found = keys({"id": long}, {"id": other})
    assert len(set(found)) == 2
    assert all(key and len(key) <= LONGEST_ID for key in found)
