"""`stoma`: acts on the store and the files, with and without a running scheduler."""

from __future__ import annotations

import importlib

import click

from stoma import __version__

COMMANDS = {
    "scheduler": (
        "stoma.cli.scheduler:group",
        "Tasks and runs: start, status, list, run, add, enable, presets.",
    ),
    "plan": ("stoma.cli.plan:plan", "What the files on disk would change about what is in force."),
    "next": ("stoma.cli.explain:next_", "The instants to come, of one task or of all."),
    "why": ("stoma.cli.explain:why", "What became of each due instant of a task on one day."),
    "runs": ("stoma.cli.runs:runs", "Runs, newest first, of one task or of all."),
    "logs": ("stoma.cli.logs:logs", "What was logged while a run was carried out."),
    "search": ("stoma.cli.search:search", "Records in which words stand, best first."),
    "replay": ("stoma.cli.replay:replay", "Normalise again what was kept of a task's answers."),
    "hosts": ("stoma.cli.hosts:hosts", "How often each host may be asked, and when it may be asked next."),
    "show": ("stoma.cli.show:show", "The whole story of one record: versions, measures, who saw it."),
    "changes": ("stoma.cli.changes:changes", "What is new, what has changed, what went up most."),
    "cancel": ("stoma.cli.runs:cancel", "End a run that waits or is under way."),
    "retry": ("stoma.cli.runs:retry", "Begin a run again that ended without success."),
    "store": ("stoma.cli.store:group", "The database itself: info, check, backup, vacuum, copy."),
    "backfill": ("stoma.cli.backfill:backfill", "Collect days of the past, beside what runs on schedule."),
    "export": ("stoma.cli.export:export", "Write records to a file: CSV, JSON Lines or Parquet."),
}
"""Where each command lies, and what it does."""


class Lazy(click.Group):
    """Loads a command when it is used, so that `stoma --help` stays instant."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in COMMANDS:
            return None
        module, _, name = COMMANDS[cmd_name][0].partition(":")
        found: click.Command = getattr(importlib.import_module(module), name)
        return found

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        # Written above, because asking the commands would import them.
        with formatter.section("Commands"):
            formatter.write_dl([(name, told) for name, (_, told) in COMMANDS.items()])


@click.command(cls=Lazy, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="stoma")
def main() -> None:
    """Collect public data on schedules.

    Write YAML (stoma.yaml, tasks/, presets/), start `stoma-run`, and look at what has arrived with these commands.
    """


if __name__ == "__main__":
    main(prog_name="stoma")
