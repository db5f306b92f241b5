"""The one HTTP client: budgets, patience, deadlines and limits. The only module that knows requests.

get(url, parse=...)       up to 3 asks for one page, with short waits between them
 └─ _follow               one ask: redirects are followed by hand, at most 5
     └─ _hop              one request, inside the budget of its own host
         ├─ _open         status line and headers; whatever requests raises becomes a SourceError here
         ├─ _read         the body, piece by piece, decoded, up to the size limit
         └─ _judge        a refusal or a wish for patience becomes an error

Beside it: answers.py reads what came, patience.py keeps the time, wire.py holds the connections.
"""

from __future__ import annotations

import os
import random
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from datetime import timedelta
from functools import cached_property
from typing import Any, NoReturn, TypeVar
from urllib.parse import urlsplit, urlunsplit

import requests
from requests.adapters import HTTPAdapter
from requests.utils import get_environ_proxies

from stoma.collectors.answers import (
    PIECE,
    Response,
    Undecodable,
    decoded,
    first_words,
    is_loopback,
    origin,
    redirect_target,
    retry_after,
    shown,
    status_words,
    user_agent,
)
from stoma.collectors.base import Deadline, HostBudget
from stoma.collectors.patience import Clock, Limits, Watch
from stoma.collectors.wire import TROUBLE, Wire, in_words, never_connected
from stoma.errors import BadAnswer, DeadlineExceeded, SourceBusy, SourceRefused, Unreachable

__all__ = ["Clock", "HttpClient", "Limits", "Response", "shown", "user_agent"]

T = TypeVar("T")
Explain = Callable[[Response], str]

REDIRECTS = frozenset({301, 302, 303, 307, 308})
SAME_METHOD = frozenset({307, 308})
"""Redirects that ask the same again elsewhere; behind the others lies something to get (RFC 9110, 15.4)."""

BUSY = frozenset({429, 503})
PASSING = frozenset({408, 425})
"""Refusals (4xx) that are no refusals but a matter of the moment."""

HARMLESS = frozenset({"accept", "accept-language"})
"""Headers that may follow a redirect to another host; any other might be a credential."""

USUAL = Limits()

LONGEST_COOLING = timedelta(days=1)
"""A host that asks for more patience is asked again after this, whatever it said."""


