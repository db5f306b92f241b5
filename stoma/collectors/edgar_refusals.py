"""What EDGAR means when it sends no data: a file that is not there, or a wish to be left alone.

A 403 has three meanings that only its body tells apart: S3's XML says that a file does not exist, pages for people say
that the caller is not declared, or asks too often. The pages have come with status 200 too.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from datetime import timedelta
from typing import TYPE_CHECKING, Any, TypeVar

from stoma.collectors.answers import status_words
from stoma.errors import SourceBusy, SourceRefused

if TYPE_CHECKING:
    from stoma.collectors.http import HttpClient, Response

T = TypeVar("T")

AT_LEAST = 10
"""Minutes that EDGAR shuts a caller out at least; requests meanwhile prolong it (the text of its page)."""

_ABSENT = re.compile(rb"\s*(?:<\?xml[^>]*>\s*)?<Error>\s*<Code>(?:AccessDenied|NoSuchKey)</Code>")
_MINUTES = re.compile(rb"(?:for|until)\s[^.<]{0,60}?(\d{1,3})\s+minutes", re.IGNORECASE)
_UNDECLARED = b"Undeclared Automated Tool"
_TOO_FAST = b"Request Rate Threshold Exceeded"
# Both stand in the title; a page that only speaks of them further down is something else.
_HEAD = 4_000


def ask(
    http: HttpClient,
    url: str,
    parse: Callable[[Response], T],
    *,
    params: Mapping[str, Any] | None = None,
    unchanged: Callable[[int], T] | None = None,
) -> T | None:
    """What `parse` makes of an answer of EDGAR's, or None when there is no such file.

    Raises SourceBusy when EDGAR wants no requests for a while, and what HttpClient.get raises.
    """
    refusals: list[Response] = []

    def explain(response: Response) -> str:
        refusals[:] = [response]
        return _explain(response)

    def read(response: Response) -> T:
        if wish := _wish(response):
            words, minutes = wish
            until = response.fetched_at + timedelta(minutes=minutes)
            raise SourceBusy(f"{response.shown} is no data: {words}", until)
        return parse(response)

    try:
        return http.get(url, params=params, parse=read, explain=explain, unchanged=unchanged)
    except SourceRefused:
        if refusals and is_absent(refusals[-1]):
            return None
        raise


def is_absent(response: Response) -> bool:
    """True when the file does not exist, in the words of the storage behind EDGAR; nothing else says so."""
    return response.status in {403, 404} and _ABSENT.match(response.body) is not None


def is_page(response: Response) -> bool:
    """True for a page for people."""
    return response.body.lstrip()[:15].lower().startswith((b"<!doctype html", b"<html"))


def _wish(response: Response) -> tuple[str, int] | None:
    """Why EDGAR wants to be left alone and for how many minutes; None when it does not say so."""
    head = response.body[:_HEAD]
    if _UNDECLARED in head:
        words = "EDGAR takes the caller for an undeclared tool; identity.contact should be a name and an e-mail address"
    elif _TOO_FAST in head:
        words = "EDGAR was asked too often"
    elif response.status == 403 and not is_absent(response):
        words = "EDGAR shuts the caller out"
    else:
        return None
    found = _MINUTES.search(response.body)
    return words, max(AT_LEAST, int(found[1]) if found else AT_LEAST)


def _explain(response: Response) -> str:
    if (wish := _wish(response)) is None:
        return ""
    words, minutes = wish
    until = response.fetched_at + timedelta(minutes=minutes)
    raise SourceBusy(f"{response.shown} answers {status_words(response.status)}: {words}", until)
