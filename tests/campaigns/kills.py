"""`kill -9` at random instants during a paged collection: nothing lost, nothing twice.

    python -m tests.campaigns.kills --kills 500 --store sqlite
    python -m tests.campaigns.kills --kills 500 --store postgres

Each round collects a replayed walk of captured arXiv entries with `stoma-run --once`, kills the process at a random
instant, looks into the store, and starts again, until the collection is complete; then the next round begins with an
empty store. What must hold after each kill:

- the records are exactly the entries of the committed pages, none of them twice, none of them as a second version;
- progress stands exactly behind the last of them, and there is no cursor before the run completed;
- the counters of the runs add up to the records;
- each record lies in the index of words, or in the queue before it.
"""

from __future__ import annotations

import argparse
import os
import random
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory

from stoma.scheduler.base import TaskStatus
from stoma.stores import Store, open_store
from tests.campaigns.numbered import UNINDEXED
from tests.support.faults import everything
from tests.support.replay import ID, Replay

PAGE = 5
ENVIRONMENT = os.environ | {"PYTHONPATH": str(Path(__file__).parents[2])}
YAML = """\
version: 1
presets: []
store: {{url: "{url}"}}
scheduler: {{lease: 10s}}
defaults: {{retry: {{count: 3, first: 1s, jitter: 0}}}}
tasks:
  walk:
    collector: arxiv
    config: {{search_query: "cat:long", max_results: 30000, page_size: {page}, base_url: "{base}"}}
"""


@dataclass
class Report:
    """What a campaign did and saw."""

    kills: int = 0
    rounds: int = 0
    records: int = 0
    # How many kills found this many records committed, in tenths of the whole: they should fall everywhere.
    spread: list[int] = field(default_factory=lambda: [0] * 10)
    seconds: float = 0.0


def campaign(
    folder: Path, captures: Path, fresh: Callable[[], str], kills: int, seed: int = 0, copies: int = 4
) -> Report:
    """Kill `kills` times and check each time; `fresh` gives the address of an empty store. Raises AssertionError."""
    chance, report, began = random.Random(seed), Report(), time.monotonic()
    with Replay(captures, copies=copies, delay=0.01) as replay:
        expected = [_external_id(entry) for entry in replay.walk]
        assert len(set(expected)) == len(expected), "the walk itself has doubles"
        while report.kills < kills:
            report.rounds += 1
            home = folder / f"round-{report.rounds}"
            home.mkdir()
            url = fresh()
            (home / "stoma.yaml").write_text(YAML.format(url=url, base=replay.url, page=PAGE))
            finished = False
            while report.kills < kills and not finished and not _killed_or_done(home, chance, replay):
                report.kills += 1
                with open_store(url, home) as store:
                    done = check(store, expected)
                    last = store.runs.last_of("walk")
                # Killed behind its end: what follows would be the next collection.
                finished = last is not None and last.status is TaskStatus.COMPLETED
                report.spread[min(9, done * 10 // len(expected))] += 1
            if not finished:
                _finish(home)
            with open_store(url, home) as store:
                assert check(store, expected) == len(expected)
                cursor = store.runs.cursor("walk")
                assert cursor is not None, "a completed run moves the cursor"
                report.records += store.records.count()
    report.seconds = round(time.monotonic() - began, 1)
    return report


def check(store: Store, expected: list[str]) -> int:
    """Hold the store against the walk; gives how many records are committed."""
    with store.database.transaction() as tx:
        ids = [row["external_id"] for row in tx.all("record_newest", limit=100_000)]
        versions = {row["version"] for row in tx.all("record_newest", limit=100_000)}
    assert len(ids) == len(set(ids)), "a record is there twice"
    assert versions <= {1}, "a record has a second version"
    runs = store.runs.history("walk", limit=1000)
    assert sum(run.new for run in runs) == len(ids), "the counters do not add up to the records"
    assert sum(run.changed for run in runs) == 0, "something counts as changed"
    assert everything(store, UNINDEXED) == [[(0,)]], "a record is neither in the index nor in the queue"
    progress, cursor = store.runs.progress("walk", "live"), store.runs.cursor("walk")
    if any(run.status is TaskStatus.COMPLETED for run in runs):
        assert progress is None, "a completed run leaves no progress"
        assert set(ids) == set(expected), "a completed run has everything"
        return len(ids)
    assert cursor is None, "the cursor is ahead of the data"
    committed = progress["page"]["token"]["start"] if progress else 0
    assert set(ids) == set(expected[: len(ids)]), "the records are not the first pages"
    # A resumed run steps back one page, so progress may stand one page before the last record.
    assert len(ids) - PAGE <= committed <= len(ids), f"progress {committed} with {len(ids)} records"
    return len(ids)


def _killed_or_done(home: Path, chance: random.Random, replay: Replay) -> bool:
    """Start a process and kill it after a while; True when it was done before."""
    asked = len(replay.requests)
    process = subprocess.Popen(
        [sys.executable, "-m", "stoma.cli.run", "--once"],
        cwd=home,
        env=ENVIRONMENT,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    # Nearly always behind its first request: what comes before takes long and writes little.
    if chance.random() < 0.9:
        while len(replay.requests) == asked and process.poll() is None:
            time.sleep(0.005)
    try:
        process.wait(chance.uniform(0.0, 0.7))
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
        return False
    return True


def _finish(home: Path) -> None:
    for _ in range(5):
        done = subprocess.run(
            [sys.executable, "-m", "stoma.cli.run", "--once"],
            cwd=home,
            env=ENVIRONMENT,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        if done.returncode == 0:
            return
    raise AssertionError("the collection does not come to its end")


def _external_id(entry: bytes) -> str:
    found = ID.search(entry)
    assert found is not None
    return found[1].decode()


def main() -> None:
    """The campaign by hand."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])  # type: ignore[union-attr]
    parser.add_argument("--kills", type=int, default=500)
    parser.add_argument("--store", choices=["sqlite", "postgres"], default="sqlite")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--captures", type=Path, default=Path("../shared/recorded/arxiv"))
    given = parser.parse_args()
    captures = given.captures.absolute()
    with TemporaryDirectory(prefix="stoma-kills-") as folder, ExitStack() as stack:
        fresh: Callable[[], str] = lambda: "sqlite:///stoma.db"  # noqa: E731
        if given.store == "postgres":
            from tests.support import postgres

            server = postgres.start(postgres.binaries())
            stack.callback(server.stop)
            fresh = lambda: stack.enter_context(server.fresh_database())  # noqa: E731
        report = campaign(Path(folder), captures, fresh, given.kills, given.seed)
    print(f"{given.store}: {report}")


if __name__ == "__main__":
    main()
