"""Many at once on one SQLite file: nobody is ever shown "database is locked", and the log beside the file stays small.

    python -m tests.campaigns.crowd --seconds 60

A scheduler works on three endless collections; a second process switches, runs, pauses and resumes by the command line
without a pause; eight processes read all the time: lists, words looked for in texts, long cursors that are read in
pieces, and the command line's status and runs. Each notes how long it took and what went wrong.
"""

from __future__ import annotations

import argparse
import contextlib
import io
import itertools
import json
import multiprocessing
import random
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory

from stoma.errors import StomaError
from stoma.stores import Store, open_store
from tests.campaigns.numbered import ENVIRONMENT
from tests.support.server import Asked, Reply, Server

TASKS = ("one", "two", "three")
PER_PAGE = 100
WORDS = (
    "graph",
    "neural",
    "network",
    "of",
    "the",
    "sparse",
    "and",
    "dense",
    "attention",
    "learning",
    "a",
    "model",
)
YAML = """\
version: 1
presets: []
store: {{url: "sqlite:///stoma.db"}}
scheduler: {{max_concurrent_tasks: 3, check_interval_seconds: 0.2}}
tasks:
"""
TASK = """\
  {name}:
    collector: http_json
    config: {{url: "{url}/{name}", items: items, key: id, fields: {{title: title, summary: summary}},
      paging: {{cursor: {{path: next, param: cursor}}, max_pages: 100000}}}}
    timeout: 1h
"""


@dataclass
class Noted:
    """What one process did: how long each piece of work took, in seconds, and what was said that nobody may see."""

    what: str
    seconds: list[float] = field(default_factory=list)
    faults: list[str] = field(default_factory=list)

    @contextlib.contextmanager
    def timed(self) -> Iterator[None]:
        """Note one piece of work."""
        began = time.perf_counter()
        try:
            yield
        except (StomaError, sqlite3.Error, AssertionError) as error:
            self.faults.append(f"{type(error).__name__}: {error}")
        self.seconds.append(time.perf_counter() - began)

    def told(self) -> str:
        """One line: how often, and how long."""
        found = sorted(self.seconds) or [0.0]
        p50, p99 = (found[min(len(found) - 1, int(len(found) * part))] for part in (0.5, 0.99))
        millis = " / ".join(f"{1000 * value:.1f}" for value in (p50, p99, found[-1]))
        return f"{self.what}: {len(self.seconds)} times, p50 / p99 / worst {millis} ms"


@dataclass
class Report:
    """What a campaign did and saw; sizes in bytes."""

    noted: list[Noted] = field(default_factory=list)
    records: int = 0
    pages: int = 0
    wal_most: int = 0
    wal_end: int = 0
    file: int = 0

    @property
    def faults(self) -> list[str]:
        """What anybody was shown that nobody may see."""
        return [f"{one.what}: {fault}" for one in self.noted for fault in one.faults]

    def lines(self) -> list[str]:
        """The report for people."""
        sizes = [f"{size / 2**20:.1f} MiB" for size in (self.wal_most, self.wal_end, self.file)]
        return [
            *sorted(one.told() for one in self.noted),
            f"{self.records} records in {self.pages} pages; log at most {sizes[0]}, at the end {sizes[1]};"
            f" file {sizes[2]}",
            f"{len(self.faults)} faults",
            *self.faults[:10],
        ]


# -- who takes part ------------------------------------------------------------------------------------------


def scheduler(folder: Path, until: float, noted: Noted) -> None:
    """Three runs at once, page after page; what is timed is each transaction, with the wait for its turn."""
    from loguru import logger

    from stoma.scheduler.manager import Scheduler
    from stoma.stores.sqlite import SqliteDatabase

    logger.remove()
    logger.add(lambda text: noted.faults.append(str(text)), level="ERROR")
    real = SqliteDatabase.transaction

    @contextlib.contextmanager
    def timed(database: SqliteDatabase) -> Iterator[object]:
        with noted.timed(), real(database) as tx:
            yield tx

    SqliteDatabase.transaction = timed  # type: ignore[method-assign, assignment]
    with Scheduler(folder / "stoma.yaml") as made:
        for name in TASKS:
            made.run_task_now(name)
        while made.store.records.count() < 1000 and time.time() < until:
            time.sleep(0.02)
        (folder / "ready").touch()
        while time.time() < until:
            time.sleep(0.05)


