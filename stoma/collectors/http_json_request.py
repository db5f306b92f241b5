"""What is asked of a declared source: address, headers, body and credentials, at its first page and behind it. Pure."""

from __future__ import annotations

import re
from base64 import b64encode
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qsl, unquote_plus, urldefrag, urlencode, urljoin, urlsplit

from stoma.collectors.answers import origin
from stoma.collectors.http_json_answers import packed
from stoma.errors import SourceRefused
from stoma.references import mask, names_secret, remember, remember_basic
from stoma.wording import listed

ACCEPT = "application/json, application/x-ndjson;q=0.9, */*;q=0.5"

RESERVED = frozenset(
    {"accept-encoding", "connection", "content-length", "expect", "host", "if-modified-since"}
    | {"if-none-match", "proxy-authorization", "te", "trailer", "transfer-encoding", "upgrade", "user-agent"}
)
"""Headers that the HTTP client sets itself: what they say belongs to the connection, or says who asks."""


KINDS = ("bearer", "basic", "header", "query")
"""How a credential may be sent."""


USUAL_SIZES = frozenset({10, 20, 25, 30, 40, 50, 60, 100, 200, 250, 500, 1_000})
"""Items that sources put on a page where nobody says how many."""

_SIZES = re.compile(
    r"(^|[^a-z])(per_?page|(page_?)?(size|limit)|rows|count|first|max|top|n)($|[^a-z])", re.IGNORECASE
)
_SECRET = re.compile(r"(?=[^0-9]*[0-9])[A-Za-z0-9_.~+/=-]{12,}")


def is_credential(name: str, value: object) -> bool:
    """Whether a parameter looks like a credential, by its name and by what it holds."""
    return isinstance(value, str) and names_secret(name) and _SECRET.fullmatch(value) is not None


def keep_quiet(given: Iterable[tuple[str, object]]) -> None:
    """Mask the credentials among these parameters: written out they are no more to be told than references."""
    for name, value in given:
        if isinstance(value, str) and is_credential(name, value) and mask(value) == value:
            remember(value, f"({name})")


def is_full(count: int, question: Question) -> bool:
    """Whether so many items are as many as a page holds: what is asked for, or a usual number."""
    given = {**dict(parse_qsl(urlsplit(question.url).query)), **question.params}
    if isinstance(question.body, Mapping):
        given |= {**question.body, **(question.body.get("variables") or {})}
    told = {str(value) for name, value in given.items() if _SIZES.search(name)}
    sizes = {int(value) for value in told if value.isdecimal() and len(value) < 9}
    return count in (sizes or USUAL_SIZES)


def check_header(name: str) -> None:
    """Raise ValueError for the name of a header that a task cannot set."""
    if name.lower() in RESERVED:
        raise ValueError(f"{name} is set by Stoma itself")


def check_auth(value: Mapping[str, Any]) -> None:
    """Raise ValueError where there is not exactly one credential."""
    if len(value) != 1:
        raise ValueError(
            f"found {listed(value, 'and') if value else 'nothing'}, expected one of {listed(KINDS)}"
        )


