"""The programs in bin/ make their own environment, whatever happened to the last one. No package is fetched here."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

BIN = Path(__file__).resolve().parent.parent / "bin"
SHOW = "import os, stoma, sys; print(sys.argv[1:], os.getcwd(), stoma.__file__)"

pytestmark = pytest.mark.skipif(os.name != "posix", reason="the programs are shell scripts")


def make_checkout(folder: Path) -> Path:
    """A checkout with nothing to install and a program that shows what it was given."""
    shutil.copytree(BIN, folder / "bin")
    (folder / "stoma" / "cli").mkdir(parents=True)
    for name, text in {"__init__": "", "cli/__init__": "", "cli/main": SHOW, "cli/run": SHOW}.items():
        (folder / "stoma" / f"{name}.py").write_text(text)
    (folder / "requirements.txt").write_text("# nothing\n")
    return folder


def start(checkout: Path, *arguments: str, program: str = "stoma-run", **env: str) -> subprocess.Popen[str]:
    clean = {"PATH": os.environ["PATH"], "HOME": os.environ["HOME"], "STOMA_PYTHON": sys.executable}
    return subprocess.Popen(
        [checkout / "bin" / program, *arguments],
        env=clean | env,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def run(checkout: Path, *arguments: str, program: str = "stoma-run", **env: str) -> tuple[int, str, str]:
    process = start(checkout, *arguments, program=program, **env)
    out, err = process.communicate(timeout=50)
    return process.returncode, out, err


@pytest.fixture
def checkout(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_checkout(tmp_path_factory.mktemp("a place") / "checkout")


@pytest.fixture
def ready(checkout: Path) -> Path:
    """A checkout whose environment has been made."""
    assert run(checkout)[0] == 0
    return checkout


def test_two_first_starts_at_once_make_one_environment(checkout: Path):
    both = [start(checkout, name) for name in ("one", "two")]
    said = [process.communicate(timeout=50)[1] for process in both]

    assert [process.returncode for process in both] == [0, 0]
    assert sum("preparing the environment in" in text for text in said) == 1


def test_a_ready_environment_is_silent_and_the_current_folder_stays_and_does_not_interfere(
    ready: Path, tmp_path: Path
):
    (tmp_path / "stoma.py").write_text("raise SystemExit('the wrong one')")
    link = tmp_path / "link"
    link.symlink_to(ready / "bin" / "stoma")

    for program in (ready / "bin" / "stoma-run", ready / "bin" / "stoma", link):
        code, out, err = run(ready, "a", "b c", program=str(program))
        assert (code, err) == (0, "")
        assert out.split("] ") == ["['a', 'b c'", f"{tmp_path} {ready / 'stoma' / '__init__.py'}\n"]


def test_changed_requirements_are_installed(ready: Path):
    (ready / "requirements.txt").write_text("# nothing yet\n")
    code, _, err = run(ready)
    assert code == 0
    assert "the requirements have changed" in err
    assert run(ready)[2] == ""


def test_a_half_made_environment_is_made_anew(ready: Path):
    # Given what an interrupted start leaves behind: files, and no stamp
    (ready / ".venv" / "stoma-requirements.txt").unlink()
    (ready / ".venv" / "bin" / "python").unlink()

    code, out, err = run(ready)
    assert (code, out[:2]) == (0, "[]")
    assert "preparing the environment" in err


def test_what_cannot_be_installed_is_said_and_not_taken_for_done(checkout: Path):
    hashed = "stoma-no-such-package==1 --hash=sha256:" + "0" * 64
    (checkout / "requirements.txt").write_text(hashed)
    code, out, err = run(checkout, PIP_NO_INDEX="1")
    assert (code, out) == (1, "")
    assert "stoma-no-such-package" in err
    assert "is there a network?" in err
    assert "Traceback" not in err
    assert not (checkout / ".venv" / "stoma-requirements.txt").exists()


@pytest.mark.parametrize(
    ("script", "advice"),
    [
        ("exit 1", "is not a Python 3.11 or newer"),
        ("echo /somewhere/python3; exit 1", "apt install python3-venv"),
    ],
)
def test_a_python_that_will_not_do(tmp_path: Path, script: str, advice: str):
    fake = tmp_path / "python"
    fake.write_text(f"#!/bin/sh\n{script}\n")
    fake.chmod(0o755)
    code, out, err = run(make_checkout(tmp_path / "checkout"), STOMA_PYTHON=str(fake))
    assert (code, out) == (1, "")
    assert advice in err


def test_a_folder_that_is_something_else_is_left_alone(tmp_path: Path):
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "letter.txt").write_text("dear")
    code, _, err = run(make_checkout(tmp_path / "checkout"), STOMA_VENV=str(tmp_path / "mine"))
    assert code == 1
    assert "is no virtual environment" in err
    assert (tmp_path / "mine" / "letter.txt").exists()
