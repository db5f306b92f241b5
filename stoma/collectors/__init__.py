"""The first stage: where raw items come from. Every collector that Stoma knows, name beside implementation."""

from __future__ import annotations

from collections.abc import Mapping
from importlib import import_module
from typing import Any, cast
from urllib.parse import urlsplit

from stoma import own
from stoma.collectors.base import BaseCollector

COLLECTORS: dict[str, str] = {
    "arxiv": "stoma.collectors.arxiv:ArxivCollector",
    "github": "stoma.collectors.github:GithubCollector",
    "sec_edgar": "stoma.collectors.sec_edgar:SecEdgarCollector",
    "http_json": "stoma.collectors.http_json:HttpJsonCollector",
    "feed": "stoma.collectors.feed:FeedCollector",
}

KIND = own.Kind("collector", "stoma.collectors", BaseCollector, COLLECTORS)

RESERVED = {"arxiv": "arxiv", "github": "github", "sec_edgar": "sec_edgar"}
"""The `source` that belongs to a collector which is built in: nobody else may write records of it."""


def refused_source(found: type[BaseCollector], source: str) -> tuple[str, str] | None:
    """Why a collector may not write records of this source, and what to do; None where it may."""
    if not isinstance(source, str) or source not in RESERVED or issubclass(found, kind(RESERVED[source])):
        return None
    return (
        f'the source "{source}" belongs to the collector {RESERVED[source]} that comes with Stoma',
        "name another one: `source` of the class, or config.source; without both it is the id of the task",
    )


def make(name: str) -> BaseCollector:
    """A collector by its name or path; raises Blocked where it cannot be used, NotFound for an unknown name."""
    return kind(name)()


def kind(name: str, *, wait: bool = True) -> type[BaseCollector]:
    """The class behind a name or a path; without `wait` one of somebody's own must be imported already."""
    if name not in COLLECTORS:
        return own.find(name, KIND, wait=wait)
    module, _, found = COLLECTORS[name].partition(":")
    return cast("type[BaseCollector]", getattr(import_module(module), found))


def host_of(name: str, config: Mapping[str, Any]) -> str:
    """The host that a task with this config asks, without its port; empty where nobody can tell."""
    try:
        return urlsplit(str(config.get("base_url") or _origin_of(name, config))).hostname or ""
    except ValueError:  # no address at all; its run will say so
        return ""


def _origin_of(name: str, config: Mapping[str, Any]) -> str:
    if name in COLLECTORS:
        return kind(name).origin_of(config)
    try:
        return kind(name, wait=False).origin_of(config)
    except Exception:  # a stranger's code, or not there yet; its run will say so
        return ""
