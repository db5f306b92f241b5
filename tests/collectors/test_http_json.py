"""Declared sources over real sockets: every way of paging, its ends, what is new, resuming, and what goes wrong."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import pytest

from stoma.collectors import host_of
from stoma.collectors.base import Progress, Span, Validator
from stoma.collectors.http_json import HttpJsonCollector
from stoma.errors import BadAnswer, SourceBusy, SourceRefused, Unreachable, UsageError
from stoma.records import CollectorResult
from stoma.references import remember
from tests.support.api import BEGAN, Api, Fault, items, reply, status, text
from tests.support.server import Asked, Reply
from tests.support.world import Serve, World

Start = Callable[..., Api]
COLLECTOR = HttpJsonCollector()
WAYS: dict[str, Any] = {
    "page": {"page": {"size_param": "size", "size": 100}},
    "offset": {"offset": {"size_param": "size", "size": 100}},
    "cursor": {"cursor": {"param": "cursor", "path": "next"}},
    "next": {"next_url": "links.next"},
    "link": "link_header",
}
CURSOR = {"field": "updated_at", "param": "since"}


@pytest.fixture
def start() -> Iterator[Start]:
    servers: list[Api] = []

    def start(given: list[Any], faults: dict[int, Fault] | None = None, **also: Any) -> Api:
        servers.append(Api(given, faults, **also))
        return servers[-1]

    yield start
    for server in servers:
        server.close()


def config(api: Api, way: str, **also: Any) -> dict[str, Any]:
    return {"url": f"{api.url}/{way}", "items": "items", "paging": WAYS[way], **also}


def ids(pages: list[CollectorResult]) -> list[Any]:
    return [item["id"] for page in pages for item in page.items]


def resumed(page: CollectorResult) -> Progress:
    """What the store would hand to the run behind this page."""
    return Progress(json.loads(json.dumps(page.window)), json.loads(json.dumps(page.next_page)))


# -- one answer ----------------------------------------------------------------------------------------------


def test_one_answer_is_all_without_paging(world: World, start: Start) -> None:
    api = start(items(3))
    [page] = world.collect(COLLECTOR, {"url": f"{api.url}/list"})
    assert ids([page]) == [0, 1, 2]
    assert (page.source, page.next_page, page.cursor) == ("test", None, None)
    assert page.url == f"{api.url}/list"
    assert api.requests[0].method == "GET"
    assert api.requests[0].headers["accept"].startswith("application/json")


def test_an_unchanged_answer_counts_what_it_had(world: World, serve: Serve) -> None:
    class Known:
        def known(self, page: str) -> Validator | None:
            return Validator('"1"', "", 7)

        def note(self, page: str, etag: str, last_modified: str) -> None:
            pass

    def answer(asked: Asked) -> Reply:
        return Reply(304) if asked.headers.get("if-none-match") == '"1"' else reply([1])

    server = serve(answer)
    world.validators = Known()
    [page] = world.collect(COLLECTOR, {"url": server.url})
    assert (page.items, page.unmodified, page.next_page) == ([], 7, None)
    # One page among several says nothing about the others, and a bounded one nothing about what came before.
    paged = world.collect(COLLECTOR, {"url": server.url, "paging": "link_header"})
    assert [page.unmodified for page in paged] == [0]
    [page] = world.collect(COLLECTOR, {"url": server.url, "cursor": CURSOR})
    assert page.unmodified == 0


@pytest.mark.parametrize("size", [0, 1])
def test_an_item_alone(world: World, serve: Serve, size: int) -> None:
    server = serve(reply({"price": 5, "id": 1}))
    [page] = world.collect(COLLECTOR, {"url": server.url, "items": "@"})
    assert page.items == [{"price": 5, "id": 1}]


# -- every way of paging -------------------------------------------------------------------------------------


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("count", [0, 1, 99, 100, 101, 250, 300])
def test_every_item_comes_once(world: World, start: Start, way: str, count: int) -> None:
    api = start(items(count))
    pages = world.collect(COLLECTOR, config(api, way))
    assert ids(pages) == list(range(count))
    assert [page.next_page is None for page in pages] == [False] * (len(pages) - 1) + [True]
    assert len(api.requests) <= count // 100 + 2


@pytest.mark.parametrize("way", ["page", "offset"])
def test_a_page_that_is_shorter_than_the_one_before_is_the_last(world: World, start: Start, way: str) -> None:
    api = start(items(250))
    world.collect(COLLECTOR, config(api, way))
    assert len(api.requests) == 3


@pytest.mark.parametrize("way", ["page", "offset"])
def test_a_source_that_gives_fewer_than_asked_loses_nothing(world: World, start: Start, way: str) -> None:
    api = start(items(250), most=40)
    assert ids(world.collect(COLLECTOR, config(api, way))) == list(range(250))
    assert api.asked[0]["size"] == "100"


@pytest.mark.parametrize("code", [400, 404, 416, 422])
def test_a_short_first_page_is_all_where_the_next_is_refused(world: World, start: Start, code: int) -> None:
    api = start(items(30), {2: status(code, "no such page")})
    assert ids(world.collect(COLLECTOR, config(api, "page"))) == list(range(30))
    assert any("no such page; taken as the end" in told for told in world.told)
    # The same where the source gives fewer than it is asked for.
    api = start(items(80), {3: status(code)}, most=40)
    assert ids(world.collect(COLLECTOR, config(api, "page"))) == list(range(80))


def test_a_short_first_page_is_all_where_it_comes_once_more(world: World, start: Start) -> None:
    api = start(items(30), {2: lambda asked, _: reply({"items": items(30)})})
    assert ids(world.collect(COLLECTOR, config(api, "page"))) == list(range(30))
    assert len(api.requests) == 2


def test_a_refusal_in_the_middle_is_an_error_that_says_what_to_do(world: World, start: Start) -> None:
    api = start(items(300), {3: status(404, "Invalid page.")})
    pages, error = collected(world, config(api, "page"))
    assert len(ids(pages)) == 200
    assert isinstance(error, SourceRefused)
    assert "page=3" in error.message
    assert "answers 404 Not Found: Invalid page" in error.message
    assert "paging.size, total or more" in error.hint


@pytest.mark.parametrize("way", ["page", "offset"])
def test_the_total_ends_a_walk_without_another_request(world: World, start: Start, way: str) -> None:
    api = start(items(200))
    pages = world.collect(COLLECTOR, config(api, way, paging={**WAYS[way], "total": "total"}))
    assert ids(pages) == list(range(200))
    assert len(api.requests) == 2
    assert [page.expected for page in pages] == [200, 200]


def test_a_total_that_is_a_text_counts_and_a_wrong_path_is_told(world: World, start: Start) -> None:
    api = start(items(200), {1: lambda _, true: reply(json.loads(true.body) | {"total": "200"})})
    world.collect(COLLECTOR, config(api, "page", paging={**WAYS["page"], "total": "total"}))
    assert len(api.requests) == 2
    world.collect(COLLECTOR, config(api, "page", paging={**WAYS["page"], "total": "meta.count"}))
    assert "paging.total: meta.count leads to no number" in world.told


def test_a_token_behind_the_last_page_is_not_asked_for(world: World, serve: Serve) -> None:
    # GraphQL tells the end of the last page too, and it may be the one that was asked by.
    server = serve(
        lambda asked: reply(
            {"items": [{"id": asked.number}], "next": "t", "more": "cursor" not in asked.query}
        )
    )
    paging = {**WAYS["cursor"], "more": "more"}
    asked = {"url": server.url, "items": "items", "paging": paging}
    assert ids(world.collect(COLLECTOR, asked)) == [1, 2]


def test_more_ends_any_paging(world: World, start: Start) -> None:
    api = start(items(300), more=False)
    paging = {**WAYS["cursor"], "more": "more"}
    assert len(ids(world.collect(COLLECTOR, config(api, "cursor", paging=paging)))) == 100
    api = start(items(200), pages=2)
    paging = {**WAYS["page"], "more": "total > `100` && length(items) == `100` && items[-1].id < `199`"}
    assert len(ids(world.collect(COLLECTOR, config(api, "page", paging=paging)))) == 200
    assert len(api.requests) == 2


@pytest.mark.parametrize("way", ["page", "offset"])
def test_without_a_size_an_empty_page_is_the_end(world: World, start: Start, way: str) -> None:
    api = start(items(130), most=50)
    assert ids(world.collect(COLLECTOR, config(api, way, paging=way))) == list(range(130))
    assert "size" not in api.asked[0]


@pytest.mark.parametrize("way", ["page", "offset"])
def test_an_empty_page_in_the_middle_is_asked_for_again(world: World, start: Start, way: str) -> None:
    paging = {**WAYS[way], "total": "total"}
    empty: Fault = lambda asked, true: reply({"total": 300, "items": []})  # noqa: E731
    api = start(items(300), {2: empty})
    assert ids(world.collect(COLLECTOR, config(api, way, paging=paging))) == list(range(300))
    api = start(items(300), {2: empty, 3: empty, 4: empty})
    pages, error = collected(world, config(api, way, paging=paging))
    assert isinstance(error, BadAnswer)
    assert "is an empty page, though 300 items are promised" in error.message
    assert (len(ids(pages)), pages[-1].cursor) == (100, None)


@pytest.mark.parametrize("way", ["page", "offset"])
def test_a_total_that_counts_hidden_items_does_not_fail_a_walk(world: World, start: Start, way: str) -> None:
    def hidden(asked: Asked, true: Reply) -> Reply:
        shown = [] if asked.number > 1 else items(98)
        return reply({"total": 100, "items": shown})

    api = start(items(100), {1: hidden, 2: hidden})
    pages = world.collect(COLLECTOR, config(api, way, paging={**WAYS[way], "total": "total"}))
    assert len(ids(pages)) == 98


def test_a_total_that_shrinks_under_a_walk_ends_it(world: World, start: Start) -> None:
    api = start(items(300))
    api.faults = {3: lambda _, true: reply({"total": 200, "items": []})}
    assert (
        len(ids(world.collect(COLLECTOR, config(api, "offset", paging={**WAYS["offset"], "total": "total"}))))
        == 200
    )


@pytest.mark.parametrize("way", ["cursor", "next", "link"])
def test_an_empty_page_that_leads_on_is_not_the_end(world: World, start: Start, way: str) -> None:
    empty: Fault = lambda _, true: Reply(  # noqa: E731
        200, json.dumps(json.loads(true.body) | {"items": []}).encode(), true.headers
    )
    api = start(items(300), {2: empty})
    assert ids(world.collect(COLLECTOR, config(api, way))) == [*range(100), *range(200, 300)]


def test_what_a_source_promised_and_did_not_give_is_told(world: World, start: Start) -> None:
    # GitHub's searches tell of 2,723 and show the first 1,000.
    more: Fault = lambda _, true: Reply(  # noqa: E731
        200, json.dumps(json.loads(true.body) | {"total": 3821}).encode(), true.headers
    )
    api = start(items(200), {1: more, 2: more})
    world.collect(COLLECTOR, config(api, "link", paging={"link_header": True, "total": "total"}))
    assert any("is the last page: 200 of 3,821 items were given" in told for told in world.told)


@pytest.mark.parametrize("way", WAYS)
def test_a_page_that_comes_twice_is_an_error(world: World, start: Start, way: str) -> None:
    def same(asked: Asked, true: Reply) -> Reply:
        return Reply(200, json.dumps(json.loads(true.body) | {"items": items(100)}).encode(), true.headers)

    # Once is an accident.
    api = start(items(300), {2: same})
    assert ids(world.collect(COLLECTOR, config(api, way))) == list(range(300))
    api = start(items(300), {2: same, 3: same, 4: same})
    pages, error = collected(world, config(api, way))
    assert isinstance(error, BadAnswer)
    assert "is the page before it once more (asked 3 times)" in error.message
    assert len(ids(pages)) == 100


@pytest.mark.parametrize(
    ("told", "words"),
    [({"next": "again"}, "leads back to a page that was read before"), ({"next": "200"}, "leads back")],
)
def test_a_token_that_leads_back_is_an_error(
    world: World, serve: Serve, told: dict[str, str], words: str
) -> None:
    numbers = iter(range(10_000))
    server = serve(lambda asked: reply({"items": [{"id": next(numbers)}], **told}))
    pages, error = collected(world, {"url": server.url, "paging": WAYS["cursor"], "items": "items"})
    assert isinstance(error, BadAnswer)
    assert words in error.message
    assert len(pages) == 1


def test_an_empty_page_whose_token_leads_to_itself_is_the_end(world: World, serve: Serve) -> None:
    def answer(asked: Asked) -> Reply:
        at = asked.query.get("cursor")
        return reply({"items": [] if at == "end" else [{"id": 1}], "next": "end"})

    server = serve(answer)
    pages = world.collect(COLLECTOR, {"url": server.url, "paging": WAYS["cursor"], "items": "items"})
    assert (ids(pages), len(server.requests)) == ([1], 2)


@pytest.mark.parametrize("token", [None, "", False, 0, "0", "absent"])
def test_what_says_that_there_is_no_next_page(world: World, serve: Serve, token: Any) -> None:
    server = serve(reply({"items": [1]} | ({} if token == "absent" else {"next": token})))
    assert len(world.collect(COLLECTOR, {"url": server.url, "paging": WAYS["cursor"], "items": "items"})) == 1


@pytest.mark.parametrize("way", ["cursor", "next"])
def test_what_cannot_be_a_next_page(world: World, serve: Serve, way: str) -> None:
    server = serve(reply({"items": [1], "next": {"href": "/x"}, "links": {"next": ["/x"]}}))
    _, error = collected(world, {"url": server.url, "paging": WAYS[way], "items": "items"})
    assert isinstance(error, BadAnswer)
    assert "paging." in error.message
    assert "leads to a " in error.message


# -- endless paging ------------------------------------------------------------------------------------------


def endless(serve: Serve) -> str:
    numbers = iter(range(100_000))
    return serve(lambda asked: reply({"items": [{"id": next(numbers)}], "next": f"t{next(numbers)}"})).url


def test_paging_without_an_end_is_an_error_that_keeps_what_came(
    world: World, serve: Serve, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("stoma.collectors.http_json.MOST_PAGES", 12)
    asked = {"url": endless(serve), "paging": WAYS["cursor"], "items": "items"}
    pages, error = collected(world, asked)
    assert isinstance(error, SourceRefused)
    assert "was page 12 of this run, and there are more; what came is kept" in error.message
    assert "paging.max_pages" in error.hint
    assert len(pages) == 12
    # The next run goes on where this one stood.
    more, _ = collected(world, asked, progress=resumed(pages[-1]))
    assert more[0].items[0]["id"] > pages[-1].items[0]["id"]


def test_the_limit_is_a_thousand_pages(world: World) -> None:
    from stoma.collectors import http_json_paging

    assert http_json_paging.MOST_PAGES == 1_000


def test_a_limit_that_somebody_wrote_ends_a_run(world: World, start: Start) -> None:
    api = start(items(1_000))
    pages = world.collect(COLLECTOR, config(api, "link", paging={"link_header": True, "max_pages": 3}))
    assert len(ids(pages)) == 300
    assert pages[-1].next_page is None
    assert "ends behind 3 pages, as max_pages says; there is more" in world.told


def test_a_limit_beside_a_cursor_is_an_error_and_the_cursor_stays(world: World, start: Start) -> None:
    api = start(items(1_000))
    asked = config(api, "link", paging={"link_header": True, "max_pages": 3}, cursor=CURSOR)
    pages, error = collected(world, asked)
    assert isinstance(error, SourceRefused)
    assert [page.cursor for page in pages] == [None] * 3
    rest, error = collected(world, asked, progress=resumed(pages[-1]))
    assert ids(rest) == list(range(300, 600))


# -- what is new ---------------------------------------------------------------------------------------------


def test_the_cursor_is_the_largest_value_and_comes_with_the_last_page(world: World, start: Start) -> None:
    api = start(items(250)[::-1])
    pages = world.collect(COLLECTOR, config(api, "page", cursor=CURSOR))
    assert "since" not in api.asked[0]
    assert [page.cursor for page in pages] == [None, None, {"newest": text(BEGAN + timedelta(hours=249))}]


@pytest.mark.parametrize(
    ("form", "look_back", "sent"),
    [
        ("iso", "0s", "2026-01-11T09:00:00Z"),
        ("iso", "1d", "2026-01-10T09:00:00Z"),
        ("date", "0s", "2026-01-11"),
        ("date", "10h", "2026-01-10"),
        ("epoch", "1h", "1768118400"),
        ("epoch_ms", "0s", "1768122000000"),
        ("%Y/%m/%d %H", "0s", "2026/01/11 09"),
    ],
)
def test_the_next_run_asks_from_there(
    world: World, serve: Serve, form: str, look_back: str, sent: str
) -> None:
    server = serve(reply([]))
    cursor = {**CURSOR, "format": form, "look_back": look_back}
    [page] = world.collect(
        COLLECTOR,
        {"url": server.url, "cursor": cursor, "params": {"since": "2020-01-01", "a": "b"}},
        cursor={"newest": "2026-01-11T09:00:00Z"},
    )
    assert server.requests[0].query == {"a": "b", "since": sent}
    # Nothing new leaves the cursor where it is.
    assert page.cursor is None


def test_a_run_that_finds_only_what_it_knows_leaves_the_cursor(world: World, start: Start) -> None:
    api = start(items(250))
    at = text(BEGAN + timedelta(hours=249))
    pages = world.collect(COLLECTOR, config(api, "page", cursor=CURSOR), cursor={"newest": at})
    assert (ids(pages), pages[-1].cursor) == ([249], None)


def test_items_without_the_field_or_with_nonsense_do_not_spoil_the_cursor(world: World, serve: Serve) -> None:
    changed = ["2026-02-01T00:00:00Z", None, "soon", "9999-12-31T00:00:00Z", 5, {"at": 1}, "2026-02-03"]
    server = serve(reply([{"id": n, "updated_at": at} for n, at in enumerate(changed)] + ["x", {"id": 9}]))
    [page] = world.collect(COLLECTOR, {"url": server.url, "cursor": CURSOR})
    assert page.cursor == {"newest": "2026-02-03T00:00:00Z"}
    assert len(page.items) == 9


def test_what_changed_while_it_was_read_comes_again(world: World, serve: Serve) -> None:
    soon = world.clock.now() + timedelta(hours=2)
    server = serve(reply([{"id": 1, "updated_at": text(soon)}]))
    [page] = world.collect(COLLECTOR, {"url": server.url, "cursor": CURSOR})
    assert page.cursor == {"newest": text(world.clock.now())}


def test_a_resumed_run_keeps_its_window(world: World, start: Start) -> None:
    api = start(items(300))
    asked = config(api, "link", cursor=CURSOR)
    began = world.clock.now()
    first = first_page(world, asked, cursor={"newest": text(BEGAN)})
    assert first.window == {
        "begun": text(began),
        "since": text(BEGAN),
        "newest": text(BEGAN + timedelta(hours=99)),
    }
    # Meanwhile another run may have moved the cursor, and time has passed.
    world.clock.passed += 60
    pages = world.collect(
        COLLECTOR, asked, progress=resumed(first), cursor={"newest": text(BEGAN + timedelta(hours=250))}
    )
    assert ids(pages) == list(range(100, 300))
    assert all(one["since"] == text(BEGAN) for one in api.asked)
    assert pages[0].window["begun"] == text(began)
    assert pages[-1].cursor == {"newest": text(BEGAN + timedelta(hours=299))}


def test_the_newest_of_all_attempts_counts(world: World, start: Start) -> None:
    api = start(items(300)[::-1])
    asked = config(api, "cursor", cursor=CURSOR)
    first = first_page(world, asked)
    pages = world.collect(COLLECTOR, asked, progress=resumed(first))
    assert pages[-1].cursor == {"newest": text(BEGAN + timedelta(hours=299))}


# -- resuming ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("behind", [0, 1])
def test_a_resumed_run_goes_on_and_loses_nothing(world: World, start: Start, way: str, behind: int) -> None:
    api = start(items(350))
    walk = COLLECTOR.collect(world.collection(config(api, way)))
    pages = [next(walk) for _ in range(behind + 1)]
    before = len(api.requests)
    rest = world.collect(COLLECTOR, config(api, way), progress=resumed(pages[-1]))
    # Numbers step back one page, for items may have moved; tokens know where they stand.
    steps_back = 1 if way in ("page", "offset") else 0
    assert ids(rest) == list(range(100 * (behind + 1 - steps_back), 350))
    assert len(api.requests) - before == 4 - behind - 1 + steps_back


@pytest.mark.parametrize("way", ["cursor", "next", "link"])
@pytest.mark.parametrize("code", [400, 403, 404, 410, 422])
def test_an_expired_token_begins_the_window_anew(world: World, start: Start, way: str, code: int) -> None:
    api = start(items(300), {2: status(code, "Cursor expired")})
    asked = config(api, way, cursor=CURSOR)
    first = first_page(world, asked, cursor={"newest": text(BEGAN)})
    pages = world.collect(COLLECTOR, asked, progress=resumed(first))
    assert ids(pages) == list(range(300))
    assert all(one["since"] == text(BEGAN) for one in api.asked)
    assert pages[-1].cursor == {"newest": text(BEGAN + timedelta(hours=299))}
    [told] = [told for told in world.told if "its window begins anew" in told]
    assert "Cursor expired" in told


def test_a_token_that_is_refused_later_is_an_error(world: World, start: Start) -> None:
    api = start(items(300), {2: status(400, "no")})
    pages, error = collected(world, config(api, "cursor"))
    assert type(error) is SourceRefused
    assert len(pages) == 1
    # Refused at the beginning of a window that began anew it is no more than a refusal.
    api = start(items(300), {2: status(410), 3: status(410)})
    first = first_page(world, config(api, "cursor"))
    pages, error = collected(world, config(api, "cursor"), progress=resumed(first))
    assert type(error) is SourceRefused
    assert (pages, len(api.requests)) == ([], 3)


@pytest.mark.parametrize("token", [None, {}, {"page": 3}, {"cursor": None}, "x", 7])
def test_a_token_of_another_paging_begins_anew(world: World, start: Start, token: Any) -> None:
    api = start(items(150))
    progress = Progress({"begun": text(BEGAN)}, token)
    assert ids(world.collect(COLLECTOR, config(api, "cursor"), progress=progress)) == list(range(150))


# -- days of the past ----------------------------------------------------------------------------------------

BOUNDED = {**CURSOR, "until_param": "until"}
JANUARY = Span(date(2026, 1, 1), date(2026, 1, 31))


@pytest.mark.parametrize("way", WAYS)
def test_a_span_brings_exactly_its_days(world: World, start: Start, way: str) -> None:
    api = start(items(120, hours=11))
    span = Span(date(2026, 1, 11), date(2026, 1, 20))
    limits = {"paging": {**WAYS[way], "max_pages": 1} if isinstance(WAYS[way], dict) else WAYS[way]}
    asked = config(api, way, cursor={**BOUNDED, "look_back": "5d"}, **limits)
    pages = world.collect(COLLECTOR, asked, span=span, cursor={"newest": text(BEGAN)})
    days = [item["updated_at"][:10] for page in pages for item in page.items]
    assert (min(days), max(days), len(days)) == ("2026-01-11", "2026-01-20", 22)
    assert [page.cursor for page in pages] == [None] * len(pages)
    assert (api.asked[0]["since"], api.asked[0]["until"]) == ("2026-01-11T00:00:00Z", "2026-01-21T00:00:00Z")


def test_days_without_a_zone_are_asked_for_with_a_day_more_on_either_side(world: World, serve: Serve) -> None:
    found = [
        "2025-12-31T23:59:59Z",
        "2026-01-01T00:00:00Z",
        "2026-01-31T23:59:59Z",
        "2026-02-01T00:00:00Z",
        None,
    ]
    server = serve(reply([{"id": n, "updated_at": at} for n, at in enumerate(found)]))
    asked = {"url": server.url, "cursor": {**BOUNDED, "format": "date"}}
    [page] = world.collect(COLLECTOR, asked, span=JANUARY)
    assert server.requests[0].query == {"since": "2025-12-31", "until": "2026-02-02"}
    # What says nothing of its day is kept: the source took it for one of these.
    assert ids([page]) == [1, 2, 4]


@pytest.mark.parametrize("cursor", [None, CURSOR])
def test_days_that_nothing_bounds_cannot_be_collected(world: World, start: Start, cursor: Any) -> None:
    api = start(items(5))
    asked = config(api, "page") | ({"cursor": cursor} if cursor else {})
    for ask in (COLLECTOR.estimate, lambda collection: list(COLLECTOR.collect(collection))):
        with pytest.raises(UsageError, match="cannot collect days of the past") as error:
            ask(world.collection(asked, span=JANUARY))
        assert "until_param: until" in error.value.hint
    assert api.requests == []


def test_what_days_of_the_past_would_cost(world: World, start: Start) -> None:
    api = start(items(620))
    asked = config(api, "page", cursor=BOUNDED)
    unknown = COLLECTOR.estimate(world.collection(asked, span=JANUARY))
    assert (unknown.requests, unknown.records, unknown.host, unknown.is_told) == (1, None, "127.0.0.1", False)
    assert api.requests == []
    asked["paging"] = {**WAYS["page"], "total": "total"}
    told = COLLECTOR.estimate(world.collection(asked, span=Span(date(2026, 1, 2), date(2026, 1, 20))))
    assert (told.requests, told.records, told.is_told) == (5, 457, True)
    assert api.asked[0]["since"] == "2026-01-02T00:00:00Z"


# -- POST ----------------------------------------------------------------------------------------------------


def test_a_body_is_posted_and_paging_goes_into_it(world: World, start: Start) -> None:
    api = start(items(250))
    body = {"query": "query($cursor: String) {…}", "variables": {"size": 100}}
    asked = {
        "url": f"{api.url}/cursor",
        "body": body,
        "items": "items",
        "paging": {"cursor": {"param": "variables.cursor", "path": "next"}},
        "cursor": {"field": "updated_at", "param": "variables.since"},
    }
    pages = world.collect(COLLECTOR, asked, cursor={"newest": text(BEGAN)})
    assert ids(pages) == list(range(250))
    sent = [json.loads(one.body) for one in api.requests]
    assert {one.method for one in api.requests} == {"POST"}
    assert {one.headers["content-type"] for one in api.requests} == {"application/json"}
    assert [one["variables"].get("cursor") for one in sent] == [None, "100", "200"]
    assert all(one["variables"]["since"] == text(BEGAN) and one["query"] == body["query"] for one in sent)
    assert api.asked == [{}, {}, {}]


def test_errors_in_an_answer_of_200_are_told(world: World, serve: Serve) -> None:
    server = serve(reply({"data": None, "errors": [{"message": "Field 'x' does not exist"}]}))
    _, error = collected(world, {"url": server.url, "body": {"query": "{x}"}, "items": "data.x"})
    assert isinstance(error, BadAnswer)
    assert (
        "items: data.x leads to nothing, expected a list; it says: Field 'x' does not exist" in error.message
    )


# -- credentials ---------------------------------------------------------------------------------------------

SECRET = "s3cr3t-t0k3n/+="


@pytest.fixture
def secret() -> str:
    remember(SECRET, "${env:TOKEN}")
    return SECRET


@pytest.mark.parametrize(
    ("auth", "header", "value"),
    [
        ({"bearer": SECRET}, "authorization", f"Bearer {SECRET}"),
        ({"basic": {"user": "me", "password": SECRET}}, "authorization", "Basic bWU6czNjcjN0LXQwazNuLys9"),
        ({"header": {"name": "X-Api-Key", "value": SECRET}}, "x-api-key", SECRET),
    ],
)
def test_credentials_go_with_every_page(
    world: World, start: Start, secret: str, auth: Any, header: str, value: str
) -> None:
    api = start(items(250))
    pages = world.collect(COLLECTOR, config(api, "link", auth=auth))
    assert [one.headers[header] for one in api.requests] == [value] * 3
    assert secret not in str(pages)


def test_a_credential_in_the_query_is_neither_kept_nor_told(world: World, start: Start, secret: str) -> None:
    api = start(items(300), {3: status(403, f"key {SECRET} is blocked")})
    auth = {"query": {"name": "api_key", "value": secret}}
    for way in ("link", "next", "page"):
        api.requests.clear()
        pages, error = collected(world, config(api, way, auth=auth, params={"token": secret, "a": 1}))
        assert {(one["api_key"], one["token"], one["a"]) for one in api.asked} == {(secret, secret, "1")}
        assert len(pages) == 2
        told = f"{pages} {error} {world.told}"
        for form in (secret, "s3cr3t-t0k3n%2F%2B%3D", "api_key=s3"):
            assert form not in told
        # What is kept leads on with the credential all the same.
        rest = world.collect(COLLECTOR, config(api, way, auth=auth), progress=resumed(pages[-1]))
        assert (ids(rest)[0], ids(rest)[-1]) == (100 if way == "page" else 200, 299)
        assert api.asked[-1]["api_key"] == secret


def test_a_secret_inside_a_link_is_not_kept(world: World, serve: Serve, secret: str) -> None:
    path = "/u/s3cr3t-t0k3n/+=/x"
    server = serve(
        lambda asked: reply({"items": [asked.path], "links": {"next": None if asked.path == path else path}})
    )
    pages = world.collect(COLLECTOR, {"url": server.url, "paging": WAYS["next"], "items": "items"})
    assert [page.items for page in pages] == [["/"], [path]]
    assert pages[0].next_page == {}


def test_a_link_to_another_place_is_not_followed(world: World, serve: Serve, secret: str) -> None:
    elsewhere = serve(reply({"items": [2]}))
    for target in (
        f"{elsewhere.url}/p2",
        f"//127.0.0.1:{elsewhere.port}/p2",
        "https://example.org/x",
        "http://[::1",
    ):
        here = serve(reply({"items": [1], "links": {"next": target}}))
        asked = {"url": here.url, "paging": WAYS["next"], "items": "items", "auth": {"bearer": secret}}
        pages, error = collected(world, asked)
        assert isinstance(error, SourceRefused)
        assert "goes on at" in error.message
        assert (pages, len(here.requests)) == ([], 1)
    assert elsewhere.requests == []


def test_links_are_read_from_the_page_they_stand_on(world: World, serve: Serve) -> None:
    def answer(asked: Asked) -> Reply:
        if asked.path == "/old":
            return Reply(301, b"", {"Location": "/v2/items?page=1"})
        return reply({"items": [asked.path], "links": {"next": None if asked.path == "/v2/b" else "b#top"}})

    server = serve(answer)
    pages = world.collect(COLLECTOR, {"url": f"{server.url}/old", "paging": WAYS["next"], "items": "items"})
    assert [page.items for page in pages] == [["/v2/items"], ["/v2/b"]]


def test_another_origin_has_the_same_paths_and_takes_the_links(world: World, serve: Serve) -> None:
    def answer(asked: Asked) -> Reply:
        further = {"Link": '<https://api.example.org/v1/items?page=2>; rel="next"'}
        page = asked.query.get("page", "1")
        return reply([page], headers=further if page == "1" else {})

    server = serve(answer)
    asked = {
        "url": "https://api.example.org/v1/items?q=a,b",
        "base_url": f"{server.url}/mirror/",
        "paging": "link_header",
    }
    pages = world.collect(COLLECTOR, asked)
    assert [page.items for page in pages] == [["1"], ["2"]]
    assert [one.path for one in server.requests] == ["/mirror/v1/items"] * 2


def test_true_pages_of_github(world: World, serve: Serve, recorded: Path) -> None:
    def answer(asked: Asked) -> Reply:
        name = f"search_2014_repos_python_p{asked.query.get('page', '1')}.json"
        headers = json.loads((recorded / "github" / f"{name}.headers.json").read_text())["headers"]
        return Reply(200, (recorded / "github" / name).read_bytes(), {"Link": headers["link"]})

    asked = {
        "url": "https://api.github.com/search/repositories?sort=stars&q=github+language%3APython&order=desc",
        "base_url": serve(answer).url,
        "paging": {"link_header": True, "total": "total_count", "max_pages": 2},
    }
    pages = world.collect(COLLECTOR, asked)
    assert [(len(page.items), page.expected) for page in pages] == [(30, 2723), (30, 2723)]
    assert len(set(ids(pages))) == 60
    assert pages[1].url.endswith("page=2")


def test_the_host_of_a_task_is_that_of_its_address() -> None:
    assert host_of("http_json", {"url": "https://Api.Example.org:8443/v1?x=1"}) == "api.example.org"
    assert host_of("http_json", {"url": "https://a.org", "base_url": "http://127.0.0.1:1"}) == "127.0.0.1"
    assert (
        host_of("http_json", {"url": "${env:URL}/x"})
        == host_of("http_json", {"url": "https://${env:H}/x"})
        == ""
    )


# -- what begins anew ----------------------------------------------------------------------------------------


def test_what_is_made_of_an_item_and_where_a_walk_ends_select_nothing() -> None:
    asked = {"url": "https://a.org", "paging": WAYS["page"], "cursor": CURSOR, "key": "id"}
    other = asked | {
        "fields": {"title": "t"},
        "measures": {"n": "n"},
        "paging": {**WAYS["page"], "max_pages": 5},
        "cursor": {**CURSOR, "look_back": "1d"},
    }
    assert COLLECTOR.selection(asked) == COLLECTOR.selection(other)
    for change in ({"key": "uuid"}, {"params": {"a": 1}}, {"cursor": {**CURSOR, "param": "from"}}):
        assert COLLECTOR.selection(asked) != COLLECTOR.selection(asked | change)


def test_whose_records_they_are(world: World, start: Start) -> None:
    api = start(items(1))
    [page] = world.collect(COLLECTOR, {"url": f"{api.url}/list", "source": "mine"})
    assert page.source == "mine"
    with pytest.raises(UsageError, match="github is the source of another collector"):
        world.collect(COLLECTOR, {"url": f"{api.url}/list", "source": "github"})


# -- every fault ---------------------------------------------------------------------------------------------

FAULTS: dict[str, tuple[Fault, type[Exception], str]] = {
    "reset": (lambda *_: Reply(reset=True), Unreachable, "the connection was reset"),
    "drop": (lambda *_: Reply(drop=True), Unreachable, "closed without an answer"),
    "truncated": (lambda _, true: Reply(200, true.body, true.headers, cut=500), BadAnswer, "cut off"),
    "garbage": (lambda *_: Reply(200, b"\x00\xffgarbage"), BadAnswer, "is not JSON"),
    "html": (lambda *_: Reply(200, b"<html><title>Sign in</title><p>Please sign in"), BadAnswer, "Please sign in"),
    "nan": (lambda *_: Reply(200, b'{"items": [NaN]}'), BadAnswer, "NaN is no JSON"),
    "nothing": (lambda *_: Reply(200, b""), BadAnswer, "answers with nothing"),
    "other list": (lambda *_: reply({"rows": [1]}), BadAnswer, "there are lists at rows"),
    "400": (status(400, "bad q"), SourceRefused, "400 Bad Request: bad q"),
    "401": (status(401, "no token"), SourceRefused, "401 Unauthorized: no token"),
    "403": (status(403, "not yours"), SourceRefused, "403 Forbidden: not yours"),
    "404": (status(404, "no"), SourceRefused, "404 Not Found"),
    "410": (status(410, "gone"), SourceRefused, "410 Gone"),
    "422": (status(422, "cannot"), SourceRefused, "cannot"),
    "429": (status(429, "slow down", Retry_After="900"), SourceBusy, "slow down"),
    "500": (status(500, "oops"), BadAnswer, "500 Internal Server Error: oops"),
    "503": (status(503, "later"), SourceBusy, "later"),
    "redirects": (lambda asked, _: Reply(302, b"", {"Location": "/cursor"}), SourceRefused, "redirects more than"),
}  # fmt: skip


@pytest.mark.parametrize("fault", FAULTS)
def test_a_fault_keeps_what_came_and_tells_what_and_where(world: World, start: Start, fault: str) -> None:
    spoil, kind, words = FAULTS[fault]
    api = start(items(300), dict.fromkeys(range(2, 20), spoil))
    pages, error = collected(world, config(api, "cursor", cursor=CURSOR))
    assert isinstance(error, kind)
    assert words in str(error)
    assert f"{api.url}/cursor" in str(error)
    assert (len(ids(pages)), pages[-1].cursor) == (100, None)
    # A fault that passes loses nothing.
    if kind in (Unreachable, BadAnswer):
        api = start(items(300), {2: spoil})
        assert ids(world.collect(COLLECTOR, config(api, "cursor"))) == list(range(300))


def test_several_lists_are_named_and_nobody_asks_again(world: World, serve: Serve) -> None:
    server = serve(reply({"rows": [1], "data": {"tags": [], "odd-name": [2]}}))
    with pytest.raises(UsageError) as error:
        world.collect(COLLECTOR, {"url": server.url})
    assert 'several lists: rows (1), data.tags (0) and data."odd-name" (1)' in error.value.message
    assert error.value.hint.startswith("say which one holds the items: items: rows;")
    assert len(server.requests) == 1


def test_the_list_that_was_found_first_is_the_one_of_every_page(world: World, serve: Serve) -> None:
    def answer(asked: Asked) -> Reply:
        if asked.query.get("page") == "1":
            return reply({"rows": [{"id": 1}]})
        return reply({"notes": ["maintenance"]})

    _, error = collected(world, {"url": serve(answer).url, "paging": "page"})
    assert isinstance(error, BadAnswer)
    assert "items: rows leads to nothing" in error.message


def test_the_list_that_is_taken_is_told_once(world: World, serve: Serve) -> None:
    def answer(asked: Asked) -> Reply:
        number = int(asked.query["page"])
        return reply({"title": "T", "rows": [{"id": number}] if number < 4 else [], "scale": [5]})

    asked = {"url": serve(answer).url, "paging": "page"}
    assert len(world.collect(COLLECTOR, asked)) == 4
    assert [told for told in world.told if "takes the list rows" in told] == [
        f"{asked['url']}/?page=1: takes the list rows, for no items are given"
    ]
    world.told.clear()
    world.collect(COLLECTOR, asked | {"items": "rows"})
    assert not [told for told in world.told if "takes the list" in told]


@pytest.mark.parametrize(
    "change", [{"items": "a["}, {"cursor": {**CURSOR, "field": "$.x"}}, {"paging": {"next_url": "a b"}}]
)
def test_a_faulty_path_is_told_before_anything_is_asked(world: World, start: Start, change: Any) -> None:
    api = start(items(1))
    with pytest.raises(UsageError, match="is not a path"):
        world.collect(COLLECTOR, {"url": f"{api.url}/list", **change})
    assert api.requests == []


def collected(world: World, asked: Any, **given: Any) -> tuple[list[CollectorResult], Any]:
    """The pages that came, and the error behind them."""
    pages: list[CollectorResult] = []
    try:
        for page in COLLECTOR.collect(world.collection(asked, **given)):
            pages.append(page)
    except Exception as error:
        return pages, error
    return pages, None


def first_page(world: World, asked: Any, **given: Any) -> CollectorResult:
    walk = COLLECTOR.collect(world.collection(asked, **given))
    return next(walk)
