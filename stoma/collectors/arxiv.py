"""arXiv's query API: what a config asks for, page by page, and where an unfinished collection goes on.

How an answer is read stands in arxiv_atom.py. Manual: https://info.arxiv.org/help/api/user-manual.html
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from stoma.collectors.arxiv_atom import Page, read_page, reason
from stoma.collectors.base import BaseCollector, Collection
from stoma.errors import BadAnswer, UsageError
from stoma.records import CollectorResult

if TYPE_CHECKING:
    from stoma.collectors.http import Response

LARGEST_PAGE = 2_000
DEEPEST = 30_000
"""arXiv gives no more than these of one query, and no more than those in one page (user manual, paging)."""

IDS_AT_ONCE = 200
"""So many ids keep the address under 8 KB."""

_PLUS = re.compile(r"\+(AND|OR|ANDNOT|TO)\+")
_INSTANT = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ")


class ArxivCollector(BaseCollector):
    """Pages of papers that match a query, or that are named by their ids."""

    source = "arxiv"
    origin = "https://export.arxiv.org"
    # A mirror has the same papers, and the number of items in one request changes nothing about them.
    not_selecting = frozenset({"page_size", "base_url"})

    def collect(self, collection: Collection) -> Iterator[CollectorResult]:
        """Yield the pages in order; a resumed collection steps back one page and keeps its window."""
        plan = _plan(collection.config)
        if plan.is_cut_short:
            collection.log(f"arXiv gives at most {DEEPEST} results of one query; max_results is larger")
        window: dict[str, Any] = {"begun": _iso(collection.now), "newest": None}
        place = _Place()
        if collection.progress is not None:
            window.update(collection.progress.window)
            place = _Place.of(collection.progress.page, plan)
        last: list[str] = []
        while True:
            page = self._ask(collection, plan, place, last)
            last = [item.get("id", "") for item in page.items]
            window["newest"] = max((window["newest"] or "", *_instants(page.items))) or None
            # Counted by what came, not by what was asked: a short page in the middle loses nothing.
            place = place.after(len(page.items), page.total)
            if not page.items or place.slice_done(plan):
                place = place.next_slice()
            is_last = place.slice >= len(plan.slices) or place.taken >= plan.wanted
            yield CollectorResult(
                source=self.source,
                items=page.items,
                url=page.url,
                fetched_at=page.fetched_at,
                next_page=None if is_last else place.token(),
                window=dict(window),
                cursor=_cursor(plan, window["newest"], collection.cursor),
                expected=plan.expected(page.total),
            )
            if is_last:
                return

    def _ask(self, collection: Collection, plan: _Plan, place: _Place, last: list[str]) -> Page:
        asked = min(plan.page_size, plan.wanted - place.taken)

        def read(response: Response) -> Page:
            page = read_page(response)
            del page.items[asked:]
            place.judge(page, last)
            return page

        return collection.http.get(
            (collection.config.get("base_url") or self.origin).rstrip("/") + "/api/query",
            params={
                **plan.slices[place.slice],
                "start": place.start,
                "max_results": asked,
                "sortBy": plan.sort_by,
                "sortOrder": plan.sort_order,
            },
            headers={"Accept": "application/atom+xml"},
            parse=read,
            explain=reason,
        )


@dataclass(frozen=True, slots=True)
class _Plan:
    """What a config asks for: slices of the query, one after the other, each paged from its start."""

    slices: list[dict[str, str]]
    wanted: int
    page_size: int
    sort_by: str
    sort_order: str
    is_listed: bool
    is_cut_short: bool

    def expected(self, total: int) -> int:
        """How many items the whole collection will bring, as far as is known."""
        return self.wanted if self.is_listed else min(total, self.wanted)


@dataclass(frozen=True, slots=True)
class _Place:
    """Where a collection stands: in which slice, how far in it, its largest total so far, items before it."""

    start: int = 0
    total: int = 0
    slice: int = 0
    before: int = 0

    @property
    def taken(self) -> int:
        return self.before + self.start

    def token(self) -> dict[str, int]:
        token = {"start": self.start, "total": self.total}
        return token | ({"slice": self.slice, "before": self.before} if self.slice else {})

    @classmethod
    def of(cls, token: Mapping[str, int], plan: _Plan) -> _Place:
        """One page before the token: meanwhile papers may have been taken away above, and later ones moved up."""
        start, total, number, before = (token.get(name, 0) for name in ("start", "total", "slice", "before"))
        place = cls(max(0, start - plan.page_size), total, number, before)
        # An edited config that keeps its progress may ask for less than was there.
        return place if number < len(plan.slices) and place.taken < plan.wanted else cls()

    def after(self, count: int, total: int) -> _Place:
        # Totals move while papers are announced, and have been seen to drop to nothing in the middle.
        return _Place(self.start + count, max(self.total, total), self.slice, self.before)

    def slice_done(self, plan: _Plan) -> bool:
        return self.start >= min(self.total, plan.wanted - self.before)

    def next_slice(self) -> _Place:
        return _Place(0, 0, self.slice + 1, self.taken)

    def judge(self, page: Page, last: list[str]) -> None:
        """Refuse the pages that arXiv gives by mistake; asked for again they are mostly right."""
        if not page.items and (self.start < page.total or self.total > page.total == 0):
            total = max(self.total, page.total)
            raise BadAnswer(f"{page.url} is an empty page, though {total} results are promised")
        if self.start and len(last) > 1 and last == [item.get("id", "") for item in page.items]:
            raise BadAnswer(f"{page.url} is the page before it once more")


def _plan(config: Mapping[str, Any]) -> _Plan:
    """What the config means, with defaults filled in."""
    query, ids = _query(config.get("search_query")), _ids(config.get("id_list"))
    if not query and not ids:
        raise UsageError("arxiv needs a search_query or an id_list")
    page_size = max(1, min(int(config.get("page_size", 100)), LARGEST_PAGE))
    wanted = int(config.get("max_results", len(ids) or 100))
    slices = [{"search_query": query}]
    if ids:
        # An id brings one paper at most; where a query filters the ids, only the answers tell how many.
        ids = ids if query else ids[:wanted]
        # Of one size whatever page_size says: a token counts slices, and page_size may be edited in between.
        slices = [{"id_list": ",".join(ids[at : at + IDS_AT_ONCE])} for at in range(0, len(ids), IDS_AT_ONCE)]
        slices = [{"search_query": query} | one for one in slices] if query else slices
        wanted = min(wanted, len(ids))
    return _Plan(
        slices=slices,
        wanted=wanted if ids else min(wanted, DEEPEST),
        page_size=page_size,
        sort_by=config.get("sort_by", "submittedDate"),
        sort_order=config.get("sort_order", "descending"),
        is_listed=bool(ids),
        is_cut_short=not ids and wanted > DEEPEST,
    )


def _query(value: Any) -> str:
    """A query as arXiv reads it; several are joined with OR. The manual's `+AND+` is a blank in an address."""
    if value is None:
        return ""
    parts = [value] if isinstance(value, str) else list(value)
    parts = [" ".join(_PLUS.sub(r" \1 ", str(part)).split()) for part in parts]
    parts = [part for part in parts if part]
    return parts[0] if len(parts) == 1 else " OR ".join(f"({part})" for part in parts)


def _ids(value: Any) -> list[str]:
    """Ids without blanks, repetitions and the prefix that citations give them."""
    if value is None:
        return []
    parts = value.split(",") if isinstance(value, str) else value
    found = [re.sub(r"^arxiv:", "", str(part).strip(), flags=re.IGNORECASE) for part in parts]
    return list(dict.fromkeys(one for one in found if one))


def _instants(items: list[dict[str, Any]]) -> list[str]:
    return [when for item in items if _INSTANT.fullmatch(when := item.get("published", ""))]


def _cursor(plan: _Plan, newest: str | None, before: Mapping[str, Any] | None) -> dict[str, str] | None:
    """The newest submission seen, never an earlier one than before; a list of ids has no newest."""
    if plan.is_listed or plan.sort_by != "submittedDate" or newest is None:
        return None
    return {"submitted": max(newest, (before or {}).get("submitted") or "")}


def _iso(instant: datetime) -> str:
    return instant.astimezone(UTC).isoformat().replace("+00:00", "Z")
