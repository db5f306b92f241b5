"""`stoma store`: care for the database itself."""

from __future__ import annotations

import importlib

import click

COMMANDS = {
    "info": ("stoma.cli.store_info:info", "How large the store is, what is in it, and what may be deleted."),
    "check": ("stoma.cli.store_check:check", "Look whether everything in the store is whole."),
    "backup": ("stoma.cli.store_backup:backup", "Copy the store into a file, also while a scheduler works."),
    "vacuum": ("stoma.cli.store_vacuum:vacuum", "Delete what is old, and use the room again."),
    "copy": (
        "stoma.cli.store_copy:copy",
        "Copy everything of one store into another one, on either database.",
    ),
}
"""Where each command lies, and what it does."""


class Lazy(click.Group):
    """Loads a command when it is used."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in COMMANDS:
            return None
        module, _, name = COMMANDS[cmd_name][0].partition(":")
        found: click.Command = getattr(importlib.import_module(module), name)
        return found

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Commands"):
            formatter.write_dl([(name, told) for name, (_, told) in COMMANDS.items()])


@click.group(cls=Lazy)
def group() -> None:
    """The database itself: how large it is, whether it is whole, backups, room, another database."""
