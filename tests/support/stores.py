"""Fixtures of a store on either database, for every folder whose tests need one."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from stoma.stores import Store, open_store
from tests.support.clock import Clock


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture(params=["sqlite", "postgres"])
def url(request: pytest.FixtureRequest) -> str:
    return "sqlite:///stoma.db" if request.param == "sqlite" else request.getfixturevalue("postgres_url")


@pytest.fixture
def store(url: str, tmp_path: Path, clock: Clock) -> Iterator[Store]:
    with open_store(url, tmp_path, clock=clock) as opened:
        yield opened
