"""SEC EDGAR: the filings that a config asks for, by form or by company, the insider forms among them line by line.

by form      the index of each complete day, then the feed of the latest filings for the day under way
by company   the list of each CIK, older files of it included where the look back reaches them

What a config means and where a run stands is in edgar_walk.py. Days are EDGAR's, in New York.
"""

from __future__ import annotations

from collections.abc import Iterator

from stoma.collectors.base import BaseCollector, Collection
from stoma.collectors.edgar_by_company import by_company
from stoma.collectors.edgar_by_form import by_form
from stoma.collectors.edgar_walk import Walk
from stoma.records import CollectorResult


class SecEdgarCollector(BaseCollector):
    """Filings by form and day, or by company; insider forms line by line where asked for."""

    source = "sec_edgar"
    origin = "https://www.sec.gov"
    # A mirror has the same filings.
    not_selecting = frozenset({"base_url"})
    needs_contact = True

    def collect(self, collection: Collection) -> Iterator[CollectorResult]:
        """Yield pages of filings, and a last one without any that ends the run."""
        walk = Walk.of(collection, self.source, self.origin)
        yield from by_company(walk) if walk.wish.is_by_company else by_form(walk)
        yield walk.end()