def commands(folder: Path, until: float, noted: Noted) -> None:
    """The command line, writing."""
    verbs = itertools.cycle(
        [
            ["disable-task", "three"], ["enable-task", "three"], ["run-task", "two", "--no-wait"],
            ["pause"], ["resume"],
        ]
    )  # fmt: skip
    while time.time() < until:
        _command(folder, ["scheduler", *next(verbs)], noted)


def states(folder: Path, until: float, noted: Noted) -> None:
    """The command line, asking."""
    asked = itertools.cycle([["scheduler", "status", "--json"], ["runs", "--json"]])
    while time.time() < until:
        _command(folder, next(asked), noted)


def _command(folder: Path, words: list[str], noted: Noted) -> None:
    from stoma.cli.main import main

    said, code = io.StringIO(), 0
    with noted.timed(), contextlib.redirect_stdout(said), contextlib.redirect_stderr(said):
        try:
            main([*words, "--config", str(folder / "stoma.yaml")], standalone_mode=False)
        except SystemExit as ended:
            code = int(ended.code or 0)
    # 1: no scheduler is running (yet).
    if code not in (0, 1) or "error:" in said.getvalue() or "is locked" in said.getvalue():
        noted.faults.append(f"{' '.join(words)}: {code} {said.getvalue()[-300:]}")


def lists(folder: Path, until: float, noted: Noted) -> None:
    """Lists of records and of runs, as pages of the dashboard ask for them."""
    with open_store("sqlite:///stoma.db", folder) as store:
        while time.time() < until:
            with noted.timed():
                store.records.newest(50)
                store.records.latest(50)
                store.runs.history(limit=20)


def searches(folder: Path, until: float, noted: Noted) -> None:
    """Words looked for in the texts of all records: each reads much of the file."""
    chance = random.Random()
    with contextlib.closing(sqlite3.connect(folder / "stoma.db")) as connection:
        while time.time() < until:
            word = f"%{chance.choice(WORDS)} {chance.choice(WORDS)}%"
            with noted.timed():
                connection.execute("select count(*) from records where summary like ?", (word,)).fetchone()


def cursors(folder: Path, until: float, noted: Noted) -> None:
    """Long cursors: everything, read in pieces, for seconds; as a notebook of an analyst leaves them open."""
    chance = random.Random()
    with contextlib.closing(sqlite3.connect(folder / "stoma.db")) as connection:
        while time.time() < until:
            end = min(until, time.time() + chance.uniform(0.5, 5))
            with noted.timed():
                cursor = connection.execute("select * from records order by id")
                while cursor.fetchmany(100) and time.time() < end:
                    time.sleep(0.02)
                cursor.close()


def source(folder: Path, until: float, noted: Noted) -> None:
    """Answers until the end, with what the tasks ask for."""
    with Server(lambda asked: _page(asked, until)) as server:
        (folder / "source").write_text(server.url)
        while time.time() < until + 2:
            time.sleep(0.05)


def _page(asked: Asked, until: float) -> Reply:
    name, number = asked.path.strip("/"), int(asked.query.get("cursor") or 0)
    chance = random.Random(f"{name}/{number}")
    items = [
        {
            "id": f"{name}-{number}-{k}",
            "title": " ".join(chance.choices(WORDS, k=8)),
            "summary": " ".join(chance.choices(WORDS, k=150)),
        }
        for k in range(PER_PAGE)
    ]
    following = str(number + 1) if time.time() < until else None
    return Reply(body=json.dumps({"items": items, "next": following}).encode(), delay=0.02)


