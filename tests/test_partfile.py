"""A file that appears when it is whole, whatever happens before."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from stoma.errors import StomaError, UsageError
from stoma.partfile import PartFile


def test_a_file_appears_when_it_is_published(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    with PartFile(path) as file:
        file.write(b"one")
        assert os.listdir(tmp_path) == ["a.csv.part"]
        file.write(b"two")
        file.settle()
        file.publish()
        assert os.listdir(tmp_path) == ["a.csv"]
    assert path.read_bytes() == b"onetwo"


def test_what_is_not_published_leaves_nothing(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    path.write_bytes(b"before")
    with pytest.raises(KeyboardInterrupt), PartFile(path) as file:
        file.write(b"x" * 100_000)
        raise KeyboardInterrupt
    assert os.listdir(tmp_path) == ["a.csv"]
    assert path.read_bytes() == b"before"


def test_a_leftover_is_taken_over_and_a_living_one_is_not(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    (tmp_path / "a.csv.part").write_bytes(b"left by a process that was killed")
    with PartFile(path) as file:
        with pytest.raises(UsageError, match=r"a\.csv is being written by another process"):
            PartFile(path)
        file.write(b"new")
        file.settle()
        file.publish()
    assert path.read_bytes() == b"new"


def test_a_link_stays_and_what_it_names_is_replaced(tmp_path: Path) -> None:
    (tmp_path / "there").mkdir()
    (tmp_path / "there" / "a.csv").write_bytes(b"before")
    link = tmp_path / "link.csv"
    link.symlink_to(tmp_path / "there" / "a.csv")
    with PartFile(link) as file:
        file.write(b"new")
        file.publish()
    assert link.is_symlink()
    assert (tmp_path / "there" / "a.csv").read_bytes() == b"new"


def test_a_part_that_is_a_link_is_not_followed(tmp_path: Path) -> None:
    victim = tmp_path / "victim"
    victim.write_bytes(b"mine")
    (tmp_path / "a.csv.part").symlink_to(victim)
    with pytest.raises(StomaError, match=r"a\.csv cannot be written"):
        PartFile(tmp_path / "a.csv")
    assert victim.read_bytes() == b"mine"


def test_what_cannot_be_a_file(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    for name, reason in (
        (tmp_path, "is a folder"),
        (tmp_path / "pipe", "is a device or a pipe"),
        (Path("/dev/null"), "is a device or a pipe"),
    ):
        with pytest.raises(UsageError, match=reason):
            PartFile(name)
    with pytest.raises(UsageError, match=r"there is no folder"):
        PartFile(tmp_path / "missing" / "a.csv")
    assert os.listdir(tmp_path) == ["pipe"]
