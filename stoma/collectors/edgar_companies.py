"""EDGAR's lists by company: the filings of one CIK (submissions JSON), and which CIK a ticker stands for.

A list says nothing about the other parties of a filing. The zone of its acceptance times is not certain: for some
filers they are Eastern time with a `Z`; so they stay text.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from difflib import get_close_matches
from typing import TYPE_CHECKING, Any

from stoma.collectors.answers import json_of
from stoma.errors import BadAnswer, SourceRefused

if TYPE_CHECKING:
    from stoma.collectors.http import Response

TICKERS_PATH = "/files/company_tickers.json"

# EDGAR's name for a column, and ours.
COLUMNS = {
    "accessionNumber": "accession",
    "filingDate": "filed",
    "form": "form",
    "reportDate": "report_date",
    "acceptanceDateTime": "acceptance_text",
    "items": "items",
    "primaryDocument": "primary_document",
    "primaryDocDescription": "description",
}
NEEDED = ("accessionNumber", "filingDate", "form")


@dataclass(frozen=True, slots=True)
class Company:
    """One CIK: its name, its newest filings, and the files that hold older ones as (path, last day in it)."""

    cik: str
    name: str
    recent: list[dict[str, Any]]
    older: list[tuple[str, str]]
    url: str
    fetched_at: datetime


def company_path(cik: str) -> str:
    """Where the list of a CIK lies."""
    return f"/submissions/CIK{cik}.json"


def read_company(response: Response, cik: str) -> Company:
    """The list of one CIK; raises BadAnswer when the answer is none."""
    document = _json(response)
    filings = document.get("filings")
    if not isinstance(filings, dict) or not isinstance(filings.get("recent"), dict):
        raise BadAnswer(f"{response.shown} is no list of filings; it begins {response.opening!r}")
    name = " ".join(str(document.get("name") or "").split())
    older = [
        (f"/submissions/{one['name']}", str(one.get("filingTo") or "9999"))
        for one in filings.get("files") or ()
        if isinstance(one, dict) and isinstance(one.get("name"), str) and "/" not in one["name"]
    ]
    recent = _filings(response, filings["recent"], cik, name)
    return Company(cik, name, recent, older, response.shown, response.fetched_at)


def read_older(response: Response, cik: str, name: str) -> list[dict[str, Any]]:
    """A file of older filings, which is a bare table."""
    return _filings(response, _json(response), cik, name)


def read_tickers(response: Response) -> dict[str, str]:
    """Every ticker with its CIK of ten digits."""
    try:
        found = {str(one["ticker"]).upper(): f"{int(one['cik_str']):010}" for one in _json(response).values()}
    except (KeyError, TypeError, ValueError):
        found = {}
    if not found:
        raise BadAnswer(f"{response.shown} is no list of tickers; it begins {response.opening!r}")
    return found


def ciks_of(tickers: Iterable[str], known: Mapping[str, str]) -> list[str]:
    """The CIKs behind tickers; raises SourceRefused naming one that EDGAR does not know."""
    found = []
    for ticker in tickers:
        # EDGAR writes BRK-B what others write BRK.B or BRK/B.
        spelled = ticker.strip().upper().replace(".", "-").replace("/", "-")
        if spelled not in known:
            near = get_close_matches(spelled, known, 1, 0.5)
            hint = f"did you mean {near[0]}? " if near else ""
            raise SourceRefused(
                f"EDGAR knows no ticker {ticker!r}", f"{hint}a company can be named in ciks too"
            )
        found.append(known[spelled])
    return found


def _json(response: Response) -> dict[str, Any]:
    document = json_of(response)
    if not isinstance(document, dict):
        raise BadAnswer(f"{response.shown} is not what EDGAR answers; it begins {response.opening!r}")
    return document


def _filings(response: Response, table: Mapping[str, Any], cik: str, name: str) -> list[dict[str, Any]]:
    """A table of parallel columns as items, in the order of filing date and accession."""
    columns = {ours: table[theirs] for theirs, ours in COLUMNS.items() if isinstance(table.get(theirs), list)}
    lengths = {len(column) for column in columns.values()}
    if any(COLUMNS[name] not in columns for name in NEEDED) or len(lengths) != 1:
        raise BadAnswer(f"{response.shown} has columns that are missing or of different lengths")
    rows = zip(*columns.values(), strict=True)
    items = [dict(zip(columns, row, strict=True)) | {"ciks": [cik], "names": [name]} for row in rows]
    for item in items:
        item.update({ours: str(item[ours] or "") for ours in map(COLUMNS.__getitem__, NEEDED)})
    items.sort(key=place_of)
    return items


def newest_day(item: Mapping[str, Any]) -> str:
    """The day of filing or of acceptance, whichever is later: what was held back comes with a date long past."""
    return max(str(item["filed"]), str(item.get("acceptance_text") or "")[:10])


def place_of(item: Mapping[str, Any]) -> tuple[str, str]:
    """Where a filing stands in the order in which a list is collected."""
    return (str(item["filed"]), str(item["accession"]))
