"""An answer of GitHub's search API: its items, where it goes on, and why it refuses. Pure.

Documentation: https://docs.github.com/en/rest/search/search and /rest/using-the-rest-api/rate-limits-for-the-rest-api
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any
from urllib.parse import urljoin, urlsplit

import orjson

from stoma.collectors.answers import json_of, origin
from stoma.errors import BadAnswer
from stoma.references import mask

if TYPE_CHECKING:
    from stoma.collectors.http import Response

MOST = 1_000
"""GitHub shows no more results than these of one query (search API, documentation)."""

LARGEST_PAGE = 100

_NEXT = re.compile(r'<([^<>]*)>\s*;[^,<]*\brel="?next"?(?=[\s;,]|$)')


@dataclass(frozen=True, slots=True)
class Page:
    """One answer. `next_url` is GitHub's own link."""

    items: list[Any]
    total: int
    is_incomplete: bool
    has_links: bool
    next_url: str | None
    url: str
    fetched_at: datetime


def read_answer(response: Response) -> Page:
    """A JSON answer as a page; raises BadAnswer when it is none."""
    found = json_of(response)
    items = found.get("items") if isinstance(found, dict) else None
    total = found.get("total_count") if isinstance(found, dict) else None
    if not isinstance(items, list) or not isinstance(total, int):
        raise BadAnswer(
            f"{response.shown} is not an answer of GitHub's search; it begins {response.opening!r}"
        )
    return Page(
        items=items,
        total=total,
        is_incomplete=found.get("incomplete_results") is True,
        has_links="link" in response.headers,
        next_url=_next_url(response),
        url=response.shown,
        fetched_at=response.fetched_at,
    )


def reason(response: Response) -> str:
    """Why GitHub refuses, in its own words; the errors of a 422 are objects or plain texts."""
    found = orjson.loads(response.body)
    words = [str(found["message"]).rstrip(".")]
    for error in found.get("errors") or ():
        if isinstance(error, Mapping):
            named = (error.get("message"), error.get("field"), error.get("code"))
            error = named[0] or " ".join(str(part) for part in named[1:] if part)
        words.append(str(error).rstrip("."))
    # It may quote what was sent.
    return mask(" ".join("; ".join(words).split()))[:300]


def _next_url(response: Response) -> str | None:
    """GitHub's link to the next page; a token is sent there, so it has to be the same place."""
    found = _NEXT.search(response.headers.get("link", ""))
    if found is None:
        return None
    url = urljoin(response.url, found[1])
    try:
        is_same = origin(urlsplit(url)) == origin(urlsplit(response.url))
    except ValueError:
        is_same = False
    if not is_same:
        raise BadAnswer(f"{response.shown} goes on at another host, which is not followed")
    return str(url)
