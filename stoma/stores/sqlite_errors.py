"""SQLite's errors as Stoma's, with the file and what to do."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from stoma.errors import Conflict, StoreUnavailable

BUSY_SECONDS = 30.0
"""How long a writer waits for others before it gives up; transactions last milliseconds."""

BUSY = frozenset({sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED, sqlite3.SQLITE_PROTOCOL})

HELD = "another program holds the file"

HINTS = {
    **dict.fromkeys(BUSY, "end that program, or let it end its transaction; work goes on by itself"),
    sqlite3.SQLITE_FULL: "free some space; work goes on by itself",
    sqlite3.SQLITE_READONLY: "make the file and its folder writable for this user; work goes on by itself",
    sqlite3.SQLITE_PERM: "give this user the right to read and write the file",
    sqlite3.SQLITE_CANTOPEN: "look whether it is a file, and whether this user may write there and in its folder",
    sqlite3.SQLITE_NOTADB: "this is not a Stoma database; name another file in store.url",
    sqlite3.SQLITE_CORRUPT: "the file is damaged: `stoma store check` says where; restore it from a backup",
    sqlite3.SQLITE_IOERR: "look whether the disk is full, and into the system's log whether it fails",
    sqlite3.SQLITE_NOLFS: "this file system holds no file of that size; move it to another one",
}
"""What to do about errors that are not the statement's fault (https://sqlite.org/rescode.html)."""


def code_of(error: sqlite3.Error) -> int:
    """The kind of an error, one of `sqlite3.SQLITE_…`; 0 where Python itself raised it."""
    code: int = getattr(error, "sqlite_errorcode", 0)
    return code & 0xFF


def is_busy(error: sqlite3.Error) -> bool:
    """True where another process holds the file just now."""
    return code_of(error) in BUSY


@contextmanager
def translated(path: Path) -> Iterator[None]:
    """Raise Conflict and StoreUnavailable in place of SQLite's errors; a mistake in a statement stays what it is."""
    try:
        yield
    except sqlite3.IntegrityError as error:
        raise Conflict(f"{path}: {error}") from error
    except sqlite3.Error as error:
        hint = HINTS.get(code_of(error), "")
        if str(error) == "Cannot operate on a closed database.":
            hint = "the program is stopping"
        if not hint:
            raise
        raise StoreUnavailable(f"{path}: {HELD if is_busy(error) else error}", hint) from error
