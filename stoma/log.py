"""Logs by loguru: a sentence for people or JSON for programs, with the run and task it belongs to; secrets masked.

What libraries say through `logging` and `warnings` comes along, from WARNING on. Lines bound with `audit=True` go to
the audit file where there is one, and then nowhere else. No sink ever stops the program: neither a full disk nor a
closed stream.
"""

from __future__ import annotations

import json
import logging
import os
import socket
import sys
import traceback
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from loguru import logger

from stoma.logfile import FORMATS, KEEP, LEVELS, ROTATE, LogFile, LogFormat
from stoma.references import mask
from stoma.wording import clean

if TYPE_CHECKING:
    from loguru import Message, Record

__all__ = [
    "FORMATS", "LEVELS", "LogFormat", "clean", "is_json", "log_details", "logger", "set_up", "tell_always",
    "wants_colours",
]  # fmt: skip

CLOCK = "{time:HH:mm:ss}"
DATE_AND_CLOCK = "{time:YYYY-MM-DD HH:mm:ss}"
LINE = " <level>{level: <7}</level> {extra[subject]}"

JOURNAL_PRIORITIES = ((50, 2), (40, 3), (30, 4), (20, 6), (0, 7))
"""From which number of loguru's levels on a line has which of syslog's."""

OURS = frozenset({"subject", "worker", "audit", "library"})
"""What is bound to a line for the logger's own sake, or told under another name."""

_always: dict[str, Any] = {}
_form: LogFormat = "human"


def set_up(
    level: str = "INFO",
    stream: Any = None,
    *,
    form: LogFormat = "human",
    on_stream: str | None = None,
    file: Path | None = None,
    rotate: str = ROTATE,
    keep: str = KEEP,
    audit: Path | None = None,
) -> None:
    """Write log lines to `stream` (standard error by default), and to `file`; colours only on a terminal.

    `on_stream` is the level of the stream, where that is another one. `rotate` (a size or a time) says when the file is
    put aside, `keep` how many such files stay, or for how long; the audit file is put aside as well, and stays. Raises
    UsageError for a file that cannot be written.
    """
    global _form
    logger.remove()
    # Before the patcher is set: what they are given is ready.
    screen = Screen(stream)
    files = [LogFile(file, rotate, keep, screen.tell)] if file else []
    audits = [LogFile(audit, rotate, None, screen.tell)] if audit else []
    _form = form
    _always["node"] = socket.gethostname()
    logger.configure(patcher=_patch, extra={"subject": ""})
    ordinary = _is_no_audit if audits else None
    # diagnose shows the values of variables, secrets among them.
    given: dict[str, Any] = {"diagnose": False, "backtrace": False}
    shown = (on_stream or level).upper()
    if form == "json":
        logger.add(AsJson(screen), level=shown, format=_nothing, filter=ordinary, **given)
        for sink in files:
            logger.add(AsJson(sink), level=level.upper(), format=_nothing, filter=ordinary, **given)
    else:
        line = _for_journal if screen.is_journal() else _format(CLOCK if screen.isatty() else DATE_AND_CLOCK)
        colours = wants_colours(stream or sys.stderr)
        logger.add(screen, level=shown, format=line, filter=ordinary, colorize=colours, **given)
        line = _format(DATE_AND_CLOCK)
        for sink in files:
            logger.add(sink, level=level.upper(), format=line, filter=ordinary, colorize=False, **given)
    for sink in audits:
        logger.add(AsJson(sink), level="TRACE", format=_nothing, filter=_is_audit, **given)
    _listen()


def is_json() -> bool:
    """True where each line of the log is to be JSON."""
    return _form == "json"


def tell_always(**fields: str | int) -> None:
    """What every JSON line of this process carries from now on, such as the generation of the configuration."""
    _always.update(fields)


def log_details(error: BaseException) -> None:
    """Where an unexpected error came from, for those who look closely: as text, so that it is masked like all."""
    logger.debug("{}", "".join(traceback.format_exception(error)))


def wants_colours(stream: Any) -> bool:
    """Whether a stream is to be written in colours: terminals are, unless NO_COLOR; FORCE_COLOR colours any other."""
    if os.environ.get("NO_COLOR"):
        return False
    if os.environ.get("FORCE_COLOR"):
        return True
    try:
        return bool(stream is not None and stream.isatty()) and os.environ.get("TERM") != "dumb"
    except (OSError, ValueError):
        return False


