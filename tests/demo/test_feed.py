"""The stand-in plays any feed: read by the true collector, with a few new entries each day."""

from __future__ import annotations

import urllib.error
import urllib.request
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest

from stoma import collectors, normalizers
from stoma.demo.standin import StandIn
from stoma.records import Record
from tests.support.budget import START
from tests.support.world import World


@pytest.fixture
def world() -> Iterator[World]:
    world = World()
    yield world
    for client in world.clients:
        client.close()


def collected(standin: StandIn, world: World, **more: Any) -> list[Record]:
    config = {"url": "https://news.example.org/rss.xml?all=1", "base_url": standin.url("feed")}
    pages = world.collect(collectors.make("feed"), config, **more)
    normalizer: Any = normalizers.make("feed").prepared(config)
    return [record for page in pages for record in normalizer.normalize(page)]


def test_entries_of_two_weeks(world: World) -> None:
    with StandIn(now=START) as standin:
        found = collected(standin, world)
    assert 28 <= len(found) <= 56
    assert len({record.external_id for record in found}) == len(found)
    for record in found:
        assert record.title
        assert record.authors
        assert record.tags
        assert "Nobody saw the" in record.summary
        assert START - timedelta(days=14) <= record.published_at <= START
    published = [record.published_at for record in found]
    assert published == sorted(published, reverse=True)


def test_each_day_brings_a_few(world: World) -> None:
    with StandIn(now=START) as today, StandIn(now=START + timedelta(days=1)) as tomorrow:
        old, new = ({record.external_id for record in collected(one, world)} for one in (today, tomorrow))
    assert 1 <= len(new - old) <= 6
    assert len(new & old) > 20


def test_what_was_not_modified_is_not_sent_again() -> None:
    with StandIn(now=START) as standin:
        url = f"{standin.url('feed')}/x"
        with urllib.request.urlopen(url) as answer:
            assert answer.headers["Content-Type"] == "application/rss+xml; charset=utf-8"
            tag = answer.headers["ETag"]
        other = urllib.request.Request(url, headers={"If-None-Match": '"other"'})
        with urllib.request.urlopen(other) as answer:
            assert answer.status == 200
        same = urllib.request.Request(url, headers={"If-None-Match": tag})
        with pytest.raises(urllib.error.HTTPError) as unmodified:
            urllib.request.urlopen(same)
        with unmodified.value as answer:
            assert (answer.code, answer.read()) == (304, b"")


def test_another_address_is_another_feed() -> None:
    with StandIn(now=START) as standin:
        bodies = set()
        for path in ("a", "b"):
            with urllib.request.urlopen(f"{standin.url('feed')}/{path}") as answer:
                bodies.add(answer.read())
    assert len(bodies) == 2
