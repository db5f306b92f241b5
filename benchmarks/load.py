"""How long a configuration of 10,000 tasks takes: to load from one file, and to take up one edited task of 100 files.

    python -m benchmarks.load [--tasks 10000] [--files 100] [--edits 10]

The first is read, checked and built from nothing. The second is a scheduler on SQLite whose watcher has just told that
a file was edited, until the task's new instant stands in agenda and ticker: what follows the end of the debounce.
"""

from __future__ import annotations

import argparse
import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from stoma.log import set_up
from stoma.scheduler.config import load_config
from stoma.scheduler.manager import Scheduler

TASK = """\
  task_{number:05}:
    name: Papers about {number}
    collector: arxiv
    config: {{search_query: "cat:cs.LG AND all:{number}", max_results: 50}}
    schedule: {schedule}
    priority: low
"""


def text(numbers: range, schedule: str = "daily_at_09:00") -> str:
    """A file of tasks; the first has this schedule."""
    others = "".join(TASK.format(number=n, schedule="daily_at_09:00") for n in numbers[1:])
    return f"tasks:\n{TASK.format(number=numbers[0], schedule=schedule)}{others}"


def seconds(work: Callable[[], object]) -> float:
    """How long `work` takes."""
    began = time.perf_counter()
    work()
    return time.perf_counter() - began


def cold(tasks: int) -> tuple[float, float]:
    """Seconds to load one file of tasks, and its size in MB."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "stoma.yaml"
        path.write_text("presets: []\n" + text(range(tasks)))
        return seconds(lambda: load_config(path)), path.stat().st_size / 1_000_000


def edit(tasks: int, files: int, edits: int) -> list[float]:
    """Seconds from the end of the debounce to being in force, for each of several edits."""
    each = tasks // files
    with tempfile.TemporaryDirectory() as folder:
        base = Path(folder)
        (base / "tasks").mkdir()
        (base / "stoma.yaml").write_text("presets: []\n")
        for number in range(files):
            (base / f"tasks/{number:03}.yaml").write_text(text(range(number * each, (number + 1) * each)))
        scheduler = Scheduler(base / "stoma.yaml")
        scheduler.take_up(scheduler.store.now())
        found = []
        for number in range(edits):
            first = number * each
            schedule = f"daily_at_10:{number:02}"
            (base / f"tasks/{number:03}.yaml").write_text(text(range(first, first + each), schedule))
            before = scheduler.ticker.next_run(f"task_{first:05}")
            # The rescan without the beat that follows it.
            found.append(seconds(lambda: scheduler._uptake.rescan(scheduler.tick)))
            if scheduler.ticker.next_run(f"task_{first:05}") == before:
                raise SystemExit("the edit is not in force")
        scheduler.stop()
        return found


def main() -> None:
    """Print a table of seconds."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--tasks", type=int, default=10_000)
    parser.add_argument("--files", type=int, default=100)
    parser.add_argument("--edits", type=int, default=10)
    given = parser.parse_args()
    set_up("WARNING")
    loads = [cold(given.tasks) for _ in range(3)]
    edits = edit(given.tasks, given.files, given.edits)
    print(f"{'what':58} {'best':>9} {'median':>9} {'worst':>9}")
    for what, taken in (
        (f"{given.tasks:,} tasks in one file of {loads[0][1]:.1f} MB, cold load", [one for one, _ in loads]),
        (f"one of {given.tasks:,} tasks edited in one of {given.files} files", edits),
    ):
        figures = (min(taken), statistics.median(taken), max(taken))
        print(f"{what:58} " + " ".join(f"{1000 * figure:6.0f} ms" for figure in figures))


if __name__ == "__main__":
    main()
