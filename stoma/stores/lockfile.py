"""The lock file beside a SQLite file: one scheduler at a time, freed by the system when its holder dies."""

from __future__ import annotations

import os
import time
from pathlib import Path
from typing import Any

from stoma.errors import SchedulerRunning, StoreUnavailable

ACQUIRE_SECONDS = 0.5
"""How long the lock is asked for: whoever holds it for longer is a scheduler."""


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
        until = time.monotonic() + ACQUIRE_SECONDS
        while True:
            try:
                _lock_file(handle)
                break
            except OSError:
                # Somebody may only have asked who holds it; that takes no time.
                if time.monotonic() < until:
                    time.sleep(0.02)
                    continue
                who = handle.read().strip() or "another process"
                handle.close()
                raise SchedulerRunning(
                    f"a scheduler already works on {self.path.with_suffix('').name}: {who}",
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
            with self.path.open("r", encoding="utf-8") as handle:
                # Shared, so that those who only ask do not take one another for the holder.
                if _is_locked(handle):
                    return handle.read().strip() or "another process"
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


def _is_locked(handle: Any) -> bool:
    if os.name == "nt":  # pragma: no cover — Windows cannot ask without taking it
        return False
    import fcntl

    try:
        fcntl.flock(handle, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except OSError:
        return True
    return False
