"""The API under load while tasks run, and the first pages of a store with a million runs.

    python -m benchmarks.api [--tasks 1000] [--rate 200] [--seconds 20] [--runs 1000000]

A scheduler with its server is a process of its own. Its tasks are due once a minute, each run brings two pages of
twenty records, a third of them new. First nobody asks for so many seconds, then `/api/scheduler/status` is asked `rate`
times a second over ten connections: the time of an answer counts from when its request was due, so that none hides
behind another. Lateness is from the due instant of a run to its start, as the API tells it. Then another store is
filled with runs, half of them failed, and each page is asked twenty times.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from http.client import HTTPConnection
from pathlib import Path
from typing import Any

from stoma import collectors, normalizers
from stoma.api.server import Server
from stoma.collectors.base import BaseCollector, Collection
from stoma.log import set_up
from stoma.normalizers.base import BaseNormalizer
from stoma.records import CollectorResult, Record
from stoma.scheduler.base import Schedule, Task, hand_trigger
from stoma.scheduler.config import Config
from stoma.scheduler.manager import Scheduler
from stoma.signals import stopped_by_signals
from stoma.stores import Store

STATUS = "/api/scheduler/status"
PAGES = ("/", "/runs", "/tasks", "/api/runs", "/api/runs?status=failed", "/api/scheduler/tasks", STATUS)
CONNECTIONS = 10


class Pages(BaseCollector):
    """Two pages of twenty items, each after 20 ms, a third of them new each time."""

    source = "pages"
    origin = "http://127.0.0.1"

    def collect(self, collection: Collection) -> Iterator[CollectorResult]:
        """The pages."""
        first = int(collection.now.timestamp())
        for page in range(2):
            time.sleep(0.02)
            items = [{"n": first if n % 3 == 0 else 0, "k": 20 * page + n} for n in range(20)]
            yield CollectorResult("pages", items, "http://127.0.0.1/", collection.now)


class Plain(BaseNormalizer):
    """Items with a number and nothing else."""

    def normalize_item(self, item: Any, result: CollectorResult) -> Record:
        """A record of about 500 bytes."""
        return Record("pages", f"{item['n']}-{item['k']}", "entry", title="A title", summary="word " * 80)


def tasks(count: int) -> dict[str, Task]:
    """Tasks that are due once a minute, spread over it."""
    made = (Task(f"t{n:05}", f"Task {n}", "pages", schedule=(Schedule("interval_1m"),)) for n in range(count))
    return {task.id: task for task in made}


def serve(folder: Path, count: int, *, is_idle: bool) -> None:
    """A scheduler with its server until it is terminated; tells its port."""
    set_up("INFO", Path("/dev/null").open("w"))  # noqa: SIM115 — for the life of the process
    here = f"{Pages.__module__}:"
    collectors.COLLECTORS["pages"] = f"{here}Pages"
    normalizers.NORMALIZERS["pages"] = f"{here}Plain"
    scheduler = Scheduler(Config(base=folder, tasks=tasks(count)))
    if is_idle:
        scheduler.store.agenda.pause(True, scheduler.store.now())
    server = Server(scheduler, "127.0.0.1", 0)
    with stopped_by_signals(scheduler.ask_to_stop), scheduler:
        server.start()
        print(server.port, flush=True)
        scheduler.wait_for_end()
        server.stop()


class Served:
    """The process that serves, for a while."""

    def __init__(self, folder: Path, count: int, *, is_idle: bool = False) -> None:
        command = [sys.executable, "-m", "benchmarks.api", "--serve", str(folder), "--tasks", str(count)]
        self._process = subprocess.Popen(
            command + ["--idle"] * is_idle, stdout=subprocess.PIPE, text=True, stderr=subprocess.DEVNULL
        )

    def __enter__(self) -> int:
        assert self._process.stdout is not None
        return int(self._process.stdout.readline())

    def __exit__(self, *_: object) -> None:
        self._process.terminate()
        self._process.wait(20)


def get(port: int, path: str) -> tuple[float, bytes]:
    """Milliseconds of one request, and its body."""
    connection = HTTPConnection("127.0.0.1", port, timeout=30)
    began = time.perf_counter()
    connection.request("GET", path)
    answer = connection.getresponse()
    body = answer.read()
    took = (time.perf_counter() - began) * 1000
    connection.close()
    if answer.status != 200:
        raise SystemExit(f"{path}: {answer.status} {body[:200]!r}")
    return took, body


async def load(port: int, rate: float, seconds: float) -> list[float]:
    """Milliseconds of each answer from when it was due to be asked for."""
    loop, queue, found = asyncio.get_running_loop(), asyncio.Queue[float | None](), []

    async def ask() -> None:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        while (due := await queue.get()) is not None:
            writer.write(f"GET {STATUS} HTTP/1.1\r\nHost: localhost\r\n\r\n".encode())
            head = await reader.readuntil(b"\r\n\r\n")
            if not head.startswith(b"HTTP/1.1 200"):
                raise SystemExit(head.decode())
            [length] = [
                int(line[15:]) for line in head.split(b"\r\n") if line.lower().startswith(b"content-length")
            ]
            await reader.readexactly(length)
            found.append((loop.time() - due) * 1000)
        writer.close()

    asking = [asyncio.create_task(ask()) for _ in range(CONNECTIONS)]
    began = loop.time()
    for number in range(int(rate * seconds)):
        due = began + number / rate
        await asyncio.sleep(max(0.0, due - loop.time()))
        queue.put_nowait(due)
    for _ in asking:
        queue.put_nowait(None)
    await asyncio.gather(*asking)
    return found


def lateness(port: int, first: datetime, last: datetime) -> list[float]:
    """Milliseconds from due to started, of the runs that were due between two moments."""
    found, cursor = [], ""
    while cursor is not None:
        body = json.loads(get(port, f"/api/runs?limit=1000{cursor}")[1])
        for run in body["runs"]:
            due, start = run["scheduled_for"], run["started_at"]
            if due and start and first <= (at := datetime.fromisoformat(due)) <= last:
                found.append((datetime.fromisoformat(start) - at).total_seconds() * 1000)
        cursor = f"&cursor={body['next']}" if body["next"] else None
    return found


def figures(taken: Sequence[float]) -> str:
    """Median, 99th percentile and worst."""
    ordered = sorted(taken)
    median, p99 = statistics.median(ordered), ordered[int(len(ordered) * 0.99)]
    return f"p50 {median:6.1f} ms  p99 {p99:6.1f} ms  worst {ordered[-1]:6.1f} ms  of {len(ordered):,}"


def under_load(count: int, rate: float, seconds: float) -> None:
    """Answers at that rate while tasks run, and how late runs start with and without it."""
    with tempfile.TemporaryDirectory() as folder, Served(Path(folder), count) as port:
        time.sleep(5)
        spans = []
        for each in (0.0, rate):
            first = datetime.now(UTC)
            if each:
                taken = asyncio.run(load(port, each, seconds))
                print(f"{STATUS} at {each:g}/s:  {figures(taken)}")
            else:
                time.sleep(seconds)
            spans.append((first, datetime.now(UTC)))
        time.sleep(2)
        for word, (first, last) in zip(("nobody asks", "under load"), spans, strict=True):
            print(f"lateness of runs, {word}:  {figures(lateness(port, first, last))}")


def fill(store: Store, count: int, names: Sequence[str]) -> None:
    """So many runs that are over, the last one a minute ago."""
    columns = (
        "task_id", "trigger", "scope", "status", "priority", "queue_at", "config_hash", "created_at", "started_at",
        "finished_at", "pages", "seen", "error",
    )  # fmt: skip
    now, step = store.now(), timedelta(seconds=30)
    for start in range(0, count, 20_000):
        rows = []
        for number in range(start, min(count, start + 20_000)):
            at = now - step * (count - number)
            status, error = ("failed", "it broke") if number % 2 else ("completed", None)
            name = names[number % len(names)]
            row = (
                name,
                hand_trigger(),
                "live",
                status,
                "normal",
                at,
                "x",
                at,
                at,
                at + step / 10,
                1,
                20,
                error,
            )
            rows.append(row)
        with store.database.transaction() as tx:
            tx.insert("runs", columns, rows)


def first_pages(count: int, runs: int) -> None:
    """Each page of a store with many runs."""
    with tempfile.TemporaryDirectory() as folder:
        scheduler = Scheduler(Config(base=Path(folder), tasks=tasks(count)))
        fill(scheduler.store, runs, list(scheduler.config.tasks))
        scheduler.store.close()
        with Served(Path(folder), count, is_idle=True) as port:
            for path in PAGES:
                found = [get(port, path) for _ in range(20)]
                taken = [one for one, _ in found]
                print(
                    f"{path:26} {len(found[-1][1]) / 1000:7.1f} KB  first {taken[0]:6.1f} ms  {figures(taken[1:])}"
                )


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--tasks", type=int, default=1000)
    parser.add_argument("--rate", type=float, default=200)
    parser.add_argument("--seconds", type=float, default=20)
    parser.add_argument("--runs", type=int, default=1_000_000)
    parser.add_argument("--serve", type=Path, help=argparse.SUPPRESS)
    parser.add_argument("--idle", action="store_true", help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.serve:
        serve(given.serve, given.tasks, is_idle=given.idle)
        return
    if given.seconds:
        under_load(given.tasks, given.rate, given.seconds)
    if given.runs:
        first_pages(given.tasks, given.runs)


if __name__ == "__main__":
    # Under its full name, so that the collector is the same class everywhere.
    from benchmarks.api import main as run

    run()
