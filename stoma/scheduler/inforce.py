"""The configuration in force, and how an edit comes into force: checked first, then swapped at once.

A file that fails keeps its last good text, while the edits of other files apply.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from stoma.errors import ConfigError, Problem, StomaError
from stoma.log import log_details, logger, tell_always
from stoma.scheduler import dependencies
from stoma.scheduler.base import Task
from stoma.scheduler.choosing import choose
from stoma.scheduler.config import Config
from stoma.scheduler.files import Instead, Text
from stoma.scheduler.loader import Loader, Outcome, missing
from stoma.stores.addresses import apart

AT_START_ONLY: Mapping[str, Callable[[Config], object]] = {
    "store.url": lambda config: apart(config.store_url)[0],
    "store.schema": lambda config: apart(config.store_url)[1],
    "store.synchronous": lambda config: config.synchronous,
    "api.host": lambda config: config.api.host,
    "api.port": lambda config: config.api.port,
    "api.hosts": lambda config: config.api.hosts,
    "scheduler.max_concurrent_tasks": lambda config: config.max_concurrent_tasks,
    "scheduler.check_interval_seconds": lambda config: config.check_interval,
    "scheduler.lease": lambda config: config.lease,
}
"""What a running process cannot change about itself, as it is written in stoma.yaml."""

MISSING_SECONDS = 2.0
"""How long a file must be missing before its tasks go: some programs delete a file to write it anew."""

AWAY_SECONDS = 10.0
"""How long tasks stay in force that are gone from a file which is still there: it may be half a file."""

YOUNG_SECONDS = 0.2
"""A file that was written this lately may be half a file."""


@dataclass(frozen=True, slots=True)
class Change:
    """What an edit did to the tasks; all three may be empty where only settings changed."""

    added: list[str]
    removed: list[str]
    edited: list[str]


class InForce:
    """One configuration at a time; `generation` counts them, `errors` says what is wrong with the files now.

    Without a loader, as for a configuration made in Python, there are no files to look at.
    """

    def __init__(
        self, config: Config, loader: Loader | None, monotonic: Callable[[], float] = time.monotonic
    ) -> None:
        self.config = config
        self.generation = 1
        tell_always(generation=self.generation)
        self.errors: list[Problem] = []
        # Since when there are any, on the clock of `monotonic`.
        self.broken_since: float | None = None
        self.restart_needed: list[str] = []
        # The texts of the files in force.
        self.texts: Mapping[Path, Text] = loader.texts(config, {}) if loader is not None else {}
        # What only a start brings into force is as it was written then.
        self.started_with = config
        # Tasks are added by any thread, files are taken up by the loop.
        self._swapping = threading.Lock()
        self._loader = loader
        if loader is not None:
            loader.waits_for_code = False
        self._monotonic = monotonic
        self._python_tasks: dict[str, Task] = {}
        self._files_seen: Mapping[str, str] = dict(config.files)
        # Since when files in force are missing; those that were so at the start have been for long enough.
        self._missing = {path: monotonic() - MISSING_SECONDS for path in self.texts if missing(path)}
        # The tasks that are gone from files which are there, and since when.
        self._away: dict[str, float] = {}
        # Whether files were left for another look.
        self._left = False

    @property
    def has_files(self) -> bool:
        """True where files make up the configuration."""
        return self._loader is not None

    def add(self, task: Task) -> None:
        """Add a task of this process's own; raises ConfigError when its id is taken."""
        with self._swapping:
            if task.id in self.config.tasks:
                where = self.config.tasks[task.id].origin
                raise ConfigError([Problem(f'there is a task "{task.id}" already, from {where}')])
            tasks = {**self.config.tasks, task.id: task}
            waits = {name: [found.task for found in other.after] for name, other in tasks.items()}
            if task.after and (faults := list(dependencies.faults(waits))):
                raise ConfigError([Problem(message) for _, _, message in faults])
            self._python_tasks[task.id] = task
            self.config = replace(self.config, tasks=tasks)

    def look(self, *, settled: bool = False) -> Change | None:
        """Take up edited files, as many as go together; None when that changes nothing.

        `settled` leaves files alone that somebody seems to be writing just now.
        """
        if self._loader is None:
            return None
        seen = self.config.files_signature()
        # While something is broken, what would mend it may be a file that nothing in force names yet.
        if seen == self._files_seen and not self.errors and not self._left and not self._away:
            return None
        try:
            held = self._not_yet(seen, settled=settled)
            before = {i: task for i, task in self.config.tasks.items() if i not in self._away}
            choice = choose(self._load, self.texts, self._loader.main, before, held)
        except Exception as error:  # whatever is wrong with an edit, what works goes on
            self._tell(_problems_of(error))
            return None
        self._files_seen, self._left = seen, bool(held)
        self._tell(choice.problems)
        return self._swap(choice.config, self._loader) if choice.config is not None else None

    def _not_yet(self, seen: Mapping[str, str], *, settled: bool) -> set[Path]:
        """The files that are not to be judged yet: missing only now, or just being written."""
        now = self._monotonic()
        gone = [
            path for path in self.texts if seen.get(str(path)) != self.texts[path].digest and missing(path)
        ]
        self._missing = {path: self._missing.get(path, now) for path in gone}
        held = {path for path, since in self._missing.items() if now - since < MISSING_SECONDS}
        if settled:
            held |= {Path(name) for name, digest in seen.items() if self._is_young(Path(name), digest)}
        return held

    def _is_young(self, path: Path, digest: str) -> bool:
        known = self.texts.get(path)
        if known is not None and known.digest == digest:
            return False
        try:
            found = path.stat()
        except OSError:
            return False
        return 0 <= time.time() - max(found.st_mtime, found.st_ctime) < YOUNG_SECONDS

    def _load(self, instead: Instead) -> Outcome:
        """One load; a file may not declare a task that this process added itself."""
        assert self._loader is not None  # noqa: S101 — look() has seen to it
        outcome = self._loader.load(instead)
        tasks = outcome.config.tasks if outcome.config is not None else {}
        clashes = [
            Problem(f'"{task_id}" is a task that this process added itself', file=tasks[task_id].origin)
            for task_id in self._python_tasks
            if task_id in tasks
        ]
        if not clashes:
            return outcome
        return replace(
            outcome, config=None, disagreements=[*outcome.disagreements, *clashes], problems=clashes
        )

    def _tell(self, problems: list[Problem]) -> None:
        before, self.errors = self.errors, problems
        if not (before and problems):
            self.broken_since = self._monotonic() if problems else None
        for problem in problems:
            if problem not in before:
                logger.error("an edit is not taken up, the old text stays in force: {}", problem)
        if before and not problems:
            logger.info("the configuration is in order again")

    def _swap(self, fresh: Config, loader: Loader) -> Change | None:
        loader.path = fresh.path
        self.texts = loader.texts(fresh, self.texts)
        loader.keep_only({*self.texts, *map(Path, self._files_seen)})
        with self._swapping:
            more = {**self._still_here(fresh), **self._python_tasks}
            if more:
                fresh = replace(fresh, tasks={**fresh.tasks, **more})
            old, self.config = self.config, fresh
        change = _change(old, fresh)
        if not (change.added or change.removed or change.edited) and old.settings == fresh.settings:
            return None
        self._compare_with_start(fresh)
        self.generation += 1
        tell_always(generation=self.generation)
        return change

    def _still_here(self, fresh: Config) -> dict[str, Task]:
        """The tasks that are gone from files which are there, until they have been away for long enough."""
        now, before = self._monotonic(), self._away
        known = fresh.tasks.keys() | self._python_tasks.keys()
        gone = {i: task for i, task in self.config.tasks.items() if i not in known}
        self._away = {
            task_id: before.get(task_id, now)
            for task_id, task in gone.items()
            # A file that was deleted has been missing for its time.
            if now - before.get(task_id, now) < AWAY_SECONDS and not missing(_file_of(task, fresh))
        }
        if fresh_ones := sorted(self._away.keys() - before.keys()):
            logger.info(
                "no longer declared, in force for {:g} s more: {}", AWAY_SECONDS, ", ".join(fresh_ones)
            )
        return {task_id: gone[task_id] for task_id in self._away}

    def _compare_with_start(self, fresh: Config) -> None:
        """Say what only a restart brings into force, when that has changed."""
        needed = [name for name, of in AT_START_ONLY.items() if of(fresh) != of(self.started_with)]
        if needed and needed != self.restart_needed:
            logger.warning("restart needed: {}; until then this goes on as it began", ", ".join(needed))
        self.restart_needed = needed


def _problems_of(error: Exception) -> list[Problem]:
    if isinstance(error, ConfigError):
        return error.problems
    if isinstance(error, StomaError):
        return [Problem(error.message, hint=error.hint)]
    log_details(error)
    return [Problem(f"the files cannot be loaded: {type(error).__name__}: {error}")]


def _file_of(task: Task, config: Config) -> Path:
    return config.base / task.origin.rpartition(":")[0]


def _change(old: Config, new: Config) -> Change:
    # An edit that only moves lines changes where a task stands, not what it does.
    def differs(task: Task, before: Task) -> bool:
        return task is not before and replace(task, origin="") != replace(before, origin="")

    return Change(
        added=[task_id for task_id in new.tasks if task_id not in old.tasks],
        removed=[task_id for task_id in old.tasks if task_id not in new.tasks],
        edited=[
            task_id
            for task_id, task in new.tasks.items()
            if task_id in old.tasks and differs(task, old.tasks[task_id])
        ],
    )
