"""Filings by company: the list of each CIK, oldest filings first.

EDGAR keeps the lists up to date within minutes, so they need neither the indexes nor the feed.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import timedelta
from functools import partial
from operator import itemgetter
from typing import TYPE_CHECKING, Any

from stoma.collectors import edgar_companies as companies
from stoma.collectors.edgar_walk import Walk, again, chunks
from stoma.errors import SourceRefused
from stoma.records import CollectorResult

if TYPE_CHECKING:
    from stoma.collectors.base import Span
    from stoma.collectors.http import Response

LIST_OVERLAP = timedelta(days=7)
"""How far before its last end a list is read again: a filing may come with the date of an earlier day."""

LETTERS = frozenset({"CORRESP", "UPLOAD"})
LETTERS_OVERLAP = timedelta(days=365)
"""Letters between a company and the SEC are released when a review is over, under the dates on which they were sent."""


def by_company(walk: Walk) -> Iterator[CollectorResult]:
    """The wanted part of each company's list."""
    if not walk.ciks:
        walk.ciks = _ciks(walk)
    for number in range(walk.token.get("company", 0), len(walk.ciks)):
        yield from _company(walk, number)
    walk.complete = walk.today


def _ciks(walk: Walk) -> list[str]:
    found = list(walk.wish.ciks)
    if walk.wish.tickers:
        known = walk.ask(walk.origin + companies.TICKERS_PATH, companies.read_tickers)
        if known is None:
            raise SourceRefused("EDGAR's list of tickers is not there", "name the companies in ciks")
        found += companies.ciks_of(walk.wish.tickers, known)
    return list(dict.fromkeys(found))


def _company(walk: Walk, number: int) -> Iterator[CollectorResult]:
    cik = walk.ciks[number]
    found = _list(walk, cik)
    if isinstance(found, int):
        yield walk.page([], {"company": number + 1}, unmodified=found)
        return
    company, span = found, walk.collection.span
    walk.url, walk.fetched_at = company.url, company.fetched_at
    first = max(walk.since, walk.complete - LIST_OVERLAP).isoformat()
    lists = [path for path, last in sorted(company.older, key=itemgetter(1)) if last >= first] + [""]
    first_letter = max(walk.since, walk.complete - LETTERS_OVERLAP).isoformat()
    after: tuple[str, ...] = ()
    if walk.token.get("company") == number and walk.token.get("list") in lists:
        lists = lists[lists.index(walk.token["list"]) :]
        after = tuple(walk.token["after"])
    overlap = (walk.today - LIST_OVERLAP).isoformat()
    count = 0
    for path in lists:
        listed = _older(walk, company, path) if path else company.recent
        wanted = [
            one
            for one in listed
            if walk.wish.wants(one["form"])
            and _is_within(one, first_letter if one["form"] in LETTERS else first, span)
        ]
        places = (one for one in wanted if companies.place_of(one) > after)
        for items, _ in chunks(places, walk.size):
            filled = walk.filled(items)
            if span is None:
                walk.note(one["accession"] for one in items if companies.newest_day(one) >= overlap)
            count += len(items)
            yield walk.page(filled, {"company": number, "list": path, "after": companies.place_of(items[-1])})
        after = ()
    if span is None and not count:
        newest = [one for one in company.recent if walk.wish.wants(one["form"])][-1:]
        if newest:
            # Nothing new is no reason for suspicion where the list still holds what was there before.
            yield walk.page([again(newest[0])], {"company": number + 1})


def _is_within(item: Mapping[str, Any], first: str, span: Span | None) -> bool:
    """True for what came since `first`, or was filed in the days of a span."""
    if span is not None:
        return span.first.isoformat() <= str(item["filed"]) <= span.last.isoformat()
    return companies.newest_day(item) >= first


def _list(walk: Walk, cik: str) -> companies.Company | int:
    """The list of a CIK; only how much was wanted of it last time, if it is still the same."""

    def read(response: Response) -> companies.Company | int:
        return companies.read_company(response, cik)

    def same(count: int) -> companies.Company | int:
        return count

    # It begins with the newest filings, so that whatever came since the last run changes this file.
    url, unchanged = walk.data + companies.company_path(cik), same if walk.is_later else None
    found: companies.Company | int | None = walk.ask(url, read, unchanged=unchanged)
    if found is None:
        raise SourceRefused(f"EDGAR knows no CIK {cik}", "look the company up at sec.gov, or name its ticker")
    return found


def _older(walk: Walk, company: companies.Company, path: str) -> list[dict[str, Any]]:
    found = walk.ask(walk.data + path, partial(companies.read_older, cik=company.cik, name=company.name))
    if found is None:
        raise SourceRefused(f"EDGAR's list {path} is not there, though the list of {company.cik} names it")
    return found
