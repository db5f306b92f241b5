"""The log of each run: lines of level INFO and above, gathered in memory, written to the store about once a second.

A line belongs to a run when it is logged inside `logger.contextualize(run=ID, worker=OBJECT)`; each RunLog gathers
the lines of one worker, so that two schedulers in one process do not write each other's.
"""

from __future__ import annotations

import threading
from collections import deque
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from stoma.errors import StoreError
from stoma.log import clean, logger
from stoma.records import holdable
from stoma.references import mask
from stoma.stores import Store
from stoma.stores.logs import Line

if TYPE_CHECKING:
    from loguru import Message, Record

FLUSH_SECONDS = 1.0
"""How often lines are written."""

MOST_WAITING = 20_000
"""Lines that wait for the store; more push the oldest out."""

MOST_OF_RUN = 1_000
"""Lines kept of one run by one process."""

MOST_RUNS = 10_000
"""Runs whose lines are counted; the oldest are forgotten first."""

LONGEST_LINE = 2_000
"""Characters of a line that are kept."""

SKEW = timedelta(seconds=1)
"""Clocks of machine and store that differ by less count as equal."""

Waiting = tuple[int, float, str, str]
"""Run, seconds since the epoch, level, message."""


class RunLog:
    """The lines of the runs that `worker` carries out, until the store has taken them. Any thread may log."""

    def __init__(self, worker: object) -> None:
        self._worker = worker
        self._lock = threading.Lock()
        self._waiting: deque[Waiting] = deque()
        self._pushed_out: dict[int, int] = {}
        self._count: dict[int, int] = {}
        self._handler: int | None = None

    def install(self) -> None:
        """Begin to listen."""
        if self._handler is None:
            self._handler = logger.add(self._keep, level="INFO", format=_nothing, filter=self._is_mine)

    def close(self) -> None:
        """Listen no more; what waits can still be flushed."""
        handler, self._handler = self._handler, None
        if handler is not None:
            try:
                logger.remove(handler)
            except ValueError:  # the logger was set up anew meanwhile
                return

    def flush(self, store: Store, now: datetime) -> bool:
        """Write what waits, in one transaction; False when the store failed and it waits on.

        `now` is the present moment by the store's clock: lines are dated by the clock that runs are dated by.
        """
        with self._lock:
            if not self._waiting:
                return True
            taken, self._waiting = self._waiting, deque()
            lost, self._pushed_out = self._pushed_out, {}
        here = datetime.now(UTC)
        skew = now - here if abs(now - here) > SKEW else timedelta(0)
        try:
            store.logs.add([*(_line(entry, skew) for entry in taken), *_losses(lost, now)])
        except StoreError:
            self._take_back(taken, lost)
            return False
        return True

    def _is_mine(self, record: Record) -> bool:
        return record["extra"].get("worker") is self._worker

    def _keep(self, message: Message) -> None:
        record = message.record
        run_id: int = record["extra"]["run"]
        library = record["extra"].get("library")
        text = f"{library}: {record['message']}" if library else record["message"]
        if len(text) > LONGEST_LINE:
            text = mask(text)[: LONGEST_LINE - 1] + "…"
        entry = (run_id, record["time"].timestamp(), record["level"].name, text)
        with self._lock:
            count = self._count[run_id] = self._count.get(run_id, 0) + 1
            if count > MOST_OF_RUN:
                return
            if count == MOST_OF_RUN:
                entry = (*entry[:2], "WARNING", f"more than {MOST_OF_RUN:,} lines: what follows is left out")
            if len(self._count) > MOST_RUNS:
                del self._count[next(iter(self._count))]
            self._waiting.append(entry)
            self._limit()

    def _take_back(self, taken: deque[Waiting], lost: dict[int, int]) -> None:
        """What the store did not take goes before what came meanwhile."""
        with self._lock:
            for run_id, count in lost.items():
                self._pushed_out[run_id] = self._pushed_out.get(run_id, 0) + count
            taken.extend(self._waiting)
            self._waiting = taken
            self._limit()

    def _limit(self) -> None:
        while len(self._waiting) > MOST_WAITING:
            run_id = self._waiting.popleft()[0]
            self._pushed_out[run_id] = self._pushed_out.get(run_id, 0) + 1


def _line(entry: Waiting, skew: timedelta) -> Line:
    """A line as it is stored; masked here too, for not every process has set up its log."""
    run_id, seconds, level, message = entry
    text = str(holdable(clean(mask(message))))
    return Line(run_id, datetime.fromtimestamp(seconds, UTC) + skew, level, text)


def _losses(lost: dict[int, int], now: datetime) -> list[Line]:
    told = "{:,} lines before these are lost: the store did not take them in time"
    return [Line(run_id, now, "WARNING", told.format(count)) for run_id, count in lost.items()]


def _nothing(record: Any) -> str:
    # The line is taken from the record; a text with time and colours is nobody's.
    return ""
