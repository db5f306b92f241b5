"""GitHub's search, from true captures and from an API that plays its rules: paging, the cap, limits and refusals."""

from __future__ import annotations

import json
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from stoma.collectors.answers import Response
from stoma.collectors.base import Estimate, Progress, Span
from stoma.collectors.github import GithubCollector
from stoma.collectors.github_search import read_answer, reason
from stoma.errors import BadAnswer, HostWait, SourceBusy, SourceError, SourceRefused, Unreachable, UsageError
from stoma.records import CollectorResult
from stoma.references import remember
from tests.support.budget import START
from tests.support.github import Github, edited, headed, repository, status
from tests.support.server import Reply
from tests.support.world import Serve, World

CAPTURES = {
    "search_2014_repos_python_p1": (2723, 30), "search_2014_repos_python_p2": (2723, 30),
    "search_2014_repos_assembly": (77, 30), "search_2014_repos_no_results": (0, 0),
    "search_2020_repos_sort": (None, 30), "search_2026_repos_3_of_3821": (3821, 3),
}  # fmt: skip
EPOCH = int(START.timestamp())


@pytest.fixture
def play():
    started = []

    def start(items: list[dict[str, Any]], faults: Any = None) -> Github:
        started.append(Github(items, faults))
        return started[-1]

    yield start
    for one in started:
        one.close()


def numbers(pages: list[CollectorResult]) -> list[int]:
    return [item["id"] for page in pages for item in page.items]


def config(server: Any, **more: Any) -> dict[str, Any]:
    return {"mode": "search", "query": "topic:x", "base_url": server.url, "limit": 100_000, **more}


def answer(body: bytes, code: int = 200, headers: dict[str, str] | None = None) -> Response:
    return Response("https://api.github.com/search/repositories?q=x", code, headers or {}, body, START)


def captured(recorded: Path, name: str) -> Response:
    folder = recorded / "github"
    told = json.loads((folder / f"{name}.json.headers.json").read_text())
    headers = {key.lower(): value for key, value in told["headers"].items() if isinstance(value, str)}
    return Response(told["url"], told["status"], headers, (folder / f"{name}.json").read_bytes(), START)


class TestReading:
    @pytest.mark.parametrize("name", CAPTURES)
    def test_every_capture(self, recorded: Path, name: str):
        body = (recorded / "github" / f"{name}.json").read_bytes()
        page, (total, count) = read_answer(answer(body)), CAPTURES[name]
        assert (page.total, len(page.items)) == (
            json.loads(body)["total_count"] if total is None else total,
            count,
        )
        assert not page.is_incomplete

    def test_an_incomplete_one_says_so(self, recorded: Path):
        assert read_answer(captured(recorded, "search_2026_code_incomplete_0")).is_incomplete

    def test_links_of_captures(self, recorded: Path):
        page = read_answer(captured(recorded, "search_2014_repos_python_p1"))
        assert page.next_url == (
            "https://api.github.com/search/repositories?sort=stars&q=github+language%3APython&order=desc&page=2"
        )

    @pytest.mark.parametrize(
        ("link", "found"),
        [
            ('<https://api.github.com/x?page=2>; rel="next"', "https://api.github.com/x?page=2"),
            ('<https://api.github.com/x?page=1>; rel="prev", <https://api.github.com/x?page=3>; rel="next"',
             "https://api.github.com/x?page=3"),
            ("<https://api.github.com/x?a=1,2&page=2>; rel=next, <y>; rel=last", "https://api.github.com/x?a=1,2&page=2"),
            ("</x?page=2>; rel=\"next\"", "https://api.github.com/x?page=2"),
            ('<https://api.github.com/x?page=1>; rel="prev"', None),
            ("", None),
        ],
    )  # fmt: skip
    def test_links(self, link: str, found: str | None):
        page = read_answer(answer(b'{"total_count":0,"items":[]}', headers={"link": link}))
        assert page.next_url == found

    def test_a_link_to_another_host_is_not_followed(self):
        link = {"link": '<https://evil.example/x>; rel="next"'}
        with pytest.raises(BadAnswer, match="goes on at another host"):
            read_answer(answer(b'{"total_count":0,"items":[]}', headers=link))

    @pytest.mark.parametrize(
        "body",
        [b"", b"<html>Unicorn</html>", b"[]", b"{}", b'{"items":[]}', b'{"items":{},"total_count":0}', b'{"items":[',
         b'{"items":[],"total_count":"many"}', bytes(range(256))],
    )  # fmt: skip
    def test_what_is_no_answer(self, body: bytes):
        with pytest.raises(BadAnswer, match=r"^https://api\.github\.com/search/repositories"):
            read_answer(answer(body))

    def test_reasons(self, recorded: Path):
        assert reason(captured(recorded, "error_404_not_found")) == "Not Found"
        assert reason(captured(recorded, "error_422_validation_failed")).startswith(
            "Validation Failed; key is invalid. It must begin with 'ssh-rsa'"
        )
        plain = b'{"message":"Validation Failed","errors":["q is missing",{"field":"q","code":"invalid"}]}'
        assert reason(answer(plain)) == "Validation Failed; q is missing; q invalid"


