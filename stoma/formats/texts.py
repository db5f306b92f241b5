"""Texts of strangers as feeds and calendars can carry them. Pure."""

from __future__ import annotations

import re

UNFIT = re.compile(
    "[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069\ud800-\udfff\ufdd0-\ufdef\ufffe\uffff]"
)
"""What XML 1.0 cannot carry or asks to leave out, and what turns the direction of writing about."""


def fit(text: str) -> str:
    """The text with U+FFFD for what is unfit, and plain ends of lines."""
    return UNFIT.sub("\N{REPLACEMENT CHARACTER}", text.replace("\r\n", "\n").replace("\r", "\n"))


def in_line(text: str, longest: int = 500) -> str:
    """The same in one line, of at most so many characters."""
    return clipped(" ".join(fit(text).split()), longest)


def clipped(text: str, longest: int) -> str:
    """The text, ending with an ellipsis where it is longer."""
    return text if len(text) <= longest else text[: longest - 1] + "…"