class Screen:
    """Standard error, or a stream that was given; one that is closed, or on a full disk, loses lines and no more."""

    def __init__(self, stream: Any = None) -> None:
        self._given = stream

    @property
    def _stream(self) -> Any:
        # Asked anew for each line: a progress bar puts its own in place to keep lines and bar apart.
        return self._given or sys.stderr

    def write(self, text: str) -> None:
        """Write a line."""
        stream = self._stream
        if stream is not None:
            with suppress(OSError, ValueError):
                stream.write(text)
                stream.flush()

    def tell(self, text: str) -> None:
        """Write an error past the logger, which is at work with another line."""
        moment = datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
        told = {"time": moment, "level": "ERROR", "message": clean(mask(text)), **_always}
        self.write((json.dumps(told, ensure_ascii=False) if is_json() else told["message"]) + "\n")

    def isatty(self) -> bool:
        """True for a terminal."""
        with suppress(OSError, ValueError, AttributeError):
            return bool(self._stream.isatty())
        return False

    def is_journal(self) -> bool:
        """True where systemd's journal reads along (systemd.exec(5), JOURNAL_STREAM)."""
        with suppress(OSError, ValueError, AttributeError):
            found = os.fstat(self._stream.fileno())
            return os.environ.get("JOURNAL_STREAM") == f"{found.st_dev}:{found.st_ino}"
        return False


class AsJson:
    """A sink that gives another one each line as one JSON object."""

    def __init__(self, sink: Screen | LogFile) -> None:
        self._sink = sink

    def write(self, message: Message) -> None:
        """Write a line, made of its record."""
        self._sink.write(json_line(message.record))

    def stop(self) -> None:
        """Let go of what the other one holds."""
        if isinstance(self._sink, LogFile):
            self._sink.stop()


def json_line(record: Record) -> str:
    """A record as JSON in one line: what was said, when, at which node and in which run."""
    extra = record["extra"]
    moment = record["time"].astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
    told: dict[str, Any] = {"time": moment, "level": record["level"].name, "message": record["message"]}
    if "library" in extra:
        told["library"] = extra["library"]
    for name in ("task", "run", "attempt"):
        if name in extra:
            told[name] = extra[name]
    told |= _always
    told |= {name: value for name, value in extra.items() if name not in OURS and name not in told}
    return json.dumps(_plain(told), ensure_ascii=False) + "\n"


def _plain(value: Any) -> Any:
    """A value as JSON holds it, masked and cleaned: what was bound to a line is as hostile as the line."""
    if value is None or isinstance(value, bool | int | float):
        return value
    if isinstance(value, dict):
        return {clean(mask(str(key))): _plain(inner) for key, inner in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(inner) for inner in value]
    return clean(mask(str(value)))


def _format(clock: str) -> Any:
    def line(record: Record) -> str:
        # Without {exception}: a traceback from elsewhere would neither be masked nor cleaned.
        by = "{extra[library]}: " if "library" in record["extra"] else ""
        return f"<dim>{clock}</dim>{LINE}{by}{{message}}\n"

    return line


def _for_journal(record: Record) -> str:
    # The journal has a clock of its own, and takes how grave a line is from before it (sd-daemon(3)).
    number = next(code for least, code in JOURNAL_PRIORITIES if record["level"].no >= least)
    by = "{extra[library]}: " if "library" in record["extra"] else ""
    return f"\\<{number}>{LINE.lstrip()}{by}{{message}}\n"


def _nothing(record: Record) -> str:
    # The line is made of the record.
    return ""


def _is_audit(record: Record) -> bool:
    return bool(record["extra"].get("audit"))


def _is_no_audit(record: Record) -> bool:
    return not _is_audit(record)


def _patch(record: Record) -> None:
    record["message"] = clean(mask(record["message"]))


class _Libraries(logging.Handler):
    """What libraries log, as lines of ours: of the run in whose thread they log, and masked."""

    def emit(self, record: logging.LogRecord) -> None:
        """Pass a line on; a library that cannot spell its own line is no reason to fail."""
        try:
            text = record.getMessage()
        except Exception:
            text = str(record.msg)
        if record.name == "py.warnings":
            # The line of code that stands below helps nobody here.
            text = text.partition("\n")[0]
        level = record.levelname if record.levelname in LEVELS else "WARNING"
        logger.bind(library=record.name).log(level, "{}", text.rstrip())
        if record.exc_info and record.exc_info[1] is not None:
            log_details(record.exc_info[1])


def _listen() -> None:
    """Take in what libraries say; the level is that of their root: WARNING."""
    root = logging.getLogger()
    if not any(isinstance(handler, _Libraries) for handler in root.handlers):
        root.addHandler(_Libraries())
    logging.captureWarnings(True)
