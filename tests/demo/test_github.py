"""The stand-in answers as GitHub does: read by the true collector, and looked at beside the true captures."""

from __future__ import annotations

import json
import re
import urllib.error
import urllib.request
from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import pytest

from stoma import collectors, normalizers
from stoma.collectors.github_trending import address
from stoma.demo.repositories import MARK, everything, invent, named, trending
from stoma.demo.standin import StandIn
from stoma.records import CollectorResult, Record
from tests.support.budget import START
from tests.support.world import World


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


def collected(standin: StandIn, world: World, **config: Any) -> tuple[list[CollectorResult], list[Record]]:
    pages = world.collect(collectors.make("github"), config | {"base_url": standin.url("github")})
    normalizer: Any = normalizers.make("github")
    return pages, [record for page in pages for record in normalizer.normalize(page)]


def asked(standin: StandIn, **query: Any) -> Any:
    with urllib.request.urlopen(f"{standin.url('github')}/search/repositories?{urlencode(query)}") as answer:
        return json.loads(answer.read()), answer.headers


@pytest.mark.parametrize("language", [None, "python", "c++", "Jupyter Notebook", "befunge"])
@pytest.mark.parametrize("since", ["daily", "monthly"])
def test_the_trending_page_is_understood_in_full(
    standin: StandIn, world: World, language: str | None, since: str
) -> None:
    config = {"since": since} | ({"language": language} if language else {})
    _, found = collected(standin, world, **config)
    expected = trending(START, named(address(config).removeprefix("/trending").strip("/")), since)
    assert len(found) == 25
    for rank, (record, (repository, count)) in enumerate(zip(found, expected, strict=True), 1):
        assert record.title == repository.full_name
        assert record.external_id == str(repository.number)
        assert record.summary == repository.description
        assert record.tags == (repository.language,)
        assert record.measures["stars"] == repository.stars(START)
        assert record.measures["forks"] == repository.forks(START)
        assert record.measures[f"stars_{since}"] == count
        assert rank in record.measures.values()
    assert world.told == []


def test_the_page_has_the_marks_of_the_true_one(standin: StandIn, recorded: Path) -> None:
    true = (recorded / "github/trending_2026-05_rust_weekly_16_rows.html").read_text()
    with urllib.request.urlopen(f"{standin.url('github')}/trending/rust?since=weekly") as answer:
        assert answer.headers["Content-Type"] == "text/html; charset=utf-8"
        played = answer.read().decode()

    def title(page: str) -> str:
        return re.search(r"<title>(.*?)\s*</title>", page, re.DOTALL)[1]

    assert title(played) == title(true)
    for mark in re.findall(r'<(?:article|h2|p|span|div) class="[^"]*"', played):
        assert mark in true
    for mark in ('"record_id":', 'itemprop="programmingLanguage"', "stars this week", 'float-sm-right"'):
        assert mark in played.replace("&quot;", '"')
        assert mark in true.replace("&quot;", '"')


def test_a_search_is_paged_by_links_to_its_end(standin: StandIn, world: World) -> None:
    pages, found = collected(
        standin, world, mode="search", query="stars:>10000", sort="stars", order="desc", limit=500
    )
    assert (len(pages), len(found)) == (5, 500)
    stars = [record.measures["stars"] for record in found]
    assert stars == sorted(stars, reverse=True)
    assert min(stars) > 10_000
    # A row of the page and an item of a search are the same record: what a search stored, no row changes.
    _, rows = collected(standin, world, language="python")
    _, items = collected(standin, world, mode="search", query="language:python", sort="stars", limit=120)
    known = {record.external_id: record for record in items}
    normalizer: Any = normalizers.make("github")
    for row in rows:
        stored = known[row.external_id]
        assert replace(normalizer.merged(row, stored), measures=stored.measures) == stored


def test_more_than_a_thousand_are_found_in_slices(standin: StandIn, world: World) -> None:
    _, found = collected(standin, world, mode="search", query="stars:>=0", sort="stars", limit=5000)
    numbers = {record.external_id for record in found}
    assert len(numbers) == len(everything()) > 1_000


@pytest.mark.parametrize(
    ("query", "test"),
    [
        ("language:rust", lambda r: r.language == "Rust"),
        ("stars:100..5000", lambda r: 100 <= r.stars(START) <= 5000),
        ("forks:<500", lambda r: r.forks(START) < 500),
        ("created:>=2020-01-01", lambda r: r.created.year >= 2020),
        ("created:2015-01-01..2015-12-31", lambda r: r.created.year == 2015),
        ("pushed:>2026-01-01", lambda r: r.pushed(START).year >= 2026),
        ("topic:cli -topic:agents", lambda r: "cli" in r.topics and "agents" not in r.topics),
        ("teapots", lambda r: "teapots" in f"{r.full_name} {r.description} {' '.join(r.topics)}"),
        ("stars:many fork:true", lambda r: True),
    ],
)
def test_qualifiers(standin: StandIn, query: str, test: Any) -> None:
    body, _ = asked(standin, q=query, per_page=100)
    expected = {r.number for r in everything() if test(r)}
    assert body["total_count"] == len(expected)
    assert {item["id"] for item in body["items"]} <= expected
    assert expected


def test_the_cap_and_the_errors(standin: StandIn) -> None:
    body, headers = asked(standin, q="stars:>=0", per_page=100, page=10)
    assert len(body["items"]) == 100
    assert 'rel="next"' not in headers["Link"]
    assert 'rel="prev"' in headers["Link"]
    for query, message in (
        ({"q": "x", "per_page": 100, "page": 11}, "Only the first 1000 search results are available"),
        ({"q": ""}, "Validation Failed"),
        ({"q": "x", "page": "one"}, "Validation Failed"),
    ):
        with pytest.raises(urllib.error.HTTPError) as refused:
            asked(standin, **query)
        with refused.value as answer:
            assert (answer.code, json.loads(answer.read())["message"]) == (422, message)


def test_an_item_has_the_fields_of_the_true_one(standin: StandIn, recorded: Path) -> None:
    true = json.loads((recorded / "github/search_2026_repos_3_of_3821.json").read_text())
    played, headers = asked(standin, q="language:go", per_page=3)
    assert list(true) == list(played)
    assert set(played["items"][0]) <= set(true["items"][0])
    assert headers["X-RateLimit-Remaining"] == "29"


def test_inventions_last_and_show_that_they_are_ones() -> None:
    assert invent("Python") == invent("Python")
    numbers = [repository.number for repository in everything()]
    assert len(set(numbers)) == len(numbers)
    assert all(MARK in repository.description for repository in everything())
    assert all(re.fullmatch(r"[\w.-]+/[\w.-]+", r.full_name, re.ASCII) for r in everything())
    assert all(r.stars(START + timedelta(days=1)) > r.stars(START) for r in everything() if r.start > 1_000)
    assert trending(START, "", "daily") != trending(START + timedelta(days=1), "", "daily")
