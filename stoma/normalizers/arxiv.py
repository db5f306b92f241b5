"""arXiv entries as records of kind `paper`: one for each paper, whatever its version."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from stoma.normalizers.base import BaseNormalizer
from stoma.records import CollectorResult, Record, Reject

# 0704.0001 to 1412.9999, 1501.00001 and later, and before 2007 quant-ph/0201082 or math.GT/0309136.
_ID = re.compile(r"/abs/((?:\d{4}\.\d{4,5})|(?:[a-z-]+)(?:\.[A-Z]{2})?/\d{7})(?:v(\d+))?/?$", re.ASCII)


class ArxivNormalizer(BaseNormalizer):
    """Papers by their id without version; the version is an attribute."""

    def normalize_item(self, item: Mapping[str, Any], result: CollectorResult) -> Record | Reject:
        """One entry as a record; rejected when it has no usable id or an unreadable date."""
        raw_id = item.get("id", "").strip()
        match = _ID.search(raw_id)
        if match is None:
            return Reject(f"no arXiv id in {raw_id!r}" if raw_id else "the entry has no id", item)
        external_id, version = match.groups()
        if "/" in external_id:  # the part after the dot is not needed to tell papers apart
            archive, _, number = external_id.partition("/")
            external_id = f"{archive.partition('.')[0]}/{number}"
        primary = item.get("primary_category", "")
        return Record(
            source=result.source,
            external_id=external_id,
            kind="paper",
            title=_text(item.get("title", "")),
            summary=_text(item.get("summary", "")),
            url=f"https://arxiv.org/abs/{external_id}",
            authors=tuple([name for name in map(_text, item["authors"]) if name]),
            tags=tuple(dict.fromkeys([term for term in (primary, *item["categories"]) if term])),
            published_at=_instant(item.get("published")),
            updated_at=_instant(item.get("updated")),
            attributes=_attributes(item, external_id, version, primary),
        )


def _attributes(
    item: Mapping[str, Any], external_id: str, version: str | None, primary: str
) -> dict[str, Any]:
    suffix = f"v{version}" if version else ""
    pdf = item.get("pdf") or f"https://arxiv.org/pdf/{external_id}{suffix}"
    found: dict[str, Any] = {
        "version": int(version) if version else None,
        "primary_category": primary,
        "comment": _text(item.get("comment", "")),
        "journal_ref": _text(item.get("journal_ref", "")),
        "doi": _text(item.get("doi", "")) or _doi(item.get("doi_link", "")),
        # Answers of different years differ in the scheme only; that is no new version of a paper.
        "pdf_url": re.sub(r"^http://(?=(?:\w+\.)?arxiv\.org/)", "https://", pdf.strip()),
    }
    if "affiliations" in item:
        found["affiliations"] = {
            _text(name): [_text(place) for place in places] for name, places in item["affiliations"].items()
        }
    return {name: value for name, value in found.items() if value}


def _text(raw: str) -> str:
    """The text with its whitespace collapsed; LaTeX and every other character stay."""
    # Three plain replacements are several times quicker than one regular expression, and most texts need none.
    text = raw.replace("\n", " ").replace("\t", " ").replace("\r", " ")
    while "  " in text:
        text = text.replace("  ", " ")
    return text.strip(" ")


def _instant(text: str | None) -> datetime | None:
    if not text:
        return None
    try:
        instant = datetime.fromisoformat(text.strip())
    except ValueError:
        raise ValueError(f"{text!r} is not a date") from None
    return instant.replace(tzinfo=UTC) if instant.tzinfo is None else instant.astimezone(UTC)


def _doi(link: str) -> str:
    return re.sub(r"^https?://(dx\.)?doi\.org/", "", link.strip())
