"""Runs what a stranger's module does while it is imported on a thread of its own: nobody waits for it without bound.

A thread that hangs there cannot be ended. It is left alone, and what it finds counts whenever it finds it.
"""

from __future__ import annotations

import sys
import threading
import time
import traceback
from collections.abc import Callable, Sequence
from pathlib import Path

_lingering: list[threading.Thread] = []


class Import:
    """One import under way; `module` is locked until it is done, for everybody."""

    def __init__(self, module: str, work: Callable[[], None]) -> None:
        self.module = module
        self._work = work
        self._began = time.monotonic()
        self._done = threading.Event()
        # Threads that it starts are daemons like this one, unless it says otherwise: they hold up no exit.
        self._thread = threading.Thread(target=self._run, name=f"import {module}", daemon=True)
        self._thread.start()

    @property
    def is_done(self) -> bool:
        """True when it has come to its end, whichever that was."""
        return self._done.is_set()

    @property
    def age(self) -> float:
        """Seconds since it began."""
        return time.monotonic() - self._began

    def wait(self, seconds: float) -> bool:
        """Wait until it is done, or has taken this many seconds since it began; True when it is done."""
        return self._done.wait(max(0.0, seconds - self.age))

    def place(self, folders: Sequence[Path]) -> str:
        """Where it is just now, as file and line: the innermost line below `folders`, else none."""
        frame = sys._current_frames().get(self._thread.ident or 0)
        stack = traceback.extract_stack(frame) if frame is not None else []
        near = [one for one in stack if any(map(Path(one.filename).is_relative_to, folders))]
        return f"{Path(near[-1].filename).name}, line {near[-1].lineno}" if near else ""

    def _run(self) -> None:
        before = set(threading.enumerate())
        try:
            self._work()
        finally:
            _lingering.extend(one for one in threading.enumerate() if one not in before and not one.daemon)
            self._done.set()


def holds_up_exit() -> bool:
    """True while a thread lives that a stranger's module began when it was imported, and that Python would wait for."""
    return any(thread.is_alive() for thread in _lingering)
