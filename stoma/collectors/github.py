"""GitHub: the page of trending repositories, or what a search finds.

github_trending   how the page is read, whichever generation of its markup it is of
github_search     how an answer of the search API is read, and a refusal
github_walk       where a search stands, and what comes behind a page
github_slices     how a search of more than 1,000 results is cut into smaller ones
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from stoma.collectors.base import BaseCollector, Collection, Estimate
from stoma.collectors.github_search import LARGEST_PAGE, MOST, Page, read_answer, reason
from stoma.collectors.github_trending import address, read_page
from stoma.collectors.github_walk import API, Place, Search, ids
from stoma.errors import BadAnswer, HostWait, SourceBusy, SourceRefused, UsageError
from stoma.records import CollectorResult

if TYPE_CHECKING:
    from stoma.collectors.http import Response

ASKS_FOR_ALL = 3
"""So often an incomplete answer is asked for before what it has is taken."""


class GithubCollector(BaseCollector):
    """Repositories that are trending, or that a search finds."""

    source = "github"
    origin = "https://github.com"
    # With or without a token, public repositories are the same; a page belongs to its place by its own mark.
    not_selecting = frozenset({"token", "base_url"})

    @classmethod
    def origin_of(cls, config: Mapping[str, Any]) -> str:
        """The page lies elsewhere than the API."""
        return API if config.get("mode") == "search" else cls.origin

    def collect(self, collection: Collection) -> Iterator[CollectorResult]:
        """Yield the one page of what is trending, or the pages of a search; a resumed search keeps its window."""
        is_search = collection.config.get("mode") == "search"
        yield from self._search(collection) if is_search else self._trending(collection)

    def estimate(self, collection: Collection) -> Estimate:
        """What GitHub itself says is there, by one search; raises UsageError for what is trending."""
        _refuse_trending(collection)
        search = Search.of(collection.config, collection.now, None, collection.span)
        page = self._ask(collection, search, Place(search.question.whole), [])
        # Each page of a hundred; where a part is halved, the whole and one half of it are asked for in vain.
        halvings = 2 * (page.total // MOST)
        return Estimate(
            max(1, -(-page.total // LARGEST_PAGE)) + halvings,
            page.total,
            urlsplit(search.url).hostname or "",
            is_told=not page.is_incomplete,
        )

    def _trending(self, collection: Collection) -> Iterator[CollectorResult]:
        if collection.span is not None:
            _refuse_trending(collection)
        config = collection.config
        since, spoken = config.get("since") or "daily", config.get("spoken_language_code")
        path = address(config)
        page = collection.http.get(
            (config.get("base_url") or self.origin).rstrip("/") + path,
            params={"since": since} | ({"spoken_language_code": spoken} if spoken else {}),
            headers={"Accept": "text/html"},
            parse=read_page,
        )
        if page.period not in (None, since):
            collection.log(f"asked for {since}, but the page says that it is the {page.period} one")
        if page.is_rounded:
            collection.log("the page rounds its numbers (1.2k): stars and forks are only about right")
        if nameless := sum("full_name" not in item for item in page.items):
            collection.log(f"{nameless} of {len(page.items)} rows have no link to a repository")
        words = [page.period or since, path.removeprefix("/trending").strip("/"), spoken or ""]
        ranking = ":".join(words).rstrip(":")
        items = [item | {"list": ranking} for item in page.items[: int(config.get("limit", 25))]]
        yield CollectorResult(self.source, items, page.url, page.fetched_at, expected=len(items))

    def _search(self, collection: Collection) -> Iterator[CollectorResult]:
        search = Search.of(collection.config, collection.now, collection.progress, collection.span)
        place: Place | None = search.start(collection.progress)
        known: set[int | None] = set()
        last: list[int | None] = []
        # Committed where the next request has to wait: else one that is granted a single request each time would ask
        # the same one for ever.
        waiting: CollectorResult | None = None
        is_first = True
        while place is not None:
            here = place
            try:
                page = self._ask(collection, search, here, last)
            except (HostWait, SourceBusy):
                if waiting is not None:
                    yield waiting
                raise
            last = ids(page.items)
            if (place := search.cut(here, page)) is not None:
                # What it showed comes again with its parts.
                waiting = self._result(search, here, page, [], place.token(search))
                continue
            pairs = zip(page.items, last, strict=True)
            items = [item for item, one in pairs if one is None or one not in known]
            items = items[: search.wanted - here.taken]
            known.update(last)
            if page.is_incomplete:
                # What came is kept, and the next try asks for the same page.
                yield self._result(search, here, page, items, here.token(search))
                raise BadAnswer(
                    f"{_incomplete(page)}; what it gave is kept",
                    "ask for less at once: a narrower query, or a window in created or pushed",
                )
            place = search.following(here, page, len(items), collection.log)
            yield self._result(search, here, page, items, here.token(search) if place else None)
            waiting = (
                self._result(search, here, page, [], place.token(search)) if place and is_first else None
            )
            is_first = False

    def _result(
        self, search: Search, place: Place, page: Page, items: list[Any], token: Any
    ) -> CollectorResult:
        return CollectorResult(
            source=self.source,
            items=items,
            url=page.url,
            fetched_at=page.fetched_at,
            next_page=token,
            window=search.window,
            expected=place.expected(search, page),
        )

    def _ask(self, collection: Collection, search: Search, place: Place, last: list[int | None]) -> Page:
        refused: list[Response] = []
        asks = 0

        def read(response: Response) -> Page:
            nonlocal asks
            asks += 1
            page = read_answer(response)
            place.judge(page, last)
            if page.is_incomplete and asks < ASKS_FOR_ALL:
                raise BadAnswer(_incomplete(page))
            return page

        def explain(response: Response) -> str:
            refused.append(response)
            return reason(response)

        token = collection.config.get("token")
        headers = {"Accept": "application/vnd.github+json", "X-GitHub-Api-Version": "2022-11-28"}
        try:
            return collection.http.get(
                place.next_url or search.url,
                params=None if place.next_url else search.params(place),
                headers=headers | ({"Authorization": f"Bearer {token}"} if token else {}),
                parse=read,
                explain=explain,
            )
        except (SourceBusy, SourceRefused) as error:
            raise _hinted(error, refused[-1].status if refused else 0, bool(token)) from None


def _refuse_trending(collection: Collection) -> None:
    if collection.config.get("mode") != "search":
        raise UsageError(
            "the page of what is trending shows today only: there is none for days of the past",
            "a task with mode: search can collect what was created in them",
        )


def _hinted(error: SourceBusy | SourceRefused, status: int, has_token: bool) -> SourceBusy | SourceRefused:
    """The error with what to do about it."""
    if isinstance(error, SourceBusy) and status in {403, 429} and not has_token:
        hint = f"{error.hint}; it allows more with a token: ${{env:GITHUB_TOKEN}}"
        return SourceBusy(error.message, error.until, hint)
    if isinstance(error, SourceRefused) and status == 401:
        hint = "the token is not accepted: make a new one, or leave it out"
        return SourceRefused(error.message, hint, status=error.status)
    return error


def _incomplete(page: Page) -> str:
    return f"{page.url}: GitHub ran out of time and says that its answer is incomplete"
