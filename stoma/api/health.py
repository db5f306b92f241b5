"""For load balancers and probes, which carry no token: does it tick, can it work. Nothing is told that is a secret."""

from __future__ import annotations

from stoma.api.answers import Answer, Asked
from stoma.errors import StoreError
from stoma.log import logger
from stoma.scheduler.manager import Scheduler
from stoma.scheduler.parts import full_disk
from stoma.stores.aside import answered
from stoma.stores.depths import is_migrated


def health(asked: Asked) -> Answer:
    """All in one look: 200 where it works, also with a broken edit that waits to be mended; else 503."""
    reason = not_ready(asked.scheduler)
    degraded = doubts(asked.scheduler)
    status = "failing" if reason else "degraded" if degraded else "well"
    found = {
        "status": status,
        "live": asked.scheduler.is_alive,
        "ready": reason is None,
        "reasons": [reason, *degraded] if reason else degraded,
    }
    return Answer(found, 503 if reason else 200)


def live(asked: Asked) -> Answer:
    """200 while the scheduler ticks; that the server lives is told by the answer."""
    return Answer({"live": True}) if asked.scheduler.is_alive else Answer({"live": False}, 503)


def ready(asked: Asked) -> Answer:
    """200 while the store answers, has the tables that are wanted, and the scheduler ticks."""
    if reason := not_ready(asked.scheduler):
        return Answer({"ready": False, "reason": reason}, 503)
    told = doubts(asked.scheduler)
    return Answer({"ready": True, "degraded": told} if told else {"ready": True})


def not_ready(scheduler: Scheduler) -> str | None:
    """Why the scheduler cannot do its work; None where it can."""
    if not scheduler.is_running:
        return "the scheduler is starting or stopping"
    if not scheduler.is_alive:
        return "the scheduler does not tick: its loop stands still"
    try:
        if not answered(scheduler.store.database, lambda: _is_migrated(scheduler), "ready"):
            return "the tables of the store are older than this program"
    except StoreError as error:
        # Whoever asks may be anybody, and where the database stands is not for them.
        logger.debug("not ready: {}", error.message)
        return "the store does not answer"
    return None


def _is_migrated(scheduler: Scheduler) -> bool:
    scheduler.store.now()
    scheduler.store.agenda.overrides()
    return is_migrated(scheduler.store.database)


def doubts(scheduler: Scheduler) -> list[str]:
    """What does not stop the work, and somebody should look at."""
    found = []
    if scheduler.errors:
        found.append("a file is broken; what was in force before the edit goes on")
    if full_disk(scheduler.config) is not None:
        found.append("the disk is full")
    if scheduler.runner.abandoned:
        found.append(f"{scheduler.runner.abandoned} threads hang and were given up")
    return found
