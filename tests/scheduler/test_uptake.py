"""Only what differs is told to the agenda, the ticker and the hosts."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from stoma.log import set_up
from stoma.scheduler.base import Task, TaskStatus
from stoma.scheduler.inforce import AWAY_SECONDS
from stoma.scheduler.manager import Scheduler
from stoma.stores.nodes import Node
from tests.support.clock import Clock


def text(*tasks: str) -> str:
    return "presets: []\ntasks:\n" + "".join(f"  {task}\n" for task in tasks)


def task(task_id: str, schedule: str = "hourly", **config: str) -> str:
    inside = "".join(f", {key}: {value!r}" for key, value in config.items())
    return f"{task_id}: {{collector: arxiv, config: {{search_query: x{inside}}}, schedule: {schedule}}}"


class Told:
    """What was told to the parts."""

    def __init__(self, scheduler: Scheduler, patch: pytest.MonkeyPatch) -> None:
        self.adopted: list[list[str]] = []
        self.removed: list[list[str]] = []
        self.known: list[list[str]] = []
        self.loads = 0
        agenda, hosts, ticker = scheduler.store.agenda, scheduler.store.hosts, scheduler.ticker
        adopt, remove, know, load = agenda.adopt, agenda.remove, hosts.know, ticker.load

        def loaded(*given: Any) -> None:
            self.loads += 1
            load(*given)

        patch.setattr(
            agenda, "adopt", lambda given, now: (self.adopted.append([*given]), adopt(given, now))[1]
        )
        patch.setattr(agenda, "remove", lambda ids, now: (self.removed.append([*ids]), remove(ids, now))[1])
        patch.setattr(hosts, "know", lambda given: (self.known.append([*given]), know(given))[1])
        patch.setattr(ticker, "load", loaded)


@pytest.fixture
def scheduler(tmp_path: Path, url: str, clock: Clock) -> Iterator[Scheduler]:
    (tmp_path / "stoma.yaml").write_text(text(task("a"), task("b"), task("c")) + f'store: {{url: "{url}"}}\n')
    made = Scheduler(clock=clock)
    made.take_up(clock.now)
    yield made
    made.stop()


@pytest.fixture
def told(scheduler: Scheduler, monkeypatch: pytest.MonkeyPatch) -> Told:
    return Told(scheduler, monkeypatch)


def edit(scheduler: Scheduler, *tasks: str, more: str = "") -> None:
    path = scheduler.config.base / "stoma.yaml"
    store = next(line for line in path.read_text().splitlines() if line.startswith("store:"))
    path.write_text(f"{text(*tasks)}{store}\n{more}")
    scheduler.rescan()


def away(scheduler: Scheduler) -> None:
    """Let the tasks go that were away."""
    for task_id in scheduler._in_force._away:
        scheduler._in_force._away[task_id] -= AWAY_SECONDS
    scheduler.rescan()


def test_half_a_file_costs_nothing(scheduler: Scheduler, told: Told, clock: Clock) -> None:
    run = scheduler.queue(scheduler.config.tasks["b"])
    due = scheduler.ticker.next_run("b")
    assert due is not None
    edit(scheduler, task("a"))
    clock.forward(seconds=(due - clock.now).total_seconds())
    made = scheduler.tick(clock.now)
    assert {scheduler.store.runs.get(run_id).task_id for run_id in made} >= {"a"}
    edit(scheduler, task("a"), task("b"), task("c"))
    away(scheduler)
    assert (told.adopted, told.removed) == ([], [])
    assert scheduler.store.runs.get(run.id).status is TaskStatus.PENDING
    # What was due in between is accounted for: it lies in a skip, for one run waits already.
    assert scheduler.store.agenda.accounted()["b"]["accounted_until"] == clock.now
    assert scheduler.store.agenda.skips("b")[0]["first"] == due


@pytest.mark.parametrize("others", [False, True])
def test_what_another_node_may_still_declare_is_left_alone(
    scheduler: Scheduler, clock: Clock, others: bool
) -> None:
    run = scheduler.queue(scheduler.config.tasks["b"])
    if others:
        owner = "elsewhere/boot/1/7/7"
        node = Node(owner, "elsewhere", 7, "1", None, "0", 1, clock.now, {})
        scheduler.store.nodes.beat(node, clock.now)
    edit(scheduler, task("a"), task("c"))
    away(scheduler)
    assert set(scheduler.config.tasks) == {"a", "c"}
    assert scheduler.ticker.next_run("b") is None
    status = TaskStatus.PENDING if others else TaskStatus.CANCELLED
    assert scheduler.store.runs.get(run.id).status is status
    assert (scheduler.store.agenda.accounted()["b"]["removed_at"] is None) is others
    # Nor does a start take away what is not declared here.
    scheduler.take_up(clock.now)
    assert (scheduler.store.agenda.accounted()["b"]["removed_at"] is None) is others


def test_a_password_that_is_written_out_is_told(
    scheduler: Scheduler, capsys: pytest.CaptureFixture[str]
) -> None:
    set_up("WARNING")
    address = "http://me:{}@127.0.0.1:9/"
    edit(scheduler, task("a", base_url=address.format("hunter2")), task("b"), task("c"))
    told = capsys.readouterr().err
    assert "stoma.yaml:3:72: an address holds a password" in told
    assert "${env:NAME}" in told
    assert "hunter2" not in told
    edit(scheduler, task("a", base_url=address.format("${env:PASSWORD}")), task("b"), task("c"))
    assert "password" not in capsys.readouterr().err


def test_only_another_schedule_is_adopted(scheduler: Scheduler, told: Told, clock: Clock) -> None:
    before = {task_id: scheduler.ticker.next_run(task_id) for task_id in "abc"}
    clock.forward(minutes=10)
    edit(scheduler, task("a", "daily"), task("b", base_url="http://127.0.0.1:9"), task("c"))
    assert told.adopted == [["a"]]
    assert told.known == [["127.0.0.1"]]
    assert (told.removed, told.loads) == ([], 0)
    assert scheduler.ticker.next_run("a") != before["a"]
    for task_id in "bc":
        assert scheduler.ticker.next_run(task_id) is before[task_id]
    assert scheduler.loaded_at == clock.now


def test_an_edited_default_touches_whom_it_changes(scheduler: Scheduler, told: Told) -> None:
    daily = task("b", "daily").replace("}}", "}, timezone: UTC}")
    edit(scheduler, task("a", "daily"), task("b", "daily"), task("c"))
    told.adopted.clear()
    edit(scheduler, task("a", "daily"), task("b", "daily"), task("c"), more="timezone: Asia/Tokyo\n")
    assert sorted(told.adopted[0]) == ["a", "b", "c"]
    assert daily


def test_tasks_come_go_and_come_back(scheduler: Scheduler, told: Told, clock: Clock) -> None:
    edit(scheduler, task("a"), task("b"), task("c"), task("d"))
    assert (told.adopted, told.removed) == ([["d"]], [])
    edit(scheduler, task("a"), task("b"), task("c"))
    assert told.removed == []
    away(scheduler)
    assert told.removed == [["d"]]
    assert scheduler.ticker.next_run("d") is None
    clock.forward(hours=3)
    edit(scheduler, task("a"), task("b"), task("c"), task("d"))
    assert told.adopted == [["d"], ["d"]]
    assert scheduler.ticker.next_run("d") == clock.now + timedelta(hours=1)
    # Without a schedule it runs by hand only.
    edit(scheduler, task("a"), task("b"), task("c"), task("d").replace(", schedule: hourly", ""))
    assert told.removed == [["d"], ["d"]]
    assert scheduler.ticker.next_run("d") is None
    assert scheduler.store.agenda.accounted()["d"]["removed_at"] is not None


def test_a_store_that_fails_in_between_leaves_nothing_out(
    scheduler: Scheduler, told: Told, monkeypatch: pytest.MonkeyPatch
) -> None:
    from stoma.errors import StoreUnavailable

    def fails(*_: object) -> None:
        raise StoreUnavailable("gone")

    with monkeypatch.context() as patch:
        patch.setattr(scheduler.store.agenda, "adopt", fails)
        with pytest.raises(StoreUnavailable):
            edit(scheduler, task("a", "daily"), task("b"), task("c"))
    scheduler.rescan()
    assert told.adopted == [["a"]]
    with monkeypatch.context() as patch:
        patch.setattr(scheduler.store.files, "keep", fails)
        with pytest.raises(StoreUnavailable):
            edit(scheduler, task("a", "daily"), task("b"), task("c"), more="# said\n")
    scheduler.rescan()
    [main] = scheduler.store.files.of(str(scheduler.config.base)).values()
    assert main[0].endswith("# said\n")


def test_other_budgets_are_told_for_all_hosts(scheduler: Scheduler, told: Told) -> None:
    edit(scheduler, task("a"), task("b"), task("c"), more="hosts: {export.arxiv.org: {concurrency: 3}}\n")
    assert told.known == [["export.arxiv.org"]]
    assert scheduler.runner._around.hosts["export.arxiv.org"].concurrency == 3


def test_a_task_of_this_process_is_taken_up_alone(scheduler: Scheduler, told: Told) -> None:
    from stoma.scheduler.base import Schedule

    scheduler.add_task(Task("mine", "M", "arxiv", schedule=(Schedule("hourly"),)))
    scheduler.rescan()
    assert told.adopted == [["mine"]]
    assert scheduler.ticker.next_run("mine") is not None


def test_after_a_wrong_clock_everything_is_done_anew(scheduler: Scheduler, told: Told, clock: Clock) -> None:
    scheduler.take_up(clock.now)
    assert told.loads == 1
    assert sorted(told.adopted[0]) == ["a", "b", "c"]
