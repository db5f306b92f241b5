"""Text with markup as the plain text that a person would read. Pure."""

from __future__ import annotations

import re
from html import unescape
from typing import Any

_TAG = re.compile(r"<[^<>]*>")
_LOADING = re.compile(r"<(script|style|iframe|object)\b[^<>]{0,1000}>[^<]{0,2000}</\1\s*>", re.IGNORECASE)
_ENDING = re.compile(r"</([a-z][\w:-]{0,40})\s*>", re.IGNORECASE)
_ANY = re.compile(r"</?([a-z][\w:-]{0,40})[^<>]{0,2000}>", re.IGNORECASE)
_WORKING = re.compile(
    r"<(?:script|style|iframe|object|embed|svg|img|form|link|meta|base|body|video|audio|math)\b[^<>]{0,2000}>?"
    r"|<[a-z][\w:-]{0,40}\s[^<>=]{0,200}=[^<>]{0,2000}>",
    re.IGNORECASE,
)
_HTML = frozenset({"text/html", "application/xhtml+xml", "html", "xhtml", ""})
_UNREAD = frozenset({"script", "style", "head", "title", "template", "iframe", "object"})

# Elements inside a line: no blank stands for their borders, as in <b>un</b>likely.
_INSIDE = frozenset({
    "a", "abbr", "acronym", "b", "bdi", "bdo", "big", "cite", "code", "data", "del", "dfn", "em", "font",
    "i", "ins", "kbd", "mark", "q", "s", "samp", "small", "span", "strike", "strong", "sub", "sup",
    "time", "tt", "u", "var", "wbr",
})  # fmt: skip


def plain(text: str, kind: str = "text/html") -> str:
    """The text without markup, entities as their letters, each run of blanks as one."""
    if kind in _HTML and ("<" in text or "&" in text):
        text = _read(text) if "<" in text else unescape(text)
    return " ".join(text.split())


def without_tags(text: str) -> str:
    """Plain text without what would work as markup: scripts, pairs of tags, tags with attributes.

    A title may speak of `<dialog>`: a tag that stands alone is kept, unless it is one that loads something.
    """
    if "<" not in text:
        return text
    text = _WORKING.sub(" ", _LOADING.sub(" ", text))
    ended = {name.lower() for name in _ENDING.findall(text)}
    return " ".join(_ANY.sub(lambda tag: "" if tag[1].lower() in ended else tag[0], text).split())


def shortened(text: str, longest: int) -> str:
    """At most so many characters, cut between words."""
    if len(text) <= longest:
        return text
    return f"{text[: longest - 1].rsplit(' ', 1)[0][: longest - 2]} …"


def _read(text: str) -> str:
    from lxml import etree

    parser = etree.HTMLParser(remove_comments=True, remove_pis=True, huge_tree=True, encoding="utf-8")
    try:
        # As bytes: text that declares an encoding of its own is refused. The element holds what has no tags around it.
        root = etree.fromstring(f"<div>{text}</div>".replace("\0", " ").encode("utf-8", "replace"), parser)
    except (etree.XMLSyntaxError, ValueError):
        root = None
    # What lies too deep (2,048 elements) ends the tree without an error.
    if root is None or parser.error_log.filter_from_fatals():
        return unescape(_TAG.sub(" ", text))
    return "".join(_pieces(root))


def _pieces(root: Any) -> list[str]:
    """The texts of a tree in order, with blanks where elements stand on lines of their own."""
    from lxml import etree

    found: list[str] = []
    walk = etree.iterwalk(root, events=("start", "end"))
    for event, node in walk:
        if node.tag not in _INSIDE:
            found.append(" ")
        if event == "start":
            if node.tag in _UNREAD:
                walk.skip_subtree()
            elif node.text:
                found.append(node.text)
        elif node.tail:
            found.append(node.tail)
    return found
