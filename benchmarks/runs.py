"""How fast runs that do nothing are made and worked off, beside Huey on SQLite and Procrastinate on PostgreSQL.

    python -m benchmarks.runs [--runs 3000] [--rounds 5] [--log INFO]

Three threads each (Procrastinate: three jobs at once), every commit synchronous, in rounds that take turns, each in a
process of its own. Jobs are made the way each system makes many: Huey one by one, as applications do; Stoma in
transactions of 200, as its scheduler does; Procrastinate in batches of 200. What is kept: Stoma's run, attempt and
counters; Huey's result; Procrastinate's job with its events. All log into a file: at INFO, as each does by default,
or not a line with `--log WARNING`. PostgreSQL waits for its disk at each commit, wherever its files may lie.
`stoma-normal` is Stoma's default on SQLite: a power cut may undo the last commits, a killed process loses nothing.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import logging
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from stoma import collectors, normalizers
from stoma.collectors.base import BaseCollector, Collection
from stoma.log import set_up
from stoma.normalizers.base import BaseNormalizer
from stoma.records import CollectorResult
from stoma.scheduler.base import Task
from stoma.scheduler.config import Config
from stoma.scheduler.parts import connect, new_run, surroundings
from stoma.scheduler.runner import Runner
from stoma.stores.runs import insert
from tests.support import postgres

BATCH = 200
THREADS = 3
DURABLE = {"fsync": "on", "synchronous_commit": "on", "full_page_writes": "on"}

Seconds = tuple[float, float]
"""To make all jobs, and to work them off."""


class Nothing(BaseCollector):
    """One empty page."""

    source = "nothing"
    origin = "http://127.0.0.1"

    def collect(self, collection: Collection) -> Iterator[CollectorResult]:
        yield CollectorResult(source=self.source, items=[], url=self.origin, fetched_at=collection.now)


class NoRecords(BaseNormalizer):
    """Never asked, for there are no items."""

    def normalize_item(self, item: Any, result: CollectorResult) -> Any:
        raise NotImplementedError


def stoma(folder: Path, runs: int, url: str, log: str, synchronous: str) -> Seconds:
    """Runs of as many tasks: two of one task never run at once."""
    collectors.COLLECTORS["nothing"] = "benchmarks.runs:Nothing"
    normalizers.NORMALIZERS["nothing"] = "benchmarks.runs:NoRecords"
    set_up(log, (folder / "log").open("w"))
    tasks = {f"task_{n:05}": Task(f"task_{n:05}", "Nothing", "nothing") for n in range(runs)}
    config = Config(base=folder, store_url=url, synchronous=synchronous, tasks=tasks)
    count = Countdown(runs)
    with connect(config) as store:

        def make() -> None:
            now, ids = store.now(), list(tasks)
            for first in range(0, runs, BATCH):
                with store.database.transaction() as tx:
                    for task_id in ids[first : first + BATCH]:
                        insert(tx, new_run(tasks[task_id], "at:now", scheduled_for=now), now)

        def work() -> None:
            runner = Runner(surroundings(config, store), tasks.get, THREADS, on_end=lambda _: count())
            runner.fill()
            count.wait()

        found = timed(make), timed(work)
        ended = store.runs.history(status="completed", limit=runs + 1)
        if len(ended) != runs or len(store.runs.attempts(ended[0].id)) != 1:
            raise SystemExit("not every run is completed")
    return found


def huey(folder: Path, runs: int, log: str) -> Seconds:
    """Tasks of Huey, whose results are kept."""
    from huey import SqliteHuey
    from huey.signals import SIGNAL_COMPLETE

    usual_log(folder, log)
    queue = SqliteHuey(filename=str(folder / "huey.db"), fsync=True, results=True, store_none=True)
    count = Countdown(runs)
    queue.signal(SIGNAL_COMPLETE)(lambda *_: count())

    @queue.task()  # type: ignore[untyped-decorator]
    def nothing() -> None:
        return None

    def make() -> None:
        for _ in range(runs):
            nothing()

    def work() -> None:
        consumer.start()
        count.wait()

    made = timed(make)
    consumer = queue.create_consumer(workers=THREADS, periodic=False, initial_delay=0.001, max_delay=0.01)
    worked = timed(work)
    consumer.stop(graceful=True)
    if queue.result_count() != runs:
        raise SystemExit("not every result is kept")
    return made, worked


def procrastinate(folder: Path, runs: int, url: str, log: str) -> Seconds:
    """Jobs of Procrastinate, which are kept."""
    from procrastinate import App, PsycopgConnector

    usual_log(folder, log)
    app = App(connector=PsycopgConnector(conninfo=url))

    @app.task(name="nothing")
    async def nothing() -> None:
        return None

    async def both() -> Seconds:
        async with app.open_async():
            await app.schema_manager.apply_schema_async()
            began = time.perf_counter()
            for first in range(0, runs, BATCH):
                await nothing.batch_defer_async(*[{}] * min(BATCH, runs - first))
            made = time.perf_counter()
            await app.run_worker_async(concurrency=THREADS, wait=False, install_signal_handlers=False)
            worked = time.perf_counter()
            if len(list(await app.job_manager.list_jobs_async(status="succeeded"))) != runs:
                raise SystemExit("not every job succeeded")
            return made - began, worked - made

    return asyncio.run(both())


CONTENDERS: dict[str, Callable[[Path, int, str, str], Seconds]] = {
    "huey": lambda folder, runs, _, log: huey(folder, runs, log),
    "stoma-full": lambda folder, runs, _, log: stoma(folder, runs, "sqlite:///stoma.db", log, "full"),
    "stoma-normal": lambda folder, runs, _, log: stoma(folder, runs, "sqlite:///stoma.db", log, "normal"),
    "procrastinate": procrastinate,
    "stoma-postgres": lambda folder, runs, url, log: stoma(folder, runs, url, log, "full"),
}
RIVALS = {"stoma-full": "huey", "stoma-normal": "huey", "stoma-postgres": "procrastinate"}


class Countdown:
    """Lets one thread wait until others have called it often enough."""

    def __init__(self, count: int) -> None:
        self._left = count
        self._lock = threading.Lock()
        self._over = threading.Event()

    def __call__(self) -> None:
        with self._lock:
            self._left -= 1
            if not self._left:
                self._over.set()

    def wait(self) -> None:
        if not self._over.wait(300):
            raise SystemExit(f"{self._left} are left after five minutes")


def timed(work: Callable[[], object]) -> float:
    """Seconds that `work` takes."""
    began = time.perf_counter()
    work()
    return time.perf_counter() - began


def usual_log(folder: Path, log: str) -> None:
    """What the others' command lines set up: lines with time and thread."""
    form = "[%(asctime)s] %(levelname)s:%(name)s:%(threadName)s:%(message)s"
    logging.basicConfig(level=log, filename=folder / "log", format=form)


