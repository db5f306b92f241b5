"""How all tasks stand, looked up at most once a second however many look."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from time import monotonic
from typing import Any

from stoma.scheduler.config import Config
from stoma.scheduler.overview import status_overview, task_overview
from stoma.stores import Store

FRESH_SECONDS = 1.0
"""How old what is shown may be; what is done here is seen at once."""


@dataclass(frozen=True, slots=True)
class Sight:
    """What one look saw: the overview, and each task in the order of the files."""

    now: datetime
    status: dict[str, Any]
    tasks: list[dict[str, Any]]


class Board:
    """Shared by all threads; one of them looks, the others wait for what it sees."""

    def __init__(self, config: Callable[[], Config], store: Store) -> None:
        self._config = config
        self._store = store
        self._lock = threading.Lock()
        self._seen: Sight | None = None
        self._seen_at = 0.0

    def look(self) -> Sight:
        """How things stand; raises StoreError."""
        with self._lock:
            if self._seen is None or monotonic() - self._seen_at > FRESH_SECONDS:
                config, now = self._config(), self._store.now()
                tasks = task_overview(config, self._store, now)
                self._seen = Sight(now, status_overview(config, self._store, now, tasks), tasks)
                self._seen_at = monotonic()
            return self._seen

    def forget(self) -> None:
        """Something was changed: the next one looks anew."""
        with self._lock:
            self._seen = None
