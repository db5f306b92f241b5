"""What commands print: tables for people, JSON for programs, one line and a hint for errors."""

from __future__ import annotations

import json
import os
import re
import shutil
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, redirect_stdout, suppress
from datetime import datetime
from functools import wraps
from io import TextIOWrapper
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn, TextIO
from zoneinfo import ZoneInfo

import click

from stoma.errors import ConfigError, SchedulerRunning, StomaError, UsageError
from stoma.importing import holds_up_exit
from stoma.references import mask
from stoma.wording import clean
from stoma.wording import several as several

if TYPE_CHECKING:
    from rich.console import Console

_STEERING = re.compile("[\x7f-\x9f\u200e\u200f\u202a-\u202e\u2066-\u2069]")
"""Characters that JSON lets through and a terminal obeys; escaped, they mean the same to a program."""

WELL, NOT_COMPLETE, USAGE, DEGRADED, INTERRUPTED = 0, 1, 2, 3, 130


def reporting(command: Callable[..., Any]) -> Callable[..., Any]:
    """A command whose errors become one line and a hint on standard error, and an exit code."""

    @wraps(command)
    def wrapped(*args: Any, **kwargs: Any) -> Any:
        from stoma.log import set_up

        # Before anything can be logged: the logger's own way would show the values of variables.
        set_up("WARNING")
        for stream in (sys.stdout, sys.stderr):
            # A terminal that cannot show a letter shows a question mark; that is no reason to end.
            if isinstance(stream, TextIOWrapper):
                stream.reconfigure(errors="replace")
        code = WELL
        try:
            with reported():
                return command(*args, **kwargs)
        except SystemExit as end:
            code = end.code if isinstance(end.code, int) else NOT_COMPLETE
            raise
        finally:
            if holds_up_exit():
                # All is written and closed; Python would wait for a thread that a stranger's module began.
                for stream in (sys.stdout, sys.stderr):
                    with suppress(OSError, ValueError):
                        stream.flush()
                os._exit(code)

    return wrapped


@contextmanager
def reported() -> Iterator[None]:
    """Turn Stoma's errors into messages and exit codes."""
    try:
        yield
    except ConfigError as error:
        for problem in error.problems:
            tell_error(str(problem))
        leave(USAGE)
    except (UsageError, SchedulerRunning) as error:
        tell_error(error.message, error.hint)
        leave(USAGE)
    except StomaError as error:
        tell_error(error.message, error.hint)
        leave(NOT_COMPLETE)
    except (click.ClickException, click.exceptions.Exit, click.Abort):
        raise
    except KeyboardInterrupt:
        tell_error("interrupted")
        leave(INTERRUPTED)
    except BrokenPipeError:
        # The reader has seen enough; what Python would print at exit helps nobody.
        sys.stderr.close()
        leave(WELL)
    except Exception as error:
        if isinstance(error, PermissionError) and error.filename is not None:
            tell_error(
                f"{error.filename} may not be read or written: permission denied",
                "give this user the right to it and to its folder, or name another one",
            )
            leave(NOT_COMPLETE)
        if os.environ.get("STOMA_DEBUG"):
            from stoma.log import log_details, set_up

            set_up("DEBUG")
            log_details(error)
        tell_error(
            f"a mistake in Stoma: {type(error).__name__}: {error}",
            "please report it, with what the same command shows under STOMA_DEBUG=1",
        )
        leave(NOT_COMPLETE)


def leave(code: int) -> NoReturn:
    """End the command with this exit code."""
    raise SystemExit(code)


def tell_error(message: str, hint: str = "") -> None:
    """One error on standard error; a line of the log where each is to be JSON."""
    from stoma.log import is_json, logger

    if is_json():
        logger.bind(**({"hint": hint} if hint else {})).error("{}", message)
        return
    _echo_error(click.style("error: ", fg="red", bold=True) + clean(mask(message)))
    if hint:
        _echo_error(f"       {clean(mask(hint))}")


def tell_warning(message: str) -> None:
    """What a person should know although the command goes on, on standard error."""
    from stoma.log import is_json, logger

    if is_json():
        logger.warning("{}", message)
        return
    _echo_error(click.style("warning: ", fg="yellow", bold=True) + clean(mask(message)))


