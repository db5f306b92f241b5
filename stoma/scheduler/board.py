"""How all tasks stand: looked up by one thread for all who ask, and kept for a second at most."""

from __future__ import annotations

import threading
from collections.abc import Callable, Hashable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from time import monotonic
from typing import Any

import orjson

from stoma.errors import StoreError, StoreUnavailable
from stoma.scheduler.config import Config
from stoma.scheduler.overview import status_overview, task_overview
from stoma.scheduler.remembered import Remembered
from stoma.stores import Store

FRESH_SECONDS = 1.0
"""How old what is shown may be; what is done here is seen at once."""

BRIDGED_SECONDS = 3.0
"""How old it may be while another thread is looking anew; beyond that everybody waits for what it sees."""

PATIENCE_SECONDS = 5.0
"""How long what another thread sees is waited for: a frozen store must not take all threads of the server."""

REST = 30
"""How many times as long as a look took nobody looks again for what happened by itself, such as the end of a run."""

COUNT_REST = 50
"""The same for the count of all records, which takes the longer the more there are."""


@dataclass(frozen=True, slots=True)
class Sight:
    """What one look saw: the overview, and each task in the order of the files."""

    now: datetime
    status: dict[str, Any]
    tasks: list[dict[str, Any]]
    _texts: dict[str, tuple[Hashable, bytes]] = field(default_factory=dict, compare=False, repr=False)

    def text(self, name: str, key: Hashable, make: Callable[[], Mapping[str, Any]]) -> bytes:
        """An answer made of this sight, as JSON, made once; `key` is all that it tells beside the sight."""
        kept = self._texts.get(name)
        if kept is None or kept[0] != key:
            # Two threads may both make it: the same.
            kept = self._texts[name] = key, orjson.dumps(make())
        return kept[1]


@dataclass(frozen=True, slots=True)
class _Seen:
    sight: Sight
    config: Config
    # How often something had been changed when the look began, when that was, and how long it took; seconds.
    changes: int
    at: float
    took: float


class Board:
    """Shared by all threads; one of them looks, the others are given what was seen before, or wait."""

    def __init__(
        self, config: Callable[[], Config], store: Store, clock: Callable[[], float] = monotonic
    ) -> None:
        self._config = config
        self._store = store
        self._clock = clock
        self._turn = threading.Condition()
        self._looking = False
        self._seen: _Seen | None = None
        # Why the last look failed, and when; None after one that did not.
        self._failed: tuple[StoreError, float] | None = None
        self._changes = 0
        self._is_stirred = False
        self._remembered = Remembered()
        self._counts: Mapping[str, int] = {}
        self._count_again_at = float("-inf")
        self._making = threading.Lock()
        self._made: dict[str, tuple[object, bytes]] = {}

    def look(self) -> Sight:
        """How things stand; raises StoreError, also when another thread waits for the store for too long."""
        until = monotonic() + PATIENCE_SECONDS
        with self._turn:
            while True:
                seen = self._seen
                if seen is not None and self._will_do(seen):
                    return seen.sight
                if not self._looking:
                    if self._failed and self._clock() - self._failed[1] <= FRESH_SECONDS:
                        # Those who waited would find out one after the other, each for as long as it takes.
                        raise self._failed[0].with_traceback(None)
                    break
                if not self._turn.wait(max(0.0, until - monotonic())) and monotonic() >= until:
                    raise StoreUnavailable(f"the store has not answered for {PATIENCE_SECONDS:.0f} s")
            self._looking, self._is_stirred = True, False
            config, changes, began = self._config(), self._changes, self._clock()
        try:
            sight = self._look(config)
            with self._turn:
                self._seen = _Seen(sight, config, changes, began, self._clock() - began)
                self._failed = None
        except StoreError as error:
            with self._turn:
                self._failed = error, self._clock()
            raise
        finally:
            with self._turn:
                self._looking = False
                self._turn.notify_all()
        return sight

    def latest(self) -> Sight | None:
        """What was seen last, however old, without looking."""
        seen = self._seen
        return seen.sight if seen else None

    def forget(self) -> None:
        """Somebody changed something: the next one looks anew."""
        with self._turn:
            self._changes += 1
            self._failed = None

    def stir(self) -> None:
        """Something went on by itself: the next one looks anew, unless looks would then follow one another."""
        # Without the lock: it is called for each run that ends, and a moment later is as good.
        self._is_stirred = True

    def made(self, name: str, of: object, make: Callable[[], bytes]) -> bytes:
        """What takes long to make, made once by one thread for all who ask, and again when `of` is something else.

        `of` is all that it depends on.
        """
        with self._making:
            kept = self._made.get(name)
            if kept is None or kept[0] != of:
                kept = self._made[name] = of, make()
            return kept[1]

    def _will_do(self, seen: _Seen) -> bool:
        """Whether what was seen may still be shown."""
        age = self._clock() - seen.at
        if seen.changes != self._changes or seen.config is not self._config():
            return False
        if self._looking:
            return age <= BRIDGED_SECONDS
        return age <= FRESH_SECONDS and not (self._is_stirred and age >= (1 + REST) * seen.took)

    def _look(self, config: Config) -> Sight:
        now = self._store.now()
        many = max(1, len(config.tasks))
        tasks = task_overview(config, self._store, now, remembered=self._remembered, at_once=many, wait=False)
        self._remembered.keep_only(config.tasks)
        began = self._clock()
        if began >= self._count_again_at:
            self._counts = self._store.records.count_by_kind()
            ended = self._clock()
            self._count_again_at = ended + COUNT_REST * (ended - began)
        return Sight(now, status_overview(config, self._store, now, tasks, self._counts), tasks)
