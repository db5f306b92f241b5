"""The arXiv collector against true captures, played and spoiled by the replay server."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from stoma.collectors.answers import Response
from stoma.collectors.arxiv import ArxivCollector
from stoma.collectors.arxiv_atom import read_page
from stoma.collectors.base import Progress
from stoma.errors import BadAnswer, SourceBusy, SourceError, SourceRefused, Unreachable, UsageError
from stoma.hosts import rule_for
from stoma.records import CollectorResult
from tests.support.budget import START
from tests.support.replay import ENTRY, HEAD, Replay
from tests.support.server import Reply
from tests.support.world import Serve, World

ID = re.compile(r"http://arxiv\.org/abs/(.+?)(?:v\d+)?$")
CAPTURES = (
    "api_2016_del_maestro", "api_2016_id_1111.2011v2", "api_2020_ml_nlp_20", "api_2026_astro-ph_63",
    "api_2026_empty_unknown_id", "api_2026_id_1605.08386", "api_2026_id_quant-ph_0201082v1",
    "api_2026_testing_start00_max10", "api_2026_testing_start00_max100", "api_2026_testing_start05_max15",
    "api_2026_testing_start10_max10", "api_2026_testing_start20_max10", "api_2026_testing_start30_max10",
    "api_2026_testing_start40_max10", "api_2026_testing_start50_max10", "api_2026_two_ids",
)  # fmt: skip

Play = Callable[..., Replay]


@pytest.fixture
def play(recorded: Path) -> Iterator[Play]:
    started = []

    def start(**given: Any) -> Replay:
        replay = Replay(recorded / "arxiv", **given)
        started.append(replay)
        return replay

    yield start
    for replay in started:
        replay.close()


def ids(pages: list[CollectorResult]) -> list[str]:
    return [ID.match(item["id"])[1] for page in pages for item in page.items]


def entry(number: int, published: str = "2026-01-02T03:04:05Z") -> bytes:
    return (
        f"<entry><id>http://arxiv.org/abs/2601.{number:05}v1</id><published>{published}</published></entry>"
    ).encode()


def feed(entries: list[bytes], total: int, start: int = 0) -> bytes:
    return HEAD.format(size=len(entries), total=total, start=start).encode() + b"".join(entries) + b"</feed>"


def answer(body: bytes) -> Response:
    return Response("http://x/api/query", 200, {}, body, START)


class TestReading:
    @pytest.mark.parametrize("name", CAPTURES)
    def test_every_entry_of_every_capture_is_read(self, recorded: Path, name: str):
        body = (recorded / "arxiv" / f"{name}.xml").read_bytes()
        page = read_page(answer(body))

        assert len(page.items) == len(re.findall(rb"<entry[ >]", body))
        assert page.total == int(re.search(rb"totalResults[^>]*>(\d+)<", body)[1])
        visible = re.sub(rb"<!--.*?-->", b"", body, flags=re.DOTALL)
        counted = {
            "authors": rb"<author>",
            "categories": rb"<category\b",
            "title": rb"<title>",
            "summary": rb"<summary>",
            "published": rb"<published>",
            "updated": rb"<updated>",
            "comment": rb"<arxiv:comment\b",
            "journal_ref": rb"<arxiv:journal_ref\b",
            "doi": rb"<arxiv:doi\b",
            "primary_category": rb"<arxiv:primary_category\b",
            "pdf": rb'title="pdf"',
        }
        entries = b"".join(ENTRY.findall(visible))
        for field, pattern in counted.items():
            values = [item[field] for item in page.items if field in item]
            found = sum(len(value) if isinstance(value, list) else 1 for value in values)
            assert found == len(re.findall(pattern, entries)), field

    def test_both_generations_read_the_same(self, recorded: Path):
        old = read_page(answer((recorded / "arxiv/api_2016_id_1111.2011v2.xml").read_bytes())).items[0]
        assert old["id"] == "http://arxiv.org/abs/1111.2011v2"
        assert old["authors"] == ["James M. Murray", "Adrian Del Maestro", "Zlatko Tesanovic"]
        assert old["categories"] == ["cond-mat.str-el", "cond-mat.stat-mech"]
        assert old["journal_ref"] == "Phys. Rev. B 85, 115117 (2012)"
        new = read_page(answer((recorded / "arxiv/api_2026_id_quant-ph_0201082v1.xml").read_bytes())).items[0]
        assert new["id"] == "http://arxiv.org/abs/quant-ph/0201082v1"
        assert new["primary_category"] == "quant-ph"
        assert new["pdf"] == "https://arxiv.org/pdf/quant-ph/0201082v1"

    def test_affiliations_stay_with_their_author(self, recorded: Path):
        page = read_page(answer((recorded / "arxiv/api_2026_astro-ph_63.xml").read_bytes()))
        found = [item for item in page.items if "affiliations" in item]
        assert found[0]["affiliations"]["Shinya Yamada"] == ["Randy"]
        assert all(set(item["affiliations"]) <= set(item["authors"]) for item in found)

    @pytest.mark.parametrize(
        "link",
        [
            '<link href="https://arxiv.org/pdf/1v1" rel="related" type="application/pdf" title="pdf"/>',
            '<link href="https://arxiv.org/pdf/1v1" rel="related" type="application/pdf"/>',
        ],
    )
    def test_the_pdf_link_of_a_certain_week_of_2025(self, link: str):
        page = read_page(answer(feed([f"<entry>{link}</entry>".encode()], 1)))
        assert page.items[0]["pdf"] == "https://arxiv.org/pdf/1v1"

    def test_a_stray_control_character_spoils_no_page(self):
        body = feed([entry(1), b"<entry><title>a\x0bb\x00</title></entry>"], 2)
        assert read_page(answer(body)).items[1]["title"] == "a b "

    @pytest.mark.parametrize(
        ("body", "begins"),
        [
            (b"", "nothing"),
            (b"<!DOCTYPE html><html><body>Down<br></body></html>", "<!DOCTYPE html>"),
            (b"<html><body/></html>", "<html>"),
            (b"Rate exceeded.", "Rate exceeded."),
            (feed([entry(1)], 1)[:-60], "<?xml"),
            (bytes(range(256)), "!"),
            (b"<feed xmlns='http://www.w3.org/2005/Atom'/>", "<feed"),
            (
                feed([], 0).replace(b">0</opensearch:totalResults>", b">many</opensearch:totalResults>"),
                "<?xml",
            ),
            (
                b"<!DOCTYPE feed [<!ENTITY a 'b'>]>" + feed([], 0).partition(b"?>")[2].strip(),
                "<!DOCTYPE feed",
            ),
            (
                b"<!DOCTYPE feed [<!ENTITY a SYSTEM 'file:///etc/hostname'>]>"
                + feed([b"<entry><title>&a;</title></entry>"], 1).partition(b"?>")[2].strip(),
                "<!DOCTYPE feed",
            ),
        ],
    )
    def test_what_is_no_answer_is_told_with_its_beginning(self, body: bytes, begins: str):
        with pytest.raises(BadAnswer) as bad:
            read_page(answer(body))
        assert bad.value.message.startswith("http://x/api/query ")
        assert begins in bad.value.message

    def test_an_error_entry_is_a_refusal_in_arxivs_words(self, recorded: Path):
        body = (recorded / "arxiv/api_2026_error_400_bad_id.xml").read_bytes()
        with pytest.raises(SourceRefused, match="answers: incorrect id format for abc"):
            read_page(answer(body))


class TestAsking:
    @pytest.mark.parametrize(
        ("given", "asked"),
        [
            ("cat:cs.AI OR cat:cs.LG", "cat:cs.AI OR cat:cs.LG"),
            (["cat:cs.AI", "ti:deep AND abs:sea"], "(cat:cs.AI) OR (ti:deep AND abs:sea)"),
            (["cat:cs.AI"], "cat:cs.AI"),
            ("  cat:cs.AI\n  AND ti:x ", "cat:cs.AI AND ti:x"),
            ("cat:cs.AI+AND+submittedDate:[202601010000+TO+202602010000]",
             "cat:cs.AI AND submittedDate:[202601010000 TO 202602010000]"),
        ],
    )  # fmt: skip
    def test_the_query(self, world: World, serve: Serve, given: Any, asked: str):
        server = serve(Reply(body=feed([], 0)))
        world.collect(ArxivCollector(), {"base_url": f"{server.url}/mirror/", "search_query": given})
        assert server.requests[0].path == "/mirror/api/query"
        assert server.requests[0].query == {
            "search_query": asked,
            "start": "0",
            "max_results": "100",
            "sortBy": "submittedDate",
            "sortOrder": "descending",
        }

    def test_sorting_and_sizes(self, world: World, serve: Serve):
        server = serve(Reply(body=feed([], 0)))
        config = {
            "base_url": server.url,
            "search_query": "x",
            "sort_by": "lastUpdatedDate",
            "sort_order": "ascending",
            "max_results": 9000,
            "page_size": 5000,
        }
        world.collect(ArxivCollector(), config)
        query = server.requests[0].query
        assert (query["sortBy"], query["sortOrder"]) == ("lastUpdatedDate", "ascending")
        assert query["max_results"] == "2000"

    def test_without_a_question(self, world: World):
        with pytest.raises(UsageError, match="search_query or an id_list"):
            world.collect(ArxivCollector(), {"search_query": " "})

    def test_arxiv_itself_is_asked_within_its_budget(
        self, world: World, serve: Serve, monkeypatch: pytest.MonkeyPatch
    ):
        # Given a proxy in place of the world, and a gap that DESIGN.md promises
        assert rule_for("export.arxiv.org", {}).gap == timedelta(seconds=3)
        proxy = serve(lambda a: Reply(body=feed([entry(int(a.query["start"]))], 3)))
        monkeypatch.setenv("http_proxy", proxy.url)
        monkeypatch.setattr(ArxivCollector, "origin", "http://export.arxiv.org")
        pages = world.collect(ArxivCollector(), {"search_query": "x", "page_size": 1})
        assert len(pages) == 3
        assert world.clock.waits == [3, 3]
        assert ("enter", "export.arxiv.org") in world.budget.events


class TestWalking:
    def test_the_captured_walk(self, world: World, play: Play):
        replay = play()
        config = {"base_url": replay.url, "search_query": "testing", "max_results": 60, "page_size": 10}
        pages = world.collect(ArxivCollector(), config)

        assert [len(page.items) for page in pages] == [10] * 6
        assert [page.next_page and page.next_page["start"] for page in pages] == [10, 20, 30, 40, 50, None]
        names = [f"api_2026_testing_start{start:02}_max10.xml" for start in range(0, 60, 10)]
        expected = [
            one.decode() for entry in replay.entries(*names) for one in re.findall(rb"abs/(\S+?)v\d+<", entry)
        ]
        assert ids(pages) == expected
        assert len(set(ids(pages))) == 60
        assert {page.expected for page in pages} == {60}
        assert pages[0].url.startswith(f"{replay.url}/api/query?search_query=testing")

    def test_the_walk_in_one_page_is_the_same(self, world: World, play: Play):
        config = {"base_url": play().url, "search_query": "testing", "max_results": 60}
        small = world.collect(ArxivCollector(), config | {"page_size": 7})
        assert ids(small) == ids(world.collect(ArxivCollector(), config))
        assert [len(page.items) for page in small] == [7] * 8 + [4]

    def test_max_results_over_several_pages(self, world: World, play: Play):
        replay = play()
        config = {"base_url": replay.url, "search_query": "testing", "max_results": 25, "page_size": 10}
        assert len(ids(world.collect(ArxivCollector(), config))) == 25
        assert [asked.query["max_results"] for asked in replay.requests] == ["10", "10", "5"]

    def test_all_there_is_and_no_page_more(self, world: World, play: Play):
        replay = play(copies=3)
        config = {"base_url": replay.url, "search_query": "walk", "max_results": 30_000, "page_size": 97}
        pages = world.collect(ArxivCollector(), config)
        assert len(ids(pages)) == len(set(ids(pages))) == len(replay.walk) == 3 * 197
        assert len(replay.requests) == len(pages) == 7
        assert pages[-1].next_page is None
        assert pages[0].expected == 3 * 197

    def test_an_answer_with_more_than_asked_is_cut(self, world: World, serve: Serve):
        server = serve(Reply(body=feed([entry(n) for n in range(20)], 20)))
        config = {"base_url": server.url, "search_query": "x", "max_results": 5}
        assert len(ids(world.collect(ArxivCollector(), config))) == 5

    def test_a_short_page_in_the_middle_loses_nothing(self, world: World, serve: Serve):
        papers = [entry(n) for n in range(10)]

        def short(asked: Any) -> Reply:
            start = int(asked.query["start"])
            return Reply(body=feed(papers[start : start + (2 if start == 4 else 4)], 10, start))

        config = {"base_url": serve(short).url, "search_query": "x", "page_size": 4}
        assert ids(world.collect(ArxivCollector(), config)) == [f"2601.{n:05}" for n in range(10)]

    def test_a_total_that_shrinks_in_the_middle_ends_well(self, world: World, serve: Serve):
        def shrinking(asked: Any) -> Reply:
            start = int(asked.query["start"])
            entries = [entry(n) for n in range(start, min(start + 4, 7))]
            return Reply(body=feed(entries, 7 if start else 8, start))

        config = {"base_url": serve(shrinking).url, "search_query": "x", "page_size": 4}
        pages = world.collect(ArxivCollector(), config)
        assert len(ids(pages)) == 7
        assert pages[-1].next_page is None

    def test_a_total_that_grows_in_the_middle_is_followed(self, world: World, serve: Serve):
        def growing(asked: Any) -> Reply:
            start = int(asked.query["start"])
            total = 8 if start else 4
            return Reply(body=feed([entry(n) for n in range(start, min(start + 3, total))], total, start))

        config = {"base_url": serve(growing).url, "search_query": "x", "page_size": 3}
        assert len(ids(world.collect(ArxivCollector(), config))) == 8

    def test_nothing_found_is_one_empty_page(self, world: World, serve: Serve):
        config = {"base_url": serve(Reply(body=feed([], 0))).url, "search_query": "x"}
        (page,) = world.collect(ArxivCollector(), config)
        assert (page.items, page.next_page, page.cursor, page.expected) == ([], None, None, 0)


class TestIds:
    def test_captured_ids(self, world: World, play: Play):
        replay = play()
        config = {"base_url": replay.url, "id_list": ["0808.05394", " arXiv:1707.08567 ", "1707.08567"]}
        (page,) = world.collect(ArxivCollector(), config)
        assert ids([page]) == ["1707.08567"]  # the other one is unknown: fewer entries, no error
        assert replay.requests[0].query["id_list"] == "0808.05394,1707.08567"
        assert page.cursor is None

    def test_a_text_of_ids(self, world: World, play: Play):
        config = {"base_url": play().url, "id_list": "1605.08386, quant-ph/0201082v1"}
        assert set(ids(world.collect(ArxivCollector(), config))) == {"1605.08386", "quant-ph/0201082"}

    def test_only_unknown_ids(self, world: World, play: Play):
        (page,) = world.collect(ArxivCollector(), {"base_url": play().url, "id_list": "0000.0000"})
        assert (page.items, page.next_page) == ([], None)

    def test_a_long_list_is_asked_for_in_slices(self, world: World, play: Play):
        replay = play(copies=4)
        wanted = [re.search(rb"abs/(\S+?)v\d+<", paper)[1].decode() for paper in replay.walk]
        unknown = [f"0000.{n:04}" for n in range(30)]
        pages = world.collect(
            ArxivCollector(), {"base_url": replay.url, "id_list": unknown + wanted, "page_size": 300}
        )
        assert ids(pages) == wanted
        assert [len(asked.query["id_list"].split(",")) for asked in replay.requests] == [
            200,
            200,
            200,
            200,
            18,
        ]
        assert pages[0].expected == 818
        assert [page.next_page and page.next_page["slice"] for page in pages] == [1, 2, 3, 4, None]

    def test_a_slice_of_unknown_ids_does_not_end_the_list(self, world: World, play: Play):
        config = {"base_url": play().url, "id_list": ["0000.0000", "1605.08386"], "page_size": 1}
        assert ids(world.collect(ArxivCollector(), config)) == ["1605.08386"]

    def test_max_results_bounds_a_list_too(self, world: World, play: Play):
        config = {"base_url": play().url, "id_list": ["1605.08386", "1707.08567"], "max_results": 1}
        assert ids(world.collect(ArxivCollector(), config)) == ["1605.08386"]

    def test_a_query_filters_a_list(self, world: World, serve: Serve):
        server = serve(Reply(body=feed([entry(1)], 1)))
        config = {"base_url": server.url, "id_list": ["2601.00001"], "search_query": "cat:cs.AI"}
        world.collect(ArxivCollector(), config)
        assert server.requests[0].query["search_query"] == "cat:cs.AI"
        assert server.requests[0].query["id_list"] == "2601.00001"

    def test_a_malformed_id_is_a_refusal_in_arxivs_words(self, world: World, play: Play):
        replay = play()
        with pytest.raises(SourceRefused, match=r"400 Bad Request: incorrect id format for abc$"):
            world.collect(ArxivCollector(), {"base_url": replay.url, "id_list": "abc"})
        assert len(replay.requests) == 1


class TestWindow:
    def test_window_and_cursor_hold_the_newest_submission(self, world: World, play: Play):
        config = {"base_url": play().url, "search_query": "walk", "page_size": 50, "max_results": 150}
        pages = world.collect(ArxivCollector(), config)
        newest = max(item["published"] for page in pages for item in page.items)
        assert {page.window["begun"] for page in pages} == {"2026-11-23T09:00:00Z"}
        assert pages[-1].window["newest"] == newest
        assert pages[-1].cursor == {"submitted": newest}

    def test_a_submission_of_the_future_is_no_mark(self, world: World, serve: Serve):
        papers = [entry(2, "2099-01-01T00:00:00Z"), entry(1, "2026-11-20T00:00:00Z")]
        config = {"base_url": serve(Reply(body=feed(papers, 2))).url, "search_query": "x"}
        assert world.collect(ArxivCollector(), config)[-1].cursor == {"submitted": "2026-11-20T00:00:00Z"}

    @pytest.mark.parametrize(
        "order",
        [{"sort_by": "relevance"}, {"sort_order": "ascending"},
         {"sort_by": "lastUpdatedDate", "sort_order": "ascending"}],
    )  # fmt: skip
    def test_another_order_has_no_cursor(self, world: World, play: Play, order: dict[str, str]):
        config = {"base_url": play().url, "search_query": "walk", **order}
        assert {page.cursor for page in world.collect(ArxivCollector(), config)} == {None}

    def test_only_the_last_page_has_one(self, world: World, play: Play):
        config = {"base_url": play().url, "search_query": "walk", "page_size": 40}
        pages = world.collect(ArxivCollector(), config)
        assert [page.cursor is None for page in pages] == [True, True, False]

    def test_how_it_is_asked_does_not_change_what_is_collected(self):
        config = {
            "search_query": "x",
            "page_size": 5,
            "base_url": "http://h",
            "max_results": 9,
            "overlap": "1d",
        }
        assert ArxivCollector().selection(config) == {"search_query": "x"}


class TestResuming:
    def test_from_every_page_nothing_is_lost_and_the_window_is_kept(self, world: World, play: Play):
        config = {"base_url": play().url, "search_query": "walk", "max_results": 150, "page_size": 20}
        whole = world.collect(ArxivCollector(), config)
        world.clock.start += timedelta(days=1)
        for number, page in enumerate(whole[:-1], 1):
            rest = world.collect(ArxivCollector(), config, progress=Progress(page.window, page.next_page))
            # One page again, and everything behind it.
            assert ids(rest) == ids(whole[number - 1 :])
            assert rest[-1].window["begun"] == whole[0].window["begun"] == "2026-11-23T09:00:00Z"
            assert rest[-1].cursor == whole[-1].cursor

    def test_papers_taken_away_above_are_made_up_for(self, world: World, serve: Serve):
        papers = [entry(n) for n in range(12)]

        def handler(asked: Any) -> Reply:
            start = int(asked.query["start"])
            return Reply(body=feed(papers[start : start + 4], len(papers), start))

        config = {"base_url": serve(handler).url, "search_query": "x", "page_size": 4}
        first = next(iter(ArxivCollector().collect(world.collection(config))))
        del papers[:3]
        rest = world.collect(ArxivCollector(), config, progress=Progress(first.window, first.next_page))
        assert set(ids([first, *rest])) == {f"2601.{n:05}" for n in range(12)}

    def test_another_page_size_meanwhile(self, world: World, play: Play):
        config = {"base_url": play().url, "search_query": "walk", "max_results": 100}
        whole = world.collect(ArxivCollector(), config | {"page_size": 10})
        rest = world.collect(
            ArxivCollector(),
            config | {"page_size": 64},
            progress=Progress(whole[4].window, whole[4].next_page),
        )
        assert ids(rest) == ids(whole)

    def test_a_list_goes_on_in_its_slice(self, world: World, play: Play):
        replay = play()
        config = {"base_url": replay.url, "id_list": ids_of(replay)[:50], "page_size": 10}
        whole = world.collect(ArxivCollector(), config)
        rest = world.collect(ArxivCollector(), config, progress=Progress(whole[2].window, whole[2].next_page))
        assert ids(rest) == ids(whole[2:])  # one page back

    @pytest.mark.parametrize(("before", "after"), [(40, 7), (7, 40), (10, 100)])
    def test_a_list_goes_on_whatever_the_page_size_is_edited_to(
        self, world: World, play: Play, monkeypatch: pytest.MonkeyPatch, before: int, after: int
    ):
        monkeypatch.setattr("stoma.collectors.arxiv_plan.IDS_AT_ONCE", 40)
        replay = play()
        config = {"base_url": replay.url, "id_list": ids_of(replay)[:130], "page_size": before}
        whole = world.collect(ArxivCollector(), config)
        for done in range(len(whole) - 1):
            progress = Progress(whole[done].window, whole[done].next_page)
            rest = world.collect(ArxivCollector(), {**config, "page_size": after}, progress=progress)
            assert set(ids(whole[: done + 1]) + ids(rest)) == set(ids(whole))

    @pytest.mark.parametrize("token", [{}, {"start": 900}, {"start": 0, "slice": 7, "before": 3}, {"odd": 1}])
    def test_a_token_that_fits_no_longer_begins_anew(self, world: World, play: Play, token: dict[str, int]):
        config = {"base_url": play().url, "search_query": "walk", "max_results": 50}
        rest = world.collect(ArxivCollector(), config, progress=Progress({}, token))
        assert len(ids(rest)) == 50


def ids_of(replay: Replay) -> list[str]:
    return [re.search(rb"abs/(\S+?)v\d+<", paper)[1].decode() for paper in replay.walk]


WALK = {"search_query": "walk", "max_results": 100, "page_size": 20}


class TestMisbehaviour:
    @pytest.mark.parametrize(
        "fault",
        ["reset", "drop", "hang", "truncated", "truncated-xml", "reset-body", "garbage", "html", "empty",
         "empty-zero", "repeat", "gzip-cut", "gzip-broken", "status=500", "status=429,Retry-After=3"],
    )  # fmt: skip
    def test_a_passing_fault_costs_one_more_request(self, world: World, play: Play, fault: str):
        replay = play(faults={3: fault})
        pages = world.collect(ArxivCollector(), {"base_url": replay.url, **WALK}, silence=0.2)
        assert ids(pages) == ids_of(replay)[:100]
        assert len(replay.requests) == 6

    @pytest.mark.parametrize(
        ("fault", "error", "words"),
        [
            ("reset", Unreachable, "the connection was reset"),
            ("drop", Unreachable, "closed without an answer"),
            ("hang", Unreachable, "no sign of life"),
            ("truncated", BadAnswer, "cut off"),
            ("truncated-xml", BadAnswer, "is not XML"),
            ("garbage", BadAnswer, "is not XML"),
            ("html", BadAnswer, "begins '<!DOCTYPE html>"),
            ("empty", BadAnswer, "is an empty page, though 197 results are promised"),
            ("empty-zero", BadAnswer, "is an empty page, though 197 results are promised"),
            ("repeat", BadAnswer, "is the page before it once more"),
            ("gzip-cut", BadAnswer, "gzip that was cut off"),
            ("gzip-broken", BadAnswer, "broken gzip"),
            ("status=500", BadAnswer, "500 Internal Server Error"),
        ],
    )
    def test_a_lasting_fault_ends_the_try_after_three_asks(
        self, world: World, play: Play, fault: str, error: type[SourceError], words: str
    ):
        replay = play(faults=dict.fromkeys((3, 4, 5), fault))
        collected = []
        with pytest.raises(error, match=words) as failed:
            for page in ArxivCollector().collect(
                world.collection({"base_url": replay.url, **WALK}, silence=0.1)
            ):
                collected.append(page)
        assert f"{replay.url}/api/query?search_query=walk&start=40" in failed.value.message
        assert "(asked 3 times)" in failed.value.message
        assert len(replay.requests) == 5

        # What came before stays, and the next try goes on there.
        last = collected[-1]
        rest = world.collect(
            ArxivCollector(),
            {"base_url": replay.url, **WALK},
            progress=Progress(last.window, last.next_page),
        )
        assert ids(collected[:-1] + rest) == ids_of(replay)[:100]

    def test_a_bomb_is_refused_at_once(self, world: World, play: Play):
        replay = play(faults={2: "bomb"})
        with pytest.raises(SourceRefused, match="more than 64 MB"):
            world.collect(ArxivCollector(), {"base_url": replay.url, **WALK})
        assert len(replay.requests) == 2

    @pytest.mark.parametrize("fault", ["status=429", "status=503", "status=429,Retry-After=120"])
    def test_a_source_that_asks_for_patience_gets_it(self, world: World, play: Play, fault: str):
        replay = play(faults={2: fault})
        with pytest.raises(SourceBusy, match=r"Rate exceeded\."):
            world.collect(ArxivCollector(), {"base_url": replay.url, **WALK})
        assert len(replay.requests) == 2
        assert world.budget.cooling

    def test_an_empty_first_page_that_promises_results(self, world: World, play: Play):
        replay = play(faults={1: "empty"})
        pages = world.collect(ArxivCollector(), {"base_url": replay.url, **WALK})
        assert len(ids(pages)) == 100

    def test_a_resumed_collection_knows_that_zero_is_wrong(self, world: World, play: Play):
        replay = play(faults=dict.fromkeys((1, 2, 3), "empty-zero"))
        progress = Progress({"begun": "x", "newest": None}, {"start": 20, "total": 197})
        with pytest.raises(BadAnswer, match="197 results are promised"):
            world.collect(ArxivCollector(), {"base_url": replay.url, **WALK}, progress=progress)
