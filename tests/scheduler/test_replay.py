"""Runs that keep what they were answered, and replays of it, on both databases; the servers are real."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from stoma.errors import BadAnswer, Stopped, StoreUnavailable
from stoma.scheduler.base import NewRun, Run, Task, TaskStatus, hand_trigger
from stoma.scheduler.keeping import Keeper
from stoma.scheduler.manager import Scheduler
from stoma.scheduler.pipeline import Control, Surroundings, execute
from stoma.scheduler.replay import Report, replay
from stoma.scheduler.settings import Keep
from stoma.stores import Store
from stoma.stores.runs import End
from tests.support.clock import Clock
from tests.support.edgar import Edgar, accession, entry, master, row
from tests.support.github import Github, repository
from tests.support.paged import Paged, PagedCollector, PagedNormalizer, as_it_is, install
from tests.support.replay import Replay
from tests.support.server import Reply, Server
from tests.support.waiting import until

EVER = datetime(1970, 1, 1, tzinfo=UTC)
REPOSITORY = Path(__file__).resolve().parents[2]


def item(number: int, **more: Any) -> dict[str, Any]:
    return {"id": number, "name": f"name {number}", "label": f"label {number}", "n": number, **more}


@pytest.fixture
def source(monkeypatch: pytest.MonkeyPatch) -> Iterator[Paged]:
    install(monkeypatch)
    with Paged([[item(1), item(2)], [item(3), item(4)], [item(5)]]) as server:
        yield server


class World:
    """A store with a task in it."""

    def __init__(self, store: Store, base: Path, clock: Clock, task: Task) -> None:
        self.store = store
        self.clock = clock
        self.task = task
        self.base = base
        self.keep_for: timedelta | None = timedelta(days=90)

    def run(self, control: Control | None = None, **config: Any) -> Run:
        """Collect once, an hour later than before."""
        store, task = self.store, self.with_config(**config)
        self.clock.forward(hours=1)
        if not store.runs.open_of(task.id):
            store.runs.add(NewRun(task.id, hand_trigger(), task.priority, "0"), store.now())
        claimed = store.runs.claim("me", store.now(), store.now() + timedelta(seconds=30))
        assert claimed is not None
        around = Surroundings(
            store, self.base, timedelta(seconds=30), "me", contact="Jane jane@example.org", raw=self.keep_for
        )
        ended = execute(claimed, task, around, control or Control())
        assert ended is not None
        return ended

    def with_config(self, **config: Any) -> Task:
        return replace(self.task, config={**self.task.config, **config})

    def again(self, since: datetime = EVER, *, dry_run: bool = False, **config: Any) -> Report:
        """Replay, an hour later than before; no socket may be opened meanwhile."""
        self.clock.forward(hours=1)
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(socket, "socket", refuse)
            patch.setattr("stoma.collectors.http.HttpClient.__init__", refuse)
            patch.setattr("stoma.collectors.http.HttpClient.ask", refuse)
            return replay(self.store, self.with_config(**config), self.base, since, dry_run=dry_run)

    def titles(self) -> dict[str, str]:
        return {one["external_id"]: one["title"] for one in self.store.records.newest(1000)}

    def count(self, table: str) -> int:
        return counted(self.store, table)


def refuse(*_: Any, **__: Any) -> None:
    raise AssertionError("a replay asked somebody")


def counted(store: Store, table: str) -> int:
    return len(rows(store, f"select * from {table}"))


def rows(store: Store, text: str) -> list[Any]:
    database: Any = store.database
    with database.reader() as reader:
        found: list[Any] = reader._connection.execute(text).fetchall()
    return found


@pytest.fixture
def world(store: Store, tmp_path: Path, clock: Clock, source: Paged) -> World:
    return World(store, tmp_path, clock, Task("t", "T", "paged", config={"base_url": source.url}))


def outcome(report: Report) -> tuple[int, int, int, int, int]:
    """Same, changed, new, newer, lost."""
    return report.same, report.changed, report.new, len(report.newer), len(report.lost)


def bend(patch: pytest.MonkeyPatch, make: Callable[..., Any]) -> None:
    patch.setattr(PagedNormalizer, "make", staticmethod(make))


# -- keeping ---------------------------------------------------------------------------------------------------


def test_nothing_is_kept_by_default(world: World) -> None:
    world.keep_for = None
    assert world.run().seen == 5
    assert [world.count(table) for table in ("raw_pages", "raw_attempts", "raw_given")] == [0, 0, 0]
    assert outcome(world.again()) == (0, 0, 0, 0, 0)


def test_a_task_says_for_itself_how_long(world: World) -> None:
    world.task = replace(world.task, raw=timedelta(0))
    world.run()
    assert world.count("raw_pages") == 0
    world.keep_for, world.task = None, replace(world.task, raw=timedelta(days=7))
    world.run()
    until = world.store.raw.kept("t", world.store.now()).last_until
    assert until == world.clock.now + timedelta(days=7)


def test_each_page_brings_its_answers_and_what_it_gave(world: World, source: Paged) -> None:
    run = world.run()
    [attempt] = world.store.raw.attempts("t", EVER, world.store.now())
    assert (attempt.run_id, attempt.fence) == (run.id, 1)
    assert attempt.context["now"] == "2026-03-01T13:00:00Z"
    assert attempt.context["config"] == {"base_url": source.url}
    answers = world.store.raw.answers(attempt)
    assert [one["status"] for one in answers] == [200, 200, 200]
    # No cookies, no lengths: what a page needs to be understood.
    assert {name for one in answers for name in one["headers"]} == {"content-type", "etag"}
    assert b'"name 1"' in (world.store.raw.body(answers[0]["id"]) or b"")
    given = world.store.raw.given(attempt)
    assert [page.keys for page in given] == [
        [("paged", "1"), ("paged", "2")],
        [("paged", "3"), ("paged", "4")],
        [("paged", "5")],
    ]
    kept = world.store.raw.kept("t", world.store.now())
    assert kept.pages == 3
    assert 0 < kept.bytes < kept.size


def test_a_page_that_is_not_committed_leaves_nothing(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("stoma.scheduler.saving.save", refuse)
    assert world.run().status is TaskStatus.PENDING
    assert world.count("raw_pages") == 0


def test_no_secret_is_kept(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("A_TOKEN", "hunter2 & more")
    world.run(token="${env:A_TOKEN}")
    everything = repr([rows(world.store, f"select * from {name}") for name in ("raw_pages", "raw_attempts")])
    assert "hunter2" not in everything
    assert "${env:A_TOKEN}" in everything
    # Nobody is asked, so nobody needs it.
    monkeypatch.delenv("A_TOKEN")
    assert outcome(world.again(token="${env:A_TOKEN}")) == (5, 0, 0, 0, 0)


def test_what_has_expired_goes_in_small_steps(world: World) -> None:
    world.run()
    world.clock.forward(days=60)
    world.run()
    for _ in range(2):
        Keeper(world.store).ring(Keep(), seconds=5)
        assert world.count("raw_pages") == 6
        # More at once would be taken for a clock that is wrong.
        world.clock.forward(days=15.5)
    assert world.store.raw.expire(world.store.now(), 2) == 4
    assert len(world.store.raw.attempts("t", EVER, world.store.now())) == 1
    Keeper(world.store).ring(Keep(), seconds=5)
    assert [world.count(table) for table in ("raw_pages", "raw_attempts", "raw_given")] == [3, 1, 3]
    assert outcome(world.again()) == (5, 0, 0, 0, 0)


def test_a_scheduler_keeps_from_an_edit_on_and_deletes_what_has_expired(
    tmp_path: Path, url: str, clock: Clock
) -> None:
    yaml = """\
