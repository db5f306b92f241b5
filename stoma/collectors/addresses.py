"""Which addresses may be asked: public ones, and those inside a network that the configuration itself names. Pure."""

from __future__ import annotations

import ipaddress
import socket
from contextlib import suppress

from stoma.errors import SourceRefused
from stoma.hosts import plain_host

Address = ipaddress.IPv4Address | ipaddress.IPv6Address

METADATA = frozenset({"fd00:ec2::254", "fd20:ce::254", "100.100.100.200", "168.63.129.16", "192.0.0.192"})
"""Where clouds hand out credentials, beside the link-local addresses (AWS, Google, Alibaba, Azure, Oracle)."""

METADATA_NAMES = frozenset({"metadata.google.internal", "metadata.goog", "instance-data"})
"""The same by name: behind a proxy nobody here learns where a name leads."""

_NAT64 = ipaddress.ip_network("64:ff9b::/96")


def fault(address: Address, named: bool) -> str:
    """Why this address is not asked; empty when it may be. `named`: the configuration names the host that led to it."""
    address = _meant(address)
    if address.is_link_local or str(address) in METADATA:
        return f"{address} is a link-local or metadata address, which is never asked"
    # More than the private ranges: also what lies between carriers and their customers.
    if named or (address.is_global and not address.is_multicast):
        return ""
    return f"{address} is a private address, and the configuration does not name its host"


def fault_of_name(host: str, named: bool) -> str:
    """The same for a host before it is asked: literal addresses, however spelled, and names of metadata servers."""
    if plain_host(host) in METADATA_NAMES:
        return f"{host} is a metadata server, which is never asked"
    address = literal(host)
    return fault(address, named) if address is not None else ""


class NotAllowed(SourceRefused):
    """An address that is not asked, whoever leads there."""


def refused(shown: str, why: str) -> NotAllowed:
    """The error for an address that is not asked, and how to allow it where that can be done."""
    hint = "if it is meant, write this address into the config of the task" if "private" in why else ""
    return NotAllowed(f"{shown} leads to where it may not: {why}", hint)


def literal(host: str) -> Address | None:
    """The address that a host is in itself, also in the spellings of old (`127.1`, `0x7f000001`); None for a name."""
    text = plain_host(host).partition("%")[0]
    with suppress(ValueError):
        return ipaddress.ip_address(text)
    if text[:1].isdigit() and not text.strip("0123456789abcdefx."):
        with suppress(OSError):
            return ipaddress.IPv4Address(socket.inet_aton(text))
    return None


def _meant(address: Address) -> Address:
    """The address of IPv4 that one of IPv6 stands for, or the address itself."""
    if isinstance(address, ipaddress.IPv4Address):
        return address
    if address in _NAT64 or 1 < int(address) < 1 << 32:
        return ipaddress.IPv4Address(int(address) & 0xFFFFFFFF)
    return address.ipv4_mapped or address.sixtofour or address
