"""Care for the file of a SQLite database: whether it is whole, a copy of it, giving back the space it does not need.

Every function opens a connection of its own: each takes long, and nobody should wait for it.
"""

from __future__ import annotations

import os
import shutil
import sqlite3
import tempfile
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from stoma.errors import StoreError, StoreUnavailable, UsageError
from stoma.stores.sqlite_errors import BUSY_SECONDS, translated

PAGES = 2_000
"""Pages copied between two looks at how far it is: 8 MB."""

LOOK_EVERY = 200_000
"""Steps of SQLite between two moments at which it can be interrupted."""

MOST_FAULTS = 20
"""Faults that are told of one file."""

COUNTED = ("records", "record_versions", "observations", "runs", "cursors")
"""Tables whose rows are counted in a copy and in what it is a copy of."""


@dataclass(frozen=True, slots=True)
class Space:
    """Bytes of a file and of its log; those that something is in, and those of the file that nothing is in."""

    file: int
    log: int
    used: int
    free: int


def space(path: Path) -> Space:
    """How much room a database takes."""
    with _opened(path) as connection:
        page, pages, free = (
            _number(connection, f"pragma {name}") for name in ("page_size", "page_count", "freelist_count")
        )
    log = path.with_name(path.name + "-wal")
    return Space(
        path.stat().st_size, log.stat().st_size if log.exists() else 0, page * (pages - free), page * free
    )


def integrity(path: Path) -> list[str]:
    """What is wrong with a file: every page, every index against its table; empty where it is whole."""
    with _opened(path) as connection:
        try:
            rows = connection.execute(f"pragma integrity_check({MOST_FAULTS})").fetchall()
        except sqlite3.DatabaseError as error:
            # So damaged that it cannot even be looked through.
            return [str(error)]
    found = [str(row[0]) for row in rows]
    return [] if found == ["ok"] else found


def backup(
    path: Path,
    target: Path,
    *,
    force: bool = False,
    told: Callable[[int, int], None] = lambda done, total: None,
) -> dict[str, int]:
    """A copy of a database as it is at this moment, also while others write; gives the counts of its main tables.

    It is written beside its place, looked through, and only then given its name. `told` hears pages done and all of
    them. Raises UsageError where the target is there already (unless `force`), is the database, is being written by
    another process, or holds records while the database has none, StoreError where there is no room or the copy is not
    whole.
    """
    if os.path.islink(target):
        # It goes on pointing where it did: what it names is replaced.
        target = Path(os.path.realpath(target))
    _may_write(path, target, force=force)
    try:
        with _alone(target):
            return _backup(path, target, force, told)
    except OSError as error:
        raise StoreUnavailable(f"{target} cannot be written: {error.strerror}") from None


@contextmanager
def _alone(target: Path) -> Iterator[None]:
    """Nobody else writes this copy.

    The lock is beside it: on some systems and network drives it would keep SQLite's own locks out.
    """
    from stoma.partfile import locked

    mark = target.with_name(target.name + ".part-lock")
    handle = locked(mark, target)
    try:
        yield
    finally:
        with suppress(OSError):
            mark.unlink()
        os.close(handle)


def _backup(path: Path, target: Path, force: bool, told: Callable[[int, int], None]) -> dict[str, int]:
    part = target.with_name(target.name + ".part")
    with _opened(path) as source:
        # One view for the whole copy: pages that are written meanwhile would else make it begin anew, without an end.
        source.execute("begin")
        counts = _counts(source)
        _refuse_empty(target, counts["records"])
        _needs(target.parent, _number(source, "pragma page_count") * _number(source, "pragma page_size"))
        for leftover in (part, *_beside(part)):
            leftover.unlink(missing_ok=True)
        try:
            # Nobody else reads what only its owner may read.
            os.close(os.open(part, os.O_CREAT | os.O_WRONLY, path.stat().st_mode & 0o777))
            with translated(part), closing(sqlite3.connect(part, isolation_level=None)) as copy:
                source.backup(
                    copy, pages=PAGES, progress=lambda _, left, total: told(total - left, total), sleep=0
                )
                # One file, with nothing beside it.
                copy.execute("pragma journal_mode = delete")
                faults = [row[0] for row in copy.execute(f"pragma integrity_check({MOST_FAULTS})")]
                copied = _counts(copy)
            if faults != ["ok"] or copied != counts:
                why = faults[0] if faults != ["ok"] else f"{copied} instead of {counts}"
                raise StoreError(
                    f"the copy is not whole: {why}", "run `stoma store check`: it looks at the store itself"
                )
            _synced(part)
            _may_write(path, target, force=force)
            os.replace(part, target)
            if os.name != "nt":
                _synced(target.parent)
        finally:
            for leftover in (part, *_beside(part)):
                with suppress(OSError):
                    leftover.unlink(missing_ok=True)
    return counts


