"""Campaigns run on both databases."""

from tests.support.stores import url

__all__ = ["url"]
