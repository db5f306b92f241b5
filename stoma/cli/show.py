"""`stoma show`: the whole story of one record."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from stoma.cli import completing
from stoma.cli.context import config_option, demo_option, json_option, opened
from stoma.cli.output import console, local, print_json, print_table, reporting, several
from stoma.wording import clean

if TYPE_CHECKING:
    from rich.text import Text

    from stoma.diffs import Change, Piece
    from stoma.stores.base import Row
    from stoma.stores.stories import Measured, Story, Version

BARS = "▁▂▃▄▅▆▇█"
BARS_WIDE = 24
"""Columns of a small curve."""

CONTEXT = 60
"""Letters of an unchanged stretch of text that are shown on either side of a change."""

LONGEST = 2_000
"""Letters of one text that are shown; --json has all of them."""

SPARE = (("least", "most"), ("over time",), ("values",))
"""What is left out of the measures on a narrow terminal, one after the other."""

WITH_TIME = 100
"""Columns of a terminal from which on measures that are instants are shown with the time of day."""

STYLES = {"-": "red strike", "+": "green", "=": ""}
SIGNS = {"-": ("[-", "-]"), "+": ("{+", "+}"), "=": ("", "")}
"""How words are marked where there are no colours."""


@click.command()
@click.argument("record", metavar="ID")
@click.option(
    "--source",
    metavar="SOURCE",
    shell_complete=completing.sources,
    help="Where several sources have this id: the one that is meant.",
)
@config_option
@demo_option
@json_option
@reporting
def show(record: str, source: str | None, config_file: Path | None, demo: bool, as_json: bool) -> None:
    """The whole story of one record: what it says and said, what was measured, which tasks saw it.

    ID is the id that the source gave it, SOURCE:ID, the full name of a repository, or the number of a record (#123).
    """
    with opened(config_file, demo=demo, must_exist=True) as here:
        story = here.store.questions.story(record, source)
        zone = here.config.timezone
    if as_json:
        print_json(story.as_dict())
        return
    screen = console()
    is_terminal = screen.is_terminal
    # A terminal may know no colours, or be asked for none.
    with_signs = screen.color_system is None or screen.no_color
    for text in _told(story, zone, with_signs=with_signs):
        screen.print(text, soft_wrap=not is_terminal, crop=False)
    if story.measures:
        columns = ["measure", *(["over time"] if is_terminal else []), "since", "until"]
        numbers = ["values", "first", "last", "least", "most", "change"]
        with_time = not is_terminal or screen.width >= WITH_TIME
        rows = [
            _measured_row(one, zone, with_curve=is_terminal, with_time=with_time) for one in story.measures
        ]
        print_table([*columns, *numbers], rows, empty="", numbers=len(numbers), spare=SPARE)
    seen = [
        (row["task_id"], local(row["first_seen_at"], zone), local(row["last_seen_at"], zone), row["run_id"])
        for row in story.sightings
    ]
    print_table(("task", "first seen", "last seen", "by run"), seen, empty="no task has seen it")


def curve(values: Sequence[float], wide: int = BARS_WIDE) -> str:
    """Values over time as a row of bars, at most `wide`; of those that share a bar the last one counts."""
    if not values:
        return ""
    many = min(len(values), wide)
    shown = [values[(number + 1) * len(values) // many - 1] for number in range(many)]
    low, high = min(shown), max(shown)
    if low == high:
        return BARS[0] * many
    return "".join(BARS[round((value - low) / (high - low) * (len(BARS) - 1))] for value in shown)


def number_text(value: float, *, signed: bool = False) -> str:
    """A number as people write it: `12,345`, `0.25`."""
    if abs(value) >= 1e15:
        return f"{value:g}"
    sign, whole = "+" if signed else "", value == int(value)
    return f"{value:{sign},.{0 if whole else 2}f}" if whole or abs(value) >= 1 else f"{value:{sign}g}"


def _told(story: Story, zone: str, *, with_signs: bool) -> Iterator[Text]:
    from rich.text import Text

    row = story.row
    yield Text(clean(row["title"] or row["external_id"]), style="bold")
    names = f"{row['source']}:{row['external_id']}"
    yield Text(clean(f"{names}, {row['kind']}, record #{row['id']}"))
    if row["url"]:
        # In one piece, so that it can be copied.
        yield Text(clean(row["url"]), style="blue", no_wrap=True, overflow="ignore")
    yield Text()
    for name, value in _fields(row, zone):
        yield Text.assemble((f"{clean(name):14} ", "dim"), clean(_short(value)))
    yield Text()
    many = several(row["version"], "version")
    if story.is_cut:
        many += f", the latest {len(story.versions)} of them here"
    seen = f"first seen {local(row['first_seen_at'], zone)}, last seen {local(row['last_seen_at'], zone)}"
    yield Text(f"{many}, {seen}")
    for version in story.versions if len(story.versions) > 1 else ():
        yield from _version(version, zone, with_signs=with_signs)
    yield Text()


def _fields(row: Row, zone: str) -> Iterator[tuple[str, str]]:
    if row["authors"]:
        yield "authors", ", ".join(map(str, row["authors"]))
    if row["tags"]:
        yield "tags", ", ".join(map(str, row["tags"]))
    for name in ("published_at", "updated_at"):
        if row[name] is not None:
            yield name.removesuffix("_at"), local(row[name], zone)
    for name, value in row["attributes"].items():
        if value not in (None, "", [], {}):
            yield name, value_text(value)
    if row["summary"]:
        yield "summary", row["summary"]


def _version(version: Version, zone: str, *, with_signs: bool) -> Iterator[Text]:
    from rich.text import Text

    end = "until now"
    if version.superseded_at is not None:
        by = f" by run {version.run}" if version.run is not None else ""
        end = f"superseded {local(version.superseded_at, zone)}{by}"
    title = f"  version {version.row['version']}: since {local(version.since, zone)}, {end}"
    yield Text(title, style="bold")
    for change in version.changes:
        yield _change(change, zone, with_signs=with_signs)


def _change(change: Change, zone: str, *, with_signs: bool) -> Text:
    """What became of one field, in one line: coloured on a terminal, with signs elsewhere."""
    from rich.text import Text

    line = Text.assemble("    ", (f"{clean(change.field)}  ", "dim"))
    if change.words:
        pieces: Sequence[Piece] = shortened(change.words)
    elif isinstance(change.before, list) and isinstance(change.after, list):
        removed = [("-", value_text(one)) for one in change.removed]
        added = [("+", value_text(one)) for one in change.added]
        pieces = [*removed, *added] or [("=", "in another order")]
        pieces = [piece for one in pieces for piece in (("=", " "), one)][1:]
    else:
        pieces = [("-", _told_value(change.before, zone)), ("=", " "), ("+", _told_value(change.after, zone))]
    for sign, text in pieces:
        before, after = SIGNS[sign] if with_signs else ("", "")
        line.append(clean(" ".join(f"{before}{_short(text)}{after}".split("\n"))), style=STYLES[sign])
    return line


def shortened(pieces: Sequence[Piece]) -> list[Piece]:
    """The pieces of a text with only the nearest words of what has not changed."""
    found = []
    for number, (sign, text) in enumerate(pieces):
        if sign == "=":
            left = "" if number == 0 else text[:CONTEXT]
            right = "" if number == len(pieces) - 1 else text[-CONTEXT:]
            text = text if len(text) <= len(left) + len(right) + 1 else f"{left}…{right}"
        found.append((sign, text))
    return found


def _measured_row(one: Measured, zone: str, *, with_curve: bool, with_time: bool) -> list[Any]:
    span = [local(one.first_at, zone)[:10], local(one.last["observed_at"], zone)[:10]]
    bars = [curve([row["value"] for row in one.observations])] if with_curve else []
    first, last = one.first, one.last["value"]
    if one.name.endswith("_at"):
        told = [_moment(value, zone)[: None if with_time else 10] for value in (first, last)] + [""] * 3
    else:
        told = [number_text(value) for value in (first, last, one.least, one.most)]
        told.append(number_text(last - first, signed=True))
    return [one.name, *bars, *span, one.count, *told]


def _moment(seconds: float, zone: str) -> str:
    """A measure that is an instant: seconds since 1970."""
    from datetime import UTC

    try:
        return local(datetime.fromtimestamp(seconds, UTC), zone)[:16]
    except (ValueError, OverflowError, OSError):
        return number_text(seconds)


def value_text(value: Any) -> str:
    """A value of JSON in one line."""
    import json

    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def _told_value(value: Any, zone: str) -> str:
    if value is None:
        return "nothing"
    return local(value, zone) if isinstance(value, datetime) else value_text(value)


def _short(text: str) -> str:
    return text if len(text) <= LONGEST else f"{text[:LONGEST]}… ({len(text):,} letters, all with --json)"
