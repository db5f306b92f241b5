"""Runs against hosts that may rarely be asked: each comes to an end, and asks no more often than it may."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from stoma.collectors.base import Deadline
from stoma.errors import HostWait
from stoma.hosts import HostRule
from stoma.scheduler.base import NewRun, Retry, Run, Task, TaskStatus, hand_trigger
from stoma.scheduler.pipeline import Control, Surroundings, execute
from stoma.scheduler.replay import replay
from stoma.stores import Store
from tests.support.api import Api, items, reply, status
from tests.support.arxiv import Library, papers
from tests.support.budget import START
from tests.support.clock import Clock
from tests.support.edgar import Edgar, accession, entry
from tests.support.github import Github, headed, repository
from tests.support.scripted import install
from tests.support.server import Asked, Reply, Server

GAP = 60
SLOW = HostRule(timedelta(seconds=GAP), 2)
SPENT = {"X-RateLimit-Remaining": "0", "X-RateLimit-Reset": "200"}
PAGING = {
    "page": {"page": {"size_param": "size", "size": 10}},
    "offset": {"offset": {"size_param": "size", "size": 10}},
    "cursor": {"cursor": {"param": "cursor", "path": "next"}},
    "next": {"next_url": "links.next"},
}
Go = Callable[..., list[Run]]


class Passing(threading.Event):
    """The wish to stop; whoever waits for it lets the time of the store pass instead."""

    def __init__(self, clock: Clock) -> None:
        super().__init__()
        self._clock = clock

    def wait(self, timeout: float | None = None) -> bool:
        self._clock.forward(seconds=timeout or 0)
        return self.is_set()


@pytest.fixture
def started() -> Iterator[ExitStack]:
    with ExitStack() as stack:
        yield stack


@pytest.fixture
def go(store: Store, tmp_path: Path, clock: Clock) -> Go:
    """One run in as many attempts as it takes, each behind the moment for which the one before asked."""
    clock.now = START

    def go(
        collector: str,
        config: Mapping[str, Any],
        *,
        most: int = 60,
        rule: HostRule | None = SLOW,
        timeout: float = 600,
        **given: Any,
    ) -> list[Run]:
        hosts = {"127.0.0.1": rule} if rule else {}
        around = Surroundings(
            store,
            tmp_path,
            timedelta(minutes=30),
            "me",
            hosts,
            contact="Jane Doe jane@example.org",
            raw=timedelta(days=9),
        )
        task = Task("t", "T", collector, config=dict(config), **given)
        store.runs.add(NewRun(task.id, hand_trigger(), task.priority, "0"), store.now())
        runs: list[Run] = []
        while not runs or not runs[-1].status.is_final:
            assert len(runs) < most, runs[-1]
            claimed = store.runs.claim("me", store.now(), store.now() + timedelta(minutes=30))
            assert claimed is not None
            deadline = Deadline(timeout, lambda: clock.now.timestamp())
            ended = execute(claimed, task, around, Control(Passing(clock), deadline))
            assert ended is not None
            runs.append(ended)
            clock.now = max(clock.now, ended.not_before or clock.now) + timedelta(milliseconds=10)
        return runs

    return go


def told(headers: Mapping[str, str]) -> Callable[[Asked, Reply], Reply]:
    return headed(**{name.replace("-", "_"): value for name, value in headers.items()})


def declared(api: Api, way: str, **also: Any) -> dict[str, Any]:
    return {"url": f"{api.url}/{way}", "items": "items", "paging": PAGING[way], **also}


# -- collections of several pages ----------------------------------------------------------------------------


@pytest.mark.parametrize("way", PAGING)
@pytest.mark.parametrize("is_told", [False, True], ids=["gap", "told by headers"])
def test_declared_pages_come_one_by_one(
    started: ExitStack, store: Store, go: Go, way: str, is_told: bool
) -> None:
    faults = dict.fromkeys(range(1, 40), told(SPENT)) if is_told else {}
    api = started.enter_context(Api(items(45), faults, most=10))
    runs = go("http_json", declared(api, way), rule=None if is_told else SLOW)
    assert (runs[-1].status, runs[-1].attempt, runs[-1].seen) == (TaskStatus.COMPLETED, 1, 45)
    # None of them twice.
    assert len(api.requests) == 5
    assert store.records.count() == 45


def test_a_limit_of_pages_counts_over_all_tries(started: ExitStack, go: Go) -> None:
    api = started.enter_context(Api(items(90), most=10))
    for way in PAGING:
        api.requests.clear()
        runs = go("http_json", declared(api, way, paging={**PAGING[way], "max_pages": 3}))
        assert (runs[-1].status, len(api.requests)) == (TaskStatus.COMPLETED, 3)


def test_a_page_that_only_tells_that_there_is_no_other_is_one_behind_a_wait_too(
    started: ExitStack, go: Go
) -> None:
    # A source that gives fewer than asked, and refuses the page behind its last one.
    api = started.enter_context(Api(items(9), {2: status(404)}, most=9))
    runs = go("http_json", declared(api, "page"))
    assert (runs[-1].status, runs[-1].seen, len(api.requests)) == (TaskStatus.COMPLETED, 9, 2)
    # And one that gives it once more.
    api = started.enter_context(Api(items(9), most=9))
    api.faults = {2: lambda asked, true: reply({"items": items(9)})}
    assert go("http_json", declared(api, "page"))[-1].seen == 9


def test_where_several_requests_are_granted_numbers_step_back(started: ExitStack, go: Go) -> None:
    # Two requests each time: one of them for the page that was there.
    faults = {n: told(SPENT) for n in range(2, 40, 2)}
    api = started.enter_context(Api(items(45), faults, most=10))
    runs = go("http_json", declared(api, "page"), rule=None)
    assert (runs[-1].status, [one["page"] for one in api.asked]) == (
        TaskStatus.COMPLETED,
        ["1", "2", "2", "3", "3", "4", "4", "5"],
    )


def test_a_search_of_arxiv(started: ExitStack, store: Store, go: Go) -> None:
    library = Library(papers(45))
    started.callback(library.server.close)
    config = {"base_url": library.url, "search_query": "cat:cs.LG", "max_results": 100, "page_size": 10}
    runs = go("arxiv", config)
    assert (runs[-1].status, runs[-1].seen, len(library.requests)) == (TaskStatus.COMPLETED, 45, 5)
    assert store.runs.cursor("t") is not None


@pytest.mark.parametrize("is_told", [False, True], ids=["gap", "told by headers"])
def test_a_search_of_github_that_is_cut_up(started: ExitStack, go: Go, is_told: bool) -> None:
    made = [repository(n + 1, created=f"2020-01-01T{n // 60:02}:{n % 60:02}:00Z") for n in range(1200)]
    faults = dict.fromkeys(range(1, 90), told(SPENT)) if is_told else {}
    github = started.enter_context(Github(made, faults))
    config = {"mode": "search", "query": "topic:x", "base_url": github.url, "limit": 100_000}
    runs = go("github", config, rule=None if is_told else SLOW)
    assert (runs[-1].status, runs[-1].attempt) == (TaskStatus.COMPLETED, 1)
    # As many as there are: none of them twice.
    assert (runs[-1].seen, runs[-1].rejected) == (1200, 0)
    assert len(github.requests) == 40


def test_the_feed_of_edgar(started: ExitStack, store: Store, go: Go) -> None:
    edgar = Edgar(entries=[entry(n, "2026-11-23T03:02:10") for n in range(250, 0, -1)])
    started.callback(edgar.server.close)
    runs = go("sec_edgar", {"base_url": edgar.url})
    assert (runs[-1].status, runs[-1].seen) == (TaskStatus.COMPLETED, 250)
    assert store.records.get("sec_edgar", accession(1))["external_id"] == accession(1)


def test_a_replay_walks_through_the_waits(
    started: ExitStack, store: Store, tmp_path: Path, go: Go, clock: Clock
) -> None:
    api = started.enter_context(Api(items(45), most=10))
    go("http_json", declared(api, "offset"))
    task = Task("t", "T", "http_json", config=declared(api, "offset"))
    report = replay(store, task, tmp_path, clock.now - timedelta(days=1))
    assert (report.attempts, report.pages, report.same) == (5, 5, 45)
    assert (report.left_out, report.lost) == ([], [])


# -- what goes wrong -----------------------------------------------------------------------------------------


def test_a_source_that_always_fails_ends_its_run(started: ExitStack, go: Go) -> None:
    server = started.enter_context(Server(lambda asked: Reply(500)))
    runs = go("http_json", {"url": server.url, "items": "items"}, retry=Retry(count=1))
    assert (runs[-1].status, runs[-1].attempt) == (TaskStatus.FAILED, 2)
    assert "500 Internal Server Error" in (runs[-1].error or "")
    # Three asks of each try, one for each turn.
    assert len(server.requests) == 6


def test_where_the_time_of_a_run_is_shorter_than_the_gap(started: ExitStack, go: Go) -> None:
    server = started.enter_context(Server(lambda asked: Reply(500)))
    runs = go("http_json", {"url": server.url, "items": "items"}, timeout=10, retry=Retry(count=1))
    assert (runs[-1].status, len(server.requests)) == (TaskStatus.FAILED, 2)
    assert "answers 500 Internal Server Error (host busy: 127.0.0.1" in (runs[-1].error or "")
    # It is tried again when it may be, not before.
    first = runs[0]
    assert first.not_before is not None
    assert first.not_before >= START + timedelta(seconds=GAP)


def test_a_redirect_within_the_host_is_followed(started: ExitStack, go: Go) -> None:
    there = Reply(301, headers={"Location": "/y"})
    server = started.enter_context(
        Server(lambda asked: there if asked.path == "/x" else reply({"items": items(3)}))
    )
    runs = go("http_json", {"url": f"{server.url}/x", "items": "items"})
    assert ([run.status for run in runs], runs[-1].seen) == ([TaskStatus.COMPLETED], 3)


def test_a_redirect_that_no_try_has_the_time_for_fails(started: ExitStack, go: Go) -> None:
    server = started.enter_context(Server(lambda asked: Reply(301, headers={"Location": f"{asked.path}y"})))
    runs = go("http_json", {"url": f"{server.url}/x", "items": "items"}, timeout=10, retry=Retry(count=2))
    assert [run.attempt for run in runs] == [1, 2, 3]
    assert runs[-1].status is TaskStatus.FAILED
    assert (runs[-1].error or "").startswith("host busy: 127.0.0.1 may be asked again")


def test_going_over_the_same_page_again_is_a_try(
    go: Go, monkeypatch: pytest.MonkeyPatch, started: ExitStack, clock: Clock
) -> None:
    """A collector of one's own that goes back where it resumes and never gets further."""
    script = install(monkeypatch)
    server = started.enter_context(Server(lambda asked: Reply(body=b"here")))

    def before_page(number: int, collection: Any) -> None:
        if number == 1:
            collection.http.get(server.url, parse=lambda response: response)
            raise HostWait("slow.example", clock.now + timedelta(minutes=5), "429")

    script.before_page = before_page
    runs = go("scripted", {"script": "s"}, rule=None, retry=Retry(count=1))
    # The first attempt brought a page.
    assert [(run.status, run.attempt) for run in runs] == [
        (TaskStatus.PENDING, 0),
        (TaskStatus.PENDING, 1),
        (TaskStatus.FAILED, 2),
    ]
    assert runs[1].not_before is not None
    assert runs[1].not_before >= START + timedelta(minutes=10)


