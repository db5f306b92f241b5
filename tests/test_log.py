"""What is logged shows no secret and steers no terminal."""

from __future__ import annotations

import io
from collections.abc import Iterator

import pytest

from stoma import log
from stoma.references import remember


@pytest.fixture
def lines() -> Iterator[io.StringIO]:
    stream = io.StringIO()
    log.set_up("DEBUG", stream)
    yield stream
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
