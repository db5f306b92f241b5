"""Commands act on both databases."""

from tests.support.stores import clock, store, url

__all__ = ["clock", "store", "url"]
