"""`stoma audit`: who changed what, over HTTP and by command."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from stoma.cli.context import MOMENTS, config_option, demo_option, json_option, opened
from stoma.cli.output import local, print_json, print_table, reporting
from stoma.stores.audit import OUTCOMES

if TYPE_CHECKING:
    from stoma.stores.audit import Entry


@click.command()
@click.option("--since", metavar="WHEN", help=f"Only what was done then or later: {MOMENTS}.")
@click.option("--outcome", type=click.Choice(OUTCOMES), help="Only what ended so.")
@click.option(
    "--limit", type=click.IntRange(1, 100_000), default=50, show_default=True, help="Show at most so many."
)
@config_option
@demo_option
@json_option
@reporting
def audit(
    since: str | None, outcome: str | None, limit: int, config_file: Path | None, demo: bool, as_json: bool
) -> None:
    """Who changed what over HTTP and by command, also what was refused; newest first."""
    from stoma.moments import moment_of
    from stoma.scheduler.zones import zone_of

    with opened(config_file, demo=demo, must_exist=True) as here:
        zone = here.config.timezone
        start = moment_of(since, here.store.now(), zone_of(zone)) if since else None
        found = here.store.audit.latest(since=start, outcome=outcome, limit=limit)
    if as_json:
        print_json([entry.as_dict() for entry in found])
        return
    empty = (
        "nothing such was noted" if since or outcome else "nothing was changed by command or over HTTP yet"
    )
    rows = [
        (local(one.happened_at, zone), one.who, one.address, one.action, one.target, _ending(one))
        for one in found
    ]
    print_table(("when", "who", "from", "what", "of", "outcome"), rows, empty=empty, spare=(("from",),))


def _ending(entry: Entry) -> str:
    why = entry.circumstances.get("why")
    status = f" ({entry.status})" if entry.status is not None and entry.status >= 400 else ""
    return f"{entry.outcome}{status}" + (f": {why}" if why else "")
