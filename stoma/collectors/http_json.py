"""Any REST source, declared only in YAML: what is asked, where the items lie, how it is paged, what is new.

http_json_request   address, headers, body and credentials of one request
http_json_answers   an answer as a value, and the items in it
http_json_lists     which list holds them, where nobody says so
http_json_paging    what comes behind a page, and when a walk is over
http_json_cursor    from which instant on it is asked, and how far it has been collected
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import timedelta
from hashlib import blake2b
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from stoma.collectors.answers import shown
from stoma.collectors.base import BaseCollector, Collection, Estimate
from stoma.collectors.http_json_answers import columns_of, items_of, read_json, reason
from stoma.collectors.http_json_cursor import DAY, Cursor, Window, bounded, within
from stoma.collectors.http_json_paging import (
    BEHIND_THE_END,
    BY_NUMBER,
    MOST_PAGES,
    Page,
    Paging,
    Place,
    Token,
    digest_of,
)
from stoma.collectors.http_json_request import Question, is_full
from stoma.errors import HostWait, SourceBusy, SourceRefused, UsageError
from stoma.paths import Path, path_of
from stoma.records import CollectorResult
from stoma.references import REFERENCE, mask
from stoma.wording import several

if TYPE_CHECKING:
    from stoma.collectors.http import Response

UNAUTHORIZED = 401
"""The only refusal (4xx) that cannot mean a token that is too old: sources use any other for that."""

TAKEN = frozenset({"arxiv", "github", "sec_edgar"})
"""Sources whose records other collectors write."""


class HttpJsonCollector(BaseCollector):
    """Items of a JSON API, page by page. POST only asks: searches and GraphQL queries."""

    # What is made of an item does not change which ones are collected, nor does a mirror. `key` does: under another
    # one all are new.
    not_selecting = frozenset({"fields", "measures", "wait", "base_url"})

    @classmethod
    def origin_of(cls, config: Mapping[str, Any]) -> str:
        """The address that is asked; empty where a reference stands for its host."""
        url = str(config.get("url") or "")
        return "" if REFERENCE.search(url.partition("://")[2].partition("/")[0]) else url

    def selection(self, config: Mapping[str, Any]) -> dict[str, Any]:
        """All but the bounds that may be moved without beginning anew: `max_pages` and `look_back`."""
        found = super().selection(config)
        for name, bound in (("paging", "max_pages"), ("cursor", "look_back")):
            if isinstance(found.get(name), Mapping):
                found[name] = {key: value for key, value in found[name].items() if key != bound}
        return found

    def may_bring_nothing(self, collection: Collection) -> bool:
        """True where only what is new was asked for."""
        return collection.config.get("cursor") is not None and collection.cursor is not None

    def estimate(self, collection: Collection) -> Estimate:
        """Asks for the first page where it tells a total; else all that is known is that it takes a request."""
        walk = _Walk.of(collection)
        host = urlsplit(walk.question.url).hostname or ""
        if walk.paging.total is None:
            return Estimate(1, None, host)
        page = walk.ask(walk.paging.place(None), b"", set())
        if page.total is None:
            return Estimate(1, None, host)
        pages = -(-page.total // max(len(page.items), 1))
        return Estimate(max(1, pages), page.total, host, is_told=True)

    def collect(self, collection: Collection) -> Iterator[CollectorResult]:
        """Yield the pages in order; a resumed run keeps its window, and begins it anew where its token has expired.

        Raises UsageError where the config does not fit the source, SourceRefused where there are too many pages.
        """
        source = self.source_of(collection.config, collection.task_id)
        if source in TAKEN:
            raise UsageError(f"{source} is the source of another collector", "choose another: config.source")
        walk = _Walk.of(collection)
        progress = collection.progress
        first = walk.paging.place(None)
        here = walk.paging.place(progress.page) if progress is not None else first
        may_expire = here.onward is not None
        before: Page | bytes = walk.paging.before(progress.page) if progress is not None else b""
        # Committed where the second page has to wait: it might be so each time that one page is all that is granted.
        waiting: CollectorResult | None = None
        is_first = True
        # The tokens and links that led on so far: none of them leads on twice.
        seen: set[Token] = {here.onward} if here.onward is not None else set()
        while True:
            try:
                page = walk.ask(here, before, seen)
            except _Expired as expired:
                if not may_expire:
                    raise SourceRefused(expired.message, expired.hint) from None
                collection.log(f"{expired.message}; the place where it stood is gone, its window begins anew")
                here, before, may_expire, seen = first, b"", False, set()
                continue
            except (HostWait, SourceBusy):
                if waiting is not None:
                    yield waiting
                raise
            may_expire, before, pages = False, page, here.pages + 1
            following = walk.paging.following(here, page)
            walk.note(here, page, is_last=following is None)
            most, is_limit = walk.limit()
            if following is not None and pages >= most:
                if is_limit:
                    collection.log(f"ends behind {several(pages, 'page')}, as max_pages says; there is more")
                    following = None
                else:
                    # The next run counts anew.
                    here, following = replace(here, pages=0), replace(following, pages=0)
            yield walk.result(source, here, page, following)
            if following is None:
                return
            if pages >= most:
                raise SourceRefused(
                    f"{page.url} was page {pages:,} of this run, and there are more; what came is kept",
                    "the next run goes on there; paging.max_pages sets another limit",
                )
            waiting = walk.waiting(source, page, following) if is_first else None
            here, is_first = following, False
            if here.onward is not None:
                seen.add(here.onward)


class _Expired(SourceRefused):
    """A token was refused as sources refuse one that is too old."""


@dataclass(slots=True)
class _Walk:
    """One collection under way."""

    collection: Collection
    question: Question
    paging: Paging
    cursor: Cursor | None
    window: Window
    # The parameters that say what is new, or which days of the past are wanted.
    bounds: Mapping[str, Any]
    # None until an answer shows which list it is.
    items: Path | None
    # Where an answer says how many seconds to wait before the next request.
    wait: Path | None
    # True once an item had the field of the cursor.
    is_field_known: bool = False
    remark: str = ""

    @classmethod
    def of(cls, collection: Collection) -> _Walk:
        """What a config asks for; raises UsageError for a path that is none, and for days that nothing bounds."""
        config = collection.config
        try:
            cursor = Cursor.of(config.get("cursor"))
            paging = Paging.of(config.get("paging"))
            items = _items_path(config["items"]) if "items" in config else None
            wait = path_of(config["wait"]) if "wait" in config else None
            question = Question.of(config)
        except ValueError as error:
            raise UsageError(str(error)) from None
        form = cursor.format if cursor is not None else ""
        window = Window.of(collection.now, collection.cursor, collection.progress, form)
        if collection.span is None:
            bounds = window.values(cursor)
        else:
            cursor, bounds = bounded(cursor, collection.span)
        return cls(collection, question, paging, cursor, window, bounds, items, wait)

    def ask(self, place: Place, before: Page | bytes, seen: set[Token]) -> Page:
        """The page at a place; raises _Expired where a token is refused."""
        is_link = isinstance(place.onward, str) and self.paging.kind != "cursor"
        url, body = self.question.asked(
            {**self.bounds, **self.paging.values(place)}, str(place.onward) if is_link else ""
        )
        refused: list[Response] = []

        def read(response: Response) -> Page:
            page = self._read(response)
            if place.is_probe and page.is_again(before):
                # Some sources give their last page once more for any number behind it.
                return replace(page, items=[])
            self.paging.judge(place, page, before, seen)
            return page

        def explain(response: Response) -> str:
            refused.append(response)
            return reason(response)

        def unchanged(count: int) -> Page:
            return Page([], shown(url), self.collection.now, unmodified=count)

        # One answer has to be the whole of what it stands for: what is asked by date or in pages never is.
        is_whole = not self.paging.kind and self.cursor is None
        try:
            return self.collection.http.ask(
                self.question.method,
                url,
                headers=self.question.headers,
                body=body,
                parse=read,
                explain=explain,
                unchanged=unchanged if is_whole else None,
            )
        except SourceRefused as error:
            status = refused[-1].status if refused else 0
            if place.is_probe and status in BEHIND_THE_END:
                self.collection.log(f"{error.message}; taken as the end, for the page before was not full")
                return Page([], refused[-1].shown, refused[-1].fetched_at)
            if place.onward is not None and 400 <= status < 500 and status != UNAUTHORIZED:
                raise _Expired(error.message, error.hint) from None
            if self.paging.kind in BY_NUMBER and place.taken and status in BEHIND_THE_END and not error.hint:
                error.hint = "if it refuses pages behind its last one, tell it by: paging.size, total or more"
            raise

    def _read(self, response: Response) -> Page:
        where = response.shown
        value = read_json(response, is_lines=bool(self.collection.config.get("lines")))
        self._obey(value, response)
        given = self.items
        items, self.items = items_of(value, given, where)
        if given is None and self.items is not None and self.items.steps:
            self.collection.log(f"{where}: takes the list {self.items.text}, for no items are given")
        onward = self.paging.onward(value, response.headers, where)
        lacks = self.paging.lacks(value) if onward is None and items else ""
        if onward is not None and self.paging.kind != "cursor":
            onward = self.question.leads_on(response.url, str(onward), where)
        return Page(
            items=items,
            url=where,
            fetched_at=response.fetched_at,
            onward=onward,
            total=self.paging.total_in(value, where),
            more=self.paging.more_in(value, where),
            # Where one page after the other is counted, nothing else tells that they are all the same; a normalizer
            # may have changed the items when the next page comes. Tokens and links tell it by themselves.
            taken_digest=digest_of(items) if self.paging.kind in BY_NUMBER else b"",
            answer=blake2b(response.body, digest_size=16, key=_place_of(self.items)).hexdigest(),
            lacks=lacks,
        )

    def _obey(self, value: Any, response: Response) -> None:
        """Leave the source alone for as long as its answer wants; whoever asks on meanwhile is shut out there."""
        try:
            seconds = self.wait.find(value) if self.wait is not None else None
        except ValueError:
            return
        if isinstance(seconds, int | float) and 0 < seconds <= DAY.total_seconds():
            host = urlsplit(response.url).hostname or ""
            until = response.fetched_at + timedelta(seconds=seconds)
            self.collection.http.cool(host, until, f"its answer says wait {seconds} s")

    def note(self, here: Place, page: Page, *, is_last: bool) -> None:
        """Let the window know what a page has shown, and tell what is odd about its numbers."""
        if self.cursor is not None and not self.is_field_known and page.items:
            if fault := self.cursor.fault(page.items):
                raise UsageError(f"{page.url}: {fault}", "nothing would tell what is new")
            self.is_field_known = any(self.cursor.mark(item) is not None for item in page.items)
        if is_last and page.lacks and here.onward is None and page.more is not False and page.total is None:
            told = f"{page.url} is the only page, for {page.lacks}"
            self.collection.log(told)
            if is_full(len(page.items), self.question):
                self.remark = f"{told}; it has exactly {len(page.items)} items, so there may be more"
        if self.collection.span is None:
            self.window = self.window.with_items(page.items, self.cursor)
        taken, total = here.taken + len(page.items), page.total or here.total
        if self.paging.total is not None and total is None and page.items and not here.taken:
            self.collection.log(f"paging.total: {self.paging.total.text} leads to no number")
        if is_last and page.more is not False and taken < (total or 0):
            self.collection.log(f"{page.url} is the last page: {taken:,} of {total:,} items were given")

    def limit(self) -> tuple[int, bool]:
        """How many pages a run reads, and whether it may end there; what has to be complete may not."""
        most = self.paging.max_pages
        if self.collection.span is not None:
            return max(most or 0, MOST_PAGES), False
        return most or MOST_PAGES, most is not None and self.cursor is None

    def result(self, source: str, here: Place, page: Page, following: Place | None) -> CollectorResult:
        """A page as the pipeline takes it."""
        span, items = self.collection.span, page.items
        if span is not None and self.cursor is not None:
            items = within(items, self.cursor, span)
        token = _kept(self.paging.token(here, following)) if following is not None else None
        is_end = following is None and span is None
        return CollectorResult(
            source=source,
            items=items,
            url=page.url,
            fetched_at=page.fetched_at,
            next_page=token,
            window=self.window.kept(),
            cursor=self.window.cursor() if is_end else None,
            expected=page.total or here.total,
            unmodified=page.unmodified,
            remark=self.remark,
            # Of a window of the past only some of the items may be taken.
            answer=page.answer if span is None and items else "",
        )

    def waiting(self, source: str, page: Page, following: Place) -> CollectorResult:
        """No page, but the place behind the one before: whoever goes on does not ask for that once more."""
        return CollectorResult(
            source=source,
            items=[],
            url=page.url,
            fetched_at=page.fetched_at,
            next_page=_kept(self.paging.onward_token(following, page.digest)),
            window=self.window.kept(),
            expected=following.total,
        )


def _place_of(items: Path | None) -> bytes:
    """Which list of an answer is meant, as a key for its hash."""
    return blake2b(items.text.encode(), digest_size=16).digest() if items is not None else b""


def _items_path(given: Any) -> Path:
    return columns_of(path_of(given["columns"])) if isinstance(given, Mapping) else path_of(given)


def _kept(token: dict[str, Any]) -> dict[str, Any]:
    """The token; nothing of one that holds a secret, without which nobody could go on from there."""
    return token if mask(str(token)) == str(token) else {}
