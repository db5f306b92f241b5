"""The note beside the data says on which store the scheduler of these files works."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from stoma.log import set_up
from stoma.scheduler.location import FILE, Location, note, noted
from stoma.scheduler.owner import this_process
from stoma.scheduler.settings import Config

URL = "postgresql://stoma:${env:PASSWORD}@db/stoma"


def test_the_address_is_noted_as_it_is_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PASSWORD", "hunter2")
    note(Config(base=tmp_path, store_url=URL))
    assert noted(Config(base=tmp_path)) == Location(URL, str(this_process()))
    assert "hunter2" not in (tmp_path / FILE).read_text()
    assert [path.name for path in tmp_path.iterdir()] == [FILE]


def test_each_main_file_has_its_own(tmp_path: Path) -> None:
    other = Config(base=tmp_path, path=tmp_path / "other.yaml", store_url="sqlite:///other.db")
    note(Config(base=tmp_path))
    note(other)
    assert noted(Config(base=tmp_path, path=tmp_path / "stoma.yaml")) == noted(Config(base=tmp_path))
    found = noted(other)
    assert found is not None
    assert found.url == "sqlite:///other.db"
    assert noted(Config(base=tmp_path, path=tmp_path / "third.yaml")) is None


@pytest.mark.parametrize(("url", "mode"), [(URL.replace("${env:PASSWORD}", "hunter2"), 0o600)])
def test_a_password_that_is_written_out_is_for_nobody_else(tmp_path: Path, url: str, mode: int) -> None:
    note(Config(base=tmp_path, store_url=url))
    assert (tmp_path / FILE).stat().st_mode & 0o777 == mode


@pytest.mark.parametrize("text", ["", "[]", "{", "{{}}", "\xff"])
def test_what_is_no_note_says_nothing(tmp_path: Path, text: str) -> None:
    (tmp_path / FILE).write_text(text, encoding="latin-1")
    assert noted(Config(base=tmp_path)) is None
    (tmp_path / FILE).write_text(json.dumps({str(tmp_path / "stoma.yaml"): {"url": 3}}))
    assert noted(Config(base=tmp_path)) is None


def test_what_cannot_be_written_is_told(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    set_up("WARNING")
    note(Config(base=tmp_path / "nowhere"))
    assert f"{FILE} cannot be written" in capsys.readouterr().err
