"""Takes messages out of the outbox and sends them, outside any transaction: at least once, and marked when repeated.

    claimed with a lease   begun = 1
    sent                   to one address; several that wait go as one
    marked                 sent, or given back with why and until when

A process that ends between the second and the third leaves `begun`: whoever claims the message next says "repeat".
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import timedelta
from time import monotonic

from stoma.errors import Blocked, Problem
from stoma.log import logger
from stoma.notify import messages, services
from stoma.notify.deciding import RECOVERED, next_try
from stoma.references import resolve, unset
from stoma.scheduler.config import Config
from stoma.scheduler.overview import live_nodes
from stoma.scheduler.owner import this_process
from stoma.stores import Store
from stoma.stores.outbox import Letter

AT_ONCE = 100
"""Messages that go as one at most."""

LEASE = timedelta(minutes=3)
"""Longer than a delivery may take."""

Send = Callable[[str, str, str, str], "str | None"]
"""URL, title, body and kind of a message; gives why it was not taken."""


class Sender:
    """Empties the outbox as far as its addresses can be used here."""

    def __init__(
        self, store: Store, config: Callable[[], Config], send: Send = services.send_within, rest: float = 0.0
    ) -> None:
        """`rest`: seconds for which an address is left alone after each delivery, so that many go as one."""
        self._store = store
        self._config = config
        self._send = send
        self._rest = rest
        # Until when each address is left alone, on the clock of `time.monotonic`.
        self._resting: dict[tuple[str, str], float] = {}
        self._told_missing = False

    def round(self, goes_on: Callable[[], bool] = lambda: True) -> int:
        """Send what is due; gives how many messages arrived. Raises StoreError."""
        config = self._config()
        self._redirect(config)
        if not config.targets or not self._can_send():
            return 0
        outbox = self._store.outbox
        outbox.free_gone()
        arrived = 0
        due = outbox.due(self._store.now())
        for target, addresses in config.targets.items():
            for address in addresses:
                # What cannot be resolved here waits; another node may have it.
                if (target, address) not in due or unset(address, config.base):
                    continue
                if monotonic() < self._resting.get((target, address), 0.0):
                    continue
                while goes_on() and (many := self._deliver(config, target, address)):
                    arrived += many
                    self._resting[target, address] = monotonic() + self._rest
        return arrived

    def _redirect(self, config: Config) -> None:
        """What waits for an address that is declared no more goes to those that are; without a target it is dropped."""
        astray = [
            key for key in self._store.outbox.addresses() if key[1] not in config.targets.get(key[0], ())
        ]
        if not astray:
            return
        now = self._store.now()
        if any(row["config_hash"] != config.hash for row in live_nodes(self._store, now)):
            return  # another node may know the address
        for target, address in sorted(astray):
            to = config.targets.get(target, ())
            many = self._store.outbox.move(target, address, to, now)
            if many and not to:
                logger.warning("{} alerts to {} are dropped: there is no such target any more", many, target)
            elif many:
                logger.info("{} alerts to {} go to the address that is in force now", many, target)

    def _deliver(self, config: Config, target: str, address: str) -> int:
        """Send what waits for one address as one message; gives how many that were, 0 when nothing got through."""
        store, owner = self._store, str(this_process())
        now = store.now()
        claimed = store.outbox.claim(target, address, owner, now, now + LEASE, AT_ONCE)
        if not claimed:
            return 0
        title, text = messages.together(claimed)
        error = self.send_to(config, address, title, text, kind_of(claimed))
        now = store.now()
        if error is None:
            store.outbox.sent(claimed, now)
            return len(claimed)
        logger.warning("alerts to {} cannot be sent, and wait: {}", target, error)
        again = {one.id: next_try(one.tries + 1, now) for one in claimed}
        store.outbox.failed(claimed, owner, error, again, is_unsure=isinstance(error, services.Unsure))
        return 0

    def send_to(self, config: Config, address: str, title: str, text: str, kind: str) -> str | None:
        """Send one message to one address now; None when it was taken, else why not."""
        try:
            url = str(resolve(address, config.base))
        except Blocked as error:
            return error.message
        return self._send(url, title, text, kind)

    def _can_send(self) -> bool:
        if self._send is not services.send_within or services.is_installed():
            return True
        if not self._told_missing:
            self._told_missing = True
            logger.warning("alerts wait: {}; {}", services.MISSING, services.INSTALL)
        return False


def kind_of(letters: Sequence[Letter]) -> str:
    """What a service shows beside the message: success, warning or failure."""
    bad = [one for one in letters if one.event != RECOVERED]
    if not bad:
        return "success"
    return "warning" if all(one.kind in ("suspect", "silence") for one in bad) else "failure"


def waiting(config: Config) -> list[Problem]:
    """What keeps messages from being sent from here, for whoever judges the configuration; each is only a warning."""
    if config.targets and not services.is_installed():
        return [Problem(f"alerts wait: {services.MISSING}", hint=services.INSTALL)]
    return [
        Problem(f"alerts to {target} wait: {reason}")
        for target, addresses in config.targets.items()
        for address in addresses
        if (reason := unset(address, config.base))
    ]


def waiting_reason(config: Config, address: str) -> str | None:
    """Why nothing can be sent to an address from here; None when it can be tried."""
    if reason := unset(address, config.base):
        return reason
    return None if services.is_installed() else f"{services.MISSING}; {services.INSTALL}"
