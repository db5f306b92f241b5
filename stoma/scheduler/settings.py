"""The configuration as a value."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from functools import cached_property
from pathlib import Path

from stoma.errors import NotFound
from stoma.hosts import HostRule
from stoma.resources import preset_path
from stoma.scheduler import files
from stoma.scheduler.base import Notify, Task
from stoma.scheduler.definitions import stable_hash, task_hash
from stoma.scheduler.dependencies import followers

BUILT_IN_PRESET = "default"
CONTACT = "${env:STOMA_CONTACT}"


@dataclass(frozen=True, slots=True)
class Api:
    """Where the control server listens, the names it answers to, and its tokens as references."""

    host: str = "127.0.0.1"
    port: int = 8000
    hosts: tuple[str, ...] = ()
    tokens: tuple[str, ...] = ()
    # Where people find the dashboard, for links in messages; empty: nowhere.
    public_url: str = ""


@dataclass(frozen=True, slots=True)
class Keep:
    """How long what is stored stays; None: for ever. Raw pages have a time of their own."""

    # Runs with their tries, skips, and the audit.
    runs: timedelta | None = timedelta(days=180)
    # What was logged while runs were carried out.
    logs: timedelta | None = timedelta(days=30)
    # Items that could not be normalised.
    rejects: timedelta | None = timedelta(days=90)
    # Every single measurement; behind that one a day stays.
    observations: timedelta | None = timedelta(days=90)
    # Records that were not seen for so long, with all that is known of them.
    records: timedelta | None = None


@dataclass(frozen=True)
class Config:
    """All that was written, complete, with defaults filled in and references unresolved."""

    # The folder from which relative paths count.
    base: Path
    # None where there is no stoma.yaml and the built-in preset stands for it.
    path: Path | None = None
    built_in: bool = False
    # True for `--demo`: the sources are played by a stand-in, and all that is written lies in a folder of its own.
    demo: bool = False
    tasks: Mapping[str, Task] = field(default_factory=dict)
    timezone: str = "UTC"
    max_concurrent_tasks: int = 3
    check_interval: timedelta = timedelta(seconds=1)
    lease: timedelta = timedelta(seconds=30)
    # The whole address: `store.schema` stands behind it, as `?schema=NAME`.
    store_url: str = "sqlite:///stoma.db"
    synchronous: str = "normal"
    # How long raw pages are kept, for `stoma replay`; None: not at all.
    raw: timedelta | None = None
    keep: Keep = Keep()
    api: Api = Api()
    hosts: Mapping[str, HostRule] = field(default_factory=dict)
    contact: str | None = None
    # Who can be told, by name: references to addresses; and what holds where a task does not say otherwise.
    targets: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    notify: Notify = field(default_factory=Notify)
    # The presets in force, in order, and the ids of the tasks of each.
    presets: tuple[str, ...] = ()
    preset_tasks: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    include: tuple[str, ...] = files.DEFAULT_INCLUDE
    # Every file that was read, with the hash of its content.
    files: Mapping[str, str] = field(default_factory=dict)
    # The hashes of tasks, each with the task it was made of: one that no edit touched is not hashed again.
    hashes: dict[str, tuple[Task, str]] = field(default_factory=dict, compare=False, repr=False)

    @cached_property
    def hash(self) -> str:
        """16 hex digits of all tasks and settings: equal on all nodes that were given the same."""
        return stable_hash([self.settings, {i: self._hash_of(task) for i, task in self.tasks.items()}])

    @property
    def settings(self) -> Sequence[object]:
        """All but the tasks, as plain values."""
        return [
            self.timezone, self.max_concurrent_tasks, str(self.check_interval), str(self.lease), self.store_url,
            self.synchronous, str(self.raw), str(self.keep), str(self.api), self.contact,
            {host: str(rule) for host, rule in self.hosts.items()}, str(self.targets), str(self.notify),
        ]  # fmt: skip

    def _hash_of(self, task: Task) -> str:
        known = self.hashes.get(task.id)
        if known is None or known[0] is not task:
            known = self.hashes[task.id] = task, task_hash(task)
        return known[1]

    @cached_property
    def followers(self) -> Mapping[str, Sequence[str]]:
        """By task: those that wait for its end."""
        return followers(self.tasks)

    def files_signature(self) -> Mapping[str, str]:
        """What `files` would be now; different from it when something was edited, added or removed."""
        main = self.path or self.base / files.MAIN
        paths = [main] if self.path or files.is_there(main) else []
        paths += files.included(self.base, self.include)
        for name in self.presets:
            try:
                paths.append(preset_path(name, self.base))
            except NotFound:
                continue
        # No configuration loads past an obstacle, so one that appears or goes is always a change.
        obstacles = files.obstacles(self.base, self.include)
        hidden = {str(path): f"obstacle: {message}" for path, (message, _) in obstacles.items()}
        return {str(path): files.digest_of(path) for path in paths} | hidden
