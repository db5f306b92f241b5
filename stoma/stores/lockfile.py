"""The lock file beside a SQLite file: one scheduler at a time, freed by the system when its holder dies."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from stoma.errors import SchedulerRunning, StoreUnavailable


class SchedulerLock:
    """One scheduler for one file: a lock file that the system frees when its holder dies."""

    def __init__(self, database: Path) -> None:
        # Of the file itself: two names for one database are one database.
        database = database.resolve()
        self.path = database.with_name(database.name + ".lock")
        self._handle: Any = None

    def acquire(self, owner: str) -> None:
        """Take the lock, or raise SchedulerRunning naming who holds it."""
        try:
            # Not opened for writing at once: that would empty the holder's name before we know.
            handle = os.fdopen(os.open(self.path, os.O_RDWR | os.O_CREAT, 0o644), "r+", encoding="utf-8")
        except OSError as error:
            raise StoreUnavailable(f"{self.path} cannot be opened: {error.strerror}") from None
        try:
            _lock_file(handle)
        except OSError:
            holder = handle.read().strip() or "another process"
            handle.close()
            raise SchedulerRunning(
                f"a scheduler already works on {self.path.with_suffix('').name}: {holder}",
                "stop it first, or give this one another store.url",
            ) from None
        handle.seek(0)
        handle.truncate()
        handle.write(owner)
        handle.flush()
        self._handle = handle

    def holder(self) -> str | None:
        """Who holds the lock, or None when nobody does."""
        try:
            with self.path.open("r+", encoding="utf-8") as handle:
                _lock_file(handle)
        except FileNotFoundError:
            return None
        except OSError:
            try:
                return self.path.read_text(encoding="utf-8").strip() or "another process"
            except OSError:
                return None
        return None

    def release(self) -> None:
        """Free the lock; the file stays, because removing it could free somebody else's."""
        if self._handle is not None:
            self._handle.seek(0)
            self._handle.truncate()
            self._handle.close()
            self._handle = None


def _lock_file(handle: Any) -> None:
    if os.name == "nt":  # pragma: no cover — Windows
        import msvcrt

        msvcrt.locking(handle.fileno(), msvcrt.LK_NBLCK, 1)  # type: ignore[attr-defined]
    else:
        import fcntl

        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
