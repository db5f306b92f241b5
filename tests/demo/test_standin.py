"""The stand-in answers as arXiv does: read by the true collector, and looked at beside the true captures."""

from __future__ import annotations

import re
import subprocess
import sys
import threading
import urllib.error
import urllib.request
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import pytest

from stoma import collectors, normalizers
from stoma.demo.papers import MARK, invent
from stoma.demo.standin import StandIn
from stoma.records import CollectorResult, Record
from tests.support.world import World

NOW = datetime(2026, 11, 23, 9, 30, tzinfo=UTC)


@pytest.fixture(scope="module")
def standin() -> Iterator[StandIn]:
    with StandIn(now=NOW, per_second=10_000) as standin:
        yield standin


@pytest.fixture
def world() -> Iterator[World]:
    world = World()
    yield world
    for client in world.clients:
        client.close()


def asked(standin: StandIn, **query: Any) -> str:
    with urllib.request.urlopen(f"{standin.url('arxiv')}/api/query?{urlencode(query)}") as answer:
        assert answer.headers["Content-Type"] == "application/atom+xml; charset=utf-8"
        return str(answer.read(), "utf-8")


def total(body: str) -> int:
    return int(re.search(r"totalResults>(\d+)<", body)[1])


def keys(body: str) -> list[str]:
    return re.findall(r"<id>http://arxiv.org/abs/(\S+?)v\d</id>", body)


def records(pages: list[CollectorResult]) -> list[Record]:
    normalizer: Any = normalizers.make("arxiv")
    return [record for page in pages for record in normalizer.normalize(page)]


class TestThroughTheCollector:
    def test_a_preset_finds_papers(self, standin: StandIn, world: World):
        config = {
            "search_query": "cat:cs.AI OR cat:cs.LG",
            "max_results": 50,
            "base_url": standin.url("arxiv"),
        }
        pages = world.collect(collectors.make("arxiv"), config | {"page_size": 20})
        found = records(pages)
        assert len({record.external_id for record in found}) == 50
        assert all({"cs.AI", "cs.LG"} & set(record.tags) for record in found)
        assert found == sorted(found, key=lambda record: record.published_at, reverse=True)
        assert pages[-1].cursor == {"submitted": f"{found[0].published_at:%Y-%m-%dT%H:%M:%SZ}"}

    def test_everything_at_once(self, standin: StandIn, world: World):
        config = {
            "search_query": "cat:*",
            "max_results": 9999,
            "page_size": 200,
            "base_url": standin.url("arxiv"),
        }
        found = records(world.collect(collectors.make("arxiv"), config))
        papers = invent(NOW)
        assert 300 < len(papers) < 1000
        assert [record.external_id for record in found] == [paper.id for paper in papers]
        for record, paper in zip(found, papers, strict=True):
            assert (record.title, record.summary) == (paper.title, paper.summary)
            assert (record.authors, record.tags) == (paper.authors, paper.categories)
            assert (record.published_at, record.updated_at) == (paper.published, paper.updated)
            assert record.attributes["version"] == paper.version
            assert record.attributes["comment"] == paper.comment

    def test_what_it_cannot_play(self, standin: StandIn):
        assert standin.url("my_source:MyCollector") is None
        assert standin.url_for("my_source:MyCollector", "mine", {}) is None
        assert standin.url_for("arxiv", "papers", {}) == standin.url("arxiv")

    def test_what_is_new_since_the_last_run(self, standin: StandIn, world: World):
        config = {"search_query": "cat:cs.*", "max_results": 1000, "base_url": standin.url("arxiv")}
        cursor = {"submitted": f"{NOW - timedelta(days=3):%Y-%m-%dT%H:%M:%SZ}"}
        pages = world.collect(collectors.make("arxiv"), config | {"overlap": "24h"}, cursor=cursor)
        since = NOW - timedelta(days=4)
        expected = [
            p.id for p in invent(NOW) if p.published >= since and any(c[:3] == "cs." for c in p.categories)
        ]
        assert [record.external_id for record in records(pages)] == expected
        assert 10 < len(expected) < 60

    def test_a_harvest_finds_the_same_papers(self, standin: StandIn, world: World):
        base_url = standin.url("arxiv")
        harvest = {"mode": "oai", "set": ["cs", "physics:hep-th"], "base_url": base_url}
        found = {r.external_id: r for r in records(world.collect(collectors.make("arxiv"), harvest))}
        query = {"search_query": "cat:cs.* OR cat:hep-th", "max_results": 9999, "base_url": base_url}
        others = records(world.collect(collectors.make("arxiv"), query))
        assert set(found) == {record.external_id for record in others}
        normalizer: Any = normalizers.make("arxiv")
        for one in others:
            bare = replace(
                one, attributes={**one.attributes, "license": found[one.external_id].attributes["license"]}
            )
            assert normalizer.merged(found[one.external_id], one) == bare
        later = world.collect(
            collectors.make("arxiv"), harvest | {"set": "cs"}, cursor={"from": "2026-11-22"}
        )
        assert {item["datestamp"] for page in later for item in page.items} == {"2026-11-22", "2026-11-23"}

    @pytest.mark.parametrize(
        ("query", "code"),
        [
            ({"verb": "Nothing"}, "badVerb"),
            ({"verb": "ListRecords"}, "cannotDisseminateFormat"),
            ({"verb": "ListRecords", "metadataPrefix": "arXiv", "from": "soon"}, "badArgument"),
            ({"verb": "ListRecords", "metadataPrefix": "arXiv", "form": "x"}, "badArgument"),
            (
                {
                    "verb": "ListRecords",
                    "metadataPrefix": "arXiv",
                    "from": "2026-11-02",
                    "until": "2026-11-01",
                },
                "badArgument",
            ),
            ({"verb": "ListRecords", "resumptionToken": "x"}, "badResumptionToken"),
            ({"verb": "ListRecords", "resumptionToken": "x", "set": "cs"}, "badArgument"),
            ({"verb": "ListRecords", "metadataPrefix": "arXiv", "from": "2099-01-01"}, "noRecordsMatch"),
        ],
    )
    def test_errors_of_the_harvest_are_the_protocols(
        self, standin: StandIn, query: dict[str, str], code: str
    ):
        with urllib.request.urlopen(f"{standin.url('arxiv')}/oai?{urlencode(query)}") as answer:
            assert f'<error code="{code}">' in answer.read().decode()


