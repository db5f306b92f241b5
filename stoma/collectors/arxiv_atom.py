"""An Atom answer of arXiv's query API as plain dictionaries of raw text, whichever generation it is of.

The order of elements and the place of namespace declarations differ between the generations; neither matters here.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any

from stoma.collectors.arxiv_xml import read_xml
from stoma.errors import BadAnswer, SourceRefused

if TYPE_CHECKING:
    from stoma.collectors.http import Response

ATOM = "{http://www.w3.org/2005/Atom}"
ARXIV = "{http://arxiv.org/schemas/atom}"

# Spelled out once: each is compared with every element of every paper.
FEED, ENTRY = ATOM + "feed", ATOM + "entry"
TOTAL = "{http://a9.com/-/spec/opensearch/1.1/}totalResults"
AUTHOR, NAME, AFFILIATION = ATOM + "author", ATOM + "name", ARXIV + "affiliation"
CATEGORY, PRIMARY, LINK = ATOM + "category", ARXIV + "primary_category", ATOM + "link"
TEXTS = {
    ATOM + "id": "id",
    ATOM + "title": "title",
    ATOM + "summary": "summary",
    ATOM + "published": "published",
    ATOM + "updated": "updated",
    ARXIV + "comment": "comment",
    ARXIV + "journal_ref": "journal_ref",
    ARXIV + "doi": "doi",
}


@dataclass(frozen=True, slots=True)
class Page:
    """One answer: its entries as dictionaries of raw text, and how many the whole query has."""

    items: list[dict[str, Any]]
    total: int
    url: str
    fetched_at: datetime


def read_page(response: Response) -> Page:
    """An Atom answer as a page; raises BadAnswer when it is none, SourceRefused when it carries an error."""
    root = read_xml(response)
    total = None
    items = []
    for child in root:
        if child.tag == ENTRY:
            items.append(_item(child))
        elif child.tag == TOTAL:
            total = (child.text or "").strip()
    if root.tag != FEED or total is None or not total.isdecimal():
        raise BadAnswer(f"{response.shown} is not an answer of arXiv's API; it begins {response.opening!r}")
    for item in items:
        if "/api/errors" in item.get("id", ""):
            raise SourceRefused(f"{response.shown} answers: {_one_line(item)}")
    return Page(items, int(total), response.shown, response.fetched_at)


def _item(entry: Any) -> dict[str, Any]:
    """An entry as raw text by name; this runs once for every paper, so it looks at each element once."""
    authors: list[str] = []
    categories: list[str] = []
    item: dict[str, Any] = {"authors": authors, "categories": categories}
    for child in entry:
        tag = child.tag
        if tag in TEXTS:
            item[TEXTS[tag]] = child.text or ""
        elif tag == AUTHOR:
            _author(child, authors, item)
        elif tag == CATEGORY:
            categories.append(child.get("term", ""))
        elif tag == LINK:
            # The title of the pdf link was missing for a while in 2025; its type was not.
            if child.get("title") == "pdf" or child.get("type") == "application/pdf":
                item["pdf"] = child.get("href", "")
            elif child.get("title") == "doi":
                item["doi_link"] = child.get("href", "")
        elif tag == PRIMARY:
            item["primary_category"] = child.get("term", "")
    return item


def _author(author: Any, authors: list[str], item: dict[str, Any]) -> None:
    places = []
    name = ""
    for child in author:
        if child.tag == NAME:
            name = child.text or ""
        elif child.tag == AFFILIATION and child.text:
            places.append(child.text)
    authors.append(name)
    if places:
        item.setdefault("affiliations", {}).setdefault(name, []).extend(places)


def reason(response: Response) -> str:
    """Why arXiv refuses, in its own words."""
    for entry in read_xml(response).iter(ENTRY):
        return _one_line(_item(entry))
    return ""


def _one_line(item: Mapping[str, Any]) -> str:
    return " ".join(item.get("summary", "").split())[:300] or "an error without a reason"
