"""Words for those who asked."""

from __future__ import annotations

from collections.abc import Sequence


def in_one(sentences: Sequence[str]) -> str:
    """Several things that are to be said, as one text."""
    return " ".join(text if text.endswith("?") else f"{text}." for text in sentences)
