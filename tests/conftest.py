"""Fixtures for all tests. What is autouse here keeps a test from touching the machine it runs on."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import hypothesis
import hypothesis.configuration
import pytest

from tests.support import guards, postgres

REPOSITORY = Path(__file__).resolve().parent.parent
# Read before the guards take Stoma's variables away.
RECORDED = Path(os.environ.get("STOMA_RECORDED") or REPOSITORY.parent / "shared" / "recorded")

hypothesis.configuration.set_hypothesis_home_dir(
    REPOSITORY / ".hypothesis"
)  # tests change the current folder
hypothesis.settings.register_profile("stoma", deadline=None)  # a slow machine is no failure
hypothesis.settings.load_profile("stoma")


def pytest_report_header() -> str:
    try:
        return f"postgresql: {postgres.binaries()}"
    except LookupError as missing:
        return f"postgresql: {missing}"


@pytest.fixture(scope="session")
def _home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("home")


@pytest.fixture(autouse=True)
def _enclosed(_home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    guards.enclose(monkeypatch, _home, tmp_path)
    # Processes that a test starts find the package from any folder.
    monkeypatch.setenv("PYTHONPATH", str(REPOSITORY))


@pytest.fixture(autouse=True)
def network() -> Iterator[guards.NetworkGuard]:
    """The guard; a test that means to touch the network clears `touched` before it ends."""
    guard = guards.NetworkGuard()
    with pytest.MonkeyPatch.context() as patch:
        guard.install(patch)
        yield guard
    if guard.touched:
        pytest.fail(f"the network was touched: {', '.join(guard.touched)}", pytrace=False)


@pytest.fixture(scope="session")
def postgres_server() -> Iterator[postgres.Server]:
    """One server for the whole run, started by the first test that needs it."""
    server = postgres.start(postgres.binaries())
    yield server
    server.stop()


@pytest.fixture
def postgres_url(postgres_server: postgres.Server) -> Iterator[str]:
    """The URL of an empty database of this test's own."""
    with postgres_server.fresh_database() as url:
        yield url


@pytest.fixture
def recorded() -> Path:
    """True captures of the sources. They are not part of the repository; tests skip where they are absent."""
    if not RECORDED.is_dir():
        pytest.skip("no recorded captures; STOMA_RECORDED names their folder")
    return RECORDED