# -- tokens that are dead ------------------------------------------------------------------------------------


DEAD = {
    "404": Reply(404, b'{"error": "search_context_missing_exception"}'),
    "403": Reply(403, b'{"error": "cursor expired"}'),
    "422": Reply(422, b'{"error": "cursor expired"}'),
    "500": Reply(500, b'{"error": "no such cursor"}'),
    "an error": Reply(200, b'{"error": "invalid cursor"}', {"Content-Type": "application/json"}),
}


@pytest.mark.parametrize("dead", DEAD)
def test_a_token_that_is_dead_does_not_fail_its_task_for_ever(
    started: ExitStack, store: Store, go: Go, clock: Clock, dead: str
) -> None:
    api = started.enter_context(Api(items(250)))
    # Trouble for a day, then the token is none any more.
    api.faults = dict.fromkeys(range(2, 9), lambda asked, true: Reply(500))
    config = declared(api, "cursor")
    first = go("http_json", config, rule=None, retry=Retry(count=1))[-1]
    assert (first.status, first.seen) == (TaskStatus.FAILED, 100)
    assert store.runs.progress("t", "live") is not None
    clock.forward(days=1)
    # What may pass has three runs of two tries with three requests each; a refusal of the token is believed at once.
    known, is_refusal = len(api.requests), dead in "404 403 422"
    api.faults = dict.fromkeys(
        range(known + 1, known + 1 + (1 if is_refusal else 18)), lambda asked, true: DEAD[dead]
    )
    ends = [go("http_json", config, rule=None, retry=Retry(count=1))[-1]]
    while ends[-1].status is TaskStatus.FAILED:
        assert (store.runs.progress("t", "live") is None) is (len(ends) == 3)
        ends.append(go("http_json", config, rule=None, retry=Retry(count=1))[-1])
    assert ends[-1].status is TaskStatus.COMPLETED
    assert len(ends) == (1 if is_refusal else 4)
    assert store.records.count() == 250


@pytest.mark.parametrize("fault", [Reply(429, headers={"Retry-After": "900"}), Reply(reset=True)])
def test_what_says_nothing_of_the_token_leaves_it(
    started: ExitStack, store: Store, go: Go, fault: Reply
) -> None:
    api = started.enter_context(Api(items(250), dict.fromkeys(range(2, 30), lambda asked, true: fault)))
    for _ in range(2):
        assert go("http_json", declared(api, "cursor"), rule=None)[-1].status is TaskStatus.FAILED
    api.faults = {}
    asked = len(api.requests)
    go("http_json", declared(api, "cursor"), rule=None)
    assert [one.get("cursor") for one in api.asked[asked:]] == ["100", "200"]


def test_a_credential_that_is_refused_leaves_the_token_for_the_next_try(started: ExitStack, go: Go) -> None:
    api = started.enter_context(Api(items(250), {2: status(401), 3: status(401)}))
    first = go("http_json", declared(api, "cursor"), rule=None)[-1]
    assert (first.status, first.seen) == (TaskStatus.FAILED, 100)
    # Not the window anew with the same credential.
    assert go("http_json", declared(api, "cursor"), rule=None)[-1].status is TaskStatus.FAILED
    assert len(api.requests) == 3
