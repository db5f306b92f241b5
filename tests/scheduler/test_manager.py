"""The scheduler as a whole: what is due runs, what runs is stored, edits are taken up, and it stops in order."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from time import monotonic
from typing import Any

import psutil
import pytest
from psycopg import OperationalError

from stoma.errors import ConfigError, NotFound, SchedulerRunning, StoreUnavailable
from stoma.scheduler import inforce
from stoma.scheduler.base import Dependency, Schedule, Task, TaskPriority, TaskStatus
from stoma.scheduler.config import Config, create_custom_task, load_config
from stoma.scheduler.manager import Scheduler
from stoma.stores.runs import End
from tests.support import postgres
from tests.support.clock import Clock
from tests.support.scripted import Script, install
from tests.support.waiting import state_file, until

HOUR = timedelta(hours=1)


@pytest.fixture
def script(monkeypatch: pytest.MonkeyPatch) -> Script:
    return install(monkeypatch)


def task(task_id: str = "t", **more: Any) -> Task:
    given = {"config": {"script": "s"}, "schedule": (Schedule("hourly"),), **more}
    return Task(task_id, task_id, "scripted", **given)


def config(*tasks: Task, url: str = "sqlite:///stoma.db", **more: Any) -> Config:
    return Config(base=Path.cwd(), store_url=url, tasks={t.id: t for t in tasks}, **more)


@pytest.fixture
def ticking(url: str, clock: Clock, script: Script) -> Iterator[Any]:
    """A scheduler that ticks when the test says so, by the test's clock."""
    made: list[Scheduler] = []

    def make(*tasks: Task, **more: Any) -> Scheduler:
        scheduler = Scheduler(config(*tasks, url=url, **more), clock=clock)
        scheduler.take_up(clock.now)
        made.append(scheduler)
        return scheduler

    yield make
    for scheduler in made:
        scheduler.stop()


def triggers(scheduler: Scheduler, task_id: str = "t") -> list[str]:
    return [run.trigger for run in reversed(scheduler.store.runs.history(task_id))]


def work_off(scheduler: Scheduler) -> None:
    """End every run that may start, as if it had been carried out."""
    store, now = scheduler.store, scheduler.store.now()
    while (run := store.runs.claim("test", now, now + HOUR)) is not None:
        store.runs.end(run, End(TaskStatus.COMPLETED), now)


def test_each_due_instant_becomes_one_run(ticking: Any, clock: Clock) -> None:
    scheduler = ticking(task())
    assert scheduler.tick(clock.now) == []
    for _ in range(3):
        clock.forward(hours=1)
        scheduler.tick(clock.now)
        assert scheduler.tick(clock.now) == []
        work_off(scheduler)
    assert triggers(scheduler) == [f"at:2026-03-01T{hour}:00:00Z" for hour in (13, 14, 15)]


def test_two_schedulers_make_one_run(ticking: Any, clock: Clock, url: str) -> None:
    if url.startswith("sqlite"):
        pytest.skip("one scheduler for a SQLite file")
    first, second = ticking(task()), ticking(task())
    clock.forward(hours=1)
    assert len(first.tick(clock.now) + second.tick(clock.now)) == 1
    assert first.task("t").next_run == second.task("t").next_run == clock.now + HOUR


def test_a_restart_accounts_for_the_time_between(ticking: Any, clock: Clock) -> None:
    before = ticking(task())
    before.store.close()
    clock.forward(hours=5, minutes=30)
    scheduler = ticking(task())
    scheduler.tick(clock.now)
    assert triggers(scheduler) == ["at:2026-03-01T17:00:00Z"]
    [skip] = scheduler.store.agenda.skips("t")
    assert (skip["count"], skip["reason"]) == (4, "merged")
    assert skip["last"] == datetime(2026, 3, 1, 16, tzinfo=UTC)


def test_what_is_switched_off_is_skipped_and_stays_off(ticking: Any, clock: Clock) -> None:
    scheduler = ticking(task())
    scheduler.enable("t", False)
    clock.forward(hours=1)
    assert scheduler.tick(clock.now) == []
    [skip] = scheduler.store.agenda.skips("t")
    assert skip["reason"] == "disabled"
    assert scheduler.task("t").enabled is False
    assert scheduler.task("t").next_run is None
    again = ticking(task())
    assert again.task("t").enabled is False
    again.enable("t", True)
    assert again.tick(clock.now) == []
    clock.forward(hours=1)
    assert len(again.tick(clock.now)) == 1


