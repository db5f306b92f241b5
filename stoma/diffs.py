"""What is different between two versions of a record, field by field and word by word. Pure."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from difflib import SequenceMatcher
from typing import Any

FIELDS = ("title", "summary", "url", "authors", "tags", "published_at", "updated_at", "attributes")
"""What a version keeps of a record, in the order in which it is told."""

MOST_WORDS = 1_000
"""Words of a text, between its first and its last change, that are compared one by one; the time is quadratic."""

DEEPEST = 3
"""How many levels of names an attribute is taken apart into."""

_WORDS = re.compile(r"\s*\S+|\s+")

Piece = tuple[str, str]
"""A stretch of text and what became of it: `=` kept, `-` removed, `+` added."""


@dataclass(frozen=True, slots=True)
class Change:
    """One field that is different; a member of the attributes is called `attributes.NAME`."""

    field: str
    before: Any
    after: Any
    # Of a text: all of it, in pieces.
    words: Sequence[Piece] = ()
    # Of a list: what is in one of them alone.
    added: Sequence[Any] = ()
    removed: Sequence[Any] = ()

    def as_dict(self) -> dict[str, Any]:
        """As JSON carries it, all members always; those of texts and of lists are empty for anything else."""
        return {
            "field": self.field,
            "before": _plain(self.before),
            "after": _plain(self.after),
            "words": [list(piece) for piece in self.words],
            "added": list(self.added),
            "removed": list(self.removed),
        }


def changes(before: Mapping[str, Any], after: Mapping[str, Any]) -> list[Change]:
    """What a version says otherwise than the one before it, in the order of FIELDS."""
    return [change for name in FIELDS for change in _changes(name, before[name], after[name])]


def changed_fields(before: Mapping[str, Any], after: Mapping[str, Any]) -> list[str]:
    """Only the names, without a comparison of words."""
    return [
        key
        for name in FIELDS
        for key, old, new in _taken_apart(name, before[name], after[name])
        if old != new
    ]


def compared(before: str, after: str) -> list[Piece]:
    """Two texts as one, in pieces of whole words; of very long ones all between first and last change is replaced."""
    old, new = _WORDS.findall(before), _WORDS.findall(after)
    start = _common(old, new)
    end = _common(old[start:][::-1], new[start:][::-1])
    head, tail = old[:start], old[len(old) - end :]
    old, new = old[start : len(old) - end], new[start : len(new) - end]
    pieces: list[Piece] = [("=", "".join(head))]
    if max(len(old), len(new)) > MOST_WORDS:
        pieces += [("-", "".join(old)), ("+", "".join(new))]
    else:
        for _, a, b, c, d in SequenceMatcher(None, old, new).get_opcodes():
            same = "".join(old[a:b]) if old[a:b] == new[c:d] else ""
            pieces += [("=", same)] if same else [("-", "".join(old[a:b])), ("+", "".join(new[c:d]))]
    pieces.append(("=", "".join(tail)))
    return [piece for piece in pieces if piece[1]]


def _changes(name: str, before: Any, after: Any) -> Iterator[Change]:
    for key, old, new in _taken_apart(name, before, after):
        if old == new:
            continue
        if isinstance(old, str) and isinstance(new, str):
            yield Change(key, old, new, words=compared(old, new))
        elif isinstance(old, list) and isinstance(new, list):
            yield Change(key, old, new, added=_beyond(new, old), removed=_beyond(old, new))
        else:
            yield Change(key, old, new)


def _taken_apart(name: str, before: Any, after: Any, depth: int = 0) -> Iterator[tuple[str, Any, Any]]:
    """A field, or the members of one that has members."""
    if isinstance(before, Mapping) and isinstance(after, Mapping) and depth < DEEPEST:
        for key in dict.fromkeys([*before, *after]):
            yield from _taken_apart(f"{name}.{key}", before.get(key), after.get(key), depth + 1)
    else:
        yield name, before, after


def _beyond(these: Sequence[Any], those: Sequence[Any]) -> list[Any]:
    """What is in `these` and not, or not as often, in `those`."""
    left = Counter(repr(one) for one in those)
    found = []
    for one in these:
        if left[repr(one)]:
            left[repr(one)] -= 1
        else:
            found.append(one)
    return found


def _common(old: Sequence[str], new: Sequence[str]) -> int:
    """How many words are the same at the beginning."""
    count = 0
    for a, b in zip(old, new, strict=False):
        if a != b:
            break
        count += 1
    return count


def _plain(value: Any) -> Any:
    from stoma.scheduler.base import iso

    return iso(value) if isinstance(value, datetime) else value