class TestFormat:
    def test_it_looks_like_the_true_one(self, standin: StandIn, recorded: Path):
        true = (recorded / "arxiv/api_2026_testing_start00_max10.xml").read_text()
        played = asked(standin, search_query="all:graph", max_results=10)
        skeleton = r"^ {0,4}<[^>]*?(?=[ />])"
        for part in (r"\A.*?(?=<id>)", r"(?<=</startIndex>).*?<entry>"):
            assert re.findall(part, true, re.DOTALL) == re.findall(part, played, re.DOTALL)

        def order(body: str) -> list[str]:
            seen = re.findall(skeleton, re.search(r"<entry>.*?</entry>", body, re.DOTALL)[0], re.MULTILINE)
            return list(dict.fromkeys(seen))

        optional = {"    <arxiv:journal_ref", "    <arxiv:doi"}
        assert [tag for tag in order(true) if tag not in optional] == [
            tag for tag in order(played) if tag not in optional
        ]

    def test_paging(self, standin: StandIn):
        everything = asked(standin, search_query="cat:cs.*", max_results=1000)
        count = total(everything)
        assert len(keys(everything)) == count
        middle = asked(standin, search_query="cat:cs.*", start=10, max_results=5)
        assert (total(middle), keys(middle)) == (count, keys(everything)[10:15])
        assert "<opensearch:startIndex>10<" in middle
        assert "<opensearch:itemsPerPage>5<" in middle
        behind = asked(standin, search_query="cat:cs.*", start=count, max_results=5)
        assert (total(behind), keys(behind)) == (count, [])
        assert len(keys(asked(standin, search_query="cat:cs.*"))) == 10

    @pytest.mark.parametrize(
        ("query", "reason"),
        [
            ({"id_list": "abc"}, "incorrect id format for abc"),
            ({"start": "-1"}, "start must be non-negative"),
            ({"start": "x"}, "start must be an integer"),
            ({"max_results": "-1"}, "max_results must be non-negative"),
            ({"max_results": "30001"}, "max_results must not exceed 30000"),
            ({"sortBy": "size"}, "sortBy or sortOrder"),
        ],
    )
    def test_errors_are_entries_with_400(self, standin: StandIn, query: dict[str, str], reason: str):
        with pytest.raises(urllib.error.HTTPError) as refused:
            asked(standin, **({"search_query": "all:x"} | query))
        with refused.value as answer:
            body = answer.read().decode()
        assert answer.code == 400
        assert "<id>https://arxiv.org/api/errors#" in body
        assert f"<summary>{reason}" in body

    @pytest.mark.parametrize("path", ["/", "/arxiv", "/arxiv/api/query/search", "/github/api/query"])
    def test_other_paths(self, standin: StandIn, path: str):
        with pytest.raises(urllib.error.HTTPError) as refused:
            urllib.request.urlopen(f"http://127.0.0.1:{standin.port}{path}")
        with refused.value as answer:
            assert answer.code == 404


