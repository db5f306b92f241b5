"""What counts at the end of a run: what was not sent again, and how long nothing new has come."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from stoma.errors import BadAnswer, ConfigError
from stoma.normalizers.base import BaseNormalizer
from stoma.records import CollectorResult, Record
from stoma.scheduler.base import Expect, NewRun, Retry, Run, Task, TaskStatus, hand_trigger
from stoma.scheduler.config import create_custom_task
from stoma.scheduler.pipeline import Control, Surroundings, execute
from stoma.stores import Store
from tests.support.clock import Clock
from tests.support.scripted import Script, install

LEASE = timedelta(seconds=30)
TASK = Task("t", "T", "scripted", config={"script": "s"}, retry=Retry(count=0))
QUIET = replace(TASK, expect=Expect(silence=timedelta(days=4)))


@pytest.fixture
def script(monkeypatch: pytest.MonkeyPatch) -> Script:
    return install(monkeypatch)


@pytest.fixture
def go(store: Store, tmp_path: Path) -> Callable[..., Run]:
    def go(task: Task = TASK) -> Run:
        store.runs.add(NewRun(task.id, hand_trigger(), task.priority, "0"), store.now())
        run = store.runs.claim("me", store.now(), store.now() + LEASE)
        assert run is not None
        ended = execute(run, task, Surroundings(store, tmp_path, LEASE, "me"), Control())
        assert ended is not None
        return ended

    return go


@pytest.mark.parametrize(
    ("pages", "per_page", "seen", "new"), [(1, 0, 7, 0), (2, 0, 7, 0), (1, 3, 10, 3), (2, 3, 13, 6)]
)
def test_what_is_not_modified_counts_as_seen_and_unchanged(
    script: Script, go: Callable[..., Run], pages: int, per_page: int, seen: int, new: int
) -> None:
    script.pages, script.per_page, script.unmodified = pages, per_page, 7
    run = go(replace(TASK, expect=Expect(min_records=7)))
    assert (run.status, run.pages, run.seen) == (TaskStatus.COMPLETED, pages, seen)
    assert (run.new, run.changed, run.unchanged) == (new, 0, 7)


def test_what_is_not_modified_and_has_a_page_behind_it(
    store: Store, script: Script, go: Callable[..., Run], monkeypatch: pytest.MonkeyPatch
) -> None:
    from tests.support.scripted import ScriptedCollector

    collect = ScriptedCollector.collect
    monkeypatch.setattr(
        ScriptedCollector,
        "collect",
        lambda self, c: (replace(page, items=[], unmodified=2) for page in collect(self, c)),
    )
    run = go()
    assert (run.status, run.pages, run.seen, run.unchanged) == (TaskStatus.COMPLETED, 3, 6, 6)
    assert store.runs.progress("t", "live") is None


def test_silence_is_suspect_and_does_not_move_the_cursor(
    store: Store, script: Script, go: Callable[..., Run], clock: Clock
) -> None:
    began = clock.now
    assert go(QUIET).status is TaskStatus.COMPLETED
    clock.forward(days=3)
    assert go(QUIET).status is TaskStatus.COMPLETED
    clock.now = began + timedelta(days=4)
    assert go(QUIET).status is TaskStatus.COMPLETED
    cursor = store.runs.cursor("t")
    clock.forward(seconds=1)
    run = go(QUIET)
    assert run.status is TaskStatus.SUSPECT
    assert run.reason == "nothing new or changed since 2026-03-01 12:00 UTC, expected within 4d"
    assert store.runs.cursor("t") == cursor
    # Without the wish nothing is suspect about it.
    assert go().status is TaskStatus.COMPLETED
    assert go(QUIET).status is TaskStatus.SUSPECT


def test_something_new_or_changed_ends_the_silence(
    script: Script, go: Callable[..., Run], clock: Clock
) -> None:
    go(QUIET)
    clock.forward(days=5)
    script.pages += 1
    assert go(QUIET).status is TaskStatus.COMPLETED
    clock.forward(days=3)
    assert go(QUIET).status is TaskStatus.COMPLETED
    clock.forward(days=3)
    assert go(QUIET).status is TaskStatus.SUSPECT


def test_a_task_that_never_brought_anything_is_silent_since_its_first_run(
    script: Script, go: Callable[..., Run], clock: Clock
) -> None:
    script.pages, script.per_page = 1, 0
    assert go(QUIET).status is TaskStatus.COMPLETED
    clock.forward(days=4, seconds=1)
    assert go(QUIET).status is TaskStatus.SUSPECT


def test_what_an_earlier_try_of_the_same_run_brought_is_no_silence(
    store: Store, script: Script, go: Callable[..., Run], clock: Clock, tmp_path: Path
) -> None:
    script.pages, script.per_page = 1, 0
    go(QUIET)
    clock.forward(days=5)
    script.pages, script.per_page = 2, 5

    def fail(number: int, collection: object) -> None:
        if number == 1:
            raise BadAnswer("no")

    script.before_page = fail
    patient = replace(QUIET, retry=Retry(count=1))
    assert go(patient).status is TaskStatus.PENDING
    # However long its tries take: what has come is news until it is over.
    clock.forward(days=5)
    script.before_page = lambda number, collection: setattr(script, "per_page", 0)
    run = store.runs.claim("me", clock.now, clock.now + LEASE)
    assert run is not None
    ended = execute(run, patient, Surroundings(store, tmp_path, LEASE, "me"), Control())
    assert ended is not None
    assert (ended.status, ended.new) == (TaskStatus.COMPLETED, 5)


def test_an_answer_that_is_not_modified_is_silence_too(
    script: Script, go: Callable[..., Run], clock: Clock
) -> None:
    go(QUIET)
    clock.forward(days=5)
    script.pages, script.per_page, script.unmodified = 1, 0, 30
    assert go(QUIET).status is TaskStatus.SUSPECT


def test_what_another_task_stored_first_is_news_to_this_one(
    script: Script, go: Callable[..., Run], clock: Clock
) -> None:
    other = replace(QUIET, id="other")
    for day in range(8):
        script.pages, script.per_page = day + 1, 3
        assert (go(other).status, go(other).new) == (TaskStatus.COMPLETED, 0)
        run = go(QUIET)
        assert (run.status, run.new) == (TaskStatus.COMPLETED, 0)
        clock.forward(days=1)
    clock.forward(days=4)
    assert go(QUIET).status is TaskStatus.SUSPECT


class Titled(BaseNormalizer):
    """The same records with a title that may change."""

    title = ""

    def normalize_item(self, item: Any, result: CollectorResult) -> Record:
        return Record(result.source, str(item["n"]), "entry", title=Titled.title)


def test_what_another_task_saw_change_first_is_news_to_this_one_once(
    script: Script, go: Callable[..., Run], clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    quiet = replace(QUIET, normalizer=Titled)
    other = replace(quiet, id="other")
    for day in range(12):
        # It changes each day for a while, and then no more.
        monkeypatch.setattr(Titled, "title", f"as of {min(day, 5)}")
        assert go(other).changed == (30 if 0 < day <= 5 else 0)
        clock.forward(minutes=5)
        run = go(quiet)
        assert (run.changed, run.unchanged) == (0, 30)
        assert run.status is (TaskStatus.COMPLETED if day <= 9 else TaskStatus.SUSPECT), day
        clock.forward(days=1, minutes=-5)


def test_what_changes_at_another_task_is_no_news_to_one_that_does_not_see_it(
    script: Script, go: Callable[..., Run], clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    quiet = replace(QUIET, normalizer=Titled)
    go(quiet)
    script_of_quiet = replace(quiet, config={"script": "q"})
    install(monkeypatch, "q").per_page = 0
    for day in range(6):
        monkeypatch.setattr(Titled, "title", f"as of {day}")
        assert go(replace(quiet, id="other")).status is TaskStatus.COMPLETED
        clock.forward(days=1)
    assert go(script_of_quiet).status is TaskStatus.SUSPECT


def test_silence_is_a_duration_as_people_write_it() -> None:
    task = create_custom_task("t", "T", "github", expect={"silence": "4d"})
    assert task.expect == Expect(min_records=None, silence=timedelta(days=4))
    with pytest.raises(ConfigError, match="silence"):
        create_custom_task("t", "T", "github", expect={"silence": "0s"})
