"""Where a later run of an arXiv search begins: nothing that shows up late is lost, and a cut run moves nothing."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest

from stoma.collectors.arxiv import ArxivCollector
from stoma.collectors.base import Progress
from stoma.demo.papers import Paper
from stoma.records import CollectorResult
from tests.support.arxiv import Library, instant, paper, papers
from tests.support.budget import START
from tests.support.world import World

DAY = timedelta(days=1)
QUERY = {"search_query": "cat:cs.LG OR cat:cs.AI"}


@pytest.fixture
def library() -> Iterator[Library]:
    library = Library([])
    yield library
    library.server.close()


class Task:
    """A task that keeps its cursor from run to run, as the pipeline does."""

    def __init__(self, world: World, library: Library, **config: Any) -> None:
        self.world = world
        self.library = library
        self.config = {**QUERY, "base_url": library.url, **config}
        self.cursor: dict[str, Any] | None = None
        self.collected: set[str] = set()

    def run(self, **config: Any) -> list[CollectorResult]:
        self.world.told.clear()
        self.library.now = self.world.clock.now()
        self.config |= config
        pages = self.world.collect(ArxivCollector(), self.config, cursor=self.cursor)
        assert all(page.cursor is None for page in pages[:-1])
        self.cursor = pages[-1].cursor or self.cursor
        self.collected |= set(numbers(pages))
        return pages

    def later(self, **span: float) -> None:
        self.world.clock.start += timedelta(**span)


@pytest.fixture
def task(world: World, library: Library) -> Task:
    return Task(world, library)


def numbers(pages: list[CollectorResult]) -> list[int]:
    return [int(item["id"].split(".")[-1][:-2]) for page in pages for item in page.items]


class TestBySubmission:
    def test_a_later_run_asks_from_the_newest_on_a_week_further_back(self, task: Task, library: Library):
        library.papers = papers(100, until=START - timedelta(hours=5), every=timedelta(hours=12))
        task.run()
        assert task.cursor == {"submitted": "2026-11-23T04:00:00Z"}
        task.later(days=1)
        library.papers.append(paper(500, START))
        pages = task.run()
        assert library.queries() == [
            "cat:cs.LG OR cat:cs.AI",
            "(cat:cs.LG OR cat:cs.AI) AND submittedDate:[202611160400 TO 202611240901]",
        ]
        assert numbers(pages) == [500, *range(100, 85, -1)]
        assert task.cursor == {"submitted": "2026-11-23T09:00:00Z"}
        assert task.world.told == []

    @pytest.mark.parametrize(
        ("overlap", "begins"), [("7d", "202611130900"), ("36h", "202611182100"), ("0s", "202611200900")]
    )
    def test_overlap(self, task: Task, library: Library, overlap: str, begins: str):
        library.papers = [paper(1, "2026-11-20T09:00:30")]
        task.run()
        task.run(overlap=overlap)
        assert f"submittedDate:[{begins} TO " in library.queries()[1]

    def test_a_paper_that_shows_up_late_is_collected(self, task: Task, library: Library):
        library.papers = papers(20)
        task.run()
        task.later(days=2)
        late = paper(77, START - timedelta(days=4))
        library.papers += [late, paper(78, START + DAY)]
        assert {77, 78} <= set(numbers(task.run()))

    def test_nothing_new_leaves_the_cursor(self, task: Task, library: Library):
        library.papers = [paper(1, "2026-11-20T09:00:00")]
        task.run()
        task.later(days=30)
        task.run(overlap="1d")
        assert task.cursor == {"submitted": "2026-11-20T09:00:00Z"}
        library.papers = []
        assert numbers(task.run()) == []
        assert task.cursor == {"submitted": "2026-11-20T09:00:00Z"}

    def test_the_mark_never_goes_back(self, task: Task, library: Library):
        task.cursor = {"submitted": "2026-11-22T00:00:00Z"}
        library.papers = [paper(1, "2026-11-20T09:00:00")]
        task.run()
        assert task.cursor == {"submitted": "2026-11-22T00:00:00Z"}

    def test_a_cut_run_takes_the_newest_and_moves_nothing_until_one_is_complete(
        self, task: Task, library: Library
    ):
        library.papers = papers(10)
        task.run()
        before = task.cursor
        # Given ten papers a day for three days, and room for fifteen
        for day in (1, 2, 3):
            task.later(days=1)
            library.papers += [
                paper(100 * day + n, START + DAY * day - timedelta(hours=n)) for n in range(10)
            ]
        pages = task.run(max_results=15, page_size=10)
        assert len(numbers(pages)) == 15
        assert min(item["published"] for page in pages for item in page.items) == "2026-11-25T05:00:00Z"
        assert task.cursor == before
        (said,) = task.world.told
        assert said.startswith(
            "40 papers were submitted since 2026-11-16T09:00:00Z, and max_results took the newest 15"
        )
        assert "25 older ones are left out" in said
        assert "raise max_results to 40 or more" in said
        # A run later nothing has changed; then somebody raises it, and everything is there.
        task.later(days=1)
        task.run()
        assert task.cursor == before
        task.run(max_results=40)
        assert task.cursor == {"submitted": "2026-11-26T09:00:00Z"}
        assert task.collected == {int(one.id[5:]) for one in library.papers}

    def test_exactly_as_many_as_wanted_is_complete(self, task: Task, library: Library):
        library.papers = papers(10)
        task.run()
        library.papers = papers(12)
        task.run(max_results=12, page_size=5)
        assert task.world.told == []
        assert len(task.collected) == 12

    def test_a_first_run_decides_where_collecting_begins(self, task: Task, library: Library):
        library.papers = papers(50)
        assert len(numbers(task.run(max_results=10))) == 10
        assert task.cursor == {"submitted": "2026-11-23T09:00:00Z"}

    def test_what_is_submitted_while_it_pages_belongs_to_the_next_run(self, task: Task, library: Library):
        library.papers = papers(30)
        task.run()

        def announce(asked: Any, reply: Any) -> Any:
            number = 600 + len(library.requests)
            library.papers.append(paper(number, task.world.clock.now() + timedelta(minutes=number)))
            return reply

        library.spoil = announce
        task.later(days=1)
        pages = task.run(page_size=7)
        assert sorted(numbers(pages)) == list(range(1, 31))
        assert task.cursor == {"submitted": "2026-11-23T09:00:00Z"}
        library.spoil = lambda asked, reply: reply
        task.later(days=1)
        assert set(range(602, 607)) <= set(numbers(task.run()))

    def test_a_resumed_run_keeps_its_window(self, task: Task, library: Library):
        library.papers = papers(30)
        task.run()
        task.later(days=1)
        whole = task.run(page_size=10)
        asked = library.queries()[-1]
        # Given a kill behind the first page, and two days until somebody starts it again
        task.later(days=2)
        library.papers += [paper(700, START + DAY * 2)]
        for page in whole[:-1]:
            progress = Progress(page.window, page.next_page)
            rest = task.world.collect(ArxivCollector(), task.config, cursor=task.cursor, progress=progress)
            assert library.queries()[-1] == asked
            assert 700 not in numbers(rest)
            assert rest[-1].cursor == whole[-1].cursor

    def test_many_days_with_everything_that_can_happen(self, task: Task, library: Library):
        """Papers come, some of them late; some runs are cut, some see nothing; in the end all are there."""
        visible: list[tuple[int, Paper]] = []
        for number in range(70):
            day = number // 5
            late = (0, 1, 4, 6)[number % 4] if number > 20 else 0
            visible.append((day + late, paper(number, START + DAY * day - timedelta(hours=1 + number % 5))))
        for day in range(21):
            library.papers = [one for since, one in visible if since <= day]
            task.run(max_results=12 if day % 7 in (2, 3) else 200, page_size=9)
            task.later(days=1)
        assert task.collected == set(range(70))

    def test_a_list_of_papers_has_no_cursor_even_with_a_query(self, task: Task, library: Library):
        library.papers = papers(5)
        pages = task.run(id_list=["2601.00001", "2601.00002"])
        assert sorted(numbers(pages)) == [1, 2]
        assert task.cursor is None

    def test_a_mark_of_another_order_is_no_mark(self, task: Task, library: Library):
        library.papers = papers(3)
        task.cursor = {"updated": "2026-11-22T00:00:00Z"}
        task.run()
        assert "submittedDate" not in library.queries()[0]


class TestByUpdate:
    @pytest.fixture
    def task(self, world: World, library: Library) -> Task:
        return Task(world, library, sort_by="lastUpdatedDate")

    def test_it_stops_where_the_last_run_began(self, task: Task, library: Library):
        library.papers = papers(300)
        task.run(max_results=500, page_size=50)
        assert task.cursor == {"updated": "2026-11-23T09:00:00Z"}
        asked = len(library.requests)
        task.later(days=1)
        library.papers[3] = paper(4, library.papers[3].published, START + timedelta(hours=3))
        pages = task.run(overlap="1d")
        # One paper with a new version, and a day of what was there; not the 275 before.
        assert numbers(pages) == [4, *range(300, 275, -1)]
        assert pages[0].items[0]["updated"] == "2026-11-23T12:00:00Z"
        assert len(library.requests) == asked + 1
        assert library.queries() == ["cat:cs.LG OR cat:cs.AI"]
        assert task.cursor == {"updated": "2026-11-23T12:00:00Z"}

    def test_a_cut_run_moves_nothing(self, task: Task, library: Library):
        library.papers = papers(100)
        task.run()
        before = task.cursor
        task.later(days=1)
        library.papers = [
            paper(n, one.published, START + timedelta(minutes=n)) for n, one in enumerate(papers(100))
        ]
        task.run(max_results=30, overlap="1h")
        assert task.cursor == before
        assert task.world.told == [
            "max_results took the newest 30, and did not get back to 2026-11-23T08:00:00Z: versions before them are "
            "left out, and the next run looks for them again; raise max_results, or use mode: oai"
        ]
        task.run(max_results=300)
        assert task.cursor == {"updated": "2026-11-23T10:39:00Z"}

    def test_a_resumed_run_stops_at_the_same_place(self, task: Task, library: Library):
        library.papers = papers(60)
        task.run(max_results=100)
        whole = task.run(overlap="20h", page_size=10)
        progress = Progress(whole[0].window, whole[0].next_page)
        rest = task.world.collect(ArxivCollector(), task.config | {"overlap": "1h"}, progress=progress)
        assert set(numbers(whole[:1] + rest)) == set(numbers(whole))
        assert rest[-1].cursor == whole[-1].cursor

    def test_everything_is_newer_than_the_mark(self, task: Task, library: Library):
        task.cursor = {"updated": "2020-01-01T00:00:00Z"}
        library.papers = papers(5)
        task.run()
        assert task.cursor == {"updated": "2026-11-23T09:00:00Z"}


def test_instants_of_tests_are_utc():
    assert instant("2026-11-23T09:00:00") == START
