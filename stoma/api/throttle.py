"""How often an address may guess a token: a few times at once, then one guess every few seconds."""

from __future__ import annotations

import threading
from collections import OrderedDict
from hashlib import blake2b
from ipaddress import IPv6Address, ip_address

AT_ONCE = 10
"""Wrong tokens that an address may show before it has to wait."""

EVERY = 6.0
"""Seconds after which one more is allowed."""

MOST_ADDRESSES = 2_000
"""Remembered at a time; whoever was seen longest ago is forgotten first."""


class Throttle:
    """Counts wrong tokens by address; any thread may ask. The same wrong token again is no further guess."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        # By address: what is left, when that was, and the digests of what was shown.
        self._seen: OrderedDict[str, tuple[float, float, frozenset[bytes]]] = OrderedDict()

    def wait(self, address: str, now: float) -> float:
        """Seconds until this address may show a token again; 0 when it may."""
        with self._lock:
            left, _ = self._left(_network(address), now)
        return 0.0 if left >= 1 else (1 - left) * EVERY

    def wrong(self, address: str, shown: bytes, now: float) -> bool:
        """A wrong token was shown; True when this address has to wait from now on."""
        name, digest = _network(address), blake2b(shown, digest_size=8).digest()
        with self._lock:
            left, known = self._left(name, now)
            if digest in known:
                return False
            rest = max(0.0, left - 1)
            # Those before the bucket was full again may be forgotten: they count once more, that is all.
            digests = known | {digest} if len(known) < AT_ONCE else frozenset({digest})
            self._seen[name] = rest, now, digests
            self._seen.move_to_end(name)
            while len(self._seen) > MOST_ADDRESSES:
                self._seen.popitem(last=False)
        return rest < 1 <= left

    def _left(self, name: str, now: float) -> tuple[float, frozenset[bytes]]:
        found = self._seen.get(name)
        if found is None:
            return float(AT_ONCE), frozenset()
        left, at, known = found
        return min(float(AT_ONCE), left + (now - at) / EVERY), known


def _network(address: str) -> str:
    """One name for all addresses of a household: an IPv6 network of 64 bits is given to one."""
    try:
        found = ip_address(address.partition("%")[0])
    except ValueError:
        return address[:100]
    if not isinstance(found, IPv6Address):
        return str(found)
    return str(found.ipv4_mapped) if found.ipv4_mapped else found.exploded[:19]
