"""arXiv entries become papers: nothing of a capture is lost, and nothing invented."""

from __future__ import annotations

import re
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from stoma.collectors.answers import Response
from stoma.collectors.arxiv_atom import read_page
from stoma.collectors.arxiv_oai import read_listing
from stoma.normalizers.arxiv import ArxivNormalizer
from stoma.records import CollectorResult, Record, Reject, sealed
from tests.support.budget import START

BARE = {
    "id": "http://arxiv.org/abs/2104.12255v1",
    "title": "0",
    "summary": "s",
    "published": "2021-04-25T21:28:04Z",
    "updated": "2021-04-25T21:28:04Z",
    "authors": ["A"],
    "categories": ["physics.gen-ph"],
    "primary_category": "physics.gen-ph",
}


def normalize(items: list[Any]) -> Any:
    return ArxivNormalizer().normalize(result(items))


def result(items: list[Any]) -> CollectorResult:
    return CollectorResult(source="arxiv", items=items, url="http://x/", fetched_at=START)


def normalized(**changed: Any) -> Any:
    item = {name: value for name, value in {**BARE, **changed}.items() if value is not None}
    (record,) = normalize([item])
    return record


def papers(recorded: Path, name: str) -> list[Record]:
    body = (recorded / "arxiv" / f"{name}.xml").read_bytes()
    return list(normalize(read_page(Response("http://x", 200, {}, body, START)).items))


class TestCaptures:
    def test_every_entry_of_every_capture_becomes_one_paper(self, recorded: Path):
        bodies = {path.stem: path.read_bytes() for path in sorted((recorded / "arxiv").glob("api_*.xml"))}
        assert len(bodies) == 17
        counted = kept = 0
        for name, body in bodies.items():
            if "error" in name:
                continue
            records = papers(recorded, name)
            # Counted without any parser: `<entry` in the bytes, ids by their pattern.
            assert len(records) == len(re.findall(rb"<entry[ >]", body)), name
            assert all(isinstance(record, Record) for record in records), name
            found = re.findall(rb"<id>http://arxiv\.org/abs/(\S+?)v(\d+)</id>", body)
            assert [(r.external_id, r.attributes["version"]) for r in records] == [
                (key.decode(), int(version)) for key, version in found
            ], name
            counted += len(found)
            kept += len(records)
        assert counted == kept == 272

    def test_every_paper_is_complete(self, recorded: Path):
        for path in (recorded / "arxiv").glob("api_20*.xml"):
            for record in papers(recorded, path.stem) if "error" not in path.stem else ():
                assert record.kind == "paper"
                assert record.title
                assert record.summary
                assert record.authors
                assert record.tags[0] == record.attributes["primary_category"]
                assert record.published_at.tzinfo is UTC
                assert record.published_at <= record.updated_at or "2020" in path.stem  # edited by hand
                assert record.url == f"https://arxiv.org/abs/{record.external_id}"
                assert record.attributes["pdf_url"].startswith(f"https://arxiv.org/pdf/{record.external_id}v")
                for text in (record.title, record.summary, *record.authors):
                    assert text == " ".join(text.split())

    def test_an_old_answer_to_the_last_letter(self, recorded: Path):
        (paper,) = papers(recorded, "api_2016_id_1111.2011v2")
        assert paper.external_id == "1111.2011"
        assert paper.title == (
            "Quantum Criticality for Extended Nodes on a Bethe Lattice in the Large Connectivity Limit"
        )
        assert paper.summary.startswith(
            "Theoretical description of anisotropic systems, such as layered super"
        )
        assert paper.summary.endswith("extra dimension to the theory describing a single node.")
        assert paper.authors == ("James M. Murray", "Adrian Del Maestro", "Zlatko Tesanovic")
        assert paper.tags == ("cond-mat.str-el", "cond-mat.stat-mech")
        assert paper.published_at == datetime(2011, 11, 8, 18, 48, 36, tzinfo=UTC)
        assert paper.updated_at == datetime(2012, 4, 2, 12, 38, 54, tzinfo=UTC)
        assert paper.attributes == {
            "version": 2,
            "primary_category": "cond-mat.str-el",
            "comment": "8 pages, 3 figures. Published version",
            "journal_ref": "Phys. Rev. B 85, 115117 (2012)",
            "doi": "10.1103/PhysRevB.85.115117",
            "pdf_url": "https://arxiv.org/pdf/1111.2011v2",
        }

    def test_an_old_id_in_a_new_answer(self, recorded: Path):
        (paper,) = papers(recorded, "api_2026_id_quant-ph_0201082v1")
        assert paper.external_id == "quant-ph/0201082"
        assert paper.url == "https://arxiv.org/abs/quant-ph/0201082"

    def test_many_authors_in_order_and_in_their_own_letters(self, recorded: Path):
        (paper,) = papers(recorded, "api_2026_two_ids")
        body = (recorded / "arxiv/api_2026_two_ids.xml").read_bytes()
        assert list(paper.authors) == [name.decode() for name in re.findall(rb"<name>(.*?)</name>", body)]
        assert (paper.authors[0], paper.authors[-2]) == ("Kees A. Schouhamer Immink", "Dirk Wübben")

    def test_affiliations(self, recorded: Path):
        found = [r for r in papers(recorded, "api_2026_astro-ph_63") if "affiliations" in r.attributes]
        assert found[0].attributes["affiliations"]["Shinya Yamada"] == ["Randy"]


