"""The stand-in answers as EDGAR does: read by the true collector, and looked at beside the true captures."""

from __future__ import annotations

import json
import re
import urllib.error
import urllib.request
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from stoma import collectors, normalizers
from stoma.demo.filings import FIRST_CIK, NEW_YORK, companies, is_business_day, of_day
from stoma.demo.standin import StandIn
from stoma.records import Record, Reject
from tests.support.budget import FakeClock
from tests.support.world import World

MONDAY = datetime(2026, 11, 23, 15, 0, tzinfo=UTC)
FRIDAY = date(2026, 11, 20)


class Later(FakeClock):
    """A clock that shows another day."""

    def __init__(self, at: datetime) -> None:
        super().__init__()
        self.at = at

    def now(self) -> datetime:
        return self.at


@pytest.fixture(scope="module")
def standin() -> Iterator[StandIn]:
    with StandIn(now=MONDAY, per_second=10_000) as standin:
        yield standin


@pytest.fixture
def world() -> Iterator[World]:
    world = World()
    world.clock = Later(MONDAY)
    yield world
    for client in world.clients:
        client.close()


def collected(standin: StandIn, world: World, **config: Any) -> list[Record]:
    url = standin.url_for("sec_edgar", "test", config)
    pages = world.collect(collectors.make("sec_edgar"), config | {"base_url": url})
    normalizer: Any = normalizers.make("sec_edgar")
    found = [record for page in pages for record in normalizer.normalize(page)]
    assert not [one for one in found if isinstance(one, Reject)]
    return found


def get(standin: StandIn, path: str) -> str:
    with urllib.request.urlopen(f"{standin.url('sec_edgar')}{path}") as answer:
        return str(answer.read(), "latin-1")


def expected(first: date, forms: set[str], now: datetime = MONDAY) -> set[str]:
    last = now.astimezone(NEW_YORK).date()
    days = [first + timedelta(days=number) for number in range((last - first).days + 1)]
    # What came since the last day with an index comes by the feed.
    indexed = max(day for day in days if is_business_day(day) and day < last)
    days = [day for day in days if is_business_day(day) or day > indexed]
    return {filing.accession for day in days for filing in of_day(day, now) if filing.form in forms}


@pytest.mark.parametrize("forms", [["8-K"], ["10-K", "10-Q"], ["4"]])
def test_by_form_index_and_feed_together_bring_everything(
    standin: StandIn, world: World, forms: list[str]
) -> None:
    found = collected(standin, world, days_back=6, filing_type=forms)
    wanted = expected(date(2026, 11, 18), set(forms))
    assert len(wanted) > 10
    assert {record.external_id for record in found if record.kind == "filing"} == wanted


def test_insider_forms_are_read_line_by_line(standin: StandIn, world: World) -> None:
    found = collected(standin, world, days_back=4, filing_type=["4"], amendments=True, form4_details=True)
    lines = [record for record in found if record.kind == "transaction"]
    filings = [record for record in found if record.kind == "filing"]
    assert len(lines) >= len(filings) > 5
    for line in lines:
        assert line.attributes["code"] in "PS"
        assert line.attributes["shares"] > 0
        assert line.attributes["price"] > 0
        assert line.attributes["owner"]
        assert line.attributes["footnotes"] == [{"on": "price", "text": "A price that nobody paid."}]
    assert {"4", "4/A"} == {record.attributes["form"] for record in filings}


def test_companies_that_only_a_configuration_names(standin: StandIn, world: World) -> None:
    found = collected(standin, world, tickers=["AAPL", "brk.b"], ciks=[320193, FIRST_CIK], days_back=60)
    filings = [record for record in found if record.kind == "filing"]
    assert (
        len({cik for record in filings for cik in record.attributes["ciks"]} & {"0000320193", str(FIRST_CIK)})
        == 2
    )
    assert len({record.authors for record in filings}) == 4


def test_a_weekend_has_news_too(world: World) -> None:
    sunday = datetime(2026, 11, 22, 5, 30, tzinfo=UTC)  # half past midnight in New York
    world.clock = Later(sunday)
    with StandIn(now=sunday, per_second=10_000) as standin:
        for form in ("8-K", "10-K", "10-Q", "4"):
            assert collected(standin, world, days_back=1, filing_type=form)


