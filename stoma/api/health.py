"""For load balancers and probes: does it tick, can it work."""

from __future__ import annotations

from stoma.api.answers import Answer, Asked
from stoma.errors import StoreError


def live(asked: Asked) -> Answer:
    """200 while the scheduler ticks."""
    return Answer({"live": True}) if asked.scheduler.is_alive else Answer({"live": False}, 503)


def ready(asked: Asked) -> Answer:
    """200 while the store answers and the scheduler ticks."""
    try:
        asked.scheduler.store.now()
        asked.scheduler.store.agenda.overrides()
    except StoreError as error:
        return Answer({"ready": False, "reason": error.message}, 503)
    if not asked.scheduler.is_running:
        return Answer({"ready": False, "reason": "the scheduler is starting or stopping"}, 503)
    if not asked.scheduler.is_alive:
        return Answer({"ready": False, "reason": "the scheduler does not tick: its loop stands still"}, 503)
    return Answer({"ready": True})
