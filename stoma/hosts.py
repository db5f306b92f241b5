"""How often a host may be asked: rules, and which rule a host falls under. Pure."""

from __future__ import annotations

import ipaddress
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime, timedelta
from urllib.parse import urlsplit


@dataclass(frozen=True, slots=True)
class HostRule:
    """At least `gap` between two requests, at most `concurrency` at once (None: any number)."""

    gap: timedelta = timedelta(0)
    concurrency: int | None = None

    @property
    def is_free(self) -> bool:
        """True when nothing has to be reserved."""
        return not self.gap and self.concurrency is None


@dataclass(frozen=True, slots=True)
class Grant:
    """Leave to send one request to `host`: after `wait` seconds, counted as `connection` until it is given back."""

    wait: float = 0.0
    connection: int | None = None
    # The name under which the request is counted.
    host: str = ""


@dataclass(frozen=True, slots=True)
class Allowance:
    """What a source says of the requests it allows: how many are left of how many, and when it counts anew."""

    remaining: int
    limit: int | None = None
    reset_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of one request; all false where its answer was what was asked for."""

    # False when the request was not sent after all.
    is_sent: bool = True
    # Answered with 304: nothing changed.
    is_unmodified: bool = False
    # The source asked for patience.
    is_busy: bool = False
    # Refused, broken or not answered at all.
    is_failed: bool = False
    told: Allowance | None = None


ANSWERED = Outcome()
"""What most requests come to."""

NOT_SENT = Outcome(is_sent=False)
"""The request was granted, and not made."""


LONGEST_COOLING = timedelta(hours=25)
"""No cool-down lasts longer; one that seems to was written by a clock that was wrong."""

ANY = "*"
FREE = HostRule()

BUILT_IN: Mapping[str, HostRule] = {
    # One request every 3 seconds and one connection, over API, OAI and RSS together (arXiv API terms of use).
    "export.arxiv.org": HostRule(timedelta(seconds=3), 1),
    # The limit is 10 a second over all machines of one user (SEC, Accessing EDGAR Data); a margin stays.
    "www.sec.gov": HostRule(timedelta(seconds=1 / 8), None),
    ANY: HostRule(timedelta(seconds=1), 2),
}

SAME_BUDGET: Mapping[str, str] = {
    "oaipmh.arxiv.org": "export.arxiv.org",
    "rss.arxiv.org": "export.arxiv.org",
    "data.sec.gov": "www.sec.gov",
    "efts.sec.gov": "www.sec.gov",
}
"""Hosts that count as another one, because their owner counts them together."""


def budget_name(host: str) -> str:
    """The name under which requests to `host` are counted."""
    host = host.lower().rstrip(".")
    return SAME_BUDGET.get(host, host)


def rule_for(host: str, rules: Mapping[str, HostRule]) -> HostRule:
    """The rule for `host`: its own entry, else none for loopback and private addresses, else `"*"`."""
    name = budget_name(host)
    for table in (rules, BUILT_IN):
        if name in table:
            return table[name]
    if is_private(name):
        return FREE
    return rules.get(ANY, BUILT_IN[ANY])


def rule_origin(host: str, rules: Mapping[str, HostRule]) -> str:
    """Where `rule_for` found its answer: `stoma.yaml`, `built-in`, or `private` for addresses without limits."""
    name = budget_name(host)
    if name in rules:
        return "stoma.yaml"
    if name not in BUILT_IN and is_private(name):
        return "private"
    return "stoma.yaml" if ANY in rules and name not in BUILT_IN else "built-in"


def hosts_named(config: object) -> frozenset[str]:
    """The hosts of all http(s) addresses that a config holds, however deep, as `plain_host` spells them."""
    if isinstance(config, str):
        if not config.strip().lower().startswith(("http://", "https://")):
            return frozenset()
        with suppress(ValueError):  # no address; whoever asks it will say so
            return frozenset({plain_host(urlsplit(config.strip()).hostname or "")} - {""})
        return frozenset()
    if isinstance(config, Mapping):
        config = list(config.values())
    if isinstance(config, list | tuple):
        return frozenset().union(*map(hosts_named, config))
    return frozenset()


def plain_host(host: str) -> str:
    """One spelling for each host: lower case, no brackets, no dot at the end, foreign letters as ASCII."""
    host = host.lower().rstrip(".").strip("[]")
    if not host.isascii():
        with suppress(UnicodeError):
            return host.encode("idna").decode()
    return host


def is_loopback(host: str) -> bool:
    """True when only this machine can reach an address to listen on; names but `localhost` are not resolved."""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return False


def is_private(host: str) -> bool:
    """True for localhost and for addresses that are loopback or private; names are not resolved."""
    if host == "localhost" or host.endswith(".localhost"):
        return True
    try:
        address = ipaddress.ip_address(host.strip("[]"))
    except ValueError:
        return False
    return address.is_loopback or address.is_private
