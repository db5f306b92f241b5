"""docs/alerts.md shows what works."""

from __future__ import annotations

import re
from pathlib import Path

from stoma.notify.deciding import DISTANCES
from stoma.scheduler.base import Notify
from stoma.scheduler.config import load_config

PAGE = (Path(__file__).resolve().parents[2] / "docs" / "alerts.md").read_text()


def test_the_example_loads_and_its_defaults_are_those_of_the_program(tmp_path: Path) -> None:
    [yaml] = re.findall(r"```yaml\n(.*?)```", PAGE, re.DOTALL)
    (tmp_path / "stoma.yaml").write_text(f"version: 1\npresets: []\n{yaml}")
    config = load_config(tmp_path / "stoma.yaml")
    assert list(config.targets) == ["ops", "team"]
    assert config.notify == Notify(to=("ops",))
    assert config.tasks["ml_papers_scan"].notify == Notify(to=("ops", "team"), after_failures=1)


def test_the_distances_are_those_of_the_program() -> None:
    assert [span.total_seconds() / 3600 for span in DISTANCES] == [4, 24, 72, 168]
    assert "after 4 hours, then a day, 3 days, and each week" in PAGE
