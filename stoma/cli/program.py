"""How both programs begin and end: refusals in one line and a hint, and silence while a shell completes a line."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from contextlib import suppress
from typing import Any

import click


class Program(click.Command):
    """A program that says in one line and a hint what is wrong with how it was called."""

    def main(
        self,
        args: Sequence[str] | None = None,
        prog_name: str | None = None,
        complete_var: str | None = None,
        standalone_mode: bool = True,
        **extra: Any,
    ) -> Any:
        """Run, and end with the exit code. Asked by a shell what may be put in: print that, or nothing."""
        if _is_asked_by_shell():
            with suppress(Exception), open(os.devnull, "w") as nothing:
                sys.stderr = nothing
                return super().main(args, prog_name, complete_var, **extra)
            raise SystemExit(0)
        if not standalone_mode:
            return super().main(args, prog_name, complete_var, standalone_mode=False, **extra)
        sys.exit(self._code(args, prog_name, complete_var, **extra))

    def _code(
        self, args: Sequence[str] | None, prog_name: str | None, complete_var: str | None, **extra: Any
    ) -> int:
        """Run, with click's refusals in the words of all other errors; gives the exit code."""
        from stoma.cli.output import INTERRUPTED, tell_error

        try:
            found = super().main(args, prog_name, complete_var, standalone_mode=False, **extra)
            return found if isinstance(found, int) else 0
        except click.exceptions.NoArgsIsHelpError as error:
            error.show()
            return error.exit_code
        except click.UsageError as error:
            message, path = error.format_message().rstrip("."), error.ctx.command_path if error.ctx else ""
            hint = f"`{path} --help` shows how it is called" if path else ""
            tell_error(message[:1].lower() + message[1:], hint)
            return error.exit_code
        except click.ClickException as error:
            tell_error(error.format_message())
            return error.exit_code
        except click.Abort:
            tell_error("interrupted")
            return INTERRUPTED


def _is_asked_by_shell() -> bool:
    return any(name.startswith("_STOMA") and name.endswith("_COMPLETE") for name in os.environ)
