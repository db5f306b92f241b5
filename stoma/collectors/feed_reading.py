"""An answer as a feed, whichever format it has and whatever is wrong with it, or an error that says what came instead.

bytes -> text_of            by what the bytes are, then by what they are called
      -> root               what stands before `<rss`, `<feed` or `<rdf:RDF` is left away; without one it is no feed
      -> end                what was cut off in the middle of an entry loses that entry, and is a fault
      -> feedparser         entries as plain dictionaries of raw text (feed_entries.py)

JSON Feed: feed_json.py. feedparser parses anything, pages of errors too, so nothing reaches it that has no such root;
it gets a stream, for it takes bytes for the name of a file, and never fetches anything itself.
"""

from __future__ import annotations

import io
import re
from dataclasses import dataclass, replace
from html import unescape
from typing import TYPE_CHECKING
from urllib.parse import urljoin, urlsplit, urlunsplit

from stoma.collectors.answers import first_words, shown
from stoma.collectors.feed_entries import Item, items_of
from stoma.collectors.feed_json import read_json
from stoma.collectors.feed_manners import Rest, rest_of
from stoma.collectors.feed_text import text_of
from stoma.collectors.letters import without_forbidden
from stoma.errors import BadAnswer, SourceRefused

if TYPE_CHECKING:
    from datetime import datetime

    from stoma.collectors.http import Response

WITHIN = 65_536
"""Characters in which the root has to begin: comments and a broken prologue may stand before it, no web page."""

LARGEST = 16 << 20
"""Bytes of a feed: the parser takes up to some 12 times as much."""

MOST_TAGS = 500_000
MOST_OPEN = 50_000
MOST_ATTRIBUTES = 1_000
"""Beyond that the parser takes seconds; with attributes of one tag, by their square."""

_ROOT = re.compile(r"<((?:[\w.-]+:)?(rss|feed|RDF))(?=[\s>/])([^>]*)>")
_HTML = re.compile(r"<(?:!doctype\s+html|html|head|body)\b", re.IGNORECASE)
_FIRST = re.compile(r"<([A-Za-z_][\w.:-]*)")
_UNFINISHED = re.compile(r"<[^<>]*\Z")
_LINK = re.compile(r"<link\b[^>]{0,2000}>", re.IGNORECASE)
_FEED_TYPE = re.compile(r"type\s*=\s*[\"']?application/(?:rss|atom|rdf|feed)\+", re.IGNORECASE)
_HREF = re.compile(r"href\s*=\s*[\"']?([^\"'\s>]+)", re.IGNORECASE)
# Possessive: what has fewer attributes is given up at once.
_ATTRIBUTES = re.compile(
    r"<[A-Za-z][^\s<>/]*+(?:\s++[^\s=<>\"'/]++(?:\s*+=\s*+(?:\"[^\"<]*+\"|'[^'<]*+'|[^\s<>\"']*+))?+)"
    rf"{{{MOST_ATTRIBUTES + 1}}}"
)
_SKIPPED = re.compile(r"<skip(?:Hours|Days)\s*>(.*?)</skip(?:Hours|Days)\s*>", re.DOTALL)
_SKIP = re.compile(r"<(hour|day)\s*>\s*(\w+)\s*</\1\s*>")


@dataclass(frozen=True, slots=True)
class Feed:
    """One answer: its entries as they came, how long it wants to be left alone, and what is wrong with it."""

    items: list[Item]
    rest: Rest
    url: str
    fetched_at: datetime
    # The address to ask from now on, when every redirect on the way was permanent.
    moved_to: str | None = None
    # Why this is not all of the feed; what is in `items` is whole.
    fault: str = ""
    # What is wrong, but harmless.
    remark: str = ""


def read_feed(response: Response) -> Feed:
    """The feed in an answer; raises BadAnswer when there is none, or none of its entries is whole."""
    if len(response.body) > LARGEST:
        raise SourceRefused(
            f"{response.shown} is a feed of more than {LARGEST >> 20} MB",
            "ask for a shorter one, if it has any",
        )
    text = text_of(response.body, response.headers.get("content-type", ""))
    start = text.lstrip()[:1]
    if not start:
        raise BadAnswer(f"{response.shown} is empty")
    if start in "{[":
        items, fault = read_json(text, response.shown, _base(response.url))
        feed = Feed(items, rest_of(response.headers), response.shown, response.fetched_at, fault=fault)
    else:
        feed = _read_xml(text, response)
    if feed.fault and not feed.items:
        raise BadAnswer(feed.fault)
    return replace(feed, moved_to=getattr(response, "moved_to", None))


