"""The way through a search of GitHub's: what is asked, where it stands, and what comes behind a page. Pure."""

from __future__ import annotations

import re
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, time, timedelta
from hashlib import blake2b
from typing import Any

from stoma.collectors.base import Progress, Span
from stoma.collectors.github_search import LARGEST_PAGE, MOST, Page
from stoma.collectors.github_slices import Question, Slice, window
from stoma.errors import BadAnswer, UsageError

API = "https://api.github.com"

Log = Callable[[str], None]

_CREATED = re.compile(r"(?<![\w-])-?created:")


@dataclass(frozen=True, slots=True)
class Search:
    """What a config asks for; `window` is what a resumed run keeps."""

    question: Question
    url: str
    fixed: Mapping[str, Any]
    wanted: int
    window: Mapping[str, Any]

    @classmethod
    def of(
        cls, config: Mapping[str, Any], now: datetime, progress: Progress | None, span: Span | None = None
    ) -> Search:
        """A config with defaults filled in; raises UsageError for what cannot be asked.

        With a span: everything that was created in its days, in whatever order and however much it is.
        """
        query = " ".join(str(config.get("query") or "").split())
        if not query:
            raise UsageError("a search needs a query")
        if span is not None and (config.get("created") or _CREATED.search(query)):
            raise UsageError(
                "days of the past are days of creation, and this task bounds those itself",
                "take created out of the task, or make one for the backfill",
            )
        begun = now.astimezone(UTC).isoformat(timespec="seconds").replace("+00:00", "Z")
        kept = {"begun": begun}
        for name in ("created", "pushed"):
            kept[name] = window(name, config.get(name), now)
            if kept[name] and f"{name}:" in query:
                raise UsageError(f"both the query and {name} bound when it was {name}", "keep one of the two")
        if progress is not None:
            kept |= {name: str(value) for name, value in progress.window.items() if name in kept}
        text = " ".join(word for word in (query, kept["created"], kept["pushed"]) if word)
        sort, order = config.get("sort"), config.get("order") or "desc"
        wanted = max(1, int(config.get("limit", 25)))
        # Only what may have to be cut up is spelled anew.
        question = Question.of(text, sort, order) if wanted > MOST else Question(text)
        if span is not None:
            sort, wanted = None, sys.maxsize
            created = (_seconds(span.first), _seconds(span.last + timedelta(days=1)) - 1)
            question = Question(text, Slice(created=created), by_created=True)
        ordered = {"sort": sort, "order": order} if sort else {}
        return cls(
            question,
            (config.get("base_url") or API).rstrip("/") + "/search/repositories",
            {"per_page": min(LARGEST_PAGE, wanted)} | ordered,
            wanted,
            kept,
        )

    @property
    def until(self) -> datetime:
        """Nothing that was created later is asked for."""
        return datetime.fromisoformat(self.window["begun"])

    def params(self, place: Place) -> dict[str, Any]:
        """What to ask for at a place that no link leads to."""
        number = {"page": place.page} if place.page > 1 else {}
        return {"q": self.question.spelled(place.part), **self.fixed, **number}

    def mark(self) -> str:
        """What a token belongs to, without telling what is searched for."""
        # Another place has other repositories, in whatever order.
        asked = repr((self.url, self.question.spelled(self.question.whole), sorted(self.fixed.items())))
        return blake2b(asked.encode(), digest_size=8).hexdigest()

    def start(self, progress: Progress | None) -> Place:
        """Where to begin: at the page that was committed last, for meanwhile results have moved."""
        found = _told(progress.page, self) if progress is not None else None
        return found or Place(self.question.whole)

    def cut(self, place: Place, page: Page) -> Place | None:
        """Where to go instead of paging through a part that is too large; None when it need not or cannot be cut."""
        if place.page > 1 or min(page.total, self.wanted - place.taken) <= MOST:
            return None
        # Sorted by a number, a part is paged through however large it is, and goes on where GitHub stops.
        if not self.question.is_one_number(place.part):
            return None
        parts = self.question.halves(place.part, self.until)
        return place.at(parts) if parts else None

    def following(self, place: Place, page: Page, count: int, log: Log) -> Place | None:
        """The place behind a page of which `count` items were taken; None when it was the last."""
        here = replace(
            place,
            taken=place.taken + count,
            seen=place.seen + len(page.items),
            total=max(place.total, page.total),
            page=place.page + 1,
            next_url=page.next_url,
        )
        if here.taken >= self.wanted:
            return None
        # Without any link somebody on the way took them out: then a full page is not the end.
        is_full = not page.has_links and len(page.items) >= self.fixed["per_page"] and here.seen < here.total
        if here.seen < MOST and page.items and (page.next_url or is_full):
            return here
        if here.seen < min(here.total, MOST):
            log(f"GitHub promises {here.total} results and shows {here.seen} of them")
        parts: list[Slice] = []
        if page.items and self.wanted > MOST and here.total > max(MOST, here.seen):
            parts = self.question.beyond(place.part, page.items[-1], self.until)
            if not parts:
                log(
                    f"GitHub shows {here.seen} of {here.total} results, and this search cannot be cut up further"
                )
        return here.at(parts)


