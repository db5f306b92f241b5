"""What this process costs: memory, CPU, threads. The one place that asks psutil for it."""

from __future__ import annotations

import gc
import time
from collections.abc import Callable
from typing import Any

SHORTEST = 1.0
"""Seconds: over less than this a share of CPU says nothing, and the last one is told again."""

MOST_YOUNG = 50_000
"""Objects that may be new before the collector of garbage looks at them: a page of 1,000 items has some 20,000."""


def expect_many_objects() -> None:
    """Let the collector of garbage look less often: for programs that carry out runs, whose pages hold no cycles.

    At Python's 700 it took a sixth of the time of a run.
    """
    gc.set_threshold(MOST_YOUNG, *gc.get_threshold()[1:])


class Usage:
    """Remembers the last measurement, because CPU is a share of the time between two."""

    def __init__(self, cpu_seconds: Callable[[], float] = time.process_time) -> None:
        """`cpu_seconds` tells how long this process has computed, with all its threads."""
        self._cpu_seconds = cpu_seconds
        self._last: tuple[float, float] | None = None
        self._percent: float | None = None
        self._process: Any = None

    def measure(self, now: float) -> dict[str, Any]:
        """Resident memory in bytes, CPU in percent of one core since the last measurement, threads.

        `now` is in seconds of a clock that never jumps. What is not known is None: CPU the first time, memory and
        threads where the system does not tell.
        """
        memory, threads = self._asked()
        return {"memory_bytes": memory, "cpu_percent": self._cpu(now), "threads": threads}

    def _cpu(self, now: float) -> float | None:
        spent = self._cpu_seconds()
        if self._last is None:
            self._last = (now, spent)
        elif now - self._last[0] >= SHORTEST:
            self._percent = round(100 * (spent - self._last[1]) / (now - self._last[0]), 2)
            self._last = (now, spent)
        return self._percent

    def _asked(self) -> tuple[int | None, int | None]:
        import psutil

        try:
            if self._process is None:
                self._process = psutil.Process()
            with self._process.oneshot():
                return self._process.memory_info().rss, self._process.num_threads()
        except (psutil.Error, OSError):
            return None, None
