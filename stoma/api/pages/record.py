"""One record: what it says and said, what was measured of it, which tasks saw it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from stoma.api.answers import Asked, Document
from stoma.api.pages import plots, render
from stoma.api.pages.texts import number_text, record_path, short, value_text
from stoma.api.route import Param, whole
from stoma.diffs import Change, Piece
from stoma.errors import NotFound
from stoma.query import readable
from stoma.stores.looking import Portrait
from stoma.stores.rising import is_rank
from stoma.stores.runs import NEWEST
from stoma.stores.stories import Measured, Version

MOST_VERSIONS = 10
MOST_CHANGES = 60
"""Changes of one version that are shown."""

MOST_ATTRIBUTES = 150
MOST_VALUES = 60
"""Measurements that are told in a table, the latest."""

MOST_NAMES = 200
"""Authors or tags that are shown: some papers have thousands of authors."""

LONGEST = 4_000
"""Letters of a summary that are shown."""

CONTEXT = 60
"""Letters of an unchanged stretch of text on either side of a change."""

PARAMS = (Param("cursor", "Versions that follow: the number of the last one.", whole(None, 1, NEWEST)),)


@dataclass(frozen=True, slots=True)
class Measure:
    """One measure as the page tells it; `plot` is the address of its picture, empty where there is none to draw."""

    name: str
    count: int
    # Word and value: first, last, least, most, change.
    told: Sequence[tuple[str, str]]
    plot: str
    values: Sequence[tuple[datetime, str]]


def page(asked: Asked, source: str, external_id: str) -> Document:
    """One record by the name that its source gave it."""
    return _page(asked, external_id, source)


def by_number(asked: Asked, number: str) -> Document:
    """One record by its number."""
    if not (number.isascii() and number.isdigit() and len(number) < 19):
        raise NotFound(f'"{number[:50]}" is not the number of a record', "`/records` lists them")
    return _page(asked, f"#{number}", None)


def _page(asked: Asked, text: str, source: str | None) -> Document:
    cursor = asked.query.get("cursor")
    found = asked.scheduler.store.looking.portrait(text, source, below=cursor, limit=MOST_VERSIONS)
    row = found.row
    attributes = list(_flat(row["attributes"]))
    return render.page(
        asked,
        "record.html",
        row=row,
        here=record_path(row),
        # Some sources send texts with tags: these are not shown.
        summary=short(readable(row["summary"][: 2 * LONGEST]).strip(), LONGEST),
        authors=row["authors"][:MOST_NAMES],
        more_authors=max(len(row["authors"]) - MOST_NAMES, 0),
        tags=row["tags"][:MOST_NAMES],
        attributes=attributes[:MOST_ATTRIBUTES],
        more_attributes=max(len(attributes) - MOST_ATTRIBUTES, 0),
        versions=[(version, _changes(version)) for version in found.versions],
        following=found.next,
        cursor=cursor,
        measures=list(_measures(found)),
        sightings=found.sightings,
    )


def _flat(value: Any, name: str = "", depth: int = 0) -> Iterator[tuple[str, str]]:
    """Attributes by their names, those inside others as `outer.inner`; empty ones are left out."""
    if isinstance(value, Mapping) and depth < 3:
        for key, inner in value.items():
            yield from _flat(inner, f"{name}.{key}" if name else str(key), depth + 1)
    elif isinstance(value, list) and value and all(isinstance(one, str | int | float) for one in value):
        yield name, short(", ".join(map(str, value)))
    elif value not in (None, "", [], {}):
        yield name, ("yes" if value else "no") if isinstance(value, bool) else value_text(value)


def _measures(found: Portrait) -> Iterator[Measure]:
    for one in found.measures:
        seen = one.observations[-MOST_VALUES:][::-1]
        values = [(row["observed_at"], _figure(one.name, row["value"])) for row in seen]
        has_plot = one.count > 1 and not _is_instant(one.name)
        plot = plots.record_plot_path(found.row["id"], one.name) if has_plot else ""
        yield Measure(one.name, one.count, list(_summed(one)), plot, values)


def _summed(one: Measured) -> Iterator[tuple[str, str]]:
    last = one.last["value"]
    if one.count == 1 or _is_instant(one.name):
        yield "now", _figure(one.name, last)
        return
    is_place = is_rank(one.name)
    yield "now", number_text(last)
    if not is_place:
        yield "change", number_text(last - one.first, signed=True)
    yield "first", number_text(one.first)
    yield "best" if is_place else "least", number_text(one.least)
    yield "worst" if is_place else "most", number_text(one.most)


def _is_instant(name: str) -> bool:
    return name.endswith("_at")


def _figure(name: str, value: float) -> str:
    """A value as people write it; of an instant, which is kept as seconds since 1970, the instant."""
    if _is_instant(name):
        try:
            return value_text(datetime.fromtimestamp(value, UTC))
        except (ValueError, OverflowError, OSError):
            pass
    return number_text(value)


def _changes(version: Version) -> list[tuple[str, list[Piece]]]:
    """What a version says otherwise: each field with its pieces."""
    return [(change.field, _pieces(change)) for change in version.changes[:MOST_CHANGES]]


def _pieces(change: Change) -> list[Piece]:
    if change.words:
        return _shortened(change.words)
    if isinstance(change.before, list) and isinstance(change.after, list):
        removed = [("-", value_text(one)) for one in change.removed[:MOST_NAMES]]
        added = [("+", value_text(one)) for one in change.added[:MOST_NAMES]]
        pieces = [piece for one in [*removed, *added] for piece in (("=", " "), one)][1:]
        return pieces or [("=", "in another order")]
    return [("-", value_text(change.before)), ("=", " "), ("+", value_text(change.after))]


def _shortened(pieces: Sequence[Piece]) -> list[Piece]:
    """The pieces of a text with only the nearest words of what has not changed."""
    found = []
    for number, (sign, text) in enumerate(pieces[:MOST_NAMES]):
        if sign == "=":
            left = "" if number == 0 else text[:CONTEXT]
            right = "" if number == len(pieces) - 1 else text[-CONTEXT:]
            text = text if len(text) <= len(left) + len(right) + 1 else f"{left}…{right}"
        found.append((sign, short(text)))
    return found
