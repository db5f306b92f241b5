"""Whatever a task declares, the stand-in answers so that the true collector gets its pages."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from stoma import collectors, normalizers
from stoma.collectors.base import Span
from stoma.demo.inverse import Unplayable, placed
from stoma.demo.standin import StandIn
from stoma.records import CollectorResult, Record
from tests.support.budget import START
from tests.support.world import World

URL = "https://api.example.org/v1/things?kind=odd"
SHAPED = {
    "items": "data.results",
    "key": ["meta.kind", "meta.number"],
    "fields": {
        "title": "names[0].text", "url": "links.html", "authors": "people[].name", "published_at": "made",
        "price": {"path": "cost", "cast": "int"}, "joined": "join(', ', a)", "strange": "length(b)",
    },
    "measures": {"stars": "stats.stars"},
}  # fmt: skip


@pytest.fixture(scope="module")
def standin() -> Iterator[StandIn]:
    with StandIn(now=START, per_second=10_000) as standin:
        yield standin


@pytest.fixture
def world() -> Iterator[World]:
    world = World()
    yield world
    for client in world.clients:
        client.close()


def collected(
    standin: StandIn, world: World, config: dict[str, Any], **more: Any
) -> tuple[list[CollectorResult], list[Record]]:
    given = {"url": URL, **config}
    base_url = standin.url_for("http_json", "things", given)
    assert base_url is not None
    pages = world.collect(collectors.make("http_json"), given | {"base_url": base_url}, **more)
    normalizer: Any = normalizers.make("http_json").prepared(given)
    records = [record for page in pages for record in normalizer.normalize(page)]
    assert all(isinstance(record, Record) for record in records), records[0]
    return pages, records


@pytest.mark.parametrize(
    ("paging", "count", "total"),
    [
        (None, 1, 12),
        ("link_header", 3, 50),
        ("page", 3, 50),
        ({"page": {"param": "p", "start": 0, "size_param": "n", "size": 10}}, 3, 25),
        ({"page": {}, "total": "data.total"}, 3, 50),
        ({"offset": {"param": "from", "size_param": "n", "size": 4}}, 3, 10),
        ({"cursor": {"param": "after", "path": "data.next"}}, 3, 50),
        ({"cursor": {"param": "after", "path": "page.end"}, "more": "page.more"}, 3, 50),
        ({"next_url": "links.next"}, 3, 50),
    ],
)
@pytest.mark.parametrize("shape", [{}, SHAPED])
def test_every_way_of_paging(
    standin: StandIn, world: World, paging: Any, count: int, total: int, shape: dict[str, Any]
) -> None:
    pages, records = collected(standin, world, shape | ({"paging": paging} if paging else {}))
    assert (len({record.external_id for record in records}), len(records)) == (total, total)
    assert len([page for page in pages if page.items]) == count
    if shape:
        assert all(record.title and record.authors and record.published_at for record in records)
        assert all(record.url.startswith("https://example.org/") for record in records)
        assert all(isinstance(record.attributes["price"], int) for record in records)
        assert all(record.measures["stars"] > 0 for record in records)


def test_graphql(standin: StandIn, world: World) -> None:
    config = {
        "method": "POST",
        "body": {"query": "{ things }", "variables": {"first": 20}},
        "items": "data.things.edges[].node",
        "paging": {"cursor": {"param": "variables.after", "path": "data.things.pageInfo.endCursor"},
                   "more": "data.things.pageInfo.hasNextPage"},
    }  # fmt: skip
    pages, records = collected(standin, world, config)
    assert len({record.external_id for record in records}) == 50
    assert len(pages) == 3


@pytest.mark.parametrize("form", ["iso", "epoch", "epoch_ms", "date", "%d.%m.%Y %H:%M"])
def test_what_is_new_since_the_last_run(standin: StandIn, world: World, form: str) -> None:
    config = {"cursor": {"field": "changed.at", "param": "since", "until_param": "until", "format": form}}
    pages, records = collected(standin, world, config)
    assert len(records) == 12
    later, again = collected(standin, world, config, cursor=pages[-1].cursor)
    assert later
    assert 0 < len(again) <= 4
    assert {record.external_id for record in again} < {record.external_id for record in records}


def test_the_past(standin: StandIn, world: World) -> None:
    config = {
        "url": URL,
        "paging": "page",
        "cursor": {"field": "at", "param": "since", "until_param": "until"},
    }
    base_url = standin.url_for("http_json", "past", config)
    collection = world.collection(config | {"base_url": base_url})
    day = START.date()
    from dataclasses import replace

    pages = list(collectors.make("http_json").collect(replace(collection, span=Span(day, day))))
    assert 1 <= sum(len(page.items) for page in pages) <= 4


def test_what_cannot_be_read_backwards_is_not_played(standin: StandIn) -> None:
    for config in ({"items": "length(a)"}, {"key": "length(a)"}, {"paging": {"next_url": "[a, b]"}}):
        assert standin.url_for("http_json", "x", {"url": URL, **config}) is None


def test_later_there_are_new_ones(world: World) -> None:
    from datetime import timedelta

    with StandIn(now=START) as before, StandIn(now=START + timedelta(days=1)) as after:
        old, new = ({r.external_id for r in collected(one, world, {})[1]} for one in (before, after))
    assert len(new - old) == 4
    assert len(new & old) == 8


@pytest.mark.parametrize(
    ("path", "value"),
    [
        ("a", 1), ("a.b.c", "x"), ("a[2].b", "x"), ("a[-1]", 3), ('"odd name".b', [1]), ("@", {"a": 1}),
        ("a[].b", [1, 2]), ("a[*].b.c", [1]), ("a.*.b", [1, 2]), ("a || `[]`", [1]), ("a | b", 2),
        ("a[?kind=='x'].id", [1, 2]), ("a[:5]", [1, 2]),
    ],
)  # fmt: skip
def test_paths_backwards(path: str, value: Any) -> None:
    import jmespath

    found = placed({"kept": {"a": 1}} if isinstance(value, int | str | list) else {}, path, value)
    assert jmespath.search(path, found) == value
    if path != "@" and not path.startswith("a.*"):
        assert found["kept"] == {"a": 1}


@pytest.mark.parametrize("path", ["length(a)", "sort(a)[9]", "[a, b]", "a[?b > `3`]", "", "a ="])
def test_paths_that_cannot_be_turned_round(path: str) -> None:
    with pytest.raises(Unplayable):
        placed({}, path, [1])
