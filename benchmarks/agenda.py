"""A scheduler with 100,000 tasks: what a turn of its loop costs when nothing is due, and how late runs begin.

    python -m benchmarks.agenda [--tasks 100000] [--rate 200] [--seconds 60] [--synchronous normal]

The tasks are due at intervals that give `rate` due instants a second, each a run without work. Lateness is the time
from the due instant to the claim, as the rows of the runs have it.
"""

from __future__ import annotations

import argparse
import statistics
import tempfile
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import psutil

from stoma import collectors, normalizers
from stoma.collectors.base import BaseCollector, Collection
from stoma.log import set_up
from stoma.normalizers.base import BaseNormalizer
from stoma.records import CollectorResult
from stoma.scheduler.base import Expect, Schedule, Task
from stoma.scheduler.config import Config
from stoma.scheduler.manager import Scheduler


class Nothing(BaseCollector):
    """One page without items."""

    source = "nothing"
    origin = "http://127.0.0.1"

    def collect(self, collection: Collection) -> Iterator[CollectorResult]:
        """The page."""
        yield CollectorResult("nothing", [], "http://127.0.0.1/", collection.now)


class Plain(BaseNormalizer):
    """Nothing to normalise."""

    def normalize_item(self, item: object, result: CollectorResult) -> dict[str, object]:
        """Never called."""
        raise AssertionError(item)


def tasks(count: int, rate: float) -> dict[str, Task]:
    """Tasks that are due `rate` times a second, all of them together."""
    minutes = max(1, round(count / rate / 60))
    schedule = (Schedule(f"interval_{minutes}m"),)
    made = (Task(f"t{n:06}", "x", "nothing", schedule=schedule, expect=Expect(0)) for n in range(count))
    return {task.id: task for task in made}


def turn_ms(scheduler: Scheduler) -> float:
    """Milliseconds of one turn of the loop."""
    began = time.perf_counter()
    scheduler.turn()
    return (time.perf_counter() - began) * 1000


class Clock:
    """The clock of the machine, or one that stands still."""

    def __init__(self) -> None:
        self.still: datetime | None = datetime.now(UTC)

    def __call__(self) -> datetime:
        return self.still or datetime.now(UTC)


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--tasks", type=int, default=100_000)
    parser.add_argument("--rate", type=float, default=200)
    parser.add_argument("--seconds", type=float, default=60)
    parser.add_argument("--synchronous", choices=["normal", "full"], default="normal")
    given = parser.parse_args()
    set_up("INFO", Path("/dev/null").open("w"))  # noqa: SIM115 — for the life of the process
    here = f"{Nothing.__module__}:"
    collectors.COLLECTORS["nothing"] = f"{here}Nothing"
    normalizers.NORMALIZERS["nothing"] = f"{here}Plain"
    with tempfile.TemporaryDirectory() as folder:
        config = Config(
            base=Path(folder), tasks=tasks(given.tasks, given.rate), synchronous=given.synchronous
        )
        clock = Clock()
        scheduler = Scheduler(config, clock=clock)
        began = time.perf_counter()
        scheduler.take_up(scheduler.store.now())
        print(f"{given.tasks:,} tasks taken up in {time.perf_counter() - began:.2f} s")
        # No time passes, so nothing becomes due.
        turns = [turn_ms(scheduler) for _ in range(3000)]
        median, p99 = statistics.median(turns), sorted(turns)[int(len(turns) * 0.99)]
        print(
            f"a turn of the loop with nothing due: {median:.3f} ms median, {p99:.3f} ms p99 of {len(turns)}"
        )
        clock.still = None
        with scheduler:
            time.sleep(3)
            first, process = scheduler.store.now(), psutil.Process()
            used = sum(process.cpu_times()[:2])
            time.sleep(given.seconds)
            used = (sum(process.cpu_times()[:2]) - used) / given.seconds
            last = scheduler.store.now()
            time.sleep(1)
            runs = scheduler.store.runs.history(limit=10_000_000)
        late = sorted(
            (run.started_at - run.scheduled_for).total_seconds() * 1000
            for run in runs
            if run.scheduled_for and run.started_at and first <= run.scheduled_for <= last
        )
        open_runs = sum(
            run.started_at is None for run in runs if run.scheduled_for and first <= run.scheduled_for <= last
        )
        print(
            f"{len(late)} runs in {given.seconds:.0f} s ({len(late) / given.seconds:.0f}/s), {open_runs} not begun;"
            f" lateness {statistics.median(late):.1f} ms median, {late[int(len(late) * 0.99)]:.1f} ms p99,"
            f" {late[-1]:.1f} ms worst; {used * 100:.0f} % of a core, {process.memory_info().rss >> 20} MB"
        )


if __name__ == "__main__":
    # Under its full name, so that the collector is the same class everywhere.
    from benchmarks.agenda import main as run

    run()