class TestTexts:
    @pytest.mark.parametrize(
        ("raw", "text"),
        [
            ("  A title\n  over two lines \t and\r\n tabs ", "A title over two lines and tabs"),
            (
                r"$\mathcal{O}(n\,\log n)$ and \emph{more} \\ here",
                r"$\mathcal{O}(n\,\log n)$ and \emph{more} \\ here",
            ),
            ("Gödel–Escher…  “Bach” 测试 🎉", "Gödel–Escher… “Bach” 测试 🎉"),
            ("thin\u2009space and no\u00a0break", "thin\u2009space and no\u00a0break"),
            ("0", "0"),
            ("", ""),
            (None, ""),
        ],
    )
    def test_whitespace_is_collapsed_and_all_else_kept(self, raw: str | None, text: str):
        assert normalized(title=raw).title == text
        assert normalized(summary=raw).summary == text


class TestIds:
    @pytest.mark.parametrize(
        ("raw", "external_id", "version"),
        [
            ("http://arxiv.org/abs/2605.12495v1", "2605.12495", 1),
            ("https://arxiv.org/abs/0704.0001v12", "0704.0001", 12),
            ("http://arxiv.org/abs/quant-ph/0201082v1", "quant-ph/0201082", 1),
            ("http://arxiv.org/abs/math.GT/0309136v3", "math/0309136", 3),
            (" http://arxiv.org/abs/1501.00001 ", "1501.00001", None),
        ],
    )
    def test_new_and_old(self, raw: str, external_id: str, version: int | None):
        record = normalized(id=raw)
        assert (record.external_id, record.attributes.get("version")) == (external_id, version)

    @pytest.mark.parametrize(
        "raw",
        [
            None,
            "",
            "http://arxiv.org/api/errors#x",
            "http://arxiv.org/abs/",
            "http://arxiv.org/abs/٢٦٠٥.12495v1",
        ],
    )
    def test_an_entry_without_one_is_rejected_with_the_reason(self, raw: str | None):
        reject = normalized(id=raw)
        assert isinstance(reject, Reject)
        assert "id" in reject.reason
        assert reject.item["title"] == "0"

    def test_the_page_goes_on(self):
        found = normalize([{**BARE, "id": "?"}, BARE, {}, BARE | {"updated": "never"}])
        assert [type(one) for one in found] == [Reject, Record, Reject, Reject]
        assert found[3].reason == "ValueError: 'never' is not a date"


