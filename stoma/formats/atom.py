"""Atom (RFC 4287), in pages (RFC 5005): feeds as any reader takes them, written by lxml. Pure.

Texts are those of strangers: what does not fit becomes U+FFFD, and only links to the web are links.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING
from uuid import UUID, uuid5

from stoma.formats.texts import UNFIT, clipped, fit, in_line

if TYPE_CHECKING:
    from lxml.etree import _Element

MEDIA_TYPE = "application/atom+xml"

LONGEST_SUMMARY = 4_000
"""Characters; what is longer ends with an ellipsis."""

MOST_NAMES = 50
"""Authors, and tags, of one entry; a paper of some thousand authors says "and N more"."""

NAMESPACE = "http://www.w3.org/2005/Atom"

# Of Stoma's own, so that the same name gives the same id everywhere and always.
_IDS = UUID("c4b8ef5c-2f0f-4a3c-9a9b-6f1f6f1f5a10")

_WEB_LINK = re.compile(r"""https?://[^\s<>"{}|\\^`\x00-\x20\x7f-\x9f]{1,2000}""")


@dataclass(frozen=True, slots=True)
class Entry:
    """One entry. Instants are aware; `link` is what a person opens."""

    id: str
    title: str
    updated: datetime
    link: str
    published: datetime | None = None
    authors: Sequence[str] = ()
    tags: Sequence[str] = ()
    summary: str = ""


@dataclass(frozen=True, slots=True)
class Feed:
    """One page of a feed. Addresses may be relative to that of the feed."""

    id: str
    title: str
    updated: datetime
    link: str
    # Where this page is found, where the first is, and where it goes on; empty: it ends here.
    itself: str
    start: str
    onward: str = ""
    subtitle: str = ""
    author: str = "Stoma"


def identity(*names: str) -> str:
    """A URI that means what these names mean, for ever (RFC 9562, version 5)."""
    return uuid5(_IDS, "\n".join(names)).urn


def web_link(url: str) -> str:
    """The address where it leads to the web and nowhere else, else nothing."""
    return url if _WEB_LINK.fullmatch(url) and not UNFIT.search(url) else ""


def document(feed: Feed, entries: Iterable[Entry]) -> bytes:
    """The feed as XML in UTF-8."""
    from lxml import etree

    root = etree.Element(f"{{{NAMESPACE}}}feed", nsmap={None: NAMESPACE})
    _add(root, "id", feed.id)
    _add(root, "title", in_line(feed.title))
    if feed.subtitle:
        _add(root, "subtitle", in_line(feed.subtitle))
    _add(root, "updated", _instant(feed.updated))
    _add(_add(root, "author"), "name", feed.author)
    _add(root, "generator", "Stoma")
    _add(root, "link", rel="alternate", type="text/html", href=feed.link)
    _add(root, "link", rel="self", type=MEDIA_TYPE, href=feed.itself)
    _add(root, "link", rel="first", type=MEDIA_TYPE, href=feed.start)
    if feed.onward:
        _add(root, "link", rel="next", type=MEDIA_TYPE, href=feed.onward)
    for entry in entries:
        _write(_add(root, "entry"), entry)
    written: bytes = etree.tostring(root, xml_declaration=True, encoding="UTF-8")
    return written


def _write(element: _Element, entry: Entry) -> None:
    _add(element, "id", entry.id)
    _add(element, "title", in_line(entry.title), type="text")
    _add(element, "link", rel="alternate", href=entry.link)
    if entry.published is not None:
        _add(element, "published", _instant(entry.published))
    _add(element, "updated", _instant(entry.updated))
    for name in _some(entry.authors):
        _add(_add(element, "author"), "name", name)
    for tag in [line for tag in entry.tags[:MOST_NAMES] if (line := in_line(tag))]:
        _add(element, "category", term=tag)
    if entry.summary:
        _add(element, "summary", clipped(fit(entry.summary), LONGEST_SUMMARY), type="text")


def _add(parent: _Element, name: str, text: str | None = None, **attributes: str) -> _Element:
    from lxml import etree

    made = etree.SubElement(parent, f"{{{NAMESPACE}}}{name}", attributes)
    made.text = text
    return made


def _some(names: Sequence[str]) -> list[str]:
    shown = [line for name in names[:MOST_NAMES] if (line := in_line(name))]
    more = len(names) - MOST_NAMES
    return [*shown, f"and {more} more"] if more > 0 else shown


def _instant(moment: datetime) -> str:
    return moment.astimezone(UTC).isoformat().replace("+00:00", "Z")
