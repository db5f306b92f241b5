"""Tasks whose runs end as a test says, and who is told of it."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from pathlib import Path
from typing import Any

from stoma.scheduler.base import Notify, Run, Task, TaskStatus, hand_trigger
from stoma.scheduler.config import Config
from stoma.scheduler.following import consequences
from stoma.scheduler.parts import new_run
from stoma.stores import Store
from stoma.stores.base import Row
from stoma.stores.runs import End
from tests.support.clock import Clock

LEASE = timedelta(seconds=30)
OPS = "${env:STOMA_TEST_OPS_URL}"
NOBODY = "${env:STOMA_TEST_NOBODY_URL}"


class World:
    def __init__(self, store: Store, clock: Clock, base: Path) -> None:
        self.store, self.clock, self.base = store, clock, base
        self.targets: Mapping[str, tuple[str, ...]] = {"ops": (OPS,)}
        self.notify = Notify(after_failures=2)
        self.tasks: dict[str, Task] = {}
        store.runs.on_final = consequences(lambda: self.config)

    @property
    def config(self) -> Config:
        return Config(
            base=self.base, store_url="", tasks=dict(self.tasks), targets=self.targets, notify=self.notify
        )

    def task(self, task_id: str = "a", **more: Any) -> Task:
        made = Task(task_id, task_id, "scripted", config={"script": "s"}, **{"notify": self.notify, **more})
        self.tasks[task_id] = made
        return made

    def run(
        self, task_id: str = "a", status: TaskStatus = TaskStatus.FAILED, said: str = "it broke", **more: Any
    ) -> Run:
        """A run that ends like this; `more` are fields of the end."""
        self.clock.forward(seconds=1)
        now, lease = self.clock.now, self.clock.now + LEASE
        run = self.store.runs.add(new_run(self.tasks[task_id], hand_trigger()), now)
        assert self.store.runs.reserve(run, "me", now, lease) is not None
        claimed = self.store.runs.claim_one(run.id, "me", now, lease)
        assert claimed is not None
        if status is TaskStatus.FAILED:
            more.setdefault("error", said)
        elif status is TaskStatus.SUSPECT:
            more.setdefault("reason", said)
        ended = self.store.runs.end(claimed, End(status, **more), now)
        assert ended is not None
        return ended

    def rows(self, status: str | None = "waiting") -> list[Row]:
        """What lies in the outbox, in order."""
        with self.store.database.reader() as reader:
            cursor: Any = reader._connection  # type: ignore[attr-defined]
            found = [
                row if isinstance(row, dict) else dict(zip(NAMES, row, strict=True))
                for row in cursor.execute(f"select {', '.join(NAMES)} from outbox order by id").fetchall()
            ]
        return [row for row in found if status is None or row["status"] == status]

    @property
    def told(self) -> list[str]:
        """The subjects of all that was ever queued."""
        return [row["title"] for row in self.rows(None)]


NAMES = (
    "id",
    "about",
    "event",
    "kind",
    "target",
    "address",
    "title",
    "body",
    "status",
    "tries",
    "repeats",
    "error",
)
