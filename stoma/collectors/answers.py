"""What an answer over HTTP says: its body, the patience it asks for, and words for people. Pure."""

from __future__ import annotations

import json
import re
import zlib
from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from http import HTTPStatus
from typing import Any
from urllib.parse import SplitResult, unquote_plus, urldefrag, urljoin, urlsplit, urlunsplit

import orjson

from stoma import __version__
from stoma.errors import BadAnswer, SourceRefused
from stoma.references import mask

PIECE = 1 << 16
"""How much of a body is held beside what is kept of it: nothing decompresses into more at once."""

_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029]+")
_MARKUP = re.compile(r"<(script|style|head)\b.*?</\1\s*>|<[^>]*>", re.DOTALL | re.IGNORECASE)
_PLAIN = frozenset({"", "identity", "none", "utf-8"})


class Undecodable(ValueError):
    """A body whose encoding is broken, cut off or was not asked for."""


@dataclass(frozen=True, slots=True)
class Response:
    """One whole answer: the body decoded, the names of headers in lower case."""

    url: str
    status: int
    headers: Mapping[str, str]
    body: bytes
    fetched_at: datetime
    # Where the page has moved, when each redirect on the way to it was for good (301, 308); else None.
    moved_to: str | None = None
    # Until when the host is not asked again, when this was the last request that it allows.
    spent_until: datetime | None = None

    @property
    def shown(self) -> str:
        """The address as it may be shown: without secrets."""
        return shown(self.url)

    @property
    def opening(self) -> str:
        """How the body begins, as text for an error message."""
        return clean(mask(self.body[:400].decode("utf-8", "replace")))[:80] or "nothing"


def user_agent(contact: str | None = None) -> str:
    """How Stoma introduces itself: `Stoma/VERSION (+CONTACT)`."""
    # A header line carries plain ASCII only, and brackets would end the remark.
    contact = "".join(
        letter for letter in contact or "" if " " <= letter <= "~" and letter not in "()"
    ).strip()
    return f"Stoma/{__version__} (+{contact})" if contact else f"Stoma/{__version__}"


def shown(url: str) -> str:
    """An address as it may be shown: no password, no secret, no control characters."""
    try:
        parts = urlsplit(url)
    except ValueError:
        return clean(mask(url))
    if "@" in parts.netloc:
        url = urlunsplit(parts._replace(netloc="…@" + parts.netloc.rpartition("@")[2]))
    # A secret in a query is percent-encoded there, so it is looked for in the plain text too.
    plain = unquote_plus(url)
    masked = mask(plain)
    return clean(masked if masked != plain else mask(url))


def first_words(body: bytes, limit: int = 160) -> str:
    """What a refusal says in its first words: markup and control characters left out, secrets masked."""
    text = body[:PIECE].decode("utf-8", "replace")
    if "<" in text:
        text = _MARKUP.sub(" ", text)
    return shortened(text, limit)


def shortened(text: str, limit: int = 300) -> str:
    """A stranger's text as a message may carry it: in one line, no control characters, no secrets, not too long."""
    text = mask(clean(text))
    return text if len(text) <= limit else text[:limit].rsplit(" ", 1)[0] + " …"


def json_of(response: Response) -> Any:
    """The value of an answer in JSON; raises BadAnswer when it is none."""
    try:
        return orjson.loads(response.body)
    except orjson.JSONDecodeError as error:
        try:
            # It reads halves of letters too (`\ud83d` alone), so that one does not spoil all around it.
            return json.loads(response.body)
        except (ValueError, RecursionError):
            words = str(error).partition(" (char")[0]
        raise BadAnswer(f"{response.shown} is not JSON ({words}); it begins {response.opening!r}") from None


def retry_after(headers: Mapping[str, str], now: datetime) -> float | None:
    """How many seconds the source asks to wait, given as seconds or as a date; None when it does not say."""
    value = headers.get("retry-after", "").strip()
    if re.fullmatch(r"[0-9]{1,12}(\.[0-9]*)?", value):
        return float(value)
    until = date_of(value)
    if until is None:
        return None
    # Its own clock tells how far away its date is; ours may differ.
    return max(0.0, (until - (date_of(headers.get("date", "")) or now)).total_seconds())


