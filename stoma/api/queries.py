"""What stands behind the question mark of an address, as values."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from stoma.errors import UsageError
from stoma.wording import did_you_mean, shown


def number(query: Mapping[str, str], name: str, default: int, least: int, most: int) -> int:
    """A whole number from `least` to `most`; raises UsageError."""
    text = query.get(name)
    if text is None:
        return default
    is_number = text.isascii() and text.isdigit() and len(text) < 20
    if not is_number or not least <= int(text) <= most:
        raise UsageError(f'{name}: found "{text[:50]}", expected a whole number from {least} to {most}')
    return int(text)


def known(query: Mapping[str, str], names: Sequence[str]) -> dict[str, str]:
    """What is given of the parameters that there are.

    Raises UsageError for others, and for one that is empty: they would narrow nothing, and everything would be told.
    """
    for name in query:
        if name not in names:
            near = did_you_mean(name, names)
            raise UsageError(f'there is no parameter "{shown(name)}"{near}', f"there are {', '.join(names)}")
        if not query[name]:
            raise UsageError(f"{name}: nothing is given", "leave the parameter out, or say what it is to be")
    return dict(query)


def in_one(sentences: Sequence[str]) -> str:
    """Several things that are to be said, as one text."""
    return " ".join(text if text.endswith("?") else f"{text}." for text in sentences)
