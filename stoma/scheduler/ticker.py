"""The process's clock: what is due now, and when to look again. The only module that knows `schedule`.

`schedule` reckons in naive local time, so it only rings: due instants are computed in UTC by the patterns, and a
clock that jumped (daylight saving, a suspended laptop) is noticed here and the rings begin anew.
"""

from __future__ import annotations

import heapq
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import datetime, timedelta

import schedule

from stoma.errors import StoreError
from stoma.log import log_details, logger
from stoma.scheduler.agenda import Timetable, next_due


class Ticker:
    """Knows the next due instant of every task, and the regular jobs of the process."""

    def __init__(self) -> None:
        self._clock = schedule.Scheduler()
        self._timetables: dict[str, Sequence[Timetable]] = {}
        self._next: dict[str, datetime] = {}
        self._heap: list[tuple[datetime, str]] = []
        self._store_failed = False

    # -- due instants ----------------------------------------------------------------------------------------

    def load(self, timetables: Mapping[str, Sequence[Timetable]], accounted: Mapping[str, datetime]) -> None:
        """Take these tasks, each accounted for until the given instant, in place of the ones before."""
        self._timetables = dict(timetables)
        self._next = {}
        for task_id, of_task in self._timetables.items():
            due = next_due(of_task, accounted[task_id])
            if due is not None:
                self._next[task_id] = due
        self._heap = [(due, task_id) for task_id, due in self._next.items()]
        heapq.heapify(self._heap)

    def update(
        self,
        timetables: Mapping[str, Sequence[Timetable]],
        accounted: Mapping[str, datetime],
        gone: Iterable[str],
    ) -> None:
        """Take these tasks and drop those that are gone; all others keep their next instant."""
        for task_id in gone:
            self._timetables.pop(task_id, None)
            self._next.pop(task_id, None)
        for task_id, of_task in timetables.items():
            self._timetables[task_id] = of_task
            self._set(task_id, next_due(of_task, accounted[task_id]))
        # What an edit has overtaken stays in the heap until its time comes; it may not become the most of it.
        if len(self._heap) > 2 * len(self._next) + 100:
            self._heap = [(due, task_id) for task_id, due in self._next.items()]
            heapq.heapify(self._heap)

    def timetables(self, task_id: str) -> Sequence[Timetable]:
        """The schedules of a task; empty when it runs only by hand."""
        return self._timetables.get(task_id, ())

    def tick(self, now: datetime) -> list[str]:
        """The tasks that are due, in the order of their instants; each stays due until it is `settled`."""
        due: dict[str, None] = {}
        while self._heap and self._heap[0][0] <= now:
            instant, task_id = heapq.heappop(self._heap)
            if self._next.get(task_id) == instant:
                due[task_id] = None
        return [*due]

    def is_due(self, now: datetime) -> bool:
        """True when `tick` would name a task: a look at one instant, however many tasks there are."""
        return bool(self._heap) and self._heap[0][0] <= now

    def settled(self, task_id: str, accounted_until: datetime) -> None:
        """A task is accounted for until this instant: wait for its next one."""
        due = next_due(self.timetables(task_id), accounted_until)
        self._set(task_id, due)

    def postponed(self, task_id: str) -> None:
        """A due task could not be settled; it stays due."""
        self._set(task_id, self._next.get(task_id))

    def next_run(self, task_id: str) -> datetime | None:
        """The next due instant of a task."""
        return self._next.get(task_id)

    def _set(self, task_id: str, due: datetime | None) -> None:
        if due is None:
            self._next.pop(task_id, None)
        else:
            self._next[task_id] = due
            heapq.heappush(self._heap, (due, task_id))

    # -- regular jobs ----------------------------------------------------------------------------------------

    def every(self, interval: timedelta, name: str, work: Callable[[], object]) -> None:
        """Call `work` at this interval (whole seconds, at least one) from now on; what it raises is logged."""

        def guarded() -> None:
            if self._store_failed:
                return  # the others would only wait for it too; their turn comes again
            try:
                work()
            except StoreError as error:
                self._store_failed = True
                logger.error("{} failed: {}", name, error.message)
            except Exception as error:  # a job that raises would starve the others of this turn
                logger.error("{} failed: {}", name, error)
                log_details(error)

        self._clock.every(max(1, round(interval.total_seconds()))).seconds.do(guarded)

    def ring(self) -> None:
        """Do the regular jobs whose time has come."""
        self._store_failed = False
        local = datetime.now()
        for job in self._clock.jobs:
            # Further away than its interval: the local clock was turned back (an hour, each autumn).
            if job.next_run is not None and job.next_run > local + timedelta(seconds=job.interval):
                job.next_run = local
        self._clock.run_pending()

    def idle_seconds(self, now: datetime, most: float) -> float:
        """How long nothing will happen: until the next due instant or job, at most `most` seconds."""
        waits = [most]
        if self._heap:
            waits.append((self._heap[0][0] - now).total_seconds())
        if (job := self._clock.idle_seconds) is not None:
            waits.append(job)
        return max(0.0, min(waits))
