"""JSON Feed, versions 1 and 1.1, as the same raw items as any other feed. Specification: https://jsonfeed.org"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any

from stoma.collectors.feed_entries import Item, plain_link, tidied
from stoma.errors import BadAnswer

_ITEMS = re.compile(r'"items"\s*:\s*\[')
_SIGN = re.compile(r"jsonfeed\.org|\"(?:feed_url|home_page_url|content_html|content_text)\"")
_BETWEEN = re.compile(r"[\s,]*")


def read_json(text: str, address: str, base: str) -> tuple[list[Item], str]:
    """The items, and what is wrong when the document was cut off; raises BadAnswer when it is no JSON Feed."""
    fault = ""
    try:
        given = json.loads(text)
    except (ValueError, RecursionError) as error:
        # The version may have stood in the part that is missing; other names tell a feed from other JSON too.
        saved = _saved(text) if _SIGN.search(text) else []
        if not saved:
            raise BadAnswer(f"{address} is not JSON ({error})") from None
        given = {"items": saved}
        fault = f"{address} is cut off or broken JSON behind its first {len(saved)} entries ({error})"
    if not isinstance(given, Mapping) or not isinstance(given.get("items"), list):
        given = {}
    if not fault and not (given and "jsonfeed.org" in str(given.get("version"))):
        raise BadAnswer(
            f"{address} is JSON, but no JSON Feed: it has no version of jsonfeed.org and a list of items",
            "collect other JSON with the collector http_json",
        )
    usual = _authors(given)
    return [_item(item, base, usual) for item in given["items"]], fault


def _saved(text: str) -> list[Any]:
    """The items of a broken document that are whole."""
    found: list[Any] = []
    start = _ITEMS.search(text)
    if start is None:
        return found
    read, at = json.JSONDecoder(), start.end()
    while True:
        at = _BETWEEN.match(text, at).end()  # type: ignore[union-attr]
        if not text.startswith("{", at):
            return found
        try:
            item, at = read.raw_decode(text, at)
        except (ValueError, RecursionError):
            return found
        found.append(item)


def _item(item: Any, base: str, usual: list[str]) -> Item:
    if not isinstance(item, Mapping):
        return {"unreadable": item}

    def text(name: str) -> str:
        value = item.get(name)
        # Ids are texts by the specification, and numbers in some feeds (1.1, items).
        is_number = isinstance(value, int | float) and not isinstance(value, bool)
        return str(value) if is_number else value.strip() if isinstance(value, str) else ""

    def link(name: str) -> str:
        return plain_link(text(name), base)

    html = text("content_html")
    tags = item.get("tags")
    return tidied(
        {
            "id": text("id"),
            "link": link("url") or link("external_url"),
            "title": text("title"),
            "title_type": "text/plain",
            "summary": text("summary"),
            "summary_type": "text/plain",
            "content": html or text("content_text"),
            "content_type": "text/html" if html else "text/plain",
            "authors": _authors(item) or usual,
            "tags": [tag for tag in tags if isinstance(tag, str)] if isinstance(tags, list) else [],
            "published": text("date_published"),
            "updated": text("date_modified"),
            "enclosures": _attachments(item.get("attachments"), base),
            "original_link": link("external_url") if text("url") else "",
            "extra": tidied({"image": link("image"), "language": text("language")}),
        }
    )


def _authors(of: Mapping[str, Any]) -> list[str]:
    """`authors` of version 1.1, `author` of version 1."""
    given = of.get("authors")
    people = given if isinstance(given, list) else [of.get("author")]
    names = [person.get("name") for person in people if isinstance(person, Mapping)]
    return [name.strip() for name in names if isinstance(name, str) and name.strip()]


def _attachments(given: Any, base: str) -> list[dict[str, Any]]:
    found = []
    for one in given if isinstance(given, list) else ():
        if isinstance(one, Mapping) and isinstance(one.get("url"), str):
            size = one.get("size_in_bytes")
            kind = one.get("mime_type")
            found.append(
                tidied(
                    {
                        "url": plain_link(one["url"], base),
                        "type": kind if isinstance(kind, str) else "",
                        "length": size if isinstance(size, int) else 0,
                    }
                )
            )
    return [one for one in found if one.get("url")]
