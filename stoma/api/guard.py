"""Who may ask: the name they use, where they come from, the token or the session they show. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from ipaddress import ip_address
from urllib.parse import urlsplit

OPEN_PATHS = ("/health",)
"""Paths that need no token: load balancers and probes cannot carry one."""

SIGN_IN = "/sign-in"
PARTS_OF_PAGES = "/static/"

HEADERS = {
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    # Not `no-referrer`: with it browsers say `Origin: null` also for the forms of this site.
    "Referrer-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cache-Control": "no-store",
    "Content-Security-Policy": "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self';"
    " connect-src 'self'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'",
}
"""What every answer says to browsers: no frames, nothing from elsewhere, nothing written into a page."""

READING = frozenset({"GET", "HEAD", "OPTIONS"})

MOST_COOKIES = 5
"""Cookies of one name that are looked at: other programs on the same host may have set some."""


@dataclass(frozen=True, slots=True)
class Shown:
    """What a request shows of itself; the names of headers in lower case."""

    method: str = "GET"
    path: str = "/"
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)
    # Where it comes from.
    address: str = ""


@dataclass(frozen=True, slots=True)
class Refusal:
    """Why a request is refused, and what helps."""

    status: int
    message: str
    hint: str = ""
    # Seconds after which it may be tried again; 0 where that would be no use.
    after: int = 0


NEEDS_TOKEN = Refusal(
    401,
    "this needs a token",
    "send `Authorization: Bearer TOKEN` with one of api.tokens, or sign in at /sign-in",
)
WRONG_TOKEN = Refusal(
    401, "this token is none of api.tokens", "take the one that the server was started with"
)


def too_often(seconds: float) -> Refusal:
    """For an address that showed too many wrong tokens."""
    after = max(1, int(seconds + 0.999))
    word = "second" if after == 1 else "seconds"
    return Refusal(429, "too many wrong tokens came from your address", f"try again in {after} {word}", after)


def misdirected(shown: Shown, hosts: Sequence[str]) -> Refusal | None:
    """A refusal where the server is called by a name that is not its own."""
    host = shown.headers.get("host", "")
    if known_host(host, hosts):
        return None
    # A page elsewhere can make a browser resolve its own name to this machine (DNS rebinding).
    return Refusal(
        421, f'this server does not answer to "{host[:100]}"', "add the name to api.hosts in stoma.yaml"
    )


def from_elsewhere(shown: Shown, *, has_session: bool) -> Refusal | None:
    """A refusal where a page of another site wants to change something; by a session, also where it may be one."""
    if shown.method in READING:
        return None
    if is_cross_site(shown.headers):
        return Refusal(
            403, "a page of another site may not change anything here", "use the command line or this site"
        )
    if has_session and not says_where_from(shown.headers):
        # Browsers send cookies along by themselves, whoever makes them ask.
        return Refusal(
            403,
            "a session changes nothing for whoever does not say where they come from",
            "programs send `Authorization: Bearer TOKEN` instead of a cookie",
        )
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


def says_where_from(headers: Mapping[str, str]) -> bool:
    """True when the browser tells which site makes it ask."""
    return "sec-fetch-site" in headers or "origin" in headers


def is_by_https(headers: Mapping[str, str]) -> bool:
    """True when the browser of a form reached this site by https; a proxy speaks http to us either way."""
    return headers.get("origin", "").startswith("https://")


def is_open(path: str) -> bool:
    """True for what anybody may see: probes, the page to sign in, and what that consists of."""
    return path == SIGN_IN or path.startswith((*OPEN_PATHS, PARTS_OF_PAGES))


def bearer(headers: Mapping[str, str]) -> bytes | None:
    """The token that was shown, as it was sent; None where there is none."""
    kind, _, token = headers.get("authorization", "").partition(" ")
    if kind.lower() != "bearer" or not token.strip():
        return None
    # The server reads headers byte by byte.
    return token.strip().encode("latin-1", "replace")


def cookies(headers: Mapping[str, str], name: str) -> list[str]:
    """The values of a cookie, the first few of them."""
    pairs = (one.strip().partition("=") for one in headers.get("cookie", "").split(";"))
    return [value for key, _, value in pairs if key == name][:MOST_COOKIES]
