"""The second stage: what raw items become. Every normalizer that Stoma knows, name beside implementation."""

from __future__ import annotations

from difflib import get_close_matches
from importlib import import_module
from typing import cast

from stoma.errors import Blocked, NotFound
from stoma.normalizers.base import BaseNormalizer

NORMALIZERS: dict[str, str | None] = {
    "arxiv": "stoma.normalizers.arxiv:ArxivNormalizer",
    "github": "stoma.normalizers.github:GithubNormalizer",
    "sec_edgar": "stoma.normalizers.sec_edgar:SecEdgarNormalizer",
    "http_json": None,
    "feed": None,
}


def make(name: str) -> BaseNormalizer:
    """A normalizer by its name; raises Blocked where this version has none, NotFound for an unknown name."""
    if name not in NORMALIZERS:
        near = get_close_matches(name, NORMALIZERS, 1, 0.5)
        known = f"did you mean {near[0]}?" if near else f"known are {', '.join(NORMALIZERS)}"
        raise NotFound(f"there is no normalizer {name!r}", known)
    path = NORMALIZERS[name]
    if path is None:
        raise Blocked(f"the {name} normalizer is not part of this version", "its tasks wait for a later one")
    module, _, found = path.partition(":")
    return cast("BaseNormalizer", getattr(import_module(module), found)())
