"""`stoma store check`: whether everything in the store is whole."""

from __future__ import annotations

from pathlib import Path

import click

from stoma.cli.context import config_option, demo_option, json_option, opened
from stoma.cli.output import NOT_COMPLETE, leave, print_json, print_table, reporting, tell
from stoma.cli.waiting import waiting


@click.command()
@config_option
@demo_option
@json_option
@reporting
def check(config_file: Path | None, demo: bool, as_json: bool) -> None:
    """Look whether everything in the store is whole; a scheduler may work meanwhile. Exit code 1: something is not.

    On SQLite every page of the file is read, which takes about a second for each 100 MB.
    """
    from stoma.stores.checking import about, findings, of_file

    with opened(config_file, demo=demo) as here, waiting("looking", quiet=as_json) as look:
        told = about(here.store.database)
        look("file")
        found = of_file(here.store.database)
        for finding in findings(here.store.database):
            look(finding.name)
            found.append(finding)
    damaged = [finding for finding in found if not finding.is_well]
    if as_json:
        print_json(told | {"well": not damaged, "checks": [finding.as_dict() for finding in found]})
    else:
        tell(f"{told['place']}: {told['version']}, schema {told['schema']}")
        rows = [
            (one.name, "well" if one.is_well else f"{one.count} wrong", one.means, one.example)
            for one in found
        ]
        print_table(("what", "result", "what has to be", "one that is not"), rows, empty="")
        for finding in damaged:
            tell(f"{finding.name}: {finding.hint}")
    if damaged:
        leave(NOT_COMPLETE)
