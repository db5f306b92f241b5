"""Which list of an answer holds its items, where nobody says so. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

from stoma.collectors.answers import shortened
from stoma.errors import UsageError
from stoma.paths import Path, path_of
from stoma.wording import listed

DEEPEST = 4
"""So many mappings deep the lists of an answer are looked for."""

Lists = dict[str, list[Any]]

_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_NO_ITEMS = frozenset({"error", "errors", "warnings"})

# All names below are without marks and in small letters.
_USUAL = frozenset({
    "content", "data", "docs", "documents", "edges", "elements", "entries", "entities", "features", "hits",
    "items", "list", "nodes", "objects", "records", "response", "result", "results", "rows", "value", "values",
})  # fmt: skip
# What accompanies items, and what lies in it: never taken as long as there is any other list.
_ASIDE = frozenset({
    "aggregations", "aggs", "bbox", "facet", "facetcounts", "facets", "included", "link", "links",
    "translationset", "translationstack",
})  # fmt: skip
_PARTS = _ASIDE | {
    "assets", "attachments", "author", "authors", "categories", "contributors", "creators", "files", "genres",
    "images", "keywords", "labels", "languages", "photos", "subjects", "tags", "thumbnails", "topics", "weather",
}  # fmt: skip
_OF_ITEM = frozenset({"doi", "guid", "id", "isbn", "key", "sku", "slug", "uuid"})
# What usually stands beside a list of items.
_ENVELOPE = re.compile(
    r"(total|count|num|limit|offset|skip|max|page|paging|pagination|next|prev|first|last|cursor|continu|more|has(more|next|prev)"
    r"|link|meta|info|status|success|error|warning|message|api|version|etag|time|generated|updated|license|licence"
    r"|copyright|attribution|took|incomplete|truncated|query|request|response|search|facet|filter|sort|order"
    r"|help|schema|quota|backoff|disclaimer|source|result)|(size|start|end|self|per|code|ok|msg|type|kind|object|date|url|data)$"
)
# Names of the envelope that an item has as often.
_OF_EITHER = frozenset({"date", "message", "source", "updated", "updatedat", "url"})


def only_list(value: Mapping[str, Any], shown: str) -> Path | None:
    """The path to the list of items: the only one of mappings, else the only one.

    None where several lists are all empty and none has a usual name: there are no items, and the next answer may tell
    where they lie. Raises LookupError without any list, UsageError where nobody can tell which list is meant.
    """
    everything = dict(lists_in(value))
    if not everything:
        raise LookupError
    found = {
        path: items for path, items in everything.items() if not _ASIDE & set(_names(path))
    } or everything
    objects = {path: items for path, items in found.items() if _has_mappings(items)}
    usual = {path for path in found if _names(path)[-1] in _USUAL}
    # Where nothing was found some sources propose something else instead.
    rivals = {path: found[path] for path in usual if not found[path]} if not usual & objects.keys() else {}
    likely = (objects or {path: items for path, items in found.items() if items}) | rivals
    if not any(likely.values()):
        return _empty(value, found, usual, shown)
    if len(likely) > 1:
        raise _several(everything, shown)
    [only] = likely
    if beside := _of_one_item(value, only) or ([] if objects else _beside(value, only)):
        raise _part(only, beside, shown)
    return path_of(only)


def lists_in(value: Any, before: str = "", depth: int = 0) -> Iterator[tuple[str, list[Any]]]:
    """Every list that stands in mappings alone, by its path."""
    if not isinstance(value, Mapping) or depth >= DEEPEST:
        return
    for name, inner in value.items():
        if not name or '"' in name or "\\" in name or name in _NO_ITEMS:
            continue
        path = before + (name if _NAME.fullmatch(name) else f'"{name}"')
        if isinstance(inner, list):
            yield path, inner
        else:
            yield from lists_in(inner, f"{path}.", depth + 1)


def _empty(value: Mapping[str, Any], found: Lists, usual: set[str], shown: str) -> Path | None:
    """The path to the only empty list that is no part of an item."""
    doubts = {path: _of_one_item(value, path) for path in found}
    if all(doubts.values()):
        path, beside = next(iter(doubts.items()))
        raise _part(path, beside, shown)
    good = usual or found.keys()
    return path_of(next(iter(good))) if len(good) == 1 else None


def _of_one_item(value: Any, path: str) -> list[str]:
    """What shows that an answer is one item, of which this list is a part."""
    own = [
        name
        for _, beside in _levels(value, path)
        for name, inner in beside.items()
        if _spare(name) in _OF_ITEM and isinstance(inner, str | int)
    ]
    last = _names(path)[-1]
    if own or last in _USUAL:
        return own
    if last in _PARTS:
        return _beside(value, path, _OF_EITHER)
    *_, (_, nearest) = _levels(value, path)
    return [
        name for name, inner in nearest.items() if isinstance(inner, list) and _spare(name) in _PARTS - _ASIDE
    ]


def _beside(value: Any, path: str, telling: frozenset[str] = frozenset()) -> list[str]:
    """What stands beside a list, or beside what holds it, and is `telling` or not of the usual envelope."""
    return [
        name
        for inside, beside in _levels(value, path)
        # A list of a usual name is one of items whatever stands beside it.
        if not (isinstance(inside, list) and _names(path)[-1] in _USUAL)
        for name, inner in beside.items()
        if inner != [] and (_spare(name) in telling or not _is_envelope(name))
    ]


def _levels(value: Any, path: str) -> Iterator[tuple[Any, dict[str, Any]]]:
    """Down the path to a list: what each key leads to, and all that stands beside it."""
    for key in path_of(path).keys or ():
        yield value[key], {name: inner for name, inner in value.items() if name != key}
        value = value[key]


def _several(found: Lists, shown: str) -> UsageError:
    named = listed([f"{path} ({len(items)})" for path, items in list(found.items())[:20]], "and")
    # Items are mappings more often than not, and more of them than of anything else.
    likely = min(found, key=lambda path: (not _has_mappings(found[path]), -len(found[path])))
    return UsageError(
        f"{shown}: the answer has several lists: {named}",
        f"say which one holds the items: items: {_columns(found) or likely}; "
        'items: "@" takes the answer itself as one item; where each line is an item, write lines: true',
    )


def _part(path: str, beside: list[str], shown: str) -> UsageError:
    return UsageError(
        f"{shown}: the answer has a list, {path}, beside {shortened(listed(beside[:10], 'and'), 120)}: "
        "it may be a list of items, or a part of one item",
        f'items: {path} takes the list, items: "@" the answer itself as one item; '
        "where each line is an item, write lines: true",
    )


def _columns(found: Lists) -> str:
    """What to write where all lists are the columns of one table; empty where they are not."""
    holders = {path.rpartition(".")[0] for path in found if '"' not in path}
    is_table = len({len(items) for items in found.values()}) == 1 and not any(
        map(_has_mappings, found.values())
    )
    [holder, *others] = holders or [""]
    return f"{{columns: {holder}}}" if is_table and holder and not others else ""


def _has_mappings(items: list[Any]) -> bool:
    return bool(items) and isinstance(items[0], Mapping)


def _is_envelope(name: str) -> bool:
    return name[:1] in ("@", "_", "$") or _ENVELOPE.match(_spare(name)) is not None


def _names(path: str) -> list[str]:
    return [_spare(key) for key in path_of(path).keys or ()]


def _spare(name: str) -> str:
    return re.sub(r"[^a-z0-9]", "", name.lower())
