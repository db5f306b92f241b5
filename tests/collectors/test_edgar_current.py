"""The feed of the latest filings: a true walk of 51 pages, and pages that shift under the reader."""

from __future__ import annotations

import re
from collections import defaultdict
from datetime import datetime, timedelta
from pathlib import Path

import pytest

from stoma.collectors.answers import Response
from stoma.collectors.edgar_current import read_page, roots, walk
from stoma.errors import BadAnswer
from tests.support.budget import START
from tests.support.edgar import NEW_YORK, accession, entry, feed

LONG_AGO = datetime(2000, 1, 1, tzinfo=NEW_YORK)
TOP = datetime(2025, 12, 12, 18)


def answer(body: bytes) -> Response:
    return Response("http://x/feed", 200, {}, body, START)


def pages_of(bodies):
    return lambda start, read: read(answer(bodies[start // 100]))


def captured(recorded: Path, name: str) -> list[bytes]:
    return [path.read_bytes() for path in sorted((recorded / "sec_edgar").glob(f"{name}*.atom"))]


def entries(count: int, first: int = 0) -> list[str]:
    """Filings of one party each, one every second back from TOP."""
    return [
        entry(number, (TOP - timedelta(seconds=number)).isoformat()) for number in range(first, first + count)
    ]


def keys(found) -> list[str]:
    return [one["accession"] for one in found.filings]


def test_the_captured_walk(recorded: Path):
    bodies = captured(recorded, "getcurrent_20251212_count100")
    assert len(bodies) == 51
    expected = defaultdict(set)
    text = b"".join(bodies).decode("latin-1")
    for cik, key in re.findall(r"\((\d{10})\) \([\w ]+\)</title>.*?AccNo:&lt;/b&gt; (\S+)", text, re.DOTALL):
        expected[key].add(cik)
    assert len(expected) == 3_315

    found = walk(pages_of(bodies), LONG_AGO)
    assert found.is_cut_short
    last = "0000759944-25-000182"  # its other parties lie beyond the end of the feed
    assert {one["accession"]: set(one["ciks"]) for one in found.filings} == {
        key: ciks for key, ciks in expected.items() if key != last
    }
    assert all(len(one["ciks"]) == len(one["names"]) for one in found.filings)
    times = [one["accepted"] for one in found.filings]
    assert times == sorted(times)
    assert times[-1] == "2025-12-12T18:02:43-05:00"
    assert "JPMORGAN CHASE & CO" in {name for one in found.filings for name in one["names"]}


def test_an_entry_that_cannot_be_read_is_told_and_ends_no_walk():
    spoiled, *rest = entries(150)
    bodies = [
        feed([re.sub("accession-number=", "number=", spoiled), *rest[:99]]),
        feed([rest[98], *rest[99:]]),
    ]
    found = walk(pages_of(bodies), LONG_AGO)
    assert len(found.filings) == 149
    assert found.unreadable == [
        {
            "accession": "",
            "fault": "the feed has an entry that cannot be read (its title is '8-K - A CO (0000320193) (Filer)')",
        }
    ]


def test_filing_date_and_acceptance_are_two_things(recorded: Path):
    found = walk(pages_of(captured(recorded, "getcurrent_20251212_count100")), LONG_AGO)
    [one] = [one for one in found.filings if one["accession"] == "0002084782-25-000003"]
    assert (one["filed"], one["accepted"], one["form"]) == (
        "2025-11-13",
        "2025-12-12T09:23:26-05:00",
        "TA-1",
    )


def test_the_prefix_match_brings_other_forms_too(recorded: Path):
    bodies = captured(recorded, "getcurrent_20251212_form4_count100")
    forms = {one.form for body in bodies for one in read_page(answer(body))}
    assert {"4", "4/A", "424B2", "497", "485BPOS", "40-APP/A"} <= forms


def test_it_ends_where_it_is_told_to():
    bodies = [feed(entries(100, first)) for first in (0, 100, 200)]
    asked = []

    def ask_page(start, read):
        asked.append(start)
        return pages_of(bodies)(start, read)

    found = walk(ask_page, (TOP - timedelta(seconds=150)).replace(tzinfo=NEW_YORK))
    assert asked == [0, 100]
    assert keys(found) == [accession(number) for number in reversed(range(151))]
    assert not found.is_cut_short


def test_new_filings_that_push_others_to_later_pages_lose_and_double_nothing():
    # Given filings of two parties, of which three new ones come between any two pages
    parties = [
        (number, role) for number in range(300, 0, -1) for role in (("Issuer", 1), ("Reporting", number + 10))
    ]
    listed = [
        entry(number, (TOP - timedelta(seconds=300 - number)).isoformat(), "4", cik, role=role)
        for number, (role, cik) in parties
    ]
    state = {"listed": list(listed), "next": 1000}

    def ask_page(start, read):
        page = read(answer(feed(state["listed"][start : start + 100])))
        fresh = [entry(state["next"] + n, TOP.isoformat(), "4", 5) for n in range(3)]
        state["next"] += 3
        state["listed"] = fresh + state["listed"]
        return page

    found = walk(ask_page, LONG_AGO)
    old = {one["accession"]: one for one in found.filings if int(one["accession"][-6:]) < 1000}
    assert len(old) == 300
    assert all(
        sorted(one["ciks"]) == sorted(["0000000001", f"{int(key[-6:]) + 10:010}"]) for key, one in old.items()
    )
    assert len(keys(found)) == len(set(keys(found)))


def test_the_end_of_the_feed_is_never_asked_beyond():
    asked = []

    def ask_page(start, read):
        asked.append(start)
        return read(answer(feed(entries(100, start))))

    found = walk(ask_page, LONG_AGO)
    assert asked == list(range(0, 5001, 100))
    assert found.is_cut_short
    assert len(found.filings) == 5_099  # the last one may have lost its other parties


def test_an_empty_feed():
    found = walk(pages_of([feed([])]), LONG_AGO)
    assert (found.filings, found.is_cut_short) == ([], False)


def test_the_same_page_once_more():
    with pytest.raises(BadAnswer, match="the page before it once more"):
        walk(pages_of([feed(entries(100))] * 2), LONG_AGO)


@pytest.mark.parametrize(
    ("body", "said"),
    [
        (b"", "is not XML"),
        (b"<html><body>Down<br></body></html>", "is not XML"),
        (b"<html/>", "is not EDGAR's feed"),
        (feed(entries(2))[:-40], "is not XML"),
        (feed([entries(1)[0].replace("accession-number=", "number=")]), "an entry that cannot be read"),
        (feed([entries(1)[0].replace("-05:00", "")]), "its time has no zone"),
        (feed([entries(1)[0].replace(" (0000320193) (Filer)", "")]), "an entry that cannot be read"),
        (b'<!DOCTYPE feed [<!ENTITY a "b">]><feed/>', "declares a document type"),
    ],
)
def test_what_is_no_feed(body: bytes, said: str):
    with pytest.raises(BadAnswer, match=f"http://x/feed .*{said}"):
        read_page(answer(body))


@pytest.mark.parametrize(
    ("forms", "asked"),
    [((), [""]), (("8-K", "10-K"), ["10-K", "8-K"]), (("10-K405", "10-K", "4", "424B2"), ["10-K", "4"])],
)
def test_what_the_feed_is_asked_for(forms, asked):
    assert roots(forms) == asked
