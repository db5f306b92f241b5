"""The configuration in force, and how an edit comes into force: checked as a whole first, then swapped at once."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass, replace

from stoma.errors import ConfigError, Problem, StomaError
from stoma.log import log_details, logger
from stoma.scheduler.base import Task
from stoma.scheduler.config import Config

AT_START_ONLY = ("store_url", "synchronous", "api", "max_concurrent_tasks", "check_interval", "lease")
"""What a running process cannot change about itself."""


@dataclass(frozen=True, slots=True)
class Change:
    """What an edit did to the tasks."""

    added: list[str]
    removed: list[str]
    edited: list[str]


class InForce:
    """One configuration at a time; `generation` counts them, `errors` says what is wrong with the files now."""

    def __init__(self, config: Config, reload: Callable[[], Config]) -> None:
        self.config = config
        self.generation = 1
        self.errors: list[Problem] = []
        self.restart_needed: list[str] = []
        self._started_with = config
        # Tasks are added by any thread, files are taken up by the loop.
        self._swapping = threading.Lock()
        self._reload = reload
        self._python_tasks: dict[str, Task] = {}
        self._files_seen = dict(config.files)

    def add(self, task: Task) -> None:
        """Add a task of this process's own; raises ConfigError when its id is taken."""
        with self._swapping:
            if task.id in self.config.tasks:
                where = self.config.tasks[task.id].origin
                raise ConfigError([Problem(f'there is a task "{task.id}" already, from {where}')])
            self._python_tasks[task.id] = task
            self.config = replace(self.config, tasks={**self.config.tasks, task.id: task})

    def look(self) -> Change | None:
        """Take up edited files; None when nothing changed, or when an edit is broken and the old text stays."""
        signature = dict(self.config.files_signature())
        # While something is broken, what would mend it may be a file that nothing in force names yet.
        if signature == self._files_seen and not self.errors:
            return None
        self._files_seen = signature
        try:
            fresh = self._with_python_tasks(self._reload())
        except Exception as error:  # whatever is wrong with an edit, what works goes on
            before, self.errors = self.errors, _problems_of(error)
            for problem in self.errors if self.errors != before else ():
                logger.error("an edit is not taken up, the old text stays in force: {}", problem)
            return None
        if self.errors:
            logger.info("the configuration is in order again")
        self.errors = []
        self._files_seen = dict(fresh.files)
        with self._swapping:
            fresh = replace(fresh, tasks={**fresh.tasks, **self._python_tasks})
            old, self.config = self.config, fresh
        if fresh.hash == old.hash:
            return None
        self._compare_with_start(fresh)
        self.generation += 1
        return _change(old, fresh)

    def _compare_with_start(self, fresh: Config) -> None:
        """Say what only a restart brings into force, when that has changed."""
        needed = [name for name in AT_START_ONLY if getattr(fresh, name) != getattr(self._started_with, name)]
        if needed and needed != self.restart_needed:
            told = ", ".join(name.replace("_", " ") for name in needed)
            logger.warning("restart needed: {} changed; until then this goes on as it began", told)
        self.restart_needed = needed

    def _with_python_tasks(self, fresh: Config) -> Config:
        for task_id in self._python_tasks:
            if task_id in fresh.tasks:
                origin = fresh.tasks[task_id].origin
                raise ConfigError(
                    [Problem(f'"{task_id}" is a task that this process added itself', file=origin)]
                )
        return replace(fresh, tasks={**fresh.tasks, **self._python_tasks})


def _problems_of(error: Exception) -> list[Problem]:
    if isinstance(error, ConfigError):
        return error.problems
    if isinstance(error, StomaError):
        return [Problem(error.message, hint=error.hint)]
    log_details(error)
    return [Problem(f"the files cannot be loaded: {type(error).__name__}: {error}")]


def _change(old: Config, new: Config) -> Change:
    # An edit that only moves lines changes where a task stands, not what it does.
    def meaning(task: Task) -> Task:
        return replace(task, origin="")

    return Change(
        added=[task_id for task_id in new.tasks if task_id not in old.tasks],
        removed=[task_id for task_id in old.tasks if task_id not in new.tasks],
        edited=[
            task_id
            for task_id, task in new.tasks.items()
            if task_id in old.tasks and meaning(task) != meaning(old.tasks[task_id])
        ],
    )
