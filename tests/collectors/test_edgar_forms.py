"""Insider forms: true captures, and what is none."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from stoma.collectors.edgar_forms import is_submission, is_whole, read_form, read_submission

HEADER = b"<SEC-DOCUMENT>\n<SEC-HEADER>\n<ACCEPTANCE-DATETIME>20250110160730\n</SEC-HEADER>\n"


def captured(recorded: Path, name: str) -> bytes:
    return (recorded / "sec_edgar" / name).read_bytes()


def test_a_whole_submission(recorded: Path):
    form = read_submission(captured(recorded, "form4_submission_0001127602-25-001055.txt"))
    assert form["accepted"] == "20250110160730"
    assert form["parties"] == {"0001806647": "Garascia Jessica A.", "0000001750": "AAR CORP"}
    assert (form["form"], form["period"]) == ("4", "2025-01-10")
    assert form["issuer"] == {"cik": "0000001750", "name": "AAR CORP", "ticker": "AIR"}
    assert form["owners"] == [
        {"cik": "0001806647", "name": "Garascia Jessica A.", "roles": ["officer"],
         "title": "Senior VP, GC, CAO & Secretary"},
    ]  # fmt: skip
    assert form["lines"] == [
        {"table": "non_derivative", "line": "transaction", "notes": {"price": ["F1"]}, "security": "Common Stock",
         "date": "2025-01-10", "reported_on": "4", "code": "S", "equity_swap": "0", "shares": "1500",
         "price": "66.903", "acquired_disposed": "D", "shares_after": "37565", "ownership": "D"},
    ]  # fmt: skip
    assert form["footnotes"]["F1"].startswith("The price reported in Column 4 is a weighted average price.")


def test_many_lines_and_notes_and_no_declaration(recorded: Path):
    body = captured(recorded, "form4_snowflake_2022.xml")
    form = read_form(body)
    for tag in (
        "nonDerivativeTransaction",
        "nonDerivativeHolding",
        "derivativeTransaction",
        "derivativeHolding",
    ):
        table = "derivative" if tag.startswith("d") else "non_derivative"
        kind = "transaction" if tag.endswith("Transaction") else "holding"
        lines = [one for one in form["lines"] if (one["table"], one["line"]) == (table, kind)]
        assert len(lines) == body.count(f"<{tag}>".encode()), tag
    notes = [number for line in form["lines"] for numbers in line["notes"].values() for number in numbers]
    assert len(notes) == body.count(b"<footnoteId ")
    assert set(notes) <= form["footnotes"].keys()
    assert {"price", "shares_after", "line"} <= {name for line in form["lines"] for name in line["notes"]}
    assert form["owners"][0]["roles"] == ["officer"]


def test_a_derivative_line_whose_date_is_only_a_footnote(recorded: Path):
    lines = read_form(captured(recorded, "form4_374water_2025.xml"))["lines"]
    [line] = [one for one in lines if one["table"] == "derivative"]
    assert "exercise_date" not in line
    assert line["notes"] == {"shares": ["F1"], "exercise_date": ["F1"]}
    assert (line["conversion_price"], line["expiration_date"]) == ("0.33", "2035-04-29")
    assert (line["underlying_security"], line["underlying_shares"]) == ("Common Stock", "757576")
    assert line["equity_swap"] == "false"


def test_an_amendment_names_the_day_of_what_it_amends_and_values_may_be_only_notes(recorded: Path):
    body = captured(recorded, "form4_submission_0001127602-25-001055.txt")
    body = body.replace(b"<documentType>4<", b"<documentType>4/A<")
    body = body.replace(
        b"<issuer>", b"<dateOfOriginalSubmission>2025-01-10</dateOfOriginalSubmission><issuer>", 1
    )
    body, count = re.subn(
        rb"<transactionPricePerShare>.*?</transactionPricePerShare>",
        b'<transactionPricePerShare><footnoteId id="F1"/></transactionPricePerShare>', body, flags=re.DOTALL,
    )  # fmt: skip
    assert count == 1
    form = read_submission(body)
    assert (form["form"], form["original_date"]) == ("4/A", "2025-01-10")
    assert "price" not in form["lines"][0]
    assert form["lines"][0]["notes"] == {"price": ["F1"]}


def test_a_form_3_without_securities(recorded: Path):
    form = read_form(captured(recorded, "form3_no_securities.xml"))
    assert (form["form"], form["lines"], form["owners"][0]["roles"]) == ("3", [], ["director"])


def test_the_dissemination_form_of_the_same(recorded: Path):
    body = captured(recorded, "form4_dissemination_0001127602-25-004598.nc")
    assert read_form(body.partition(b"<XML>")[2].partition(b"</XML>")[0])["form"] == "4"


def test_bytes_that_are_no_utf8_and_control_characters():
    body = b"<?xml version='1.0'?><ownershipDocument><remarks>Jos\xe9 \x0bA</remarks></ownershipDocument>"
    assert read_form(body)["remarks"] == "Jos\xe9 A"


@pytest.mark.parametrize(
    ("body", "said"),
    [
        (b"PAPER", "has no header with the time of acceptance"),
        (HEADER + b"<DOCUMENT>\n<TEXT>\nFORM 4 as plain text", "it is of before 2003, or came on paper"),
        (HEADER + b"<XML>\n<edgarSubmission/>\n</XML>", "not an ownershipDocument"),
        (HEADER + b"<XML>\n<ownershipDocument>\n</XML>", "ownershipDocument"),
        (HEADER + b"<XML>\n</XML>", "it is empty"),
        (HEADER + b"<XML><!DOCTYPE a [<!ENTITY b SYSTEM 'file:///etc/hostname'>]><a>&b;</a></XML>",
         "declares a document type"),
    ],
)  # fmt: skip
def test_what_is_no_form(body: bytes, said: str):
    with pytest.raises(ValueError, match=said):
        read_submission(body)


def test_what_is_a_submission(recorded: Path):
    assert is_submission(captured(recorded, "form4_submission_0001127602-25-001055.txt"))
    assert not is_submission(captured(recorded, "block_403_undeclared_automated_tool.html"))


def test_what_is_whole(recorded: Path):
    body = captured(recorded, "form4_submission_0001127602-25-001055.txt")
    assert is_whole(body)
    assert is_whole(body + b"\n-----END PRIVACY-ENHANCED MESSAGE-----\n")
    assert not is_whole(body[: len(body) // 2])
    assert not is_whole(b"</SEC-DOCUMENT>")
