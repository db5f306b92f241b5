"""A source is one file in each stage, called alike, one schema, and one line in each of two tables: none is missing.

For those of the mission the demo has a stand-in, and the README an example.
"""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from stoma import collectors, normalizers
from stoma.collectors import COLLECTORS
from stoma.collectors.base import BaseCollector
from stoma.demo.standin import SOURCES
from stoma.normalizers import NORMALIZERS
from stoma.normalizers.base import BaseNormalizer
from stoma.scheduler.config import load_config

MISSION = {"arxiv", "github", "sec_edgar", "http_json", "feed"}
REPOSITORY = Path(__file__).resolve().parent.parent
SCHEMAS = {
    path.name.removesuffix(".schema.json") for path in (REPOSITORY / "schemas" / "collectors").iterdir()
}


def test_both_tables_and_the_schemas_know_the_same_sources() -> None:
    assert COLLECTORS.keys() == NORMALIZERS.keys() == SCHEMAS


@pytest.mark.parametrize("name", list(COLLECTORS))
def test_a_source_has_a_file_called_like_it_in_each_stage(name: str) -> None:
    assert COLLECTORS[name].startswith(f"stoma.collectors.{name}:")
    assert NORMALIZERS[name].startswith(f"stoma.normalizers.{name}:")
    assert isinstance(collectors.make(name), BaseCollector)
    assert isinstance(normalizers.make(name), BaseNormalizer)


def test_the_demo_plays_the_sources_of_the_mission() -> None:
    assert MISSION <= SOURCES.keys() <= COLLECTORS.keys()


def test_the_readme_shows_them_by_configurations_that_load(tmp_path: Path) -> None:
    text = (REPOSITORY / "README.md").read_text(encoding="utf-8")
    shown: set[str] = set()
    last: list[str] = []
    for block in re.findall(r"^```yaml\n(.*?)^```$", text, re.MULTILINE | re.DOTALL):
        (tmp_path / "stoma.yaml").write_text(block)
        # As it is copied, and as it is once the file is there that its last task needs.
        shown |= {
            task.collector for task in load_config(tmp_path / "stoma.yaml", with_code=True).tasks.values()
        }
        (tmp_path / "stoma.yaml").write_text(re.sub(r"^  # ", "  ", block, flags=re.MULTILINE))
        last += [task.collector for task in load_config(tmp_path / "stoma.yaml").tasks.values()][-1:]
    assert shown >= MISSION
    assert "my_source:Sightings" in last