class TestSearch:
    @pytest.mark.parametrize(
        ("query", "test"),
        [
            ("cat:cs.AI", lambda p: "cs.AI" in p.categories),
            ("cat:cs.*", lambda p: any(c.startswith("cs.") for c in p.categories)),
            ("cat:cs.AI AND cat:cs.LG", lambda p: {"cs.AI", "cs.LG"} <= set(p.categories)),
            ("cat:cs.AI ANDNOT cat:cs.LG", lambda p: "cs.AI" in p.categories and "cs.LG" not in p.categories),
            ("(cat:cs.AI OR cat:cs.LG) AND ti:teapots",
             lambda p: {"cs.AI", "cs.LG"} & set(p.categories) and "teapots" in p.title.lower()),
            ('abs:"machine learning"', lambda p: "machine learning" in p.summary),
            ("au:fernwhistle", lambda p: any("Fernwhistle" in name for name in p.authors)),
            ("submittedDate:[202611010000 TO 202611102359]",
             lambda p: datetime(2026, 11, 1, tzinfo=UTC) <= p.published < datetime(2026, 11, 11, tzinfo=UTC)),
        ],
    )  # fmt: skip
    def test_fields_and_operators(self, standin: StandIn, query: str, test: Any):
        expected = {paper.id for paper in invent(NOW) if test(paper)}
        assert expected
        assert set(keys(asked(standin, search_query=query, max_results=1000))) == expected

    def test_plain_words_find_something(self, standin: StandIn):
        assert total(asked(standin, search_query="machine learning")) > 20
        assert total(asked(standin, search_query="all:xyzzy")) == 0
        assert total(asked(standin, search_query="((")) == 0

    def test_ids(self, standin: StandIn):
        one, two = (paper.id for paper in invent(NOW)[:2])
        assert keys(asked(standin, id_list=f"{two}v1,0000.0000,{one}")) == [two, one]
        assert keys(asked(standin, id_list=f"{one},{two}", search_query="all:xyzzy")) == []

    def test_sorting(self, standin: StandIn):
        query = {"search_query": "cat:*", "max_results": 1000}
        newest = asked(standin, **query, sortBy="submittedDate")
        assert (
            keys(asked(standin, **query, sortBy="submittedDate", sortOrder="ascending")) == keys(newest)[::-1]
        )
        updated = re.findall(r"    <updated>(\S+)<", asked(standin, **query, sortBy="lastUpdatedDate"))
        assert updated == sorted(updated, reverse=True)


class TestManners:
    def test_who_asks_too_fast_is_told_to_wait(self, world: World):
        clock = world.clock
        with StandIn(now=NOW, per_second=5, monotonic=clock.monotonic) as standin:
            for _ in range(5):
                asked(standin, search_query="x")
            with pytest.raises(urllib.error.HTTPError) as refused:
                asked(standin, search_query="x")
            with refused.value as answer:
                assert (answer.code, answer.headers["Retry-After"]) == (429, "1")
                assert answer.read() == b"Rate exceeded."
            # The true client waits as it is told, and gets its papers.
            config = {"search_query": "cat:cs.AI", "base_url": standin.url("arxiv")}
            assert records(world.collect(collectors.make("arxiv"), config))
            assert clock.waits == [1]

    def test_it_bears_several_at_once_and_stops_quickly(self, standin: StandIn):
        threads = [
            threading.Thread(target=asked, args=(standin,), kwargs={"search_query": "x"}) for _ in range(8)
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(5)
        assert not any(thread.is_alive() for thread in threads)


class TestPapers:
    def test_the_same_moment_brings_the_same_papers(self):
        assert invent(NOW) == invent(NOW)

    def test_a_later_moment_adds_and_revises_but_forgets_nothing_recent(self):
        before, after = ({paper.id: paper for paper in invent(NOW + timedelta(days=d))} for d in (0, 1))
        assert len(set(after) - set(before)) > 5
        gone = set(before) - set(after)
        assert all(before[key].published < NOW - timedelta(days=58) for key in gone)
        for key in set(before) & set(after):
            assert before[key].title == after[key].title
            assert before[key].version <= after[key].version

    def test_nothing_is_of_the_future_and_something_is_new(self):
        papers = invent(NOW)
        assert all(paper.published <= paper.updated <= NOW for paper in papers)
        assert papers[0].published > NOW - timedelta(days=1)

    def test_everything_shows_that_it_is_invented(self):
        papers = invent(NOW)
        assert len({paper.id for paper in papers}) == len(papers)
        for paper in papers:
            assert re.fullmatch(r"\d{4}\.9\d{4}", paper.id)
            assert MARK in paper.summary

    def test_latex_and_other_letters_are_among_them(self):
        texts = " ".join(paper.title + paper.summary + " ".join(paper.authors) for paper in invent(NOW))
        assert all(one in texts for one in (r"$\mathcal{O}(n \log n)$", r"\%", "ö", "Ł", "é", "–"))
        assert not re.search(r"\{\{|\}\}\w|\{(subject|thing|number)\}", texts)


def test_it_needs_nothing_heavy():
    program = (
        "import sys; import stoma.demo.standin\n"
        "heavy = {'requests', 'lxml', 'stoma.collectors', 'stoma.scheduler'} & set(sys.modules)\n"
        "assert not heavy, heavy"
    )
    path = str(Path(collectors.__file__).parents[2])
    subprocess.run([sys.executable, "-c", program], check=True, env={"PYTHONPATH": path})
