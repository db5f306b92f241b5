"""A token shown as a password (HTTP Basic), for feed readers and calendars, which know nothing else. Pure.

Only where nothing is changed: a browser sends a password along by itself, also when another site makes it ask.
"""

from __future__ import annotations

import binascii

PATHS = ("/feed.atom", "/feeds/", "/calendar.ics")

CHALLENGE = {"WWW-Authenticate": 'Basic realm="Stoma", charset="UTF-8"'}
"""What a program is told that is to ask its person for a name (any) and a password (the token)."""


def are_taken(method: str, path: str) -> bool:
    """True where a password will do."""
    return method in ("GET", "HEAD") and path.startswith(PATHS)


def as_bearer(method: str, path: str, headers: dict[str, str]) -> dict[str, str]:
    """The headers (names in lower case), a password as the token that it is."""
    kind, _, packed = headers.get("authorization", "").partition(" ")
    if kind.lower() != "basic" or not are_taken(method, path):
        return headers
    try:
        # As the server reads headers: byte by byte.
        pair = binascii.a2b_base64(packed.strip(), strict_mode=True).decode("latin-1")
    except ValueError:
        return headers
    _, colon, password = pair.partition(":")
    return {**headers, "authorization": f"Bearer {password}"} if colon else headers
