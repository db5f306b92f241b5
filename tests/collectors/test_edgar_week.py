"""EDGAR hour by hour: indexes that grow at night, are corrected, come late or never, and a feed that is too short.

Whatever happens, each filing is collected: by the feed within the hour where the feed reaches that far, else by an
index. What is not collected yet is said.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from itertools import pairwise
from pathlib import Path
from typing import Any

import orjson
import pytest

from stoma.collectors.base import Validator
from stoma.collectors.sec_edgar import SecEdgarCollector
from stoma.records import CollectorResult
from tests.support.edgar import NEW_YORK, Edgar, entry, master, row
from tests.support.world import World

HOUR, DAY = timedelta(hours=1), timedelta(days=1)
FORMS = ("8-K", "4", "10-Q", "4", "8-K/A")
# Those that count for the same day until 22:00 (17 CFR 232.13).
INSIDER = {"4"}


@dataclass(frozen=True)
class Filing:
    """One filing; `index` is the day in whose index it stands."""

    number: int
    form: str
    accepted: datetime
    index: date


@dataclass
class Memory:
    """The validators of completed runs, kept as a pipeline does."""

    kept: dict[str, Validator]
    noted: dict[str, tuple[str, str, int]]
    last: str = ""

    def known(self, page: str) -> Validator | None:
        return self.kept.get(page)

    def note(self, page: str, etag: str, last_modified: str) -> None:
        self.noted[page], self.last = (etag, last_modified, 0), page

    def count(self, items: int) -> None:
        if self.last:
            etag, modified, before = self.noted[self.last]
            self.noted[self.last] = (etag, modified, before + items)

    def completed(self) -> None:
        self.kept |= {page: Validator(*told) for page, told in self.noted.items()}
        self.noted, self.last = {}, ""


@dataclass
class Runs:
    """One task, run after run, each with the cursor of the one before."""

    world: World
    config: dict[str, Any]
    cursor: Any = None

    def __post_init__(self) -> None:
        self.memory = self.world.validators = Memory({}, {})
        self.pages: list[CollectorResult] = []

    def run(self, at: datetime) -> list[int]:
        """The numbers of the filings that a run at that moment collects."""
        self.world.clock.start, self.world.clock.passed = at.astimezone(UTC), 0.0
        self.pages = []
        for page in SecEdgarCollector().collect(self.world.collection(self.config, cursor=self.cursor)):
            self.pages.append(page)
            self.memory.count(len(page.items))
        self.memory.completed()
        self.cursor = orjson.loads(orjson.dumps(self.pages[-1].cursor))
        # Each run has a client of its own.
        self.world.clients.pop().close()
        items = [item for page in self.pages for item in page.items if not item.get("again")]
        return [int(item["accession"][-6:]) for item in items]

    @property
    def seen(self) -> int:
        return sum(len(page.items) + page.unmodified for page in self.pages)


def new_york(day: date, hour: int, minute: int = 0) -> datetime:
    return datetime.combine(day, time(hour, minute), NEW_YORK)


def filings(days: list[date], each: int) -> list[Filing]:
    """So many filings on each working day, from 6:00 to 21:59."""
    found = []
    for day, following in pairwise(days):
        for at in range(each):
            accepted = new_york(day, 6) + timedelta(minutes=960 * at // each, seconds=at % 60)
            form = FORMS[len(found) % len(FORMS)]
            is_late = accepted.time() > time(17, 30) and form not in INSIDER
            found.append(Filing(len(found) + 1, form, accepted, following if is_late else day))
    return found


@dataclass
class Week:
    """EDGAR between `first` and `last`; `written` says when the index of a day holds which share of its rows."""

    edgar: Edgar
    all: list[Filing]
    written: Callable[[date], list[tuple[datetime, float]]]
    longest_feed: int = 5_100

    def at(self, now: datetime) -> None:
        """What is there at that moment."""
        came = [one for one in self.all if one.accepted <= now]
        self.edgar.entries = [
            entry(one.number, one.accepted.replace(tzinfo=None).isoformat(), one.form, filed=str(one.index))
            for one in reversed(came[-self.longest_feed :])
        ]
        for day in {one.index for one in self.all}:
            shares = [share for moment, share in self.written(day) if moment <= now]
            if shares:
                rows = [one for one in self.all if one.index == day]
                some = sorted(rows, key=lambda one: one.number % 7)[: round(len(rows) * shares[-1])]
                name = f"{day:%Y%m%d}"
                self.edgar.put(name, master(*[row(one.number, one.form, filed=name) for one in some]))


def usual(day: date) -> list[tuple[datetime, float]]:
    """Begun at 22:00, done at 2:00."""
    return [(new_york(day, 22), 0.3), (new_york(day, 23, 40), 0.8), (new_york(day + DAY, 2), 1.0)]


@pytest.fixture
def edgar(world: World) -> Iterator[Edgar]:
    edgar = Edgar()
    yield edgar
    edgar.server.close()


def working(first: date, count: int, closed: set[date]) -> list[date]:
    found = [first + n * DAY for n in range(count)]
    return [day for day in found if day.weekday() < 5 and day not in closed]


@pytest.mark.parametrize(
    "first",
    [
        date(2026, 3, 5),  # the clocks go forward on the 8th
        date(2026, 3, 26),  # a quarter ends on the 31st
        date(2026, 10, 29),  # the clocks go back on the 1st
    ],
)
def test_a_week_of_hourly_runs_brings_each_filing_once_and_within_the_hour(
    world: World, edgar: Edgar, first: date
) -> None:
    # Given a week with a holiday, indexes that grow in the night, and one that comes two days late
    holiday, late = first + 6 * DAY, first + 7 * DAY

    def written(day: date) -> list[tuple[datetime, float]]:
        return [(new_york(day + 2 * DAY, 11), 1.0)] if day == late else usual(day)

    week = Week(edgar, filings(working(first, 12, {holiday}), 40), written)
    runs = Runs(world, {"base_url": edgar.url, "days_back": 1, "amendments": True})
    came: dict[int, datetime] = {}
    counted: Counter[int] = Counter()
    now = new_york(first, 0, 7)
    while now < new_york(first + 10 * DAY, 12):
        week.at(now)
        found = runs.run(now)
        counted.update(found)
        for number in found:
            came.setdefault(number, now)
        now = (now.astimezone(UTC) + HOUR).astimezone(NEW_YORK)
    due = [one for one in week.all if one.accepted <= now - HOUR]
    assert len(due) >= 200
    assert {one.number for one in due} <= set(came)
    assert max(came[one.number] - one.accepted for one in due) < HOUR
    assert set(counted.values()) == {1}
    # A run that has nothing new sees what is there, and most of them are told so without a file.
    assert runs.seen > 0
    assert runs.cursor["missing"] == [str(holiday)]
    asked = [one for one in edgar.server.requests if one.path.endswith(".idx")]
    conditional = [one for one in asked if "if-none-match" in one.headers]
    assert len(conditional) > 100
    assert len(runs.cursor["known"]) < 80


@pytest.mark.parametrize("hour", [0, 1, 3, 7, 23])
def test_one_run_a_day_at_any_hour_and_a_feed_that_is_too_short(
    world: World, edgar: Edgar, monkeypatch: pytest.MonkeyPatch, hour: int
) -> None:
    # Given a feed that holds less than a day, as on the busiest ones
    monkeypatch.setattr("stoma.collectors.edgar_current.DEEPEST", 0)
    first = date(2026, 3, 5)
    week = Week(edgar, filings(working(first, 12, set()), 150), usual, longest_feed=100)
    runs = Runs(world, {"base_url": edgar.url, "days_back": 1, "amendments": True})
    counted: Counter[int] = Counter()
    for day in range(12):
        now = new_york(first + day * DAY, hour, 30)
        week.at(now)
        counted.update(runs.run(now))
    # Then what the feed lost was said, and the index has brought it
    said = [
        line for line in world.told if "feed ends too early" in line and "comes with the day's index" in line
    ]
    assert bool(said) is (hour == 23)
    done = [one for one in week.all if one.index <= first + 8 * DAY]
    assert {one.number for one in done} <= set(counted)
    assert set(counted.values()) == {1}


def test_an_index_that_is_corrected_when_it_should_be_done(world: World, edgar: Edgar) -> None:
    first = date(2026, 3, 2)

    def written(day: date) -> list[tuple[datetime, float]]:
        return [(new_york(day, 22), 0.9), (new_york(day + DAY, 13), 1.0)]

    week = Week(edgar, filings(working(first, 5, set()), 30), written)
    runs = Runs(world, {"base_url": edgar.url, "days_back": 2, "amendments": True})
    came: set[int] = set()
    for day in (1, 2, 3, 4):
        now = new_york(first + day * DAY, 7)
        week.at(now)
        came |= set(runs.run(now))
    assert {one.number for one in week.all if one.index <= first + 2 * DAY} <= came
    assert [line for line in world.told if "has changed since it was read" in line]


def test_quiet_days_of_a_rare_form_show_that_edgar_answers(world: World, edgar: Edgar) -> None:
    runs = Runs(world, {"base_url": edgar.url, "days_back": 2, "filing_type": "10-K"})
    for day, rows in ((1, [row(1, "10-K"), row(2, "4")]), (2, [row(3, "4")]), (3, [row(4, "4")]), (4, [])):
        edgar.put(f"2025120{day}", master(*rows))
        for hour in (12, 13, 14):
            runs.run(new_york(date(2025, 12, day + 1), hour))
        # What was there before counts as seen; a day without any filing at all stays suspicious.
        assert (runs.seen > 0) is (day < 4)
    assert {item["accession"] for page in runs.pages for item in page.items} <= {runs.cursor["last"]}


def test_a_machine_that_was_off_for_ten_days(world: World, edgar: Edgar) -> None:
    first = date(2026, 3, 2)
    week = Week(edgar, filings(working(first, 16, set()), 30), usual)
    runs = Runs(world, {"base_url": edgar.url, "days_back": 1, "amendments": True})
    week.at(new_york(first, 12))
    came = set(runs.run(new_york(first, 12)))
    later = new_york(first + 11 * DAY, 12)
    week.at(later)
    came |= set(runs.run(later))
    assert came == {one.number for one in week.all if one.accepted <= later}


def test_a_pause_of_more_than_a_year_is_said(world: World, edgar: Edgar) -> None:
    runs = Runs(world, {"base_url": edgar.url, "days_back": 1})
    runs.run(new_york(date(2024, 3, 4), 12))
    runs.run(new_york(date(2026, 3, 4), 12))
    [line] = [line for line in world.told if "backfill" in line]
    assert "nothing was collected since 2024-03-03; this goes on from 2025-03-04" in line
    assert "stoma backfill test --from 2024-03-03 --to 2025-03-03" in line
    assert edgar.paths[1].endswith("20250304.idx")


def test_a_day_without_an_index_is_asked_for_a_week_and_then_told(world: World, edgar: Edgar) -> None:
    runs = Runs(world, {"base_url": edgar.url, "days_back": 1})
    edgar.put("20251224", master(row(1, filed="20251224")))
    edgar.put("20251226", master(row(2, filed="20251226")))
    runs.run(new_york(date(2025, 12, 24), 12))
    for day in range(27, 36):
        edgar.server.requests.clear()
        runs.run(new_york(date(2025, 12, 1) + (day - 1) * DAY, 12))
        # It was a holiday; nobody knows before a week has passed.
        assert ("master.20251225.idx" in edgar.paths) is (day <= 32)
    assert world.told.count("EDGAR has no index of 2025-12-25: it counts as a day without filings") == 1
    assert runs.cursor["missing"] == []


def test_the_captured_walk_under_new_filings_and_the_index_behind_it(
    world: World, edgar: Edgar, recorded: Path
) -> None:
    # Given the feed of a busy day as it was, of which the newest 240 entries come while it is walked
    pages = sorted((recorded / "sec_edgar").glob("getcurrent_20251212_count100_start*.atom"))
    text = "".join(page.read_text("latin-1") for page in pages)
    listed = list(dict.fromkeys(re.findall(r"<entry>.*?</entry>\n?", text, re.DOTALL)))
    older = [entry(n, "2025-12-11T16:00:00", "8-K") for n in range(1, 400)]
    coming, edgar.entries = listed[:240], listed[240:] + older

    def on_feed() -> None:
        for _ in range(5):
            if coming:
                edgar.entries.insert(0, coming.pop())

    edgar.on_feed = on_feed
    number = re.compile(r"accession-number=([\d-]+)")
    everything = {number.search(one)[1] for one in (*coming, *edgar.entries)}  # type: ignore[index]
    runs = Runs(world, {"base_url": edgar.url, "days_back": 2, "amendments": True})
    runs.run(new_york(date(2025, 12, 12), 18, 5))
    first = {item["accession"] for page in runs.pages for item in page.items}
    assert 3_200 < len(first) < len(everything)
    [said] = [line for line in world.told if "feed ends too early" in line]
    assert "what was accepted from 2025-12-10 17:30 to 2025-12-11 16:" in said
    # Pages shifted under it, and neither lost nor doubled a filing that both know.
    assert len(first) == sum(len(page.items) for page in runs.pages)
    # When the indexes of both days are there, the rest comes, and nothing twice.
    rows: dict[str, list[str]] = {"20251211": [], "20251212": []}
    for one in (*coming, *edgar.entries):
        day = "20251211" if ">2025-12-11T" in one and "2025-12-12 &lt;" not in one else "20251212"
        cik, form = re.search(r"\((\d{10})\)", one)[1], re.search(r'term="([^"]*)"', one)[1]  # type: ignore[index]
        key = number.search(one)[1]  # type: ignore[index]
        rows[day].append(f"{int(cik)}|A CO|{form}|{day}|edgar/data/{int(cik)}/{key}.txt")
    for day, listed_rows in rows.items():
        edgar.put(day, master(*listed_rows))
    runs.run(new_york(date(2025, 12, 13), 7))
    items = [item for page in runs.pages for item in page.items]
    second = {item["accession"] for item in items if not item.get("again")}
    assert first | second == everything
    assert not first & second