class TestFields:
    def test_primary_first_and_each_once(self):
        record = normalized(categories=["cs.LG", "68T07", "cs.AI", "cs.LG"], primary_category="cs.AI")
        assert record.tags == ("cs.AI", "cs.LG", "68T07")

    @pytest.mark.parametrize(
        ("link", "url"),
        [
            (None, "https://arxiv.org/pdf/2104.12255v1"),
            ("http://arxiv.org/pdf/2104.12255v1", "https://arxiv.org/pdf/2104.12255v1"),
            ("https://arxiv.org/pdf/2104.12255v1", "https://arxiv.org/pdf/2104.12255v1"),
        ],
    )
    def test_the_address_of_the_pdf(self, link: str | None, url: str):
        assert normalized(pdf=link).attributes["pdf_url"] == url

    def test_both_generations_make_the_same_content(self):
        old = normalized(pdf="http://arxiv.org/pdf/2104.12255v1", summary="  s\n", title=" 0")
        assert old == normalized(pdf="https://arxiv.org/pdf/2104.12255v1")

    @pytest.mark.parametrize(
        ("doi", "link", "found"),
        [
            ("10.1/x", "https://doi.org/10.1/y", "10.1/x"),
            (None, "http://dx.doi.org/10.1/y", "10.1/y"),
            (None, "https://doi.org/10.1/y", "10.1/y"),
            (None, None, None),
        ],
    )
    def test_the_doi(self, doi: str | None, link: str | None, found: str | None):
        assert normalized(doi=doi, doi_link=link).attributes.get("doi") == found

    @pytest.mark.parametrize(
        ("text", "instant"),
        [
            ("2021-04-25T21:28:04Z", datetime(2021, 4, 25, 21, 28, 4, tzinfo=UTC)),
            ("2016-10-09T00:00:00-04:00", datetime(2016, 10, 9, 4, tzinfo=UTC)),
            ("2021-04-25T21:28:04", datetime(2021, 4, 25, 21, 28, 4, tzinfo=UTC)),
            (None, None),
        ],
    )
    def test_instants_are_aware_utc(self, text: str | None, instant: datetime | None):
        record = normalized(published=text)
        assert record.published_at == instant
        assert instant is None or record.published_at.tzinfo is UTC

    def test_what_is_missing_is_left_out(self):
        assert set(normalized(primary_category=None).attributes) == {"version", "pdf_url"}


OAI = {
    "identifier": "oai:arXiv.org:2104.12255",
    "datestamp": "2021-05-03",
    "id": "2104.12255",
    "title": "0",
    "summary": "  s\n",
    "created": "2021-04-25",
    "authors": ["A"],
    "categories": "physics.gen-ph",
}


def harvested(**changes: Any) -> Any:
    item = {name: value for name, value in {**OAI, **changes}.items() if value is not None}
    return normalize([item])[0]


class TestHarvested:
    def test_every_record_of_the_captures_becomes_a_paper(self, recorded: Path):
        for name in ("oai_2016_cs_page001", "oai_2016_cs_page002", "oai_2016_cs_page103_last"):
            response = Response("http://x/", 200, {}, (recorded / f"arxiv/{name}.xml").read_bytes(), START)
            found = normalize(read_listing(response).items)
            assert {type(one) for one in found} == {Record}
            assert all(
                one.title and one.summary and one.authors and one.tags and one.published_at for one in found
            )
            assert len({one.external_id for one in found}) == len(found)

    def test_what_it_says(self, recorded: Path):
        response = Response(
            "http://x/", 200, {}, (recorded / "arxiv/oai_2016_cs_page001.xml").read_bytes(), START
        )
        first = normalize(read_listing(response).items)[0]
        assert (first.external_id, first.kind, first.url) == (
            "0704.0002",
            "paper",
            "https://arxiv.org/abs/0704.0002",
        )
        assert first.authors == ("Ileana Streinu", "Louis Theran")
        assert first.tags == ("math.CO", "cs.CG", "05C85; 05C70; 68R10; 05B35")
        assert (first.published_at, first.updated_at) == (
            datetime(2007, 3, 30, tzinfo=UTC),
            datetime(2008, 12, 13, tzinfo=UTC),
        )
        assert first.attributes == {
            "primary_category": "math.CO",
            "comment": "To appear in Graphs and Combinatorics",
            "license": "http://arxiv.org/licenses/nonexclusive-distrib/1.0/",
            "pdf_url": "https://arxiv.org/pdf/0704.0002",
        }

    @pytest.mark.parametrize(
        ("raw", "external_id"),
        [
            ("2104.12255", "2104.12255"),
            ("quant-ph/0201082", "quant-ph/0201082"),
            ("math.GT/0309136", "math/0309136"),
        ],
    )
    def test_ids_are_those_of_the_query_api(self, raw: str, external_id: str):
        assert harvested(id=raw).external_id == external_id

    @pytest.mark.parametrize(
        ("changes", "reason"),
        [
            ({"id": "0201082", "identifier": ""}, "no arXiv id"),
            ({"id": None, "identifier": ""}, "no id"),
            ({"id": None}, "no metadata"),
            ({"created": "soon"}, "not a date"),
        ],
    )
    def test_what_cannot_become_one(self, changes: dict[str, Any], reason: str):
        reject = harvested(**changes)
        assert isinstance(reject, Reject)
        assert reason in reject.reason


