"""`--demo`: the configured tasks against a local stand-in for their sources, into a folder of its own."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

from stoma.demo.standin import StandIn
from stoma.log import logger
from stoma.references import REFERENCE
from stoma.scheduler.base import Task
from stoma.scheduler.config import Config

CONTACT = "A demonstration of Stoma demo@example.org"


@contextmanager
def stand_in() -> Iterator[Callable[[Config], Config]]:
    """A function that points a configuration at the stand-in, which answers as long as the block lasts."""
    with StandIn(now=datetime.now(UTC)) as standin:
        told: set[str] = set()

        def demonstrated(config: Config) -> Config:
            tasks: dict[str, Task] = {}
            left_out = []
            for task in config.tasks.values():
                wanted = without_secrets(task.config)
                url = standin.url_for(task.collector, task.id, wanted)
                if url is None:
                    # Never the source itself: a demo asks nobody.
                    left_out.append(task.id)
                else:
                    tasks[task.id] = replace(task, config={**wanted, "base_url": url})
            # Nobody can wait for a task that is not there.
            for task_id, task in tasks.items():
                after = tuple(found for found in task.after if found.task in tasks)
                tasks[task_id] = replace(task, after=after)
            if new := [task_id for task_id in left_out if task_id not in told]:
                told.update(new)
                logger.warning(
                    "left out, the demo has nothing that stands in for their source: {}", ", ".join(new)
                )
            return replace(config, demo=True, store_url="sqlite:///stoma.db", tasks=tasks, contact=CONTACT)

        yield demonstrated


def without_secrets(value: Any) -> Any:
    """A config without its references: the stand-in takes any token, and needs no address but its own."""
    if isinstance(value, str):
        return REFERENCE.sub(lambda found: "demo", value)
    if isinstance(value, Mapping):
        return {key: without_secrets(inner) for key, inner in value.items()}
    return [without_secrets(inner) for inner in value] if isinstance(value, list | tuple) else value
