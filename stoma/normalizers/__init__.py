"""The second stage: what raw items become. Every normalizer that Stoma knows, name beside implementation."""

from __future__ import annotations

from importlib import import_module
from typing import cast

from stoma import own
from stoma.normalizers.base import BaseNormalizer

NORMALIZERS: dict[str, str] = {
    "arxiv": "stoma.normalizers.arxiv:ArxivNormalizer",
    "github": "stoma.normalizers.github:GithubNormalizer",
    "sec_edgar": "stoma.normalizers.sec_edgar:SecEdgarNormalizer",
    "http_json": "stoma.normalizers.http_json:HttpJsonNormalizer",
    "feed": "stoma.normalizers.feed:FeedNormalizer",
}

KIND = own.Kind("normalizer", "stoma.normalizers", BaseNormalizer, NORMALIZERS)


def make(name: str) -> BaseNormalizer:
    """A normalizer by its name or path; raises Blocked where it cannot be used, NotFound for an unknown name."""
    return kind(name)()


def kind(name: str) -> type[BaseNormalizer]:
    """The class behind a name or a path."""
    if name not in NORMALIZERS:
        return own.find(name, KIND)
    module, _, found = NORMALIZERS[name].partition(":")
    return cast("type[BaseNormalizer]", getattr(import_module(module), found))


def of_collector(name: str) -> BaseNormalizer:
    """The normalizer called like a collector; without one, items become records as they are."""
    if name in NORMALIZERS or (not own.is_path(name) and name in own.offered(KIND.group)):
        return make(name)
    from stoma.normalizers.plain import PlainNormalizer

    return PlainNormalizer()
