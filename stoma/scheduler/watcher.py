"""Watches the folders of a configuration: many events become one call. The only module that knows `watchdog`.

Whoever it wakes looks at the content of the files, so an event too many does no harm; and files are looked at from
time to time anyway, so that an event too few costs seconds. Where watching is impossible, one warning says so.
"""

from __future__ import annotations

import os
import sys
import threading
from collections.abc import Callable
from itertools import takewhile
from pathlib import Path, PurePosixPath
from time import monotonic
from typing import TYPE_CHECKING, Any

from stoma.log import logger
from stoma.resources import preset_folders
from stoma.scheduler.config import Config
from stoma.scheduler.files import SUFFIXES, expanded

if TYPE_CHECKING:
    from watchdog.events import FileSystemEvent, FileSystemEventHandler
    from watchdog.observers.api import BaseObserver

QUIET_SECONDS = 0.2
"""How long nothing must have happened before it is told: an editor does several things to save one file."""

MOST_SECONDS = 2.0
"""After this long it is told even if it does not end."""

STOP_SECONDS = 1.0

Aim = tuple[str, bool]
"""A folder, and whether all that lies below it counts too."""


def tell_at(first: float, last: float) -> float:
    """When to tell of events of which the first and the last came at these moments (seconds)."""
    return min(last + QUIET_SECONDS, first + MOST_SECONDS)


def aims(config: Config) -> set[Aim]:
    """The folders in which something may happen to the files of a configuration, those behind links too."""
    base = config.base
    folders: set[tuple[Path, bool]] = {(base, False), *((place, False) for place in preset_folders(base))}
    for pattern in config.include:
        parts = PurePosixPath(pattern).parts
        parts = parts if parts[-1:] == ("**",) else parts[:-1]
        plain = [*takewhile(lambda part: part != "**", parts)]
        levels = expanded(base, plain)
        folders |= {(folder, False) for level in levels for folder in level}
        if len(plain) < len(parts) and len(levels) > len(plain):
            folders |= {(folder, True) for folder in levels[-1]}
    for name in config.files:
        folders |= {(folder, False) for folder in _on_the_way(Path(name))}
    for folder, _ in [*folders]:
        folders |= {(way, False) for way in _on_the_way(folder)}
    real = {(os.path.realpath(folder), below) for folder, below in folders if folder.is_dir()}
    return {(folder, below) for folder, below in real if below or (folder, True) not in real}


def _on_the_way(path: Path) -> set[Path]:
    """The folders of the links that a path consists of or leads to: replacing one of them replaces the file."""
    found: set[Path] = set()
    for _ in range(40):  # as many as the system follows
        link = next((part for part in (*reversed(path.parents), path) if part.is_symlink()), None)
        if link is None:
            break
        found.add(link.parent)
        target = link.parent / os.readlink(link)
        path = Path(os.path.normpath(target / path.relative_to(link)))
    return {*found, path.parent}


def matters(path: str, names: frozenset[str], *, is_folder: bool) -> bool:
    """Whether what happened to a path may concern a configuration; `names` are those of its files and links."""
    name = os.path.basename(path)
    # ConfigMaps are swapped by a link called ..data.
    if is_folder or name in names or name.startswith(".."):
        return True
    return name.endswith(SUFFIXES) and not name.startswith(".")