class TestBothTellOfOnePaper:
    """Whichever side was there first, and however often they take turns: one content."""

    def settled(self, *found: Record) -> list[Record]:
        """What is stored after each of these, as the pipeline does it."""
        stored: Record | None = None
        states = []
        for one in found:
            stored = ArxivNormalizer().merged(one, stored)
            states.append(stored)
        return states

    def test_the_same_paper_in_true_captures(self, recorded: Path):
        body = (recorded / "arxiv/oai_2016_cs_page103_last.xml").read_bytes()
        listing = read_listing(Response("http://x/", 200, {}, body, START)).items
        (raw,) = [item for item in listing if item["id"] == "quant-ph/0201082"]
        (harvest,) = normalize([raw])
        (atom,) = papers(recorded, "api_2026_id_quant-ph_0201082v1")
        # Alike but for the time of day and the number of the version.
        assert replace(harvest, published_at=None, updated_at=None, attributes={}) == replace(
            atom, published_at=None, updated_at=None, attributes={}
        )
        assert (harvest.published_at.date(), harvest.updated_at.date()) == (
            atom.published_at.date(), atom.updated_at.date()
        )  # fmt: skip
        for order in ((atom, harvest), (harvest, atom), (harvest, harvest, atom, harvest, atom)):
            assert sealed(self.settled(*order)[-1]) == sealed(atom)

    def test_taking_turns_changes_nothing(self):
        atom = normalized(affiliations={"A": ["Here"]})
        harvest = harvested(license="http://cc", report_no="R-1", categories="physics.gen-ph")
        states = self.settled(atom, harvest, atom, harvest, atom)
        assert len({sealed(state)[1] for state in states[1:]}) == 1
        last = states[-1]
        assert (last.published_at, last.attributes["version"]) == (atom.published_at, 1)
        assert last.attributes["pdf_url"] == "https://arxiv.org/pdf/2104.12255v1"
        assert (last.attributes["license"], last.attributes["report_no"]) == ("http://cc", "R-1")
        assert last.attributes["affiliations"] == {"A": ["Here"]}
        assert sealed(self.settled(harvest, atom, harvest)[-1]) == sealed(last)

    def test_a_new_version_is_a_change_whoever_brings_it(self):
        before = normalized()
        second = {
            "id": "http://arxiv.org/abs/2104.12255v2",
            "updated": "2021-05-02T10:00:00Z",
            "comment": "more",
        }
        atom, harvest = normalized(**second), harvested(updated="2021-05-02", comment="more")
        by_harvest = self.settled(before, harvest)[-1]
        assert by_harvest.updated_at == datetime(2021, 5, 2, tzinfo=UTC)
        assert "version" not in by_harvest.attributes
        assert by_harvest.attributes["pdf_url"] == "https://arxiv.org/pdf/2104.12255"
        assert by_harvest.published_at == before.published_at
        assert self.settled(before, harvest, atom)[-1] == atom
        assert self.settled(before, atom, harvest)[-1] == atom

    def test_what_is_taken_away_goes(self):
        stored = normalized(comment="a note", journal_ref="J. X")
        assert "comment" not in self.settled(stored, harvested(journal_ref="J. X"))[-1].attributes
        assert (
            self.settled(stored, harvested(comment="b", journal_ref="J. X"))[-1].attributes["comment"] == "b"
        )

    def test_the_order_of_cross_lists_means_nothing_but_the_first_does(self):
        stored = normalized(categories=["cs.AI", "cs.LG", "stat.ML"], primary_category="cs.AI")
        assert self.settled(stored, harvested(categories="cs.AI stat.ML cs.LG"))[-1].tags == stored.tags
        assert self.settled(stored, harvested(categories="cs.LG cs.AI stat.ML"))[-1].tags[0] == "cs.LG"

    def test_a_deleted_paper_keeps_its_record_and_says_so(self):
        stored = normalized()
        gone = harvested(id=None, title=None, deleted=True)
        kept = self.settled(stored, gone)[-1]
        assert kept == replace(stored, attributes={**stored.attributes, "deleted": True})
        assert self.settled(stored, gone, gone)[-1] == kept
        assert self.settled(stored, gone, stored)[-1] == stored

    def test_of_a_deleted_paper_that_was_never_there_nothing_is_made(self):
        assert ArxivNormalizer().merged(harvested(id=None, deleted=True), None) is None
