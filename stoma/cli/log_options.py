"""The options by which a command says where its log goes, and in which form."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import wraps
from pathlib import Path
from typing import Any

import click
from click.core import ParameterSource

from stoma.logfile import FORMATS, KEEP, LEVELS, ROTATE, LogFormat

FILE = click.Path(path_type=Path, dir_okay=False)


@dataclass(frozen=True, slots=True)
class Logging:
    """Where the log goes, as the command line says."""

    level: str
    form: LogFormat
    file: Path | None
    rotate: str
    keep: str
    audit: Path | None
    # Whether somebody asked for this level.
    is_level_given: bool = False

    def begin(self, *, quiet: bool = False) -> None:
        """Log so from now on; where it is to be `quiet`, standard error gets warnings only, unless more is asked for.

        Raises UsageError where a file cannot be written.
        """
        from stoma.log import set_up

        set_up(
            self.level,
            form=self.form,
            on_stream="WARNING" if quiet and not self.is_level_given else None,
            file=self.file,
            rotate=self.rotate,
            keep=self.keep,
            audit=self.audit,
        )


_OPTIONS = (
    click.option("--log-level", type=click.Choice(LEVELS, case_sensitive=False), default="INFO",
                 show_default=True, metavar="LEVEL", help="TRACE, DEBUG, INFO, WARNING or ERROR."),
    click.option("--log-format", type=click.Choice(FORMATS), default="human", show_default=True,
                 help="For people, or one JSON object a line."),
    click.option("--log-file", type=FILE, metavar="FILE", help="Write the log into FILE too."),
    click.option("--log-rotate", default=ROTATE, show_default=True, metavar="WHEN",
                 help="Put the file aside when it is that large or old: 50 MB, 1 day, monday."),
    click.option("--log-keep", default=KEEP, show_default=True, metavar="COUNT",
                 help="Keep so many files that were put aside, or for so long: 30 days."),
    click.option("--audit-log", type=FILE, metavar="FILE",
                 help="Write who changed what into FILE, as JSON; it is never deleted."),
)  # fmt: skip


def log_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """`--log-…` and `--audit-log`; the command is given them as one value, `log`."""

    @wraps(command)
    def wrapped(
        *args: Any,
        log_level: str,
        log_format: LogFormat,
        log_file: Path | None,
        log_rotate: str,
        log_keep: str,
        audit_log: Path | None,
        **kwargs: Any,
    ) -> Any:
        source = click.get_current_context().get_parameter_source("log_level")
        is_given = source is not ParameterSource.DEFAULT
        log = Logging(log_level, log_format, log_file, log_rotate, log_keep, audit_log, is_given)
        return command(*args, log=log, **kwargs)

    given: Callable[..., Any] = wrapped
    for option in reversed(_OPTIONS):
        given = option(given)
    return given
