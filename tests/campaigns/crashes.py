"""`kill -9` of a running scheduler at random instants: no due instant is lost, none runs twice to its completion.

    python -m tests.campaigns.crashes --kills 300 --store sqlite
    python -m tests.campaigns.crashes --kills 300 --store postgres

A scheduler process works on tasks that are due every few minutes, with every kind of catch-up and overlap, with jitter,
days off, failures and dependencies; its clock runs sixty times as fast as that of the machine, also while no process
lives. It is killed at a random instant, looked into, and started again. What must hold after each kill:

- up to `accounted_until` each due instant of each task is a run, or lies in one skip whose count is right;
- no run was completed by two attempts, and the runs of a task together have each page of each collection once;
- each completed run of a task that others wait for has led to one run of each of them, or to one skip that says so.

In the end a last process works everything off; then nothing may be open that was due more than some minutes before.
"""

from __future__ import annotations

import argparse
import os
import random
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from tempfile import TemporaryDirectory

from stoma.scheduler.base import (
    CatchUp,
    Dependency,
    Retry,
    Run,
    Schedule,
    Task,
    TaskStatus,
    at_trigger,
)
from stoma.scheduler.timetables import timetables_of
from stoma.stores import Store, open_store

FASTER = 60.0
PAGES, PER_PAGE = 3, 4
BEGIN = datetime(
    2026, 3, 27, 20, tzinfo=UTC
)  # a Friday; in the night from Saturday Berlin's clock goes forward
ENVIRONMENT = os.environ | {"PYTHONPATH": str(Path(__file__).parents[2])}


def tasks() -> dict[str, Task]:
    """One task for each policy, all of them due often."""

    def task(task_id: str, schedule: Schedule | None = None, **more: object) -> Task:
        retry = Retry(count=2, first=timedelta(seconds=20), max=timedelta(minutes=2), jitter=0.2)
        given: dict[str, object] = {"retry": retry, "timezone": "Europe/Berlin", **more}
        schedules = (schedule,) if schedule else ()
        return Task(task_id, task_id, "crashing", config={"name": task_id}, schedule=schedules, **given)  # type: ignore[arg-type]

    every = Schedule("interval_1m")
    made = [
        task("latest", every),
        task("none", every, catch_up=CatchUp("none")),
        task("all", Schedule("interval_5m"), catch_up=CatchUp("all")),
        task(
            "queue",
            Schedule("interval_2m"),
            overlap="queue",
            catch_up=CatchUp("latest", timedelta(minutes=3)),
        ),
        task("cron", Schedule("*/3 * * * *", jitter=timedelta(seconds=40)), overlap="queue"),
        task("days", Schedule("interval_1m", skip=("weekends",))),
        task("even", Schedule("interval_1m"), when="minute % 2 == 0"),
        task("flaky", Schedule("interval_2m")),
        task("second", after=(Dependency("queue"),), overlap="queue"),
        task("third", after=(Dependency("second"), Dependency("flaky", "any"))),
    ]
    return {t.id: t for t in made}


@dataclass
class Report:
    """What a campaign did and saw."""

    kills: int = 0
    instants: int = 0
    runs: int = 0
    skipped: int = 0
    statuses: Counter[str] = field(default_factory=Counter)
    # How many kills met this many runs under way.
    met: Counter[int] = field(default_factory=Counter)
    seconds: float = 0.0


def campaign(folder: Path, url: str, kills: int, seed: int = 0, settle: float = 6.0) -> Report:
    """Kill `kills` times and check each time; the last process has `settle` seconds. Raises AssertionError."""
    chance, report, began = random.Random(seed), Report(), time.time()
    (folder / "began").write_text(repr(began))
    for _ in range(kills):
        process = start(folder, url)
        try:
            process.wait(chance.uniform(0.7, 2.4))
            raise AssertionError("the scheduler ended by itself")
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
        report.kills += 1
        if chance.random() < 0.1:
            time.sleep(chance.uniform(0.5, 3))  # down for half a minute to three
        with open_store(url, folder) as store:
            report.met[len(store.runs.running())] += 1
            check(store, report)
    last = start(folder, url)
    try:
        time.sleep(settle)
        last.send_signal(signal.SIGTERM)
        last.wait(15)
    finally:
        last.kill()
        last.wait()
    with open_store(url, folder) as store:
        check(store, report)
        now = BEGIN + timedelta(seconds=(time.time() - began) * FASTER)
        old = [run for run in store.runs.open() if run.created_at < now - timedelta(minutes=45)]
        # What `catch_up: all` brings back stands in a queue of its own, half a minute apart.
        assert [run for run in old if run.task_id != "all"] == [], "something stays open"
    report.seconds = round(time.time() - began, 1)
    return report


def start(folder: Path, url: str) -> subprocess.Popen[bytes]:
    """A scheduler process of its own."""
    with (folder / "log").open("ab") as log:
        return subprocess.Popen(
            [sys.executable, "-m", "tests.campaigns.crashes", "--scheduler", str(folder), url],
            cwd=folder,
            env=ENVIRONMENT,
            stdout=subprocess.DEVNULL,
            stderr=log,
        )


def check(store: Store, report: Report) -> None:
    """Hold the store against the schedules."""
    agenda = store.agenda.accounted()
    report.instants = report.runs = report.skipped = 0
    everything: dict[str, list[Run]] = {}
    for run in store.runs.history(limit=1_000_000):
        everything.setdefault(run.task_id, []).append(run)
    for task in tasks().values():
        runs, row = everything.get(task.id, []), agenda.get(task.id)
        if task.schedule and row is not None:
            _check_instants(store, task, runs, row["valid_since"], row["accounted_until"], report)
        _check_runs(store, task, runs)
        _check_followers(store, task, runs, everything)
    report.statuses = Counter(str(run.status) for runs in everything.values() for run in runs)