class TestLimits:
    def test_a_refusal_that_is_a_limit_waits_for_the_reset(self, world: World, play: Any):
        limited = status(403, "API rate limit exceeded for 1.2.3.4.", x_ratelimit_remaining="0",
                         x_ratelimit_reset=str(EPOCH + 2400))  # fmt: skip
        server = play([repository(1)], {1: limited})
        with pytest.raises(SourceBusy, match="403 Forbidden: API rate limit exceeded") as busy:
            world.collect(GithubCollector(), config(server))
        assert busy.value.until == START + timedelta(seconds=2401)
        assert "${env:GITHUB_TOKEN}" in busy.value.hint
        assert len(server.requests) == 1

    def test_a_429_waits_for_the_reset_and_not_for_the_usual_minute(self, world: World, play: Any):
        limited = status(429, "x", x_ratelimit_remaining="0", x_ratelimit_reset=str(EPOCH + 2400))
        with pytest.raises(SourceBusy) as busy:
            world.collect(GithubCollector(), config(play([], {1: limited})))
        assert busy.value.until == START + timedelta(seconds=2401)

    def test_a_secondary_limit_with_retry_after_is_waited_for(self, world: World, play: Any):
        limited = status(403, "You have exceeded a secondary rate limit.", Retry_After="8")
        server = play([repository(1)], {1: limited})
        assert numbers(world.collect(GithubCollector(), config(server))) == [1]
        assert 8 in world.clock.waits

    def test_a_long_retry_after_counts_before_the_reset(self, world: World, play: Any):
        limited = status(
            429, "x", Retry_After="90", x_ratelimit_remaining="0", x_ratelimit_reset=str(EPOCH + 2400)
        )
        with pytest.raises(SourceBusy) as busy:
            world.collect(GithubCollector(), config(play([], {1: limited})))
        assert busy.value.until == START + timedelta(seconds=90)

    def test_a_refusal_that_is_none_of_these_is_lasting(self, world: World, play: Any):
        server = play([], {1: status(403, "Resource not accessible by personal access token")})
        with pytest.raises(SourceRefused, match="403 Forbidden: Resource not accessible"):
            world.collect(GithubCollector(), config(server))

    def test_the_last_request_allowed_gives_the_place_back(self, world: World, play: Any):
        # Given an API that allows one request more, and two pages
        spent = headed(x_ratelimit_remaining="0", x_ratelimit_reset=str(EPOCH + 45))
        server = play([repository(n) for n in range(1, 151)], {1: spent})
        pages, collection = [], world.collection(config(server))
        with pytest.raises(HostWait) as wait:
            for page in GithubCollector().collect(collection):
                pages.append(page)
                collection.http.committed()
        # No request is sent in vain, what came is kept, and the rest comes later.
        assert wait.value.until == START + timedelta(seconds=46)
        assert wait.value.host == "127.0.0.1"
        assert len(server.requests) == 1
        world.budget.cooling.clear()
        rest = world.collect(
            GithubCollector(), config(server), progress=Progress(pages[-1].window, pages[-1].next_page)
        )
        assert numbers(pages + rest) == list(range(1, 151))

    def test_the_last_request_of_a_run_waits_for_nothing(self, world: World, play: Any):
        spent = headed(x_ratelimit_remaining="0", x_ratelimit_reset=str(EPOCH + 45))
        assert numbers(world.collect(GithubCollector(), config(play([repository(1)], {1: spent})))) == [1]


