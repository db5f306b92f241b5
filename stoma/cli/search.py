"""`stoma search`: records in which words stand, best first."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

from stoma.cli import completing
from stoma.cli.context import MOMENTS, Opened, config_option, demo_option, json_option, opened
from stoma.cli.output import console, local, print_json, reporting, several, tell, tell_warning
from stoma.wording import clean

if TYPE_CHECKING:
    from rich.text import Text

    from stoma.excerpts import Excerpt
    from stoma.query import Node
    from stoma.stores import Store
    from stoma.stores.base import Row
    from stoma.stores.questions import Selection

BUILDING_SECONDS = 2.0
"""How long the index is built first, where no scheduler does it."""

EXCERPT = 240
"""Characters of a summary that are shown."""

WIDEST = 100
"""Columns of a terminal that are used."""


class Search(click.Command):
    """A command to which a word behind one hyphen is part of the query: `-survey` is no option."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Put the words of the query behind all options."""
        takes_value = {
            name: not option.is_flag
            for option in self.params
            if isinstance(option, click.Option)
            for name in (*option.opts, *option.secondary_opts)
        }
        options: list[str] = []
        words: list[str] = []
        given = iter(args)
        for one in given:
            if one == "--":
                words += given
            elif one.startswith("--") or one == "-h":
                options.append(one)
                if takes_value.get(one):
                    value = next(given, None)
                    if value is None:
                        return super().parse_args(ctx, options)
                    options.append(value)
            else:
                words.append(one)
        return super().parse_args(ctx, [*options, "--", *words])


@click.command(cls=Search)
@click.argument("query", nargs=-1, required=True)
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
@click.option("--since", metavar="WHEN", help=f"Only what was first seen then or later: {MOMENTS}.")
@click.option("--until", metavar="WHEN", help="Only what was first seen before that.")
@click.option(
    "--limit", type=click.IntRange(1, 1000), default=20, show_default=True, help="Show at most so many."
)
@click.option("--newest", is_flag=True, help="What was stored last comes first, instead of what fits best.")
@config_option
@demo_option
@json_option
@reporting
def search(
    query: tuple[str, ...],
    kind: str | None,
    source: str | None,
    task_id: str | None,
    since: str | None,
    until: str | None,
    limit: int,
    newest: bool,
    config_file: Path | None,
    demo: bool,
    as_json: bool,
) -> None:
    """Records in which words stand, best first.

    \b
    two words          both have to be there
    '"two words"'      one behind the other
    'this OR that'     one of them
    'this -that'       this without that
    transform*         any ending

    Letters count without case and accents. Put the query in quotes, for the shell. Whatever begins with one hyphen
    belongs to the query, but for -h alone; behind -- everything does.
    """
    from stoma.query import parse
    from stoma.scheduler.selecting import doubts, selection_of
    from stoma.stores.questions import listed_dict

    text = " ".join(query)
    node = parse(text)
    with opened(config_file, demo=demo, must_exist=True) as here:
        selection = selection_of(
            here.config, here.store, kind=kind, source=source, task=task_id, since=since, until=until
        )
        for doubt in doubts(here.store, selection):
            tell_warning(doubt)
        _catch_up(here.store)
        found = here.store.search.find(text, selection, limit, order="newest" if newest else "best")
        _tell_lag(here, found.lag.records)
        if as_json:
            print_json([listed_dict(row) for row in found.rows])
        elif found.rows:
            _show(found.rows, node, here.config.timezone)
            if found.has_more:
                these = "this one" if len(found.rows) == 1 else f"these {len(found.rows)}"
                tell(f"there are more than {these}: --limit shows more of them")
        else:
            for line in _why_none(here.store, text, node, selection):
                tell(line)


def _catch_up(store: Store) -> None:
    """Build what is left of the index, where nobody else does."""
    from stoma.scheduler.indexing import catch_up_here

    catch_up_here(store, BUILDING_SECONDS)


def _tell_lag(here: Opened, records: int) -> None:
    from stoma.errors import StoreUnavailable
    from stoma.scheduler.overview import is_scheduler_running

    if records:
        try:
            is_running = is_scheduler_running(here.store, here.store.now())
        except StoreUnavailable:
            # Who may only read is not told; nor could the next search do it.
            is_running = True
        who = "the scheduler is" if is_running else "the next search goes on"
        tell_warning(
            f"about {several(records, 'record')} cannot be found yet: {who} taking them up into the index"
        )


def _show(rows: Sequence[Row], node: Node, zone: str) -> None:
    from rich.padding import Padding
    from rich.text import Text

    from stoma.excerpts import excerpt

    screen = console()
    if screen.is_terminal:
        screen.width = min(screen.width, WIDEST)
    else:
        # A file or a pipe has no width.
        screen.width = 400
    for number, row in enumerate(rows):
        if number:
            screen.print()
        day = local(row["published_at"] or row["first_seen_at"], zone)[:10]
        title = _marked(excerpt(row["title"] or row["external_id"], node, 300), "bold yellow", "bold")
        screen.print(title, soft_wrap=False)
        about = Text(clean(f"{row['kind']}  {row['source']}:{row['external_id']}  {day}"), style="dim")
        screen.print(Padding(about, (0, 0, 0, 2), expand=False))
        if row["summary"]:
            shown = _marked(excerpt(row["summary"], node, EXCERPT), "yellow", "")
            screen.print(Padding(shown, (0, 0, 0, 2), expand=False))
        if row["url"]:
            # In one piece, so that it can be copied.
            screen.print(
                Text("  " + clean(row["url"]), style="cyan"), no_wrap=True, overflow="ignore", crop=False
            )


def _marked(found: Excerpt, style: str, base: str) -> Text:
    from rich.text import Text

    text = Text(clean(found.text), style=base)
    for start, end in found.hits:
        text.stylize(style, start, end)
    return text


def _why_none(store: Store, text: str, node: Node, selection: Selection) -> list[str]:
    """What may help where nothing was found."""
    from stoma.query import wanted
    from stoma.stores.questions import Selection
    from stoma.wording import shown

    count = store.records.count()
    if not count:
        return ["there are no records yet"]
    lines = [f"nothing found for {shown(text)} in {several(count, 'record')}"]
    every = Selection()
    if selection != every and store.search.ids(text, every, 1):
        return [*lines, "without the limits of kind, source, task and time there is something"]
    terms = list(wanted(node))
    missing = [term for term in terms if not store.search.ids(_spelled(term.words, term.is_prefix), every, 1)]
    for term in missing[:5]:
        told = _spelled(term.words, term.is_prefix)
        begun = f"{term.words[0][:4]}*"
        near = " (try with * for other endings)" if len(term.words) == 1 and not term.is_prefix else ""
        near = near if near and store.search.ids(begun, every, 1) else ""
        lines.append(f"no record has {told}{near}")
    if not missing and len(terms) > 1:
        lines.append(
            "each of the words is somewhere, but not all in one record: OR between them finds either"
        )
    return lines


def _spelled(words: Sequence[str], is_prefix: bool) -> str:
    text = " ".join(words)
    return f'"{text}"{"*" if is_prefix else ""}' if len(words) > 1 else f"{text}{'*' if is_prefix else ''}"
