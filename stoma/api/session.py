"""Sessions of browsers: a cookie that is signed with the token by which somebody signed in. Nothing is stored.

A token that is taken out can verify nothing more, so its sessions end with it; whoever restarts, or has several nodes
behind one name, keeps them. Signing out is remembered by the process that was told, until the session would have ended.
"""

from __future__ import annotations

import hashlib
import hmac
import secrets
import threading
from collections.abc import Mapping
from functools import lru_cache

from stoma.api.tokens import in_bytes

COOKIE = "stoma_session"

LIFE_SECONDS = 12 * 3600
"""How long a session lasts."""

MOST_ENDED = 10_000
"""Sessions that were signed out of and are remembered."""


class Sessions:
    """Begins, recognises and ends sessions; any thread may ask."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        # By its nonce: when a session that somebody signed out of would have ended.
        self._ended: dict[str, float] = {}

    def begin(self, token: str, now: float) -> str:
        """The value of a cookie for whoever has shown this token; `now` in seconds since 1970."""
        plain = f"1.{int(now) + LIFE_SECONDS}.{secrets.token_urlsafe(12)}"
        return f"{plain}.{_signature(token, plain)}"

    def who(self, cookie: str, tokens: Mapping[str, str], now: float) -> str | None:
        """The name of the token behind a cookie; None where it is over, or no token that counts has signed it."""
        plain, _, signature = cookie.rpartition(".")
        parts = plain.split(".")
        is_formed = len(cookie) < 200 and cookie.isascii() and len(parts) == 3 and parts[0] == "1"
        if not is_formed or not parts[1].isdigit() or not now < int(parts[1]) <= now + LIFE_SECONDS + 60:
            return None
        with self._lock:
            if parts[2] in self._ended:
                return None
        matches = [
            (name, hmac.compare_digest(signature, _signature(token, plain))) for name, token in tokens.items()
        ]
        return next((name for name, is_it in matches if is_it), None)

    def end(self, cookie: str, now: float) -> None:
        """Nobody may use this cookie any more, for which `who` has found a name."""
        _, until, nonce, _ = cookie.split(".")
        with self._lock:
            if len(self._ended) >= MOST_ENDED:
                self._ended = {nonce: end for nonce, end in self._ended.items() if end > now}
            if len(self._ended) >= MOST_ENDED:
                del self._ended[min(self._ended, key=self._ended.__getitem__)]
            self._ended[nonce] = float(until)


def set_cookie(value: str, *, is_https: bool) -> str:
    """The header that hands a cookie to a browser; with no value the one that takes it away."""
    secure = "; Secure" if is_https else ""
    life = LIFE_SECONDS if value else 0
    return f"{COOKIE}={value}; Path=/; Max-Age={life}; HttpOnly; SameSite=Strict{secure}"


def _signature(token: str, plain: str) -> str:
    return hmac.new(_key(token), plain.encode(), hashlib.sha256).hexdigest()


@lru_cache(maxsize=64)
def _key(token: str) -> bytes:
    # Slow on purpose: whoever has caught a cookie should not find a weak token by trying.
    return hashlib.scrypt(in_bytes(token), salt=b"stoma session 1", n=2**14, r=8, p=1, dklen=32)
