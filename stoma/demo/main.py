"""`--demo`: the configured tasks against a local stand-in for their sources, into a folder of its own."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime

from stoma.demo.standin import StandIn
from stoma.log import logger
from stoma.scheduler.base import Task
from stoma.scheduler.config import Config


@contextmanager
def stand_in() -> Iterator[Callable[[Config], Config]]:
    """A function that points a configuration at the stand-in, which answers as long as the block lasts."""
    with StandIn(now=datetime.now(UTC)) as standin:
        told: set[str] = set()

        def demonstrated(config: Config) -> Config:
            tasks: dict[str, Task] = {}
            left_out = []
            for task in config.tasks.values():
                url = standin.url(task.collector)
                if url is None:
                    # Never the source itself: a demo asks nobody.
                    left_out.append(task.id)
                else:
                    tasks[task.id] = replace(task, config={**task.config, "base_url": url})
            if new := [task_id for task_id in left_out if task_id not in told]:
                told.update(new)
                logger.warning("left out, the demo has no stand-in for their source: {}", ", ".join(new))
            return replace(config, demo=True, store_url="sqlite:///stoma.db", tasks=tasks)

        yield demonstrated