version: 1
presets: []
store: {{url: "{url}"{raw}}}
tasks:
  t: {{collector: github, config: {{mode: search, query: x, base_url: "{base}"}}}}
"""
    path = tmp_path / "stoma.yaml"
    with Github([repository(1)]) as source:
        path.write_text(yaml.format(url=url, base=source.url, raw=""))
        with Scheduler(path, clock=clock) as scheduler:

            def run() -> None:
                run_id = scheduler.queue(scheduler.config.tasks["t"]).id
                until(lambda: scheduler.store.runs.get(run_id).status is TaskStatus.COMPLETED)

            run()
            assert counted(scheduler.store, "raw_pages") == 0
            path.write_text(yaml.format(url=url, base=source.url, raw=", raw: 90d"))
            scheduler.rescan()
            assert not scheduler.restart_needed
            clock.forward(seconds=10)
            run()
            assert counted(scheduler.store, "raw_pages") == 1
            clock.forward(days=90)
            for job in scheduler.ticker._clock.jobs:
                job.run()
            assert counted(scheduler.store, "raw_attempts") == counted(scheduler.store, "raw_pages") == 0


# -- what a replay finds ---------------------------------------------------------------------------------------


def test_nothing_was_mended_nothing_changes(world: World, source: Paged) -> None:
    world.run()
    asked, before = len(source.requests), world.count("observations")
    report = world.again()
    assert outcome(report) == (5, 0, 0, 0, 0)
    assert (report.attempts, report.pages, report.left_out) == (1, 3, [])
    assert (len(source.requests), world.count("observations"), world.count("record_versions")) == (
        asked,
        before,
        0,
    )


def test_a_mended_normalizer_brings_the_records(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(item: Any, title: str) -> Any:
        if item["id"] % 2:
            raise ValueError("odd")
        return as_it_is(item, title)

    bend(monkeypatch, broken)
    run = world.run()
    assert (run.seen, run.rejected) == (5, 3)
    bend(monkeypatch, as_it_is)
    assert outcome(world.again(dry_run=True)) == (2, 0, 3, 0, 0)
    assert world.count("records") == 2
    assert outcome(world.again()) == (2, 0, 3, 0, 0)
    assert world.titles() == {str(n): f"name {n}" for n in range(1, 6)}
    # What was never written is written now: who saw it, and what was measured then.
    assert world.count("sightings") == 5
    measured = rows(world.store, "select external_id, value, run_id from observations")
    assert sorted(tuple(dict(one).values()) if isinstance(one, dict) else one for one in measured) == [
        (str(n), float(n), run.id) for n in range(1, 6)
    ]
    # Mended once more: what a replay brought is no obstacle to the next one.
    bend(monkeypatch, lambda item, title: replace(as_it_is(item, title), summary="more"))
    assert outcome(world.again()) == (0, 5, 0, 0, 0)
    assert outcome(world.again()) == (5, 0, 0, 0, 0)


def test_edited_fields_become_new_versions(world: World) -> None:
    run = world.run()
    before = world.store.records.get("paged", "1")
    assert before is not None
    report = world.again(fields={"title": "label"})
    assert outcome(report) == (0, 5, 0, 0, 0)
    assert world.titles()["1"] == "label 1"
    [version] = world.store.records.versions("paged", "1")
    assert (version["title"], version["run_id"]) == ("name 1", run.id)
    after = world.store.records.get("paged", "1")
    assert after is not None
    # Nobody has seen it meanwhile.
    assert after["last_seen_at"] == before["last_seen_at"]
    assert outcome(world.again(fields={"title": "label"})) == (5, 0, 0, 0, 0)
    assert outcome(world.again()) == (0, 5, 0, 0, 0)


def test_what_is_given_no_more_is_told_and_stays(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    world.run()

    def stricter(item: Any, title: str) -> Any:
        if item["id"] == 4:
            raise ValueError("four is out")
        return None if item["id"] == 2 else as_it_is(item, title)

    bend(monkeypatch, stricter)
    world.run()
    # The newer attempt did not give them, the older one did: lost once.
    report = world.again()
    assert report.lost == [("paged", "2"), ("paged", "4")]
    assert report.rejected == {"four is out": 1}
    assert outcome(report) == (3, 0, 0, 0, 2)
    assert world.count("records") == 5


def test_the_newest_attempt_decides(world: World, source: Paged) -> None:
    world.run()
    source.pages[0][0]["label"] = "label 1, edited"
    world.run()
    report = world.again(fields={"title": "label"})
    assert outcome(report) == (0, 5, 0, 0, 0)
    assert (report.attempts, report.pages) == (2, 6)
    assert world.titles()["1"] == "label 1, edited"
    assert len(world.store.records.versions("paged", "1")) == 1


def test_within_an_attempt_the_last_page_decides(world: World, source: Paged) -> None:
    source.pages[2].append(item(1, name="later", label="later label"))
    run = world.run(Control(on_page=lambda tally: world.clock.forward(seconds=1)))
    assert (run.new, run.changed) == (5, 1)
    assert outcome(world.again()) == (5, 0, 0, 0, 0)
    assert outcome(world.again(fields={"title": "label"})) == (0, 5, 0, 0, 0)
    assert world.titles()["1"] == "later label"
    assert [one["title"] for one in world.store.records.versions("paged", "1")] == ["name 1", "later"]


def test_what_came_later_is_left_alone(world: World, source: Paged) -> None:
    world.run()
    world.keep_for = None
    source.pages[0][0]["name"] = "from a page that was not kept"
    assert world.run().changed == 1
    report = world.again(fields={"title": "label"})
    assert outcome(report) == (0, 4, 0, 1, 0)
    assert report.newer == {("paged", "1")}
    assert world.titles()["1"] == "from a page that was not kept"


def test_a_record_that_was_deleted_comes_back(world: World) -> None:
    world.run()
    observed, database = world.count("observations"), world.store.database
    with database.transaction() as tx:
        tx._connection.execute("delete from records where external_id = '3'")  # type: ignore[attr-defined]
    assert outcome(world.again()) == (4, 0, 1, 0, 0)
    assert world.titles()["3"] == "name 3"
    assert (world.count("observations"), world.count("sightings")) == (observed, 5)


def test_only_since_a_day(world: World) -> None:
    world.run()
    since = world.clock.forward(days=1)
    assert world.again(since).attempts == 0
    world.run()
    assert world.again(since).attempts == 1


def test_another_query_is_left_out(world: World, source: Paged) -> None:
    world.run(query="old")
    [left] = world.again(query="new").left_out
    assert (left.pages, left.is_fault) == (3, False)
    assert left.reason == "what the task collects was edited since"
    # Another place is no other query, and the walk goes where it went then.
    assert outcome(world.again(query="old", base_url="http://127.0.0.1:1")) == (5, 0, 0, 0, 0)


def test_a_collector_that_asks_for_something_else(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    world.run()
    ask = PagedCollector._ask
    monkeypatch.setattr(
        PagedCollector, "_ask", lambda self, collection, number: ask(self, collection, number or 7)
    )
    report = world.again()
    [left] = report.left_out
    assert (left.pages, left.is_fault) == (3, False)
    assert "page=7" in left.reason
    assert "was not kept" in left.reason
    assert outcome(report) == (0, 0, 0, 0, 0)


def test_code_that_stumbles_is_told_and_the_rest_goes_on(
    world: World, source: Paged, monkeypatch: pytest.MonkeyPatch
) -> None:
    world.run()
    source.pages[1][0]["id"] = 33
    world.run()

    def stumbling(item: Any, title: str) -> Any:
        if item["id"] == 33:
            raise RuntimeError("no such luck")
        return as_it_is(item, title)

    bend(monkeypatch, stumbling)
    report = world.again()
    [left] = report.left_out
    assert (left.pages, left.reason, left.is_fault) == (2, "RuntimeError: no such luck", True)
    # The newer attempt went as far as its first page; nothing of what lies behind counts as lost.
    assert outcome(report) == (5, 0, 0, 0, 0)


# -- how the walk goes -----------------------------------------------------------------------------------------


def test_a_refusal_that_ended_the_walk_ends_it_again(world: World) -> None:
    run = world.run(until_missing=True)
    assert (run.status, run.pages, run.seen) == (TaskStatus.COMPLETED, 4, 5)
    report = world.again(until_missing=True)
    assert (outcome(report), report.pages, report.left_out) == ((5, 0, 0, 0, 0), 4, [])


def test_a_run_of_two_attempts(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    ask = PagedCollector._ask

    def failing(self: PagedCollector, collection: Any, number: int) -> Any:
        found = ask(self, collection, number)
        if number == 2:
            # Answered and accepted, but never committed.
            raise BadAnswer("on the last page")
        return found

    with monkeypatch.context() as patch:
        patch.setattr(PagedCollector, "_ask", failing)
        assert world.run().status is TaskStatus.PENDING
    assert world.run().status is TaskStatus.COMPLETED
    attempts = world.store.raw.attempts("t", EVER, world.store.now())
    assert [one.context["progress"] is None for one in attempts] == [False, True]
    assert attempts[0].context["progress"]["page"] == {"page": 2}
    report = world.again(fields={"title": "label"})
    assert (report.attempts, report.pages, report.left_out) == (2, 3, [])
    assert outcome(report) == (0, 5, 0, 0, 0)


KILLED = """\
import os, signal, sys
from pathlib import Path
from datetime import timedelta
from unittest.mock import patch
from stoma.scheduler.base import NewRun, Task, hand_trigger
from stoma.scheduler.pipeline import Control, Surroundings, execute
from stoma.stores import open_store
from tests.support import paged
url, base, asked = sys.argv[1:]
from stoma import collectors, normalizers
collectors.COLLECTORS["paged"] = "tests.support.paged:PagedCollector"
normalizers.NORMALIZERS["paged"] = "tests.support.paged:PagedNormalizer"
ask = paged.PagedCollector._ask
def dying(self, collection, number):
    if number == 2:
        os.kill(os.getpid(), signal.SIGKILL)
    return ask(self, collection, number)
