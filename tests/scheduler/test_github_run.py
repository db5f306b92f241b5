"""Runs of both modes of github through the whole road, on both databases: they take turns at one record."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from stoma.demo.github import Github
from stoma.scheduler.base import NewRun, Run, Task, TaskStatus, hand_trigger
from stoma.scheduler.pipeline import Control, Surroundings, execute
from stoma.scheduler.replay import replay
from stoma.stores import Store
from tests.support.budget import START
from tests.support.clock import Clock
from tests.support.server import Asked, Reply, Server

CONFIGS = {
    "trending": {"language": "rust"},
    # All there are, so that it holds whatever is trending.
    "search": {"mode": "search", "query": "language:rust", "limit": 200},
}
ALL, SHOWN = 120, 25

Go = Callable[[str], Run]


class Source(Server):
    """GitHub as the demo plays it, from day to day; `edit` changes its answers."""

    def __init__(self) -> None:
        self.now = START
        self.edit: Callable[[bytes], bytes] = lambda body: body
        super().__init__(self._reply)

    def _reply(self, asked: Asked) -> Reply:
        answer = Github(self.now).answer(asked.path, asked.query)
        headers = {**answer.headers, "Content-Type": answer.content_type}
        if "Link" in headers:
            headers["Link"] = headers["Link"].replace("<?", f"<{self.url}{asked.path}?")
        return Reply(answer.status, self.edit(answer.body), headers)


@pytest.fixture
def source(clock: Clock) -> Iterator[Source]:
    clock.now = START
    with Source() as source:
        yield source


def tasks(source: Source) -> dict[str, Task]:
    return {
        name: Task(name, "T", "github", config={"base_url": source.url, **config})
        for name, config in CONFIGS.items()
    }


@pytest.fixture
def go(store: Store, tmp_path: Path, source: Source, clock: Clock) -> Go:
    around = Surroundings(store, tmp_path, timedelta(minutes=5), "me", raw=timedelta(days=90))

    def go(name: str) -> Run:
        clock.forward(hours=1)
        source.now = clock.now
        task = tasks(source)[name]
        store.runs.add(NewRun(name, hand_trigger(), task.priority, "0"), store.now())
        claimed = store.runs.claim("me", store.now(), store.now() + timedelta(minutes=5))
        assert claimed is not None
        ended = execute(claimed, task, around, Control())
        assert ended is not None
        assert ended.status is TaskStatus.COMPLETED, ended.error
        # Each item is one record, whichever mode brought it.
        assert ended.seen == ended.new + ended.changed + ended.unchanged
        return ended

    return go


def counts(run: Run) -> tuple[int, int, int, int]:
    return run.seen, run.new, run.changed, run.unchanged


def repositories(store: Store) -> dict[int, dict[str, Any]]:
    with store.database.reader() as reader:
        return {row["github_id"]: row for row in reader.all("repositories_newest", limit=1000)}


def test_taking_turns_writes_no_version(store: Store, go: Go) -> None:
    assert counts(go("trending")) == (SHOWN, SHOWN, 0, 0)
    # What it adds to the rows of the page is one change; after it both are at peace.
    assert counts(go("search")) == (ALL, ALL - SHOWN, SHOWN, 0)
    before = repositories(store)
    for name, seen in (("trending", SHOWN), ("search", ALL)) * 2:
        assert counts(go(name)) == (seen, 0, 0, seen)
    after = repositories(store)
    assert len(after) == store.records.count() == ALL
    for number, row in after.items():
        assert row["topics"]
        assert row["created_at"] == before[number]["created_at"] is not None
        assert row["version"] == before[number]["version"] <= 2


def test_the_other_way_round_there_is_only_one_version(store: Store, go: Go, clock: Clock) -> None:
    go("search")
    for name in ("trending", "search", "trending"):
        # The next day others are trending, and all have more stars.
        clock.forward(days=1)
        run = go(name)
        assert counts(run) == (run.seen, 0, 0, run.seen)
    assert {row["version"] for row in repositories(store).values()} == {1}


def test_what_is_gone_is_written_once(store: Store, go: Go, source: Source) -> None:
    go("search")
    licensed = {number for number, row in repositories(store).items() if row["license"]}
    assert 0 < len(licensed) < ALL
    source.edit = lambda body: body.replace(b'"license": {', b'"license": null, "_": {')
    assert counts(go("search")) == (ALL, 0, len(licensed), ALL - len(licensed))
    assert go("trending").changed == go("search").changed == 0
    assert {row["license"] for row in repositories(store).values()} == {None}


def test_what_a_page_knows_first_is_what_the_next_search_finds(store: Store, go: Go, source: Source) -> None:
    go("search")
    source.edit = lambda body: body.replace(b"Invented for a demonstration", b"Made up")
    assert counts(go("trending")) == (SHOWN, 0, SHOWN, 0)
    assert counts(go("search")) == (ALL, 0, ALL - SHOWN, SHOWN)
    assert all(row["topics"] for row in repositories(store).values())


def test_kept_pages_of_both_modes_are_the_same_again(
    store: Store, go: Go, source: Source, tmp_path: Path, clock: Clock
) -> None:
    for name in ("trending", "search") * 2:
        go(name)
    ever = datetime(1970, 1, 1, tzinfo=UTC)
    before = repositories(store)
    for name, seen in (("trending", SHOWN), ("search", ALL), ("trending", SHOWN)):
        clock.forward(hours=1)
        report = replay(store, tasks(source)[name], tmp_path, ever)
        assert (report.attempts, report.left_out, report.lost, report.newer) == (2, [], [], set())
        assert (report.same, report.changed, report.new) == (seen, 0, 0)
    assert repositories(store) == before
