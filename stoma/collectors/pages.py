"""One page as it is asked for: its name, what was known of it before, where it moved, and what is kept of it. Pure."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from hashlib import blake2b
from urllib.parse import SplitResult, urlsplit, urlunsplit

from stoma.collectors.answers import Response, date_of, origin
from stoma.collectors.base import Validator
from stoma.errors import SourceRefused
from stoma.references import mask

SAME_METHOD = frozenset({307, 308})
"""Redirects that ask the same again elsewhere; behind the others lies something to get (RFC 9110, 15.4)."""

PERMANENT = frozenset({301, 308})

CONDITIONS = frozenset({"if-none-match", "if-modified-since"})

HARMLESS = frozenset({"accept", "accept-language"}) | CONDITIONS
"""Headers that may follow a redirect to another place; any other might be a credential."""

OF_A_BODY = frozenset({"content-type", "content-length", "content-encoding"})

KEPT = frozenset({"content-type", "link", "etag", "last-modified", "date"})

LONGEST_ETAG = 1024

_ODD = re.compile(r"[^\x20-\x7e\xa0-\xff]")


@dataclass(frozen=True, slots=True)
class Asked:
    """What is asked at one address; `key` names the page, wherever redirects lead."""

    method: str
    url: str
    headers: Mapping[str, str]
    body: bytes | None
    key: str
    explain: Callable[[Response], str] | None = None
    is_conditional: bool = False
    # Where redirects led that are all for good.
    moved_to: str | None = None
    hops: int = 0

    def led_to(self, target: SplitResult, status: int, *, shown: str) -> Asked:
        """The same at the place a redirect leads to, without what belongs to this one.

        Raises SourceRefused where something would be handed to a place it was not meant for.
        """
        method, body, headers = self.method, self.body, dict(self.headers)
        if status not in SAME_METHOD:
            if body is not None:
                headers = {name: value for name, value in headers.items() if name.lower() not in OF_A_BODY}
            method, body = "GET", None
        ours = urlsplit(self.url)
        is_same = origin(target) == origin(ours)
        if not is_same:
            if body is not None:
                raise SourceRefused(
                    f"{shown} redirects what was sent to another place, {target.scheme}://{target.hostname}",
                    "write the new address into the config, if it is meant",
                )
            headers = {name: value for name, value in headers.items() if name.lower() in HARMLESS}
        # Names and passwords inside an address are ours to give, not the other side's.
        given = ours.netloc.rpartition("@")[:2] if is_same else ()
        url = urlunsplit(target._replace(netloc="".join((*given, target.netloc.rpartition("@")[2]))))
        is_for_good = status in PERMANENT and (self.hops == 0 or self.moved_to is not None)
        return replace(
            self,
            method=method,
            url=url,
            headers=headers,
            body=body,
            moved_to=url if is_for_good else None,
            hops=self.hops + 1,
        )


@dataclass(frozen=True, slots=True)
class Kept:
    """An answer as it may be kept: `url` and `headers` hold no secret, `key` names the request."""

    url: str
    key: str
    status: int
    headers: Mapping[str, str]
    body: bytes
    fetched_at: datetime


def request_key(method: str, url: str, accept: str, body: bytes | None = None) -> str:
    """32 hex digits that name a request; the same whatever the secrets in it are just now."""
    digest = blake2b(digest_size=16)
    for part in (method.upper(), mask(url), accept, mask((body or b"").decode("utf-8", "surrogateescape"))):
        told = part.encode("utf-8", "surrogateescape")
        digest.update(len(told).to_bytes(8) + told)
    return digest.hexdigest()


def kept(key: str, response: Response) -> Kept:
    """What is kept of an answer: its body, and the headers by which it can be understood later."""
    headers = {
        name: mask(value)
        for name, value in response.headers.items()
        if name in KEPT or name.startswith("x-ratelimit-")
    }
    return Kept(response.shown, key, response.status, headers, response.body, response.fetched_at)


def conditions(known: Validator) -> dict[str, str]:
    """The headers that ask for a page only if it is another one than the one we know."""
    wanted = {"If-None-Match": known.etag, "If-Modified-Since": known.last_modified}
    return {name: value for name, value in wanted.items() if value}


def validators(headers: Mapping[str, str]) -> tuple[str, str]:
    """`ETag` and `Last-Modified` as they may be sent back; empty where there is none, or an odd one."""
    etag, modified = (headers.get(name, "").strip() for name in ("etag", "last-modified"))
    if _ODD.search(etag) or len(etag) > LONGEST_ETAG:
        etag = ""
    if _ODD.search(modified) or len(modified) > 100 or date_of(modified) is None:
        modified = ""
    return etag, modified
