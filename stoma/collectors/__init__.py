"""The first stage: where raw items come from. Every collector that Stoma knows, name beside implementation."""

from __future__ import annotations

from collections.abc import Mapping
from difflib import get_close_matches
from importlib import import_module
from typing import Any, cast
from urllib.parse import urlsplit

from stoma.collectors.base import BaseCollector
from stoma.errors import Blocked, NotFound

COLLECTORS: dict[str, str | None] = {
    "arxiv": "stoma.collectors.arxiv:ArxivCollector",
    "github": "stoma.collectors.github:GithubCollector",
    "sec_edgar": "stoma.collectors.sec_edgar:SecEdgarCollector",
    "http_json": None,
    "feed": None,
}


def make(name: str) -> BaseCollector:
    """A collector by its name; raises Blocked where this version has none, NotFound for an unknown name."""
    return kind(name)()


def kind(name: str) -> type[BaseCollector]:
    """The class behind a name."""
    if name not in COLLECTORS:
        near = get_close_matches(name, COLLECTORS, 1, 0.5)
        known = f"did you mean {near[0]}?" if near else f"known are {', '.join(COLLECTORS)}"
        raise NotFound(f"there is no collector {name!r}", known)
    path = COLLECTORS[name]
    if path is None:
        raise Blocked(f"the {name} collector is not part of this version", "its tasks wait for a later one")
    module, _, found = path.partition(":")
    return cast("type[BaseCollector]", getattr(import_module(module), found))


def host_of(name: str, config: Mapping[str, Any]) -> str:
    """The host that a task with this config asks, without its port; empty where this version cannot tell."""
    base_url = config.get("base_url")
    if not base_url:
        base_url = kind(name).origin_of(config) if COLLECTORS.get(name) else ""
    try:
        return urlsplit(str(base_url)).hostname or ""
    except ValueError:  # no address at all; its run will say so
        return ""
