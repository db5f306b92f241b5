"""The tokens of `api.tokens`: resolved from their references, also after an edit, and told apart by their names."""

from __future__ import annotations

import hmac
import threading
from collections.abc import Callable, Mapping, Sequence
from time import monotonic

from stoma.errors import Blocked
from stoma.log import logger
from stoma.references import REFERENCE, resolve
from stoma.scheduler.config import Config

FRESH_SECONDS = 1.0
"""How long a token still counts that was taken out of its file."""

SHORT = 16
"""Characters below which a token can be guessed."""


class Tokens:
    """The tokens in force by the names of their references, `env:STOMA_TOKEN`; any thread may ask.

    Where a reference cannot be resolved any more its token counts no longer, and the others do.
    """

    def __init__(
        self, config: Callable[[], Config], more: Sequence[str] = (), *, is_exposed: bool = False
    ) -> None:
        """`more` are given in Python, beside those of the configuration.

        `is_exposed`: others than this machine can reach the server, so it never stands open.
        """
        self._config = config
        self._more = tuple(more)
        self._is_exposed = is_exposed
        self._lock = threading.Lock()
        self._found: tuple[float, tuple[str, ...], Mapping[str, str]] | None = None
        self._told: set[str] = set()

    @property
    def are_needed(self) -> bool:
        """Whether nobody may ask without one: also when not one of them can be resolved."""
        return self._is_exposed or bool(self._wanted())

    def named(self) -> Mapping[str, str]:
        """Every token that counts now, by name."""
        wanted = self._wanted()
        found = self._found
        if found is None or found[1] != wanted or monotonic() - found[0] > FRESH_SECONDS:
            with self._lock:
                found = self._found = monotonic(), wanted, self._resolved(wanted)
        return found[2]

    def who(self, shown: bytes) -> str | None:
        """The name of the token that was shown; every one is compared, each in constant time."""
        matches = [
            (name, hmac.compare_digest(shown, in_bytes(token))) for name, token in self.named().items()
        ]
        return next((name for name, is_it in matches if is_it), None)

    def _wanted(self) -> tuple[str, ...]:
        return *self._config().api.tokens, *self._more

    def _resolved(self, wanted: tuple[str, ...]) -> Mapping[str, str]:
        base, found = self._config().base, dict[str, str]()
        for text in wanted:
            name = name_of(text, len(found) + 1)
            try:
                token = str(resolve(text, base))
            except Blocked as error:
                self._tell(f"unset {name}", f"{name} does not count: {error.message}")
                continue
            found[name] = token
            self._told.discard(f"unset {name}")
            if len(token) < SHORT:
                self._tell(f"short {name}", f"{name} has less than {SHORT} characters and can be guessed")
        return found

    def _tell(self, what: str, message: str) -> None:
        if what not in self._told:
            self._told.add(what)
            logger.warning("api.tokens: {}", message)


def name_of(text: str, number: int = 1) -> str:
    """What a token is called: the name of its reference; its number where it is none."""
    found = REFERENCE.fullmatch(text)
    return f"{found[1]}:{found[2]}" if found else f"token {number}"


def in_bytes(token: str) -> bytes:
    """A token as it is sent; what the environment holds need not be UTF-8."""
    return token.encode("utf-8", "surrogateescape")
