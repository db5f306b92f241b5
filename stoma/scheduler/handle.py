"""What Python gets for a task and for a run it asked for."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Generator
from dataclasses import dataclass
from datetime import datetime
from time import monotonic
from typing import Any

from stoma.errors import StomaError
from stoma.scheduler.base import Run, TaskStatus
from stoma.scheduler.foreground import Foreground
from stoma.stores import Store

LOOK_SECONDS = 0.05


@dataclass(frozen=True, slots=True)
class TaskState:
    """How a task stands; `status` is that of its newest run, None before the first."""

    id: str
    status: TaskStatus | None
    next_run: datetime | None
    last_run: datetime | None
    enabled: bool
    blocked: str | None


class Handle:
    """A run that was asked for: `await` it, or take its `result()`."""

    def __init__(self, wait: Callable[[float | None], Run]) -> None:
        self._wait = wait

    def result(self, timeout: float | None = None) -> Run:
        """The run when it is final; raises TimeoutError after `timeout` seconds."""
        return self._wait(timeout)

    def __await__(self) -> Generator[Any, None, Run]:
        return asyncio.to_thread(self._wait, None).__await__()


def followed(store: Store, run: Run, stopping: threading.Event) -> Handle:
    """A handle of a run that a scheduler works on."""

    def wait(timeout: float | None) -> Run:
        until = None if timeout is None else monotonic() + timeout
        while not (current := store.runs.get(run.id)).status.is_final:
            if until is not None and monotonic() > until:
                raise TimeoutError(f"run {run.id} of {run.task_id} is not over after {timeout} s")
            if stopping.wait(LOOK_SECONDS):
                raise StomaError(f"the scheduler stopped before run {run.id} of {run.task_id} was over")
        return current

    return Handle(wait)


def started(front: Foreground) -> Handle:
    """A handle of the one run of a foreground, begun on a thread of its own."""
    found: list[Run] = []
    failed: list[BaseException] = []

    def work() -> None:
        try:
            found.extend(front.run())
        except BaseException as error:
            failed.append(error)

    thread = threading.Thread(target=work, name="run", daemon=True)
    thread.start()

    def wait(timeout: float | None) -> Run:
        thread.join(timeout)
        if thread.is_alive():
            raise TimeoutError(f"the run is not over after {timeout} s")
        if failed:
            raise failed[0]
        return found[0]

    return Handle(wait)
