"""`stoma store backup`: a copy of the store in a file."""

from __future__ import annotations

import time
from pathlib import Path

import click

from stoma.cli.context import config_option, demo_option, json_option, opened
from stoma.cli.output import print_json, reporting, several, tell
from stoma.cli.waiting import waiting


@click.command()
@click.argument("file", type=click.Path(path_type=Path), metavar="FILE")
@click.option("--force", is_flag=True, help="Replace FILE if it is there.")
@config_option
@demo_option
@json_option
@reporting
def backup(file: Path, force: bool, config_file: Path | None, demo: bool, as_json: bool) -> None:
    """Copy a SQLite store into FILE as it is at this moment, also while a scheduler works.

    The copy is looked through before it gets its name. To restore it: stop the scheduler and put it in the place of the
    file that store.url names, with nothing beside it (docs/keeping.md). For PostgreSQL the line of pg_dump is told.
    """
    from stoma.errors import UsageError

    began = time.monotonic()
    with opened(config_file, demo=demo, must_exist=True) as here:
        if here.store.dialect != "sqlite":
            from stoma.stores.postgres import PostgresDatabase

            assert isinstance(here.store.database, PostgresDatabase)  # noqa: S101 — there are two dialects
            raise UsageError(
                f"{here.store.database.place} is copied by PostgreSQL's own program, and nothing was done",
                here.store.database.dump_command(str(file)),
            )
        from stoma.stores.sqlite_care import backup as copied

        with waiting("copying", quiet=as_json) as look:
            source = Path(here.store.database.place)
            counts = copied(
                source, file, force=force, told=lambda done, all_: look(f"{100 * done // all_} %")
            )
    size, seconds = file.stat().st_size, time.monotonic() - began
    if as_json:
        told = {"from": str(source), "file": str(file), "bytes": size, "seconds": round(seconds, 3)}
        print_json({**told, "rows": counts})
        return
    tell(f"{file}: {size / 2**20:,.1f} MB in {seconds:.1f} s, looked through and whole")
    tell(f"{several(counts['records'], 'record')}, {several(counts['runs'], 'run')}")
