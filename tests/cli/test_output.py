"""What commands print, on wide and narrow terminals and into pipes."""

from __future__ import annotations

import io
import re
import subprocess
import sys
from typing import Any

import pytest
from rich.console import Console

from stoma.cli import output

ROWS = [
    ("arxiv_weekly_comprehensive", 1234567, "completed", "daily_at_07:00", "a longer note that may fold", 42)
]
COLUMNS = ("task", "run", "status", "schedule", "note", "unchanged")


@pytest.mark.parametrize("width", [20, 60, 80, 200])
def test_nothing_that_is_copied_is_cut(width: int, monkeypatch: pytest.MonkeyPatch) -> None:
    stream = io.StringIO()
    console = Console(file=stream, force_terminal=True, width=width, no_color=True)
    monkeypatch.setattr(output, "console", lambda **_: console)
    output.print_table(COLUMNS, ROWS, empty="none", numbers=1)
    for word in (
        "arxiv_weekly_comprehensive",
        "1234567",
        "completed",
        "daily_at_07:00",
        "42",
        "unchanged",
        "status",
    ):
        assert word in stream.getvalue()
    assert "…" not in stream.getvalue()


def shown(columns: int, monkeypatch: pytest.MonkeyPatch, **more: Any) -> str:
    stream = io.StringIO()
    console = Console(file=stream, force_terminal=True, width=columns, no_color=True)
    monkeypatch.setattr(output, "console", lambda **_: console)
    names = ("task", "day", "text", "count", "least")
    rows = [("arxiv_weekly", "2026-11-23", "word " * 9 + "x" * 30, "12,345", "1")]
    output.print_table(names, rows, empty="none", numbers=2, **more)
    return re.sub(r"\x1b\[[0-9;]*m", "", stream.getvalue())


@pytest.mark.parametrize("columns", [30, 45, 56, 60, 80, 200])
def test_a_table_is_not_wider_than_the_terminal(columns: int, monkeypatch: pytest.MonkeyPatch) -> None:
    lines = shown(columns, monkeypatch).splitlines()
    # One word stays in one piece.
    assert max(map(len, lines)) <= max(columns, 2 + 30)
    # A day keeps its line.
    assert any("2026-11-23" in line for line in lines)
    is_table = columns >= 56
    assert ("─" in "".join(lines)) is is_table
    if not is_table:
        assert lines[0].startswith("task: arxiv_weekly")
        assert any(line.endswith("count: 12,345  least: 1") for line in lines)


def test_spare_columns_go_first(monkeypatch: pytest.MonkeyPatch) -> None:
    spare = [["least"], ["day"]]
    assert "least" in shown(80, monkeypatch, spare=spare)
    narrow = shown(50, monkeypatch, spare=spare)
    assert ("least" in narrow, "day" in narrow, "─" in narrow) == (False, True, True)
    narrower = shown(40, monkeypatch, spare=spare)
    assert ("day" in narrower, "─" in narrower) == (False, True)
    # Where it is no table any more there is room for all.
    assert "least: 1" in shown(30, monkeypatch, spare=spare)


def test_an_empty_table_says_what_to_do(capsys: pytest.CaptureFixture[str]) -> None:
    output.print_table(COLUMNS, [], empty="add one")
    assert capsys.readouterr().out == "add one\n"


def test_json_steers_no_terminal(capsys: pytest.CaptureFixture[str]) -> None:
    output.print_json({"title": "a\x9b31m \u202e b \x1b[2J é"})
    printed = capsys.readouterr().out
    assert all(char.isprintable() or char == "\n" for char in printed)
    assert "é" in printed


def test_a_terminal_without_the_letters_is_no_reason_to_end() -> None:
    script = "from stoma.cli.main import main; main(['scheduler', 'list-tasks'])"
    result = subprocess.run(
        [sys.executable, "-X", "utf8=0", "-c", script],
        capture_output=True,
        check=False,
        env={
            "PYTHONIOENCODING": "ascii",
            "PATH": "/usr/bin:/bin",
            "PYTHONPATH": __file__.rpartition("/tests/")[0],
        },
    )
    assert result.returncode == 0, result.stderr
    assert b"arxiv_daily_trending" in result.stdout


@pytest.mark.parametrize(("count", "said"), [(0, "0 tasks"), (1, "1 task"), (2, "2 tasks")])
def test_several(count: int, said: str) -> None:
    assert output.several(count, "task") == said


def test_forced_colours_make_no_terminal_of_a_pipe() -> None:
    script = (
        "from stoma.cli.output import print_table, tell_error;"
        "print_table(('task', 'status'), [('a', 'completed')], empty='-'); tell_error('no')"
    )
    for variables, coloured in (
        ({}, False),
        ({"FORCE_COLOR": "1"}, True),
        ({"FORCE_COLOR": "1", "NO_COLOR": "1"}, False),
    ):
        env = {"PATH": "/usr/bin:/bin", "PYTHONPATH": __file__.rpartition("/tests/")[0], "COLUMNS": "10"}
        result = subprocess.run(
            [sys.executable, "-c", script], capture_output=True, text=True, check=True, env=env | variables
        )
        for text in (result.stdout, result.stderr):
            assert ("\x1b[" in text) is coloured
        # Were it a terminal of 10 columns, there would be no table.
        assert "─" in result.stdout
