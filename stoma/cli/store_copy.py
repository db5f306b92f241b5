"""`stoma store copy`: everything of one store into another one, on either database."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from stoma.cli.context import json_option
from stoma.cli.noting import noted
from stoma.cli.output import console, local, print_json, print_table, reporting, tell, tell_warning

if TYPE_CHECKING:
    from stoma.stores.copying import Copied

AGAIN = "what it collects from now on is not in the copy; whoever goes on with the copy collects it again"


@click.command()
@click.argument("source", metavar="FROM")
@click.argument("target", metavar="TO")
@json_option
@reporting
def copy(source: str, target: str, as_json: bool) -> None:
    """Copy everything of the store FROM into the store TO, which must be empty.

    Both are addresses as in `store: {url: …}`: sqlite:///FILE (counted from this folder), postgresql://USER@HOST/NAME,
    with ?schema=NAME behind it for a schema, '${env:NAME}' for one that holds a password.

    Records with their history, runs, logs, cursors, progress, raw pages: a scheduler on the copy goes on where the
    other one stood. Counts and hashes of both are compared before anything is kept; a copy that breaks off leaves
    nothing behind. The index of words is built anew by the next scheduler.
    """
    from stoma.errors import UsageError
    from stoma.references import resolve
    from stoma.scheduler.base import iso
    from stoma.scheduler.overview import is_scheduler_running
    from stoma.stores import open_store
    from stoma.stores.copying import LEFT
    from stoma.stores.copying import copy as copied

    here, began = Path.cwd(), time.monotonic()
    with (
        open_store(resolve(source, here), here, connections=2, existing=True, name="FROM") as old,
        open_store(resolve(target, here), here, connections=2, name="TO") as new,
    ):
        if old.database.place == new.database.place:
            raise UsageError(f"{old.database.place} cannot be copied into itself", "name another store as TO")
        if is_scheduler_running(new, new.now()):
            raise UsageError(
                f"a scheduler works on {new.database.place}", "stop it, or name another store as TO"
            )
        if is_scheduler_running(old, old.now()):
            tell_warning(f"a scheduler works on {old.database.place}: {AGAIN}")
        with _progress(quiet=as_json) as (on_start, on_rows):
            done = copied(old.database, new.database, on_start=on_start, on_rows=on_rows)
        # The copy was made; what it was made of is as before.
        with noted(new, "store-copy", old.database.place, rows=done.rows):
            pass
        seconds = time.monotonic() - began
        if not as_json:
            _tell(done, old.database.place, new.database.place, seconds)
            return
        tables = {name: {"rows": one.rows, "hash": one.hash} for name, one in done.tables.items()}
        print_json(
            {
                "from": old.database.place,
                "to": new.database.place,
                "as_of": iso(done.as_of),
                "rows": done.rows,
                "seconds": round(seconds, 3),
                "tables": tables,
                "left": dict(LEFT),
            }
        )


def _tell(done: Copied, source: str, target: str, seconds: float) -> None:
    rows = [(name, one.rows, one.hash[:16]) for name, one in done.tables.items() if one.rows]
    print_table(("table", "rows", "hash"), rows, empty="there was nothing to copy", numbers=2)
    tell(f"{target} holds what {source} held at {local(done.as_of)}: the same rows, by count and hash")
    tell(
        f"{done.rows} rows in {seconds:.1f} s; write its address to store.url of stoma.yaml to go on with it"
    )


@contextmanager
def _progress(*, quiet: bool) -> Iterator[tuple[Callable[[int], None], Callable[[str, int], None]]]:
    """Functions to report progress to: a bar on a terminal, silence elsewhere."""
    screen = console(stderr=True)
    if quiet or not screen.is_terminal:
        yield lambda rows: None, lambda table, rows: None
        return
    from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeRemainingColumn

    columns: tuple[Any, ...] = (TextColumn("{task.description}"), BarColumn(), TaskProgressColumn())
    with Progress(*columns, TimeRemainingColumn(), console=screen, transient=True) as shown:
        bar = shown.add_task("copy", total=None)
        yield (
            lambda rows: shown.update(bar, total=rows),
            lambda table, rows: shown.update(bar, advance=rows, description=table),
        )
