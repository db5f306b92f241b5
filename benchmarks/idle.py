"""What a scheduler costs that has nothing to do: memory and share of a core.

    python -m benchmarks.idle [--tasks 1000] [--seconds 30]

A real `stoma-run` with its control server, on a file of tasks that are due once a day.
"""

from __future__ import annotations

import argparse
import os
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import psutil

TASK = """\
  task_{number:05}:
    collector: arxiv
    config: {{search_query: "cat:cs.LG AND all:{number}", max_results: 50}}
    schedule: daily_at_{hour:02}:{minute:02}
"""


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--tasks", type=int, default=1000)
    parser.add_argument("--seconds", type=float, default=30)
    given = parser.parse_args()
    # Twelve hours away from now, so that nothing is due while it is watched.
    hour = (time.gmtime().tm_hour + 12) % 24
    with tempfile.TemporaryDirectory() as folder:
        tasks = (TASK.format(number=n, hour=hour, minute=n % 60) for n in range(given.tasks))
        (Path(folder) / "stoma.yaml").write_text("presets: []\ntasks:\n" + "".join(tasks))
        process = subprocess.Popen(
            [sys.executable, "-m", "stoma.cli.run", "--port", "0"],
            cwd=folder,
            env=os.environ | {"PYTHONPATH": str(Path(__file__).parents[1])},
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        try:
            time.sleep(10)
            watched = psutil.Process(process.pid)
            used = sum(watched.cpu_times()[:2])
            time.sleep(given.seconds)
            share = (sum(watched.cpu_times()[:2]) - used) / given.seconds
            print(
                f"{given.tasks} tasks, idle: {watched.memory_info().rss / 1e6:.0f} MB, {share:.2%} of a core"
            )
        finally:
            process.send_signal(signal.SIGTERM)
            process.wait(15)


if __name__ == "__main__":
    main()
