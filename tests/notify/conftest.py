"""Decisions are tested on SQLite; where the database has a say, a test asks for both by `url`."""

import pytest

from tests.support.stores import clock, store

__all__ = ["clock", "store", "url"]


@pytest.fixture
def url(request: pytest.FixtureRequest) -> str:
    """A store's address: that of a file, unless a test names a database."""
    wanted = getattr(request, "param", "sqlite")
    return "sqlite:///stoma.db" if wanted == "sqlite" else request.getfixturevalue("postgres_url")
