"""The short form of the campaign of kills."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.campaigns.kills import campaign


@pytest.mark.timeout(120)
@pytest.mark.parametrize("kind", ["sqlite", "postgres"])
def test_killed_at_random_nothing_is_lost_or_doubled(
    kind: str, tmp_path: Path, recorded: Path, request: pytest.FixtureRequest
) -> None:
    url = "sqlite:///stoma.db" if kind == "sqlite" else request.getfixturevalue("postgres_url")
    given = iter([url])
    report = campaign(tmp_path, recorded / "arxiv", lambda: next(given), kills=4, seed=4, copies=2)
    assert report.kills >= 3
    assert report.records > 0
