"""A feed: one answer with its newest entries, asked no oftener than it wants to be.

What a run knows of the one before is the cursor: when the feed answered last and how long it rests, where it has moved
for good, which entries it had. It moves only with completed runs, like any cursor; any edit of the task begins anew.

How an answer is read: feed_reading.py. How long a feed rests: feed_manners.py. What makes an entry: feed_identity.py.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from hashlib import blake2b
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qsl, urlsplit, urlunsplit

from stoma.collectors.answers import origin, shown
from stoma.collectors.base import BaseCollector, Collection, Estimate
from stoma.collectors.feed_identity import MOST_KEPT, digest, identified
from stoma.collectors.feed_manners import Rest, rests_until
from stoma.collectors.feed_reading import Feed, read_feed
from stoma.collectors.http_json_request import keep_quiet
from stoma.errors import BadAnswer, SourceGone, SourceRefused, Unreachable, UsageError
from stoma.records import CollectorResult

if TYPE_CHECKING:
    from stoma.collectors.http import Response

ACCEPT = (
    "application/atom+xml, application/rss+xml, application/rdf+xml, application/feed+json, "
    "application/xml;q=0.9, text/xml;q=0.9, application/json;q=0.8, */*;q=0.1"
)
GONE = 410


class FeedCollector(BaseCollector):
    """RSS, Atom, RDF and JSON Feed: the entries that a feed lists now."""

    # A mirror has the same entries.
    not_selecting = frozenset({"base_url"})
    may_be_empty = True

    def estimate(self, collection: Collection) -> Estimate:
        """Never: what has left a feed cannot be asked for."""
        raise UsageError("a feed lists only its newest entries: it cannot collect days of the past")

    def collect(self, collection: Collection) -> Iterator[CollectorResult]:
        """Yield one page with what the feed lists; without items where it rests or has not changed.

        Of a feed that is cut off the whole entries are yielded, and BadAnswer is raised behind them.
        """
        if collection.span is not None:
            self.estimate(collection)
        url, now = address(collection.config), collection.now
        keep_quiet(parse_qsl(urlsplit(url).query))
        memory = _Memory.of(collection.cursor, url)
        if memory.asked_at and (rest := rests_until(memory.rest, memory.asked_at, now)):
            until, why = rest
            collection.log(
                f"{shown(url)} is not asked before {until:%Y-%m-%d %H:%M} UTC: it asks for that ({why})"
            )
            yield self._page(collection, [], shown(url), now, unmodified=memory.items)
            return
        partial: list[Feed] = []
        try:
            answer, memory = _ask(collection, url, memory, partial)
        except BadAnswer:
            if partial:
                yield from self._saved(collection, partial[0], memory)
            raise
        memory = replace(memory, asked_at=now)
        if isinstance(answer, int):
            memory = replace(memory, items=answer)
            yield self._page(collection, [], shown(url), now, unmodified=answer, cursor=memory.as_cursor())
            return
        items, shared = identified(answer.items, memory.shared)
        ids = tuple(digest(str(item.get("key"))) for item in items)
        limit = collection.config.get("limit")
        _tell_what_is_missed(collection, memory.ids, ids, limit)
        if answer.remark:
            collection.log(f"{answer.url}: {answer.remark}")
        if twice := len(answer.items) - len(items):
            collection.log(f"{answer.url}: {twice} entries come twice; the first of each counts")
        kept = items[:limit]
        memory = replace(memory, rest=answer.rest, items=len(kept), ids=ids[:MOST_KEPT], shared=tuple(shared))
        yield self._page(collection, kept, answer.url, answer.fetched_at, cursor=memory.as_cursor())

    def _saved(self, collection: Collection, feed: Feed, memory: _Memory) -> Iterator[CollectorResult]:
        """The whole entries of a feed that is cut off, unless a try before saved them already."""
        items, _ = identified(feed.items, memory.shared)
        items = items[: collection.config.get("limit")]
        token = {"cut": digest(" ".join(str(item.get("key")) for item in items))}
        if collection.progress is None or collection.progress.page != token:
            # Not the last page: the run has to fail behind it, for older entries are missing.
            yield replace(
                self._page(collection, items, feed.url, feed.fetched_at), next_page=token, expected=None
            )

    def _page(
        self,
        collection: Collection,
        items: list[dict[str, Any]],
        url: str,
        fetched_at: datetime,
        *,
        unmodified: int = 0,
        cursor: Mapping[str, Any] | None = None,
    ) -> CollectorResult:
        return CollectorResult(
            source=self.source_of(collection.config, collection.task_id),
            items=items,
            url=url,
            fetched_at=fetched_at,
            cursor=cursor,
            expected=len(items),
            unmodified=unmodified,
        )


@dataclass(frozen=True, slots=True)
class _Memory:
    """What the cursor keeps; `url` is a digest of the configured address that the rest belongs to."""

    url: str
    asked_at: datetime | None = None
    items: int = 0
    rest: Rest = field(default_factory=Rest)
    moved_to: str = ""
    ids: tuple[str, ...] = ()
    # Ids that several entries have.
    shared: tuple[str, ...] = ()

    @classmethod
    def of(cls, cursor: Mapping[str, Any] | None, url: str) -> _Memory:
        # With keep_cursor an edited task brings the cursor of another feed.
        if not cursor or cursor.get("url") != _digest_of(url):
            return cls(_digest_of(url))
        return cls(
            url=cursor["url"],
            asked_at=datetime.fromisoformat(cursor["asked_at"]),
            items=cursor["items"],
            rest=Rest.of(cursor["rest"]),
            moved_to=cursor["moved_to"],
            ids=tuple(cursor["ids"]),
            shared=tuple(cursor["shared"]),
        )

    def as_cursor(self) -> dict[str, Any]:
        return {
            "url": self.url,
            "asked_at": self.asked_at.astimezone(UTC).isoformat() if self.asked_at else "",
            "items": self.items,
            "rest": self.rest.as_dict(),
            "moved_to": self.moved_to,
            "ids": list(self.ids),
            "shared": list(self.shared),
        }


def address(config: Mapping[str, Any]) -> str:
    """Where the feed is; `base_url` replaces scheme and host, path and query follow it."""
    url, base = str(config["url"]), config.get("base_url")
    if not base:
        return url
    parts = urlsplit(url)
    return str(base).rstrip("/") + urlunsplit(("", "", parts.path or "/", parts.query, ""))


def _ask(
    collection: Collection, url: str, memory: _Memory, partial: list[Feed]
) -> tuple[Feed | int, _Memory]:
    """The feed, or how many entries it had when it has not changed; what is cut off is left in `partial`.

    A feed that had moved for good is asked where it is, and where it was when nothing is there any more.
    """
    if memory.moved_to:
        collection.log(f"{shown(url)} has moved for good to {memory.moved_to}: write that as url")
        try:
            return _answer(collection, memory.moved_to, memory, partial)
        except (SourceRefused, Unreachable) as error:
            collection.log(f"{error.message}; asking {shown(url)} again")
    answer, forgetful = _answer(collection, url, replace(memory, moved_to=""), partial)
    if forgetful.moved_to:
        collection.log(f"{shown(url)} has moved for good to {forgetful.moved_to}: write that as url")
    return answer, forgetful


def _answer(
    collection: Collection, url: str, memory: _Memory, partial: list[Feed]
) -> tuple[Feed | int, _Memory]:
    refused: list[int] = []

    def read(response: Response) -> Feed | int:
        feed = read_feed(response)
        if feed.fault:
            partial[:] = [feed]
            raise BadAnswer(feed.fault)
        return feed

    def explain(response: Response) -> str:
        refused[:] = [response.status]
        return ""

    given = dict(collection.config.get("headers") or {})
    try:
        answer = collection.http.get(
            url,
            headers={"Accept": ACCEPT, **given},
            parse=read,
            explain=explain,
            unchanged=lambda count: count,
        )
    except SourceRefused as error:
        if GONE in refused:
            hint = "take the task out of its file, disable it, or give it another url"
            raise SourceGone(f"{error.message}: the feed is gone for good", hint) from None
        raise
    if isinstance(answer, Feed) and answer.moved_to and _may_keep(url, answer.moved_to, given):
        memory = replace(memory, moved_to=answer.moved_to)
    return answer, memory


def _may_keep(url: str, moved_to: str, headers: Mapping[str, str]) -> bool:
    """True when an address may lie in the store, and be asked with the same headers: no secret moves with it."""
    return shown(moved_to) == moved_to and (
        not headers or origin(urlsplit(url)) == origin(urlsplit(moved_to))
    )


def _tell_what_is_missed(
    collection: Collection, before: tuple[str, ...], now: tuple[str, ...], limit: int | None
) -> None:
    """Say so when entries came and went between two runs, or when `limit` leaves new ones out."""
    if not before or not now:
        return
    known = set(before)
    if known.isdisjoint(now):
        collection.log(
            f"none of the {len(before)} entries of the last run is in the feed any more: "
            "some in between may have been missed; run the task more often"
        )
    left_out = sum(one not in known for one in now[limit:MOST_KEPT]) if limit is not None else 0
    if left_out:
        collection.log(
            f"limit: {limit} leaves out {left_out} new entries; raise it or run the task more often"
        )


def _digest_of(url: str) -> str:
    return blake2b(url.encode("utf-8", "replace"), digest_size=16).hexdigest()
