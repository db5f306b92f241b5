"""arXiv entries as records of kind `paper`: one for each paper, whatever its version."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime, time
from typing import Any

from stoma.normalizers.base import BaseNormalizer
from stoma.records import CollectorResult, Record, Reject

# 0704.0001 to 1412.9999, 1501.00001 and later, and before 2007 quant-ph/0201082 or math.GT/0309136.
# The part after the dot is not needed to tell papers apart.
_FORM = r"(?:(\d{4}\.\d{4,5})|([a-z-]+)(?:\.[A-Z]{2})?/(\d{7}))"
_ID = re.compile(rf"/abs/{_FORM}(?:v(\d+))?/?$", re.ASCII)
_BARE_ID = re.compile(_FORM, re.ASCII)
_INSECURE = re.compile(r"^http://(?=(?:\w+\.)?arxiv\.org/)")


# What only OAI-PMH tells, and what its answers lack beside the number of the version.
_ONE_SIDED = ("license", "report_no", "affiliations")
_OF_VERSION = ("version", "pdf_url")


class ArxivNormalizer(BaseNormalizer):
    """Papers by their id without version; the version is an attribute.

    The query API tells moments and the number of the version, OAI-PMH days, licence and report number; all else they
    tell alike, and `merged` lets both describe one paper without changing it back and forth.
    """

    def normalize_item(self, item: Mapping[str, Any], result: CollectorResult) -> Record | Reject:
        """One entry as a record; rejected when it has no usable id or an unreadable date."""
        if "datestamp" in item or "identifier" in item:
            return _of_oai(item, result)
        raw_id = item.get("id", "").strip()
        match = _ID.search(raw_id)
        if match is None:
            return Reject(f"no arXiv id in {raw_id!r}" if raw_id else "the entry has no id", item)
        external_id, version = _external_id(match), match[4]
        primary = item.get("primary_category", "")
        suffix = f"v{version}" if version else ""
        pdf = item.get("pdf") or f"https://arxiv.org/pdf/{external_id}{suffix}"
        return _paper(
            item,
            result,
            external_id,
            (primary, *item["categories"]),
            _instant(item.get("published")),
            _instant(item.get("updated")),
            {
                "version": int(version) if version else None,
                "primary_category": primary,
                "doi": _text(item.get("doi", "")) or _doi(item.get("doi_link", "")),
                # Answers of different years differ in the scheme only; that is no new version of a paper.
                "pdf_url": _INSECURE.sub("https://", pdf.strip()),
            },
        )

    def merged(self, found: Record, stored: Record | None) -> Record | None:
        """`found` with what its side cannot know taken from what is stored; None for a deletion of what is not."""
        if found.attributes.get("deleted"):
            gone = {"deleted": True}
            return replace(stored, attributes={**stored.attributes, **gone}) if stored else None
        if stored is None:
            return found
        attributes = dict(found.attributes)
        updated = _finer(found.updated_at, stored.updated_at)
        is_of_version = "version" not in attributes and updated == stored.updated_at
        kept = (*_ONE_SIDED, *_OF_VERSION) if is_of_version else _ONE_SIDED
        attributes |= {name: stored.attributes[name] for name in kept if name in stored.attributes}
        # The order of cross-lists means nothing, and the two sides need not agree on it.
        is_same = found.tags[:1] == stored.tags[:1] and set(found.tags) == set(stored.tags)
        return replace(
            found,
            tags=stored.tags if is_same else found.tags,
            published_at=_finer(found.published_at, stored.published_at),
            updated_at=updated,
            attributes=attributes,
        )


def _of_oai(item: Mapping[str, Any], result: CollectorResult) -> Record | Reject:
    """A record of OAI-PMH in its format `arXiv`; of a deleted one only the id is left."""
    raw_id = item.get("id", "").strip() or item.get("identifier", "").removeprefix("oai:arXiv.org:")
    match = _BARE_ID.fullmatch(raw_id)
    if match is None:
        return Reject(f"no arXiv id in {raw_id!r}" if raw_id else "the record has no id", item)
    external_id = _external_id(match)
    url = f"https://arxiv.org/abs/{external_id}"
    if item.get("deleted"):
        return Record(result.source, external_id, "paper", url=url, attributes={"deleted": True})
    if "id" not in item:
        return Reject("the record has no metadata in the format arXiv", item, external_id)
    categories = item.get("categories", "").split()
    created = _instant(item.get("created"))
    return _paper(
        item,
        result,
        external_id,
        # As the query API mixes them.
        (*categories, _text(item.get("acm_class", "")), _text(item.get("msc_class", ""))),
        created,
        _instant(item.get("updated")) or created,
        {
            "primary_category": categories[0] if categories else "",
            "doi": _text(item.get("doi", "")),
            "pdf_url": f"https://arxiv.org/pdf/{external_id}",
            "license": _text(item.get("license", "")),
            "report_no": _text(item.get("report_no", "")),
        },
    )


def _paper(
    item: Mapping[str, Any],
    result: CollectorResult,
    external_id: str,
    tags: tuple[str, ...],
    published: datetime | None,
    updated: datetime | None,
    attributes: dict[str, Any],
) -> Record:
    """What both sides tell alike."""
    attributes["comment"] = _text(item.get("comment", ""))
    attributes["journal_ref"] = _text(item.get("journal_ref", ""))
    if "affiliations" in item:
        attributes["affiliations"] = {
            _text(name): [_text(place) for place in places] for name, places in item["affiliations"].items()
        }
    return Record(
        source=result.source,
        external_id=external_id,
        kind="paper",
        title=_text(item.get("title", "")),
        summary=_text(item.get("summary", "")),
        url=f"https://arxiv.org/abs/{external_id}",
        authors=tuple([name for name in map(_text, item["authors"]) if name]),
        tags=tuple(dict.fromkeys([tag for tag in tags if tag])),
        published_at=published,
        updated_at=updated,
        attributes={name: value for name, value in attributes.items() if value},
    )


def _external_id(match: re.Match[str]) -> str:
    return match[1] or f"{match[2]}/{match[3]}"


def _finer(found: datetime | None, stored: datetime | None) -> datetime | None:
    """What is stored, where `found` is only the day of it."""
    if found is None or stored is None:
        return found or stored
    is_day = found.time() == time() and found.date() == stored.date()
    return stored if is_day else found


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
