"""SEC EDGAR: the filings that a config asks for, by form or by company, the insider forms among them line by line.

by form      the index of each complete day, then the feed of the latest filings for the day under way
by company   the list of each CIK, older files of it included where the look back reaches them

What a config means and where a run stands is in edgar_walk.py. Days are EDGAR's, in New York.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date, timedelta
from urllib.parse import urlsplit

from stoma.collectors.base import BaseCollector, Collection, Estimate
from stoma.collectors.edgar_by_company import by_company
from stoma.collectors.edgar_by_form import by_form
from stoma.collectors.edgar_walk import NEW_YORK, ONE_DAY, Walk
from stoma.errors import SourceRefused, UsageError
from stoma.records import CollectorResult

A_DAY = {"3": 70, "4": 850, "5": 20, "3/A": 5, "4/A": 20, "5/A": 5}
"""About so many insider forms come on a working day; in the first days of a year it is three times as many."""


class SecEdgarCollector(BaseCollector):
    """Filings by form and day, or by company; insider forms line by line where asked for."""

    source = "sec_edgar"
    origin = "https://www.sec.gov"
    # A mirror has the same filings.
    not_selecting = frozenset({"base_url"})
    needs_contact = True

    def estimate(self, collection: Collection) -> Estimate:
        """Reckoned, not asked: one index for each day, or one list for each company, and the insider forms."""
        span = collection.span
        if span is None:
            raise UsageError("an estimate needs the days that are wanted")
        if open_day := _not_over(collection):
            raise UsageError(
                open_day, f"--to {_new_york(collection) - ONE_DAY} is the last day that can be asked for"
            )
        walk = Walk.of(collection, self.source, self.origin)
        host = urlsplit(walk.data if walk.wish.is_by_company else walk.origin).hostname or ""
        if walk.wish.is_by_company:
            named = len(walk.wish.ciks) + len(walk.wish.tickers)
            # Each has a list, and about one file of older filings.
            return Estimate(2 * named + bool(walk.wish.tickers), None, host)
        days = [span.first + timedelta(days=number) for number in range((walk.today - span.first).days)]
        working = sum(day.weekday() < 5 for day in days)
        reads = (
            sum(number for form, number in A_DAY.items() if walk.wish.wants(form)) if walk.wish.details else 0
        )
        return Estimate(len(days) + working * reads, None, host)

    def collect(self, collection: Collection) -> Iterator[CollectorResult]:
        """Yield pages of filings, and a last one without any that ends the run."""
        if open_day := _not_over(collection):
            raise SourceRefused(open_day, "try again tomorrow with the same command")
        walk = Walk.of(collection, self.source, self.origin)
        yield from by_company(walk) if walk.wish.is_by_company else by_form(walk)
        yield walk.end()


def _not_over(collection: Collection) -> str:
    """Why the days of a span cannot be collected yet; empty when they can, or when it is about today."""
    span = collection.span
    return f"{span.last} is not over in New York" if span and span.last >= _new_york(collection) else ""


def _new_york(collection: Collection) -> date:
    return collection.now.astimezone(NEW_YORK).date()
