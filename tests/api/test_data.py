"""What has been collected, over HTTP, on real sockets and both databases."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest

from stoma.api.server import Server
from stoma.records import Record
from stoma.scheduler.config import load_config
from stoma.scheduler.manager import Scheduler
from stoma.stores.questions import RECORD_FIELDS, Selection
from stoma.stores.search import Found, Lag
from tests.api.test_server import Client
from tests.stores.test_questions import put
from tests.support.clock import Clock
from tests.support.stores import clock as clock
from tests.support.stores import url as url

PAPER = Record("arxiv", "2605.00001", "paper", title="On sets <b>", attributes={"doi": None})


@pytest.fixture
def scheduler(url: str, tmp_path: Path, clock: Clock) -> Iterator[Scheduler]:
    """One that is not started: what it would do beside the questions does not matter."""
    (tmp_path / "stoma.yaml").write_text(
        f'version: 1\ntimezone: Europe/Berlin\npresets: []\nstore: {{url: "{url}"}}\n'
        "tasks:\n  one: {collector: arxiv, config: {search_query: all}, schedule: daily}\n"
    )
    scheduler = Scheduler(load_config(tmp_path / "stoma.yaml"), clock=clock)
    yield scheduler
    scheduler.store.close()


@pytest.fixture
def client(scheduler: Scheduler) -> Iterator[Client]:
    server = Server(scheduler, "127.0.0.1", 0)
    server.start()
    yield Client(server.port)
    server.stop()


def get(client: Client, path: str) -> Any:
    status, body, headers = client.ask("GET", path)
    assert status == 200, body
    assert headers["content-type"] == "application/json; charset=utf-8"
    return body


def fill(scheduler: Scheduler, clock: Clock) -> None:
    for number in range(7):
        put(scheduler.store, replace(PAPER, external_id=str(number), kind="paper" if number % 2 else "entry"))
        clock.forward(hours=1)
    put(scheduler.store, replace(PAPER, external_id="6", kind="entry"), task="two")


def test_records_in_pages(client: Client, scheduler: Scheduler, clock: Clock) -> None:
    fill(scheduler, clock)
    found, path = [], "/api/records?limit=3"
    while path:
        body = get(client, path)
        assert len(body["records"]) <= 3
        found += [record["external_id"] for record in body["records"]]
        path = f"/api/records?limit=3&before={body['next']}" if body["next"] else ""
    assert found == ["6", "5", "4", "3", "2", "1", "0"]
    [record] = get(client, "/api/records?limit=1")["records"]
    assert tuple(record) == RECORD_FIELDS
    assert record["first_seen_at"] == "2026-03-01T18:00:00Z"


@pytest.mark.parametrize(
    ("query", "ids"),
    [
        ("kind=paper", "531"), ("source=arxiv&kind=entry", "6420"), ("source=none", ""), ("task=two", "6"),
        # By the clock of the configuration: 16:00 in Berlin is 15:00 in UTC.
        ("since=2026-03-01T16:00", "6543"), ("since=3h", "654"),
        ("since=2026-03-01T16:00Z&until=2026-03-01T17:00Z", "4"),
        ("until=2026-03-01", ""),
    ],
)  # fmt: skip
def test_records_are_chosen(client: Client, scheduler: Scheduler, clock: Clock, query: str, ids: str) -> None:
    fill(scheduler, clock)
    assert "".join(record["external_id"] for record in get(client, f"/api/records?{query}")["records"]) == ids


@pytest.mark.parametrize("path", ["/api/records", "/api/changes", "/api/search?query=sets"])
def test_a_name_that_nothing_has_gets_a_hint(
    client: Client, scheduler: Scheduler, clock: Clock, path: str
) -> None:
    fill(scheduler, clock)
    joined = "&" if "?" in path else "?"
    hint = get(client, f"{path}{joined}kind=papers&source=arxive")["hint"]
    assert hint == (
        'there is no record of a kind "papers"; did you mean "paper"?'
        ' there is no record of a source "arxive"; did you mean "arxiv"?'
    )
    assert "hint" not in get(client, f"{path}{joined}kind=paper&source=arxiv")


@pytest.mark.parametrize(
    "external_id",
    [
        "2605.00001",
        "https://example.org/a?b=1&c=d#e",
        "a/b//c",
        "/begins",
        "tag:example.org,2026:1",
        "ü 量%2F%",
        ".",
    ],
)
def test_a_story_by_any_id(client: Client, scheduler: Scheduler, external_id: str) -> None:
    put(scheduler.store, replace(PAPER, external_id=external_id, measures={"stars": 3}))
    body = get(client, f"/api/records/arxiv/{quote(external_id, safe='/')}")
    assert body["record"]["external_id"] == external_id
    assert body["versions"][0]["title"] == "On sets <b>"
    assert body["measures"][0]["observations"][0]["value"] == 3
    assert body["sightings"][0]["task"] == "one"
    assert body == scheduler.store.questions.story(external_id, "arxiv").as_dict()


def test_changes(client: Client, scheduler: Scheduler, clock: Clock) -> None:
    papers = [replace(PAPER, external_id=str(number)) for number in range(3)]
    put(scheduler.store, *papers)
    clock.forward(days=6)
    put(scheduler.store, *[replace(paper, title="x") for paper in papers])
    clock.forward(days=2)
    put(scheduler.store, replace(PAPER, external_id="new"), task="two")
    body = get(client, "/api/changes")
    now = scheduler.store.now()
    assert (
        body
        == scheduler.store.questions.changes(
            Selection(since=datetime(2026, 3, 2, 12, tzinfo=UTC)), now
        ).as_dict()
    )
    assert [record["external_id"] for record in body["new"]["records"]] == ["new"]
    assert [record["fields"] for record in body["changed"]["records"]] == [["title"]] * 3
    first = get(client, "/api/changes?limit=2")["changed"]
    second = get(client, f"/api/changes?limit=2&before={first['next']}")["changed"]
    assert [record["external_id"] for record in first["records"] + second["records"]] == ["2", "1", "0"]
    assert second["next"] is None
    put(scheduler.store, replace(PAPER, external_id="newer"), task="two")
    onward = get(client, "/api/changes?limit=1")["new"]["next"]
    body = get(client, f"/api/changes?limit=1&cursor={onward}")
    assert [record["external_id"] for record in body["new"]["records"]] == ["new"]
    assert set(body) == {"since", "now", "new"}
    assert get(client, "/api/changes?since=1h&kind=paper&source=arxiv&task=one")["new"]["records"] == []


def test_very_long_summaries_are_clipped_in_lists(client: Client, scheduler: Scheduler, clock: Clock) -> None:
    clock.forward(days=1)
    put(
        scheduler.store,
        replace(PAPER, summary="long " * 2_001),
        replace(PAPER, external_id="2", summary="x" * 10_000),
    )
    clock.forward(days=10)
    put(scheduler.store, replace(PAPER, title="Sets", summary="long " * 2_001, measures={"stars": 1}))
    scheduler.store.search.index.take_up()
    short, long = "x" * 10_000, ("long " * 2_001)[:9_999] + "…"
    told = [record["summary"] for record in get(client, "/api/records")["records"]]
    assert told == [short, long]
    for path in ("/api/search?q=sets", "/api/records?q=long"):
        assert long in [record["summary"] for record in get(client, path)["records"]]
    assert [one["summary"] for one in get(client, "/api/changes")["changed"]["records"]] == [long]
    assert len(get(client, "/api/records/arxiv/2605.00001")["record"]["summary"]) == 10_005


def test_search(client: Client, scheduler: Scheduler, clock: Clock, monkeypatch: pytest.MonkeyPatch) -> None:
    fill(scheduler, clock)
    rows = scheduler.store.questions.listed(Selection()).rows
    asked: list[Any] = []

    def find(query: str, selection: Selection, limit: int, *, order: str, before: int | None) -> Found:
        asked.append((query, selection, limit, order, before))
        return Found(rows[:limit], True, Lag(5, datetime(2026, 3, 1, tzinfo=UTC)))

    # What the words find is tested elsewhere.
    monkeypatch.setattr(scheduler.store.search, "find", find)
    body = get(client, "/api/search?query=a+%22b+c%22&limit=2&kind=paper&task=one")
    assert [tuple(record) for record in body["records"]] == [RECORD_FIELDS] * 2
    assert (body["next"], body["has_more"], body["lag"]) == (
        None,
        True,
        {"records": 5, "since": "2026-03-01T00:00:00Z"},
    )
    body = get(client, "/api/search?q=a&limit=2&order=newest&before=99")
    assert body["next"] == rows[1]["id"]
    assert asked == [
        ('a "b c"', Selection("paper", task="one"), 2, "best", None), ("a", Selection(), 2, "newest", 99),
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("path", "status"),
    [
        ("/api/records?limit=0", 400), ("/api/records?limit=1001", 400), ("/api/records?limit=x", 400),
        ("/api/records?before=0", 400), ("/api/records?before=" + "9" * 19, 400), ("/api/records?kinds=paper", 400),
        ("/api/records?since=soon", 400), ("/api/records?task=nope", 404), ("/api/records?kind=%00", 400),
        ("/api/records?task=two&before=1", 400), ("/api/records?source=a%ED%A0%80", 400),
        ("/api/records/arxiv/nope", 404), ("/api/records/nope/1", 404), ("/api/records/arxiv/a%00b", 404),
        ("/api/records/%00/1", 404), ("/api/records/arxiv/1?x=1", 400), ("/api/records/arxiv/" + "x" * 5000, 404),
        ("/api/records/arxiv/", 404), ("/api/records/arxiv", 404),
        ("/api/records?task=", 400), ("/api/records?kind=", 400), ("/api/records?since=", 400),
        ("/api/records?source=&limit=1", 400), ("/api/search?q=a&query=a", 400), ("/api/search?query=", 400),
        ("/api/records?kind=paper&kind=entry", 400), ("/api/records?limit=1&limit=2", 400),
        ("/api/scheduler/history?task=one&task=two", 400), ("/api/scheduler/history?stauts=failed", 400),
        ("/api/search", 400), ("/api/search?q=", 400), ("/api/changes?since=", 400),
        ("/api/search?q=a&order=worst", 400),
        ("/api/search?q=a&before=5", 400), ("/api/changes?since=99999d", 400), ("/api/changes?before=5", 400),
        ("/api/changes?until=1d", 400),
    ],
)  # fmt: skip
def test_what_cannot_be_answered_is_said_in_one_form(
    client: Client, scheduler: Scheduler, clock: Clock, path: str, status: int
) -> None:
    put(scheduler.store, PAPER, replace(PAPER, external_id="1"))
    put(scheduler.store, replace(PAPER, external_id="2"), task="two")
    found, body, _ = client.ask("GET", path)
    assert found == status, body
    assert set(body) == {"error", "message", "hint"}
    assert body["message"]


@pytest.mark.parametrize("path", ["/api/records", "/api/records/arxiv/1", "/api/search?q=a", "/api/changes"])
def test_guards_stand_before_data(scheduler: Scheduler, path: str) -> None:
    server = Server(scheduler, "127.0.0.1", 0, ["a-token"])
    server.start()
    client = Client(server.port)
    assert client.ask("GET", path)[0] == 401
    assert client.ask("GET", path, Host="evil.example", Authorization="Bearer a-token")[0] == 421
    assert client.ask("GET", path, Authorization="Bearer a-token")[0] in (200, 404)
    assert client.ask("POST", path, Authorization="Bearer a-token")[0] == 405
    server.stop()