@pytest.mark.parametrize("day", ["20261121", "20261123", "20261225", "20261301"])
def test_a_day_without_an_index_is_refused_as_by_s3(standin: StandIn, recorded: Path, day: str) -> None:
    true = (recorded / "sec_edgar/index_403_missing_future_quarter.xml").read_text()
    with pytest.raises(urllib.error.HTTPError) as refused:
        get(standin, f"/Archives/edgar/daily-index/2026/QTR4/master.{day}.idx")
    with refused.value as answer:
        played = answer.read().decode()
    assert answer.code == 403
    assert played.partition("<RequestId>")[0].startswith(true.partition("<RequestId>")[0])


def test_an_index_looks_like_the_true_one(standin: StandIn, recorded: Path) -> None:
    true = (recorded / "sec_edgar/daily_master.20200103.idx").read_text("latin-1").splitlines()
    played = get(standin, "/Archives/edgar/daily-index/2026/QTR4/master.20261120.idx").splitlines()
    assert [line for line in played[:7] if "Last Data" not in line] == [
        line for line in true[:7] if "Last Data" not in line
    ]
    shape = re.compile(r"\d+\|[^|]+\|[^|]+\|\d{8}\|edgar/data/\d+/\d{10}-\d\d-\d{6}\.txt")
    assert all(shape.fullmatch(row) for row in played[7:] + true[7:])
    assert len(played[7:]) == sum(len(filing.parties) for filing in of_day(FRIDAY, MONDAY)) > 40


def test_an_entry_of_the_feed_looks_like_the_true_one(standin: StandIn, recorded: Path) -> None:
    true = (recorded / "sec_edgar/getcurrent_20251212_count100_start0000.atom").read_text("latin-1")
    played = get(standin, "/cgi-bin/browse-edgar?action=getcurrent&type=4&start=0&count=100&output=atom")

    def skeleton(text: str) -> str:
        entry = re.search(r"<entry>.*?</entry>", text, re.DOTALL)[0]
        return re.sub(r"[A-Z][A-Za-z&;,.' ()-]+(?= \(0*\d)|\d+", "#", entry)

    # What a name is made of differs, and nothing else.
    assert re.sub(r"- .*? \(", "- (", skeleton(played)) == re.sub(r"- .*? \(", "- (", skeleton(true))
    assert '<category scheme="https://www.sec.gov/" label="form type" term="4/A"/>' in played
    with pytest.raises(urllib.error.HTTPError) as refused:
        get(standin, "/cgi-bin/browse-edgar?action=getcurrent&start=5100&count=100")
    with refused.value as answer:
        assert (answer.code, b"File Unavailable" in answer.read()) == (503, True)


def test_lists_and_tickers_have_the_columns_of_the_true_ones(standin: StandIn, recorded: Path) -> None:
    true = json.loads((recorded / "sec_edgar/submissions_CIK0000320193_apple.json").read_text())
    played = json.loads(get(standin, f"/submissions/CIK{FIRST_CIK}.json"))
    assert set(played) <= set(true)
    assert set(played["filings"]["recent"]) <= set(true["filings"]["recent"])
    assert len({len(column) for column in played["filings"]["recent"].values()}) == 1
    tickers = json.loads(get(standin, "/files/company_tickers.json"))
    assert set(tickers["0"]) == {"cik_str", "ticker", "title"}
    with pytest.raises(urllib.error.HTTPError):
        get(standin, f"/Archives/edgar/data/{FIRST_CIK}/{FIRST_CIK}-26-000001.txt")


def test_inventions_last() -> None:
    assert of_day(FRIDAY, MONDAY) == of_day(FRIDAY, MONDAY + timedelta(days=9))
    assert of_day(FRIDAY, datetime(2026, 11, 20, 16, tzinfo=UTC)) != of_day(FRIDAY, MONDAY)
    assert all(one.cik >= FIRST_CIK and "(invented)" in one.name for one in companies())
    assert all(len(one.ticker) == 6 for one in companies())
