"""One body of tests for both databases."""

from tests.support.stores import clock, store, url

__all__ = ["clock", "store", "url"]
