"""The short form of the campaign of full disks."""

from __future__ import annotations

import pytest

from tests.campaigns.disks import private, run


@pytest.mark.timeout(90)
@pytest.mark.skipif(not private(), reason="no disk can be mounted here")
def test_a_full_disk_loses_nothing_and_is_survived() -> None:
    done = run(rounds=1, seed=3)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "'full': 1" in done.stdout
