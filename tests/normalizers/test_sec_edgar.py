"""Filings and the lines of insider forms as records: the same filing is the same record whichever way it came."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from stoma.collectors.answers import Response
from stoma.collectors.edgar_companies import read_company
from stoma.collectors.edgar_current import read_page, walk
from stoma.collectors.edgar_forms import read_form, read_submission
from stoma.collectors.edgar_index import read_index
from stoma.normalizers.sec_edgar import SecEdgarNormalizer
from stoma.records import CollectorResult, Record, Reject, checked, sealed
from tests.support.budget import START
from tests.support.edgar import NEW_YORK, accession, entry, feed, master, row

BARE = {
    "accession": accession(1),
    "form": "8-K",
    "filed": "20251211",
    "ciks": ["0000320193"],
    "names": ["A CO"],
}


def normalize(*items: Any) -> list[Any]:
    result = CollectorResult(source="sec_edgar", items=items, url="http://x/", fetched_at=START)
    found = list(SecEdgarNormalizer().normalize(result))
    for one in found:
        if isinstance(one, Record):
            checked(one)
    return found


def answer(body: bytes) -> Response:
    return Response("http://x/", 200, {}, body, START)


def insider(recorded: Path, name: str, **changed: Any) -> dict[str, Any]:
    body = (recorded / "sec_edgar" / name).read_bytes()
    form = (
        read_submission(body) if name.endswith(".txt") else {"accepted": "20250502170000", **read_form(body)}
    )
    return {**BARE, "form": form["form"], "insider": form, **changed}


def test_a_filing():
    [record] = normalize(BARE)
    assert record == Record(
        source="sec_edgar",
        external_id=accession(1),
        kind="filing",
        title="8-K: A CO",
        url=f"https://www.sec.gov/Archives/edgar/data/320193/000100000025000001/{accession(1)}-index.htm",
        authors=("A CO",),
        tags=("8-K",),
        published_at=datetime(2025, 12, 11, 5, tzinfo=UTC),
        attributes={"form": "8-K", "filing_date": "2025-12-11", "ciks": ["0000320193"]},
    )


@pytest.mark.parametrize(
    ("filed", "at"),
    [("20250701", datetime(2025, 7, 1, 4, tzinfo=UTC)), ("2025-12-01", datetime(2025, 12, 1, 5, tzinfo=UTC))],
)
def test_a_filing_day_is_a_day_in_new_york(filed, at):
    [record] = normalize(BARE | {"filed": filed})
    assert record.published_at == at
    assert record.attributes["filing_date"] == at.date().isoformat()


def test_index_and_feed_make_the_same_record():
    listed = master(row(1, "4", 1002, name="OWNER B"), row(1, "4", 1001, name="ISSUER A"))
    [of_index] = normalize(*read_index(answer(listed)).filings())
    shown = [
        entry(1, "2025-12-11T10:00:00", "4", cik, name, role)
        for cik, name, role in ((1001, "ISSUER A", "Issuer"), (1002, "OWNER B", "Reporting"))
    ]
    found = walk(lambda start, read: read(answer(feed(shown))), datetime(2025, 1, 1, tzinfo=NEW_YORK))
    [of_feed] = normalize(*found.filings)
    assert sealed(of_index)[1] == sealed(of_feed)[1]
    assert of_feed.authors == ("ISSUER A", "OWNER B")
    # Only the feed knows when it was accepted.
    assert of_index.measures == {}
    accepted = datetime.fromtimestamp(of_feed.measures["accepted_at"], UTC)
    assert accepted == datetime(2025, 12, 11, 15, tzinfo=UTC)


def test_every_captured_filing_becomes_one_record(recorded: Path):
    folder = recorded / "sec_edgar"
    for name in ("daily_master.20200103", "daily_form.20200318"):
        items = list(read_index(answer((folder / f"{name}.idx").read_bytes())).filings())
        records = normalize(*items)
        assert [one.external_id for one in records] == [one["accession"] for one in items]
        assert {one.kind for one in records} == {"filing"}
    entries = read_page(answer((folder / "getcurrent_20251212_count100_start0000.atom").read_bytes()))
    assert entries
    company = read_company(
        answer((folder / "submissions_CIK0000320193_apple.json").read_bytes()), "0000320193"
    )
    records = normalize(*company.recent)
    assert not [one for one in records if isinstance(one, Reject)]
    filings = {one.external_id: one for one in records if one.kind == "filing"}
    assert len(filings) == 1005
    details = {one.external_id: one for one in records if one.kind == "filing_details"}
    assert set(details) == {f"details:{key}" for key in filings}


def test_what_only_a_list_by_company_tells_is_a_record_beside_it():
    extra = {"report_date": "2025-12-10", "items": "2.02,9.01", "primary_document": "a.htm", "description": "8-K",
             "acceptance_text": "2025-12-11T18:34:19.000Z"}  # fmt: skip
    filing, details = normalize(BARE | extra)
    assert sealed(filing)[1] == sealed(normalize(BARE)[0])[1]
    assert (details.external_id, details.kind) == (f"details:{accession(1)}", "filing_details")
    assert details.attributes == {
        "report_date": "2025-12-10",
        "items": ["2.02", "9.01"],
        "description": "8-K",
        "primary_document": "https://www.sec.gov/Archives/edgar/data/320193/000100000025000001/a.htm",
        # Not an instant: its Z is not always true.
        "acceptance_text": "2025-12-11T18:34:19.000Z",
    }
    assert not details.measures


def test_what_was_collected_before_makes_nothing():
    assert normalize({"accession": accession(1), "again": True}) == []


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"accession": "1-2-3"}, "'1-2-3' is not an accession number"),
        ({"filed": "20251341"}, "the filing date '20251341' is not a day"),
        ({"filed": "soon"}, "the filing date 'soon' is not a day"),
        ({"form": ""}, "has no form or no filer"),
        ({"ciks": [], "names": []}, "has no form or no filer"),
        (
            {"fault": "the index has a row that cannot be read", "row": "x"},
            "the index has a row that cannot be read",
        ),
    ],
)
def test_one_bad_item_is_rejected_and_the_page_goes_on(changed, said):
    bad, good = normalize(BARE | changed, BARE)
    assert isinstance(bad, Reject)
    assert said in bad.reason
    assert good.external_id == accession(1)


class TestTransactions:
    def test_a_sale(self, recorded: Path):
        name = "form4_submission_0001127602-25-001055.txt"
        item = insider(recorded, name, accession="0001127602-25-001055", filed="20250110",
                       ciks=["0000001750"], names=["AAR CORP"])  # fmt: skip
        filing, line = normalize(item)
        # The header of the text file names the owner too, as an index would have.
        assert filing.attributes["ciks"] == ["0000001750", "0001806647"]
        assert filing.authors == ("AAR CORP", "Garascia Jessica A.")
        assert filing.measures == {"accepted_at": datetime(2025, 1, 10, 21, 7, 30, tzinfo=UTC).timestamp()}
        assert line.external_id == "0001127602-25-001055/non_derivative/1"
        assert (line.kind, line.authors, line.tags) == (
            "transaction",
            ("Garascia Jessica A.",),
            ("4", "transaction", "S"),
        )
        assert line.title == "AIR: Garascia Jessica A., S 1500 Common Stock"
        assert line.published_at == datetime(2025, 1, 10, 21, 7, 30, tzinfo=UTC)
        footnotes = line.attributes["footnotes"]
        assert [note["on"] for note in footnotes] == ["price"]
        assert "weighted average price" in footnotes[0]["text"]
        assert {name: value for name, value in line.attributes.items() if name != "footnotes"} == {
            "accession": "0001127602-25-001055", "form": "4", "filing_date": "2025-01-10",
            "table": "non_derivative", "line": "transaction",
            "issuer": "AAR CORP", "issuer_cik": "0000001750", "ticker": "AIR",
            "owner": "Garascia Jessica A.", "owner_cik": "0001806647",
            "role": "officer (Senior VP, GC, CAO & Secretary)",
            "security": "Common Stock", "date": "2025-01-10", "reported_on": "4", "code": "S",
            "equity_swap": False, "shares": 1500, "price": 66.903, "acquired_disposed": "D",
            "shares_after": 37565, "ownership": "D",
        }  # fmt: skip

    def test_a_form_of_many_lines(self, recorded: Path):
        item = insider(recorded, "form4_snowflake_2022.xml")
        _, *lines = normalize(item)
        assert len(lines) == len(item["insider"]["lines"])
        assert all(one.kind == "transaction" for one in lines)
        assert len({one.external_id for one in lines}) == len(lines)
        assert [one.attributes["shares"] for one in lines[:3]] == [200000, 73170, 74907]
        assert {one.attributes["line"] for one in lines} <= {"transaction", "holding"}

    def test_an_option_whose_date_is_only_a_footnote(self, recorded: Path):
        lines = normalize(insider(recorded, "form4_374water_2025.xml"))[1:]
        [line] = [one for one in lines if one.attributes["table"] == "derivative"]
        assert line.external_id == f"{accession(1)}/derivative/1"
        assert "exercise_date" not in line.attributes
        assert {note["on"] for note in line.attributes["footnotes"]} == {"shares", "exercise_date"}
        assert line.attributes["price"] == 0
        assert line.attributes["conversion_price"] == 0.33

    def test_a_form_without_securities_has_no_lines(self, recorded: Path):
        assert len(normalize(insider(recorded, "form3_no_securities.xml"))) == 1

    def test_several_owners_count_each(self, recorded: Path):
        item = insider(recorded, "form4_374water_2025.xml")
        first = item["insider"]["owners"][0]
        item["insider"]["owners"] = [
            first,
            {"cik": "7", "name": "A FUND", "roles": ["ten_percent_owner"], "title": ""},
        ]
        line = normalize(item)[1]
        assert line.authors == (first["name"], "A FUND")
        assert [owner["name"] for owner in line.attributes["owners"]] == [first["name"], "A FUND"]
        assert line.attributes["owner"] == first["name"]

    @pytest.mark.parametrize(
        ("field", "text", "value"),
        [("shares", "1,500", 1500), ("price", "$3.50", 3.5), ("shares", ".5", 0.5),
         ("date", "2025-01-10-05:00", "2025-01-10"), ("total_value", "-12", -12)],
    )  # fmt: skip
    def test_numbers_and_days_as_people_write_them(self, recorded: Path, field, text, value):
        item = insider(recorded, "form4_374water_2025.xml")
        item["insider"]["lines"][0][field] = text
        assert normalize(item)[1].attributes[field] == value

    @pytest.mark.parametrize(("field", "text"), [("shares", "many"), ("price", "nan"), ("date", "May 2")])
    def test_one_bad_line_is_rejected_and_the_others_stay(self, recorded: Path, field, text):
        item = insider(recorded, "form4_374water_2025.xml")
        whole = normalize(item)
        item["insider"]["lines"][0][field] = text
        found = normalize(item)
        assert len(found) == len(whole)
        [reject] = [one for one in found if isinstance(one, Reject)]
        assert (reject.external_id, text in reject.reason) == (whole[1].external_id, True)

    def test_a_form_that_could_not_be_read_leaves_its_filing(self):
        filing, reject = normalize(BARE | {"form": "4", "insider_fault": "it came on paper"})
        assert filing.external_id == accession(1)
        assert reject.reason == f"the form {accession(1)} cannot be read: it came on paper"