def vacuum(path: Path) -> None:
    """Write the file anew without its unused parts. Nobody else can write meanwhile.

    Raises StoreError where there is no room for it: the new file is written to the folder for temporary files, and
    then through the log beside the old one.
    """
    needed = space(path).used
    _needs(path.parent, needed)
    temporary = _temporary()
    if temporary.stat().st_dev == path.parent.stat().st_dev:
        _needs(path.parent, 2 * needed)
    else:
        _needs(temporary, needed, "or set SQLITE_TMPDIR to a folder that has it")
    with _opened(path) as connection:
        connection.execute("vacuum")
        connection.execute("pragma wal_checkpoint(truncate)")


def optimize(path: Path) -> None:
    """Bring up to date what the planner knows of the tables."""
    with _opened(path) as connection:
        connection.execute("pragma analysis_limit = 1000")
        connection.execute("analyze")


def _temporary() -> Path:
    """The folder that SQLite takes for temporary files."""
    wanted = [os.environ.get("SQLITE_TMPDIR"), os.environ.get("TMPDIR"), "/var/tmp", "/usr/tmp", "/tmp"]  # noqa: S108
    there = (Path(name) for name in wanted if name and os.access(name, os.W_OK | os.X_OK))
    return next(there, Path(tempfile.gettempdir()))


@contextmanager
def _opened(path: Path) -> Iterator[sqlite3.Connection]:
    with translated(path), closing(_connected(path)) as connection:
        # Without a word in between nobody could interrupt what takes long.
        connection.set_progress_handler(lambda: 0, LOOK_EVERY)
        try:
            yield connection
        except sqlite3.OperationalError as error:
            if error.sqlite_errorcode == sqlite3.SQLITE_INTERRUPT:
                raise KeyboardInterrupt from None
            raise


def _connected(path: Path, mode: str = "rw") -> sqlite3.Connection:
    # By default SQLite makes a file that is not there.
    address = f"{path.absolute().as_uri()}?mode={mode}"
    return sqlite3.connect(address, timeout=BUSY_SECONDS, isolation_level=None, uri=True)


def _number(connection: sqlite3.Connection, text: str) -> int:
    return int(connection.execute(text).fetchone()[0])


def _counts(connection: sqlite3.Connection) -> dict[str, int]:
    return {name: _number(connection, f"select count(*) from {name}") for name in COUNTED}  # noqa: S608 — our names


def _may_write(path: Path, target: Path, *, force: bool) -> None:
    if target.is_dir():
        raise UsageError(f"{target} is a folder", "name the file itself")
    if not target.parent.is_dir():
        raise UsageError(f"there is no folder {target.parent}", "make it first")
    if any(target.resolve() == Path(f"{path.resolve()}{end}") for end in ("", "-wal", "-shm", ".lock")):
        raise UsageError(f"{target} belongs to the store itself", "name another file")
    if not force and target.exists():
        raise UsageError(f"{target} is there already", "name another file, or replace it with --force")
    for beside in _beside(target):
        if os.path.lexists(beside):
            # SQLite would take it for a part of the copy, which could not be read any more.
            raise UsageError(
                f"{beside} is there: {target.name} is in use, or who used it broke off",
                "name another file; or close what has it open, and remove both",
            )


def _beside(path: Path) -> list[Path]:
    """What SQLite leaves beside a file that is not closed."""
    return [path.with_name(path.name + end) for end in ("-wal", "-shm", "-journal")]


def _refuse_empty(target: Path, records: int) -> None:
    """Whoever begins anew by mistake (a file that was moved, another folder) is not to lose the last good copy."""
    there = 0 if records else _records_in(target)
    if there:
        raise UsageError(
            f"{target} holds {there} records and the store none: it was not replaced",
            "look whether store.url names the right file; else name another file, or remove this one first",
        )


def _records_in(path: Path) -> int:
    """How many records a copy holds; 0 where it is none that can be read."""
    if not path.is_file():
        return 0
    try:
        # Nothing is beside it, and nothing is to be made there.
        with closing(_connected(path, "ro&immutable=1")) as connection:
            return _number(connection, "select count(*) from records")
    except sqlite3.Error:
        return 0


def _needs(folder: Path, wanted: int, hint: str = "free some space there") -> None:
    there = shutil.disk_usage(folder).free
    if there < wanted:
        raise StoreError(f"{folder} has {_mb(there)} MB free, and {_mb(wanted)} MB are needed", hint)


def _mb(count: int) -> int:
    return -(-count // 2**20)


def _synced(path: Path) -> None:
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
