"""Secrets by reference: `${env:NAME}` and `${file:PATH}`, resolved where they are used and masked everywhere else."""

from __future__ import annotations

import json
import os
import re
import threading
from base64 import b64encode
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from html import escape
from pathlib import Path
from typing import Any
from urllib.parse import quote, quote_plus

from stoma.errors import Blocked

REFERENCE = re.compile(r"\$\{(env|file):([^{}]*)\}")
SHORTEST_SECRET = 4
"""Shorter values are not masked: they would tear holes into ordinary words and protect nothing."""

SHORTEST_IN_DATA = 10
"""Below this a value is left alone in what sources send: there it is more likely a word than an echo of the secret."""

HIDDEN = "***"
"""Stands for a secret in data: the same whatever it is called, or each name would make a version of its own."""

_PUBLIC = re.compile(r"https?://[^@?#]*|(?:[\w .,'()-]+ )?[<(]?[^@\s/:]+@[^@\s/:]+\.\w+[>)]?")
"""Addresses without credentials, and of mail: set by reference to be set at all, and at home in records."""

_WORDS = re.compile(r"(?:[^\W\d_]?[^\WA-Z\d_]*|[A-Z]+|\d+)(?:[-_. ](?:[^\W\d_]?[^\WA-Z\d_]*|[A-Z]+|\d+))*")
"""Words and numbers as people write them: the name of an organisation may be set by reference too."""

_PLAIN = re.compile(r"[A-Za-z0-9_.-]+")

_SECRET_NAME = re.compile(
    r"(?:.*[._-])?(?:key|app[-_]?(?:key|id)|access[-_]?key|auth|authori[sz]ation|cookie|credentials?|pwd|sig|signature)"
    r"|.*(?:token|secret|passw\w*|api[-_]?key)",
    re.IGNORECASE,
)
"""Names under which people and sources keep credentials."""

_seen: dict[str, str] = {}
# What is masked in data, the longest first; replaced as a whole, so that no reader needs a lock.
_in_data: tuple[_Echo, ...] = ()
_lock = threading.Lock()


def references(value: Any) -> Iterator[tuple[str, str]]:
    """Every reference inside a value, as (kind, name)."""
    if isinstance(value, str):
        yield from REFERENCE.findall(value)
    elif isinstance(value, Mapping):
        for inner in value.values():
            yield from references(inner)
    elif isinstance(value, list | tuple):
        for inner in value:
            yield from references(inner)


def names_secret(name: str) -> bool:
    """Whether what is called so (a parameter, a header, an option) is most likely a credential."""
    return _SECRET_NAME.fullmatch(name) is not None


def unset(value: Any, base: Path) -> str | None:
    """Why a value cannot be resolved now, or None when it can."""
    for kind, name in references(value):
        try:
            _fetch(kind, name, base)
        except Blocked as error:
            return error.message
    return None


def resolve(value: Any, base: Path) -> Any:
    """The value with its references replaced; files count from `base`. Raises Blocked when one is unset."""
    if isinstance(value, str):
        return REFERENCE.sub(lambda match: _fetch(match[1], match[2], base), value)
    if isinstance(value, Mapping):
        return {key: resolve(inner, base) for key, inner in value.items()}
    if isinstance(value, list | tuple):
        return [resolve(inner, base) for inner in value]
    return value


def mask(text: str) -> str:
    """The text with every secret that this process has resolved replaced by its reference."""
    if not _seen:
        return text
    with _lock:
        known = sorted(_seen.items(), key=lambda pair: -len(pair[0]))
    for secret, reference in known:
        if secret in text:
            text = text.replace(secret, reference)
    return text


def holds_secret(raw: bytes) -> bool:
    """Whether a secret stands in what a source sent, in any of its usual spellings."""
    for echo in _in_data:  # noqa: SIM110 — a generator would cost as much as the search
        if echo.core in raw and echo.in_bytes.search(raw):
            return True
    return False


def mask_bytes(raw: bytes) -> bytes:
    """What a source sent, without the secrets that it echoes."""
    for echo in _in_data:
        if echo.core in raw:
            raw = echo.in_bytes.sub(HIDDEN.encode(), raw)
    return raw


