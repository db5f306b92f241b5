"""The gate that every request passes: who it is by token or session, or why it is refused."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence

from stoma.api import guard
from stoma.api.answers import Caller
from stoma.api.guard import Refusal, Shown
from stoma.api.session import COOKIE, Sessions, set_cookie
from stoma.api.throttle import Throttle
from stoma.api.tokens import Tokens
from stoma.log import clean, logger


class Gate:
    """Remembers who signed out and who guesses; any thread may ask."""

    def __init__(
        self,
        tokens: Tokens,
        hosts: Callable[[], Sequence[str]],
        *,
        clock: Callable[[], float] = time.time,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        """`hosts` are the names the server answers to; `clock` counts seconds since 1970, `monotonic` any."""
        self.tokens = tokens
        self._hosts = hosts
        self._clock, self._monotonic = clock, monotonic
        self._sessions, self._throttle = Sessions(), Throttle()

    def admit(self, shown: Shown) -> tuple[Caller, Refusal | None]:
        """Who asks, as far as that is known, and why they may not; None where they may."""
        if refused := guard.misdirected(shown, self._hosts()):
            return Caller(address=shown.address), refused
        caller, refused = self._recognised(shown)
        return caller, guard.from_elsewhere(shown, has_session=caller.has_session) or refused

    def sign_in(self, token: str, shown: Shown) -> tuple[str, str] | Refusal:
        """The name of the token that somebody typed, and the header that gives their browser a session."""
        name = self._judged(token.encode("utf-8", "replace"), shown.address)
        if isinstance(name, Refusal):
            return name
        known = self.tokens.named().get(name)
        if known is None:  # taken out this very moment
            return guard.WRONG_TOKEN
        cookie = self._sessions.begin(known, self._clock())
        return name, set_cookie(cookie, is_https=guard.is_by_https(shown.headers))

    def sign_out(self, shown: Shown) -> str:
        """End the session that is shown; gives the header that takes its cookie away."""
        for cookie in guard.cookies(shown.headers, COOKIE):
            if self._sessions.who(cookie, self.tokens.named(), self._clock()) is not None:
                self._sessions.end(cookie, self._clock())
        return set_cookie("", is_https=guard.is_by_https(shown.headers))

    def _recognised(self, shown: Shown) -> tuple[Caller, Refusal | None]:
        anyone = Caller(address=shown.address)
        if not self.tokens.are_needed:
            return anyone, None
        is_open, refused = guard.is_open(shown.path), guard.NEEDS_TOKEN
        token = guard.bearer(shown.headers)
        if token is not None and not is_open:
            found = self._judged(token, shown.address)
            if not isinstance(found, Refusal):
                return Caller(found, shown.address), None
            refused = found
        if name := self._session(shown):
            return Caller(f"session of {name}", shown.address, has_session=True), None
        return anyone, None if is_open else refused

    def _judged(self, token: bytes, address: str) -> str | Refusal:
        """The name of a token. Whoever has to wait is told nothing about it, or waiting would not slow them."""
        if wait := self._throttle.wait(address, self._monotonic()):
            return guard.too_often(wait)
        name = self.tokens.who(token)
        if name is not None:
            return name
        if self._throttle.wrong(address, token, self._monotonic()):
            logger.warning("too many wrong tokens came from {}; it has to wait between two", clean(address))
        return guard.WRONG_TOKEN

    def _session(self, shown: Shown) -> str | None:
        known, now = self.tokens.named(), self._clock()
        names = (self._sessions.who(cookie, known, now) for cookie in guard.cookies(shown.headers, COOKIE))
        return next((name for name in names if name is not None), None)
