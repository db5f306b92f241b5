"""Tables that fit the terminal: texts fold, spare columns go, and where nothing helps each row becomes a few lines."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

from stoma.wording import clean

if TYPE_CHECKING:
    from rich.console import Console
    from rich.text import Text

NAMES = frozenset({"task", "run", "status", "state", "schedule", "host", "since", "until"})
"""Columns whose words are copied or compared: they keep their line."""

FOLDED = 11
"""What a column of text may be folded to: a date, or `11-23 09:00`."""

GAP, NARROW_GAP = 3, 2
"""Columns of the screen between two of a table."""

INDENT = "  "
"""Before what belongs to the line above, and between two values in a line."""

PIPE = 240
"""Columns of a file or a pipe, which has no width; more where one word is longer."""

NOTHING = "–"


def show(
    screen: Console,
    columns: Sequence[str],
    rows: Sequence[Sequence[Any]],
    numbers: int,
    spare: Sequence[Sequence[str]] = (),
) -> None:
    """Print rows, whose last `numbers` columns hold numbers; `spare` columns are left out where there is no room."""
    cells = [[clean(_cell(value)) for value in row] for row in rows]
    kept = list(range(len(columns)))
    fixed = [at >= len(columns) - numbers or name in NAMES for at, name in enumerate(columns)]
    least = [_least(column, [row[at] for row in cells], fixed[at]) for at, column in enumerate(columns)]

    def needed(gap: int) -> int:
        return sum(least[at] for at in kept) + gap * (len(kept) - 1) + 2

    if screen.is_terminal:
        for names in spare:
            if needed(NARROW_GAP) > screen.width:
                kept = [at for at in kept if columns[at] not in names]
        if needed(NARROW_GAP) > screen.width:
            for row in cells:
                _print_lines(screen, columns, row)
            return
    else:
        screen.width = PIPE

    from rich import box
    from rich.measure import Measurement
    from rich.table import Table
    from rich.text import Text

    table = Table(
        box=box.SIMPLE_HEAD,
        pad_edge=False,
        header_style="bold",
        collapse_padding=needed(GAP) > screen.width,
    )
    for at in kept:
        # Nothing is cut off: half an id is of no use. Names keep their line, other texts are folded.
        table.add_column(
            columns[at],
            justify="right" if at >= len(columns) - numbers else "left",
            no_wrap=fixed[at],
            min_width=least[at],
            overflow="fold",
        )
    for row in cells:
        table.add_row(*[Text(row[at], style=_style(row[at])) for at in kept])
    if not screen.is_terminal:
        options = screen.options.update(max_width=1000)
        screen.width = max(PIPE, Measurement.get(screen, options, table).minimum)
    screen.print(table, crop=False)


def _least(column: str, cells: Sequence[str], is_fixed: bool) -> int:
    from rich.cells import cell_len

    widest = max(cell_len(text) for text in (column, *cells))
    return widest if is_fixed else max(cell_len(column), min(widest, FOLDED))


def _print_lines(screen: Console, columns: Sequence[str], row: Sequence[str]) -> None:
    """One row as `column: value  column: value`, broken between them, and what is longer than a line between words."""
    from rich.cells import cell_len
    from rich.text import Text

    room = screen.width - len(INDENT)
    lines = [Text()]
    for part in _parts(columns, row):
        # One word stays in one piece, however long, so that it can be copied.
        pieces = part.split(" ") if cell_len(part.plain) > room else [part]
        for number, piece in enumerate(pieces):
            blank = " " if number else INDENT
            if lines[-1] and cell_len(lines[-1].plain + blank + piece.plain) > room:
                lines.append(Text())
            lines[-1].append(blank if lines[-1] else "").append_text(piece)
    for number, line in enumerate(lines):
        indented = Text(INDENT if number else "").append_text(line)
        screen.print(indented, no_wrap=True, overflow="ignore", crop=False)


def _parts(columns: Sequence[str], row: Sequence[str]) -> Iterator[Text]:
    from rich.text import Text

    for at, (column, text) in enumerate(zip(columns, row, strict=True)):
        if text != NOTHING:
            yield Text.assemble((f"{column}: ", "dim"), (text, _style(text) or ("bold" if not at else "")))


def _cell(value: Any) -> str:
    if value is None or value == "":
        return NOTHING
    return str(value)


def _style(text: str) -> str:
    return {
        "completed": "green",
        "failed": "red",
        "suspect": "yellow",
        "cancelled": "dim",
        "skipped": "dim",
        "blocked": "dim",
        "running": "cyan",
        "interrupted": "yellow",
    }.get(text, "")
