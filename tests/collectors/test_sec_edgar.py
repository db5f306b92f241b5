"""The EDGAR collector: days, the day under way, companies and insider forms, and what each run leaves to the next."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import orjson
import pytest

from stoma.collectors.base import Estimate, Progress, Span, Validator
from stoma.collectors.sec_edgar import SecEdgarCollector
from stoma.errors import BadAnswer, SourceBusy, SourceError, SourceRefused, UsageError
from stoma.records import CollectorResult
from tests.support.edgar import ABSENT, Edgar, accession, entry, master, row
from tests.support.server import Reply
from tests.support.world import World

# A Friday; the index of Thursday came in the night.
FRIDAY = datetime(2025, 12, 12, 23, 5, tzinfo=UTC)
HEADER = "<SEC-DOCUMENT>\n<SEC-HEADER>\n<ACCEPTANCE-DATETIME>20251211180000\n</SEC-HEADER>\n<XML>\n{}\n</XML>"


@pytest.fixture
def edgar(world) -> Iterator[Edgar]:
    world.clock.start = FRIDAY
    edgar = Edgar()
    yield edgar
    edgar.server.close()


@pytest.fixture
def collect(world: World, edgar: Edgar) -> Any:
    def collect(cursor=None, progress=None, span=None, **config: Any) -> list[CollectorResult]:
        config["base_url"] = edgar.url
        return world.collect(SecEdgarCollector(), config, cursor=cursor, progress=progress, span=span)

    return collect


def keys(pages: list[CollectorResult], again: bool = False) -> list[int]:
    """The numbers of the filings that came for the first time, or once more."""
    items = [item for page in pages for item in page.items]
    return [int(item["accession"][-6:]) for item in items if item.get("again", False) is again]


def through_json(value: Any) -> Any:
    """As the store keeps it."""
    return orjson.loads(orjson.dumps(value))


class TestDays:
    def test_complete_days_then_the_day_under_way(self, edgar, collect):
        edgar.put("20251210", master(row(1, filed="20251210")))
        edgar.put("20251211", master(row(2), row(3, "10-K")))
        edgar.entries = [entry(5, "2025-12-12T18:02:00"), entry(4, "2025-12-12T09:00:00", "10-K")]
        pages = collect(days_back=3, filing_type="8-K")
        assert keys(pages) == [1, 2, 5]
        assert edgar.paths == ["master.20251210.idx", "master.20251211.idx", "feed 8-K@0"]
        assert [page.next_page is None for page in pages] == [False, False, False, True]
        cursor = pages[-1].cursor
        assert (cursor["since"], cursor["complete"]) == ("2025-12-10", "2025-12-11")
        assert cursor["accepted"] == "2025-12-12T18:02:00-05:00"
        assert [page.cursor for page in pages[:-1]] == [None] * 3

    def test_days_are_new_yorks(self, world, edgar, collect):
        world.clock.start = datetime(2025, 12, 12, 4, 59, tzinfo=UTC)  # still the 11th there
        collect(days_back=2)
        assert edgar.paths[0] == "master.20251210.idx"
        assert not [path for path in edgar.paths if "20251211" in path]

    def test_a_first_look_at_today_reads_no_index(self, edgar, collect):
        edgar.entries = [entry(1, "2025-12-12T09:00:00"), entry(2, "2025-12-11T16:00:00")]
        assert keys(collect(days_back=1)) == [1]
        assert edgar.paths == ["feed@0"]

    def test_a_captured_day(self, edgar, collect, world, recorded: Path):
        world.clock.start = datetime(2020, 1, 4, 12, tzinfo=UTC)
        edgar.put("20200103", (recorded / "sec_edgar/daily_master.20200103.idx").read_bytes())
        pages = collect(days_back=2, filing_type="8-K")
        items = [item for page in pages for item in page.items]
        assert {item["form"] for item in items} == {"8-K"}
        assert len(items) == len({item["accession"] for item in items})
        assert sum(len(item["ciks"]) for item in items) == 166

    def test_pages_of_some_thousand(self, edgar, collect):
        edgar.put("20251211", master(*[row(number) for number in range(1, 4501)]))
        pages = collect(days_back=2)
        assert [len(page.items) for page in pages] == [2000, 2000, 500, 0]

    def test_the_form_index_where_there_is_no_master(self, edgar, collect):
        line = f"{'8-K':<12}{'A CO':<62}{'320193':<12}{'20251211':<12}edgar/data/320193/{accession(1)}.txt"
        body = f"Form Type   Company Name    CIK   Date Filed  File Name\n{'-' * 141}\n{line}\n".encode()
        edgar.put("20251211", body, "form")
        assert keys(collect(days_back=2)) == [1]

    def test_weekends_and_holidays_are_passed_when_a_later_day_is_there(self, world, edgar, collect):
        world.clock.start = datetime(2025, 12, 16, 12, tzinfo=UTC)  # a Tuesday
        edgar.put("20251211", master(row(1)))
        edgar.put("20251215", master(row(2, filed="20251215")))
        pages = collect(days_back=6)
        assert keys(pages) == [1, 2]
        assert pages[-1].cursor["complete"] == "2025-12-15"
        weekend = [path for path in edgar.paths if "20251213" in path or "20251214" in path]
        assert weekend == ["master.20251213.idx", "master.20251214.idx"]

    def test_a_day_whose_index_is_late_is_not_complete_and_comes_later(self, world, edgar, collect):
        edgar.put("20251210", master(row(1, filed="20251210")))
        edgar.entries = [entry(2, "2025-12-11T10:00:00")]  # yesterday's, not yet in an index
        first = collect(days_back=3)
        assert keys(first) == [1, 2]
        assert first[-1].cursor["complete"] == "2025-12-10"
        edgar.put("20251211", master(row(2), row(3)))
        second = collect(cursor=through_json(first[-1].cursor), days_back=3)
        assert keys(second) == [3]
        assert second[-1].cursor["complete"] == "2025-12-11"
        assert second[-1].cursor["known"] == {}

    def test_the_next_run_sees_the_last_day_again_and_collects_what_is_new(self, edgar, collect):
        edgar.put("20251211", master(row(1), row(2)))
        edgar.entries = [entry(3, "2025-12-12T10:00:00")]
        first = collect(days_back=2)
        edgar.entries.insert(0, entry(4, "2025-12-12T10:10:00"))
        second = collect(cursor=through_json(first[-1].cursor), days_back=2)
        assert keys(second) == [4]
        assert keys(second, again=True) == [1, 2, 3]

    def test_the_feed_counts_as_read_up_to_the_beginning_of_the_run(self, edgar, collect):
        # What came for a second form, long after the first one's feed was read, proves nothing of the first
        edgar.entries = [entry(2, "2025-12-12T18:50:00", "8-K"), entry(1, "2025-12-12T17:00:00", "10-K")]
        first = collect(filing_type=["10-K", "8-K"])
        assert keys(first) == [1, 2]
        assert datetime.fromisoformat(first[-1].cursor["accepted"]) == FRIDAY
        edgar.entries.insert(1, entry(3, "2025-12-12T18:06:00", "10-K"))
        second = collect(cursor=through_json(first[-1].cursor), filing_type=["10-K", "8-K"])
        assert keys(second) == [3]

    def test_what_the_feed_brought_is_not_collected_again_with_the_index(self, world, edgar, collect):
        edgar.entries = [entry(1, "2025-12-12T10:00:00")]
        first = collect(days_back=1)
        world.clock.start = datetime(2025, 12, 13, 12, tzinfo=UTC)
        edgar.put("20251212", master(row(1, filed="20251212"), row(2, filed="20251212")))
        second = collect(cursor=through_json(first[-1].cursor), days_back=1)
        assert keys(second) == [2]
        assert second[-1].cursor["known"] == {}

    def test_a_long_pause_is_made_up_for(self, world, edgar, collect):
        first = collect(days_back=1)
        world.clock.start = datetime(2025, 12, 22, 12, tzinfo=UTC)
        for number, day in enumerate(("20251212", "20251215", "20251219"), 1):
            edgar.put(day, master(row(number, filed=day)))
        assert keys(collect(cursor=through_json(first[-1].cursor), days_back=1)) == [1, 2, 3]

    def test_a_filing_accepted_in_the_evening_counts_for_the_next_day(self, edgar, collect):
        edgar.put("20251211", master(row(1)))
        edgar.entries = [
            entry(4, "2025-12-12T09:00:00", "1/A", filed="2025-09-17"),
            entry(3, "2025-12-11T17:45:00", filed="2025-12-12"),
            entry(2, "2025-12-11T17:40:00", "4"),  # insider forms count for the same day until 22:00
            entry(1, "2025-12-11T16:00:00"),
        ]
        assert keys(collect(days_back=2, amendments=True)) == [1, 3, 4]


class TestForms:
    LISTED = (
        row(1, "4"),
        row(2, "4/A"),
        row(3, "424B2"),
        row(4, "10-K"),
        row(5, "10-K/A"),
        row(6, "10-K405"),
    )

    @pytest.mark.parametrize(
        ("config", "found"),
        [
            ({"filing_type": "4"}, [1]),
            ({"filing_type": "4", "amendments": True}, [1, 2]),
            ({"filing_type": ["4", "10-k "]}, [1, 4]),
            ({"filing_type": "10-K", "amendments": True}, [4, 5]),
            ({"filing_type": "10-K/A"}, [5]),
            ({}, [1, 3, 4, 6]),
            ({"amendments": True}, [1, 2, 3, 4, 5, 6]),
        ],
    )
    def test_exactly(self, edgar, collect, config, found):
        edgar.put("20251211", master(*self.LISTED))
        numbered = {one.split("|")[2]: number for number, one in enumerate(self.LISTED, 11)}
        edgar.entries = [entry(number, "2025-12-12T09:00:00", form) for form, number in numbered.items()]
        pages = collect(days_back=2, **config)
        assert sorted(keys(pages)) == found + [number + 10 for number in found]

    def test_each_form_has_its_own_way_through_the_feed(self, edgar, collect):
        collect(filing_type=["8-K", "10-K", "10-K405"])
        assert edgar.paths == ["feed 10-K@0", "feed 8-K@0"]


class TestResuming:
    def test_a_run_goes_on_behind_its_last_page(self, world, edgar, collect):
        edgar.put("20251210", master(*[row(number, filed="20251210") for number in range(1, 2501)]))
        edgar.put("20251211", master(row(3001), row(3002)))
        edgar.entries = [entry(3003, "2025-12-12T10:00:00")]
        whole = collect(days_back=3)
        for number, page in enumerate(whole[:-1], 1):
            edgar.server.requests.clear()
            progress = Progress(through_json(page.window), through_json(page.next_page))
            rest = collect(days_back=3, progress=progress)
            behind = set(keys(whole[:number]))
            assert behind | set(keys(rest)) == set(keys(whole)), number
            assert not behind & set(keys(rest)), number
            assert rest[-1].cursor == whole[-1].cursor

    def test_a_resumed_run_keeps_the_days_it_began_with(self, world, edgar, collect):
        edgar.put("20251210", master(row(1, filed="20251210")))
        first = collect(days_back=3)[0]
        world.clock.start = datetime(2025, 12, 15, 12, tzinfo=UTC)
        edgar.server.requests.clear()
        rest = collect(
            days_back=3, progress=Progress(through_json(first.window), through_json(first.next_page))
        )
        assert not [path for path in edgar.paths if "20251212" in path]
        assert rest[-1].cursor["complete"] == "2025-12-10"


class TestCompanies:
    @pytest.fixture
    def tesla(self, world, edgar, recorded: Path):
        world.clock.start = datetime(2026, 3, 5, 12, tzinfo=UTC)
        for name, captured in (
            ("CIK0001318605", "CIK0001318605_tesla"),
            ("CIK0001318605-submissions-001", "CIK0001318605-submissions-001"),
        ):
            body = (recorded / f"sec_edgar/submissions_{captured}.json").read_bytes()
            edgar.files[f"/submissions/{name}.json"] = body
        listed = orjson.loads(edgar.files["/submissions/CIK0001318605.json"])["filings"]["recent"]
        older = orjson.loads(edgar.files["/submissions/CIK0001318605-submissions-001.json"])
        return [
            (filed, form, key)
            for table in (listed, older)
            for filed, form, key in zip(
                table["filingDate"], table["form"], table["accessionNumber"], strict=True
            )
        ]

    def found(self, pages: list[CollectorResult]) -> list[tuple[str, str, str]]:
        return [(i["filed"], i["form"], i["accession"]) for p in pages for i in p.items if not i.get("again")]

    def test_the_whole_history(self, edgar, collect, tesla):
        pages = collect(ciks=[1318605], days_back=20_000, amendments=True)
        assert sorted(self.found(pages)) == sorted(tesla)
        assert len(tesla) == 1722
        assert edgar.paths == ["CIK0001318605.json", "CIK0001318605-submissions-001.json"]
        item = pages[-2].items[-1]
        assert (item["ciks"], item["names"]) == (["0001318605"], ["Tesla, Inc."])
        assert item["acceptance_text"].endswith(".000Z")

    def test_no_older_file_than_needed(self, edgar, collect, tesla):
        pages = collect(ciks=["1318605"], days_back=365, filing_type=["10-K", "8-K"])
        expected = [one for one in tesla if one[0] >= "2025-03-06" and one[1] in ("10-K", "8-K")]
        assert sorted(self.found(pages)) == sorted(expected)
        assert edgar.paths == ["CIK0001318605.json"]

    def test_the_next_run_brings_what_is_new_only(self, edgar, collect, tesla):
        first = collect(ciks=[1318605], days_back=30, amendments=True)
        recent = [one for one in tesla if one[0] >= "2026-02-04"]
        assert sorted(self.found(first)) == sorted(recent)
        document = orjson.loads(edgar.files["/submissions/CIK0001318605.json"])
        table = document["filings"]["recent"]
        for column in table.values():
            column.insert(0, column[0])
        table["accessionNumber"][0], table["form"][0], table["filingDate"][0] = (
            accession(9),
            "8-K",
            "2026-03-05",
        )
        edgar.files["/submissions/CIK0001318605.json"] = orjson.dumps(document)
        second = collect(cursor=through_json(first[-1].cursor), ciks=[1318605], days_back=30, amendments=True)
        assert self.found(second) == [("2026-03-05", "8-K", accession(9))]

    def test_a_quiet_company_is_still_seen(self, edgar, collect, tesla):
        first = collect(ciks=[1318605], days_back=1, filing_type="10-K")
        assert keys(first) == []
        assert len(keys(first, again=True)) == 1

    def insert(self, edgar, filed: str, accepted: str, form: str) -> None:
        """One filing more in the list, as EDGAR would write it."""
        path = "/submissions/CIK0001318605.json"
        document = orjson.loads(edgar.files[path])
        table = document["filings"]["recent"]
        given = {
            "accessionNumber": accession(9),
            "form": form,
            "filingDate": filed,
            "acceptanceDateTime": accepted,
        }
        for name, column in table.items():
            column.insert(0, given.get(name, column[0]))
        edgar.files[path] = orjson.dumps(document)

    @pytest.mark.parametrize(
        ("filed", "accepted", "form"),
        [
            # As in the captured lists: a paper report of another day than that of its acceptance.
            ("2026-01-12", "2026-03-04T19:14:36.000Z", "ARS"),
            # Letters are released months later, and nothing in the list says when.
            ("2025-10-06", "2025-10-06T19:36:43.000Z", "UPLOAD"),
        ],
    )
    def test_what_comes_under_a_date_long_past(self, edgar, collect, tesla, filed, accepted, form):
        config = {"ciks": [1318605], "days_back": 300}
        first = collect(**config)
        assert accession(9) not in repr(first)
        self.insert(edgar, filed, accepted, form)
        second = collect(cursor=through_json(first[-1].cursor), **config)
        assert (filed, form, accession(9)) in self.found(second)

    def test_a_list_that_is_the_same_is_not_sent_again(self, world, edgar, collect, tesla):
        class Memory:
            def __init__(self):
                self.kept = {}

            def known(self, page):
                return self.kept.get(page)

            def note(self, page, etag, last_modified):
                self.kept[page] = Validator(etag, last_modified, 30)

        world.validators = Memory()
        config = {"ciks": [1318605], "days_back": 30, "amendments": True}
        first = collect(**config)
        second = collect(cursor=through_json(first[-1].cursor), **config)  # the first that may ask so
        third = collect(cursor=through_json(second[-1].cursor), **config)
        conditional = ["if-none-match" in asked.headers for asked in edgar.server.requests]
        assert conditional == [False, False, True]
        assert [(len(page.items), page.unmodified) for page in third] == [(0, 30), (0, 0)]
        # What comes later is collected, and a task without a cursor reads the list whatever was sent before.
        self.insert(edgar, "2026-03-05", "2026-03-05T11:00:00.000Z", "8-K")
        fourth = collect(cursor=through_json(third[-1].cursor), **config)
        assert self.found(fourth) == [("2026-03-05", "8-K", accession(9))]
        assert len(self.found(collect(**config))) == len(self.found(first)) + 1

    def test_a_run_goes_on_within_a_list(self, edgar, collect, tesla, monkeypatch):
        monkeypatch.setattr("stoma.collectors.edgar_walk.PAGE", 400)
        config = {"ciks": [1318605], "days_back": 20_000, "amendments": True}
        whole = collect(**config)
        assert len(whole) == 2 + 3 + 1
        for number, page in enumerate(whole[:-1], 1):
            rest = collect(
                **config, progress=Progress(through_json(page.window), through_json(page.next_page))
            )
            assert sorted(self.found(whole[:number]) + self.found(rest)) == sorted(tesla)

    def test_tickers(self, edgar, collect, tesla, recorded: Path):
        edgar.files["/files/company_tickers.json"] = (
            recorded / "sec_edgar/company_tickers.json"
        ).read_bytes()
        pages = collect(tickers=["tsla"], ciks=[1318605], days_back=30)
        assert edgar.paths == ["company_tickers.json", "CIK0001318605.json"]
        assert pages[0].window["ciks"] == ["0001318605"]
        with pytest.raises(SourceRefused, match="no ticker 'TSLAA'") as unknown:
            collect(tickers=["TSLAA"])
        assert "did you mean TSLA?" in unknown.value.hint
        with pytest.raises(
            SourceRefused, match="no CIK 0001067983"
        ):  # Berkshire's, by the point or the stroke
            collect(tickers=["BRK.B", "brk/b"])

    def test_a_filer_without_filings_and_with_a_strange_name(self, edgar, collect, recorded: Path):
        edgar.files["/submissions/CIK0000350001.json"] = (
            recorded / "sec_edgar/submissions_CIK0000350001_no_filings.json"
        ).read_bytes()
        [end] = collect(ciks=["350001"])
        assert end.items == []

    def test_a_filer_that_is_not_there(self, collect):
        with pytest.raises(SourceRefused, match="EDGAR knows no CIK 0000000007"):
            collect(ciks=[7])

    @pytest.mark.parametrize(
        "body",
        [b"", b"[]", b"{}", b"<html></html>", b'{"filings": {"recent": {"form": ["4"]}}}',
         b'{"filings": {"recent": {"form": ["4"], "filingDate": [], "accessionNumber": []}}}'],
    )  # fmt: skip
    def test_what_is_no_list(self, edgar, collect, body: bytes):
        edgar.files["/submissions/CIK0000000007.json"] = body
        with pytest.raises(BadAnswer, match=r"CIK0000000007\.json .*asked 3 times"):
            collect(ciks=[7])

    def test_lists_lie_on_another_host_than_files(self, world, serve, monkeypatch):
        proxy = serve(lambda asked: Reply(404, ABSENT % b"NoSuchKey"))
        monkeypatch.setenv("http_proxy", proxy.url)
        monkeypatch.setattr("stoma.collectors.edgar_walk.DATA", "http://data.sec.gov")
        with pytest.raises(SourceRefused):
            world.collect(SecEdgarCollector(), {"ciks": [7]})
        assert proxy.requests[0].headers["host"] == "data.sec.gov"
        assert ("enter", "data.sec.gov") in world.budget.events


class TestInsiders:
    FORM = "<ownershipDocument><documentType>4</documentType></ownershipDocument>"

    def put(self, edgar, number: int, text: str | None = None, cik: int = 320193) -> None:
        body = (HEADER.format(self.FORM) if text is None else text).encode()
        edgar.files[f"/Archives/edgar/data/{cik}/{accession(number)}.txt"] = body

    def test_each_form_is_read_behind_its_filing(self, edgar, collect):
        for number in (1, 3, 4, 5):
            self.put(edgar, number)
        edgar.put("20251211", master(row(1, "4"), row(2, "8-K"), row(3, "3"), row(4, "5")))
        edgar.entries = [entry(5, "2025-12-12T10:00:00", "4")]
        pages = collect(days_back=2, form4_details=True)
        items = {int(i["accession"][-6:]): i for page in pages for i in page.items}
        assert {number for number, item in items.items() if "insider" in item} == {1, 3, 4, 5}
        assert items[1]["insider"]["accepted"] == "20251211180000"

    def test_none_is_read_twice(self, world, edgar, collect):
        self.put(edgar, 1)
        self.put(edgar, 2)
        edgar.entries = [entry(1, "2025-12-12T10:00:00", "4")]
        config = {"filing_type": "4", "form4_details": True}
        first = collect(**config)
        again = collect(cursor=through_json(first[-1].cursor), **config)
        world.clock.start = datetime(2025, 12, 13, 12, tzinfo=UTC)
        edgar.put("20251212", master(row(1, "4", filed="20251212"), row(2, "4", filed="20251212")))
        third = collect(cursor=through_json(again[-1].cursor), **config)
        collect(cursor=through_json(third[-1].cursor), **config)
        assert keys(first) == [1]
        assert keys(again) == []
        assert keys(third) == [2]
        read = [path for path in edgar.paths if path.endswith(".txt")]
        assert read == [f"{accession(1)}.txt", f"{accession(2)}.txt"]

    def test_a_form_that_is_not_there_yet_is_read_later(self, world, edgar, collect):
        edgar.entries = [entry(1, "2025-12-12T10:00:00", "4")]
        config = {"filing_type": "4", "form4_details": True}
        first = collect(**config)
        assert "is not there" in first[0].items[0]["insider_fault"]
        self.put(edgar, 1)
        second = collect(cursor=through_json(first[-1].cursor), **config)
        assert second[0].items[0]["insider"]["form"] == "4"
        third = collect(cursor=through_json(second[-1].cursor), **config)
        assert keys(third) == []

    def test_a_form_that_cannot_be_read_sinks_no_page(self, edgar, collect):
        self.put(edgar, 1)
        self.put(edgar, 2, "<SEC-DOCUMENT>\n<ACCEPTANCE-DATETIME>20251211180000\nplain text of 1999")
        self.put(edgar, 4, "no header at all")
        edgar.put("20251211", master(*[row(number, "4") for number in (1, 2, 3, 4)]))
        [page, _] = collect(days_back=2, form4_details=True)
        faults = {int(item["accession"][-6:]): item.get("insider_fault") for item in page.items}
        assert faults[1] is None
        assert "before 2003" in faults[2]
        assert faults[3] == f"/Archives/edgar/data/320193/{accession(3)}.txt is not there"
        assert "no header" in faults[4]

    def test_a_page_in_place_of_a_form_is_asked_for_again(self, edgar, collect):
        self.put(edgar, 1, "<!DOCTYPE html><html><body>Maintenance</body></html>")
        edgar.put("20251211", master(row(1, "4")))
        with pytest.raises(BadAnswer, match=r"is no submission.*asked 3 times"):
            collect(days_back=2, form4_details=True)

    def test_small_pages_so_that_a_kill_costs_little(self, edgar, collect):
        for number in range(1, 61):
            self.put(edgar, number)
        edgar.put("20251211", master(*[row(number, "4") for number in range(1, 61)]))
        pages = collect(days_back=2, form4_details=True)
        assert [len(page.items) for page in pages] == [25, 25, 10, 0]
        edgar.server.requests.clear()
        resumed = Progress(through_json(pages[0].window), through_json(pages[0].next_page))
        collect(days_back=2, form4_details=True, progress=resumed)
        assert len([path for path in edgar.paths if path.endswith(".txt")]) == 35


class TestThePast:
    """Backfills: exactly the days of a span, whatever else the config says, and no cursor."""

    SPAN = Span(date(2025, 10, 6), date(2025, 10, 10))

    def test_the_index_of_each_day_and_nothing_else(self, edgar, collect):
        edgar.entries = [entry(9, "2025-12-12T10:00:00")]
        for number, day in enumerate(("20251003", "20251006", "20251007", "20251010", "20251013"), 1):
            edgar.put(day, master(row(number, filed=day), row(number + 10, "8-K/A", filed=day)))
        cursor = {"since": "2025-12-01", "complete": "2025-12-11", "known": {accession(3): "2025-12-11"}}
        pages = collect(span=self.SPAN, cursor=cursor, days_back=1, filing_type="8-K")
        assert keys(pages) == [2, 3, 4]
        assert {page.cursor for page in pages} == {None}
        assert pages[-1].next_page is None
        assert not [path for path in edgar.paths if path.startswith("feed")]

    def test_what_is_missing_is_said(self, world, edgar, collect):
        edgar.put("20251006", master(row(1, filed="20251006")))
        edgar.put("20251009", master(row(2, filed="20251009")))
        collect(span=self.SPAN)
        assert world.told == [
            "EDGAR has no index of these working days, as of holidays: 2025-10-07, 2025-10-08, 2025-10-10"
        ]

    def test_a_span_without_any_index_is_no_success(self, collect):
        with pytest.raises(SourceRefused, match=r"no index of any day in 2025-10-06\.\.2025-10-10"):
            collect(span=self.SPAN)

    def test_a_weekend_with_a_holiday_is_one(self, collect):
        assert keys(collect(span=Span(date(2025, 10, 11), date(2025, 10, 13)))) == []

    @pytest.mark.parametrize("more", [{}, {"ciks": [1318605]}])
    def test_days_that_are_not_over_in_new_york_are_refused(self, world, edgar, collect, more):
        # In London it is the thirteenth already.
        world.clock.start = datetime(2025, 12, 13, 3, tzinfo=UTC)
        span = Span(date(2025, 12, 11), date(2025, 12, 12))
        with pytest.raises(SourceRefused, match="2025-12-12 is not over in New York"):
            collect(span=span, **more)
        with pytest.raises(UsageError, match="2025-12-12 is not over in New York") as caught:
            SecEdgarCollector().estimate(world.collection({"base_url": edgar.url, **more}, span=span))
        assert caught.value.hint == "--to 2025-12-11 is the last day that can be asked for"
        assert not edgar.server.requests

    def test_an_index_that_may_still_come_is_waited_for(self, world, edgar, collect):
        span = Span(date(2025, 12, 8), date(2025, 12, 11))
        world.clock.start = datetime(2025, 12, 12, 6, tzinfo=UTC)
        for number, day in enumerate(("20251208", "20251209"), 1):
            edgar.put(day, master(row(number, filed=day)))
        pages = []
        with pytest.raises(SourceRefused, match="index of 2025-12-10, 2025-12-11 is not there yet") as caught:
            pages += SecEdgarCollector().collect(world.collection({"base_url": edgar.url}, span=span))
        assert "try again tomorrow" in caught.value.hint

    def test_what_was_late_is_found_by_the_next_try(self, world, edgar):
        span = Span(date(2025, 12, 9), date(2025, 12, 11))
        for day in ("20251209", "20251211"):
            edgar.put(day, master(row(int(day[-1]), filed=day)))
        pages = []
        with pytest.raises(SourceRefused, match="index of 2025-12-10 is not there yet"):
            for page in SecEdgarCollector().collect(world.collection({"base_url": edgar.url}, span=span)):
                pages.append(page)
        edgar.put("20251210", master(row(5, filed="20251210")))
        progress = Progress(through_json(pages[-1].window), through_json(pages[-1].next_page))
        rest = world.collect(SecEdgarCollector(), {"base_url": edgar.url}, span=span, progress=progress)
        assert 5 in keys(rest)
        assert rest[-1].next_page is None

    def test_a_holiday_has_no_index_and_none_is_waited_for(self, world, edgar, collect):
        world.clock.start = datetime(2025, 11, 28, 12, tzinfo=UTC)
        edgar.put("20251126", master(row(1, filed="20251126")))
        assert keys(collect(span=Span(date(2025, 11, 26), date(2025, 11, 27)))) == [1]
        assert world.told == ["EDGAR has no index of these working days, as of holidays: 2025-11-27"]

    def test_it_goes_on_behind_its_last_page(self, edgar, collect):
        for number, day in enumerate(("20251006", "20251007", "20251010"), 1):
            edgar.put(day, master(row(number, filed=day)))
        whole = collect(span=self.SPAN)
        for number, page in enumerate(whole[:-1], 1):
            progress = Progress(through_json(page.window), through_json(page.next_page))
            rest = collect(span=self.SPAN, progress=progress)
            assert keys(whole[:number]) + keys(rest) == [1, 2, 3]

    def test_by_company_every_list_that_reaches_into_it(self, world, edgar, collect, recorded: Path):
        world.clock.start = datetime(2026, 3, 5, 12, tzinfo=UTC)
        listed = []
        for name, captured in (
            ("CIK0001318605", "CIK0001318605_tesla"),
            ("CIK0001318605-submissions-001", "CIK0001318605-submissions-001"),
        ):
            body = (recorded / f"sec_edgar/submissions_{captured}.json").read_bytes()
            edgar.files[f"/submissions/{name}.json"] = body
            document = orjson.loads(body)
            table = document["filings"]["recent"] if "filings" in document else document
            listed += zip(table["filingDate"], table["form"], table["accessionNumber"], strict=True)
        span = Span(date(2017, 1, 1), date(2018, 12, 31))
        pages = collect(span=span, ciks=[1318605], filing_type=["8-K", "4"], days_back=1)
        found = [(i["filed"], i["form"], i["accession"]) for page in pages for i in page.items]
        expected = [
            one for one in listed if "2017-01-01" <= one[0] <= "2018-12-31" and one[1] in ("8-K", "4")
        ]
        assert sorted(found) == sorted(expected)
        assert len(found) > 100
        assert {page.cursor for page in pages} == {None}

    @pytest.mark.parametrize(
        ("config", "requests", "host"),
        [
            ({}, 31, "www.sec.gov"),
            ({"filing_type": "4"}, 31, "www.sec.gov"),
            ({"filing_type": "4", "form4_details": True}, 31 + 23 * 850, "www.sec.gov"),
            ({"filing_type": "8-K", "form4_details": True}, 31, "www.sec.gov"),
            ({"ciks": [1, 2]}, 4, "data.sec.gov"),
            ({"ciks": [1], "tickers": ["A"]}, 5, "data.sec.gov"),
            ({"base_url": "http://mirror.example:8080"}, 31, "mirror.example"),
        ],
    )
    def test_what_it_would_cost(self, world, config, requests: int, host: str):
        october = Span(date(2025, 10, 1), date(2025, 10, 31))
        world.clock.start = FRIDAY
        estimate = SecEdgarCollector().estimate(world.collection(config, span=october))
        assert estimate == Estimate(requests, None, host)
        with pytest.raises(UsageError):
            SecEdgarCollector().estimate(world.collection(config))


FAULTS = {
    "refused": Reply(drop=True),
    "reset": Reply(reset=True),
    "truncated": Reply(body=b"x" * 5000, cut=700),
    "empty": Reply(),
    "garbage": Reply(body=bytes(range(256)) * 20),
    "html": Reply(body=b"<!DOCTYPE html><html><body>Maintenance</body></html>"),
    "gzip bomb": Reply(body=b"\x1f\x8b garbage", headers={"Content-Encoding": "gzip"}),
    **{str(status): Reply(status, b"Sorry") for status in (400, 401, 403, 404, 410, 422, 429, 500, 503)},
    "429 with Retry-After": Reply(429, b"Sorry", {"Retry-After": "600"}),
    "503 with Retry-After": Reply(503, b"Sorry", {"Retry-After": "600"}),
}


class TestFaults:
    @pytest.mark.parametrize("fault", FAULTS)
    def test_every_fault_names_the_address_and_keeps_what_came_before(self, world, edgar, fault: str):
        edgar.put("20251210", master(row(1, filed="20251210")))
        edgar.put("20251211", FAULTS[fault])
        config = {"base_url": edgar.url, "days_back": 3}
        came = []
        with pytest.raises(SourceError, match=r"/daily-index/2025/QTR4/master\.20251211\.idx") as error:
            for page in SecEdgarCollector().collect(world.collection(config)):
                came.append(page)
        assert keys(came) == [1]
        assert came[-1].cursor is None
        # Once it is well again, the run goes on behind the day that came.
        edgar.put("20251211", master(row(2)))
        world.budget.cooling.clear()
        progress = Progress(through_json(came[-1].window), through_json(came[-1].next_page))
        rest = world.collect(SecEdgarCollector(), config, progress=progress)
        assert keys(rest) == [2]
        assert error.value.retry is (fault not in {"400", "401", "404", "410", "422"})

    def test_a_block_stops_and_the_cursor_stays(self, world, edgar, collect, recorded: Path):
        page = (recorded / "sec_edgar/block_403_undeclared_automated_tool.html").read_bytes()
        edgar.put("20251211", Reply(403, page))
        with pytest.raises(SourceBusy):
            collect(days_back=2)
        assert edgar.paths == ["master.20251211.idx"]
        assert world.budget.cooling


def test_what_decides_what_is_collected():
    collector = SecEdgarCollector()
    config = {"filing_type": "8-K", "days_back": 2}
    assert collector.selection(config | {"base_url": "http://x"}) == config
    assert collector.needs_contact