def mask_data(value: Any) -> Any:
    """A value of a record without secrets, also deep inside."""
    if isinstance(value, str):
        for echo in _in_data:
            value = echo.in_text.sub(HIDDEN, value)
        return value
    if isinstance(value, Mapping):
        return {mask_data(key): mask_data(inner) for key, inner in value.items()}
    if isinstance(value, list | tuple):
        return type(value)(mask_data(inner) for inner in value)
    return value


def remember(secret: str, reference: str, *, in_data: bool = True) -> None:
    """Mask `secret` from now on, showing `reference` instead; `in_data` where a source may echo it, too.

    In data only what looks like a secret is masked: words, numbers and public addresses stay what they are.
    """
    global _in_data
    if len(secret) < SHORTEST_SECRET or _seen.get(secret) == reference:
        return
    # Also as it looks inside JSON, in an address and in the words of an error.
    forms = {
        secret,
        json.dumps(secret)[1:-1],
        json.dumps(secret, ensure_ascii=False)[1:-1],
        quote(secret, safe="", errors="replace"),
    }
    forms |= {quote_plus(secret, errors="replace"), repr(secret)[1:-1]}
    with _lock:
        _seen.update(dict.fromkeys(forms, reference))
        if in_data and _looks_secret(secret) and all(echo.secret != secret for echo in _in_data):
            _in_data = tuple(sorted([*_in_data, _Echo.of(secret)], key=lambda echo: -len(echo.secret)))


def remember_basic(user: str, password: str) -> None:
    """Mask what HTTP makes of a name and a password (RFC 7617): Base64 hides nothing, and a source may echo it."""
    pair = f"{user}:{password}"
    reference = mask(password) if mask(password) != password else mask(user)
    if mask(pair) == pair:
        reference = HIDDEN
    for encoding in ("latin-1", "utf-8"):
        encoded = b64encode(pair.encode(encoding, "replace")).decode("ascii")
        # Also without its filling, which some leave out.
        for form in (encoded, encoded.rstrip("=")):
            remember(form, reference)


def _looks_secret(value: str) -> bool:
    is_plain = _PUBLIC.fullmatch(value) or _WORDS.fullmatch(value)
    return len(value) >= SHORTEST_IN_DATA and not is_plain


@dataclass(frozen=True, slots=True)
class _Echo:
    """A secret as a source may send it back, whatever has spelled its marks."""

    secret: str
    # The longest part that no spelling changes: looked for first, for it costs little.
    core: bytes
    in_text: re.Pattern[str]
    in_bytes: re.Pattern[bytes]

    @classmethod
    def of(cls, secret: str) -> _Echo:
        core = max(_PLAIN.findall(secret), key=len, default="").encode()
        pattern = "".join(map(_spellings, secret))
        in_bytes = re.compile(pattern.encode("utf-8", "surrogateescape"))
        return cls(secret, core, re.compile(pattern), in_bytes)


def _spellings(letter: str) -> str:
    """A pattern of one letter: as it is, in an address (once or twice), in JSON, in HTML."""
    if _PLAIN.fullmatch(letter):
        return re.escape(letter)
    code = quote(letter, safe="", errors="replace")
    number = ord(letter)
    forms = {letter, code, quote(code), escape(letter), json.dumps(letter)[1:-1], f"\\{letter}"}
    forms |= {f"\\u{number:04x}", f"&#{number};", f"&#x{number:x};", "+" if letter == " " else letter}
    return f"(?i:{'|'.join(re.escape(form) for form in sorted(forms, key=len, reverse=True))})"


def _fetch(kind: str, name: str, base: Path) -> str:
    reference = f"${{{kind}:{name}}}"
    if kind == "env":
        found = os.environ.get(name)
        if not found:
            raise Blocked(
                f"the environment variable {name} is not set", f"set {name}, or replace {reference}"
            )
    else:
        try:
            found = (base / name).read_text(encoding="utf-8").strip()
        except (OSError, UnicodeDecodeError) as error:
            reason = getattr(error, "strerror", None) or "it is not UTF-8 text"
            raise Blocked(
                f"{reference} cannot be read: {reason}", "create the file or change the reference"
            ) from None
        if not found:
            raise Blocked(f"{reference} is empty", "write the secret into the file")
    remember(found, reference)
    return found
