"""`stoma store info`: how large the store is, what is in it, and what may be deleted."""

from __future__ import annotations

from pathlib import Path

import click

from stoma.cli.context import config_option, demo_option, json_option, opened
from stoma.cli.output import local, print_json, print_table, reporting, several, tell
from stoma.cli.waiting import waiting


@click.command()
@config_option
@demo_option
@json_option
@reporting
def info(config_file: Path | None, demo: bool, as_json: bool) -> None:
    """How large the store is, what is in it from when to when, and what `keep:` of stoma.yaml would delete now.

    Everything is counted: with millions of rows that takes some seconds.
    """
    from stoma.cli.store_vacuum import ROW_OF
    from stoma.scheduler.base import iso
    from stoma.scheduler.keeping import Keeper
    from stoma.stores.checking import about
    from stoma.stores.sizes import contents, size

    with opened(config_file, demo=demo, must_exist=True) as here, waiting("counting", quiet=as_json) as look:
        database, zone = here.store.database, here.config.timezone
        told, whole, tables = about(database), size(database), contents(database)
        look("what is old")
        old = Keeper(here.store).would_go(here.config.keep)
        lag = here.store.search.lag()
    records = next(one.rows for one in tables if one.name == "records")
    each = round(whole.used / records) if records else None
    if as_json:
        print_json(
            {
                **told,
                "bytes": whole.bytes,
                "log_bytes": whole.log,
                "free_bytes": whole.free,
                "bytes_per_record": each,
                "tables": [one.as_dict() for one in tables],
                "index_lag": {"records": lag.records, "since": iso(lag.since) if lag.since else None},
                "old": {kind: count for kind, count in old.items() if count},
            }
        )
        return
    tell(f"{told['place']}: {told['version']}, schema {told['schema']}")
    parts = [f"{_mb(whole.bytes)} MB"]
    parts += [f"{_mb(whole.free)} MB of it free for what comes"] if whole.free else []
    parts += [f"{each} bytes for each record with all that belongs to it"] if each else []
    tell(", ".join(parts))
    rows = [
        (one.name, local(one.oldest_at, zone), local(one.newest_at, zone), _mb(one.bytes), one.rows)
        for one in tables
    ]
    print_table(("table", "oldest", "newest", "MB", "rows"), rows, empty="", numbers=2)
    waits = f"{several(lag.records, 'record')} since {local(lag.since, zone)}" if lag.records else "nothing"
    tell(f"waits for the index of words: {waits}")
    found = ", ".join(several(count, ROW_OF[kind]) for kind, count in old.items() if count)
    tell(f"old by `keep:` of stoma.yaml: {found or 'nothing'}")


def _mb(count: int | None) -> str:
    return "" if count is None else f"{count / 2**20:,.1f}"
