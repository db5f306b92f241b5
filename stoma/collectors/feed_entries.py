"""What feedparser made of a feed as plain dictionaries of raw text: the same names for every format.

id, link, title, summary, content (each text with its type), authors, tags, published, updated, comments, enclosures,
original_link, measures (comments, views) and extra: what other vocabularies say in plain text.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Any
from urllib.parse import parse_qs, urljoin, urlsplit

Item = dict[str, Any]

LONGEST_EXTRA = 1_000

# Vocabularies whose elements are known by other names here, or change with each request.
_NOT_EXTRA = frozenset({"content", "feedburner", "gd", "media", "re", "slash", "sy", "thr", "wfw"})
_PLAIN_EXTRA = frozenset({"publisher", "rights"})
_HARMFUL = frozenset({"javascript", "data", "vbscript", "file", "blob", "about", "filesystem", "view-source"})


def items_of(parsed: Any, base: str) -> list[Item]:
    """The entries in the order of the feed; relative addresses count from `base`."""
    is_atom = (parsed.version or "").startswith("atom")
    # An Atom entry without authors has those of its feed (RFC 4287, 4.1.2).
    usual = _authors(parsed.feed) if is_atom else []
    return [_item(entry, is_atom, usual, base) for entry in parsed.entries]


def _item(entry: Mapping[str, Any], is_atom: bool, usual: list[str], base: str) -> Item:
    # Asked with dict.get: feedparser's own gives the date of publication for that of an update, with a warning.
    def text(name: str) -> str:
        value = dict.get(entry, name)  # type: ignore[call-overload]
        return value.strip() if isinstance(value, str) else ""

    def kind(name: str) -> str:
        return (entry.get(f"{name}_detail") or {}).get("type") or "text/html"

    published, updated = text("published"), text("updated")
    if not is_atom and not published:
        published, updated = updated, ""  # the one date of RSS 1.0, dc:date, is that of publication
    content = _best(entry.get("content") or ())
    found: Item = {
        "id": text("id"),
        # What has no link has its id for one with feedparser; only an address of the web is meant like that.
        "link": plain_link(text("link"), base if text("link") != text("id") else ""),
        "title": text("title"),
        "title_type": kind("title"),
        "summary": text("summary"),
        "summary_type": kind("summary"),
        "content": content.get("value") or "",
        "content_type": content.get("type") or "text/html",
        "authors": _authors(entry) or usual,
        "tags": [tag.get("term") or tag.get("label") or "" for tag in entry.get("tags") or ()],
        "published": published,
        "updated": updated,
        "comments": plain_link(text("comments"), base),
        "enclosures": _enclosures(entry.get("links") or (), base),
        "original_link": plain_link(text("feedburner_origlink")),
        "measures": _measures(entry),
        "extra": _extra(entry),
    }
    return tidied(found)


def tidied(item: Item) -> Item:
    """The item without what is empty, and without the type of a text that is not there."""
    return {
        name: value
        for name, value in item.items()
        if value and (not name.endswith("_type") or item.get(name.removesuffix("_type")))
    }


def plain_link(link: str, base: str = "") -> str:
    """An address that leads somewhere; where Google's alerts count clicks, the page behind that.

    A relative one counts from `base`; without a base only addresses of the web are any.
    """
    try:
        link = urljoin(base, link) if link else ""
        parts = urlsplit(link)
    except ValueError:
        return ""
    if parts.scheme not in ("http", "https") and (not parts.scheme or not base or parts.scheme in _HARMFUL):
        return ""
    if parts.path == "/url" and re.fullmatch(r"(www\.)?google\.[a-z.]{2,6}", parts.hostname or ""):
        query = parse_qs(parts.query)
        target = (query.get("url") or query.get("q") or [""])[0]
        if target.startswith(("http://", "https://")):
            return target
    return link


def _best(contents: Iterable[Mapping[str, Any]]) -> Mapping[str, Any]:
    """Of several forms of the content the one with markup, else the first."""
    given = [one for one in contents if one.get("value")]
    return next((one for one in given if "html" in (one.get("type") or "")), given[0] if given else {})


def _authors(of: Mapping[str, Any]) -> list[str]:
    """Names, or the address where somebody has no name."""
    people = of.get("authors") or ()
    names = [(person.get("name") or person.get("email") or "").strip() for person in people]
    return [name for name in names if name]


def _enclosures(links: Iterable[Mapping[str, Any]], base: str) -> list[dict[str, Any]]:
    found = []
    for link in links:
        if link.get("rel") == "enclosure" and (url := plain_link(link.get("href") or "", base)):
            length = link.get("length") or ""
            size = int(length) if length.isdecimal() and len(length) < 16 else 0
            found.append(tidied({"url": url, "type": link.get("type") or "", "length": size}))
    return found


def _measures(entry: Mapping[str, Any]) -> dict[str, int]:
    said = {
        "comments": entry.get("slash_comments") or entry.get("thr_total"),
        "views": (entry.get("media_statistics") or {}).get("views"),
    }
    return {
        name: int(value)
        for name, value in said.items()
        if isinstance(value, str) and value.strip().isdecimal() and len(value) < 16
    }


def _extra(entry: Mapping[str, Any]) -> dict[str, str]:
    """Texts of other vocabularies by feedparser's names, such as `dc_identifier` or `cap_severity`."""
    return {
        name: value.strip()
        for name, value in entry.items()
        if isinstance(value, str)
        and value.strip()
        and len(value) <= LONGEST_EXTRA
        and (name in _PLAIN_EXTRA or ("_" in name and name.partition("_")[0] not in _NOT_EXTRA))
    }