paged.PagedCollector._ask = dying
with open_store(url, Path(base)) as store:
    task = Task("t", "T", "paged", config={"base_url": asked})
    store.runs.add(NewRun("t", hand_trigger(), task.priority, "0"), store.now())
    run = store.runs.claim("gone", store.now(), store.now() + timedelta(seconds=1))
    around = Surroundings(store, Path(base), timedelta(seconds=1), "gone", raw=timedelta(days=3650))
    execute(run, task, around, Control())
"""


def test_an_attempt_that_was_killed(world: World, source: Paged, url: str) -> None:
    """Its two pages are there, and the attempt that went on has the third."""
    command = [sys.executable, "-c", KILLED, url, str(world.base), source.url]
    killed = subprocess.run(command, env={**os.environ, "PYTHONPATH": str(REPOSITORY)}, check=False)
    assert killed.returncode == -signal.SIGKILL
    world.clock.now = datetime.now(UTC) + timedelta(hours=1)
    [run] = world.store.runs.open_of("t")
    world.store.runs.end(run, End(TaskStatus.INTERRUPTED, is_try=False), world.store.now())
    assert world.run().status is TaskStatus.COMPLETED
    report = world.again(fields={"title": "label"})
    assert (report.attempts, report.pages, report.left_out) == (2, 3, [])
    assert outcome(report) == (0, 5, 0, 0, 0)


def test_a_collector_that_has_its_own_words_for_what_is_missing(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    ask = PagedCollector._ask

    def failing(self: PagedCollector, collection: Any, number: int) -> Any:
        try:
            return ask(self, collection, number if number < 2 else 99)
        except BadAnswer:
            raise BadAnswer("page after page, and none will do") from None

    monkeypatch.setattr(PagedCollector, "_ask", failing)
    world.task = replace(world.task, config={**world.task.config, "query": "x"})

    def stop(tally: Any) -> None:
        if tally.pages == 2:
            raise Stopped("between two pages")

    assert world.run(Control(on_page=stop)).status is TaskStatus.INTERRUPTED
    report = world.again()
    assert (report.pages, report.left_out) == (2, [])
    assert outcome(report) == (4, 0, 0, 0, 0)


def test_a_store_that_fails_ends_it(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    world.run()

    def full(*_: Any) -> None:
        raise StoreUnavailable("the disk is full")

    monkeypatch.setattr("stoma.scheduler.replay.save_again", full)
    with pytest.raises(StoreUnavailable):
        world.again()


def test_beside_a_run_that_is_under_way(world: World, source: Paged) -> None:
    """What a run commits while a replay works is newer than what the replay has in hand."""
    world.run()
    source.pages[0][0]["label"] = "edited"
    database: Any = world.store.database
    real, ran = database.transaction, []

    def transaction() -> Any:
        if not ran:
            ran.append(True)
            database.transaction = real
            world.run(fields={"title": "label"})
        return real()

    world.clock.forward(hours=1)
    database.transaction = transaction
    try:
        report = replay(world.store, world.with_config(), world.base, EVER)
    finally:
        database.transaction = real
    assert report.newer == {("paged", str(n)) for n in range(1, 6)}
    assert world.titles()["1"] == "edited"


# -- the sources -----------------------------------------------------------------------------------------------


def test_arxiv(
    store: Store, tmp_path: Path, clock: Clock, recorded: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from stoma.normalizers.arxiv import ArxivNormalizer

    with Replay(recorded / "arxiv") as source:
        config = {"search_query": "testing", "max_results": 40, "page_size": 10, "base_url": source.url}
        world = World(store, tmp_path, clock, Task("t", "T", "arxiv", config=config))
        first = world.run()
        assert (first.status, first.seen) == (TaskStatus.COMPLETED, 40)
    report = world.again()
    assert (report.pages, report.left_out) == (4, [])
    assert outcome(report) == (first.new, 0, 0, 0, 0)
    # What another side has told of a paper stays, as in a run.
    with store.database.transaction() as tx:
        told = """{"license": "http://license.example/"}"""
        tx._connection.execute(f"update records set attributes = '{told}'")  # type: ignore[attr-defined]
    normalize_item = ArxivNormalizer.normalize_item
    monkeypatch.setattr(
        ArxivNormalizer,
        "normalize_item",
        lambda self, item, result: replace(normalize_item(self, item, result), summary="none"),
    )
    assert outcome(world.again()) == (0, first.new, 0, 0, 0)
    assert {one["attributes"].get("license") for one in store.records.newest(100)} == {
        "http://license.example/"
    }


def test_github_trending(store: Store, tmp_path: Path, clock: Clock, recorded: Path) -> None:
    body = (recorded / "github" / "trending_2026-05_rust_weekly_16_rows.html").read_bytes()
    with Server(lambda asked: Reply(body=body, headers={"Content-Type": "text/html"})) as source:
        config = {"mode": "trending", "language": "rust", "since": "weekly", "base_url": source.url}
        world = World(store, tmp_path, clock, Task("t", "T", "github", config=config))
        run = world.run()
    assert (run.status, run.new) == (TaskStatus.COMPLETED, 16)
    observed = world.count("observations")
    assert outcome(world.again()) == (16, 0, 0, 0, 0)
    assert world.count("observations") == observed


def test_sec_edgar(store: Store, tmp_path: Path, clock: Clock) -> None:
    """Days without an index are refusals that were explained; they are kept and told again."""
    clock.now = datetime(2025, 12, 12, 23, 5, tzinfo=UTC)
    edgar = Edgar()
    try:
        edgar.put("20251211", master(row(1), row(2)))
        edgar.entries = [entry(3, "2025-12-12T18:02:10")]
        world = World(
            store,
            tmp_path,
            clock,
            Task("t", "T", "sec_edgar", config={"base_url": edgar.url, "days_back": 3}),
        )
        assert world.run().new == 3
        edgar.put("20251212", master(row(3, filed="20251212"), row(4, filed="20251212")))
        clock.forward(hours=12)
        assert world.run().new == 1
        asked = len(edgar.server.requests)
    finally:
        edgar.server.close()
    report = world.again()
    assert (report.attempts, report.left_out) == (2, [])
    assert outcome(report) == (4, 0, 0, 0, 0)
    assert len(edgar.server.requests) == asked
    assert store.records.get("sec_edgar", accession(4)) is not None
    statuses = {one["status"] for one in store.raw.answers(store.raw.attempts("t", EVER, store.now())[-1])}
    assert statuses >= {200, 403}


def test_sec_edgar_with_an_index_that_was_not_modified(store: Store, tmp_path: Path, clock: Clock) -> None:
    """What was unchanged then stands between answers that were not."""
    clock.now = datetime(2025, 12, 12, 20, 5, tzinfo=UTC)
    edgar = Edgar()
    try:
        edgar.put("20251211", master(row(1), row(2)))
        edgar.entries = [entry(3, "2025-12-12T14:02:10")]
        config = {"base_url": edgar.url, "days_back": 2}
        world = World(store, tmp_path, clock, Task("t", "T", "sec_edgar", config=config))
        for hour in range(3):
            edgar.entries.insert(0, entry(4 + hour, f"2025-12-12T15:0{hour}:10"))
            world.run()
        assert any("if-none-match" in asked.headers for asked in edgar.server.requests)
    finally:
        edgar.server.close()
    report = world.again()
    assert (report.attempts, report.left_out) == (3, [])
    assert outcome(report) == (6, 0, 0, 0, 0)


def test_http_json(store: Store, tmp_path: Path, clock: Clock) -> None:
    """The case it is made for: `fields` are edited when a part of the answers is there already."""
    pages = [[item(1), item(2)], [item(3)], []]

    def answer(asked: Any) -> Reply:
        return Reply(body=json.dumps({"data": pages[int(asked.query["page"]) - 1]}).encode())

    with Server(answer) as source:
        config = {
            "url": f"{source.url}/things",
            "items": "data",
            "paging": {"page": {"param": "page", "size": 2}},
            "key": "id",
            "fields": {"title": "name"},
        }
        world = World(store, tmp_path, clock, Task("t", "T", "http_json", config=config))
        assert world.run().new == 3
    assert outcome(world.again()) == (3, 0, 0, 0, 0)
    assert outcome(world.again(fields={"title": "label", "published_at": "missing"})) == (0, 3, 0, 0, 0)
    assert world.titles() == {"1": "label 1", "2": "label 2", "3": "label 3"}


def test_a_feed_that_was_unchanged(store: Store, tmp_path: Path, clock: Clock, recorded: Path) -> None:
    body = (recorded / "feeds" / "daringfireball.atom").read_bytes()

    def answer(asked: Any) -> Reply:
        if asked.headers.get("if-none-match") == '"1"':
            return Reply(304, headers={"ETag": '"1"'})
        return Reply(body=body, headers={"ETag": '"1"', "Content-Type": "application/atom+xml"})

    with Server(answer) as source:
        config = {"url": f"{source.url}/feed.atom"}
        world = World(store, tmp_path, clock, Task("t", "T", "feed", config=config))
        first, second = world.run(), world.run()
    assert (first.status, second.status) == (TaskStatus.COMPLETED, TaskStatus.COMPLETED)
    # The second time nothing came that could be replayed.
    assert (second.unchanged, world.count("raw_pages")) == (first.seen, 1)
    report = world.again()
    assert (report.attempts, report.left_out) == (1, [])
    assert outcome(report) == (first.new, 0, 0, 0, 0)
