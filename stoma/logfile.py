"""A file of log lines that is put aside when it is large or old; a full disk costs lines, and nothing else."""

from __future__ import annotations

import copy
import os
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Literal

from stoma.errors import UsageError

LEVELS = ("TRACE", "DEBUG", "INFO", "WARNING", "ERROR", "CRITICAL")

LogFormat = Literal["human", "json"]
FORMATS: tuple[LogFormat, ...] = ("human", "json")

ROTATE = "10 MB"
KEEP = "10"


class LogFile:
    """Lines in a file, by a logger of its own so that its failures end here. Any thread may write.

    Also put aside by others (logrotate): the file is opened anew when it is not the same any more.
    """

    def __init__(
        self, path: Path, rotate: str, keep: str | None, tell: Callable[[str], object] = lambda text: None
    ) -> None:
        """`rotate` and `keep` as loguru reads them: `10 MB`, `1 day`, `monday`; `10` files, `30 days`, None: all.

        `tell` is given a line where the file cannot be written, once until it can. Raises UsageError where it cannot
        from the start, and for a rotation or a time that cannot be understood.
        """
        # Here, so that a command line can be completed without it.
        from loguru import logger

        if not path.absolute().parent.is_dir():
            raise UsageError(
                f"the log file {path} cannot be written: there is no folder {path.parent}", "make it first"
            )
        self._path = path
        self._tell = tell
        self._is_failing = False
        # Called while `logger` has no sink: a copy stands apart from what the other one gets (loguru's own recipe).
        self._logger = copy.deepcopy(logger)
        self._logger.configure(patcher=lambda record: None)
        retention = int(keep) if keep is not None and keep.isdigit() else keep
        try:
            self._logger.add(
                path, format="{message}", rotation=rotate, retention=retention, watch=True, catch=False,
                encoding="utf-8", errors="replace", level=0,
            )  # fmt: skip
        except OSError as error:
            told = str(error.strerror or error).lower()
            raise UsageError(
                f"the log file {path} cannot be written: {told}", "name a file that this user may write"
            ) from None
        except ValueError as error:
            raise UsageError(
                f"the log file cannot be put aside like that: {error}",
                "--log-rotate takes a size or a time (10 MB, 1 day), --log-keep a number or a time (10, 30 days)",
            ) from None

    def write(self, text: str) -> None:
        """Add a line, as it is."""
        try:
            self._logger.opt(raw=True).info("{}", str(text))
        except (OSError, ValueError) as error:
            if not self._is_failing:
                self._is_failing = True
                number = error.errno if isinstance(error, OSError) else None
                why = os.strerror(number) if number else str(error)
                self._tell(
                    f"the log file {self._path} cannot be written: {why.lower()}; lines are missing in it"
                )
        else:
            self._is_failing = False

    def stop(self) -> None:
        """Close the file."""
        with suppress(OSError, ValueError):
            self._logger.remove()
