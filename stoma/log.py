"""Logs by loguru: a sentence for people, with the run and task it belongs to; secrets masked."""

from __future__ import annotations

import os
import sys
import traceback
from typing import TYPE_CHECKING, Any

from loguru import logger

from stoma.references import mask

if TYPE_CHECKING:
    from loguru import Record

__all__ = ["LEVELS", "clean", "log_details", "logger", "set_up"]

LEVELS = ("TRACE", "DEBUG", "INFO", "WARNING", "ERROR", "CRITICAL")

FORMAT = "<dim>{time:HH:mm:ss}</dim> <level>{level: <7}</level> {extra[subject]}{message}"


def set_up(level: str = "INFO", stream: Any = None) -> None:
    """Write log lines to `stream` (standard error by default); colours only on a terminal."""
    logger.remove()
    logger.configure(patcher=_patch, extra={"subject": ""})
    if stream is None:
        # Asked anew for each line: a progress bar puts its own in place to keep lines and bar apart.
        sink: Any = lambda message: sys.stderr.write(message)  # noqa: E731
    else:
        sink = stream
    colours = (stream or sys.stderr).isatty() and not os.environ.get("NO_COLOR")
    # diagnose shows the values of variables, secrets among them.
    logger.add(sink, level=level.upper(), format=_format, diagnose=False, backtrace=False, colorize=colours)


def log_details(error: BaseException) -> None:
    """Where an unexpected error came from, for those who look closely: as text, so that it is masked like all."""
    logger.debug("{}", "".join(traceback.format_exception(error)))


def _format(record: Record) -> str:
    # Without {exception}: a traceback from elsewhere would neither be masked nor cleaned.
    return FORMAT + "\n"


def _patch(record: Record) -> None:
    record["message"] = clean(mask(record["message"]))


def clean(text: str) -> str:
    """The text without control characters: what a source says must not drive a terminal."""
    if text.isprintable():
        return text
    return "".join(
        char if char.isprintable() or char in "\n\t" else "\N{REPLACEMENT CHARACTER}" for char in text
    )
