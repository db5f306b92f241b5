"""Feeds and the calendar over real sockets, read by those who read them: feedparser and icalendar."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import urljoin

import feedparser
import pytest
from icalendar import Calendar

from stoma.api.feeds import AHEAD, MOST
from stoma.api.server import Server
from stoma.api.unchanged import is_known
from stoma.formats import atom, ics
from stoma.records import Record
from stoma.scheduler import ahead
from stoma.scheduler.base import Schedule, Task
from stoma.scheduler.manager import Scheduler
from tests.api.test_data import client as client
from tests.api.test_data import scheduler as scheduler
from tests.api.test_server import Client
from tests.conftest import REPOSITORY
from tests.stores.test_questions import put
from tests.support.clock import Clock
from tests.support.stores import clock as clock
from tests.support.stores import url as url

PAPER = Record("arxiv", "2605.00001", "paper", title="On sets", url="https://example.org/1", authors=("Ada",))


def get(client: Client, path: str, **headers: str) -> tuple[bytes, dict[str, str]]:
    status, body, found = client.ask("GET", path, **headers)
    assert status == 200, body
    return body.encode(), found


def feed(client: Client, path: str) -> Any:
    body, headers = get(client, path)
    assert headers["content-type"] == "application/atom+xml; charset=utf-8"
    found = feedparser.parse(body, response_headers={"content-type": headers["content-type"]})
    assert not found.bozo, found.get("bozo_exception")
    return found


def links(found: Any) -> dict[str, str]:
    return {link.rel: link.href for link in found.feed.links}


def fill(scheduler: Scheduler, clock: Clock) -> None:
    for number in range(7):
        kind = "paper" if number % 2 else "entry"
        put(scheduler.store, replace(PAPER, external_id=str(number), kind=kind, title=f"Sets {number}"))
        clock.forward(hours=1)
    put(scheduler.store, replace(PAPER, external_id="else", source="other", title="Rings"), task="two")


def test_what_a_task_collected(client: Client, scheduler: Scheduler, clock: Clock) -> None:
    fill(scheduler, clock)
    found = feed(client, "/feeds/one.atom")
    assert found.feed.title == scheduler.config.tasks["one"].name
    assert links(found) == {"alternate": "/tasks/one", "self": "one.atom", "first": "one.atom"}
    assert [entry.title for entry in found.entries] == [f"Sets {number}" for number in range(6, -1, -1)]
    assert found.feed.updated == "2026-03-01T18:00:00Z"
    assert found.entries[0].link == "https://example.org/1"
    assert found.entries[0].author == "Ada"


def test_it_goes_on_page_by_page(client: Client, scheduler: Scheduler, clock: Clock) -> None:
    fill(scheduler, clock)
    at, seen, ids = "/feeds/one.atom?limit=3", [], set()
    for _ in range(3):
        found = feed(client, at)
        seen.append([entry.title[-1] for entry in found.entries])
        ids |= {entry.id for entry in found.entries}
        assert links(found)["first"] == "one.atom?limit=3"
        assert urljoin(at, links(found)["self"]) == at
        at = urljoin(at, links(found).get("next", ""))
    assert seen == [["6", "5", "4"], ["3", "2", "1"], ["0"]]
    assert "next" not in links(found)
    assert len(ids) == 7


def test_all_that_there_is_and_what_is_chosen(client: Client, scheduler: Scheduler, clock: Clock) -> None:
    fill(scheduler, clock)
    while scheduler.store.search.index.take_up():
        pass
    assert [entry.title for entry in feed(client, "/feed.atom").entries][:2] == ["Rings", "Sets 6"]
    assert [e.title for e in feed(client, "/feed.atom?source=other").entries] == ["Rings"]
    assert len(feed(client, "/feeds/one.atom?kind=paper").entries) == 3
    sought = feed(client, "/feed.atom?q=sets&kind=paper&limit=2")
    assert [entry.title for entry in sought.entries] == ["Sets 5", "Sets 3"]
    assert sought.feed.title.endswith(": sets")
    onward = feed(client, urljoin("/feed.atom", links(sought)["next"]))
    assert [entry.title for entry in onward.entries] == ["Sets 1"]
    assert sought.feed.id == onward.feed.id != feed(client, "/feed.atom").feed.id


def test_who_knows_it_is_told_so(client: Client, scheduler: Scheduler, clock: Clock) -> None:
    fill(scheduler, clock)
    for path in ("/feeds/one.atom", "/calendar.ics"):
        _, headers = get(client, path)
        assert headers["cache-control"] == "private, no-cache"
        mark = headers["etag"]
        status, body, again = client.ask("GET", path, If_None_Match=f'"other", W/{mark}')
        assert (status, body, again["etag"]) == (304, "", mark)
        assert "content-type" not in again
    put(scheduler.store, replace(PAPER, external_id="0", kind="entry", title="Sets 0, second version"))
    _, headers = get(client, "/feeds/one.atom", If_None_Match=mark)
    assert headers["etag"] != mark


def test_marks_are_compared() -> None:
    assert is_known('"a"', '"a"')
    assert is_known('W/"b", "a"', '"a"')
    assert is_known("*", '"a"')
    assert not is_known('"ab"', '"a"')
    assert not is_known(None, '"a"')
    assert not is_known("*", None)


def test_strangers_harm_nobody(client: Client, scheduler: Scheduler) -> None:
    put(
        scheduler.store,
        replace(
            PAPER,
            external_id='<a href="x">/../ü',
            title="<script>alert(1)</script>\x1b[31m\u202e",
            url="javascript:alert(1)",
            authors=("<b>", "\x00"),
            tags=("]]>",),
            summary="&lt; <img src=x onerror=alert(1)>\x07",
            published_at=datetime(9999, 12, 31, tzinfo=UTC),
            updated_at=datetime(9999, 12, 31, tzinfo=UTC),
        ),
        replace(PAPER, external_id="untitled", title="", url="", published_at=datetime(1, 1, 1, tzinfo=UTC)),
    )
    body, _ = get(client, "/feeds/one.atom")
    assert b"<script" not in body
    assert b"<img" not in body
    assert b"javascript:" not in body
    untitled, hostile = feed(client, "/feeds/one.atom").entries
    assert hostile.title_detail.type == "text/plain"
    assert hostile.title == "<script>alert(1)</script>\ufffd[31m\ufffd"
    assert hostile.link == "/records/arxiv/%3Ca%20href%3D%22x%22%3E%2F..%2F%C3%BC"
    # No source dates itself into the future.
    assert hostile.updated.startswith("2026-03-01T12:00")
    assert (untitled.title, untitled.published) == ("untitled", "0001-01-01T00:00:00Z")


def test_a_feed_of_nothing_is_a_feed(client: Client) -> None:
    found = feed(client, "/feeds/one.atom")
    assert found.entries == []
    assert found.feed.updated == "1970-01-01T00:00:00Z"
    assert get(client, "/feeds/one.atom")[0] == get(client, "/feeds/one.atom")[0]


@pytest.mark.parametrize(
    ("path", "status"),
    [
        ("/feeds/nope.atom", 404), ("/feeds/one", 404), ("/feeds/.atom", 404), ("/feeds/%00.atom", 400),
        ("/feeds/one.atom?limit=201", 400), ("/feeds/one.atom?cursor=x", 400), ("/feeds/one.atom?q=", 400),
        ("/feed.atom?task=one", 400), ("/calendar.ics?task=nope", 404), ("/calendar.ics?days=3", 400),
    ],
)  # fmt: skip
def test_what_cannot_be_answered(client: Client, path: str, status: int) -> None:
    found, body, _ = client.ask("GET", path)
    assert found == status
    assert set(body) == {"error", "message", "hint"}


def test_the_calendar(client: Client, scheduler: Scheduler) -> None:
    scheduler.add_task(Task("often", "Often", "arxiv", schedule=(Schedule("interval_5m"),)))
    scheduler.add_task(Task("off", "Off", "arxiv", schedule=(Schedule("daily"),), enabled=False))
    body, headers = get(client, "/calendar.ics")
    assert headers["content-type"] == "text/calendar; charset=utf-8"
    calendar = Calendar.from_ical(body)
    events = calendar.walk("VEVENT")
    assert len({event["UID"] for event in events}) == len(events)
    by_title: dict[str, list[Any]] = {}
    for event in events:
        by_title.setdefault(event["SUMMARY"], []).append(event)
    daily = by_title[scheduler.config.tasks["one"].name]
    # Midnight in Berlin; the clock is set on 29 March, beyond what is told.
    now = scheduler.store.now()
    assert [event["DTSTART"].dt for event in daily] == [
        datetime(2026, 3, 1, 23, tzinfo=UTC) + timedelta(days=day) for day in range(14)
    ]
    assert "task one" in daily[0]["DESCRIPTION"]
    assert [event["DTSTART"].dt for event in by_title["Often"]] == [
        now.date() + timedelta(days=day) for day in range(15)
    ]
    assert by_title["Often"][0]["DESCRIPTION"].startswith("task often\nmore than 4 runs on this day\nevery 5")
    assert "Off" not in by_title
    [only] = {
        event["SUMMARY"]
        for event in Calendar.from_ical(get(client, "/calendar.ics?task=often")[0]).walk("VEVENT")
    }
    assert only == "Often"


def test_the_calendar_is_made_once_a_minute_and_after_each_change(
    client: Client, scheduler: Scheduler, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    made: list[bytes] = []
    document = ics.document
    monkeypatch.setattr(ics, "document", lambda *a, **k: made.append(b"") or document(*a, **k))

    def titles() -> set[str]:
        return {
            str(event["SUMMARY"])
            for event in Calendar.from_ical(get(client, "/calendar.ics")[0]).walk("VEVENT")
        }

    one = scheduler.config.tasks["one"].name
    assert [titles() for _ in range(3)] == [{one}] * 3
    assert len(made) == 1
    scheduler.add_task(Task("two", "Two", "arxiv", schedule=(Schedule("daily"),)))
    assert titles() == {one, "Two"}
    scheduler.enable("one", False)
    assert titles() == {"Two"}
    scheduler.pause()
    assert "STATUS:TENTATIVE" in get(client, "/calendar.ics")[0].decode()
    assert (titles(), len(made)) == ({"Two"}, 4)
    clock.forward(days=3)
    scheduler.board.forget()
    first = min(
        event["DTSTART"].dt for event in Calendar.from_ical(get(client, "/calendar.ics")[0]).walk("VEVENT")
    )
    assert first > clock.now
    assert len(made) == 5


def test_the_page_tells_the_truth(client: Client, scheduler: Scheduler) -> None:
    text = (REPOSITORY / "docs" / "feeds.md").read_text()
    asked = re.findall(r"^curl 'http://127.0.0.1:8000(.*)'$", text, re.MULTILINE)
    assert len(asked) == 2
    for path in asked:
        feed(client, path.replace("ml_papers_scan", "one"))
    assert f"{AHEAD.days} days" in text
    assert f"at most {MOST}" in text
    assert f"At most {ahead.MOST:,} entries" in text
    assert f"after {atom.LONGEST_SUMMARY:,} characters" in text
    assert f"authors after {atom.MOST_NAMES}" in text
    assert ahead.OFTEN == 4
    assert "more than four times" in text


def test_while_all_is_paused_nothing_is_sure(client: Client, scheduler: Scheduler) -> None:
    scheduler.pause()
    calendar = Calendar.from_ical(get(client, "/calendar.ics")[0])
    assert {event["STATUS"] for event in calendar.walk("VEVENT")} == {"TENTATIVE"}
    assert calendar["X-WR-CALDESC"].startswith("Everything is paused")


def test_readers_that_know_only_passwords(scheduler: Scheduler) -> None:
    server = Server(scheduler, "127.0.0.1", 0, ["a-token"])
    server.start()
    try:
        asking = Client(server.port)
        # any:a-token, any:wrong
        right, wrong = "Basic YW55OmEtdG9rZW4=", "Basic YW55Ondyb25n"
        for path in ("/feed.atom", "/feeds/one.atom", "/calendar.ics"):
            status, body, headers = asking.ask("GET", path)
            assert status == 401
            assert "a-token" not in json.dumps(body)
            assert headers["www-authenticate"].startswith("Basic ")
            assert asking.ask("GET", path, Authorization=wrong)[0] == 401
            assert asking.ask("GET", path, Authorization="Basic ???")[0] == 401
            assert asking.ask("GET", path, Authorization=right)[0] == 200
            assert asking.ask("GET", path, Authorization="Bearer a-token")[0] == 200
        # A browser sends a password along by itself: what changes anything takes none.
        assert asking.ask("GET", "/api/scheduler/status", Authorization=right)[0] == 401
        assert asking.ask("POST", "/api/scheduler/pause", Authorization=right)[0] == 401
    finally:
        server.stop()