def measured(name: str, runs: int, url: str, log: str) -> Seconds:
    """One contender in a process of its own."""
    command = [sys.executable, "-m", "benchmarks.runs", "--one", name, "--runs", str(runs)]
    command += ["--url", url, "--log", log]
    told = subprocess.run(command, capture_output=True, text=True)
    if told.returncode:
        raise SystemExit(f"{name}: {told.stderr[-2000:]}")
    made, worked = json.loads(told.stdout.splitlines()[-1])
    return made, worked


def main() -> None:
    """Print a table of runs a second: the median of the rounds."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--runs", type=int, default=3_000)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--log", default="INFO", choices=["INFO", "WARNING"])
    parser.add_argument("--one", choices=CONTENDERS, help=argparse.SUPPRESS)
    parser.add_argument("--url", default="", help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.one:
        with tempfile.TemporaryDirectory() as folder:
            print(json.dumps(CONTENDERS[given.one](Path(folder), given.runs, given.url, given.log)))
        return
    found: dict[str, list[Seconds]] = {name: [] for name in CONTENDERS}
    server = postgres.start(postgres.binaries(), **DURABLE)
    try:
        for _ in range(given.rounds):
            for name in CONTENDERS:
                with server.fresh_database() as url:
                    found[name].append(measured(name, given.runs, url, given.log))
    finally:
        server.stop()
    rates = {
        name: [statistics.median(given.runs / one for one in column) for column in columns(rounds)]
        for name, rounds in found.items()
    }
    print(
        f"{'runs a second':16} {'made':>8} {'worked off':>11} {'both':>8} {'times its rival':>16}  all rounds, both"
    )
    for name, (made, worked, both) in rates.items():
        rival = f"{both / rates[RIVALS[name]][2]:.2f}" if name in RIVALS else ""
        every = " ".join(f"{given.runs / sum(one):.0f}" for one in found[name])
        print(f"{name:16} {made:8.0f} {worked:11.0f} {both:8.0f} {rival:>16}  {every}")


def columns(rounds: list[Seconds]) -> tuple[list[float], list[float], list[float]]:
    """Seconds to make, to work off, and both together, of each round."""
    return [one[0] for one in rounds], [one[1] for one in rounds], [sum(one) for one in rounds]


if __name__ == "__main__":
    main()