class TestAsking:
    def test_what_is_asked(self, world: World, play: Any):
        server = play([repository(1)])
        given = config(
            server, query=" topic:x\n stars:6..* ", sort="stars", order="asc", limit=7, pushed="7d"
        )
        (page,) = world.collect(GithubCollector(), given)
        (asked,) = server.requests
        assert asked.query == {
            "q": "topic:x stars:6..* pushed:>=2026-11-16", "per_page": "7", "sort": "stars", "order": "asc",
        }  # fmt: skip
        assert asked.headers["accept"] == "application/vnd.github+json"
        assert asked.headers["x-github-api-version"] == "2022-11-28"
        assert asked.headers["user-agent"] == "Stoma/test"
        assert "authorization" not in asked.headers
        assert page.window == {
            "begun": "2026-11-23T09:00:00Z",
            "created": "",
            "pushed": "pushed:>=2026-11-16",
        }

    def test_best_match_has_no_order(self, world: World, play: Any):
        server = play([])
        world.collect(GithubCollector(), config(server, order="asc"))
        assert set(server.requests[0].query) == {"q", "per_page"}

    def test_a_token_is_sent_with_each_page_and_shows_nowhere(self, world: World, play: Any):
        secret = "ghp_0123456789abcdefSECRET"
        remember(secret, "${env:GITHUB_TOKEN}")
        server = play([repository(n) for n in range(250)], {3: status(401, f"Bad credentials {secret}")})
        pages = []
        with pytest.raises(SourceRefused, match="401 Unauthorized: Bad credentials") as refused:
            for page in GithubCollector().collect(world.collection(config(server, token=secret))):
                pages.append(page)
        assert {asked.headers["authorization"] for asked in server.requests} == {f"Bearer {secret}"}
        assert secret not in repr((pages, world.told, refused.value.message, refused.value.hint))
        assert "the token is not accepted" in refused.value.hint
        assert GithubCollector().selection({"query": "x", "token": secret}) == {"query": "x"}

    def test_a_token_follows_no_redirect_to_another_place(self, world: World, play: Any):
        there = play([repository(1)])
        moved = Reply(301, headers={"Location": f"{there.url}/search/repositories?q=x"})
        here = play([], {1: lambda asked, reply: moved})
        world.collect(GithubCollector(), config(here, token="ghp_0123456789"))
        assert "authorization" in here.requests[0].headers
        assert "authorization" not in there.requests[0].headers

    def test_a_token_that_is_no_header_is_not_quoted(self, world: World, play: Any):
        with pytest.raises(SourceRefused, match="cannot be asked") as refused:
            world.collect(GithubCollector(), config(play([]), token="ghp_a\nb: c"))
        assert "ghp_a" not in refused.value.message

    def test_the_api_has_another_host_than_the_page(
        self, world: World, serve: Serve, monkeypatch: pytest.MonkeyPatch
    ):
        proxy = serve(Reply(200, b'{"total_count":0,"items":[]}'))
        monkeypatch.setenv("http_proxy", proxy.url)
        monkeypatch.setattr("stoma.collectors.github_walk.API", "http://api.github.com")
        world.collect(GithubCollector(), {"mode": "search", "query": "x"})
        assert ("enter", "api.github.com") in world.budget.events

    @pytest.mark.parametrize(
        ("given", "words"),
        [
            ({"query": " "}, "needs a query"),
            ({"created": "30d", "query": "created:>2026-01-01"}, "both the query and created"),
            ({"created": "2026-02-30.."}, "created: 2026-02-30.. names no days"),
        ],
    )
    def test_what_cannot_be_asked(self, world: World, play: Any, given: Any, words: str):
        with pytest.raises(UsageError, match=words):
            world.collect(GithubCollector(), config(play([]), **given))


