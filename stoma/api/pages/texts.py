"""What strangers wrote, as a page may carry it; Jinja2 escapes it besides. Pure."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import Any
from urllib.parse import quote

from stoma.excerpts import Excerpt

LONGEST = 2_000
"""Letters of one text that are shown; the API has all of them."""

# Unseen, or turning round what stands beside it: an override reaches to the end of its line.
_CONTROLS = [*range(9), 11, 12, *range(13, 32), *range(127, 160)]
_TURNING = [0x061C, 0x200E, 0x200F, *range(0x202A, 0x202F), *range(0x2066, 0x206A)]
_ENDING = [0x2028, 0x2029, 0xFEFF, 0xFFFE, 0xFFFF]
_SHOWN = dict.fromkeys([*_CONTROLS, *_TURNING, *_ENDING], "\N{REPLACEMENT CHARACTER}")


def plain(value: Any) -> str:
    """A text in which every character that is unseen or turns others round is replaced, one for one."""
    text = str(value)
    return text if text.isascii() and text.isprintable() else text.translate(_SHOWN)


def short(text: str, longest: int = LONGEST) -> str:
    """A text that is not endless."""
    return text if len(text) <= longest else f"{text[:longest]}… ({len(text):,} letters, the API has all)"


def value_text(value: Any) -> str:
    """A value of JSON in one line."""
    if isinstance(value, datetime):
        return f"{value:%Y-%m-%d %H:%M} UTC"
    if value is None:
        return "nothing"
    return short(value if isinstance(value, str) else json.dumps(value, ensure_ascii=False))


def number_text(value: float, *, signed: bool = False) -> str:
    """A number as people write it: `12,345`, `0.25`."""
    if abs(value) >= 1e15:
        return f"{value:g}"
    sign, whole = "+" if signed else "", value == int(value)
    return f"{value:{sign},.{0 if whole else 2}f}" if whole or abs(value) >= 1 else f"{value:{sign}g}"


def marked(found: Excerpt) -> Iterator[tuple[str, bool]]:
    """An excerpt in pieces, each with whether it was asked for."""
    at = 0
    for start, end in found.hits:
        if start > at:
            yield found.text[at:start], False
        yield found.text[start:end], True
        at = end
    if at < len(found.text):
        yield found.text[at:], False


def record_path(row: Mapping[str, Any]) -> str:
    """Where the page of a record is: by its name, or by its number where an address cannot carry that."""
    source, name = row["source"], row["external_id"]
    # A browser takes dots for a way up, and a path ends at a slash; nor is a line end part of one.
    can_carry = source.isprintable() and "/" not in source and name.isprintable()
    if not can_carry or not source or {source, name} & {".", ".."}:
        return f"/records/{row['id']}"
    return f"/records/{quote(source, safe='')}/{quote(name, safe='')}"
