"""`--demo`: the configured tasks against a local stand-in for their sources, into a folder of its own."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime

from stoma.demo.standin import StandIn
from stoma.scheduler.base import Task
from stoma.scheduler.config import Config


@contextmanager
def stand_in() -> Iterator[Callable[[Config], Config]]:
    """A function that points a configuration at the stand-in, which answers as long as the block lasts."""
    with StandIn(now=datetime.now(UTC)) as standin:

        def redirect(task: Task) -> Task:
            url = standin.url(task.collector)
            return task if url is None else replace(task, config={**task.config, "base_url": url})

        def demonstrated(config: Config) -> Config:
            tasks = {task.id: redirect(task) for task in config.tasks.values()}
            return replace(config, demo=True, store_url="sqlite:///stoma.db", tasks=tasks)

        yield demonstrated