class Watcher:
    """Calls `changed`, on a thread of its own, when files of the configuration it is aimed at may have changed."""

    def __init__(self, changed: Callable[[], None]) -> None:
        self._changed = changed
        self._observer: BaseObserver | None = None
        self._watches: dict[Aim, tuple[Any, tuple[int, int]]] = {}
        # Watched folders that were deleted: one that is made anew may look the same to the system.
        self._deleted: set[str] = set()
        self._names: frozenset[str] = frozenset()
        self._warned = False
        self._events = threading.Condition()
        self._first = self._last = 0.0
        self._pending = self._ended = False
        self._thread: threading.Thread | None = None

    @property
    def is_watching(self) -> bool:
        """True while every folder is watched."""
        return self._observer is not None and not self._warned

    def start(self, config: Config) -> None:
        """Begin; never raises: what cannot be watched is found by looking."""
        try:
            self._observer = _observer()
            self._observer.start()
        except Exception as error:  # no inotify, or too many of them
            self._observer = None
            self._warn(error)
            return
        self._thread = threading.Thread(target=self._tell, name="watcher", daemon=True)
        self._thread.start()
        self.aim(config)

    def aim(self, config: Config) -> None:
        """Watch the folders of this configuration from now on; never raises."""
        if self._observer is None:
            return
        try:
            self._names = frozenset(Path(name).name for name in config.files) | _names_of(config)
            self._aim(self._observer, aims(config))
        except Exception as error:  # a folder that went while it was looked at
            self._warn(error)

    def stop(self) -> None:
        """End; no call comes after this."""
        with self._events:
            self._ended = True
            self._events.notify()
        if self._thread is not None:
            self._thread.join(STOP_SECONDS)
        if self._observer is not None:
            self._observer.stop()
            self._observer.join(STOP_SECONDS)
            self._observer = None

    def _aim(self, observer: BaseObserver, wanted: set[Aim]) -> None:
        now = {aim: identity for aim in wanted if (identity := _identity(aim[0])) is not None}
        deleted, self._deleted = self._deleted, set()
        for aim, (watch, identity) in [*self._watches.items()]:
            # A folder that was replaced is watched no more, though its name is the same.
            if now.get(aim) != identity or aim[0] in deleted:
                del self._watches[aim]
                observer.unschedule(watch)
        handler, events = _handler(self.event), _events()
        fresh = False
        failed: Exception | None = None
        for aim in now.keys() - self._watches.keys():
            try:
                watch = observer.schedule(handler, aim[0], recursive=aim[1], event_filter=events)
            except Exception as error:
                failed = error
                continue
            self._watches[aim] = watch, now[aim]
            fresh = True
        if failed is not None:
            self._warn(failed)
        elif self._warned:
            self._warned = False
            logger.info("edited files are watched again")
        if fresh:
            # What happened before the first event of a new folder was seen by nobody.
            self.happened()

    def happened(self) -> None:
        """Something happened that matters."""
        with self._events:
            self._last = monotonic()
            if not self._pending:
                self._first, self._pending = self._last, True
            self._events.notify()

    def event(self, event: FileSystemEvent) -> None:
        """Something happened in a watched folder."""
        if event.is_directory and event.event_type == "deleted":
            self._deleted.add(os.fsdecode(event.src_path))
        for path in (event.src_path, event.dest_path):
            if path and matters(os.fsdecode(path), self._names, is_folder=event.is_directory):
                self.happened()
                return

    def _tell(self) -> None:
        while True:
            with self._events:
                while not self._ended and not self._pending:
                    self._events.wait()
                while not self._ended and (rest := tell_at(self._first, self._last) - monotonic()) > 0:
                    self._events.wait(rest)
                if self._ended:
                    return
                self._pending = False
            try:
                self._changed()
            except Exception as error:
                self._warn(error)

    def _warn(self, error: Exception) -> None:
        if not self._warned:
            self._warned = True
            logger.warning("edited files are noticed only every few seconds: watching them fails ({})", error)


def _handler(take: Callable[[FileSystemEvent], None]) -> FileSystemEventHandler:
    from watchdog.events import FileSystemEventHandler

    class Handler(FileSystemEventHandler):
        def dispatch(self, event: FileSystemEvent) -> None:
            take(event)

    return Handler()


def _observer() -> BaseObserver:
    from watchdog.observers import Observer

    return Observer()


def _events() -> list[type[FileSystemEvent]]:
    """The events that count: reading, our own included, and each single write into a file do not."""
    from watchdog import events

    found: list[type[FileSystemEvent]] = [
        events.FileCreatedEvent, events.FileDeletedEvent, events.FileMovedEvent, events.FileClosedEvent,
        events.DirCreatedEvent, events.DirDeletedEvent, events.DirMovedEvent,
    ]  # fmt: skip
    # Elsewhere nobody tells that a file was closed. Here each commit of a SQLite file in the folder would be told.
    return found if sys.platform == "linux" else [*found, events.FileModifiedEvent]


def _names_of(config: Config) -> set[str]:
    """What the names of files and folders on the way to the files of a configuration are."""
    found = {part for pattern in config.include for part in PurePosixPath(pattern).parts}
    for name in config.files:
        path = Path(name)
        if path.is_symlink():
            found |= set(PurePosixPath(os.readlink(path)).parts)
    return {*found, "presets", config.base.name}


def _identity(folder: str) -> tuple[int, int] | None:
    try:
        found = os.stat(folder)
    except OSError:
        return None
    return found.st_dev, found.st_ino
