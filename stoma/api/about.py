"""What tasks work with, over HTTP: the configuration in force, the hosts that are asked, the schedulers at work."""

from __future__ import annotations

from pathlib import Path

from stoma.api.answers import Answer, Asked
from stoma.api.control import config_standing
from stoma.scheduler import asking
from stoma.scheduler.base import iso
from stoma.scheduler.files import shown_name
from stoma.scheduler.overview import live_nodes
from stoma.scheduler.plan import settings_of


def config(asked: Asked) -> Answer:
    """The configuration in force, its files, and what is wrong with them."""
    scheduler = asked.scheduler
    found = scheduler.config
    from_files = [
        {"file": shown_name(Path(name), found.base), "hash": mark} for name, mark in found.files.items()
    ]
    settings = {key: text for key, text in settings_of(found).items() if text is not None}
    return Answer({**config_standing(scheduler), "files": from_files, "settings": settings})


def hosts(asked: Asked) -> Answer:
    """Each host that is asked: its budget, what is left of it, and when the next request may be sent."""
    scheduler = asked.scheduler
    found = asking.host_standings(scheduler.config, scheduler.store, asked.query.get("host"))
    return Answer({"hosts": [one.as_dict() for one in found]})


def reset_host(asked: Asked, host: str) -> Answer:
    """End the cool-down of a host now."""
    scheduler = asked.scheduler
    [standing] = asking.host_standings(scheduler.config, scheduler.store, host)
    ended = scheduler.store.hosts.warm(standing.host)
    scheduler.board.forget()
    until, reason, runs = ended or (None, None, 0)
    told = {"host": standing.host, "was_cooling_until": iso(until), "reason": reason, "runs": runs}
    return Answer(told)


def nodes(asked: Asked) -> Answer:
    """The schedulers that work on this store, as they described themselves last."""
    store = asked.scheduler.store
    return Answer({"nodes": live_nodes(store, store.now())})