def _read_xml(text: str, response: Response) -> Feed:
    import feedparser

    root = _root(text, response)
    whole, fault, remark = _ended(text[root.start() :], root, response.shown)
    whole = without_forbidden(whole)
    _refuse_absurd(whole, response.shown)
    try:
        parsed = feedparser.parse(
            io.BytesIO(whole.encode("utf-8", "replace")),
            # Without the address of the feed: it would become a part of ids, and those outlive it.
            response_headers={"content-type": "application/xml; charset=utf-8"},
            # Content is kept as the source wrote it; what people see is made plain text by the normalizer.
            sanitize_html=False,
            resolve_relative_uris=False,
        )
    except Exception as error:  # its parser for broken documents may stumble over anything
        raise BadAnswer(f"{response.shown} cannot be read as a feed ({error})") from None
    if not parsed.entries and root[2] != "feed" and "<channel" not in whole:
        raise BadAnswer(
            f"{response.shown} begins like a feed and is none: {first_words(response.body, 80)!r}"
        )
    items = items_of(parsed, _base(response.url))
    opened = len(re.findall(rf"<{_tag(root)}[\s>]", whole))
    if parsed.bozo and len(items) < opened:
        remark = f"{len(items)} of {opened} entries could be read, for it is not well-formed"
    head = whole[:WITHIN]
    skipped = [pair for part in _SKIPPED.findall(head) for pair in _SKIP.findall(part)]
    rest = rest_of(
        response.headers,
        ttl=_said(parsed.feed, "ttl"),
        period=_said(parsed.feed, "sy_updateperiod"),
        frequency=_said(parsed.feed, "sy_updatefrequency"),
        hours=[value for name, value in skipped if name == "hour"],
        days=[value for name, value in skipped if name == "day"],
    )
    return Feed(items, rest, response.shown, response.fetched_at, fault=fault, remark=remark)


def _refuse_absurd(text: str, address: str) -> None:
    """Raise BadAnswer for markup that would keep the parser for minutes and that no feed has."""
    tags = text.count("<")
    what = ""
    if tags > MOST_TAGS:
        what = f"{tags:,} tags"
    elif (left := tags - 2 * text.count("</") - text.count("/>") - text.count("<!")) > MOST_OPEN:
        what = f"{left:,} tags that are not closed"
    elif _ATTRIBUTES.search(text):
        what = f"a tag with more than {MOST_ATTRIBUTES:,} attributes"
    if what:
        raise BadAnswer(f"{address} has {what}, which is no feed's markup")


def _root(text: str, response: Response) -> re.Match[str]:
    """Where the feed begins; raises BadAnswer saying what came when it is no feed."""
    for root in _ROOT.finditer(text, 0, WITHIN):
        name, given = root[2], root[3].lower()
        if name == "rss":
            return root
        # Other vocabularies have a <feed> too, and licences stand as <rdf:RDF> in the comments of web pages.
        if name == "feed" and ("xmlns" not in given or "/atom" in given):
            return root
        if name == "RDF" and ("/rss/" in given or "netscape.com/rdf" in given):
            return root
    if _HTML.search(text, 0, WITHIN):
        found = list(dict.fromkeys(_linked(text, response.url)))[:3]
        hint = f"the page names {' and '.join(found)}: write that as url" if found else ""
        words = first_words(response.body, 80)
        raise BadAnswer(f"{response.shown} is a web page, not a feed: {words!r}", hint)
    first = _FIRST.search(text)
    what = f"its root is <{first[1][:60]}>" if first else f"it begins {response.opening!r}"
    raise BadAnswer(f"{response.shown} is no feed; {what}")


def _linked(page: str, url: str) -> list[str]:
    """The feeds that a web page names in its head."""
    tags = [tag for tag in _LINK.findall(page, 0, WITHIN) if _FEED_TYPE.search(tag)]
    return [shown(urljoin(url, unescape(found[1]))) for tag in tags if (found := _HREF.search(tag))]


def _tag(root: re.Match[str]) -> str:
    """How entries are called below a root: `item`, without prefix in RSS, or `entry` with the prefix of the root."""
    return f"{re.escape(root[1].removesuffix('feed'))}entry" if root[2] == "feed" else "item"


def _ended(text: str, root: re.Match[str], address: str) -> tuple[str, str, str]:
    """The document with its end, then what is wrong when that was cut off: a fault, or only a remark.

    A document that ends inside an entry was cut off: the entry is left away. One that ends behind an entry and only
    lacks closing tags is taken for whole, for some programs never write them.
    """
    close = f"</{root[1]}"
    if (end := text.rfind(close)) >= 0 or root[0].endswith("/>"):
        return (f"{text[:end]}{close}>" if end >= 0 else root[0]), "", ""
    tag = _tag(root)
    opened = [match.start() for match in re.finditer(rf"<{tag}[\s>]", text)]
    closed = [match.end() for match in re.finditer(rf"</{tag}\s*>", text)]
    inside = len(opened) > 0 and (not closed or opened[-1] >= closed[-1])
    broken = _UNFINISHED.search(text)
    if broken and not broken[0].startswith("</"):
        inside = True
    kept = text[: broken.start() if broken else len(text)]
    if inside:
        kept = text[: closed[-1] if closed else opened[0] if opened else len(kept)]
    is_open = root[2] == "rss" and "</channel>" not in kept
    whole = f"{kept}{'</channel>' if is_open else ''}{close}>"
    if not opened:
        return whole, f"{address} is cut off before its first entry", ""
    if inside:
        return whole, f"{address} is cut off behind its first {len(closed)} entries", ""
    return whole, "", f"it ends without {close}>; its {len(closed)} entries are whole"


def _base(url: str) -> str:
    """What relative addresses of a feed count from: its own, without what may be secret in it."""
    parts = urlsplit(url)
    return shown(urlunsplit((parts.scheme, parts.netloc.rpartition("@")[2], parts.path, "", "")))


def _said(feed: dict[str, object], name: str) -> str:
    value = dict.get(feed, name)
    return value if isinstance(value, str) else ""
