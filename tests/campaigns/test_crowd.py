"""The short form of the campaign of many at once."""

from __future__ import annotations

import pytest

from tests.campaigns.crowd import run


@pytest.mark.timeout(90)
def test_nobody_is_shown_that_the_file_is_locked() -> None:
    done = run(seconds=3, readers=4)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "0 faults" in done.stdout