def _check_instants(
    store: Store, task: Task, runs: list[Run], since: datetime, until: datetime, report: Report
) -> None:
    [timetable] = timetables_of(task)
    due, moment = [], timetable.next_after(since)
    while moment is not None and moment <= until:
        due.append(moment)
        moment = timetable.next_after(moment)
    ran = {run.scheduled_for for run in runs if run.trigger.startswith("at:")}
    assert {at_trigger(instant) for instant in ran if instant} == {
        run.trigger for run in runs if run.trigger.startswith("at:")
    }
    assert ran <= set(due), f"{task.id}: a run that was not due: {sorted(ran - set(due))[:3]}"
    spans = [
        span for span in store.agenda.skips(task.id, limit=1_000_000) if "after run" not in span["detail"]
    ]
    spans.sort(key=lambda span: span["first"])
    covered: Counter[datetime] = Counter()
    position = 0
    for span in spans:
        while position < len(due) and due[position] < span["first"]:
            position += 1
        inside = (
            [instant for instant in due[position:] if instant <= span["last"]] if position < len(due) else []
        )
        assert inside, f"{task.id}: a skip of nothing: {span}"
        assert (inside[0], inside[-1]) == (span["first"], span["last"]), f"{task.id}: {span}"
        assert not ran & set(inside), f"{task.id}: run and skipped: {span}"
        assert len(inside) == span["count"], f"{task.id}: {len(inside)} instants in {span}"
        covered.update(inside)
    lost = [instant for instant in due if instant not in ran and not covered[instant]]
    assert not lost, f"{task.id}: lost {lost[:3]} of {len(due)} until {until}"
    twice = [instant for instant, count in covered.items() if count > 1]
    assert not twice, f"{task.id}: in two skips: {twice[:3]}"
    report.instants += len(due)
    report.runs += len(ran)
    report.skipped += sum(span["count"] for span in spans)


def _check_runs(store: Store, task: Task, runs: list[Run]) -> None:
    # A run that failed leaves its pages to the next one: together they have each page once.
    progress = store.runs.progress(task.id, "live")
    pages = PAGES * sum(run.status is TaskStatus.COMPLETED for run in runs)
    pages += progress["page"]["token"]["page"] if progress else 0
    assert sum(run.pages for run in runs) == pages, f"{task.id}: pages were lost or came twice"
    assert sum(run.seen for run in runs) == pages * PER_PAGE, f"{task.id}: items were lost or came twice"
    triggers = Counter(run.trigger for run in runs)
    assert all(count == 1 for count in triggers.values())
    # The newest ones suffice: the others were looked at after the kills before.
    for run in runs[:40]:
        completed = [a for a in store.runs.attempts(run.id) if a["status"] == "completed"]
        assert len(completed) == (run.status is TaskStatus.COMPLETED), f"{run.id}: {completed}"


def _check_followers(store: Store, task: Task, runs: list[Run], everything: dict[str, list[Run]]) -> None:
    if task.id != "queue":
        return
    follower = "second"
    led = {run.trigger for run in everything.get(follower, [])}
    skipped = " ".join(span["detail"] for span in store.agenda.skips(follower, limit=1_000_000))
    for run in runs:
        if run.status is TaskStatus.COMPLETED:
            has_led = f"after:{run.id}" in led or f"after run {run.id} of" in skipped
            assert has_led, f"nothing followed run {run.id} of {task.id}"


def scheduler(folder: Path, url: str) -> None:
    """The process that is killed."""
    from loguru import logger

    from stoma import collectors, normalizers
    from stoma.scheduler.config import Config
    from stoma.scheduler.manager import Scheduler

    logger.remove()
    logger.add(sys.stderr, level="WARNING")
    collectors.COLLECTORS["crashing"] = "tests.campaigns.crashing:Crashing"
    normalizers.NORMALIZERS["crashing"] = "tests.campaigns.crashing:Plain"
    began = float((folder / "began").read_text())

    def clock() -> datetime:
        return BEGIN + timedelta(seconds=(time.time() - began) * FASTER)

    config = Config(
        base=folder,
        store_url=url,
        tasks=tasks(),
        check_interval=timedelta(seconds=0.05),
        # By the fast clock: the leases of a process that lives are renewed every second of the slow one.
        lease=timedelta(minutes=20),
        max_concurrent_tasks=4,
    )
    made = Scheduler(config, clock=clock)
    stopping: list[int] = []
    signal.signal(signal.SIGTERM, lambda *_: stopping.append(1))
    with made:
        while not stopping:
            time.sleep(0.02)


def main() -> None:
    """The campaign by hand."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--kills", type=int, default=300)
    parser.add_argument("--store", choices=["sqlite", "postgres"], default="sqlite")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--scheduler", nargs=2, help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.scheduler:
        scheduler(Path(given.scheduler[0]), given.scheduler[1])
        return
    with TemporaryDirectory(prefix="stoma-crashes-") as folder, ExitStack() as stack:
        fresh: Callable[[], str] = lambda: "sqlite:///stoma.db"  # noqa: E731
        if given.store == "postgres":
            from tests.support import postgres

            server = postgres.start(postgres.binaries())
            stack.callback(server.stop)
            fresh = lambda: stack.enter_context(server.fresh_database())  # noqa: E731
        report = campaign(Path(folder), fresh(), given.kills, given.seed)
    print(f"{given.store}: {report}")


if __name__ == "__main__":
    main()
