"""SQLite's errors as Stoma's, with the file and what to do."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from stoma.errors import Conflict, StoreUnavailable

BUSY_SECONDS = 30.0
"""How long a writer waits for others before it gives up; transactions last milliseconds."""


@contextmanager
def translated(path: Path) -> Iterator[None]:
    """SQLite's errors as Stoma's, with the file and what to do."""
    try:
        yield
    except sqlite3.IntegrityError as error:
        raise Conflict(f"{path}: {error}") from error
    except sqlite3.Error as error:
        text = str(error)
        hint = {
            "database or disk is full": "free some space; work goes on by itself",
            "attempt to write a readonly database": "make the file and its folder writable for this user",
            "unable to open database file": "check that the folder exists and that this user may write there",
            "database is locked": f"another program has held the file for {BUSY_SECONDS:.0f} s; end it",
            "file is not a database": "this is not a Stoma database; name another file in store.url",
            "database disk image is malformed": "restore the file from a backup",
            "Cannot operate on a closed database.": "the program is stopping",
        }.get(text, "")
        if isinstance(error, sqlite3.OperationalError | sqlite3.DatabaseError) and (
            hint or "I/O error" in text
        ):
            raise StoreUnavailable(f"{path}: {text}", hint) from error
        raise
