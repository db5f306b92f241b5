"""Where something stands in a text, and that line as a message may quote it."""

from __future__ import annotations

import re
import unicodedata
from bisect import bisect_right

from stoma.errors import Problem
from stoma.wording import printable, without_passwords

WIDEST = 120
"""Longer lines are clipped around the column."""

SURROUNDINGS = 1_000

_SECRET = re.compile(
    r"(?i)(?:token|secret|passw(?:or)?d|api_?key|authorization)s?[\"']?\s*[:=]\s*"
    r"(\[[^\]]*|\"[^\"]*|'[^']*|[^,}\]]+)"
)
_WORD = re.compile(r"\$\{[^}]*\}|[^\s\[\]{},\"'#]+")


class Places:
    """Turns positions in a text into lines and columns; counts lines only when first asked."""

    def __init__(self, file: str, text: str) -> None:
        self.file = file
        self.text = text
        self._starts: list[int] | None = None

    def line_and_column(self, index: int) -> tuple[int, int]:
        """Both counted from 1, as editors do."""
        if self._starts is None:
            self._starts = [0, *(found.end() for found in re.finditer("\n", self.text))]
        line = bisect_right(self._starts, min(index, len(self.text)))
        return line, min(index, len(self.text)) - self._starts[line - 1] + 1

    def problem(self, index: int, message: str, hint: str = "", *, secret: bool = False) -> Problem:
        """A fault at a position; the line is not quoted when a `secret` stands in it."""
        line, column = self.line_and_column(index)
        start = index - column + 1
        end = self.text.find("\n", start)
        quoted, caret = quote(self.text[start : end if end >= 0 else None], column)
        if secret:
            quoted, caret = "", 0
        return Problem(message, self.file, line, column, quoted, hint, caret)


def quote(line: str, column: int) -> tuple[str, int]:
    """The line, clipped and harmless, and the display column under which a caret points at `column`."""
    # Only the surroundings are looked at: a line may be megabytes long.
    far = max(0, column - SURROUNDINGS)
    line, column = line[far : column + SURROUNDINGS].rstrip(), column - far
    start = 0
    if len(line) > WIDEST:
        start = max(0, min(column - 1 - WIDEST // 2, len(line) - WIDEST))
    clipped = _without_secrets(line)[start : start + WIDEST]
    before = "…" if start or far else ""
    after = "…" if start + WIDEST < len(line) else ""
    shown = "".join(map(printable, clipped))
    caret = len(before) + sum(map(_width, shown[: column - 1 - start])) + 1
    return before + shown + after, caret


def _without_secrets(line: str) -> str:
    """The line with what looks like a password or token starred out, each star for one character."""
    line = without_passwords(line)
    for found in _SECRET.finditer(line):
        hidden = _WORD.sub(lambda word: word[0] if word[0].startswith("${") else "*" * len(word[0]), found[1])
        line = line[: found.start(1)] + hidden + line[found.end(1) :]
    return line


def _width(character: str) -> int:
    if unicodedata.combining(character):
        return 0
    return 2 if unicodedata.east_asian_width(character) in "WF" else 1
