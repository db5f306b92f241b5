"""Declarations that are mistyped, over real sockets: what would lose data in silence is an error, or is told."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from stoma.collectors.answers import Response
from stoma.collectors.base import Progress, Span
from stoma.collectors.http_json import HttpJsonCollector
from stoma.collectors.http_json_answers import columns_of, items_of, read_json
from stoma.collectors.http_json_cursor import Cursor, check_cursor
from stoma.errors import BadAnswer, SourceRefused, UsageError
from stoma.paths import missing, path_of
from stoma.records import CollectorResult
from tests.support.api import reply, status
from tests.support.server import Asked, Reply
from tests.support.world import Serve, World

COLLECTOR = HttpJsonCollector()
NOW = datetime(2026, 11, 23, tzinfo=UTC)
ALL = [{"id": number, "title": f"T{number}"} for number in range(25)]


def paged(asked: Asked) -> Reply:
    """25 items, ten on a page, with everything that sources say of the next page."""
    at = int(asked.query.get("after", -1)) + 1
    shown, has_more = ALL[at : at + 10], at + 10 < len(ALL)
    body: dict[str, Any] = {"value": shown, "has_more": has_more, "count": 25}
    if has_more:
        body["@odata.nextLink"] = f"/?after={shown[-1]['id']}"
    return reply(body)


def read(answer: bytes, kind: str = "application/json", **given: Any) -> Any:
    return read_json(Response("https://a.org/x", 200, {"content-type": kind}, answer, NOW), **given)


# -- paging that never begins --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("paging", "kind", "words"),
    [
        ({"next_url": '"@odata.nextlink"'}, UsageError, "there is no @odata.nextlink, but @odata.nextLink"),
        ({"cursor": {"param": "after", "path": "data[-1].id"}, "more": "has_more"}, BadAnswer, "there is no data"),
        ({"cursor": {"param": "after", "path": "value[-1].ID"}}, UsageError, "there is no ID, but id"),
        ({"cursor": {"param": "after", "path": "last(value)"}, "more": "has_more"}, UsageError, "is not a path"),
        (
            {"cursor": {"param": "after", "path": "value[?id==`99`] | [0].id"}, "more": "has_more"},
            BadAnswer,
            "says that there is more (paging.more), and nothing leads on",
        ),
        ({"link_header": True, "total": "count"}, BadAnswer, "has 10 of 25 items, and no Link header came with it"),
        ({"next_url": "links.next", "total": "count"}, BadAnswer, "of 25 items, and paging.next_url: links.next"),
    ],
)  # fmt: skip
def test_paging_that_never_begins_is_an_error(
    world: World, serve: Serve, paging: Any, kind: type[Exception], words: str
) -> None:
    with pytest.raises(kind) as error:
        world.collect(COLLECTOR, {"url": serve(paged).url, "items": "value", "paging": paging})
    assert words in str(error.value)


@pytest.mark.parametrize("paging", ["link_header", {"next_url": "links.next"}])
def test_a_full_only_page_that_lacks_what_leads_on_is_told_with_the_run(
    world: World, serve: Serve, paging: Any
) -> None:
    url = serve(paged).url
    [page] = world.collect(COLLECTOR, {"url": url, "items": "value", "paging": paging})
    assert "is the only page, for" in page.remark
    assert "exactly 10 items, so there may be more" in page.remark
    # Asked for 50 it is not full, and one of 7 is not either.
    [page] = world.collect(
        COLLECTOR, {"url": url, "items": "value", "paging": paging, "params": {"per_page": 50}}
    )
    assert page.remark == ""
    [page] = world.collect(COLLECTOR, {"url": serve(reply(ALL[:7])).url, "paging": paging})
    assert page.remark == ""


@pytest.mark.parametrize("token", [{"next": None}, {"next": ""}, {"has_more": False}])
def test_a_source_that_says_there_is_no_more_is_not_doubted(world: World, serve: Serve, token: Any) -> None:
    paging = {"cursor": {"param": "after", "path": "next"}, "more": "has_more"}
    [page] = world.collect(
        COLLECTOR, {"url": serve(reply({"items": ALL[:10], **token})).url, "paging": paging}
    )
    assert (page.remark, [told for told in world.told if "only page" in told]) == ("", [])


def test_the_last_of_several_pages_may_lack_what_leads_on(world: World, serve: Serve) -> None:
    paging = {"next_url": '"@odata.nextLink"', "more": "has_more", "total": "count"}
    pages = world.collect(COLLECTOR, {"url": serve(paged).url, "items": "value", "paging": paging})
    assert ([len(page.items) for page in pages], pages[-1].remark) == ([10, 10, 5], "")


def test_a_list_is_a_token_that_a_body_takes_back(world: World, serve: Serve) -> None:
    def answer(asked: Asked) -> Reply:
        body = json.loads(asked.body)
        first = (body["search_after"][1] + 1) if "search_after" in body else 0
        hits = [{"_id": str(n), "sort": ["2026-01-01", n]} for n in range(first, min(first + 10, 25))]
        return reply({"took": 3, "hits": {"total": {"value": 25}, "hits": hits}})

    server = serve(answer)
    asked = {
        "url": server.url,
        "body": {"size": 10, "sort": ["at", "_id"]},
        "items": "hits.hits",
        "paging": {"cursor": {"param": "search_after", "path": "hits.hits[-1].sort"}},
    }
    pages = world.collect(COLLECTOR, asked)
    assert [len(page.items) for page in pages] == [10, 10, 5, 0]
    kept = Progress(pages[0].window, json.loads(json.dumps(pages[0].next_page)))
    assert sum(len(page.items) for page in world.collect(COLLECTOR, asked, progress=kept)) == 15


# -- what tells what is new ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("field", "words"),
    [
        ("updated", 'cursor.field: updated leads to nothing in any of 25 items; did you mean "updated_at"?'),
        ("title", "cursor.field: title is no date in any of 25 items: T"),
        ("id", "cursor.field: id is no date in any of 25 items: 109372843234567"),
    ],
)
def test_a_cursor_that_would_stand_still_is_an_error(
    world: World, serve: Serve, field: str, words: str
) -> None:
    given = [
        {"id": f"1093728432345678{n:02}", "title": f"T{n}", "updated_at": "2026-11-01"} for n in range(25)
    ]
    cursor = {"field": field, "param": "since"}
    with pytest.raises(UsageError) as error:
        world.collect(COLLECTOR, {"url": serve(reply(given)).url, "cursor": cursor})
    assert words in error.value.message
    assert ("format: int" in error.value.message) is (field == "id")


def test_a_field_that_is_null_or_missing_in_a_few_items_is_not_mistyped(world: World, serve: Serve) -> None:
    cursor = {"field": "updated_at", "param": "since"}
    for given in ([{"id": n, "updated_at": None} for n in range(9)], [{"id": 1}, {"id": 2}], []):
        [page] = world.collect(COLLECTOR, {"url": serve(reply(given)).url, "cursor": cursor})
        assert (len(page.items), page.cursor) == (len(given), None)


@pytest.mark.parametrize(
    ("form", "marks", "newest", "next_mark"),
    [
        ("int", ["99", "109372843234567890", 100], "109372843234567890", "109372843234567891"),
        ("value", ["01ARZ3", "01BX5Z", "01B"], "01BX5Z", "01BX60"),
    ],
)
def test_a_cursor_by_what_only_grows(
    world: World, serve: Serve, form: str, marks: list[Any], newest: str, next_mark: str
) -> None:
    answers = iter([marks, [next_mark], []])
    server = serve(lambda asked: reply([{"id": mark} for mark in next(answers)]))
    asked = {"url": server.url, "cursor": {"field": "id", "param": "since_id", "format": form}}
    [page] = world.collect(COLLECTOR, asked)
    assert page.cursor == {"newest": newest}
    [page] = world.collect(COLLECTOR, asked, cursor=page.cursor)
    assert (server.requests[-1].query, page.cursor) == ({"since_id": newest}, {"newest": next_mark})
    # A cursor of another form, which `keep_cursor` may bring along, is none.
    world.collect(
        COLLECTOR, asked | {"cursor": {**asked["cursor"], "format": "int"}}, cursor={"newest": "2026-01-01"}
    )
    assert server.requests[-1].query == {}


@pytest.mark.parametrize(
    ("form", "value", "is_date"),
    [
        ("iso", 1763900000, True),
        ("iso", 1763900000123, True),
        ("iso", 12345, False),
        ("iso", "12345", False),
        ("iso", 109372843234567890, False),
        ("iso", "1764000000000000000", False),
        ("epoch", 1763900000, True),
        ("epoch", 5, False),
        ("iso", "20261101", True),
        ("%Y%m%d", "20261101", True),
        ("iso", "1970-01-01", True),
    ],
)
def test_which_numbers_are_times_of_a_change(form: str, value: Any, is_date: bool) -> None:
    cursor = Cursor.of({"field": "at", "param": "since", "format": form})
    assert cursor is not None
    assert (cursor.mark({"at": value}) is not None) is is_date


def test_ids_have_no_days(world: World, serve: Serve) -> None:
    for also in ({"until_param": "max_id"}, {"look_back": "1d"}):
        with pytest.raises(ValueError, match="format: int is no date"):
            check_cursor({"field": "id", "param": "since_id", "format": "int", **also})
    cursor = {"field": "id", "param": "since_id", "format": "int", "until_param": "max_id"}
    asked = {"url": serve(reply([])).url, "cursor": cursor}
    with pytest.raises(UsageError, match="cannot collect days of the past"):
        world.collect(COLLECTOR, asked, span=Span(NOW.date(), NOW.date()))


def test_a_pattern_that_nobody_can_write_is_refused() -> None:
    with pytest.raises(ValueError, match='"%Q" is no code of strftime'):
        check_cursor({"field": "a", "param": "b", "format": "%Q"})
    with pytest.raises(ValueError, match="for seconds since 1970 write epoch"):
        check_cursor({"format": "%s"})
    check_cursor({"format": "%Y-%m-%dT%H:%M:%S.%f%z %%"})


def test_nothing_new_is_a_good_answer_only_where_new_was_asked_for(world: World) -> None:
    cursor = {"field": "a", "param": "b"}
    known = {"newest": "2026-01-01T00:00:00Z"}
    for config, position, is_fine in (
        ({"cursor": cursor}, known, True),
        ({"cursor": cursor}, None, False),
        ({}, known, False),
    ):
        collection = world.collection({"url": "https://a.org", **config}, cursor=position)
        assert COLLECTOR.may_bring_nothing(collection) is is_fine


# -- where the items lie -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("answer", "kind", "found"),
    [
        (b'{"id": 1, "tags": ["a", "b"]}\n', "text/plain", [{"id": 1, "tags": ["a", "b"]}]),
        (b'{"id": 1}\n{"id": 2}\n', "application/json", [{"id": 1}, {"id": 2}]),
        (b"", "text/plain", []),
        (b"[1, 2]\n", "", [[1, 2]]),
    ],
)
def test_lines_are_items_where_somebody_says_so(answer: bytes, kind: str, found: Any) -> None:
    assert read(answer, kind, is_lines=True) == found


def test_a_web_page_has_no_lines() -> None:
    with pytest.raises(BadAnswer, match="a page for people instead of JSON; it says: Down"):
        read(b"<html><p>Down", is_lines=True)


@pytest.mark.parametrize(
    "value",
    [
        {"coord": {"lon": 7}, "weather": [{"id": 800}], "main": {"temp": 5}, "dt": 1, "name": "Bonn"},
        {"id": 1, "title": "x", "tags": ["a", "b"]},
        {"id": 5, "items": [1]},
        {"name": "x", "owner": {"teams": [1]}},
    ],
)
def test_a_list_beside_an_items_own_values_is_not_guessed(value: Any) -> None:
    with pytest.raises(UsageError) as error:
        items_of(value, None, "x")
    assert "it may be a list of items, or a part of one item" in error.value.message
    assert 'items: "@"' in error.value.hint


@pytest.mark.parametrize(
    ("value", "path"),
    [
        ({"status": "ok", "totalResults": 5, "articles": [1]}, "articles"),
        ({"meta": {"count": 1}, "links": {}, "users": [1]}, "users"),
        ({"version": "x", "title": "A feed", "home_page_url": "x", "items": [1]}, "items"),
        ({"took": 1, "timed_out": False, "_shards": {}, "hits": {"max_score": 1, "hits": [1]}}, "hits.hits"),
        ({"@odata.context": "x", "value": [1]}, "value"),
        ({"has_more": True, "quota_max": 1, "quota_remaining": 1, "questions": [1]}, "questions"),
    ],
)
def test_a_list_in_the_usual_envelope_is_guessed(value: Any, path: str) -> None:
    items, used = items_of(value, None, "x")
    assert used is not None
    assert (items, used.text) == ([1], path)


def test_of_several_lists_the_longest_of_mappings_is_proposed() -> None:
    value = {"bbox": [1, 2, 3, 4], "tags": ["x"] * 9, "few": [{"a": 1}], "features": [{"a": 1}, {"a": 2}]}
    with pytest.raises(UsageError) as error:
        items_of(value, None, "x")
    assert "items: features" in error.value.hint


def test_columns_are_read_as_items() -> None:
    path = columns_of(path_of("hourly"))
    value = {"hourly": {"time": ["t0", "t1"], "temp": [5, None], "unit": "C"}}
    assert items_of(value, path, "x")[0] == [{"time": "t0", "temp": 5}, {"time": "t1", "temp": None}]
    with pytest.raises(BadAnswer, match=r"not equally long: time \(2\) and temp \(1\)"):
        items_of({"hourly": {"time": [1, 2], "temp": [1]}}, path, "x")
    for other in ({"hourly": 5}, {}):
        with pytest.raises(BadAnswer, match="leads to"):
            items_of(other, path, "x")


def test_what_a_path_misses() -> None:
    for text, value, found in (
        ("a.b", {"a": {"c": 1}}, ("b", ["c"])),
        ("a.b", {"a": {"b": None}}, None),
        ("a.b", {"a": None}, None),
        ("a[0].b", {"a": []}, None),
        ("a[-1].b", {"a": [{"b": 1}, {"c": 1}]}, ("b", ["c"])),
        ("length(a)", {}, None),
    ):
        assert missing(path_of(text), value) == found


# -- patience and credentials --------------------------------------------------------------------------------


def test_an_answer_that_wants_patience_gets_it(world: World, serve: Serve) -> None:
    def answer(asked: Asked) -> Reply:
        number = int(asked.query["page"])
        return reply({"items": [number], "has_more": number < 2, "backoff": 10})

    before = world.clock.now()
    asked = {"url": serve(answer).url, "paging": {"page": {}, "more": "has_more"}, "wait": "backoff"}
    pages = world.collect(COLLECTOR, asked)
    assert [page.items for page in pages] == [[1], [2]]
    assert world.clock.now() - before >= timedelta(seconds=10)
    # The last answer binds whoever asks next.
    assert world.budget.cooling["127.0.0.1"] > world.clock.now()


def test_a_credential_that_is_written_out_is_neither_told_nor_kept(world: World, serve: Serve) -> None:
    plain = "pl41n-wr1tt3n-k3y"
    server = serve(
        lambda asked: (
            reply({"items": [1], "links": {"next": f"/2?api_key={plain}"}})
            if asked.path == "/"
            else status(403, f"{plain} is blocked")(asked, Reply())
        )
    )
    for config in (
        {"url": f"{server.url}/?api_key={plain}"},
        {"url": server.url, "params": {"api_key": plain}},
    ):
        pages: list[CollectorResult] = []
        with pytest.raises(SourceRefused) as error:
            pages.extend(
                COLLECTOR.collect(world.collection({**config, "paging": {"next_url": "links.next"}}))
            )
        assert plain not in f"{error.value} {error.value.hint} {pages} {world.told}"
        assert server.requests[-1].query == {"api_key": plain}
