"""The stand-in for the HTTP client of a replay: it answers from what was kept, and has no way to ask anybody.

It is no HttpClient and holds none: no budget, no connection, only the rows of one attempt and a way to read a body.
"""

from __future__ import annotations

from collections import defaultdict, deque
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from datetime import datetime
from typing import Any, TypeVar
from urllib.parse import unquote_plus

from stoma.collectors.answers import Response, first_words, shown, status_words
from stoma.collectors.http import USUAL, request_key, spelled
from stoma.errors import BadAnswer, SourceRefused
from stoma.references import HIDDEN, REFERENCE
from stoma.stores.base import Row

T = TypeVar("T")


class NotKept(BadAnswer):
    """The collector asks for something that was not kept.

    A BadAnswer, because where a collector helped itself over one then (by asking for less), it has to do so again.
    """


class KeptAnswers:
    """Answers to the requests of one attempt in the order of time, each once; used like an HttpClient."""

    def __init__(self, rows: Sequence[Row], body: Callable[[int], bytes | None]) -> None:
        """`rows` as `Raw.answers` gives them; `body` reads one of them by its id."""
        # True when the last thing that was asked for was not there.
        self.has_missed = False
        self._body = body
        self._left = {row["id"] for row in rows}
        self._by_request: dict[str, deque[Row]] = defaultdict(deque)
        self._by_place: dict[str, deque[Row]] = defaultdict(deque)
        for row in rows:
            self._by_request[row["request"]].append(row)
            self._by_place[_place(row["url"])].append(row)

    def get(
        self,
        url: str,
        *,
        params: Mapping[str, Any] | None = None,
        headers: Mapping[str, str] | None = None,
        parse: Callable[[Response], T],
        explain: Callable[[Response], str] | None = None,
        unchanged: Callable[[int], T] | None = None,
    ) -> T:
        """What `parse` makes of the answer that came then; raises NotKept where none is there."""
        return self.ask(
            "GET", url, params=params, headers=headers, parse=parse, explain=explain, unchanged=unchanged
        )

    def ask(
        self,
        method: str,
        url: str,
        *,
        params: Mapping[str, Any] | None = None,
        headers: Mapping[str, str] | None = None,
        body: bytes | None = None,
        parse: Callable[[Response], T],
        explain: Callable[[Response], str] | None = None,
        unchanged: Callable[[int], T] | None = None,
    ) -> T:
        """The same with any method and a body."""
        url = spelled(url, params)
        row = self._next(request_key(method, url, headers or {}, body), url if body is None else None)
        if unchanged is not None and row is not None and row["status"] == 304:
            # What it stood for belongs to an earlier attempt.
            return unchanged(0)
        content = self._body(row["id"]) if row else None
        self.has_missed = content is None
        if row is None or content is None:
            raise NotKept(
                f"{shown(url)} was not kept: the task or its collector asks for something else by now"
            )
        response = Response(row["url"], row["status"], dict(row["headers"]), content, row["fetched_at"])
        if 200 <= response.status < 300:
            for _ in range(USUAL.asks - 1):
                # A collector may take an answer for what it is only after it came like this every time.
                with suppress(BadAnswer):
                    return parse(response)
            return parse(response)
        said = ""
        if explain is not None:
            with suppress(Exception):  # a refusal that cannot be read is a refusal all the same
                said = explain(response)
        said = said or first_words(response.body)
        words = f"{response.shown} answers {status_words(response.status)}"
        raise SourceRefused(f"{words}: {said}" if said else words)

    def cool(self, host: str, until: datetime, reason: str) -> None:
        """Nothing to do: nobody is asked."""

    def _next(self, request: str, url: str | None) -> Row | None:
        """The next answer to a request; by its address where the request is known by another key now."""
        queues = [self._by_request.get(request)]
        if url is not None:
            queues.append(self._by_place.get(_place(shown(url))))
        for queue in queues:
            while queue:
                row = queue.popleft()
                if row["id"] in self._left:
                    self._left.discard(row["id"])
                    return row
        return None


def _place(url: str) -> str:
    """An address however its secrets are spelled: what was masked then may be a reference without a value now."""
    # Where something was masked the address is in plain letters already, so a second time must change nothing. In an
    # address the reference of a secret stands in its place, in what a source sent only a sign.
    return REFERENCE.sub(HIDDEN, unquote_plus(unquote_plus(url)))
