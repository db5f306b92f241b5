"""What is logged shows no secret and steers no terminal, in any form and place, and no sink stops the program."""

from __future__ import annotations

import io
import json
import logging
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from stoma import log
from stoma.errors import UsageError
from stoma.references import remember


@pytest.fixture
def lines() -> Iterator[io.StringIO]:
    stream = io.StringIO()
    log.set_up("DEBUG", stream)
    yield stream
    log.set_up("WARNING")
    log.logger.remove()


def test_secrets_and_control_characters_are_kept_out(lines: io.StringIO) -> None:
    remember("hunter22", "${env:PASSWORD}")
    log.logger.info("{}", "token hunter22 \x1b[31mred\x07")
    assert "hunter22" not in lines.getvalue()
    assert "${env:PASSWORD}" in lines.getvalue()
    assert "\x1b" not in lines.getvalue()


def test_they_are_kept_out_of_tracebacks_too(lines: io.StringIO) -> None:
    remember("hunter22", "${env:PASSWORD}")
    try:
        password = "hunter22"
        raise ValueError(f"no \x1b[2J {password}")
    except ValueError as error:
        log.log_details(error)
        log.logger.opt(exception=True).error("it failed")
    assert "test_log.py" in lines.getvalue()
    assert "hunter22" not in lines.getvalue()
    assert "\x1b" not in lines.getvalue()


def test_a_line_says_what_it_is_about(lines: io.StringIO) -> None:
    with log.logger.contextualize(subject="papers #7: "):
        log.logger.warning("slow")
    assert "WARNING" in lines.getvalue()
    assert "papers #7: slow" in lines.getvalue()


def read(file: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in file.read_text().splitlines()]


def test_json_is_one_object_a_line(lines: io.StringIO) -> None:
    log.set_up("INFO", lines, form="json")
    log.tell_always(generation=3)
    with log.logger.contextualize(subject="papers #7: ", task="papers", run=7, attempt=2, worker=object()):
        log.logger.warning("two\nlines")
        log.logger.bind(page=3, hint="a \x1b[2J b", parts=("x", None)).info("more")
    first, second = (json.loads(line) for line in lines.getvalue().splitlines())
    assert first["time"].endswith("Z")
    assert len(first["time"]) == len("2026-11-23T20:00:00.000Z")
    assert {name: first[name] for name in ("level", "message", "task", "run", "attempt", "generation")} == {
        "level": "WARNING", "message": "two\nlines", "task": "papers", "run": 7, "attempt": 2, "generation": 3,
    }  # fmt: skip
    assert first["node"]
    assert {"subject", "worker"}.isdisjoint(first)
    assert (second["page"], second["parts"]) == (3, ["x", None])
    assert "\x1b" not in second["hint"]


def test_what_libraries_say_comes_along_masked_and_with_its_run(lines: io.StringIO) -> None:
    remember("hunter22", "${env:PASSWORD}")
    with log.logger.contextualize(subject="papers #7: ", task="papers", run=7):
        logging.getLogger("urllib3.pool").warning("retrying %s\x1b[1m", "https://a:hunter22@example.org")
        logging.getLogger("urllib3.pool").info("chatter")
    told = lines.getvalue()
    assert "papers #7: urllib3.pool: retrying https://a:${env:PASSWORD}@example.org" in told
    assert "chatter" not in told
    assert "hunter22" not in told
    assert "\x1b" not in told


def test_warnings_of_python_are_lines_too() -> None:
    script = "import warnings; from stoma.log import set_up; set_up('INFO', form='json'); warnings.warn('old habits')"
    result = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    (line,) = result.stderr.splitlines()
    told = json.loads(line)
    assert (told["level"], told["library"]) == ("WARNING", "py.warnings")
    assert told["message"].endswith("UserWarning: old habits")


SECRET = "wh%sper/of a+secret"


@pytest.mark.parametrize("form", log.FORMATS)
@pytest.mark.parametrize(
    "spelled", [SECRET, "wh%25sper%2Fof%20a%2Bsecret", "wh%25sper%2Fof+a%2Bsecret", json.dumps(SECRET)[1:-1]]
)
def test_no_place_shows_a_secret(tmp_path: Path, form: log.LogFormat, spelled: str) -> None:
    remember(SECRET, "${file:secret}")
    stream = io.StringIO()
    file, audit = tmp_path / "stoma.log", tmp_path / "audit.log"
    log.set_up("DEBUG", stream, form=form, file=file, audit=audit)
    try:
        raise RuntimeError(f"asked https://example.org/?key={spelled}")
    except RuntimeError as error:
        log.log_details(error)
    log.logger.bind(what=f"header {spelled}", parts=[{spelled: spelled}]).warning("X-Key: {}", spelled)
    log.logger.bind(audit=True, body={"token": spelled}).info("created with {}", spelled)
    logging.getLogger("apprise").error("json://%s@host", spelled)
    log.set_up("WARNING")
    for text in (stream.getvalue(), file.read_text(), audit.read_text()):
        assert "${file:secret}" in text
        assert spelled not in text
        assert SECRET not in text
    log.logger.remove()


