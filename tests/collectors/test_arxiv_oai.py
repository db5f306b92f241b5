"""arXiv over OAI-PMH: true captures read whole, and harvests that lose nothing whatever becomes of their tokens."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import pytest

from stoma import collectors
from stoma.collectors.answers import Response
from stoma.collectors.arxiv import ArxivCollector
from stoma.collectors.arxiv_oai import read_listing
from stoma.collectors.base import Progress
from stoma.errors import BadAnswer, SourceBusy, SourceRefused, UsageError
from stoma.records import CollectorResult
from stoma.scheduler.base import Span
from tests.support.arxiv import Library, paper, papers
from tests.support.budget import START
from tests.support.server import Asked, Reply
from tests.support.world import Serve, World

PAGES = ("oai_2016_cs_page001", "oai_2016_cs_page002", "oai_2016_cs_page103_last", "oai_2018_listrecords",
         "oai_sample_arxiv_records_hepcrawl")  # fmt: skip


def answer(body: bytes) -> Response:
    return Response("http://x/oai", 200, {}, body, START)


def document(body: str, day: str = "2026-11-23") -> bytes:
    return (
        '<OAI-PMH xmlns="http://www.openarchives.org/OAI/2.0/">'
        f"<responseDate>{day}T01:02:03Z</responseDate><request/>{body}</OAI-PMH>"
    ).encode()


def header(number: int, stamp: str = "2026-11-20", status: str = "") -> str:
    return (
        f"<record><header{status}><identifier>oai:arXiv.org:2601.{number:05}</identifier>"
        f"<datestamp>{stamp}</datestamp></header></record>"
    )


def records(*content: str, token: str | None = None, day: str = "2026-11-23") -> bytes:
    last = "" if token is None else f"<resumptionToken>{token}</resumptionToken>"
    return document(f"<ListRecords>{''.join(content)}{last}</ListRecords>", day)


def fault(code: str, text: str = "") -> bytes:
    return document(f'<error code="{code}">{text}</error>')


class TestReading:
    @pytest.mark.parametrize("name", PAGES)
    def test_every_record_of_every_capture_is_read(self, recorded: Path, name: str):
        body = (recorded / "arxiv" / f"{name}.xml").read_bytes()
        if name.endswith(
            "hepcrawl"
        ):  # the hand that joined these records lost a namespace, and the list around them
            body = body.replace(b"GetRecord>", b"ListRecords>")
            body = body.replace(b"<arXiv xsi:", b'<arXiv xmlns="http://arxiv.org/OAI/arXiv/" xsi:')
        listing = read_listing(answer(body))
        assert len(listing.items) == len(re.findall(rb"<record>", body))
        counted = {
            "id": rb"<id>", "created": rb"<created>", "updated": rb"<updated>", "title": rb"<title>",
            "categories": rb"<categories>", "comment": rb"<comments>", "journal_ref": rb"<journal-ref>",
            "doi": rb"<doi>", "msc_class": rb"<msc-class>", "acm_class": rb"<acm-class>",
            "report_no": rb"<report-no>", "license": rb"<license>", "summary": rb"<abstract>",
            "datestamp": rb"<datestamp>", "identifier": rb"<identifier>",
        }  # fmt: skip
        for field, pattern in counted.items():
            assert sum(field in item for item in listing.items) == len(re.findall(pattern, body)), field
        assert sum(len(item["authors"]) for item in listing.items) == len(re.findall(rb"<author>", body))

    def test_tokens_old_and_new(self, recorded: Path):
        first = read_listing(answer((recorded / "arxiv/oai_2016_cs_page001.xml").read_bytes()))
        assert (first.token, first.total, first.responded) == ("1122234|1001", 102_538, "2016-03-09")
        last = read_listing(answer((recorded / "arxiv/oai_2016_cs_page103_last.xml").read_bytes()))
        assert (last.token, last.total) == (None, 102_538)
        now = read_listing(answer(records(header(1), token="verb%3DListRecords%26skip%3D1")))
        assert (now.token, now.total) == ("verb%3DListRecords%26skip%3D1", None)
        assert read_listing(answer(records(header(1)))).token is None

    def test_names_and_affiliations(self, recorded: Path):
        listing = read_listing(answer((recorded / "arxiv/oai_2016_cs_page001.xml").read_bytes()))
        assert listing.items[0]["authors"] == ["Ileana Streinu", "Louis Theran"]
        names = [name for item in listing.items for name in item["authors"]]
        assert sum(name.endswith((" Jr.", " Jr")) for name in names) == 5
        of_one = read_listing(answer((recorded / "arxiv/oai_2018_listrecords.xml").read_bytes())).items[0]
        assert of_one["affiliations"]["Bas Westerbaan"] == ["Radboud Universiteit"]

    def test_deleted(self):
        (item,) = read_listing(answer(records(header(7, status=' status="deleted"')))).items
        assert item == {
            "identifier": "oai:arXiv.org:2601.00007", "datestamp": "2026-11-20", "deleted": True, "authors": []
        }  # fmt: skip

    def test_nothing_that_matches_is_no_fault(self):
        listing = read_listing(answer(fault("noRecordsMatch")))
        assert (listing.items, listing.token, listing.is_expired) == ([], None, False)

    def test_an_expired_token_is_told_apart(self):
        assert read_listing(answer(fault("badResumptionToken", "expired"))).is_expired

    @pytest.mark.parametrize(
        ("body", "told"),
        [
            (fault("badArgument", "until is\n no day"), "answers badArgument: until is no day"),
            (fault("noSetHierarchy"), "answers noSetHierarchy"),
            (
                document('<error code="badVerb">a</error><error code="badArgument">b</error>'),
                "badVerb: a; badArgument",
            ),
        ],
    )
    def test_other_errors_are_refusals_in_the_servers_words(self, body: bytes, told: str):
        with pytest.raises(SourceRefused, match=told):
            read_listing(answer(body))

    @pytest.mark.parametrize(
        "body",
        [b"", b"<html><body>Down</body></html>", b"Rate exceeded.", records(header(1))[:-30], document(""),
         records(header(1)).replace(b"2026-11-23T", b"soon"), b"<!DOCTYPE html><html><br></html>"],
    )  # fmt: skip
    def test_what_is_no_answer(self, body: bytes):
        with pytest.raises(BadAnswer, match="http://x/oai is"):
            read_listing(answer(body))


@pytest.fixture
def library() -> Iterator[Library]:
    library = Library(papers(350, every=timedelta(hours=4)))
    yield library
    library.server.close()


def config(library: Library, **given: Any) -> dict[str, Any]:
    return {"mode": "oai", "base_url": library.url, **given}


def numbers(pages: list[CollectorResult]) -> list[int]:
    return [int(item["identifier"].rpartition(".")[2]) for page in pages for item in page.items]


class TestHarvest:
    def test_everything_then_what_changed_since(self, world: World, library: Library):
        pages = world.collect(ArxivCollector(), config(library))
        assert numbers(pages) == list(range(1, 351))
        assert [len(page.items) for page in pages] == [100, 100, 100, 50]
        assert [page.cursor for page in pages] == [None, None, None, {"from": "2026-11-23", "count": 350}]
        asked = [one.query for one in library.requests]
        assert asked[0] == {"verb": "ListRecords", "metadataPrefix": "arXiv"}
        assert {tuple(query) for query in asked[1:]} == {("verb", "resumptionToken")}

        library.now += timedelta(days=2)
        library.papers.append(paper(500, "2026-11-24T12:00:00"))
        later = world.collect(ArxivCollector(), config(library), cursor=pages[-1].cursor)
        assert library.requests[-1].query == {
            "verb": "ListRecords", "metadataPrefix": "arXiv", "from": "2026-11-23"
        }  # fmt: skip
        assert numbers(later) == [348, 349, 350, 500]

    def test_the_day_is_the_servers(self, world: World, serve: Serve):
        server = serve(Reply(body=records(header(1), day="2026-11-22")))
        pages = world.collect(ArxivCollector(), {"mode": "oai", "base_url": server.url})
        assert pages[-1].cursor["from"] == "2026-11-22"

    def test_the_day_is_that_of_the_beginning(self, world: World, library: Library):
        def midnight(asked: Asked, reply: Reply) -> Reply:
            return replace(
                reply, body=reply.body.replace(b"<responseDate>2026-11-23", b"<responseDate>2026-11-24")
            )

        whole = []
        for page in ArxivCollector().collect(world.collection(config(library))):
            whole.append(page)
            library.spoil = midnight
        assert whole[-1].cursor["from"] == "2026-11-23"
        rest = world.collect(
            ArxivCollector(), config(library), progress=Progress(whole[1].window, whole[1].next_page)
        )
        assert rest[-1].cursor["from"] == "2026-11-23"

    def test_a_clock_that_is_ahead_leaves_no_days_out(self, world: World, serve: Serve):
        server = serve(Reply(body=records(header(1), day="2029-01-01")))
        pages = world.collect(ArxivCollector(), {"mode": "oai", "base_url": server.url})
        assert pages[-1].cursor["from"] == "2026-11-23"

    def test_sets_one_after_the_other_and_from(self, world: World, library: Library):
        library.papers = [
            paper(1, "2026-11-20T00:00:00", categories=("hep-th",)),
            paper(2, "2026-11-21T00:00:00", categories=("cs.AI", "hep-th")),
            paper(3, "2026-11-22T00:00:00", categories=("math.CO",)),
        ]
        given = config(library, set=["physics:hep-th", "cs:cs:AI", "q-bio", "math"], **{"from": "2026-11-21"})
        pages = world.collect(ArxivCollector(), given)
        assert [numbers([page]) for page in pages] == [[2], [2], [], [3]]
        assert [one.query["set"] for one in library.requests] == [
            "physics:hep-th",
            "cs:cs:AI",
            "q-bio",
            "math",
        ]
        assert {one.query["from"] for one in library.requests} == {"2026-11-21"}
        assert pages[-1].cursor["from"] == "2026-11-23"

    def test_one_set_as_a_text(self, world: World, library: Library):
        world.collect(ArxivCollector(), config(library, set="cs"))
        assert library.requests[0].query["set"] == "cs"

    def test_an_empty_day_is_a_good_one(self, world: World, library: Library):
        library.papers = []
        before = {"from": "2026-11-21", "count": 12}
        (page,) = world.collect(ArxivCollector(), config(library), cursor=before)
        assert (page.items, page.next_page, page.cursor) == ([], None, {"from": "2026-11-23", "count": 12})
        assert page.unmodified == 12

    def test_from_every_page_it_goes_on(self, world: World, library: Library):
        given = config(library, set=["cs", "stat"])
        whole = world.collect(ArxivCollector(), given)
        assert len(whole) == 8
        for done in range(len(whole) - 1):
            progress = Progress(whole[done].window, whole[done].next_page)
            rest = world.collect(ArxivCollector(), given, progress=progress)
            assert numbers(rest) == numbers(whole[done + 1 :])
            assert rest[-1].cursor == whole[-1].cursor

    def test_a_place_that_fits_no_longer_begins_anew(self, world: World, library: Library):
        for page in ({"set": 5, "token": "x", "in_order": True}, {"odd": 1}, None):
            rest = world.collect(ArxivCollector(), config(library), progress=Progress({}, page))
            assert len(numbers(rest)) == 350

    def test_the_true_walk(self, world: World, serve: Serve, recorded: Path):
        names = {None: "page001", "1122234|1001": "page002", "1122234|2001": "page103_last"}

        def play(asked: Asked) -> Reply:
            name = names[asked.query.get("resumptionToken")]
            return Reply(body=(recorded / f"arxiv/oai_2016_cs_{name}.xml").read_bytes())

        pages = world.collect(ArxivCollector(), {"mode": "oai", "set": "cs", "base_url": serve(play).url})
        assert [len(page.items) for page in pages] == [1000, 1000, 538]
        assert {page.expected for page in pages} == {102_538}
        assert pages[-1].cursor["from"] == "2016-03-09"

    @pytest.mark.parametrize("name", ["search_query", "id_list"])
    def test_it_knows_no_query(self, world: World, name: str):
        with pytest.raises(UsageError, match=f"knows no {name}"):
            world.collect(ArxivCollector(), {"mode": "oai", name: "x"})

    def test_it_asks_elsewhere_within_the_same_budget(self):
        assert ArxivCollector.origin_of({"mode": "oai"}) == "https://oaipmh.arxiv.org"
        assert ArxivCollector.origin_of({}) == "https://export.arxiv.org"
        assert collectors.host_of("arxiv", {"mode": "oai"}) == "oaipmh.arxiv.org"


class TestTokens:
    def test_an_expired_one_begins_anew_where_all_before_is_finished(self, world: World, library: Library):
        whole = world.collect(ArxivCollector(), config(library))
        # Given a stop behind the second page, and a day until it goes on: tokens last for one
        library.now += timedelta(days=1)
        world.clock.start += timedelta(days=1)
        asked = len(library.requests)
        rest = world.collect(
            ArxivCollector(), config(library), progress=Progress(whole[1].window, whole[1].next_page)
        )
        last = max(item["datestamp"] for item in whole[1].items)
        assert library.requests[asked + 1].query == {
            "verb": "ListRecords",
            "metadataPrefix": "arXiv",
            "from": last,
        }
        assert set(numbers(whole[:2] + rest)) == set(range(1, 351))
        assert len(numbers(rest)) < 160
        assert rest[-1].cursor["from"] == "2026-11-23"
        assert "the resumption token has expired; the list begins anew at" in world.told[0]

    def test_where_datestamps_come_in_no_order_it_begins_at_its_beginning(self, world: World, serve: Serve):
        stamps = ["2026-11-20", "2026-11-22", "2026-11-21"]
        asked_for = []

        def play(asked: Asked) -> Reply:
            asked_for.append(asked.query.get("from") or asked.query.get("resumptionToken"))
            if "resumptionToken" in asked.query:
                return Reply(body=fault("badResumptionToken"))
            content = [header(n, stamp) for n, stamp in enumerate(stamps)]
            return Reply(body=records(*content, token="gone" if asked.number == 1 else None))

        given = {"mode": "oai", "base_url": serve(play).url, "from": "2026-11-19"}
        assert numbers(world.collect(ArxivCollector(), given)) == [0, 1, 2, 0, 1, 2]
        assert asked_for == ["2026-11-19", "gone", "2026-11-19"]

    def test_tokens_that_are_never_accepted_end_the_run(self, world: World, serve: Serve):
        def play(asked: Asked) -> Reply:
            is_first = "resumptionToken" not in asked.query
            return Reply(
                body=records(header(asked.number), token="t") if is_first else fault("badResumptionToken")
            )

        server = serve(play)
        with pytest.raises(BadAnswer, match="however often the list begins anew"):
            world.collect(ArxivCollector(), {"mode": "oai", "base_url": server.url})
        assert len(server.requests) == 8

    @pytest.mark.parametrize(
        ("play", "told"),
        [
            (lambda n: records(header(n), token="same"), "leads back to a page that was there before"),
            (lambda n: records(header(n), token=f"t{n % 3}"), "leads back to a page that was there before"),
            (lambda n: records(header(1), header(2), token=f"t{n}"), "is the page before it once more"),
        ],
    )
    def test_no_walk_is_endless(self, world: World, serve: Serve, play: Callable[[int], bytes], told: str):
        server = serve(lambda asked: Reply(body=play(asked.number)))
        with pytest.raises(BadAnswer, match=told):
            world.collect(ArxivCollector(), {"mode": "oai", "base_url": server.url})
        assert len(server.requests) < 10

    def test_the_captured_wish_for_patience(self, world: World, library: Library, recorded: Path):
        body = (recorded / "arxiv/oai_2018_listrecords_503_retry_after.html").read_bytes()
        patience = Reply(503, body, {"Retry-After": "10", "Content-Type": "text/html"})
        library.spoil = lambda asked, reply: patience if asked.number == 2 else reply
        assert len(numbers(world.collect(ArxivCollector(), config(library)))) == 350
        assert sum(world.clock.waits) >= 10

    def test_a_long_one_gives_the_place_back(self, world: World, library: Library):
        patience = Reply(503, b"", {"Retry-After": "3600"})
        library.spoil = lambda asked, reply: patience if asked.number == 2 else reply
        with pytest.raises(SourceBusy):
            world.collect(ArxivCollector(), config(library))


class TestSpan:
    MARCH = Span(date(2026, 3, 1), date(2026, 3, 31))

    def test_all_that_changed_in_those_days(self, world: World, library: Library):
        library.papers = [
            paper(1, "2026-02-28T23:00:00"), paper(2, "2026-03-01T00:00:00"), paper(3, "2026-03-31T23:00:00"),
            paper(4, "2026-04-01T00:00:00"), paper(5, "2026-01-01T00:00:00", "2026-03-15T00:00:00"),
        ]  # fmt: skip
        given = config(library, **{"from": "2026-01-01"})
        pages = list(ArxivCollector().collect(replace(world.collection(given), span=self.MARCH)))
        assert set(numbers(pages)) == {2, 3, 5}
        assert {page.cursor for page in pages} == {None}
        assert library.requests[0].query["until"] == "2026-03-31"

    def test_what_it_would_cost(self, world: World, library: Library):
        library.papers = [paper(n, f"2026-03-{n % 28 + 1:02}T12:00:00") for n in range(1, 90)]
        collection = replace(world.collection(config(library, set=["cs", "stat"])), span=self.MARCH)
        estimate = ArxivCollector().estimate(collection)
        assert (estimate.requests, estimate.records, estimate.is_told) == (2, 178, True)
        assert {one.query["verb"] for one in library.requests} == {"ListIdentifiers"}

    def test_where_no_total_is_told_it_is_reckoned(self, world: World, library: Library):
        library.papers = [paper(n, f"2026-03-{n % 28 + 1:02}T12:00:00") for n in range(1, 150)]
        estimate = ArxivCollector().estimate(replace(world.collection(config(library)), span=self.MARCH))
        assert (estimate.requests, estimate.records, estimate.is_told) == (62, None, False)