# -- the campaign --------------------------------------------------------------------------------------------

READERS: tuple[Callable[[Path, float, Noted], None], ...] = (
    lists, searches, cursors, states, lists, searches, cursors, cursors,
)  # fmt: skip


def campaign(folder: Path, seconds: float, readers: int = len(READERS)) -> Report:
    """Let them all loose on one file in `folder` for so long."""
    context = multiprocessing.get_context("fork")
    until = time.time() + seconds
    served = context.Process(target=source, args=(folder, until, Noted("")))
    served.start()
    while not (folder / "source").exists() or not (url := (folder / "source").read_text()):
        time.sleep(0.01)
    tasks = "".join(TASK.format(name=name, url=url) for name in TASKS)
    (folder / "stoma.yaml").write_text(YAML.format() + tasks)
    open_store("sqlite:///stoma.db", folder).close()
    who = [scheduler, commands, *READERS[:readers]]
    processes = [
        context.Process(target=_take_part, args=(work, folder, until, folder / f"noted-{number}"))
        for number, work in enumerate(who)
    ]
    for process in processes:
        process.start()
    report, wal = Report(), folder / "stoma.db-wal"
    while time.time() < until:
        report.wal_most = max(report.wal_most, wal.stat().st_size if wal.exists() else 0)
        time.sleep(0.05)
    report.wal_end = wal.stat().st_size if wal.exists() else 0
    for process in [*processes, served]:
        process.join(20)
        assert process.exitcode == 0, f"{process} ended with {process.exitcode}"
    report.noted = _together(
        Noted(**json.loads((folder / f"noted-{n}").read_text())) for n in range(len(who))
    )
    report.file = (folder / "stoma.db").stat().st_size
    with open_store("sqlite:///stoma.db", folder) as store:
        _check(store, report)
    return report


def _take_part(work: Callable[[Path, float, Noted], None], folder: Path, until: float, result: Path) -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    noted = Noted(work.__name__)
    while work not in (scheduler, source) and not (folder / "ready").exists() and time.time() < until:
        time.sleep(0.02)
    try:
        work(folder, until, noted)
    except BaseException as error:
        noted.faults.append(f"ended with {error!r}")
    with contextlib.suppress(FileNotFoundError):  # the campaign itself has failed
        result.write_text(json.dumps(asdict(noted)))


def _together(several: Iterator[Noted]) -> list[Noted]:
    found: dict[str, Noted] = {}
    for one in several:
        mine = found.setdefault(one.what, Noted(one.what))
        mine.seconds += one.seconds
        mine.faults += one.faults
    return list(found.values())


def _check(store: Store, report: Report) -> None:
    """Every page is whole, and the counters tell of every record."""
    runs = store.runs.history(limit=100_000)
    report.records, report.pages = store.records.count(), sum(run.pages for run in runs)
    assert sum(run.new for run in runs) == report.records, "the counters do not add up to the records"
    assert report.records % PER_PAGE == 0, "half a page was committed"


def main() -> None:
    """The campaign by hand."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seconds", type=float, default=60)
    parser.add_argument("--readers", type=int, default=len(READERS))
    given = parser.parse_args()
    with TemporaryDirectory(prefix="stoma-crowd-") as folder:
        report = campaign(Path(folder), given.seconds, given.readers)
    print(*report.lines(), sep="\n")
    sys.exit(bool(report.faults))


def run(seconds: float, readers: int) -> subprocess.CompletedProcess[str]:
    """The campaign as a process of its own: it makes others of itself, which one with threads should not do."""
    given = ["--seconds", str(seconds), "--readers", str(readers)]
    script = [sys.executable, "-m", "tests.campaigns.crowd", *given]
    return subprocess.run(script, env=ENVIRONMENT, capture_output=True, text=True)


if __name__ == "__main__":
    main()
