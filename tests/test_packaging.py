"""What is installed is whole: the wheel carries all that is not Python, the pins all that is asked for."""

from __future__ import annotations

import re
import subprocess
import sys
import tomllib
import zipfile
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).resolve().parent.parent
PROJECT = tomllib.loads((REPOSITORY / "pyproject.toml").read_text(encoding="utf-8"))
DEPENDENCIES = PROJECT["project"]["dependencies"]
PINS = {
    "requirements.txt": DEPENDENCIES,
    "requirements-dev.txt": DEPENDENCIES + PROJECT["dependency-groups"]["dev"],
}


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> zipfile.ZipFile:
    folder = tmp_path_factory.mktemp("wheel")
    build = [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(folder)]
    done = subprocess.run(build, cwd=REPOSITORY, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    assert done.returncode == 0, done.stdout
    return zipfile.ZipFile(next(folder.glob("stoma_scheduler-*-py3-none-any.whl")))


def test_the_wheel_carries_every_file_of_the_package(wheel: zipfile.ZipFile):
    package = [path for path in (REPOSITORY / "stoma").rglob("*") if path.is_file() and path.suffix != ".pyc"]
    expected = {path.relative_to(REPOSITORY).as_posix() for path in package}
    for folder in ("presets", "schemas"):
        files = [path for path in (REPOSITORY / folder).rglob("*") if path.is_file()]
        assert files, f"{folder} is empty"
        expected |= {f"stoma/_shipped/{path.relative_to(REPOSITORY).as_posix()}" for path in files}

    carried = {name for name in wheel.namelist() if ".dist-info/" not in name}
    assert carried == expected
    assert any(name.endswith(".sql") for name in carried)


def test_the_wheel_names_both_programs_and_its_version(wheel: zipfile.ZipFile):
    info = {
        name.rpartition("/")[2]: wheel.read(name).decode()
        for name in wheel.namelist()
        if ".dist-info/" in name
    }
    assert "stoma = stoma.cli.main:main" in info["entry_points.txt"]
    assert "stoma-run = stoma.cli.run:main" in info["entry_points.txt"]

    version = re.search(r'__version__ = "(.+)"', (REPOSITORY / "stoma" / "__init__.py").read_text())[1]
    assert f"Version: {version}\n" in info["METADATA"]


@pytest.mark.parametrize("file", PINS)
def test_every_dependency_is_pinned_by_hash_and_no_address_is_named(file: str):
    text = (REPOSITORY / file).read_text(encoding="utf-8")
    pinned = set(re.findall(r"^([a-z0-9.-]+)==", text, re.MULTILINE))
    asked = {re.match(r"[\w.-]+", line)[0].lower().replace("_", "-") for line in PINS[file]}
    assert asked - pinned == set(), "run scripts/lock.sh"

    assert len(re.findall(r"^[a-z0-9.-]+==.* \\\n +--hash=sha256:", text, re.MULTILINE)) == len(pinned)
    assert "://" not in text
    assert "/" not in text.replace("scripts/lock.sh", "")
