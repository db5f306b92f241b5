"""A world for collectors, and servers that misbehave on request."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.support.server import Handler, Reply, Server
from tests.support.stores import clock, store, url
from tests.support.world import Serve, World

__all__ = ["clock", "serve", "store", "url", "world"]


@pytest.fixture
def world() -> Iterator[World]:
    world = World()
    yield world
    for client in world.clients:
        client.close()
    assert not world.budget.in_use, "a connection was not given back"


@pytest.fixture
def serve() -> Iterator[Serve]:
    servers = []

    def start(handler: Handler | Reply) -> Server:
        server = Server(handler if callable(handler) else lambda _: handler)
        servers.append(server)
        return server

    yield start
    for server in servers:
        server.close()
