"""The one HTTP client: budgets, patience, deadlines and limits. The only module that knows requests.

get(url, parse=...)       up to 3 asks for one page, with short waits between them
 └─ _follow               one ask: redirects are followed by hand, at most 5
     └─ _hop              one request, inside the budget of its own host
         ├─ _open         status line and headers; whatever requests raises becomes a SourceError here
         ├─ _read         the body, piece by piece, decoded, up to the size limit
         └─ refusals.py   a refusal or a wish for patience becomes an error

Beside it: pages.py knows what is asked and kept, answers.py reads what came, allowance.py what a source allows,
patience.py keeps the time, addresses.py says where not to go, wire.py holds the connections.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from functools import cached_property
from time import monotonic
from typing import Any, TypeVar
from urllib.parse import urlsplit, urlunsplit

import requests
from requests.adapters import HTTPAdapter
from requests.utils import get_auth_from_url, get_environ_proxies

from stoma import metrics
from stoma.collectors import addresses, allowance, pages
from stoma.collectors.answers import (
    PIECE,
    Response,
    Undecodable,
    decoded,
    is_loopback,
    redirect_target,
    shown,
    user_agent,
)  # fmt: skip
from stoma.collectors.base import Deadline, Grant, HostBudget, Outcome, Validators
from stoma.collectors.pages import Asked, Kept
from stoma.collectors.patience import Clock, Limits, Watch
from stoma.collectors.refusals import Refusals, Waited
from stoma.collectors.wire import TROUBLE, Wire, in_words, never_connected
from stoma.errors import (
    BadAnswer,
    DeadlineExceeded,
    HostWait,
    SourceBusy,
    SourceError,
    SourceRefused,
    Unreachable,
)
from stoma.hosts import NOT_SENT, Allowance, plain_host
from stoma.references import remember_basic

__all__ = [
    "Clock",
    "HttpClient",
    "Kept",
    "Limits",
    "Response",
    "request_key",
    "shown",
    "spelled",
    "user_agent",
]

T = TypeVar("T")
Explain = Callable[[Response], str]

REDIRECTS = frozenset({301, 302, 303, 307, 308})
NOT_MODIFIED = 304

ANY_KIND = "*/*"

USUAL = Limits()

SPENT = "it allows no more requests until then"


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
        validators: Validators | None = None,
        named: frozenset[str] = frozenset(),
        keep: Callable[[Kept], None] | None = None,
    ) -> None:
        """`attempt` is the number of the try: each makes a cool-down without Retry-After twice as long.

        `validators` make requests conditional; `named` are the hosts that may lie in a private network
        (`hosts_named`); `keep` is shown each answer that was accepted (a 304 too), and each lasting refusal
        that was explained.
        """
        self._budget = budget
        self._headers = {"User-Agent": user_agent, "Accept": ANY_KIND, "Accept-Encoding": "gzip, deflate"}
        self._attempt = attempt
        self._log = log
        self._limits = limits or USUAL
        self._deadline = deadline
        self._stopping = stopping
        self._clock = clock
        self._validators = validators
        self._named = named
        self._keep = keep
        # True once a request was sent; and while what was asked is not committed.
        self.has_asked = self._is_midway = False

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
        self._budget.close()

    def committed(self) -> None:
        """What was asked so far is kept: from here on nothing is lost by giving the slot back."""
        self._is_midway = False

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

    @cached_property
    def _refusals(self) -> Refusals:
        return Refusals(self._budget, self._watch, self._limits, self._attempt, self._keep)

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
            url = spelled(url, params)
        except TROUBLE as error:
            raise self._translated(error, url) from None
        sent = dict(headers or {})
        key = request_key(method, url, sent, body)
        known = self._validators.known(key) if self._validators and unchanged and method == "GET" else None
        conditions = pages.conditions(known) if known else {}
        asked = Asked(method, url, sent | conditions, body, key, explain, bool(conditions))
        asks = 0
        failed: Unreachable | BadAnswer | None = None
        while True:
            asks += 1
            is_last = asks == self._limits.asks
            try:
                response = self._follow(asked, is_last)
                if response.status == NOT_MODIFIED and known and unchanged:
                    page = unchanged(known.items)
                    if self._keep is not None:
                        self._keep(pages.kept(key, response))
                    return page
                return self._accepted(response, key, parse, is_whole=unchanged is not None)
            except HostWait as wait:
                if failed is None:
                    raise
                # What went wrong is the error, and this one only says when it may be asked again.
                raise _reworded(failed, f"{failed.message} ({wait.message})", wait.until) from None
            except (Unreachable, BadAnswer) as error:
                failed = error
                pause = self._limits.pauses[min(asks, len(self._limits.pauses)) - 1]
                if isinstance(error, Waited):
                    pause = 0.0
                if is_last or pause >= self._watch.left():
                    times = f" (asked {asks} times)" if asks > 1 else ""
                    raise _reworded(error, f"{error.message}{times}") from None
                self._log(f"{error.message}; asking again")
            self._watch.wait(pause)

    def cool(self, host: str, until: datetime, reason: str) -> datetime:
        """Nobody who shares the store asks `host` before `until`, at most a day from now; gives what it came to."""
        return self._refusals.cool(host, until, reason)

    def _accepted(self, response: Response, key: str, parse: Callable[[Response], T], *, is_whole: bool) -> T:
        try:
            page = parse(response)
        except SourceBusy as error:
            # A page that only asks for patience may come with any status.
            raise self._refusals.obeyed(error, response) from None
        if self._keep is not None:
            self._keep(pages.kept(key, response))
        if self._validators is not None and is_whole and response.status == 200:
            # Also when there are none any more: those from before no longer belong to what was accepted.
            self._validators.note(key, *pages.validators(response.headers))
        return page

    def _follow(self, asked: Asked, is_last: bool) -> Response:
        first = asked
        while True:
            try:
                response = self._hop(asked, is_last)
            except addresses.NotAllowed as error:
                if asked.hops:
                    raise addresses.NotAllowed(
                        f"{shown(first.url)} redirects: {error.message}", error.hint
                    ) from None
                raise
            if response.status not in REDIRECTS:
                return replace(response, moved_to=asked.moved_to)
            if asked.hops == self._limits.redirects:
                raise SourceRefused(f"{shown(first.url)} redirects more than {self._limits.redirects} times")
            target = redirect_target(response)
            try:
                # Spelled as it is sent, so that what is judged is what is asked.
                url = spelled(urlunsplit(target))
            except TROUBLE as error:
                raise self._translated(error, urlunsplit(target)) from None
            asked = asked.led_to(urlsplit(url), response.status, shown=response.shown)

    def _hop(self, asked: Asked, is_last: bool) -> Response:
        host = urlsplit(asked.url).hostname or ""
        is_named = plain_host(host) in self._named
        if why := addresses.fault_of_name(host, is_named):
            raise addresses.refused(shown(asked.url), why)
        self._wire.renew(shown(asked.url), is_named)
        with self._turn(host) as turn, self._watch.request():
            raw = self._open(asked, host)
            turn.status = raw.status_code
            try:
                names = {name.lower(): value for name, value in raw.headers.items()}
                is_data = 200 <= raw.status_code < 300
                body = self._read(raw, names, asked.url, in_full=is_data)
            finally:
                raw.close()
            now = self._watch.now()
            turn.told = allowance.told(names, now)
            response = Response(raw.url, raw.status_code, names, body, now)
            if response.status in REDIRECTS:
                return response
            turn.is_unmodified = asked.is_conditional and response.status == NOT_MODIFIED
            if not is_data and not turn.is_unmodified:
                self._refusals.judge(response, asked, turn.told, is_last=is_last)
            if (spent := allowance.spent_until(turn.told, now)) is None:
                return response
            return replace(response, spent_until=self.cool(host, spent, SPENT))

    @contextmanager
    def _turn(self, host: str) -> Iterator[_Turn]:
        """The next request to `host` in its order, its connection given back whatever happens."""
        self._watch.check()
        limits = self._limits
        # As long as a request with its waits can last: a killed process holds the connection no longer.
        hold = min(limits.request + 2 * limits.patience, self._watch.left()) + 1.0
        began = monotonic()
        try:
            grant = self._granted(host, timedelta(seconds=hold))
        except HostWait as wait:
            metrics.POSTPONED.add(wait.host)
            raise
        metrics.HOST_WAITS.add(grant.host, by=monotonic() - began)
        turn = _Turn()
        try:
            turn.is_sent = self.has_asked = self._is_midway = True
            yield turn
        except (SourceBusy, Waited):
            turn.is_busy = True
            raise
        except (SourceError, DeadlineExceeded):
            turn.is_failed = turn.is_sent
            raise
        finally:
            metrics.REQUESTS.add(grant.host, turn.status_class)
            self._budget.leave(grant, turn.outcome())

    def _granted(self, host: str, hold: timedelta) -> Grant:
        """The next turn, when it has come; midway a longer wait is waited here, without a connection meanwhile."""
        limits, waited = self._limits, 0.0
        while True:
            try:
                grant = self._budget.enter(host, hold, timedelta(seconds=limits.patience))
                if self._has_come(grant):
                    return grant
            except HostWait as wait:
                seconds = (wait.until - self._watch.now()).total_seconds()
                # A turn is as far away as the rule of the host wants it; any other wait may be of any length.
                is_short = wait.is_turn or waited + seconds <= limits.midway
                if not self._is_midway or not is_short or seconds >= self._watch.left():
                    raise
                self._watch.wait(max(seconds, 0.0))
                waited += seconds

    def _has_come(self, grant: Grant) -> bool:
        """Wait for a turn; False where its host asked somebody for patience meanwhile: then it is given back."""
        has_come = False
        try:
            self._watch.wait(grant.wait)
            has_come = grant.wait <= 0 or not self._budget.is_cooling(grant.host)
        finally:
            if not has_come:
                self._budget.leave(grant, NOT_SENT)
        return has_come

    def _open(self, asked: Asked, host: str) -> requests.Response:
        left = max(self._watch.left(), 0.01)
        proxies = {} if is_loopback(host) else get_environ_proxies(asked.url)
        self._wire.proxied = bool(proxies)
        # The library sends a name and a password inside an address as Base64.
        if (given := get_auth_from_url(asked.url)) != ("", ""):
            remember_basic(*given)
        try:
            # Without a session: no cookies, no netrc, nothing remembered between requests.
            return self._adapter.send(
                requests.Request(
                    asked.method, asked.url, headers={**self._headers, **asked.headers}, data=asked.body
                ).prepare(),
                stream=True,
                timeout=(min(self._limits.connect, left), min(self._limits.silence, left)),
                verify=_certificates(),
                proxies=proxies,
            )
        except TROUBLE as error:
            raise self._translated(error, asked.url) from None

    def _read(self, raw: requests.Response, headers: Mapping[str, str], url: str, in_full: bool) -> bytes:
        """The decoded body, or as much of a refusal's as is needed for its first words."""
        limit = self._limits.body if in_full else PIECE
        too_large = SourceRefused(
            f"{shown(url)} answers with more than {limit >> 20} MB", "ask for less at once"
        )
        length = headers.get("content-length", "")
        if in_full and length.isdigit() and int(length) > limit:
            raise too_large
        kept = bytearray()
        try:
            for piece in decoded(_pieces(raw), headers.get("content-encoding", "")):
                kept += piece
                if len(kept) > limit:
                    break
        except TROUBLE as error:
            if in_full or self._wire.is_cut:
                raise self._translated(error, url) from None
        if self._wire.is_cut:  # then the end of the connection only looks like the end of the body
            raise self._watch.why(shown(url))
        if in_full and len(kept) > limit:
            raise too_large
        return bytes(kept)

    def _translated(self, error: BaseException, url: str) -> Exception:
        if self._wire.is_cut:
            return self._watch.why(shown(url))
        if isinstance(error, Undecodable):
            return BadAnswer(f"{shown(url)} {error}")
        kind, words = in_words(error, self._limits.connect, self._limits.silence)
        if kind is Unreachable and self._watch.left() <= 0:
            return DeadlineExceeded(f"the time of the run was up while {shown(url)} was asked")
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


