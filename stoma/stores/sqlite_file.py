"""The file of a SQLite database and those beside it: connecting, keeping the log small, noticing that one was taken."""

from __future__ import annotations

import os
import sqlite3
import time
from contextlib import suppress
from pathlib import Path

from stoma.errors import StoreUnavailable
from stoma.log import logger
from stoma.stores.sqlite_errors import BUSY_SECONDS, is_busy

STEP_SECONDS = 0.25
"""How long SQLite itself waits for another process before it lets us look whether we are to hurry."""

LARGE = 64 * 2**20
"""Bytes from which on the log is emptied even if that holds up writers: readers that overlap never let it end by
itself (seen: 120 MB in 20 s with eight of them), and a large one makes every reader slow."""

KEPT = LARGE // 2
"""Bytes that the log may keep when it begins anew: a file that need not grow is written faster."""

BATCH = 4_000
"""Pages of 4 KB in the log from which on a commit brings it into the file, instead of SQLite's 1,000: these are two
commits of 1,000 records, and pages of indexes that each of them changes would be written anew each time."""

LONGEST_HOLD = 10.0
"""Seconds for which writers are held up at most to empty the log; they wait for far longer before they give up."""

HUGE = 1024 * 2**20
"""Bytes from which on a person is told: somebody reads for so long that the log cannot be emptied."""


def connect(path: Path, synchronous: str) -> sqlite3.Connection:
    """A connection as every one has to be. Raises SQLite's errors, and StoreUnavailable for what may not be written."""
    for name in names(path):
        # SQLite would go on without that right and leave a log behind that nobody may write, also later.
        if os.path.exists(name) and not os.access(name, os.R_OK | os.W_OK) and not os.path.isdir(name):
            raise StoreUnavailable(
                f"{name} may not be read and written", "give this user the right to; then it works again"
            )
    connection = sqlite3.connect(path, timeout=STEP_SECONDS, isolation_level=None, check_same_thread=False)
    try:
        _use_wal(connection)
        connection.execute(f"pragma synchronous = {synchronous}")
        connection.execute(f"pragma journal_size_limit = {KEPT}")
        connection.execute(f"pragma wal_autocheckpoint = {BATCH}")
        connection.execute("pragma cache_size = -16000")
        connection.execute("pragma temp_store = memory")
    except BaseException:
        connection.close()
        raise
    return connection


def _use_wal(connection: sqlite3.Connection) -> None:
    """Switching a new file to WAL fails at once when another process does the same; then it is done soon."""
    until = time.monotonic() + BUSY_SECONDS
    while True:
        try:
            if connection.execute("pragma journal_mode").fetchone()[0] != "wal":
                connection.execute("pragma journal_mode = wal")
            return
        except sqlite3.OperationalError as error:
            if not is_busy(error) or time.monotonic() > until:
                raise
            time.sleep(0.02)


def hold_seconds(size: int) -> float:
    """For how long writers may be held up to empty a log of so many bytes: the larger, the longer."""
    return min(LONGEST_HOLD, size / LARGE) if size >= LARGE else 0.0


def names(path: Path) -> tuple[str, str, str]:
    """The database's file, its log and the memory that its processes share: they lie beside the file itself."""
    real = os.path.realpath(path)
    return real, f"{real}-wal", f"{real}-shm"


class Files:
    """The database's file, its log and the memory its processes share, as they were opened."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._watched = names(path)
        self.log = Path(self._watched[1])
        # None: not there yet.
        self._opened: list[tuple[int, int] | None] = [None] * len(self._watched)
        # Bytes from which on the log is to be emptied: what did not work is not tried again before it has grown. One
        # that is large already is the business of the process that made it so, not of every short command.
        self._try_at = max(LARGE, _grown(self._size()))

    def check(self, writer: sqlite3.Connection | None = None) -> None:
        """Raise StoreUnavailable where one was removed or replaced: what is written then would be lost.

        Given the connection that writes, what stood in a log that was removed is first brought into the file.
        """
        for number, name in enumerate(self._watched):
            opened, found = self._opened[number], _identity(name)
            if opened is None:
                self._opened[number] = found
            elif found != opened:
                if writer is not None and found is None and name == str(self.log):
                    # Where another one lies there by now, another process may be writing the file with it.
                    with suppress(sqlite3.Error):
                        writer.execute("pragma wal_checkpoint")
                raise StoreUnavailable(
                    f"{name} was removed or replaced while it was in use",
                    "put it back, or restart to begin with what is there now",
                )

    def tend(self, connection: sqlite3.Connection) -> None:
        """Empty the log where it has grown large, by the connection that writes; called between transactions."""
        size = self._size()
        if size < LARGE:
            self._try_at = LARGE
        if size < self._try_at:
            return
        self._try_at = _grown(size)
        # What goes wrong here goes wrong again where it matters, and is told there.
        with suppress(sqlite3.Error):
            if not _emptied(connection, hold_seconds(size)) and size > HUGE:
                logger.warning(
                    "{} has grown to {} MB, because a program has been reading {} all the time: end that program",
                    self.log,
                    size // 2**20,
                    self._path.name,
                )

    def _size(self) -> int:
        try:
            return self.log.stat().st_size
        except OSError:
            return 0


def _grown(size: int) -> int:
    return size + size // 2


def _emptied(connection: sqlite3.Connection, seconds: float) -> bool:
    connection.execute(f"pragma busy_timeout = {seconds * 1000:.0f}")
    try:
        busy: int = connection.execute("pragma wal_checkpoint(truncate)").fetchone()[0]
    finally:
        connection.execute(f"pragma busy_timeout = {STEP_SECONDS * 1000:.0f}")
    return not busy


def _identity(name: str) -> tuple[int, int] | None:
    try:
        found = os.stat(name)
    except OSError:
        return None
    return (found.st_dev, found.st_ino)