@dataclass(frozen=True, slots=True)
class Place:
    """Where a search stands: its part, the parts behind it, the page of the part, items taken before that page."""

    part: Slice
    rest: tuple[Slice, ...] = ()
    page: int = 1
    taken: int = 0
    # Items on the pages of this part before this one, and the largest total that they named.
    seen: int = 0
    total: int = 0
    next_url: str | None = None

    def token(self, search: Search) -> dict[str, Any]:
        """This page: whoever goes on asks for it once more, so that what moved up meanwhile is not missed."""
        return {
            "search": search.mark(),
            "part": self.part.token(),
            "rest": [part.token() for part in self.rest],
            "page": self.page,
            "taken": self.taken,
            "seen": self.seen,
            "total": self.total,
        }

    def expected(self, search: Search, page: Page) -> int:
        """How many items the whole collection will bring, as far as is known here."""
        before = max(0, self.taken - self.seen)
        return min(search.wanted, before + max(self.total, page.total))

    def at(self, parts: list[Slice]) -> Place | None:
        """The first page of what comes next, `parts` before all else; None when there is nothing."""
        coming = (*parts, *self.rest)
        return Place(coming[0], coming[1:], taken=self.taken) if coming else None

    def judge(self, page: Page, last: list[int | None]) -> None:
        """Refuse an empty page in the middle, and a page that came before; `last` are the ids of the one before."""
        if not page.items and self.seen < min(page.total, MOST):
            raise BadAnswer(f"{page.url} is an empty page, though {page.total} results are promised")
        if self.page > 1 and len(last) > 1 and last == ids(page.items):
            raise BadAnswer(f"{page.url} is the page before it once more")


def _seconds(day: date) -> int:
    """The first moment of a day, as GitHub counts days."""
    return int(datetime.combine(day, time(), UTC).timestamp())


def ids(items: list[Any]) -> list[int | None]:
    """The number of each repository; None for an item that has none."""
    found = [item.get("id") if isinstance(item, Mapping) else None for item in items]
    return [one if isinstance(one, int) else None for one in found]


def _told(token: Any, search: Search) -> Place | None:
    """The place that a token tells; None when the search was edited meanwhile, or it is no token."""
    try:
        if token["search"] != search.mark():
            return None
        page, taken, seen, total = (int(token[name]) for name in ("page", "taken", "seen", "total"))
        part, rest = Slice.of(token["part"]), tuple(Slice.of(one) for one in token["rest"])
    except (KeyError, TypeError, ValueError):
        return None
    return Place(part, rest, page, taken, seen, total) if taken < search.wanted else None