@dataclass(slots=True)
class _Turn:
    """What becomes of a request, as it becomes known."""

    is_sent: bool = False
    is_unmodified: bool = False
    is_busy: bool = False
    is_failed: bool = False
    told: Allowance | None = None
    status: int | None = None

    @property
    def status_class(self) -> str:
        """The first digit of the status as it is usually written: 2xx; `none` where no answer came."""
        return f"{self.status // 100}xx" if self.status is not None else "none"

    def outcome(self) -> Outcome:
        return Outcome(self.is_sent, self.is_unmodified, self.is_busy, self.is_failed, self.told)


def spelled(url: str, params: Mapping[str, Any] | None = None) -> str:
    """The whole address of a request, as messages name it and as it is sent; raises ValueError for what is none."""
    return str(requests.Request("GET", url, params=dict(params or {})).prepare().url)


def request_key(
    method: str, url: str, headers: Mapping[str, str] | None = None, body: bytes | None = None
) -> str:
    """What names a request for validators and kept pages; `url` as `spelled` gives it, `headers` as handed in."""
    accept = next((value for name, value in (headers or {}).items() if name.lower() == "accept"), ANY_KIND)
    return pages.request_key(method, url, accept, body)


def _reworded(
    error: Unreachable | BadAnswer, message: str, until: datetime | None = None
) -> Unreachable | BadAnswer:
    told: Unreachable | BadAnswer
    if isinstance(error, Unreachable):
        told = type(error)(message, error.hint, host=error.host)
    else:
        told = type(error)(message, error.hint)
    told.until = until
    return told


def _pieces(raw: requests.Response) -> Iterator[bytes]:
    # One read of the socket each time, still encoded: the size is bounded before anything is unpacked.
    while piece := raw.raw.read1(PIECE, decode_content=False):
        yield piece


def _certificates() -> bool | str:
    """Whom to trust: the usual variables name a bundle, else certifi's; verification is never switched off."""
    names = ("REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "SSL_CERT_FILE")
    return next((os.environ[name] for name in names if os.environ.get(name)), True)
