"""Entries of feeds as records of kind `entry`: plain text for title and summary, the content itself where it is wanted.

Content stays as the feed wrote it: whoever shows it has to clean its markup first.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from stoma.instants import read
from stoma.normalizers.base import BaseNormalizer
from stoma.normalizers.feed_html import plain, shortened, without_tags
from stoma.records import CollectorResult, Record, Reject

LONGEST_TITLE = 500
"""Characters."""

LONGEST_SUMMARY = 2_000
"""Characters: many feeds send whole articles as their summary."""

EARLIEST = 1900
"""A year before it is no date but the zero of some program."""

_AS_THEY_ARE = ("enclosures", "comments", "original_link", "extra")
_NAMES = {"comments": "comments_url", "original_link": "original_url"}


class FeedNormalizer(BaseNormalizer):
    """Entries by the key that the collector found; `kind` and `full_content` come from the config."""

    def __init__(self, kind: str = "entry", full_content: bool = False) -> None:
        self.kind = kind
        self.full_content = full_content

    def prepared(self, config: Mapping[str, Any]) -> FeedNormalizer:
        """The normalizer for a task: how its records are called, and whether they carry the content."""
        return FeedNormalizer(config.get("kind") or "entry", bool(config.get("full_content")))

    def normalize_item(self, item: Mapping[str, Any], result: CollectorResult) -> Record | Reject:
        """One entry as a record; rejected when nothing tells it from others."""
        key = item.get("key")
        if not key:
            if "unreadable" in item:
                return Reject("it is no entry but plain JSON", item["unreadable"])
            return Reject("the entry has no id, link, title or text to be told by", item)
        published, updated = instant(item.get("published", "")), instant(item.get("updated", ""))
        attributes = {_NAMES.get(name, name): item[name] for name in _AS_THEY_ARE if name in item}
        if published is None and "published" in item:
            attributes["published_raw"] = item["published"]
        if updated is None and "updated" in item:
            attributes["updated_raw"] = item["updated"]
        if item.get("id", key) != key:
            attributes["guid"] = item["id"]
        if self.full_content and (content := _content(item)):
            attributes["content"], attributes["content_type"] = content
        return Record(
            source=result.source,
            external_id=key,
            kind=self.kind,
            title=shortened(
                without_tags(plain(item.get("title", ""), item.get("title_type", ""))), LONGEST_TITLE
            ),
            summary=_summary(item),
            url=item.get("link", ""),
            authors=tuple(dict.fromkeys(plain(name, "text/plain") for name in item.get("authors", ()))),
            tags=tuple(
                dict.fromkeys(tag for one in item.get("tags", ()) if (tag := plain(one, "text/plain")))
            ),
            published_at=published,
            updated_at=updated,
            attributes=attributes,
            measures=item.get("measures", {}),
        )


def instant(text: str) -> datetime | None:
    """The instant that an entry names, aware UTC; None when it names none."""
    found = read(text)
    return found if found is not None and found.year >= EARLIEST else None


def _summary(item: Mapping[str, Any]) -> str:
    """What the entry says of itself, else the beginning of its content."""
    summary = plain(item.get("summary", ""), item.get("summary_type", ""))
    summary = summary or plain(item.get("content", ""), item.get("content_type", ""))
    return shortened(summary, LONGEST_SUMMARY)


def _content(item: Mapping[str, Any]) -> tuple[str, str] | None:
    """The content and its type; where an entry has only a summary, that is its content."""
    for name in ("content", "summary"):
        if item.get(name):
            return item[name], item.get(f"{name}_type", "text/html")
    return None
