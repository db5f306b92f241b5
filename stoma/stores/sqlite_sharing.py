"""What threads share that write to one SQLite file: a commit of several transactions, a thread for several jobs."""

from __future__ import annotations

import threading
from collections.abc import Callable
from contextvars import copy_context
from typing import Generic, TypeVar, cast

from stoma.stores.base import Transaction

T = TypeVar("T")


class Job(Generic[T]):
    """What one thread has to write, by whichever thread does it."""

    def __init__(self, body: Callable[[Transaction], T]) -> None:
        self._body = body
        # Log lines that it writes are those of its own run.
        self._context = copy_context()
        self._result: T | None = None
        self.is_done = False
        self.error: BaseException | None = None
        # Whose commit it shares; None when it failed.
        self.group: Group | None = None

    def run(self, tx: Transaction) -> None:
        """Do it, inside a transaction."""
        self._result = self._context.run(self._body, tx)

    def result(self) -> T:
        """What the body gave, or raises what it raised."""
        if self.error is not None:
            raise self.error
        return cast("T", self._result)


class Group:
    """Transactions that are committed together: each is undone alone, and none is told before all are safe."""

    def __init__(self) -> None:
        self.members = 0
        # Closed until the commit; whoever comes through lets the next one through.
        self.gate = threading.Lock()
        self.gate.acquire()
        self.error: BaseException | None = None
