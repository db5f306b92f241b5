"""What a source says of the number of requests it allows, and how long it wants to be left alone. Pure.

Read are `Retry-After` (RFC 9110), `X-RateLimit-*` as GitHub and many others send them, and `RateLimit-*` of the IETF
draft (draft-ietf-httpapi-ratelimit-headers, up to version 7; all in one `RateLimit` from version 8 on). A reset is an
instant (seconds since 1970) or a number of seconds.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import datetime, timedelta

from stoma.collectors.answers import Response, date_of, retry_after
from stoma.hosts import Allowance

LIMITED = frozenset({403, 429})
"""Statuses by which a source says that the number of requests it allows is spent."""

BUSY = frozenset({429, 503})
"""Wishes for patience, whatever else the answer says."""

LONGEST = timedelta(days=1)
"""A reset beyond this is a clock that is wrong."""

_FAMILIES = ("x-ratelimit-", "ratelimit-", "x-rate-limit-")
_NUMBER = re.compile(r"\s*([0-9]{1,15})(?![0-9])")
# `"default";r=50;t=30`, one for each policy: the one with the least left counts.
_SPENT = re.compile(r";\s*r\s*=\s*([0-9]{1,15})\s*;\s*t\s*=\s*([0-9]{1,15})")
_EPOCH = 10**9
"""As a number of seconds this would be 30 years: larger values are instants."""


def told(headers: Mapping[str, str], now: datetime) -> Allowance | None:
    """What the headers say is left, with the reset by our own clock; None when they say nothing."""
    for family in _FAMILIES:
        remaining = _number(headers.get(f"{family}remaining", ""))
        if remaining is not None:
            limit, reset = (_number(headers.get(family + name, "")) for name in ("limit", "reset"))
            return Allowance(remaining, limit, None if reset is None else _instant(reset, headers, now))
    found = _SPENT.findall(headers.get("ratelimit", ""))
    return min(
        (Allowance(int(left), None, _instant(int(reset), headers, now)) for left, reset in found),
        key=lambda one: one.remaining,
        default=None,
    )


def spent_until(allowance: Allowance | None, now: datetime) -> datetime | None:
    """Until when no request is allowed after this one; None when there is one left, or nobody says until when."""
    if allowance is None or allowance.remaining or allowance.reset_at is None:
        return None
    return allowance.reset_at if allowance.reset_at > now else None


def is_wish(response: Response) -> bool:
    """True for a refusal that only asks for patience: by its status, its headers or its words."""
    if response.status in BUSY:
        return True
    if response.status in {403, 500, 502, 504} and "retry-after" in response.headers:
        return True
    return response.status == 403 and _speaks_of_limit(response)


def wished(response: Response, allowance: Allowance | None, now: datetime) -> float | None:
    """For how many seconds: `Retry-After` first, else until the reset of what is spent; None when it does not say."""
    seconds = retry_after(response.headers, now)
    if seconds is not None or response.status not in LIMITED:
        return seconds
    if allowance is None or allowance.remaining or allowance.reset_at is None:
        return None
    return max(1.0, (allowance.reset_at - now).total_seconds())


def _speaks_of_limit(response: Response) -> bool:
    # GitHub refuses with 403 where a limit is exceeded, and the secondary ones stand in no header but this one.
    spent = told(response.headers, response.fetched_at)
    if (spent is not None and not spent.remaining) or "gh-limited-by" in response.headers:
        return True
    said = response.body[:2_000].decode("utf-8", "replace").lower()
    return "rate limit" in said or "abuse detection" in said


def _instant(reset: int, headers: Mapping[str, str], now: datetime) -> datetime:
    if reset >= _EPOCH:
        # Some count in milliseconds. Their own clock tells how far away it is; ours may differ.
        epoch = reset / 1000 if reset >= 100 * _EPOCH else float(reset)
        wait = epoch - (date_of(headers.get("date", "")) or now).timestamp()
    else:
        wait = float(reset)
    # A second more: the header has whole seconds.
    return now + min(timedelta(seconds=wait + 1), LONGEST)


def _number(text: str) -> int | None:
    found = _NUMBER.match(text)
    return int(found[1]) if found else None
