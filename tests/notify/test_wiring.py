"""The parts together: a scheduler with files, whose troubles reach the outbox by themselves."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from stoma.errors import SourceGone, StoreUnavailable
from stoma.scheduler.base import Expect, Notify, Task
from stoma.scheduler.loader import Loader
from stoma.scheduler.manager import Scheduler
from tests.support.clock import Clock
from tests.support.scripted import Script, install
from tests.support.waiting import until

YAML = """\
version: 1
presets: []
notify: {targets: {ops: "${env:STOMA_TEST_OPS_URL}"}}
"""


TELL, EXPECT = Notify(after_failures=1), Expect(silence=timedelta(days=3))


@pytest.fixture
def script(monkeypatch: pytest.MonkeyPatch) -> Script:
    return install(monkeypatch)


@pytest.fixture
def scheduler(script: Script, tmp_path: Path, clock: Clock) -> Iterator[Scheduler]:
    (tmp_path / "stoma.yaml").write_text(YAML)
    made = Scheduler(reload=Loader(tmp_path / "stoma.yaml"), clock=clock)
    made.add_task(Task("a", "A", "scripted", config={"script": "s"}, notify=TELL, expect=EXPECT))
    with made:
        yield made


def titles(scheduler: Scheduler) -> list[str]:
    with scheduler.store.database.reader() as reader:
        cursor: Any = reader._connection  # type: ignore[attr-defined]
        return [row[0] for row in cursor.execute("select title from outbox order by id")]


def run(scheduler: Scheduler) -> None:
    task = scheduler.config.tasks["a"]
    made = scheduler.queue(task)
    until(lambda: scheduler.store.runs.get(made.id).status.is_final)


def test_a_source_that_is_gone_and_back(scheduler: Scheduler, script: Script) -> None:
    def gone(number: int, collection: object) -> None:
        raise SourceGone("410 Gone", status=410)

    script.before_page = gone
    run(scheduler)
    assert titles(scheduler) == ["a has lost its source"]
    script.before_page = lambda number, collection: None
    run(scheduler)
    assert titles(scheduler)[1:] == ["a works again"]


def test_a_run_that_brings_too_little_and_then_nothing_new(
    scheduler: Scheduler, script: Script, clock: Clock
) -> None:
    run(scheduler)
    clock.forward(days=1)
    many, script.per_page = script.per_page, 0
    run(scheduler)
    assert titles(scheduler) == ["a brought suspiciously little"]
    script.per_page = many
    clock.forward(days=3)
    run(scheduler)
    assert titles(scheduler)[1:] == ["a brings nothing new any more"]
    script.per_page = many + 1
    run(scheduler)
    assert titles(scheduler)[2:] == ["a works again"]


def test_a_broken_file_that_stays_broken(scheduler: Scheduler, tmp_path: Path, clock: Clock) -> None:
    (tmp_path / "stoma.yaml").write_text(YAML + "taks: {}\n")
    scheduler.rescan()
    for _ in range(2):
        scheduler._watch()
        clock.forward(minutes=1)
    assert titles(scheduler) == ["The configuration is rejected"]
    (tmp_path / "stoma.yaml").write_text(YAML + "# mended\n")
    scheduler.rescan()
    scheduler._watch()
    assert titles(scheduler)[1:] == ["The configuration is in order again"]


def test_a_beat_that_fails_is_a_trouble_of_the_store(
    scheduler: Scheduler, monkeypatch: pytest.MonkeyPatch
) -> None:
    trouble = scheduler.notifier._store_trouble

    def full(*given: object) -> None:
        raise StoreUnavailable("the disk is full")

    with monkeypatch.context() as patch:
        patch.setattr(scheduler.heartbeat, "beat", full)
        with pytest.raises(StoreUnavailable):
            scheduler.beat()
        assert trouble._failure is not None
    scheduler.beat()
    assert trouble._failure is None


def test_who_is_told_comes_into_force_with_the_file(scheduler: Scheduler, tmp_path: Path) -> None:
    edited = YAML.replace("ops:", "team:")
    (tmp_path / "stoma.yaml").write_text(edited)
    scheduler.rescan()
    assert list(scheduler.config.targets) == ["team"]
    assert scheduler.restart_needed == []


def test_the_notifier_knows_whether_the_loop_turns(scheduler: Scheduler) -> None:
    still = scheduler.notifier._still()
    assert still is not None
    assert 0 <= still < 30
    scheduler.stop()
    assert scheduler.notifier._still() is None


def test_a_broken_file_whose_name_is_no_text_is_told_everywhere(
    scheduler: Scheduler, tmp_path: Path, clock: Clock
) -> None:
    (tmp_path / "tasks").mkdir()
    try:
        (tmp_path / "tasks" / "x\udcff.yaml").write_text("tasks: {a: 1}\n")
    except OSError:
        pytest.skip("this file system takes text alone")
    scheduler.rescan()
    scheduler.beat()
    for _ in range(2):
        scheduler._watch()
        clock.forward(minutes=1)
    assert titles(scheduler) == ["The configuration is rejected"]
    scheduler.heartbeat.leave(scheduler.runner, None)
    assert "x?.yaml" in (tmp_path / "scheduler_state.json").read_text()
