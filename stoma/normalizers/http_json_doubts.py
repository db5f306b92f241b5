"""What a page shows to be wrong with `key` and `fields`: a key that many items share, paths that lead nowhere. Pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from stoma.normalizers.http_json_fields import Field
from stoma.paths import missing
from stoma.records import Record, Reject
from stoma.wording import nearest, shown

FEW = 3
"""From so many items on, what none of them has is not there at all."""


def shared_key(items: Sequence[Any], found: Sequence[Record | Reject]) -> tuple[int, str]:
    """How many different items have the key of another one before them, and such a key. Equal items are one."""
    pairs = [
        (one.external_id, item) for item, one in zip(items, found, strict=True) if isinstance(one, Record)
    ]
    times = Counter(key for key, _ in pairs)
    if len(times) == len(pairs):
        return 0, ""
    different = {(key, repr(item)) for key, item in pairs if times[key] > 1}
    again = Counter(key for key, _ in different)
    count = sum(again.values()) - len(again)
    return count, again.most_common(1)[0][0] if count else ""


def absent(fields: Sequence[Field], items: Sequence[Any]) -> Iterator[tuple[Field, str]]:
    """The fields whose path leads nowhere in any item, each with what is there instead.

    A field with a default may be missing; it is told only where a name like its own is there.
    """
    for field in fields:
        if field.path is None:
            continue
        lacks = [missing(field.path, item) for item in items]
        if not lacks or lacks[0] is None or not all(lacks):
            continue
        step, keys = lacks[0]
        near = nearest(step, keys)
        if near or field.default is None:
            meant = f'did you mean "{near}"?' if near else f"there are {shown(', '.join(keys), 200)}"
            yield field, f"{field.path.text} leads to nothing in any of {len(items)} items; {meant}"


def key_words(config: Mapping[str, Any]) -> str:
    """How the key of a task is called."""
    given = config.get("key")
    if given is None:
        return "the key (id, or the url)"
    return f"key: {given}" if isinstance(given, str) else f"key: [{', '.join(given)}]"
