"""`stoma store check`: whether everything in the store is whole."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from stoma.cli.context import config_option, demo_option, json_option, opened
from stoma.cli.output import NOT_COMPLETE, leave, print_json, print_table, reporting, tell
from stoma.cli.waiting import waiting

if TYPE_CHECKING:
    from stoma.scheduler.config import Config
    from stoma.stores.checking import Finding


@click.command()
@config_option
@demo_option
@json_option
@reporting
def check(config_file: Path | None, demo: bool, as_json: bool) -> None:
    """Look whether everything in the store is whole; a scheduler may work meanwhile. Exit code 1: something is not.

    On SQLite every page of the file is read, which takes about a second for each 100 MB.
    """
    from stoma.errors import StomaError
    from stoma.scheduler.parts import file_of
    from stoma.stores.checking import about, findings, of_file
    from stoma.stores.filesystems import refuse_remote

    told: dict[str, Any] = {}
    found: list[Finding] = []

    def look_at_file(config: Config) -> None:
        # Before the store is opened: what is damaged may not open.
        path = file_of(config)
        if path is not None and path.is_file():
            refuse_remote(path)
            told.update(place=str(path), version=None, schema=None)
            with waiting("looking: file", quiet=as_json):
                found.append(of_file(path))

    try:
        with (
            opened(config_file, demo=demo, must_exist=True, on_config=look_at_file) as here,
            waiting("looking", quiet=as_json) as look,
        ):
            told.update(about(here.store.database))
            for finding in findings(here.store.database):
                look(finding.name)
                found.append(finding)
        broke = ""
    except Exception as error:
        # What comes of damage may be anything: no table, no text, no such file.
        if all(finding.is_well for finding in found):
            raise
        why = error.message if isinstance(error, StomaError) else f"{told['place']}: {error}"
        broke = f"{why}; not all could be looked at"
    damaged = [finding for finding in found if not finding.is_well]
    if as_json:
        print_json(told | {"well": not damaged, "checks": [finding.as_dict() for finding in found]})
    else:
        tell(broke or f"{told['place']}: {told['version']}, schema {told['schema']}")
        rows = [(one.name, _result(one), one.means, one.example) for one in found]
        print_table(("what", "result", "what has to be", "one that is not"), rows, empty="")
        for finding in damaged:
            tell(f"{finding.name}: {finding.hint}")
    if damaged:
        leave(NOT_COMPLETE)


def _result(one: Finding) -> str:
    if one.is_well:
        return "well"
    return f"{one.count} missing" if one.name == "rights" else f"{one.count} wrong"
