"""arXiv: what its query API finds, page by page, or a harvest over OAI-PMH.

arxiv_plan      what a config asks of the query API     arxiv_oai       how an answer of OAI-PMH is read
arxiv_walk      where a collection stands               arxiv_harvest   the way through its lists
arxiv_atom      how an Atom answer is read              arxiv_xml       XML, read without trusting it

Manual: https://info.arxiv.org/help/api/user-manual.html and https://info.arxiv.org/help/oa/index.html

What the cursor of a search means. It exists where the newest come first, by submission or by update; it holds the
latest such instant that a run saw, and what was visible up to it is collected. A run with a cursor asks for everything
since then, `overlap` further back. When that is more than `max_results`, the newest are taken, the cursor stays where
it is, the log says how many are left out, and the next run asks for the same window again, up to its own present: so
nothing is lost that a larger `max_results` (which keeps the cursor) would not bring. A first run takes the newest
`max_results` and sets the cursor whatever lies behind them: it decides where collecting begins.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from stoma.collectors.arxiv_atom import Page, read_page, reason
from stoma.collectors.arxiv_harvest import OAI, Harvest
from stoma.collectors.arxiv_plan import DEEPEST, Plan
from stoma.collectors.arxiv_walk import Place, ids, window
from stoma.collectors.base import BaseCollector, Collection, Estimate
from stoma.errors import BadAnswer, HostWait, SourceBusy
from stoma.records import CollectorResult

if TYPE_CHECKING:
    from stoma.collectors.http import Response

SHRINK, SMALLEST = 4, 10
"""A page that fails again and again is asked for in pieces of a quarter, down to so many items.

Some combinations of start and size fail for hours, and smaller ones at the same place do not.
"""


class ArxivCollector(BaseCollector):
    """Pages of papers that match a query, that are named by their ids, or that belong to sets of OAI-PMH."""

    source = "arxiv"
    origin = "https://export.arxiv.org"
    # A mirror has the same papers; how many are asked for at once, or at most, moves no cursor.
    not_selecting = frozenset({"page_size", "base_url", "max_results", "overlap"})

    @classmethod
    def origin_of(cls, config: Mapping[str, Any]) -> str:
        """OAI-PMH is answered elsewhere than the query API."""
        return OAI if config.get("mode") == "oai" else cls.origin

    def collect(self, collection: Collection) -> Iterator[CollectorResult]:
        """Yield the pages in order; a resumed collection keeps its window."""
        if collection.config.get("mode") == "oai":
            yield from Harvest.of(collection, self.source).pages()
        else:
            yield from self._search(collection)

    def estimate(self, collection: Collection) -> Estimate:
        """What the days of the span would cost, from the answer to one small question."""
        if collection.config.get("mode") == "oai":
            return Harvest.of(collection, self.source).estimate()
        plan = Plan.of(collection)
        page = self._ask(collection, plan, Place.first(plan), [], 1)
        requests = max(1, -(-page.total // plan.page_size))
        # Each cut costs a question, and so does the last page of each part.
        requests += 2 * (page.total // DEEPEST)
        return Estimate(requests, page.total, urlsplit(page.url).hostname or "", is_told=True)

    def _search(self, collection: Collection) -> Iterator[CollectorResult]:
        plan = Plan.of(collection)
        if plan.is_cut_short:
            collection.log(f"arXiv gives at most {DEEPEST} results of one query; max_results is larger")
        progress = collection.progress
        place = Place.of(progress.page, plan) if progress else Place.first(plan)
        newest = progress.window.get("newest") if progress else None
        last: list[str] = []
        size = plan.page_size
        # Committed where the next request has to wait: else one that is granted a single request each time would ask
        # the same one for ever.
        waiting: CollectorResult | None = None
        is_first = True
        while True:
            try:
                page, size = self._patiently(collection, plan, place, last, size)
            except (HostWait, SourceBusy):
                if waiting is not None:
                    yield waiting
                raise
            if (cut := place.cut(plan, page)) is not None:
                place = cut
                waiting = self._waiting(plan, page, place, newest)
                continue
            last, size = ids(page.items), min(2 * size, plan.page_size)
            newest = plan.newest(page.items, newest)
            place = end = place.after(len(page.items), page.total)
            is_behind = any(plan.is_behind(item) for item in page.items)
            if not page.items or place.is_slice_done(plan):
                place = place.next_slice()
            is_last = is_behind or place.slice >= len(plan.slices) or place.taken >= plan.wanted
            yield CollectorResult(
                source=self.source,
                items=[item for item in page.items if plan.keeps(item)],
                url=page.url,
                fetched_at=page.fetched_at,
                next_page=None if is_last else place.token(),
                window=window(plan, newest),
                cursor=_cursor(collection, plan, newest, 0 if is_behind else end.left_out(plan))
                if is_last
                else None,
                expected=end.expected(plan),
            )
            if is_last:
                return
            waiting = self._waiting(plan, page, place, newest) if is_first else None
            is_first = False

    def _waiting(self, plan: Plan, page: Page, place: Place, newest: str | None) -> CollectorResult:
        """No page, but where to go on without a step back."""
        return CollectorResult(
            source=self.source,
            items=[],
            url=page.url,
            fetched_at=page.fetched_at,
            next_page=place.token() | {"is_exact": True},
            window=window(plan, newest),
            expected=place.expected(plan),
        )

    def _patiently(
        self, collection: Collection, plan: Plan, place: Place, last: list[str], size: int
    ) -> tuple[Page, int]:
        """The page at `place` and the size it was got with: smaller, when the one that was asked for kept failing."""
        while True:
            size = place.asked(plan, size)
            try:
                return self._ask(collection, plan, place, last, size), size
            except BadAnswer as error:
                if size // SHRINK < SMALLEST:
                    raise
                size //= SHRINK
                collection.log(f"{error.message}; asking for {size} at once instead")

    def _ask(self, collection: Collection, plan: Plan, place: Place, last: list[str], size: int) -> Page:
        def read(response: Response) -> Page:
            page = read_page(response)
            del page.items[size:]
            place.judge(page, last)
            return page

        return collection.http.get(
            (collection.config.get("base_url") or self.origin).rstrip("/") + "/api/query",
            params={
                **plan.params(place.slice, place.part),
                "start": place.start,
                "max_results": size,
                "sortBy": plan.sort_by,
                "sortOrder": plan.sort_order,
            },
            headers={"Accept": "application/atom+xml"},
            parse=read,
            explain=reason,
        )


def _cursor(collection: Collection, plan: Plan, newest: str | None, left_out: int) -> dict[str, str] | None:
    """The mark from which a later run starts; None leaves it where it is, for there is none or something is missing."""
    if plan.field is None or newest is None:
        return None
    name = plan.field[1]
    if plan.since is None:
        return {name: newest}
    if left_out:
        collection.log(_missing(plan, left_out))
        return None
    return {name: max(newest, str((collection.cursor or {}).get(name) or ""))}


def _missing(plan: Plan, left_out: int) -> str:
    if plan.sort_by == "lastUpdatedDate":
        return (
            f"max_results took the newest {plan.wanted}, and did not get back to {plan.since}: versions before them "
            "are left out, and the next run looks for them again; raise max_results, or use mode: oai"
        )
    return (
        f"{left_out + plan.wanted} papers were submitted since {plan.since}, and max_results took the newest "
        f"{plan.wanted}: {left_out} older ones are left out, and the next run looks for them again; raise max_results "
        f"to {left_out + plan.wanted} or more"
    )
