"""Threads of the server: all who ask may wait for a store that says nothing, and probes are answered all the same."""

from __future__ import annotations

from typing import Any

from waitress.task import ThreadedTaskDispatcher

THREADS, MORE = 4, 2
"""For all, and beside them for what never waits for the store for long."""

QUICK = ("/health", "/metrics", "/static/")


class Lanes(ThreadedTaskDispatcher):  # type: ignore[misc]
    """Gives each request to the threads that are for it."""

    def __init__(self) -> None:
        super().__init__()
        self._quick = ThreadedTaskDispatcher()
        self.set_thread_count(THREADS)
        self._quick.set_thread_count(MORE)

    def add_task(self, task: Any) -> None:
        """Let a thread answer the next request of a connection."""
        path = str(getattr(task.requests[0], "path", "")) if task.requests else ""
        if path.startswith(QUICK):
            self._quick.add_task(task)
        else:
            super().add_task(task)

    def shutdown(self, cancel_pending: bool = True, timeout: float = 5) -> bool:
        """End the threads that are idle; wait `timeout` seconds for the others."""
        self._quick.shutdown(cancel_pending, timeout=timeout / 2)
        return bool(super().shutdown(cancel_pending, timeout / 2))
