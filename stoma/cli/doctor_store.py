"""`stoma doctor`: the store, its clock, and the schedulers that it tells of. Nothing is made, migrated or written."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

from stoma.cli.checkup import Found, Patient, problem, warning, well

if TYPE_CHECKING:
    from stoma.stores.base import Database, Reader

STORE, CLOCK, SCHEDULER, HOSTS = "store", "clock", "scheduler", "hosts"

LITTLE, NONE_LEFT = 1024 * 2**20, 100 * 2**20
"""Bytes of free disk below which it is told, and below which work is about to stop."""

READ_THROUGH = 200 * 2**20
"""Bytes up to which a SQLite file is read through; larger ones are left to `stoma store check`."""

SKEW = timedelta(seconds=5)
"""Clocks that differ by less agree."""

MAGIC = b"SQLite format 3\0"


def store(patient: Patient) -> Iterator[Found]:
    """Whether the database can be used; leaves what it tells of schedulers."""
    from stoma.references import resolve
    from stoma.scheduler.parts import data_folder
    from stoma.stores.addresses import split_schema, sqlite_path

    url, schema = split_schema(str(resolve(patient.config.store_url, patient.base)))
    path = sqlite_path(url, data_folder(patient.config))
    if path is None:
        from stoma.stores.postgres import PostgresDatabase

        with closing(PostgresDatabase(url, schema=schema, connections=3)) as database:
            yield from _look(patient, database)
        return
    yield from _file(path)
    if path.exists():
        from stoma.stores.sqlite import SqliteDatabase

        with closing(SqliteDatabase(path)) as lite:
            yield from _look(patient, lite)


def _file(path: Path) -> Iterator[Found]:
    """The file of a SQLite database, before it is opened."""
    from stoma.errors import StoreUnavailable
    from stoma.stores.filesystems import refuse_remote

    refuse_remote(path)
    folder = next(one for one in (path.parent, *path.parents) if one.exists())
    free = shutil.disk_usage(folder).free
    if free < LITTLE:
        state = problem if free < NONE_LEFT else warning
        yield state(STORE, f"{_size(free)} free on the disk of {path}", "free some space there")
    if not path.exists():
        # Who is to make it is looked at under permissions.
        yield well(STORE, f"{path} is not there yet; the first start makes it")
        return
    with path.open("rb") as file:
        head = file.read(20)
    if head and (not head.startswith(MAGIC) or head[18:20] != b"\2\2"):
        # Opening it would turn a stranger's file into one of ours.
        raise StoreUnavailable(f"{path} is no database of Stoma's", "name another file in store.url")
    # What was written last stands beside the file until it is taken up into it.
    beside = path.with_name(f"{path.name}-wal")
    size = path.stat().st_size + (beside.stat().st_size if beside.exists() else 0)
    told = f"{path}: {_size(size)}, {_size(free)} free on its disk"
    if size > READ_THROUGH:
        yield well(STORE, f"{told}; not read through: `stoma store check` does that")
        return
    from stoma.stores.sqlite_care import integrity

    if not os.access(path, os.W_OK):
        return
    faults = integrity(path)
    if faults:
        hint = "stop the scheduler, keep the file, and restore a backup (docs/keeping.md)"
        yield problem(STORE, f"{path} is damaged: {faults[0]}", hint)
    else:
        yield well(STORE, f"{told}, whole")


def _look(patient: Patient, database: Database) -> Iterator[Found]:
    """What lies in a database that could be opened."""
    from stoma.stores.schema import migrations
    from stoma.stores.tables import tables

    if database.is_fresh():
        yield well(STORE, f"{database.place} is empty; the first start makes its tables")
        return
    known = max(one.number for one in migrations(database.dialect))
    with database.reader() as reader:
        version, schema = ((reader.one(name) or {}) for name in ("database_version", "schema_number"))
        told = f"{database.place}: {version['version']}, schema {schema['number']}"
        if schema["number"] > known:
            hint = "update this Stoma, or restore a copy of the database from before the update"
            yield problem(STORE, f"{told}: a newer Stoma has brought it there; this one knows {known}", hint)
        elif schema["number"] < known:
            hint = "the next start does it; older programs on this store should be updated first"
            yield warning(STORE, f"{told}: to be brought to {known}", hint)
        else:
            patient.is_store_ready = True
            yield well(STORE, told)
        lacking = reader.one("check_rights", names=sorted(tables(database.dialect))) or {}
        if lacking["count"]:
            yield problem(
                STORE,
                f"this role may not do all that is needed: {lacking['example']} is missing"
                + (f", and {lacking['count'] - 1} more" if lacking["count"] > 1 else ""),
                "grant what is missing (docs/postgres.md)",
            )
        yield from _clock(database, reader)
        patient.nodes = reader.all("nodes_all")
    yield from _schedulers(patient, database)
    yield from _cooling(database)


def _clock(database: Database, reader: Reader) -> Iterator[Found]:
    """Whether this machine's clock agrees with the store's, and neither stands before what is stored."""
    here, there = datetime.now(UTC), database.now()
    apart = abs(here - there)
    if apart > SKEW:
        hint = "set both clocks by NTP; due instants, leases and dates of runs follow the store's"
        yield warning(CLOCK, f"this machine and the store are {apart.total_seconds():.0f} s apart", hint)
        return
    beats = [row["heartbeat_at"] for row in reader.all("nodes_all")]
    ahead = max((beat - there for beat in beats), default=timedelta(0))
    if ahead > SKEW:
        hint = "set this machine's clock by NTP (timedatectl), or that of the other one"
        yield warning(CLOCK, f"a scheduler was heard of {ahead.total_seconds():.0f} s in the future", hint)
        return
    yield well(
        CLOCK,
        f"{there:%Y-%m-%d %H:%M:%S} UTC"
        + (", as the store has it" if database.dialect == "postgres" else ""),
    )


def _schedulers(patient: Patient, database: Database) -> Iterator[Found]:
    """Who works on the store, and whether each of them is heard of."""
    from stoma import __version__
    from stoma.scheduler.overview import SILENT_AFTER
    from stoma.scheduler.owner import Owner, is_gone

    now = database.now()
    alive = [row for row in patient.nodes or () if not is_gone(row["owner"])]
    for row in alive:
        parsed = Owner.parse(row["owner"])
        name = parsed.described if parsed else row["owner"]
        silent = now - row["heartbeat_at"]
        if silent > SILENT_AFTER:
            # Also what a machine that was switched off has left.
            hint = "if it is meant to run, look at its log and at the free space of its disk"
            yield warning(SCHEDULER, f"{name} has not been heard of for {_span(silent)}", hint)
            continue
        patient.is_running = True
        state = row["state"] or {}
        yield well(SCHEDULER, f"{name} runs, heard of {_span(silent)} ago")
        if row["version"] != __version__:
            hint = "restart it, so that it runs what is installed"
            yield warning(SCHEDULER, f"{name} is Stoma {row['version']}, and this is {__version__}", hint)
        for edited in state.get("restart_needed", ()):
            yield warning(SCHEDULER, f"{edited} was edited since it began", "restart it")
        if hung := state.get("abandoned_threads"):
            hint = "a restart frees them; the log names the tasks whose code hangs"
            yield warning(SCHEDULER, f"{hung} of its threads hang and were given up", hint)
        for error in state.get("errors", ()):
            place = f"{error['file']}:{error['line']}" if error.get("line") else error.get("file", "")
            told = f"it goes on with the last good text of {place}: {error['message']}"
            yield warning(SCHEDULER, told, error.get("hint") or "mend the file")
    if not patient.is_running:
        holder = database.scheduler()
        if holder:
            hint = "it hangs or cannot write: look at its log and at the free space of the disk"
            yield problem(SCHEDULER, f"{holder} holds the database and is not heard of", hint)
        else:
            yield warning(SCHEDULER, "none is running: nothing is collected", "start it with `stoma-run`")


def _cooling(database: Database) -> Iterator[Found]:
    """The hosts that want to be left alone."""
    from stoma.stores.hosts import Hosts

    now = database.now()
    rows = [row for row in Hosts(database).all(now) if row["cooling_until"] > now]
    for row in rows:
        told = f"{row['host']} cools down for {_span(row['cooling_until'] - now)}: {row['reason']}"
        yield warning(HOSTS, told, f"runs wait by themselves; `stoma hosts {row['host']} --reset` ends it")
    if not rows:
        yield well(HOSTS, "none is cooling down")


def _span(span: timedelta) -> str:
    from stoma.scheduler.base import duration_text

    return duration_text(max(span, timedelta(0)))


def _size(count: int) -> str:
    return f"{count / 2**30:,.1f} GB" if count >= 2**30 else f"{count / 2**20:,.1f} MB"
