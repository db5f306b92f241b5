"""EDGAR's filings as records of kind `filing`, one for each accession; lines of insider forms as `transaction`.

A filing day is a day in New York: `published_at` is its first instant, `filing_date` the day itself. The time of
acceptance is a measure (`accepted_at`, seconds since the epoch), because an index does not know it, and what only a
list by company tells is a second record of kind `filing_details` with the id `details:ACCESSION`: so a filing is the
same record whichever way it came. The view `filings` joins them.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from datetime import UTC, date, datetime, time
from typing import Any
from zoneinfo import ZoneInfo

from stoma.normalizers.base import BaseNormalizer
from stoma.records import CollectorResult, Record, Reject

NEW_YORK = ZoneInfo("America/New_York")
ARCHIVES = "https://www.sec.gov/Archives/edgar/data"

_ACCESSION = re.compile(r"\d{10}-\d\d-\d{6}", re.ASCII)
_NUMBER = re.compile(r"-?(?:\d+(?:\.\d*)?|\.\d+)", re.ASCII)
_DAY = re.compile(r"(\d{4})-?(\d\d)-?(\d\d)", re.ASCII)
# Schema dates may carry a zone, which says nothing about a day: 2025-01-10-05:00.
_SCHEMA_DAY = re.compile(r"(\d{4}-\d\d-\d\d)(?:Z|[+-]\d\d:\d\d)?", re.ASCII)

NUMBERS = frozenset(
    {"shares", "total_value", "price", "shares_after", "value_after", "conversion_price", "underlying_shares",
     "underlying_value"}
)  # fmt: skip
DAYS = frozenset({"date", "deemed_date", "exercise_date", "expiration_date"})


class SecEdgarNormalizer(BaseNormalizer):
    """Filings by their accession number, lines of insider forms by accession, table and place."""

    may_give_nothing = True

    def normalize(self, result: CollectorResult) -> Iterator[Record | Reject]:
        """The records of a page; an item seen again gives none."""
        for item in result.items:
            if item.get("again"):
                continue
            try:
                filing = _filing(item, result.source)
            except (KeyError, TypeError, ValueError) as error:
                yield Reject(str(error), item, str(item.get("accession", "")))
                continue
            yield filing
            if details := _details(item, filing):
                yield details
            yield from self._transactions(item, filing)

    def _transactions(self, item: Mapping[str, Any], filing: Record) -> Iterator[Record | Reject]:
        accession = item["accession"]
        if fault := item.get("insider_fault"):
            yield Reject(f"the form {accession} cannot be read: {fault}", dict(item), accession)
        form = item.get("insider")
        if not form:
            return
        places = {"non_derivative": 0, "derivative": 0}
        for line in form["lines"]:
            places[line["table"]] += 1
            external_id = f"{accession}/{line['table']}/{places[line['table']]}"
            try:
                yield _transaction(external_id, line, form, filing)
            except ValueError as error:
                yield Reject(str(error), dict(line), external_id)


def _filing(item: Mapping[str, Any], source: str) -> Record:
    accession = str(item.get("accession", ""))
    if fault := item.get("fault"):
        raise ValueError(fault)
    if not _ACCESSION.fullmatch(accession):
        raise ValueError(f"{accession[:100]!r} is not an accession number")
    if not item["form"] or not item["ciks"]:
        raise ValueError(f"the filing {accession} has no form or no filer")
    filed = _filing_day(item["filed"])
    # The header of its text file names every party, a list by company only that company.
    named = dict(zip(item["ciks"], item["names"], strict=True)) | (item.get("insider") or {}).get(
        "parties", {}
    )
    # Whichever way a filing came, its parties stand in one order.
    parties = sorted(named.items())
    names = tuple(name for _, name in parties if name)
    accepted = _accepted(item)
    return Record(
        source=source,
        external_id=accession,
        kind="filing",
        title=f"{item['form']}: {'; '.join(names)}" if names else str(item["form"]),
        url=f"{ARCHIVES}/{int(parties[0][0])}/{accession.replace('-', '')}/{accession}-index.htm",
        authors=names,
        tags=(item["form"],),
        published_at=datetime.combine(filed, time(), NEW_YORK).astimezone(UTC),
        attributes={
            "form": item["form"],
            "filing_date": filed.isoformat(),
            "ciks": [cik for cik, _ in parties],
        },
        measures={"accepted_at": accepted.timestamp()} if accepted else {},
    )


def _details(item: Mapping[str, Any], filing: Record) -> Record | None:
    """What only a list by company tells of a filing."""
    primary = item.get("primary_document")
    found = {
        "report_date": item.get("report_date"),
        "items": [part.strip() for part in str(item.get("items") or "").split(",") if part.strip()],
        "description": item.get("description"),
        "primary_document": f"{filing.url.rpartition('/')[0]}/{primary}" if primary else None,
        # As it is written there: for some filers it is Eastern time in spite of its Z.
        "acceptance_text": item.get("acceptance_text"),
    }
    known = {name: value for name, value in found.items() if value}
    if not known:
        return None
    return Record(
        source=filing.source,
        external_id=f"details:{filing.external_id}",
        kind="filing_details",
        title=filing.title,
        url=filing.url,
        published_at=filing.published_at,
        attributes=known,
    )


def _transaction(
    external_id: str, line: Mapping[str, Any], form: Mapping[str, Any], filing: Record
) -> Record:
    given = {name: value for name, value in line.items() if name not in ("table", "line", "notes")}
    values: dict[str, Any] = {
        name: _number(name, value) if name in NUMBERS else _day(name, value) if name in DAYS else value
        for name, value in given.items()
    }
    if "equity_swap" in values:
        values["equity_swap"] = values["equity_swap"].lower() in ("1", "true")
    owners, issuer = form["owners"], form["issuer"]
    names = tuple(owner["name"] for owner in owners if owner["name"])
    notes = [
        {"on": name, "text": form["footnotes"].get(number, "")}
        for name, numbers in line["notes"].items()
        for number in numbers
    ]
    attributes = {
        "accession": filing.external_id,
        "form": filing.attributes["form"],
        "filing_date": filing.attributes["filing_date"],
        "table": line["table"],
        "line": line["line"],
        "issuer": issuer["name"],
        "issuer_cik": issuer["cik"].zfill(10) if issuer["cik"] else "",
        "ticker": issuer["ticker"],
        "owner": names[0] if names else "",
        "owner_cik": owners[0]["cik"].zfill(10) if owners and owners[0]["cik"] else "",
        "role": _role(owners[0]) if owners else "",
        # All of them: a form of several owners counts for each.
        "owners": [dict(owner) for owner in owners] if len(owners) > 1 else [],
        **values,
        "footnotes": notes,
        "remarks": form["remarks"],
        "original_date": form["original_date"],
    }
    who = names[0] if names else "somebody"
    amount = " ".join(given[name] for name in ("code", "shares", "security") if name in given)
    return Record(
        source=filing.source,
        external_id=external_id,
        kind="transaction",
        title=f"{issuer['ticker'] or issuer['name']}: {who}, {amount or line['line']}",
        url=filing.url,
        authors=names,
        tags=tuple(
            dict.fromkeys(part for part in (*filing.tags, line["line"], given.get("code", "")) if part)
        ),
        published_at=datetime.fromtimestamp(filing.measures["accepted_at"], UTC),
        attributes={name: value for name, value in attributes.items() if value not in ("", None, [])},
    )


def _role(owner: Mapping[str, Any]) -> str:
    """What the owner is to the issuer, in one line: `director, officer (Chief Financial Officer)`."""
    roles = ", ".join(role.replace("_", " ") for role in owner["roles"])
    return f"{roles} ({owner['title']})" if roles and owner["title"] else roles or str(owner["title"])


def _accepted(item: Mapping[str, Any]) -> datetime | None:
    """When EDGAR accepted a filing, where that is certain: by the header of its text file, else by the feed."""
    if form := item.get("insider"):
        local = datetime.strptime(form["accepted"], "%Y%m%d%H%M%S")
        return local.replace(tzinfo=NEW_YORK).astimezone(UTC)
    if text := item.get("accepted"):
        return datetime.fromisoformat(text).astimezone(UTC)
    return None


def _filing_day(text: str) -> date:
    match = _DAY.fullmatch(text)
    try:
        return date(*map(int, match.groups())) if match else date.fromisoformat(text)
    except ValueError:
        raise ValueError(f"the filing date {text!r} is not a day") from None


def _day(name: str, text: str) -> str:
    match = _SCHEMA_DAY.fullmatch(text)
    if match is None:
        raise ValueError(f"{name}: {text!r} is not a day")
    return match[1]


def _number(name: str, text: str) -> float | int:
    """A number as it is written: whole ones stay whole."""
    plain = text.replace(",", "").removeprefix("$")
    if not _NUMBER.fullmatch(plain):
        raise ValueError(f"{name}: {text!r} is not a number")
    return float(plain) if "." in plain else int(plain)
