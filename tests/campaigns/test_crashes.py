"""The short form of the crash campaign."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.campaigns.crashes import campaign


@pytest.mark.timeout(120)
def test_killed_at_random_every_due_instant_is_accounted_for(url: str, tmp_path: Path) -> None:
    report = campaign(tmp_path, url, kills=4, seed=1, settle=2)
    assert report.instants > 20
    assert report.statuses["completed"] > 10