def decoded(pieces: Iterable[bytes], encoding: str) -> Iterator[bytes]:
    """The body from its encoded pieces, in pieces no larger than PIECE however well it is compressed."""
    encoding = encoding.strip().lower()
    if encoding in _PLAIN:
        yield from pieces
    elif encoding in ("gzip", "x-gzip"):
        yield from _inflated(pieces, 16 + zlib.MAX_WBITS, "gzip")
    elif encoding == "deflate":
        yield from _inflated(pieces, 0, "deflate")
    else:
        raise Undecodable(f"comes encoded as {clean(encoding)[:40]}, which was not asked for")


def redirect_target(response: Response) -> SplitResult:
    """Where a redirect leads; raises BadAnswer or SourceRefused when nothing can follow it."""
    location = response.headers.get("location", "")
    with suppress(UnicodeError):  # headers arrive as latin-1, addresses are UTF-8
        location = location.encode("latin-1").decode("utf-8")
    try:
        target = urlsplit(urldefrag(urljoin(response.url, location)).url)
        is_whole = bool(location and target.hostname)
    except ValueError:
        is_whole = False
    if not is_whole:
        raise BadAnswer(f"{response.shown} redirects to nowhere ({shown(location)[:80]!r})")
    if target.scheme not in ("http", "https"):
        raise SourceRefused(f"{response.shown} redirects to {target.scheme}:, which is not followed")
    return target


def origin(parts: SplitResult) -> tuple[str, str | None, int | None]:
    """What a credential belongs to: scheme, host and port."""
    return parts.scheme, parts.hostname, parts.port or {"http": 80, "https": 443}.get(parts.scheme)


def is_loopback(host: str) -> bool:
    """True for this machine, which no proxy can reach."""
    return host == "localhost" or host.endswith(".localhost") or host.startswith("127.") or host == "::1"


def status_words(status: int) -> str:
    """A status with its name, as in `503 Service Unavailable`."""
    try:
        return f"{status} {HTTPStatus(status).phrase}"
    except ValueError:
        return str(status)


def _inflated(pieces: Iterable[bytes], window: int, name: str) -> Iterator[bytes]:
    inflate = None
    for piece in pieces:
        while piece:
            if inflate is None:
                # "deflate" means zlib's format, but some servers leave its two bytes of header out.
                raw = not window and piece[0] & 0x0F != 8
                inflate = zlib.decompressobj(-zlib.MAX_WBITS if raw else window or zlib.MAX_WBITS)
            elif inflate.eof:
                if window and piece[0] == 0x1F:
                    inflate = zlib.decompressobj(window)  # gzip allows several members in a row
                else:
                    break  # padding behind the end
            try:
                out = inflate.decompress(piece, PIECE)
                while out:
                    yield out
                    out = b"" if inflate.eof else inflate.decompress(inflate.unconsumed_tail, PIECE)
            except zlib.error as error:
                # zlib's "Error -3 while decompressing data: incorrect header check", without the machine in it.
                words = str(error).rpartition(": ")[2]
                raise Undecodable(f"is broken {name} ({words})") from None
            piece = inflate.unused_data if inflate.eof else b""
    if inflate is not None and not inflate.eof:
        raise Undecodable(f"is {name} that was cut off")


def clean(text: str) -> str:
    """Text of a stranger's in one line, without control characters."""
    return re.sub(r"\s+", " ", _CONTROL.sub(" ", text)).strip()


def date_of(text: str) -> datetime | None:
    """The instant of an HTTP date, as aware UTC; None when it is none."""
    try:
        date = parsedate_to_datetime(text)
    except (TypeError, ValueError, IndexError, OverflowError):
        return None
    return date.replace(tzinfo=UTC) if date.tzinfo is None else date.astimezone(UTC)
