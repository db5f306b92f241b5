"""GitHub: the page of trending repositories, or what a search finds.

github_trending   how the page is read, whichever generation of its markup it is of
github_search     how an answer of the search API is read, and how long GitHub wants to be left alone
github_walk       where a search stands, and what comes behind a page
github_slices     how a search of more than 1,000 results is cut into smaller ones
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from stoma.collectors.base import BaseCollector, Collection
from stoma.collectors.github_search import Page, busy_until, read_answer, reason
from stoma.collectors.github_trending import address, read_page
from stoma.collectors.github_walk import API, Place, Search, ids
from stoma.errors import BadAnswer, HostWait, SourceBusy, SourceRefused
from stoma.records import CollectorResult

if TYPE_CHECKING:
    from stoma.collectors.http import Response

ASKS_FOR_ALL = 3
"""So often an incomplete answer is asked for before what it has is taken."""


class GithubCollector(BaseCollector):
    """Repositories that are trending, or that a search finds."""

    source = "github"
    origin = "https://github.com"
    # With or without a token, public repositories are the same.
    not_selecting = frozenset({"token"})

    @classmethod
    def origin_of(cls, config: Mapping[str, Any]) -> str:
        """The page lies elsewhere than the API."""
        return API if config.get("mode") == "search" else cls.origin

    def collect(self, collection: Collection) -> Iterator[CollectorResult]:
        """Yield the one page of what is trending, or the pages of a search; a resumed search keeps its window."""
        is_search = collection.config.get("mode") == "search"
        yield from self._search(collection) if is_search else self._trending(collection)

    def _trending(self, collection: Collection) -> Iterator[CollectorResult]:
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
        words = [page.period or since, path.removeprefix("/trending").strip("/"), spoken or ""]
        ranking = ":".join(words).rstrip(":")
        items = [item | {"list": ranking} for item in page.items[: int(config.get("limit", 25))]]
        yield CollectorResult(self.source, items, page.url, page.fetched_at, expected=len(items))

    def _search(self, collection: Collection) -> Iterator[CollectorResult]:
        search = Search.of(collection.config, collection.now, collection.progress)
        place: Place | None = search.start(collection.progress)
        known: set[int | None] = set()
        last: list[int | None] = []
        while place is not None:
            here = place
            page = self._ask(collection, search, here, last)
            last = ids(page.items)
            if (place := search.cut(here, page)) is not None:
                # What it showed comes again with its parts.
                if page.spent_until is not None:
                    yield self._result(search, here, page, [], place.token(search))
                    raise _spent(page)
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
            if place is None:
                yield self._result(search, here, page, items, None)
            elif page.spent_until is None:
                yield self._result(search, here, page, items, here.token(search))
            else:
                # Not this page once more: where one request is all that is left each time, that would never end.
                yield self._result(search, here, page, items, place.token(search))
                raise _spent(page)

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
            raise _as_meant(error, refused[-1] if refused else None, bool(token)) from None


def _as_meant(
    error: SourceBusy | SourceRefused, refused: Response | None, has_token: bool
) -> SourceBusy | SourceRefused:
    """The error as GitHub means it: a limit that ends, or a refusal that lasts."""
    if refused is None:
        return error
    until = busy_until(refused)
    if until is not None and (isinstance(error, SourceRefused) or until > error.until):
        hint = f"GitHub is not asked before {until:%Y-%m-%d %H:%M:%S} UTC"
        if not has_token:
            hint += "; it allows more with a token: ${env:GITHUB_TOKEN}"
        return SourceBusy(error.message, until, hint)
    if refused.status == 401:
        return SourceRefused(error.message, "the token is not accepted: make a new one, or leave it out")
    return error


def _spent(page: Page) -> HostWait:
    """Give the place back, rather than send a request that GitHub has said it will refuse."""
    host = urlsplit(page.url).hostname or ""
    return HostWait(host, page.spent_until or page.fetched_at, "GitHub allows no more requests until then")


def _incomplete(page: Page) -> str:
    return f"{page.url}: GitHub ran out of time and says that its answer is incomplete"