def tell_note(message: str) -> None:
    """What is good to know, on standard error."""
    from stoma.log import is_json, logger

    if is_json():
        logger.info("{}", message)
        return
    _echo_error(clean(mask(message)))


def _echo_error(line: str) -> None:
    from stoma.log import wants_colours

    # A closed or full standard error is no reason to do less.
    with suppress(OSError, ValueError):
        click.echo(line, err=True, color=wants_colours(sys.stderr))


def tell(text: str) -> None:
    """A line for people, on standard output."""
    click.echo(clean(text))


def print_json(value: Any) -> None:
    """JSON on standard output, and nothing else."""
    text = json.dumps(value, indent=2, ensure_ascii=False)
    click.echo(harmless_json(text), file=_aside[-1] if _aside else None)


def harmless_json(text: str) -> str:
    """JSON that a terminal does not obey, and that means the same to a program."""
    return _STEERING.sub(lambda match: f"\\u{ord(match[0]):04x}", text)


_aside: list[TextIO] = []


@contextmanager
def aside(is_json: bool) -> Iterator[None]:
    """What the code of others prints goes to standard error: standard output is for `print_json`, and nothing else."""
    if not is_json:
        yield
        return
    _aside.append(sys.stdout)
    try:
        with redirect_stdout(sys.stderr):
            yield
    finally:
        _aside.pop()


def console(*, stderr: bool = False) -> Console:
    """A rich console; without colours when it is not a terminal or NO_COLOR is set, with them where FORCE_COLOR is.

    FORCE_COLOR makes no terminal of a pipe: nothing moves there, and tables are as wide as they need to be.
    """
    from rich.console import Console

    from stoma.log import wants_colours

    class Screen(Console):
        def on_broken_pipe(self) -> None:
            # Rich would end the program with 1; that the reader has seen enough is no fault.
            raise BrokenPipeError

    stream = sys.stderr if stderr else sys.stdout
    is_terminal = stream is not None and not stream.closed and stream.isatty()
    # As rich and others have it: what runs us shows what terminals show, such as a web page that is one.
    is_terminal = is_terminal or os.environ.get("TTY_COMPATIBLE") == "1"
    colours: Any = "auto" if is_terminal else "standard"
    return Screen(
        stderr=stderr,
        highlight=False,
        soft_wrap=False,
        force_terminal=is_terminal,
        color_system=colours if wants_colours(stream) else None,
    )


def print_table(
    columns: Sequence[str],
    rows: Sequence[Sequence[Any]],
    *,
    empty: str,
    numbers: int = 0,
    spare: Sequence[Sequence[str]] = (),
) -> None:
    """A table whose last `numbers` columns hold numbers; `empty` says what to do when there are no rows.

    Where a terminal is too narrow, the columns of `spare` are left out, one group after the other.
    """
    if not rows:
        tell(empty)
        return
    from stoma.cli.tables import show

    show(console(), columns, rows, numbers, spare)


def stoma_command() -> str:
    """How a person here calls `stoma`: by its name where it is installed, else by its path in the checkout."""
    if shutil.which("stoma"):
        return "stoma"
    path = Path(__file__).parents[2] / "bin" / "stoma"
    return os.path.relpath(path) if path.exists() else "stoma"


def local(instant: str | datetime | None, zone: str | None = None) -> str:
    """An instant by the clock of `zone`, or of this machine; a dash for none."""
    if instant is None:
        return "–"
    moment = datetime.fromisoformat(instant) if isinstance(instant, str) else instant
    return f"{moment.astimezone(ZoneInfo(zone) if zone else None):%Y-%m-%d %H:%M:%S %Z}"


def on_clock(instant: datetime, zone: str) -> str:
    """An instant by the clock of `zone`, with the weekday and how far that clock is ahead of UTC."""
    shown = instant.astimezone(ZoneInfo(zone))
    return f"{shown:%a %Y-%m-%d %H:%M:%S} {shown.isoformat()[-6:]}"