def test_what_is_blocked_is_skipped_with_its_reason(ticking: Any, clock: Clock) -> None:
    scheduler = ticking(task(config={"script": "${env:STOMA_NOT_SET}"}))
    clock.forward(hours=1)
    assert scheduler.tick(clock.now) == []
    [skip] = scheduler.store.agenda.skips("t")
    assert skip["reason"] == "blocked"
    assert "STOMA_NOT_SET" in skip["detail"]
    assert "STOMA_NOT_SET" in (scheduler.task("t").blocked or "")


def test_a_store_that_fails_loses_no_instant(
    ticking: Any, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    from stoma.scheduler import settling

    scheduler = ticking(task("a"), task("b"))
    clock.forward(hours=1)
    real, calls = settling.account, []

    def fail_second(*args: Any) -> Any:
        calls.append(1)
        if len(calls) == 2:
            raise OSError("disk gone")
        return real(*args)

    monkeypatch.setattr(settling, "account", fail_second)
    with pytest.raises(OSError, match="disk gone"):
        scheduler.tick(clock.now)
    assert scheduler.store.runs.history() == []
    assert len(scheduler.tick(clock.now)) == 2


def test_a_pause_holds_everything_and_fires_nothing_later(ticking: Any, clock: Clock) -> None:
    scheduler = ticking(task())
    scheduler.pause()
    clock.forward(hours=2)
    assert scheduler.tick(clock.now) == []
    clock.forward(hours=2)
    # Resumed before the tick that would have settled what fell due meanwhile.
    scheduler.resume()
    assert scheduler.tick(clock.now) == []
    [skip] = scheduler.store.agenda.skips("t")
    assert (skip["reason"], skip["count"]) == ("paused", 4)
    clock.forward(hours=1)
    assert len(scheduler.tick(clock.now)) == 1


def test_switching_on_while_nothing_runs_fires_nothing_old(ticking: Any, clock: Clock) -> None:
    before = ticking(task())
    before.enable("t", False)
    before.store.close()
    clock.forward(hours=5)
    again = ticking(task())
    again.enable("t", True)
    assert again.tick(clock.now) == []
    [skip] = again.store.agenda.skips("t")
    assert (skip["reason"], skip["count"]) == ("disabled", 5)


def test_switching_on_what_is_on_changes_nothing(ticking: Any, clock: Clock) -> None:
    scheduler = ticking(task())
    clock.forward(hours=1)
    scheduler.enable("t", True)
    assert len(scheduler.tick(clock.now)) == 1


def test_one_run_waits_behind_the_one_under_way(ticking: Any, clock: Clock) -> None:
    scheduler = ticking(task(overlap="queue"))
    for _ in range(5):
        clock.forward(hours=1)
        scheduler.tick(clock.now)
    assert len(scheduler.store.runs.open_of("t")) == 2
    [skip] = scheduler.store.agenda.skips("t")
    assert (skip["reason"], skip["count"]) == ("overlap", 3)


def test_what_was_switched_off_in_its_file_begins_anew(ticking: Any, clock: Clock) -> None:
    before = ticking(task(enabled=False))
    before.store.close()
    clock.forward(hours=5)
    again = ticking(task())
    assert again.tick(clock.now) == []
    clock.forward(hours=1)
    assert len(again.tick(clock.now)) == 1


def test_what_is_switched_off_tries_no_more(ticking: Any, clock: Clock) -> None:
    scheduler = ticking(task())
    clock.forward(hours=1)
    scheduler.tick(clock.now)
    run = scheduler.store.runs.claim("test", clock.now, clock.now + HOUR)
    later = clock.now + HOUR
    scheduler.store.runs.end(run, End(TaskStatus.PENDING, "waiting", "trouble", later), clock.now)
    by_hand = scheduler.queue(scheduler.config.tasks["t"])
    scheduler.enable("t", False)
    ended = scheduler.store.runs.get(run.id)
    assert (ended.status, ended.reason) == (TaskStatus.CANCELLED, "its task was switched off")
    assert ended.not_before is None
    assert scheduler.store.runs.get(by_hand.id).status is TaskStatus.PENDING


def test_a_switch_that_a_wrong_clock_set_holds_up_nothing(ticking: Any, clock: Clock) -> None:
    scheduler = ticking(task("a"), task("b"))
    real = clock.now
    clock.forward(days=30)
    scheduler.pause()
    scheduler.resume()
    scheduler.enable("b", False)
    scheduler.enable("b", True)
    clock.now = real + timedelta(minutes=10)
    scheduler._watch_clock(real + timedelta(days=30))
    scheduler._watch_clock(clock.now)
    clock.forward(hours=1)
    assert len(scheduler.tick(clock.now)) == 2


def test_a_wait_that_a_wrong_clock_wrote_is_over(ticking: Any, clock: Clock) -> None:
    scheduler = ticking(task())
    real = clock.now
    scheduler.queue(scheduler.config.tasks["t"])
    clock.forward(days=2)
    run = scheduler.store.runs.claim("test", clock.now, clock.now + HOUR)
    later = clock.now + HOUR
    scheduler.store.runs.end(run, End(TaskStatus.PENDING, "waiting", "trouble", later), clock.now)
    scheduler._watch_clock(clock.now)
    clock.now = real
    scheduler._watch_clock(clock.now)
    assert scheduler.store.runs.claim("test", clock.now, clock.now + HOUR) is not None


def test_a_condition_is_asked_at_the_due_instant(ticking: Any, clock: Clock) -> None:
    scheduler = ticking(task(when="hour != 14", overlap="queue", timezone="Europe/Berlin"))
    for _ in range(3):
        clock.forward(hours=1)
        scheduler.tick(clock.now)
    assert triggers(scheduler) == ["at:2026-03-01T14:00:00Z", "at:2026-03-01T15:00:00Z"]
    [skip] = scheduler.store.agenda.skips("t")
    assert (skip["reason"], skip["first"].hour) == ("condition", 13)
    assert "hour != 14" in skip["detail"]
    assert "hour=14" in skip["detail"]


def test_a_condition_costs_one_span_after_a_long_time_off(ticking: Any, clock: Clock) -> None:
    scheduler = ticking(task(when="hour > 24"))
    clock.forward(hours=12)
    scheduler.tick(clock.now)
    spans = scheduler.store.agenda.skips("t")
    assert [(span["reason"], span["count"]) for span in reversed(spans)] == [
        ("condition", 11),
        ("condition", 1),
    ]


def test_days_off_and_jitter_reach_the_rows(ticking: Any, clock: Clock) -> None:
    schedule = Schedule("hourly", jitter=timedelta(minutes=20), skip=("2026-03-01",))
    scheduler = ticking(task(schedule=(schedule,), overlap="queue"))
    clock.forward(hours=12)
    clock.forward(minutes=5)
    scheduler.tick(clock.now)
    [run] = scheduler.store.runs.history("t")
    assert run.trigger == "at:2026-03-02T00:00:00Z"
    [span] = scheduler.store.agenda.skips("t")
    assert (span["reason"], span["count"], span["detail"]) == ("holiday", 11, "2026-03-01")


def test_a_long_time_off_costs_one_row_for_each_task(ticking: Any, clock: Clock) -> None:
    minutely = [task(f"t{n}", schedule=(Schedule("interval_1m"),)) for n in range(50)]
    scheduler = ticking(*minutely)
    clock.forward(hours=12)
    scheduler.tick(clock.now)
    with scheduler.store.database.transaction() as tx:
        spans = [span for t in minutely for span in tx.all("skips_of_task", task_id=t.id, limit=10)]
    assert len(spans) == 50
    assert {span["count"] for span in spans} == {719}


# -- running for real --------------------------------------------------------------------------------------------


@pytest.fixture
def running(url: str, script: Script) -> Iterator[Any]:
    made: list[Scheduler] = []

    def make(*tasks: Task, **more: Any) -> Scheduler:
        given = config(*tasks, url=url, **more) if tasks or more else more
        scheduler = Scheduler(given)
        made.append(scheduler)
        scheduler.start()
        return scheduler

    yield make
    script.hanging.set()
    for scheduler in made:
        scheduler.stop(1)


def test_a_run_asked_for_is_followed(running: Any) -> None:
    scheduler = running(task())
    run = scheduler.run_task_now("t").result(20)
    assert (run.status, run.new) == (TaskStatus.COMPLETED, 30)
    state = scheduler.task("t")
    assert state.status == TaskStatus.COMPLETED
    assert state.last_run == run.started_at
    assert state.next_run is not None
    assert state.next_run > datetime.now(UTC)


def test_a_handle_can_be_awaited_as_the_mission_writes_it(running: Any) -> None:
    scheduler = running(task("primary_task_id"), task("secondary_task_id"))

    async def main() -> Any:
        await scheduler.run_task_now("primary_task_id")
        primary_task = scheduler.task("primary_task_id")
        if primary_task.status == TaskStatus.COMPLETED:
            return await scheduler.run_task_now("secondary_task_id")
        return None

    run = asyncio.run(main())
    assert (run.task_id, run.status) == ("secondary_task_id", TaskStatus.COMPLETED)


def test_a_chain_runs_by_itself(running: Any) -> None:
    first = Task("a", "a", "scripted", config={"script": "s"})
    follower = replace(first, id="b", after=(Dependency("a"),))
    last = replace(first, id="c", after=(Dependency("b"),))
    scheduler = running(first, follower, last)
    scheduler.run_task_now("a").result(20)
    until(lambda: scheduler.task("c").status == TaskStatus.COMPLETED)
    assert [run.task_id for run in scheduler.store.runs.history()] == ["c", "b", "a"]


def test_a_running_run_is_cancelled(running: Any, script: Script) -> None:
    script.before_page = lambda number, collection: number == 1 and script.hanging.wait(20)
    scheduler = running(task())
    handle = scheduler.run_task_now("t")
    until(lambda: len(script.asked) == 2)
    run = scheduler.store.runs.last_of("t")
    scheduler.cancel(run.id)
    until(lambda: all(entry.control.stopping.is_set() for entry in scheduler.runner.working))
    script.hanging.set()
    assert handle.result(10).status is TaskStatus.CANCELLED
    assert scheduler.retry(run.id).status is TaskStatus.PENDING
    until(lambda: scheduler.task("t").status == TaskStatus.COMPLETED)


def test_a_paused_scheduler_starts_nothing(running: Any, script: Script) -> None:
    scheduler = running(task())
    scheduler.pause()
    handle = scheduler.run_task_now("t")
    with pytest.raises(TimeoutError):
        handle.result(0.5)
    assert script.asked == []
    scheduler.resume()
    assert handle.result(20).status is TaskStatus.COMPLETED


def test_a_task_runs_without_a_started_scheduler(url: str, script: Script) -> None:
    scheduler = Scheduler(config(task(), url=url))
    assert scheduler.run_task_now("t").result(20).status is TaskStatus.COMPLETED
    scheduler.stop()


def test_tasks_can_be_added_in_python(running: Any, script: Script) -> None:
    scheduler = running(task())
    custom = create_custom_task(
        task_id="custom_ai_research",
        name="Custom AI research",
        collector_type="arxiv",
        collector_config={"search_query": "cat:cs.AI", "max_results": 5},
        schedule_pattern="daily_at_10:30",
        priority=TaskPriority.HIGH,
    )
    scheduler.add_task(custom)
    assert scheduler.config.tasks["custom_ai_research"].origin == "python"
    assert scheduler.task("custom_ai_research").next_run is not None
    assert scheduler.run_task_now("t").result(20).status is TaskStatus.COMPLETED
    with pytest.raises(ConfigError, match="already"):
        scheduler.add_task(custom)


def test_unknown_tasks_are_told_with_the_nearest_name(running: Any) -> None:
    scheduler = running(task("papers"))
    with pytest.raises(NotFound) as caught:
        scheduler.run_task_now("paper")
    assert "papers" in caught.value.hint


def test_one_scheduler_for_a_sqlite_file(script: Script) -> None:
    with Scheduler(config(task())):
        second = Scheduler(config(task()))
        with pytest.raises(SchedulerRunning, match="a scheduler already works on"):
            second.start()
        second.stop()
    with Scheduler(config(task())):
        pass


def test_run_on_start(running: Any) -> None:
    scheduler = running(task(run_on_start=True))
    until(lambda: scheduler.task("t").status is TaskStatus.COMPLETED)
    [run] = scheduler.store.runs.history()
    assert run.reason is None or run.trigger.startswith("hand:")


def test_the_state_file_tells_how_things_stand(running: Any, tmp_path: Path) -> None:
    scheduler = running(task())
    state = state_file(tmp_path)
    assert (state["running"], state["generation"], state["errors"]) == (True, 1, [])
    assert [entry["id"] for entry in state["tasks"]] == ["t"]
    scheduler.stop()
    assert state_file(tmp_path)["running"] is False


def test_the_state_file_can_lie_elsewhere(
    script: Script, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("STOMA_DATA", str(tmp_path / "data"))
    with Scheduler(config(task())):
        state_file(tmp_path / "data")
        assert (tmp_path / "data" / "stoma.db").exists()


def test_stopping_with_a_thread_that_hangs(running: Any, script: Script) -> None:
    script.before_page = lambda number, collection: script.hanging.wait(30)  # type: ignore[assignment, return-value]
    scheduler = running(task())
    scheduler.queue(scheduler.config.tasks["t"])
    until(lambda: script.asked)
    began = monotonic()
    scheduler.stop(1)
    assert monotonic() - began < 5


def test_a_run_cut_off_continues_after_a_restart(running: Any, script: Script) -> None:
    reached = threading.Event()

    def wait_on_second(number: int, collection: Any) -> None:
        if number == 1 and not reached.is_set():
            reached.set()
            until(lambda: first._stopping.is_set(), 20)

    script.before_page = wait_on_second
    first = running(task())
    run = first.queue(first.config.tasks["t"])
    assert reached.wait(20)
    first.stop()
    script.asked.clear()
    second = running(task())
    until(lambda: second.store.runs.get(run.id).status is TaskStatus.COMPLETED)
    assert script.asked == [1, 2]
    assert second.store.records.count() == 30


# -- edited files ------------------------------------------------------------------------------------------------

PAPERS = """\
version: 1
presets: []
store: {{url: "{url}"}}
tasks:
  papers:
    collector: arxiv
    config: {{search_query: "cat:cs.LG"}}
    schedule: {schedule}
"""


@pytest.fixture
def edited(url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Scheduler]:
    # That files are missed for a moment first is told in test_reload.py.
    monkeypatch.setattr(inforce, "MISSING_SECONDS", 0)
    (tmp_path / "stoma.yaml").write_text(PAPERS.format(url=url, schedule="hourly"))
    scheduler = Scheduler()
    with scheduler:
        yield scheduler


def write(tmp_path: Path, name: str, text: str) -> None:
    (tmp_path / name).parent.mkdir(exist_ok=True)
    (tmp_path / name).write_text(text)


MORE = "tasks:\n  more:\n    collector: arxiv\n    config: {search_query: all}\n    schedule: daily\n"


def test_a_new_file_is_taken_up_within_seconds(edited: Scheduler, tmp_path: Path) -> None:
    write(tmp_path, "tasks/more.yaml", MORE)
    until(lambda: "more" in edited.config.tasks)
    assert edited.generation == 2
    assert edited.task("more").next_run is not None
    (tmp_path / "tasks/more.yaml").unlink()
    until(lambda: "more" not in edited.config.tasks)


def test_an_unchanged_task_keeps_its_next_instant(edited: Scheduler, tmp_path: Path) -> None:
    before = edited.store.agenda.accounted()["papers"]
    write(tmp_path, "tasks/more.yaml", MORE)
    edited.rescan()
    assert edited.store.agenda.accounted()["papers"] == before
    assert edited.generation == 2


def test_a_broken_edit_changes_nothing_until_it_is_mended(
    edited: Scheduler, tmp_path: Path, url: str
) -> None:
    good = (tmp_path / "stoma.yaml").read_text()
    write(tmp_path, "stoma.yaml", good.replace("schedule:", "shedule:"))
    edited.rescan()
    [problem] = edited.errors
    assert problem.line == 8
    assert "shedule" in problem.message
    assert edited.task("papers").next_run is not None
    assert edited.generation == 1
    edited.beat()
    state = state_file(tmp_path, lambda state: state["errors"])
    assert state["errors"][0]["line"] == 8
    write(tmp_path, "stoma.yaml", good)
    edited.rescan()
    assert edited.errors == []
    assert edited.generation == 1


def test_open_runs_of_a_removed_task_are_cancelled(edited: Scheduler, tmp_path: Path) -> None:
    write(tmp_path, "tasks/more.yaml", MORE)
    edited.rescan()
    later = edited.store.now() + HOUR
    from stoma.scheduler.parts import hand_run

    run = edited.store.runs.add(
        hand_run(edited.config.tasks["more"]), edited.store.now(), owner="x", lease_until=later
    )
    (tmp_path / "tasks/more.yaml").unlink()
    edited.rescan()
    assert edited.store.runs.get(run.id).status is TaskStatus.CANCELLED


def test_the_generation_is_that_of_the_files_in_force(edited: Scheduler, tmp_path: Path) -> None:
    assert load_config(tmp_path / "stoma.yaml").hash == edited.config.hash


def test_an_edit_that_meets_a_failing_store_is_taken_up_later(
    edited: Scheduler, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patch:
        patch.setattr(
            edited.store.agenda, "adopt", lambda *_: (_ for _ in ()).throw(StoreUnavailable("gone"))
        )
        write(tmp_path, "tasks/more.yaml", MORE)
        with pytest.raises(StoreUnavailable):
            edited.rescan()
    until(lambda: edited.ticker.next_run("more") is not None)


def test_a_reload_that_breaks_in_any_way_is_an_error_that_stays(
    edited: Scheduler, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def load(*_: object) -> None:
        raise NotFound('unknown preset "mine"')

    monkeypatch.setattr(edited._in_force, "_load", load)
    write(tmp_path, "tasks/more.yaml", MORE)
    edited.rescan()
    assert [problem.message for problem in edited.errors] == ['unknown preset "mine"']
    assert list(edited.config.tasks) == ["papers"]


def test_a_clock_that_was_ahead_stalls_nothing(ticking: Any, clock: Clock) -> None:
    scheduler = ticking(task())
    right = clock.now
    clock.forward(days=100)
    scheduler._watch_clock(clock.now)
    assert len(scheduler.tick(clock.now)) == 1
    work_off(scheduler)
    clock.now = right + timedelta(minutes=10)
    scheduler._watch_clock(clock.now)
    assert scheduler.task("t").next_run == right + HOUR
    clock.now = right + HOUR
    assert len(scheduler.tick(clock.now)) == 1
    work_off(scheduler)
    # Also where the clock was put right while nothing ran.
    clock.forward(days=100)
    scheduler.tick(clock.now)
    work_off(scheduler)
    clock.now = right + 2 * HOUR
    again = ticking(task())
    clock.forward(hours=1)
    assert len(again.tick(clock.now)) == 1


def test_a_task_that_was_away_begins_anew(edited: Scheduler, tmp_path: Path) -> None:
    write(tmp_path, "tasks/more.yaml", MORE)
    edited.rescan()
    (tmp_path / "tasks/more.yaml").unlink()
    edited.rescan()
    assert edited.store.agenda.accounted()["more"]["removed_at"] is not None
    write(tmp_path, "tasks/more.yaml", MORE)
    edited.rescan()
    row = edited.store.agenda.accounted()["more"]
    assert row["removed_at"] is None
    assert row["valid_since"] == row["accounted_until"]


def test_no_instant_falls_between_two_schedules(
    url: str, clock: Clock, tmp_path: Path, script: Script
) -> None:
    (tmp_path / "stoma.yaml").write_text(PAPERS.format(url=url, schedule="hourly"))
    scheduler = Scheduler(clock=clock)
    scheduler.take_up(clock.now)
    clock.forward(hours=1, seconds=1)
    # The tick has not come yet when the edit is taken up.
    (tmp_path / "stoma.yaml").write_text(PAPERS.format(url=url, schedule="daily"))
    scheduler.rescan()
    assert triggers(scheduler, "papers") == ["at:2026-03-01T13:00:00Z"]
    assert scheduler.task("papers").next_run == datetime(2026, 3, 2, tzinfo=UTC)
    scheduler.stop()


def test_a_node_with_another_schedule_settles_nothing_of_this_one(
    ticking: Any, clock: Clock, url: str
) -> None:
    if url.startswith("sqlite"):
        pytest.skip("one scheduler for a SQLite file")
    behind = ticking(task(schedule=(Schedule("daily_at_13:30"),)))
    ahead = ticking(task())
    clock.forward(hours=1, minutes=45)
    assert behind.tick(clock.now) == []
    assert len(ahead.tick(clock.now)) == 1


def test_stopping_does_not_wait_for_a_dead_database(script: Script) -> None:
    server = postgres.start(postgres.binaries())
    # Its end would drop the database, and there is no server then.
    with suppress(OperationalError), server.fresh_database() as url:
        scheduler = Scheduler(config(task(), url=url))
        scheduler.start()
        server.stop()
        began = monotonic()
        scheduler.stop()
        assert monotonic() - began < 10


def test_a_mended_file_is_noticed_that_nothing_in_force_names(edited: Scheduler, tmp_path: Path) -> None:
    good = (tmp_path / "stoma.yaml").read_text()
    write(tmp_path, "jobs/more.yaml", MORE.replace("schedule", "shedule"))
    write(tmp_path, "stoma.yaml", good.replace("presets: []", 'presets: []\ninclude: ["jobs/*.yaml"]'))
    edited.rescan()
    assert "shedule" in edited.errors[0].message
    write(tmp_path, "jobs/more.yaml", MORE)
    edited.rescan()
    assert edited.errors == []
    assert "more" in edited.config.tasks


def test_edited_budgets_and_contact_are_used_by_the_next_run(edited: Scheduler, tmp_path: Path) -> None:
    good = (tmp_path / "stoma.yaml").read_text()
    more = 'presets: []\nhosts: {example.org: {gap: 10s}}\nidentity: {contact: "me@example.org"}'
    write(tmp_path, "stoma.yaml", good.replace("presets: []", more))
    edited.rescan()
    assert edited.runner._around.hosts["example.org"].gap == timedelta(seconds=10)
    assert edited.runner._around.contact == "me@example.org"


def test_a_task_that_was_away_while_nothing_ran_begins_anew(ticking: Any, clock: Clock) -> None:
    ticking(task("t"), task("other"))
    clock.forward(days=1)
    ticking(task("other"))
    clock.forward(days=6)
    back = ticking(task("t"), task("other"))
    assert [run.task_id for run in map(back.store.runs.get, back.tick(clock.now))] == ["other"]
    assert back.store.agenda.skips("t") == []


def test_nothing_is_claimed_once_it_is_asked_to_stop(running: Any, script: Script) -> None:
    scheduler = running(*(task(f"t{number}") for number in range(20)), max_concurrent_tasks=1)
    script.before_page = lambda number, collection: scheduler.runner.ask_to_stop()
    scheduler.queue_all("test")
    until(lambda: scheduler.runner.busy == 0 and script.asked)
    assert len({collection.task_id for collection in script.collections}) == 1


def test_stopping_does_not_wait_for_a_frozen_database(script: Script) -> None:
    server = postgres.start(postgres.binaries())
    with suppress(OperationalError), server.fresh_database() as url:
        scheduler = Scheduler(config(task(), url=url))
        scheduler.start()
        frozen = [
            psutil.Process(server.process.pid),
            *psutil.Process(server.process.pid).children(recursive=True),
        ]
        for process in frozen:
            process.suspend()
        began = monotonic()
        try:
            scheduler.stop()
            assert monotonic() - began < 10
        finally:
            for process in frozen:
                process.resume()
        server.stop()


def test_the_log_of_a_run_is_kept(running: Any) -> None:
    scheduler = running(task())
    run = scheduler.run_task_now("t").result(20)
    until(lambda: scheduler.store.logs.of_run(run.id))
    [line] = [line for line in scheduler.store.logs.of_run(run.id) if "completed" in line.message]
    assert "30 new" in line.message