def test_the_audit_has_a_file_of_its_own(tmp_path: Path) -> None:
    stream = io.StringIO()
    log.set_up("INFO", stream, file=tmp_path / "stoma.log", audit=tmp_path / "audit.log")
    log.logger.bind(audit=True, who="env:TOKEN", what="pause").info("paused")
    log.logger.info("ordinary")
    log.set_up("WARNING")
    (line,) = read(tmp_path / "audit.log")
    assert (line["who"], line["what"], line["message"]) == ("env:TOKEN", "pause", "paused")
    assert "audit" not in line
    for text in (stream.getvalue(), (tmp_path / "stoma.log").read_text()):
        assert "ordinary" in text
        assert "paused" not in text
    # Where there is no such file, it stands among the others.
    log.set_up("INFO", stream)
    log.logger.bind(audit=True).info("resumed")
    assert "resumed" in stream.getvalue()
    log.logger.remove()


def test_a_file_is_put_aside_and_old_ones_go(tmp_path: Path) -> None:
    log.set_up("INFO", io.StringIO(), form="json", file=tmp_path / "stoma.log", rotate="2 KB", keep="2")
    for number in range(60):
        log.logger.info("{} {}", number, "x" * 60)
    log.set_up("WARNING")
    files = sorted(tmp_path.glob("stoma*.log"))
    assert len(files) == 3
    assert all(file.stat().st_size <= 2048 for file in files)
    assert read(tmp_path / "stoma.log")[-1]["message"].startswith("59 ")
    log.logger.remove()


@pytest.mark.parametrize(
    ("given", "told"),
    [
        ({"file": "no/such/stoma.log"}, "there is no folder"),
        ({"rotate": "often"}, "cannot be put aside"),
        ({"keep": "never"}, "cannot be put aside"),
    ],
)
def test_a_file_that_cannot_be_is_refused(tmp_path: Path, given: dict[str, str], told: str) -> None:
    path = tmp_path / given.pop("file", "stoma.log")
    with pytest.raises(UsageError, match=told):
        log.set_up("INFO", io.StringIO(), file=path, **given)
    log.set_up("WARNING")
    log.logger.remove()


FULL = """
import sys
from pathlib import Path
from stoma.log import logger, set_up
set_up("INFO", form=sys.argv[2], file=Path(sys.argv[1]))
for number in range(3):
    logger.info("line {}", number)
print("alive")
"""


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="no /dev/full here")
@pytest.mark.parametrize("form", log.FORMATS)
def test_a_full_disk_costs_lines_and_is_told_once(tmp_path: Path, form: str) -> None:
    (tmp_path / "stoma.log").symlink_to("/dev/full")
    result = subprocess.run(
        [sys.executable, "-c", FULL, tmp_path / "stoma.log", form], capture_output=True, text=True, check=True
    )
    assert result.stdout == "alive\n"
    told = result.stderr.splitlines()
    assert len(told) == 4
    assert sum("cannot be written: no space left on device" in line for line in told) == 1
    if form == "json":
        assert sorted(json.loads(line)["level"] for line in told) == ["ERROR", "INFO", "INFO", "INFO"]


@pytest.mark.parametrize("broken", ["2>&-", "2>/dev/full"])
def test_a_closed_or_full_standard_error_stops_nothing(tmp_path: Path, broken: str) -> None:
    command = f'exec "$0" -c "$1" "$2" human {broken}'
    result = subprocess.run(
        ["sh", "-c", command, sys.executable, FULL, tmp_path / "stoma.log"],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert (result.returncode, result.stdout) == (0, "alive\n")
    assert "line 2" in (tmp_path / "stoma.log").read_text()


@pytest.mark.parametrize(
    ("variables", "is_terminal", "expected"),
    [
        ({}, True, True),
        ({}, False, False),
        ({"NO_COLOR": "1"}, True, False),
        ({"FORCE_COLOR": "1"}, False, True),
        ({"FORCE_COLOR": "1", "NO_COLOR": "1"}, True, False),
        ({"TERM": "dumb"}, True, False),
    ],
)
def test_colours(
    monkeypatch: pytest.MonkeyPatch, variables: dict[str, str], is_terminal: bool, expected: bool
) -> None:
    for name in ("NO_COLOR", "FORCE_COLOR"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("TERM", "xterm")
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    stream = io.StringIO()
    monkeypatch.setattr(stream, "isatty", lambda: is_terminal)
    assert log.wants_colours(stream) is expected
    log.set_up("INFO", stream)
    log.logger.error("red")
    assert ("\x1b[" in stream.getvalue()) is expected
    log.logger.remove()


def test_nothing_is_asked_of_a_stream_that_is_not_there() -> None:
    assert not log.wants_colours(None)
    closed = open(os.devnull)  # noqa: SIM115 — closed at once
    closed.close()
    assert not log.wants_colours(closed)


def test_a_stream_that_was_closed_meanwhile_is_no_fault(capsys: pytest.CaptureFixture[str]) -> None:
    stream = io.StringIO()
    log.set_up("INFO", stream)
    stream.close()
    log.logger.error("lost")
    assert capsys.readouterr().err == ""
    log.logger.remove()
