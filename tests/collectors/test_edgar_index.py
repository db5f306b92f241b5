"""Index files of EDGAR, true captures and troublesome rows."""

from __future__ import annotations

import re
from collections import defaultdict
from datetime import date
from pathlib import Path

import pytest

from stoma.collectors.answers import Response
from stoma.collectors.edgar_index import daily_path, read_index
from stoma.errors import BadAnswer
from tests.support.budget import START
from tests.support.edgar import HEADING, accession, master, row


def answer(body: bytes) -> Response:
    return Response("http://x/index", 200, {}, body, START)


def filings(body: bytes, is_wanted=None):
    return list(read_index(answer(body), is_wanted).filings())


def test_a_captured_master_index(recorded: Path):
    body = (recorded / "sec_edgar/daily_master.20200103.idx").read_bytes()
    # Counted without the reader: the last file name of each line.
    expected = defaultdict(set)
    for cik, key in re.findall(rb"(?m)^(\d+)\|.*/(\d{10}-\d\d-\d{6})\.txt\s*$", body):
        expected[key.decode()].add(cik.decode().zfill(10))
    found = filings(body)
    assert {one["accession"]: set(one["ciks"]) for one in found} == expected
    assert [one["accession"] for one in found] == sorted(expected)
    assert sum(len(one["ciks"]) for one in found) >= 7_900
    assert not [one for one in found if "fault" in one]
    [one] = [one for one in found if one["accession"] == "0001179110-20-000106"]
    assert (one["form"], one["filed"]) == ("4", "20200103")
    assert "KENTUCKY BANCSHARES INC /KY/" in one["names"]
    assert len(one["ciks"]) == len(one["names"]) == 2


def test_a_captured_form_index_says_the_same_in_columns(recorded: Path):
    body = (recorded / "sec_edgar/daily_form.20200318.idx").read_bytes()
    found = filings(body)
    assert {one["accession"] for one in found} == {
        key.decode() for key in re.findall(rb"/(\d{10}-\d\d-\d{6})\.txt", body)
    }
    assert not [one for one in found if "fault" in one]
    forms = {one["form"] for one in found}
    assert {"1-A POS", "4", "SC 13D/A", "X-17A-5/A"} <= forms
    assert all(form == form.strip() and len(form) <= 12 for form in forms)
    by_key = {one["accession"]: one for one in found}
    assert by_key["0001493152-20-004281"]["names"] == ["Investment Grade R.E. Income Fund, L.P."]


def test_the_troublesome_rows(recorded: Path):
    found = filings((recorded / "sec_edgar/quarter_form_bad_rows.idx").read_bytes())
    assert not [one for one in found if "fault" in one]
    by_key = {one["accession"]: one for one in found}
    long = by_key["9999999997-21-003146"]
    assert long["names"] == ["UNITED PLANNERS' FINANCIAL SERVICES OF AMERICA A LIMITED PARTNER"]
    assert (long["ciks"], long["form"], long["filed"]) == (["0000820694"], "X-17A-5", "2021-02-24")
    assert len(found) == 9  # ten rows, of which two are of one filing


def test_a_name_that_touches_the_next_column_and_ends_in_digits():
    name = "FUND OF " + "X" * 50 + " 2030"
    line = f"{'8-K':<12}{name:<62}{1234567:<12}{'20200318':<12}edgar/data/1234567/{accession(1)}.txt      "
    assert "20301234567" in line
    heading = "Form Type   Company Name   CIK\n   Date Filed  File Name\n" + "-" * 141 + "\n"
    [one] = filings((heading + line + "\n").encode())
    assert (one["names"], one["ciks"]) == ([name], ["0001234567"])


@pytest.mark.parametrize("name", ["daily_master.20181231_excerpt", "quarter_form_empty_20250329"])
def test_small_ones(recorded: Path, name: str):
    body = (recorded / f"sec_edgar/{name}.idx").read_bytes()
    assert len(filings(body)) == (0 if "empty" in name else 10)


def test_one_filing_of_many_rows_is_one_item_with_all_its_parties():
    body = master(row(7, "4", 3), row(1, "4", 1), row(7, "4", 2, name="B\xe9 | CO"), row(7, "4", 3))
    assert filings(body) == [
        {"accession": accession(1), "form": "4", "filed": "20251211", "ciks": ["0000000001"], "names": ["A CO"]},
        {"accession": accession(7), "form": "4", "filed": "20251211",
         "ciks": ["0000000003", "0000000002"], "names": ["A CO", "B\xe9 | CO"]},
    ]  # fmt: skip
    assert [one["accession"] for one in read_index(answer(body)).filings(after=accession(1))] == [
        accession(7)
    ]


def test_forms_are_chosen_exactly():
    body = master(row(1, "4"), row(2, "424B2"), row(3, "4/A"), row(4, "SC 13D"))
    assert [one["form"] for one in filings(body, {"4", "SC 13D"}.__contains__)] == ["4", "SC 13D"]


def test_a_row_that_cannot_be_read_is_kept_with_its_fault():
    body = master(row(1), "no row at all", "1|B CO|8-K|20251211|edgar/data/1/nonsense.txt", "", row(2))
    found = filings(body, "8-K".__eq__)
    assert [one["accession"] for one in found if "fault" not in one] == [accession(1), accession(2)]
    assert [one["row"] for one in found if "fault" in one][-1] == "no row at all"
    assert len([one for one in found if "fault" in one]) == 2


def test_windows_line_ends():
    assert filings(master(row(1), row(2)).replace(b"\n", b"\r\n")) == filings(master(row(1), row(2)))


@pytest.mark.parametrize("body", [b"", b"<html><body>Down</body></html>", HEADING[:100].encode(), b"x" * 999])
def test_what_is_no_index(body: bytes):
    with pytest.raises(BadAnswer, match="http://x/index is no EDGAR index; it begins "):
        read_index(answer(body))


@pytest.mark.parametrize(
    ("day", "quarter"), [((2025, 1, 1), 1), ((2025, 3, 31), 1), ((2025, 4, 1), 2), ((2025, 12, 31), 4)]
)
def test_where_it_lies(day, quarter):
    at = date(*day)
    expected = f"/Archives/edgar/daily-index/2025/QTR{quarter}/master.{at:%Y%m%d}.idx"
    assert daily_path(at, "master") == expected
