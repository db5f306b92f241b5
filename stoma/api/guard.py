"""Who may ask: the name they use, where they come from, the token they show. Pure."""

from __future__ import annotations

import hmac
from collections.abc import Mapping, Sequence
from ipaddress import ip_address
from urllib.parse import urlsplit

OPEN_PATHS = ("/health",)
"""Paths that need no token: load balancers and probes cannot carry one."""

HEADERS = {
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "no-referrer",
    "Cache-Control": "no-store",
    "Content-Security-Policy": "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self';"
    " connect-src 'self'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'",
}
"""What every answer says to browsers: no frames, nothing from elsewhere, nothing written into a page."""

READING = frozenset({"GET", "HEAD", "OPTIONS"})


def refusal(
    method: str, path: str, headers: Mapping[str, str], hosts: Sequence[str], tokens: Sequence[str]
) -> tuple[int, str, str] | None:
    """Why a request is refused, as (status, message, hint), or None when it may pass. Header names in lower case."""
    host = headers.get("host", "")
    if not known_host(host, hosts):
        # A page elsewhere can make a browser resolve its own name to this machine (DNS rebinding).
        return (
            421,
            f'this server does not answer to "{host[:100]}"',
            "add the name to api.hosts in stoma.yaml",
        )
    if method not in READING and is_cross_site(headers):
        return 403, "a page of another site may not change anything here", "use the command line or this site"
    if tokens and not path.startswith(OPEN_PATHS) and not has_token(headers, tokens):
        return 401, "this needs a token", "send `Authorization: Bearer TOKEN` with one of api.tokens"
    return None


def known_host(host: str, hosts: Sequence[str]) -> bool:
    """True for localhost, addresses, and the names in `api.hosts`; the port does not count."""
    try:
        name = urlsplit(f"//{host}").hostname if host else None
    except ValueError:
        return False
    if name is None:
        return False
    if name == "localhost" or name.endswith(".localhost") or name in {h.lower() for h in hosts}:
        return True
    try:
        ip_address(name)
    except ValueError:
        return False
    return True


def is_cross_site(headers: Mapping[str, str]) -> bool:
    """True when a browser sent this on behalf of another site; programs send neither header."""
    site = headers.get("sec-fetch-site")
    if site is not None:
        return site not in ("same-origin", "none")
    origin = headers.get("origin")
    # What follows the scheme; compared as text, so that nothing a stranger sends has to be parsed.
    return origin is not None and origin.partition("://")[2].lower() != headers.get("host", "").lower()


def has_token(headers: Mapping[str, str], tokens: Sequence[str]) -> bool:
    """True when one of the tokens was shown; every token is compared, each in constant time."""
    kind, _, shown = headers.get("authorization", "").partition(" ")
    if kind.lower() != "bearer":
        return False
    found = [
        hmac.compare_digest(shown.strip().encode("latin-1", "replace"), token.encode()) for token in tokens
    ]
    return any(found)