class TestPaging:
    def test_links_are_followed_to_the_end(self, world: World, play: Any):
        server = play([repository(n) for n in range(250)])
        pages = world.collect(GithubCollector(), config(server))
        assert [len(page.items) for page in pages] == [100, 100, 50]
        assert numbers(pages) == list(range(250))
        assert [page.next_page and page.next_page["page"] for page in pages] == [1, 2, None]
        assert {page.expected for page in pages} == {250}
        assert {page.cursor for page in pages} == {None}

    @pytest.mark.parametrize("limit", [1, 99, 100, 101, 230])
    def test_the_limit(self, world: World, play: Any, limit: int):
        server = play([repository(n) for n in range(250)])
        pages = world.collect(GithubCollector(), config(server, limit=limit))
        assert numbers(pages) == list(range(limit))
        assert len(server.requests) == -(-limit // 100)
        assert pages[0].expected == limit

    def test_nothing_found_is_one_empty_page(self, world: World, play: Any):
        (page,) = world.collect(GithubCollector(), config(play([])))
        assert (page.items, page.next_page, page.expected) == ([], None, 0)

    def test_results_that_move_while_paging_come_once(self, world: World, play: Any):
        server = play([repository(n) for n in range(250)])
        pages = GithubCollector().collect(world.collection(config(server)))
        first = next(pages)
        server.items[:0] = [repository(1000), repository(1001)]
        found = numbers([first, *pages])
        assert found == list(range(250))

    def test_fewer_than_promised_is_said(self, world: World, play: Any):
        server = play([repository(n) for n in range(150)], {2: edited(items=[repository(100)])})
        assert numbers(world.collect(GithubCollector(), config(server))) == list(range(101))
        assert world.told == ["GitHub promises 150 results and shows 101 of them"]

    def test_links_that_somebody_took_out(self, world: World, play: Any):
        bare = {n: lambda asked, reply: Reply(200, reply.body) for n in range(1, 5)}
        server = play([repository(n) for n in range(250)], bare)
        assert numbers(world.collect(GithubCollector(), config(server))) == list(range(250))

    def test_from_every_page_nothing_is_lost_and_the_window_is_kept(self, world: World, play: Any):
        server = play([repository(n, stars=n // 7) for n in range(2600)])
        given = config(server, sort="stars", created="9000d")
        whole = world.collect(GithubCollector(), given)
        assert set(numbers(whole)) == set(range(2600))
        world.clock.start += timedelta(days=1)
        for number, page in list(enumerate(whole[:-1], 1))[::4]:
            progress = Progress(json.loads(json.dumps(page.window)), json.loads(json.dumps(page.next_page)))
            rest = world.collect(GithubCollector(), given, progress=progress)
            assert set(numbers(whole[:number]) + numbers(rest)) == set(range(2600))
            assert rest[-1].window == whole[0].window
        assert server.requests[-1].query["q"].endswith("created:2002-04-03T00:00:00Z..*")

    @pytest.mark.parametrize("token", [{}, {"page": 7}, "x", None, {"search": "other", "page": 2}])
    def test_a_token_that_fits_no_longer_begins_anew(self, world: World, play: Any, token: Any):
        server = play([repository(n) for n in range(150)])
        pages = world.collect(GithubCollector(), config(server), progress=Progress({}, token))
        assert numbers(pages) == list(range(150))

    def test_an_edited_search_begins_anew(self, world: World, play: Any):
        server = play([repository(n) for n in range(250)])
        first = next(GithubCollector().collect(world.collection(config(server))))
        progress = Progress(first.window, first.next_page | {"page": 3})
        pages = world.collect(GithubCollector(), config(server, query="topic:y"), progress=progress)
        assert numbers(pages) == list(range(250))


class TestTheCap:
    @pytest.mark.parametrize("order", ["asc", "desc"])
    def test_sorted_by_stars_it_goes_on_where_github_stops(self, world: World, play: Any, order: str):
        items = [repository(n, stars=n // 3) for n in range(2500)]
        server = play(items)
        found = numbers(
            world.collect(GithubCollector(), config(server, query="stars:>=0", sort="stars", order=order))
        )
        assert len(found) == len(set(found)) == 2500
        stars = [items[number]["stargazers_count"] for number in found]
        assert stars == sorted(stars, reverse=order == "desc")
        # No page was asked for in vain.
        assert len(server.requests) == 26

    def test_a_limit_above_the_cap_takes_those_with_the_most_stars(self, world: World, play: Any):
        server = play([repository(n, stars=n) for n in range(3000)])
        found = numbers(world.collect(GithubCollector(), config(server, sort="stars", limit=1500)))
        assert found == list(range(2999, 1499, -1))

    def test_a_thousand_with_the_same_number_are_halved_by_time(self, world: World, play: Any):
        start = datetime(2020, 1, 1, tzinfo=UTC)
        made = [
            repository(
                n, stars=5 if n < 2300 else n, created=f"{start + timedelta(hours=n):%Y-%m-%dT%H:%M:%SZ}"
            )
            for n in range(2400)
        ] + [repository(n, stars=1) for n in range(2400, 2450)]
        found = numbers(world.collect(GithubCollector(), config(play(made), sort="stars")))
        assert sorted(found) == list(range(2450))

    @pytest.mark.parametrize("sort", [None, "updated", "help-wanted-issues"])
    def test_in_any_other_order_it_is_halved_by_time(self, world: World, play: Any, sort: str | None):
        start = datetime(2020, 1, 1, tzinfo=UTC)
        made = [
            repository(n, created=f"{start + timedelta(seconds=15 * n * n):%Y-%m-%dT%H:%M:%SZ}")
            for n in range(3300)
        ]
        server = play(made)
        pages = world.collect(GithubCollector(), config(server, query="created:>=2010-01-01", sort=sort))
        assert sorted(numbers(pages)) == list(range(3300))
        assert len(numbers(pages)) == 3300
        assert all(int(asked.query.get("page", 1)) <= 10 for asked in server.requests)
        assert pages[-1].next_page is None

    def test_halving_is_kept_when_the_limit_is_used_up(self, world: World, play: Any):
        # Given an API that allows one request in each try, and a search that is halved before anything is taken
        start = datetime(2020, 1, 1, tzinfo=UTC)
        made = [
            repository(n, created=f"{start + timedelta(minutes=n):%Y-%m-%dT%H:%M:%SZ}") for n in range(1200)
        ]
        spent = headed(x_ratelimit_remaining="0", x_ratelimit_reset=str(EPOCH + 450))
        server = play(made, dict.fromkeys(range(1, 60), spent))
        progress, found, tries = None, set(), 0
        while tries < 60:
            tries += 1
            try:
                collection = world.collection(config(server), progress=progress)
                for page in GithubCollector().collect(collection):
                    collection.http.committed()
                    found |= set(numbers([page]))
                    progress = page.next_page and Progress(page.window, page.next_page)
                break
            except HostWait:
                assert len(server.requests) == tries
                world.budget.cooling.clear()
        assert found == set(range(1200))
        assert len(server.requests) == tries == 40  # 13 halvings, as many parts without anything, 14 pages

    def test_what_cannot_be_cut_up_is_taken_as_far_as_it_is_shown(self, world: World, play: Any):
        server = play([repository(n) for n in range(1400)])
        pages = world.collect(GithubCollector(), config(server, query="a OR created:2020-01-01..2020-01-02"))
        assert numbers(pages) == list(range(1000))
        assert world.told == ["GitHub shows 1000 of 1400 results, and this search cannot be cut up further"]

    def test_one_second_with_more_than_it_shows(self, world: World, play: Any):
        server = play([repository(n) for n in range(1400)])
        assert len(set(numbers(world.collect(GithubCollector(), config(server))))) == 1000
        assert "GitHub shows 1000 of 1400" in world.told[-1]

    def test_up_to_the_cap_the_query_is_asked_as_it_is_written(self, world: World, play: Any):
        server = play([])
        world.collect(GithubCollector(), config(server, query="stars:0..* x", sort="stars", limit=1000))
        assert server.requests[0].query["q"] == "stars:0..* x"

    def test_pages_that_end_early_are_no_end(self, world: World, play: Any):
        # Given a last page of which GitHub has hidden one
        def short(asked: Any, reply: Reply) -> Reply:
            body = json.loads(reply.body)
            return Reply(200, json.dumps(body | {"items": body["items"][:-1]}).encode(), reply.headers)

        server = play([repository(n, stars=n) for n in range(2000)], {10: short})
        found = numbers(world.collect(GithubCollector(), config(server, sort="stars")))
        assert sorted(found) == list(range(2000))

    @pytest.mark.parametrize(("count", "asked"), [(999, 10), (1000, 10), (1001, 14), (2000, 24)])
    def test_at_the_cap_itself(self, world: World, play: Any, count: int, asked: int):
        start = datetime(2020, 1, 1, tzinfo=UTC)
        made = [
            repository(n, created=f"{start + timedelta(minutes=n):%Y-%m-%dT%H:%M:%SZ}") for n in range(count)
        ]
        whole = "created:2020-01-01T00:00:00Z..2020-01-02T23:59:59Z"
        server = play(made)
        found = numbers(world.collect(GithubCollector(), config(server, query=whole)))
        assert sorted(found) == list(range(count))
        assert len(server.requests) == asked


class TestThePast:
    """Backfills: everything that was created in the days of a span, whatever order and limit say."""

    JANUARY = Span(date(2026, 1, 1), date(2026, 1, 31))

    def made(self, count: int, first: datetime = datetime(2025, 12, 30, tzinfo=UTC)) -> list[dict[str, Any]]:
        return [
            repository(n, stars=n, created=f"{first + timedelta(minutes=20 * n):%Y-%m-%dT%H:%M:%SZ}")
            for n in range(count)
        ]

    def test_all_of_it_in_slices_of_its_days(self, world: World, play: Any):
        server = play(self.made(3000))  # 72 a day, 2,232 in January, ten of the last day's after it
        given = config(server, sort="stars", order="asc", limit=3)
        pages = world.collect(GithubCollector(), given, span=self.JANUARY)
        expected = [one["id"] for one in server.items if one["created_at"].startswith("2026-01")]
        assert sorted(numbers(pages)) == expected
        assert len(expected) == 31 * 72
        assert server.requests[0].query == {
            "q": "topic:x created:2026-01-01T00:00:00Z..2026-01-31T23:59:59Z", "per_page": "100",
        }  # fmt: skip
        assert {page.cursor for page in pages} == {None}
        assert pages[-1].next_page is None

    def test_the_first_and_the_last_second_count(self, world: World, play: Any):
        moments = (
            "2025-12-31T23:59:59Z",
            "2026-01-01T00:00:00Z",
            "2026-01-31T23:59:59Z",
            "2026-02-01T00:00:00Z",
        )
        server = play([repository(n, created=moment) for n, moment in enumerate(moments)])
        assert numbers(world.collect(GithubCollector(), config(server), span=self.JANUARY)) == [1, 2]

    def test_it_goes_on_behind_its_last_page(self, world: World, play: Any):
        server = play(self.made(2400))
        whole = world.collect(GithubCollector(), config(server), span=self.JANUARY)
        for number, page in list(enumerate(whole[:-1], 1))[::5]:
            progress = Progress(json.loads(json.dumps(page.window)), json.loads(json.dumps(page.next_page)))
            rest = world.collect(GithubCollector(), config(server), span=self.JANUARY, progress=progress)
            assert set(numbers(whole[:number]) + numbers(rest)) == set(numbers(whole))

    def test_words_that_are_joined_are_cut_up_too(self, world: World, play: Any):
        server = play(self.made(2400))
        found = numbers(world.collect(GithubCollector(), config(server, query="a OR b"), span=self.JANUARY))
        assert len(set(found)) == 31 * 72

    @pytest.mark.parametrize(
        "given", [{"created": "30d"}, {"query": "x created:>2020-01-01"}, {"query": "-created:2020-01-01 x"}]
    )
    def test_a_task_that_bounds_creation_itself(self, world: World, play: Any, given: Any):
        server = play([])
        for work in (
            lambda: world.collect(GithubCollector(), config(server, **given), span=self.JANUARY),
            lambda: GithubCollector().estimate(world.collection(config(server, **given), span=self.JANUARY)),
        ):
            with pytest.raises(UsageError, match="bounds those itself"):
                work()
        assert not server.requests

    @pytest.mark.parametrize(("count", "requests"), [(0, 1), (100, 1), (101, 2), (2232, 27)])
    def test_what_it_would_cost(self, world: World, play: Any, count: int, requests: int):
        server = play(self.made(count, datetime(2026, 1, 1, tzinfo=UTC)))
        estimate = GithubCollector().estimate(world.collection(config(server), span=self.JANUARY))
        assert estimate == Estimate(requests, count, "127.0.0.1", is_told=True)
        assert len(server.requests) == 1
        server.requests.clear()
        world.collect(GithubCollector(), config(server), span=self.JANUARY)
        assert abs(len(server.requests) - requests) <= 3

    @pytest.mark.parametrize("given", [{}, {"mode": "trending"}])
    def test_what_was_trending_has_no_page(self, world: World, serve: Serve, given: Any):
        server = serve(Reply(500))
        collection = world.collection({"base_url": server.url, **given}, span=self.JANUARY)
        for work in (
            lambda: list(GithubCollector().collect(collection)),
            lambda: GithubCollector().estimate(collection),
        ):
            with pytest.raises(UsageError, match="there is none for days of the past"):
                work()
        assert not server.requests


def test_another_place_keeps_the_fingerprint_and_begins_anew(world: World, play: Any):
    selection = GithubCollector().selection
    assert selection({"query": "x", "base_url": "http://a"}) == selection({"query": "x"})
    there, here = (play([repository(n) for n in range(first, first + 250)]) for first in (0, 1000))
    first, second, *_ = GithubCollector().collect(world.collection(config(there)))
    progress = Progress(second.window, second.next_page)
    assert numbers(world.collect(GithubCollector(), config(here), progress=progress)) == list(
        range(1000, 1250)
    )
    assert numbers([first]) == list(range(100))


class TestMisbehaviour:
    @pytest.mark.parametrize(
        "fault",
        [
            Reply(reset=True), Reply(drop=True), Reply(hang=True), Reply(200, b"garbage"), Reply(500), Reply(502),
            Reply(200, b"<!DOCTYPE html><html>Unicorn</html>"), Reply(408), Reply(503, headers={"Retry-After": "2"}),
        ],
    )  # fmt: skip
    def test_a_passing_fault_costs_one_more_request(self, world: World, play: Any, fault: Reply):
        server = play([repository(n) for n in range(250)], {2: lambda asked, reply: fault})
        assert numbers(world.collect(GithubCollector(), config(server), silence=0.2)) == list(range(250))
        assert len(server.requests) == 4

    @pytest.mark.parametrize(
        ("fault", "error", "words", "asked"),
        [
            (lambda asked, reply: Reply(reset=True), Unreachable, "reset", 5),
            (lambda asked, reply: Reply(200, reply.body[:-9], cut=None), BadAnswer, "is not JSON", 5),
            (edited(items=[]), BadAnswer, "is an empty page, though 450 results are promised", 5),
            (status(500, "Server Error"), BadAnswer, "500 Internal Server Error: Server Error", 5),
            (status(401, "Bad credentials"), SourceRefused, "401 Unauthorized: Bad credentials", 3),
            (status(404, "Not Found"), SourceRefused, "404 Not Found", 3),
            (status(410, "Gone"), SourceRefused, "410 Gone", 3),
            (
                status(422, "Only the first 1000 search results are available"),
                SourceRefused,
                "422 .*Only the first",
                3,
            ),
            (headed(Link='<http://127.0.0.2/x>; rel="next"'), BadAnswer, "goes on at another host", 5),
        ],
    )
    def test_a_lasting_fault_keeps_what_was_committed(
        self, world: World, play: Any, fault: Any, error: type[SourceError], words: str, asked: int
    ):
        server = play([repository(n) for n in range(450)], dict.fromkeys((3, 4, 5), fault))
        pages = []
        with pytest.raises(error, match=words) as failed:
            for page in GithubCollector().collect(world.collection(config(server), silence=0.2)):
                pages.append(page)
        assert f"{server.url}/search/repositories?q=topic%3Ax&per_page=100&page=3" in failed.value.message
        assert len(server.requests) == asked
        assert numbers(pages) == list(range(200))

        # What came before stays, and the next try goes on there.
        server.faults.clear()
        progress = Progress(pages[-1].window, pages[-1].next_page)
        rest = world.collect(GithubCollector(), config(server), progress=progress)
        assert set(numbers(pages + rest)) == set(range(450))

    def test_a_page_that_comes_again_is_no_new_page(self, world: World, play: Any):
        held: list[bytes] = []

        def again(asked: Any, reply: Reply) -> Reply:
            held.append(reply.body)
            return Reply(200, server_first(), reply.headers)

        def server_first() -> bytes:
            items = [repository(n) for n in range(100)]
            return json.dumps({"total_count": 450, "incomplete_results": False, "items": items}).encode()

        server = play([repository(n) for n in range(450)], dict.fromkeys((2, 3, 4), again))
        with pytest.raises(BadAnswer, match="is the page before it once more"):
            world.collect(GithubCollector(), config(server))

    def test_links_without_end_do_end(self, world: World, play: Any):
        items = [repository(n) for n in range(100)]
        server = play(items, {})
        endless = {
            n: headed(Link=f'<{server.url}/search/repositories?q=topic:x&per_page=100&page=1>; rel="next"')
            for n in range(1, 60)
        }
        server.faults.update(endless)
        with pytest.raises(BadAnswer, match="is the page before it once more"):
            world.collect(GithubCollector(), config(server))
        assert len(server.requests) == 4

    def test_an_incomplete_answer_is_asked_for_again(self, world: World, play: Any):
        half = edited(incomplete_results=True, items=[repository(3)])
        server = play([repository(n) for n in range(5)], dict.fromkeys((1, 2), half))
        assert numbers(world.collect(GithubCollector(), config(server))) == list(range(5))

    def test_what_stays_incomplete_is_kept_and_is_no_success(self, world: World, play: Any):
        half = edited(incomplete_results=True, items=[repository(3)])
        server = play([repository(n) for n in range(5)], dict.fromkeys((1, 2, 3), half))
        pages = []
        with pytest.raises(BadAnswer, match="its answer is incomplete; what it gave is kept") as failed:
            for page in GithubCollector().collect(world.collection(config(server))):
                pages.append(page)
        assert "narrower query" in failed.value.hint
        assert failed.value.retry
        assert numbers(pages) == [3]
        rest = world.collect(
            GithubCollector(), config(server), progress=Progress(pages[0].window, pages[0].next_page)
        )
        assert set(numbers(pages + rest)) == set(range(5))

    def test_items_that_are_none_are_left_for_the_rejects(self, world: World, play: Any):
        odd = [None, "x", {"full_name": "a/b"}, {"full_name": "c/d"}, repository(1)]
        server = play([], {1: edited(total_count=5, items=odd)})
        (page,) = world.collect(GithubCollector(), config(server))
        assert page.items == odd
