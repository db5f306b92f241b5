"""More than arXiv shows of one query, days of the past, and pages that come only in smaller pieces."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import replace
from datetime import date, timedelta
from typing import Any

import pytest

from stoma.collectors.arxiv import ArxivCollector
from stoma.collectors.arxiv_plan import Plan
from stoma.collectors.base import Collection, Progress
from stoma.errors import BadAnswer, UsageError
from stoma.records import CollectorResult
from stoma.scheduler.base import Span
from tests.support.arxiv import Library, paper, papers
from tests.support.budget import START
from tests.support.server import Asked, Reply
from tests.support.world import World

MARCH = Span(date(2026, 3, 1), date(2026, 3, 31))
BOUNDS = re.compile(r"submittedDate:\[(\d+) TO (\d+)\]")


@pytest.fixture
def library() -> Iterator[Library]:
    library = Library(papers(300))
    yield library
    library.server.close()


@pytest.fixture
def shallow(monkeypatch: pytest.MonkeyPatch) -> None:
    """arXiv shows 50 results of one query, and refuses to go deeper."""
    for module in ("arxiv", "arxiv_plan", "arxiv_walk"):
        monkeypatch.setattr(f"stoma.collectors.{module}.DEEPEST", 50, raising=False)


def config(library: Library, **given: Any) -> dict[str, Any]:
    return {"search_query": "cat:cs.LG", "base_url": library.url, "page_size": 20, **given}


def numbers(pages: list[CollectorResult]) -> list[int]:
    return [int(item["id"].split(".")[-1][:-2]) for page in pages for item in page.items]


def spanning(world: World, given: dict[str, Any], span: Span = MARCH, **more: Any) -> Collection:
    return replace(world.collection(given, **more), span=span)


@pytest.mark.usefixtures("shallow")
class TestBeyondTheDeepest:
    @pytest.fixture(autouse=True)
    def _refuses_depth(self, library: Library) -> None:
        def deep(asked: Asked, reply: Reply) -> Reply:
            if int(asked.query["start"]) + int(asked.query["max_results"]) > 50:
                return Reply(400, b"too deep")
            return reply

        library.spoil = deep

    @pytest.mark.parametrize("order", ["descending", "ascending"])
    def test_all_of_a_large_query_in_its_order(self, world: World, library: Library, order: str):
        pages = world.collect(ArxivCollector(), config(library, max_results=10_000, sort_order=order))
        found = list(dict.fromkeys(numbers(pages)))
        assert found == (list(range(1, 301)) if order == "ascending" else list(range(300, 0, -1)))
        assert len(numbers(pages)) < 330
        assert pages[0].expected == 300
        assert len(library.requests) < 80

    def test_no_more_than_is_wanted(self, world: World, library: Library):
        pages = world.collect(ArxivCollector(), config(library, max_results=120))
        assert len(numbers(pages)) == 120
        assert set(range(190, 301)) <= set(numbers(pages))

    def test_no_part_is_cut_where_little_is_wanted(self, world: World, library: Library):
        world.collect(ArxivCollector(), config(library, max_results=50))
        assert library.queries() == ["cat:cs.LG"]

    def test_another_order_cannot_be_cut(self, world: World, library: Library):
        pages = world.collect(ArxivCollector(), config(library, max_results=120, sort_by="relevance"))
        assert len(numbers(pages)) == 50
        assert world.told == ["arXiv gives at most 50 results of one query; max_results is larger"]

    def test_from_every_page_nothing_is_lost(self, world: World, library: Library):
        whole = world.collect(ArxivCollector(), config(library, max_results=10_000))
        for done in range(0, len(whole) - 1, 11):
            progress = Progress(whole[done].window, whole[done].next_page)
            rest = world.collect(ArxivCollector(), config(library, max_results=10_000), progress=progress)
            assert set(numbers(whole[: done + 1] + rest)) == set(range(1, 301))
            assert rest[-1].cursor == whole[-1].cursor == {"submitted": "2026-11-23T09:00:00Z"}

    def test_a_later_run_with_much_to_catch_up(self, world: World, library: Library):
        cursor = {"submitted": "2026-11-18T09:00:00Z"}
        given = config(library, max_results=10_000)
        pages = world.collect(ArxivCollector(), given, cursor=cursor)
        assert set(numbers(pages)) == set(range(300 - 12 * 24, 301))
        assert pages[-1].cursor == {"submitted": "2026-11-23T09:00:00Z"}

    def test_a_later_run_that_is_cut_behind_several_parts(self, world: World, library: Library):
        cursor = {"submitted": "2026-11-18T09:00:00Z"}
        pages = world.collect(ArxivCollector(), config(library, max_results=100), cursor=cursor)
        assert pages[-1].cursor is None
        assert world.told[-1].startswith("289 papers were submitted since 2026-11-11T09:00:00Z")
        assert "189 older ones are left out" in world.told[-1]

    def test_more_in_one_minute_than_arXiv_shows_moves_no_cursor(self, world: World, library: Library):
        library.papers = [paper(n, START - timedelta(days=1)) for n in range(70)]
        cursor = {"submitted": "2026-11-22T00:00:00Z"}
        pages = world.collect(ArxivCollector(), config(library, max_results=10_000), cursor=cursor)
        assert len(set(numbers(pages))) == 50
        assert pages[-1].cursor is None


class TestHalving:
    def plan(self, world: World, **given: Any) -> Plan:
        return Plan.of(world.collection({"search_query": "x", **given}))

    def test_both_halves_hold_the_minute_between_them(self, world: World):
        (late, early) = self.plan(world).halves(("202601010000", "202601010005"))
        assert (early, late) == (("202601010000", "202601010002"), ("202601010002", "202601010005"))
        assert self.plan(world, sort_order="ascending").halves(("202601010000", "202601010005")) == [
            early,
            late,
        ]

    def test_a_minute_is_not_cut(self, world: World):
        assert self.plan(world).halves(("202601010000", "202601010001")) == []

    def test_without_bounds_it_is_all_there_is(self, world: World):
        (late, early) = self.plan(world).halves(None)
        assert (early[0], late[1]) == ("199107010000", "202611230901")
        assert early[1] == late[0]


class TestSpan:
    def test_all_of_the_days_and_nothing_else(self, world: World, library: Library):
        days = {
            "2026-02-28T23:59:59": 1,
            "2026-03-01T00:00:00": 2,
            "2026-03-31T23:59:59": 3,
            "2026-04-01T00:00:00": 4,
        }
        library.papers = [paper(number, when) for when, number in days.items()]
        library.papers += [
            paper(number, f"2026-03-{number % 28 + 1:02}T12:00:00") for number in range(10, 250)
        ]
        pages = list(ArxivCollector().collect(spanning(world, config(library, max_results=5))))
        assert set(numbers(pages)) == {2, 3, *range(10, 250)}
        assert {page.cursor for page in pages} == {None}
        assert library.requests[0].query["sortOrder"] == "ascending"
        assert BOUNDS.search(library.queries()[0]).groups() == ("202603010000", "202604010000")

    @pytest.mark.parametrize("order", [{"sort_by": "lastUpdatedDate"}, {"sort_by": "relevance"}])
    def test_whatever_the_order_of_the_live_runs(self, world: World, library: Library, order: dict[str, str]):
        library.papers = [paper(n, f"2026-03-0{n}T12:00:00", "2026-05-01T00:00:00") for n in range(1, 9)]
        pages = list(ArxivCollector().collect(spanning(world, config(library, **order))))
        assert numbers(pages) == list(range(1, 9))

    @pytest.mark.usefixtures("shallow")
    def test_a_large_span_is_cut(self, world: World, library: Library):
        library.papers = papers(700)
        pages = list(
            ArxivCollector().collect(
                spanning(world, config(library), Span(date(2026, 11, 1), date(2026, 11, 9)))
            )
        )
        assert set(numbers(pages)) == {
            int(one.id[5:])
            for one in library.papers
            if date(2026, 11, 1) <= one.published.date() <= date(2026, 11, 9)
        }

    def test_it_resumes(self, world: World, library: Library):
        library.papers = [paper(n, f"2026-03-{n % 28 + 1:02}T12:00:00") for n in range(1, 90)]
        whole = list(ArxivCollector().collect(spanning(world, config(library))))
        progress = Progress(whole[1].window, whole[1].next_page)
        rest = list(ArxivCollector().collect(spanning(world, config(library), progress=progress)))
        assert set(numbers(whole[:2] + rest)) == set(range(1, 90))

    def test_an_empty_span(self, world: World, library: Library):
        library.papers = []
        (page,) = ArxivCollector().collect(spanning(world, config(library)))
        assert (page.items, page.next_page, page.cursor) == ([], None, None)

    def test_what_it_would_cost(self, world: World, library: Library):
        library.papers = [paper(n, f"2026-03-{n % 28 + 1:02}T12:00:00") for n in range(1, 90)]
        estimate = ArxivCollector().estimate(spanning(world, config(library)))
        assert (estimate.requests, estimate.records, estimate.is_told) == (5, 89, True)
        assert estimate.host == "127.0.0.1"
        (asked,) = library.requests
        assert asked.query["max_results"] == "1"

    def test_a_list_of_papers_has_no_days(self, world: World, library: Library):
        with pytest.raises(UsageError, match="no days of the past"):
            ArxivCollector().estimate(spanning(world, config(library, id_list=["2601.00001"])))


class TestStubbornPages:
    def failing(self, library: Library, start: int, most: int) -> None:
        """The page at `start` fails while it is asked for with more than `most`."""

        def spoil(asked: Asked, reply: Reply) -> Reply:
            is_bad = int(asked.query["start"]) == start and int(asked.query["max_results"]) > most
            return Reply(500, b"") if is_bad else reply

        library.spoil = spoil

    def sizes(self, library: Library) -> list[tuple[int, int]]:
        return [(int(one.query["start"]), int(one.query["max_results"])) for one in library.requests]

    def test_smaller_pieces_get_through_and_grow_again(self, world: World, library: Library):
        self.failing(library, 80, 30)
        pages = world.collect(ArxivCollector(), config(library, page_size=80, max_results=300))
        assert numbers(pages) == list(range(300, 0, -1))
        assert self.sizes(library) == [
            (0, 80), (80, 80), (80, 80), (80, 80), (80, 20), (100, 40), (140, 80), (220, 80)
        ]  # fmt: skip
        assert world.told[-1].endswith("(asked 3 times); asking for 20 at once instead")

    def test_it_ends_at_the_smallest(self, world: World, library: Library):
        self.failing(library, 0, 0)
        with pytest.raises(BadAnswer, match="500 Internal Server Error"):
            world.collect(ArxivCollector(), config(library, page_size=200, max_results=300))
        assert [size for _, size in self.sizes(library)] == [200] * 3 + [50] * 3 + [12] * 3

    def test_a_repeated_page_is_known_in_smaller_pieces_too(self, world: World, library: Library):
        first: list[bytes] = []

        def repeat(asked: Asked, reply: Reply) -> Reply:
            first.append(reply.body)
            return replace(reply, body=first[0]) if asked.query["start"] == "100" else reply

        library.spoil = repeat
        with pytest.raises(BadAnswer, match="is the page before it once more"):
            world.collect(ArxivCollector(), config(library, page_size=100, max_results=300))
        assert min(size for _, size in self.sizes(library)) == 25
