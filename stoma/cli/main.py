"""`stoma`: acts on the store and the files, with and without a running scheduler."""

from __future__ import annotations

import importlib

import click

from stoma import __version__
from stoma.cli.program import Program

GROUPS = {
    "Run": {
        "scheduler": (
            "stoma.cli.scheduler:group",
            "Tasks and runs: start, status, list, run, add, enable, presets.",
        ),
        "backfill": (
            "stoma.cli.backfill:backfill",
            "Collect days of the past, beside what runs on schedule.",
        ),
        "replay": ("stoma.cli.replay:replay", "Normalise again what was kept of a task's answers."),
        "retry": ("stoma.cli.runs:retry", "Begin a run again that ended without success."),
        "cancel": ("stoma.cli.runs:cancel", "End a run that waits or is under way."),
    },
    "Look": {
        "runs": ("stoma.cli.runs:runs", "Runs, newest first, of one task or of all."),
        "logs": ("stoma.cli.logs:logs", "What was logged while a run was carried out."),
        "next": ("stoma.cli.explain:next_", "The instants to come, of one task or of all."),
        "why": ("stoma.cli.explain:why", "What became of each due instant of a task on one day."),
        "plan": ("stoma.cli.plan:plan", "What the files on disk would change about what is in force."),
        "hosts": (
            "stoma.cli.hosts:hosts",
            "How often each host may be asked, and when it may be asked next.",
        ),
        "audit": ("stoma.cli.audit:audit", "Who changed what over HTTP and by command, and who was refused."),
        "notify": ("stoma.cli.notify:notify", "Who is told of troubles, and whether it arrives: list, test."),
    },
    "Ask": {
        "search": ("stoma.cli.search:search", "Records in which words stand, best first."),
        "changes": ("stoma.cli.changes:changes", "What is new, what has changed, what has risen most."),
        "show": ("stoma.cli.show:show", "The whole story of one record: versions, measures, who saw it."),
        "export": ("stoma.cli.export:export", "Write records to a file: CSV, JSON Lines or Parquet."),
    },
    "Keep": {
        "store": ("stoma.cli.store:group", "The database itself: info, check, backup, vacuum, copy."),
    },
    "Set up": {
        "doctor": ("stoma.cli.doctor:doctor", "Look whether everything Stoma needs is in order."),
        "completion": ("stoma.cli.completion:completion", "Let a shell complete commands and ids."),
    },
}
"""What a person may be about to do, and the commands for it: where each lies, and what it does."""

COMMANDS = {name: where for group in GROUPS.values() for name, where in group.items()}


class Lazy(Program, click.Group):
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
        widest = max(map(len, COMMANDS))
        for title, group in GROUPS.items():
            with formatter.section(title):
                formatter.write_dl([(f"{name:{widest}}", told) for name, (_, told) in group.items()])


@click.command(cls=Lazy, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="stoma")
def main() -> None:
    """Collect public data on schedules.

    Write YAML (stoma.yaml, tasks/, presets/), start `stoma-run`, and look at what has arrived with these commands.
    """


if __name__ == "__main__":
    main(prog_name="stoma")
