"""What makes an entry the same one: its id, else its link, else title and date, else what it says. Pure.

Some feeds give one id to several entries: EDGAR's list of filings one for each party, weblogs one for each minute,
broken templates one for all. Those are told apart by their links too, and where these are alike by their dates.
Which ids are like that is kept from run to run, so that an entry keeps its key when the others have left the feed.
"""

from __future__ import annotations

from collections.abc import Iterable
from hashlib import blake2b
from typing import Any

from stoma.collectors.feed_entries import Item
from stoma.records import LONGEST_ID

MOST_KEPT = 200
"""Digests kept of a feed from run to run: of its entries, and of ids that several have."""


def identified(items: Iterable[Item], shared: Iterable[str]) -> tuple[list[Item], list[str]]:
    """The items with their `key`, each once, and the digests of ids that several entries have, known ones included.

    Of what comes twice the first counts, the newest in nearly every feed. What has nothing to be told by gets no key.
    """
    given, before = list(items), tuple(shared)
    names = [item.get("id") or item.get("link") or _words(item) for item in given]
    several: list[str] = []
    for by in ("link", "published"):
        now = _several(by, names, [item.get(by, "") for item in given])
        several += now
        wanted = {*now, *before}
        names = [
            f"{name} {item[by]}" if item.get(by) and digest(f"{by} {name}") in wanted else name
            for name, item in zip(names, given, strict=True)
        ]
    found: dict[str, Item] = {}
    for name, item in zip(names, given, strict=True):
        if name:
            found.setdefault(name, item | {"key": _short(name)})
    nameless = [item for name, item in zip(names, given, strict=True) if not name]
    return [*found.values(), *nameless], list(dict.fromkeys([*several, *before]))[:MOST_KEPT]


def digest(text: str) -> str:
    """12 hex digits: enough to tell some hundred entries apart."""
    return blake2b(text.encode("utf-8", "replace"), digest_size=6).hexdigest()


def _several(by: str, names: list[str], values: list[str]) -> list[str]:
    """Digests of the names that stand with more than one value."""
    found: dict[str, set[str]] = {}
    for name, value in zip(names, values, strict=True):
        if name and value:
            found.setdefault(name, set()).add(value)
    return [digest(f"{by} {name}") for name, alike in found.items() if len(alike) > 1]


def _words(item: Item) -> str:
    """A name for an entry without id and link."""
    words: list[Any] = [item.get("title"), item.get("published") or item.get("updated")]
    if not any(words):
        words = [item.get("summary"), item.get("content")]
    return f"hash:{_long_digest(repr(words))}" if any(words) else ""


def _short(key: str) -> str:
    """A key that fits: the end of one that is too long gives way to a digest of it."""
    return key if len(key) <= LONGEST_ID else f"{key[: LONGEST_ID - 40]}…{_long_digest(key)}"


def _long_digest(text: str) -> str:
    return blake2b(text.encode("utf-8", "replace"), digest_size=16).hexdigest()
