"""`stoma changes`: what is new, what has changed, what has risen most."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from textwrap import wrap
from typing import TYPE_CHECKING

import click

from stoma.cli import completing
from stoma.cli.context import MOMENTS, config_option, demo_option, json_option, opened
from stoma.cli.output import console, local, print_json, print_table, reporting, tell, tell_warning
from stoma.wording import clean, plural

if TYPE_CHECKING:
    from stoma.stores.base import Row
    from stoma.stores.changes import Changes, Count
    from stoma.stores.rising import Rise

LONGEST_TITLE = 70

SINCE = f"How far to look back: {MOMENTS}."


@click.command()
@click.option("--since", default="7d", show_default=True, metavar="WHEN", help=SINCE)
@click.option(
    "--kind",
    metavar="KIND",
    shell_complete=completing.kinds,
    help="Only records of this kind: paper, repository, filing, entry …",
)
@click.option(
    "--source", metavar="SOURCE", shell_complete=completing.sources, help="Only records of this source."
)
@click.option(
    "--task", "task_id", metavar="TASK", shell_complete=completing.tasks, help="Only what this task has seen."
)
@click.option(
    "--limit", type=click.IntRange(1, 1000), default=20, show_default=True, help="Show so many of each."
)
@config_option
@demo_option
@json_option
@reporting
def changes(
    since: str,
    kind: str | None,
    source: str | None,
    task_id: str | None,
    limit: int,
    config_file: Path | None,
    demo: bool,
    as_json: bool,
) -> None:
    """What is new, what has changed and in which fields, and which measures have risen most."""
    from stoma.scheduler.selecting import doubts, selection_of

    with opened(config_file, demo=demo, must_exist=True) as here:
        selection = selection_of(here.config, here.store, kind=kind, source=source, task=task_id, since=since)
        found = here.store.questions.changes(selection, here.store.now(), limit=limit)
        for doubt in doubts(here.store, selection):
            tell_warning(doubt)
        zone = here.config.timezone
    if as_json:
        print_json(found.as_dict())
        return
    tell(f"since {local(found.since, zone)}")
    _line("new:     ", _counts(found.new_counts))
    _line("changed: ", _counts(found.changed_counts))
    if found.new_changed_counts:
        _line(" " * 9, f"{_total(found.new_changed_counts)} of the new ones changed since they came")
    _show(found, zone)


def _show(found: Changes, zone: str) -> None:
    # The line at the top says the year and the zone.
    is_this_year = local(found.since, zone)[:4] == local(found.now, zone)[:4]
    told = slice(5, 16) if is_this_year else slice(0, 16)
    rows = [(local(row["first_seen_at"], zone)[told], row["kind"], *_names(row)) for row in found.new.rows]
    if rows:
        _heading("new")
        print_table(("first seen", "kind", "id", "title"), rows, empty="")
    changed = [
        (
            local(one.changed_at, zone)[told],
            one.row["kind"],
            *_names(one.row),
            ", ".join(one.fields) or "nothing any more",
        )
        for one in found.changed
    ]
    if changed:
        _heading("changed")
        print_table(("changed", "kind", "id", "title", "fields"), changed, empty="")
    for measure, rises in found.risen.by_difference.items():
        _heading(f"{measure}: risen most")
        _show_rises(rises)
        in_percent = found.risen.by_percent[measure]
        if in_percent:
            _heading(f"{measure}: risen most in percent")
            _show_rises(in_percent)
    if found.risen.looked_back_to is not None and found.risen.by_difference:
        tell(f"what was measured last before {local(found.risen.looked_back_to, zone)} was left out")


def _show_rises(rises: Sequence[Rise]) -> None:
    from stoma.cli.show import number_text

    rows = [
        (
            *_names(rise.row),
            number_text(rise.before),
            number_text(rise.latest),
            number_text(rise.difference, signed=True),
            "" if rise.percent is None else f"{rise.percent:+,.1f} %",
        )
        for rise in rises
    ]
    print_table(("id", "title", "before", "latest", "difference", "percent"), rows, empty="", numbers=4)


def _heading(text: str) -> None:
    tell("")
    click.secho(clean(text), bold=True)


def _names(row: Row) -> tuple[str, str]:
    title = row["title"]
    short = title if len(title) <= LONGEST_TITLE else title[: LONGEST_TITLE - 1] + "…"
    return f"{row['source']}:{row['external_id']}", " ".join(short.split())


def _line(name: str, text: str) -> None:
    """A line that a terminal breaks between words, below the first one."""
    screen = console()
    width = screen.width if screen.is_terminal else len(name) + len(text) + 1
    tell("\n".join(wrap(text, width, initial_indent=name, subsequent_indent=" " * len(name))))


def _counts(counts: Sequence[Count]) -> str:
    return ", ".join(f"{_total([one])} {_called(one)}" for one in counts) or "nothing"


def _called(one: Count) -> str:
    return one.kind if one.count == 1 and one.is_exact else plural(one.kind)


def _total(counts: Sequence[Count]) -> str:
    is_exact = all(one.is_exact for one in counts)
    return f"{sum(one.count for one in counts):,}{'' if is_exact else '+'}"
