"""What a command shows on a terminal while it works for long."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from stoma.cli.output import console
from stoma.wording import clean


@contextmanager
def waiting(what: str, *, quiet: bool) -> Iterator[Callable[[str], None]]:
    """A line on standard error that moves; the function changes what stands behind it. Silence where nobody looks."""
    screen = console(stderr=True)
    if quiet or not screen.is_terminal:
        yield lambda more: None
        return
    from rich.markup import escape

    with screen.status(what) as shown:
        yield lambda more: shown.update(escape(clean(f"{what}: {more}")))
