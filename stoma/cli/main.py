"""`stoma`: acts on the store and the files, with and without a running scheduler."""

from __future__ import annotations

import importlib

import click

from stoma import __version__

GROUPS = {"scheduler": "stoma.cli.scheduler"}


class Lazy(click.Group):
    """Loads a group when it is used, so that `stoma --help` stays instant."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return sorted({*super().list_commands(ctx), *GROUPS})

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name in GROUPS:
            found: click.Command = importlib.import_module(GROUPS[cmd_name]).group
            return found
        return super().get_command(ctx, cmd_name)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        # Written here, because asking the groups would import them.
        with formatter.section("Commands"):
            formatter.write_dl(
                [("scheduler", "Tasks and runs: start, status, list, run, add, enable, presets.")]
            )


@click.command(cls=Lazy, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="stoma")
def main() -> None:
    """Collect public data on schedules.

    Write YAML (stoma.yaml, tasks/, presets/), start `stoma-run`, and look at what has arrived with these commands.
    """


if __name__ == "__main__":
    main(prog_name="stoma")
