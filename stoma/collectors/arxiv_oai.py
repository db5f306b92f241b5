"""An answer of arXiv's OAI-PMH interface as plain dictionaries of raw text, named like those of an Atom entry.

Standard: https://www.openarchives.org/OAI/openarchivesprotocol.html; arXiv's own: https://info.arxiv.org/help/oa/
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any

from stoma.collectors.arxiv_xml import read_xml
from stoma.errors import BadAnswer, SourceRefused

if TYPE_CHECKING:
    from stoma.collectors.http import Response

OAI = "{http://www.openarchives.org/OAI/2.0/}"
ARXIV = "{http://arxiv.org/OAI/arXiv/}"

HEADER, METADATA, IDENTIFIER = OAI + "header", OAI + "metadata", OAI + "identifier"
DATESTAMP, SET, TOKEN = OAI + "datestamp", OAI + "setSpec", OAI + "resumptionToken"
PAPER, AUTHORS = ARXIV + "arXiv", ARXIV + "authors"
KEYNAME, FORENAMES, SUFFIX = ARXIV + "keyname", ARXIV + "forenames", ARXIV + "suffix"
AFFILIATION = ARXIV + "affiliation"
TEXTS = {
    ARXIV + "id": "id",
    ARXIV + "created": "created",
    ARXIV + "updated": "updated",
    ARXIV + "title": "title",
    ARXIV + "abstract": "summary",
    ARXIV + "categories": "categories",
    ARXIV + "comments": "comment",
    ARXIV + "journal-ref": "journal_ref",
    ARXIV + "doi": "doi",
    ARXIV + "msc-class": "msc_class",
    ARXIV + "acm-class": "acm_class",
    ARXIV + "report-no": "report_no",
    ARXIV + "license": "license",
}
_DAY = re.compile(r"\d{4}-\d\d-\d\d")


@dataclass(frozen=True, slots=True)
class Listing:
    """One page of a list. `token` leads to the next one; None: this is the last.

    `is_expired` says that the token that was asked with is not accepted any more; then there is nothing else in it.
    `responded` is the day of the server's own clock; `total` is told by some servers only.
    """

    items: list[dict[str, Any]]
    token: str | None
    total: int | None
    responded: str
    url: str
    fetched_at: datetime
    is_expired: bool = False
    # True when nothing matches what was asked for.
    is_nothing: bool = False


def read_listing(response: Response) -> Listing:
    """An answer to ListRecords or ListIdentifiers; nothing that matches is an empty page.

    Raises BadAnswer when it is no such answer, SourceRefused when it carries any other error of the protocol.
    """
    root = read_xml(response)
    responded = (root.findtext(OAI + "responseDate") or "").strip()[:10]
    if root.tag != OAI + "OAI-PMH" or not _DAY.fullmatch(responded):
        raise BadAnswer(f"{response.shown} is not an answer of OAI-PMH; it begins {response.opening!r}")
    faults = [(error.get("code", ""), _one_line(error.text)) for error in root.iterchildren(OAI + "error")]
    codes = {code for code, _ in faults}
    is_expired = "badResumptionToken" in codes
    if codes - {"noRecordsMatch", "badResumptionToken"}:
        told = "; ".join(f"{code}: {text}" if text else code for code, text in faults)
        raise SourceRefused(f"{response.shown} answers {told}")
    items: list[dict[str, Any]] = []
    token, total = None, None
    for listing in root.iterchildren(OAI + "ListRecords", OAI + "ListIdentifiers"):
        for child in listing:
            if child.tag == TOKEN:
                token = (child.text or "").strip() or None
                size = child.get("completeListSize", "")
                total = int(size) if size.isdecimal() else None
            else:
                items.append(_record(child))
        break
    else:
        if not faults:
            raise BadAnswer(
                f"{response.shown} is an answer of OAI-PMH without a list; it begins {response.opening!r}"
            )
    return Listing(
        items,
        token,
        total,
        responded,
        response.shown,
        response.fetched_at,
        is_expired,
        "noRecordsMatch" in codes,
    )


def reason(response: Response) -> str:
    """Why arXiv refuses, where it says so in the protocol's own form."""
    errors = read_xml(response).iterchildren(OAI + "error")
    return "; ".join(f"{error.get('code', '')}: {_one_line(error.text)}" for error in errors)


def _record(record: Any) -> dict[str, Any]:
    """A record as raw text by name; this runs once for every paper, so it looks at each element once."""
    authors: list[str] = []
    item: dict[str, Any] = {"authors": authors}
    for part in (record,) if record.tag == HEADER else record:
        if part.tag == HEADER:
            if part.get("status") == "deleted":
                item["deleted"] = True
            for child in part:
                if child.tag == DATESTAMP:
                    item["datestamp"] = (child.text or "").strip()
                elif child.tag == IDENTIFIER:
                    item["identifier"] = (child.text or "").strip()
        elif part.tag == METADATA and len(part) and part[0].tag == PAPER:
            for child in part[0]:
                tag = child.tag
                if tag in TEXTS:
                    item[TEXTS[tag]] = child.text or ""
                elif tag == AUTHORS:
                    for author in child:
                        _author(author, authors, item)
    return item


def _author(author: Any, authors: list[str], item: dict[str, Any]) -> None:
    fore = key = suffix = ""
    places: list[str] = []
    for child in author:
        tag = child.tag
        if tag == KEYNAME:
            key = child.text or ""
        elif tag == FORENAMES:
            fore = child.text or ""
        elif tag == SUFFIX:
            suffix = child.text or ""
        elif tag == AFFILIATION and child.text:
            places.append(child.text)
    name = f"{fore} {key} {suffix}" if suffix else f"{fore} {key}" if fore else key
    authors.append(name)
    if places:
        item.setdefault("affiliations", {}).setdefault(name, []).extend(places)


def _one_line(text: str | None) -> str:
    return " ".join((text or "").split())[:300]
