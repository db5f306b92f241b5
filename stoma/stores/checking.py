"""Whether a store is whole: what has to be true of what is stored, each as a statement that counts the exceptions.

Speaks no dialect.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from stoma.stores.base import Database, Reader
from stoma.stores.search import Search
from stoma.stores.tables import tables

AT_ONCE = 20_000
"""Numbers of records that are looked at by one statement."""

BACKUP = "restore a backup from before it was so (docs/keeping.md)"
REPORT = "please report it, with what is told here"


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that was looked at: how many exceptions there are, one of them, and what to do about them."""

    name: str
    # What is true where there is none.
    means: str
    count: int = 0
    example: str = ""
    hint: str = ""

    @property
    def is_well(self) -> bool:
        """True where nothing is wrong with it."""
        return self.count == 0

    def as_dict(self) -> dict[str, Any]:
        """The fields as JSON carries them."""
        found = {"name": self.name, "means": self.means, "well": self.is_well, "count": self.count}
        return found | {"example": self.example, "hint": "" if self.is_well else self.hint}


RIGHTS = Finding("rights", "this user may read and write each table", hint=(
    "let the owner of the tables run: grant select, insert, update, delete on all tables in schema SCHEMA to ROLE"
    " (docs/postgres.md)"))  # fmt: skip

CHECKS = (
    # First: without them what follows cannot be asked.
    RIGHTS,
    Finding("lost_versions", "no version is left of a record that is gone", hint=(
        "delete them by hand: they are in the way of the record, should it come again")),
    Finding("runs", "what is under way has an owner and a deadline, what is over has an end", hint=REPORT),
    Finding("attempts", "each try belongs to a run", hint=REPORT),
    Finding("cursors", "each cursor was moved by a run that completed", hint=BACKUP),
    Finding("progress", "what goes on was begun by a run", hint=BACKUP),
    Finding("agenda", "each task is accounted for since its schedule began", hint=REPORT),
    Finding("indexes", "each index is used", hint="build it again: reindex index NAME"),
)  # fmt: skip
"""Each is asked by the statement `check_` and its name; `versions` and `words` come behind them."""


def findings(database: Database) -> Iterator[Finding]:
    """Look at one thing after the other."""
    with database.reader() as reader:
        for check in CHECKS:
            row = reader.one(f"check_{check.name}", names=sorted(tables(database.dialect))) or {}
            yield _found(check, int(row["count"]), row["example"])
        yield _versions(reader)
    missing = Search(database).check()
    means = "each record, and no other, is in the index of words or waits for it"
    yield Finding("words", means, missing, hint="`stoma store vacuum` brings the index up to date")


def of_file(path: Path) -> Finding:
    """Whether the file of a SQLite database is whole; it may be too damaged for anything else to open it."""
    from stoma.stores.sqlite_care import integrity

    faults = integrity(path)
    hint = "stop the scheduler, keep the file, and restore a backup (docs/keeping.md)"
    means = "each page can be read, and the indexes agree with the tables"
    return Finding("file", means, len(faults), faults[0] if faults else "", hint)


def about(database: Database) -> dict[str, Any]:
    """Which database it is, and which schema it has."""
    with database.reader() as reader:
        version, schema = reader.one("database_version") or {}, reader.one("schema_number") or {}
    return {"place": database.place, "version": version["version"], "schema": schema["number"]}


def _versions(reader: Reader) -> Finding:
    check = Finding("versions", "the versions of each record are numbered without a gap", hint=BACKUP)
    row = reader.one("last_record") or {"id": 0}
    count, example = 0, None
    for after in range(0, row["id"], AT_ONCE):
        found = reader.one("check_versions", after=after, until=after + AT_ONCE) or {}
        count += int(found["count"])
        example = example or found["example"]
    return _found(check, count, example)


def _found(check: Finding, count: int, example: object) -> Finding:
    return Finding(check.name, check.means, count, "" if example is None else str(example), check.hint)