@dataclass(frozen=True, slots=True)
class Question:
    """A request that may change from page to page in some of its values."""

    method: str
    # Where it is asked, and the same at the source's own origin where `base_url` replaces that one.
    url: str
    own_url: str
    base_url: str
    params: Mapping[str, Any]
    headers: Mapping[str, str]
    body: Any
    # Parameters of the query that hold secrets: added to each request, and never kept.
    secrets: Mapping[str, Any]

    @classmethod
    def of(cls, config: Mapping[str, Any]) -> Question:
        """What a config asks for; its references are resolved."""
        own, base = str(config["url"]), str(config.get("base_url") or "").rstrip("/")
        parts = urlsplit(urldefrag(own).url)
        url = f"{base}{parts.path}{'?' + parts.query if parts.query else ''}" if base else parts.geturl()
        auth, body = config.get("auth") or {}, config.get("body")
        params = {name: _plain(value) for name, value in (config.get("params") or {}).items()}
        keep_quiet([*parse_qsl(parts.query), *params.items()])
        written = {**dict(parse_qsl(parts.query)), **params}
        secrets = {name: value for name, value in written.items() if mask(str(value)) != str(value)}
        if "query" in auth:
            secrets[auth["query"]["name"]] = str(auth["query"]["value"])
        headers = {"Accept": ACCEPT} | ({} if body is None else {"Content-Type": "application/json"})
        return cls(
            method=config.get("method") or ("GET" if body is None else "POST"),
            url=url,
            own_url=own,
            base_url=base,
            params={name: value for name, value in params.items() if name not in secrets},
            headers=_over(_over(headers, config.get("headers") or {}), _credentials(auth)),
            body=body,
            secrets=secrets,
        )

    @property
    def is_in_body(self) -> bool:
        """True where what changes from page to page goes into the body; else it goes into the query."""
        return isinstance(self.body, Mapping)

    def asked(self, values: Mapping[str, Any], link: str = "") -> tuple[str, bytes | None]:
        """Address and body with these values; at a `link` that `leads_on` gave, the address has them already."""
        in_query = {} if self.is_in_body else {name: _plain(value) for name, value in values.items()}
        if link:
            ours = urlsplit(self.url)
            url = _with(f"{ours.scheme}://{ours.netloc}{link}", self.secrets)
        else:
            url = _with(self.url, {**self.params, **in_query, **self.secrets})
        if self.body is None:
            return url, None
        body = self.body
        for name, value in values.items() if self.is_in_body else ():
            body = _placed(body, name.split("."), value)
        return url, packed(body)

    def leads_on(self, page_url: str, target: str, shown: str) -> str:
        """A link on a page as path and query without secrets; raises SourceRefused where it leads elsewhere.

        Credentials go to the place that the config names and to no other.
        """
        try:
            parts = urlsplit(urldefrag(urljoin(page_url, target.strip())).url)
            place, ours, own = (origin(one) for one in (parts, urlsplit(self.url), urlsplit(self.own_url)))
            path = parts.path or "/"
            # What lies at the source's own origin lies below `base_url` too.
            is_own = bool(self.base_url) and place == own
            if is_own:
                path = urlsplit(self.base_url).path + path
            if place != ours and not is_own:
                there = f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}"
                raise SourceRefused(
                    f"{shown} goes on at {there}, which is not followed",
                    f"credentials stay where url leads; if {there} is meant, write it there",
                )
        except ValueError:
            raise SourceRefused(f"{shown} goes on at something that is no address") from None
        query = _without(parts.query, self.secrets)
        return path + (f"?{query}" if query else "")


def _credentials(auth: Mapping[str, Any]) -> dict[str, str]:
    """The headers that `auth` stands for; none for `query`."""
    if "bearer" in auth:
        return {"Authorization": f"Bearer {auth['bearer']}"}
    if "basic" in auth:
        user, password = str(auth["basic"]["user"]), str(auth["basic"]["password"])
        encoded = b64encode(f"{user}:{password}".encode()).decode("ascii")
        remember_basic(user, password)
        return {"Authorization": f"Basic {encoded}"}
    if "header" in auth:
        return {str(auth["header"]["name"]): str(auth["header"]["value"])}
    return {}


def _over(headers: Mapping[str, str], others: Mapping[str, Any]) -> dict[str, str]:
    """Headers with others that replace those of the same name, however it is written."""
    names = {name.lower() for name in others}
    kept = {name: value for name, value in headers.items() if name.lower() not in names}
    return kept | {name: str(value) for name, value in others.items()}


def _plain(value: Any) -> Any:
    """A value as a query spells it: true and false in small letters."""
    if isinstance(value, bool):
        return "true" if value else "false"
    return [_plain(one) for one in value] if isinstance(value, list | tuple) else value


def _with(url: str, values: Mapping[str, Any]) -> str:
    """The address with these parameters in place of those of the same name; the others stay as they are spelled."""
    parts = urlsplit(url)
    query = "&".join(part for part in (_without(parts.query, values), urlencode(values, doseq=True)) if part)
    return parts._replace(query=query).geturl()


def _without(query: str, names: Mapping[str, Any]) -> str:
    kept = (part for part in query.split("&") if unquote_plus(part.partition("=")[0]) not in names)
    return "&".join(part for part in kept if part)


def _placed(body: Mapping[str, Any], steps: list[str], value: Any) -> dict[str, Any]:
    """The body with a value at a place inside; mappings on the way are made where they are missing."""
    name, *rest = steps
    if rest:
        inner = body.get(name)
        value = _placed(inner if isinstance(inner, Mapping) else {}, rest, value)
    return {**body, name: value}
