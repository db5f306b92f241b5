"""Whatever is wrong with how a command is called: one line that says it, a hint, an exit code, and no traceback."""

from __future__ import annotations

import contextlib
import json
from pathlib import Path

import click
import pytest
from click.testing import CliRunner

from stoma.cli import run as stoma_run
from stoma.cli.main import COMMANDS, main
from stoma.stores import open_store

TASKS = (
    "version: 1\npresets: []\ntasks:\n  a: {collector: arxiv, config: {search_query: x}, schedule: daily}\n"
)


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    home = tmp_path_factory.mktemp("refusals")
    (home / "stoma.yaml").write_text(TASKS)
    open_store("sqlite:///stoma.db", home).close()
    return home


def called(home: Path, line: str) -> tuple[int, str, str]:
    program, *words = line.split(" ")
    command = stoma_run.main if program == "stoma-run" else main
    with contextlib.chdir(home):
        result = CliRunner().invoke(command, words, prog_name=program)
    return result.exit_code, result.stdout, result.stderr


@pytest.mark.parametrize(
    ("line", "message", "hint"),
    [
        ("stoma nothing", "no such command 'nothing'", "`stoma --help`"),
        ("stoma serch x", "no such command 'serch'", "`stoma --help`"),
        ("stoma runs --lmit 3", "no such option", "`stoma runs --help`"),
        ("stoma runs --limit 0", "not in the range", "`stoma runs --help`"),
        ("stoma runs b", 'there is no task "b"', "list-tasks"),
        ("stoma logs", "missing argument 'RUN'", "`stoma logs --help`"),
        ("stoma logs 9", "there is no run 9", ""),
        ("stoma cancel x", "not a valid integer", "`stoma cancel --help`"),
        ("stoma retry 9", "there is no run 9", ""),
        ("stoma next b", 'there is no task "b"', "list-tasks"),
        ("stoma why a someday", '"someday" is not a date', "today"),
        ("stoma plan --config none.yaml", "none.yaml: there is no such file", "looked for at"),
        ("stoma hosts --reset", "--reset needs the host", "`stoma hosts --help`"),
        ("stoma hosts nowhere", 'nothing is known of a host "nowhere"', "`stoma hosts`"),
        ("stoma search x --since never", '"never" is not a moment', "7d"),
        ("stoma changes --task b", 'there is no task "b"', "list-tasks"),
        ("stoma show nope", 'there is no record "nope"', "nothing has been stored yet"),
        ("stoma export -o no/such/folder.csv", "there is no folder no/such", "make it first"),
        ("stoma export --view views", '"views" is not a view', "papers"),
        ("stoma store backup no/such/copy.db", "there is no folder no/such", "make it first"),
        ("stoma store nothing", "no such command 'nothing'", "`stoma store --help`"),
        ("stoma store copy a b", "FROM is not an address", "sqlite:///FILE"),
        ("stoma backfill b --from 2026-01-01", 'there is no task "b"', "list-tasks"),
        ("stoma backfill a --from x", "does not match the format", "`stoma backfill --help`"),
        ("stoma replay b", 'there is no task "b"', "list-tasks"),
        ("stoma scheduler run-tsk", "no such command 'run-tsk'", "`stoma scheduler --help`"),
        ("stoma scheduler enable-task b", 'there is no task "b"', "list-tasks"),
        ("stoma scheduler load-preset --preset reserch", 'did you mean "research"', "known presets"),
        ("stoma scheduler add-task b n arxiv daily --config {", "--config is not JSON", "write it like"),
        ("stoma scheduler status --watch --json", "--watch is for people", "`stoma scheduler status --help`"),
        ("stoma completion tcsh", "is not one of", "`stoma completion --help`"),
        ("stoma-run a", "add --once", "`stoma-run --help`"),
        ("stoma-run --log-level loud", "is not one of", "`stoma-run --help`"),
        ("stoma-run --once --log-file no/such/stoma.log", "there is no folder no/such", "make it first"),
        ("stoma-run --once --log-file x.log --log-rotate often", "cannot be put aside", "10 MB"),
    ],
)  # fmt: skip
def test_one_line_and_a_hint(home: Path, line: str, message: str, hint: str) -> None:
    code, shown, told = called(home, line)
    assert (code, shown) == (2, "")
    first, *rest = told.splitlines()
    assert first.startswith("error: ")
    assert message in first
    assert len(rest) == (1 if hint else 0)
    assert hint in "".join(rest)


def test_every_command_refuses_an_option_that_it_does_not_know(home: Path) -> None:
    for name in COMMANDS:
        command = main.get_command(click.Context(main), name)
        names = (
            [f"{name} {inner}" for inner in command.list_commands(click.Context(command))]
            if isinstance(command, click.Group)
            else [name]
        )
        for words in names:
            code, shown, told = called(home, f"stoma {words} --no-such-option")
            lines = told.splitlines()
            # To `search` it is a word of the query, and one that it refuses.
            assert (code, shown, len(lines)) == (2, "", 2), (words, told)
            assert lines[0].startswith("error: ")


def test_in_json_errors_are_lines_of_the_log(home: Path) -> None:
    code, shown, told = called(home, "stoma-run --once --log-format json b")
    assert (code, shown) == (2, "")
    (line,) = (json.loads(line) for line in told.splitlines())
    assert (line["level"], line["message"]) == ("ERROR", 'there is no task "b"')
    assert "list-tasks" in line["hint"]


def test_help_is_no_error(home: Path) -> None:
    for line in ("stoma --help", "stoma-run -h", "stoma --version", "stoma scheduler --help"):
        code, shown, told = called(home, line)
        assert (code, told) == (0, "")
        assert shown
