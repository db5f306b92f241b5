"""The service of systemd, as far as it can be judged without one; `tests/campaigns/service.py` boots it for real."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import pytest

from stoma.references import resolve, unset
from tests.conftest import REPOSITORY
from tests.support.unprivileged import CAN_PRETEND, UNPRIVILEGED

SCRIPT = REPOSITORY / "scripts" / "install-scheduler-service.sh"
UNIT = REPOSITORY / "deploy" / "systemd" / "stoma-scheduler.service"
PAGE = (REPOSITORY / "docs" / "systemd.md").read_text(encoding="utf-8")
LINES = UNIT.read_text(encoding="utf-8").splitlines()

READ_ONLY = """
for folder in /etc /opt /usr /var; do
    mount --bind "$folder" "$folder" && mount -o remount,ro,bind "$folder" || exit 99
done
exec "$@"
"""
# A mistake in the installer must not install anything on the machine of whoever runs the tests as root.
PROTECTED = (
    ["unshare", "--mount", "--propagation", "private", "sh", "-c", READ_ONLY, "sh"]
    if sys.platform == "linux" and os.geteuid() == 0
    else []
)
CAN_PROTECT = not PROTECTED or (
    bool(shutil.which("unshare"))
    and subprocess.run([*PROTECTED, "true"], capture_output=True).returncode == 0
)

pytestmark = [
    pytest.mark.skipif(sys.platform != "linux", reason="systemd is a thing of Linux"),
    pytest.mark.skipif(not CAN_PROTECT, reason="this machine cannot be kept from being changed by root"),
]
analyze = pytest.mark.skipif(not shutil.which("systemd-analyze"), reason="there is no systemd-analyze here")


@pytest.fixture
def python(tmp_path: Path) -> Path:
    """What the installer takes for the Python of the system."""
    fake = tmp_path / "python"
    fake.write_text("#!/bin/sh\necho /usr/bin/python3\n")
    fake.chmod(0o755)
    return fake


def install(
    *arguments: str, python: Path | str, script: Path = SCRIPT, before: Sequence[str] = ()
) -> tuple[int, str, str]:
    done = subprocess.run(
        [*PROTECTED, *before, "sh", script, *arguments],
        env={"PATH": os.environ["PATH"], "STOMA_PYTHON": str(python)},
        capture_output=True,
        text=True,
    )
    return done.returncode, done.stdout, done.stderr


@analyze
def test_the_unit_is_understood(tmp_path: Path) -> None:
    # Its programs are not installed here.
    text = UNIT.read_text().replace("/opt/stoma/current/bin/stoma-run", "/bin/true")
    (tmp_path / UNIT.name).write_text(text)
    done = subprocess.run(["systemd-analyze", "verify", tmp_path / UNIT.name], capture_output=True, text=True)
    assert (done.returncode, done.stdout + done.stderr) == (0, "")


@analyze
def test_the_unit_is_exposed_very_little() -> None:
    done = subprocess.run(
        ["systemd-analyze", "security", "--offline=true", "--threshold=15", UNIT],
        capture_output=True, text=True, env=os.environ | {"SYSTEMD_PAGER": ""},
    )  # fmt: skip
    assert done.returncode == 0, done.stdout


def test_the_unit_says_what_the_page_says() -> None:
    for line in (
        "Type=notify", "WatchdogSec=2min", "Restart=on-failure", "RestartSec=5s", "RestartPreventExitStatus=2",
        "User=stoma", "MemoryMax=1G", "TasksMax=256", "ProtectSystem=strict", "ProtectHome=yes", "NoNewPrivileges=yes",
        "LoadCredential=secret:/etc/stoma/secrets", "EnvironmentFile=-/etc/stoma/environment",
    ):  # fmt: skip
        assert line in LINES
    assert "/run/credentials/stoma-scheduler.service/secret_github" in PAGE


@pytest.mark.skipif(not shutil.which("shellcheck"), reason="there is no shellcheck here")
def test_the_installer_is_plain_shell() -> None:
    done = subprocess.run(["shellcheck", "--shell=sh", SCRIPT], capture_output=True, text=True)
    assert (done.returncode, done.stdout) == (0, "")


@pytest.mark.skipif(not CAN_PRETEND, reason="user namespaces are forbidden here")
def test_a_dry_run_shows_each_step_without_rights_and_changes_nothing(python: Path) -> None:
    places = [Path(place) for place in ("/etc", "/opt", "/var/lib", "/usr/local/bin")]
    before = [sorted(os.listdir(place)) for place in places]
    code, out, err = install("--dry-run", python=python, before=UNPRIVILEGED)
    assert (code, err) == (0, "")
    steps = [
        "useradd --system", "install -d -m 750 -o root -g stoma /etc/stoma", "write /etc/stoma/stoma.yaml",
        "/usr/bin/python3 -I -m venv /opt/stoma/env-", "--only-binary :all: --require-hashes -r",
        "write /etc/systemd/system/stoma-scheduler.service", "write /usr/local/bin/stoma",
        "mv -fT /opt/stoma/current.new /opt/stoma/current", "systemctl enable stoma-scheduler",
        "systemctl restart stoma-scheduler", "nothing was changed",
    ]  # fmt: skip
    if Path("/etc/stoma").exists():
        pytest.skip("Stoma is installed on this machine")
    places_in_text = [out.find(step) for step in steps]
    assert -1 not in places_in_text, out
    assert places_in_text == sorted(places_in_text)
    assert [sorted(os.listdir(place)) for place in places] == before


@pytest.mark.parametrize(
    ("arguments", "code", "told"),
    [
        (["--purge"], 2, "--purge goes with --uninstall"),
        (["--wheel"], 2, "--wheel needs a file"),
        (["--wheel=x.whl", "--uninstall"], 2, "does not go with --uninstall"),
        (["--weel", "x"], 2, "unknown: --weel"),
        (["--wheel", "/none.whl", "--dry-run"], 2, "there is no file /none.whl"),
    ],
)
def test_what_cannot_be_meant_is_said(arguments: list[str], code: int, told: str, python: Path) -> None:
    ended, out, err = install(*arguments, python=python)
    assert (ended, out) == (code, "")
    assert err.startswith("error: ")
    assert told in err


@pytest.mark.skipif(not CAN_PRETEND, reason="user namespaces are forbidden here")
def test_the_rights_of_root_are_asked_for(python: Path) -> None:
    code, out, err = install(python=python, before=UNPRIVILEGED)
    assert (code, out) == (1, "")
    assert "needs the rights of root" in err
    assert "run it with sudo" in err


@pytest.mark.skipif(
    os.geteuid() != 0 or Path("/run/systemd/system").exists(), reason="it would be installed here"
)
def test_a_machine_without_systemd_is_told(python: Path) -> None:
    code, out, err = install(python=python)
    assert (code, out) == (1, "")
    assert "not booted by systemd" in err


@pytest.mark.parametrize(
    ("says", "told"),
    [
        ("exit 1", "is not a Python 3.11 or newer"),
        ("echo /usr/bin/python3; exit 1", "apt install python3-venv"),
        ("echo /home/me/.pyenv/bin/python3", "the service cannot reach it"),
    ],
)
def test_a_python_that_will_not_do(says: str, told: str, python: Path) -> None:
    python.write_text(f"#!/bin/sh\n{says}\n")
    code, out, err = install("--dry-run", python=python)
    assert (code, out) == (1, "")
    assert told in err


def test_with_a_wheel_script_and_unit_are_enough(python: Path, tmp_path: Path) -> None:
    script = Path(shutil.copy(SCRIPT, tmp_path))
    code, _, err = install("--dry-run", python=python, script=script)
    assert code == 1
    assert "stoma-scheduler.service is missing" in err

    shutil.copy(UNIT, tmp_path)
    code, _, err = install("--dry-run", python=python, script=script)
    assert code == 2
    assert "--wheel FILE" in err

    wheel = tmp_path / "stoma_scheduler-0.1.0-py3-none-any.whl"
    wheel.touch()
    (tmp_path / "requirements.txt").touch()
    code, out, err = install("--dry-run", f"--wheel={wheel}", python=python, script=script)
    assert (code, err) == (0, "")
    assert out.index(f"--require-hashes -r {tmp_path}/requirements.txt") < out.index(
        f":all: --no-deps {wheel}"
    )


def test_a_credential_is_a_reference_by_its_whole_path(tmp_path: Path) -> None:
    # As systemd lays it out: a file of its own, away from stoma.yaml.
    credential = tmp_path / "credentials" / "stoma-scheduler.service" / "secret_github"
    credential.parent.mkdir(parents=True)
    credential.write_text("kJ3-x9_Qz7\n")
    reference = f"${{file:{credential}}}"
    assert unset(reference, tmp_path / "etc") is None
    assert resolve(f"Bearer {reference}", tmp_path / "etc") == "Bearer kJ3-x9_Qz7"


LOGGING = """
from stoma.log import logger, set_up
set_up("DEBUG")
with logger.contextualize(subject="papers #7: "):
    for level in ("debug", "info", "warning", "error", "critical"):
        getattr(logger, level)("{}", "said")
logger.bind(library="urllib3").warning("slow <red>")
"""


def logged(is_journal: bool, is_other: bool = False) -> list[str]:
    reading, writing = os.pipe()
    found = os.fstat(writing)
    stream = f"{found.st_dev}:{found.st_ino + is_other}"
    env = os.environ | {"PYTHONPATH": str(REPOSITORY)} | ({"JOURNAL_STREAM": stream} if is_journal else {})
    subprocess.run([sys.executable, "-c", LOGGING], stderr=writing, env=env, check=True)
    os.close(writing)
    with os.fdopen(reading) as lines:
        return lines.read().splitlines()


def test_in_the_journal_lines_say_how_grave_they_are_and_not_when() -> None:
    assert logged(is_journal=True) == [
        "<7>DEBUG   papers #7: said",
        "<6>INFO    papers #7: said",
        "<4>WARNING papers #7: said",
        "<3>ERROR   papers #7: said",
        "<2>CRITICAL papers #7: said",
        "<4>WARNING urllib3: slow <red>",
    ]


def test_elsewhere_they_have_a_clock() -> None:
    for lines in (logged(is_journal=False), logged(is_journal=True, is_other=True)):
        assert re.fullmatch(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d DEBUG   papers #7: said", lines[0])