class HttpClient:
    """Asks sources for pages on behalf of one try of one run; used by one thread, closed at its end."""

    def __init__(
        self,
        budget: HostBudget,
        user_agent: str,
        deadline: Deadline,
        stopping: threading.Event,
        *,
        attempt: int = 1,
        log: Callable[[str], None] = lambda _: None,
        limits: Limits | None = None,
        clock: Clock | None = None,
    ) -> None:
        """`attempt` is the number of the try: each makes a cool-down without Retry-After twice as long."""
        self._budget = budget
        self._headers = {"User-Agent": user_agent, "Accept": "*/*", "Accept-Encoding": "gzip, deflate"}
        self._attempt = attempt
        self._log = log
        self._limits = limits or USUAL
        self._deadline = deadline
        self._stopping = stopping
        self._clock = clock

    def __enter__(self) -> HttpClient:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Let go of every connection."""
        if "_watch" in self.__dict__:
            self._watch.close()
        if "_adapter" in self.__dict__:
            self._adapter.close()

    # Made for the first request: a run that asks for nothing does not pay for them.

    @cached_property
    def _wire(self) -> Wire:
        return Wire()

    @cached_property
    def _adapter(self) -> _Adapter:
        return _Adapter(self._wire)

    @cached_property
    def _watch(self) -> Watch:
        return Watch(self._deadline, self._stopping, self._limits, self._clock or Clock(), self._wire.cut)

    def get(
        self,
        url: str,
        *,
        params: Mapping[str, Any] | None = None,
        headers: Mapping[str, str] | None = None,
        parse: Callable[[Response], T],
        explain: Explain | None = None,
        unchanged: Callable[[int], T] | None = None,
    ) -> T:
        """What `parse` makes of the answer; it may raise BadAnswer, and the page is asked for again.

        `explain` finds the reason in the body of a refusal; without it its first words are quoted. With `unchanged` the
        request is conditional: it is called with the number of items that the answer had when it was accepted last.
        Raises SourceError, HostWait, DeadlineExceeded or Stopped.
        """
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
        explain: Explain | None = None,
        unchanged: Callable[[int], T] | None = None,
    ) -> T:
        """The same with any method and a body; only what changes nothing at the source may be asked like this."""
        try:
            # Spelled out here, so that messages name the whole address.
            url = str(requests.Request("GET", url, params=dict(params or {})).prepare().url)
        except TROUBLE as error:
            raise self._translated(error, url) from None
        asks = 0
        while True:
            asks += 1
            is_last = asks == self._limits.asks
            try:
                return parse(self._follow(method, url, dict(headers or {}), body, explain, is_last))
            except (Unreachable, BadAnswer) as error:
                pause = self._limits.pauses[min(asks, len(self._limits.pauses)) - 1]
                if isinstance(error, _Waited):
                    pause = 0.0
                if is_last or pause >= self._watch.left():
                    times = f" (asked {asks} times)" if asks > 1 else ""
                    raise _reworded(error, f"{error.message}{times}") from None
                self._log(f"{error.message}; asking again")
            self._watch.wait(pause)

    def _follow(
        self,
        method: str,
        url: str,
        headers: dict[str, str],
        body: bytes | None,
        explain: Explain | None,
        is_last: bool,
    ) -> Response:
        first, hops = url, 0
        while True:
            self._wire.renew(first=not hops)
            response = self._hop(method, url, headers, body, explain, is_last)
            if response.status not in REDIRECTS:
                return response
            hops += 1
            if hops > self._limits.redirects:
                raise SourceRefused(f"{shown(first)} redirects more than {self._limits.redirects} times")
            target = redirect_target(response)
            if response.status not in SAME_METHOD:
                method, body = "GET", None
            if origin(target) != origin(urlsplit(url)):
                headers = {name: value for name, value in headers.items() if name.lower() in HARMLESS}
            # Names and passwords inside an address are ours to give, not the other side's.
            url = urlunsplit(target._replace(netloc=target.netloc.rpartition("@")[2]))

    def _hop(
        self,
        method: str,
        url: str,
        headers: Mapping[str, str],
        sent: bytes | None,
        explain: Explain | None,
        is_last: bool,
    ) -> Response:
        host = urlsplit(url).hostname or ""
        with self._turn(host), self._watch.request():
            raw = self._open(method, url, headers, sent, host)
            try:
                names = {name.lower(): value for name, value in raw.headers.items()}
                is_data = 200 <= raw.status_code < 300
                body = self._read(raw, names, url, in_full=is_data)
            finally:
                raw.close()
            response = Response(raw.url, raw.status_code, names, body, self._watch.now())
            if not is_data and response.status not in REDIRECTS:
                self._judge(response, host, explain, is_last)
            return response

    @contextmanager
    def _turn(self, host: str) -> Iterator[None]:
        """The next request to `host` in its order, its connection given back whatever happens."""
        self._watch.check()
        limits = self._limits
        # As long as a request with its waits can last: a killed process holds the connection no longer.
        hold = min(limits.request + 2 * limits.patience, self._watch.left()) + 1.0
        grant = self._budget.enter(host, timedelta(seconds=hold), timedelta(seconds=limits.patience))
        try:
            self._watch.wait(grant.wait)
            yield
        finally:
            self._budget.leave(grant)

    def _open(
        self, method: str, url: str, headers: Mapping[str, str], body: bytes | None, host: str
    ) -> requests.Response:
        left = max(self._watch.left(), 0.01)
        proxies = {} if is_loopback(host) else get_environ_proxies(url)
        self._wire.proxied = bool(proxies)
        try:
            # Without a session: no cookies, no netrc, nothing remembered between requests.
            return self._adapter.send(
                requests.Request(method, url, headers={**self._headers, **headers}, data=body).prepare(),
                stream=True,
                timeout=(min(self._limits.connect, left), min(self._limits.silence, left)),
                verify=_certificates(),
                proxies=proxies,
            )
        except TROUBLE as error:
            raise self._translated(error, url) from None

    def _read(self, raw: requests.Response, headers: Mapping[str, str], url: str, in_full: bool) -> bytes:
        """The decoded body, or as much of a refusal's as is needed for its first words."""
        limit = self._limits.body if in_full else PIECE
        too_large = SourceRefused(
            f"{shown(url)} answers with more than {limit >> 20} MB", "ask for less at once"
        )
        length = headers.get("content-length", "")
        if in_full and length.isdigit() and int(length) > limit:
            raise too_large
        kept: list[bytes] = []
        size = 0
        try:
            for piece in decoded(_pieces(raw), headers.get("content-encoding", "")):
                kept.append(piece)
                size += len(piece)
                if size > limit:
                    break
        except TROUBLE as error:
            if in_full or self._wire.is_cut:
                raise self._translated(error, url) from None
        if self._wire.is_cut:  # then the end of the connection only looks like the end of the body
            raise self._watch.why(shown(url))
        if in_full and size > limit:
            raise too_large
        return b"".join(kept)

    def _judge(self, response: Response, host: str, explain: Explain | None, is_last: bool) -> NoReturn:
        said = ""
        if explain is not None:
            with suppress(Exception):  # a refusal that cannot be read is a refusal all the same
                said = explain(response)
        said = said or first_words(response.body)
        words = f"{response.shown} answers {status_words(response.status)}" + (f": {said}" if said else "")
        # A refusal with Retry-After is none: GitHub says so of its limits with a 403.
        if response.status in BUSY or (
            response.status in {403, 500, 502, 504} and "retry-after" in response.headers
        ):
            self._be_patient(response, host, words, is_last)
        if response.status >= 500 or response.status in PASSING:
            raise BadAnswer(words)
        raise SourceRefused(words)

    def _be_patient(self, response: Response, host: str, words: str, is_last: bool) -> NoReturn:
        now = self._watch.now()
        seconds = retry_after(response.headers, now)
        if seconds is None:
            # Many clients are sent away at the same moment; they should not come back at the same moment.
            seconds = self._limits.cooling * 2 ** min(self._attempt - 1, 10)
            seconds *= random.uniform(1.0, 1.2)  # noqa: S311
        elif seconds <= self._limits.patience and seconds < self._watch.left() and not is_last:
            # Waited here, with the connection still taken, so that none of our other runs asks meanwhile.
            self._watch.wait(max(seconds, self._limits.pauses[0]))
            raise _Waited(words)
        until = now + timedelta(seconds=min(seconds, LONGEST_COOLING.total_seconds()))
        self._budget.cool(host, until, f"it answered {status_words(response.status)}")
        raise SourceBusy(words, until, f"{host} is not asked before {until:%Y-%m-%d %H:%M:%S} UTC")

    def _translated(self, error: BaseException, url: str) -> Exception:
        if self._wire.is_cut:
            return self._watch.why(shown(url))
        if isinstance(error, Undecodable):
            return BadAnswer(f"{shown(url)} {error}")
        kind, words = in_words(error, self._limits.connect, self._limits.silence)
        if kind is Unreachable and self._watch.left() <= 0:
            return DeadlineExceeded(f"the time of the run was up while {shown(url)} was asked ({words})")
        if kind is Unreachable and never_connected(error):
            return Unreachable(f"{shown(url)}: {words}", host=urlsplit(url).hostname or "")
        return kind(f"{shown(url)}: {words}")


class _Adapter(HTTPAdapter):
    """Makes the connections for requests, and shows them to the wire."""

    def __init__(self, wire: Wire) -> None:
        super().__init__()
        self._wire = wire

    def get_connection_with_tls_context(self, *args: Any, **kwargs: Any) -> Any:
        return self._wire.watched(super().get_connection_with_tls_context(*args, **kwargs))


class _Waited(Unreachable):
    """The source asked for a short wait, and it is over."""


def _reworded(error: Unreachable | BadAnswer, message: str) -> Unreachable | BadAnswer:
    if isinstance(error, Unreachable):
        return type(error)(message, error.hint, host=error.host)
    return type(error)(message, error.hint)


def _pieces(raw: requests.Response) -> Iterator[bytes]:
    # One read of the socket each time, still encoded: the size is bounded before anything is unpacked.
    while piece := raw.raw.read1(PIECE, decode_content=False):
        yield piece


def _certificates() -> bool | str:
    """Whom to trust: the usual variables name a bundle, else certifi's; verification is never switched off."""
    names = ("REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "SSL_CERT_FILE")
    return next((os.environ[name] for name in names if os.environ.get(name)), True)
