"""How often a host may be asked: rules, and which rule a host falls under. Pure."""

from __future__ import annotations

import ipaddress
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta


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
    """Leave to send one request: after `wait` seconds, counted as `connection` until it is given back."""

    wait: float = 0.0
    connection: int | None = None


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
