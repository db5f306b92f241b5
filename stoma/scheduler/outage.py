"""What an outage of the network means for runs: said once, probed by one run at a time, and no try of any of them."""

from __future__ import annotations

from datetime import datetime

from stoma.errors import BadAnswer, SourceBusy, SourceRefused, StoreError, Unreachable
from stoma.log import logger
from stoma.scheduler.base import Run, TaskStatus
from stoma.scheduler.network import Network, is_public
from stoma.stores import Store
from stoma.stores.runs import End

ANSWERS = (BadAnswer, SourceBusy, SourceRefused)
"""Errors that show that a host answered."""

NO_NETWORK = "no network"
"""The reason of a run that waits for the network."""


def hold(network: Network, run: Run, now: datetime) -> End | None:
    """Let a run wait that would only meet the outage; None when it may ask its host."""
    if not _asks_outside(run) or network.may_probe(now):
        return None
    return _waits(network, "this machine has no network", now)


def judge(network: Network, run: Run, error: BaseException, now: datetime) -> End | None:
    """What a failed run tells of the network; its end when the network is what it lacks."""
    if isinstance(error, Unreachable) and error.host:
        if network.failed(error.host, now):
            hosts = ", ".join(network.hosts)
            logger.error("no network: {} cannot be reached; runs wait, and one at a time tries again", hosts)
        if network.is_out and is_public(error.host):
            return _waits(network, error.message, now)
        return None
    # A refusal is an answer too; anything else says nothing of the network.
    if not isinstance(error, ANSWERS) and _asks_outside(run):
        network.withdrew(now)
    return None


def answered(network: Network, store: Store, run: Run, now: datetime) -> None:
    """A host answered: an outage is over, and what waited for its end goes on."""
    if run.host and network.answered(run.host, now):
        logger.info("the network is back")
        try:
            store.runs.hasten(NO_NETWORK)
        except StoreError as error:
            # They go on by themselves a little later; the page that came is no worse for it.
            logger.warning("what waited for the network waits on: {}", error.message)


def _waits(network: Network, error: str, now: datetime) -> End:
    until = max(network.probe_at or now, now)
    return End(TaskStatus.PENDING, NO_NETWORK, error, until, is_try=False, attempt_status=NO_NETWORK)


def _asks_outside(run: Run) -> bool:
    return run.host is not None and is_public(run.host)
