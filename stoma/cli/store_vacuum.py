"""`stoma store vacuum`: deletes what is old to the end, and lets its room be used again."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import click

from stoma.cli.context import Opened, config_option, demo_option, json_option, opened
from stoma.cli.noting import noted
from stoma.cli.output import NOT_COMPLETE, leave, print_json, reporting, several, tell, tell_warning
from stoma.cli.waiting import waiting

ROW_OF = {
    "logs": "log line", "raw": "raw page", "rejects": "reject", "runs": "run", "skips": "skip",
    "observations": "observation", "records": "record", "audit": "audit row",
}  # fmt: skip
"""What one row of each kind is called."""

WORTH_IT = 5
"""The index of words is built anew where one of so many entries is superseded."""


@click.command()
@click.option(
    "--full", is_flag=True, help="Give the room back to the system; no scheduler may work meanwhile."
)
@config_option
@demo_option
@json_option
@reporting
def vacuum(full: bool, config_file: Path | None, demo: bool, as_json: bool) -> None:
    """Delete now what the scheduler would delete bit by bit, mend the index of words, and let its room be used again.

    What is old: `keep:` in stoma.yaml. A scheduler may work meanwhile. With --full the file is written anew without
    its unused parts (PostgreSQL: VACUUM FULL), which takes about ten seconds for each GB and as much room again.
    """
    from stoma.scheduler.keeping import Keeper

    with opened(config_file, demo=demo, must_exist=True) as here:
        before = _size(here)
        with noted(here.store, "store-vacuum", full=full):
            with waiting("deleting what is old", quiet=as_json) as look:
                gone = Keeper(here.store).finish(here.config.keep, lambda gone: look(_words(gone)))
            with waiting("looking through the index of words", quiet=as_json):
                mended = _mended(here)
            with waiting("making room", quiet=as_json) as look:
                left_out = _alone(here) if full else here.store.database.vacuum(full=False)
        after = _size(here)
    if as_json:
        counts = {kind: count for kind, count in gone.items() if count}
        told = {"deleted": counts, "mended": mended, "bytes_before": before, "bytes": after, "full": full}
        print_json(told | {"left_out": list(left_out)})
    else:
        tell(f"deleted: {_words(gone) or 'nothing was old'}")
        if mended:
            tell(f"the index of words: mended for {several(mended, 'record')}")
        tell(f"size: {before / 2**20:,.1f} MB before, {after / 2**20:,.1f} MB now")
    if left_out:
        tell_warning(
            f"{several(len(left_out), 'table')} left as they were: {left_out[0]}"
            " (run it as the role that owns them, docs/postgres.md)"
        )
        leave(NOT_COMPLETE)


def _mended(here: Opened) -> int:
    """How many records the index of words did not have, or had although they are gone."""
    count = here.store.search.repair()
    while count and here.store.search.index.take_up() is not None:
        pass
    return count


def _alone(here: Opened) -> Sequence[str]:
    """The whole store, with nobody else at work."""
    from stoma.errors import UsageError
    from stoma.scheduler.overview import is_scheduler_running
    from stoma.scheduler.owner import this_process

    database = here.store.database
    hint = "stop it first; without --full both may work"
    if is_scheduler_running(here.store, here.store.now()):
        raise UsageError(f"a scheduler works on {database.place}, and nobody could write for long", hint)
    with database.sole_scheduler(f"{this_process().described}, stoma store vacuum"):
        _sweep_words(here)
        return database.vacuum(full=True)


def _sweep_words(here: Opened) -> None:
    """SQLite's index of words keeps what is superseded until it is built anew."""
    from stoma.stores.sizes import contents

    if here.store.dialect != "sqlite":
        return
    rows = {one.name: one.rows for one in contents(here.store.database)}
    if rows["record_versions"] * WORTH_IT < rows["records"]:
        return
    for _ in here.store.search.rebuild():
        pass
    while here.store.search.index.take_up() is not None:
        pass


def _size(here: Opened) -> int:
    from stoma.stores.sizes import size

    return size(here.store.database).bytes


def _words(gone: Counter[str]) -> str:
    return ", ".join(several(count, ROW_OF[kind]) for kind, count in gone.items() if count)
