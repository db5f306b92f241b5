"""What shells put in where TAB is pressed: asked by the shells themselves, on a terminal of their own."""

from __future__ import annotations

import os
import pty
import select
import shutil
import subprocess
import sys
import time
from pathlib import Path

import pytest
from click.shell_completion import ShellComplete

from stoma.cli import main as stoma
from stoma.cli import run as stoma_run
from stoma.scheduler.base import NewRun, TaskPriority
from stoma.stores import open_store

TASKS = """\
version: 1
presets: [research]
hosts: {example.org: {gap: 1s}}
tasks:
  zebra_papers: {name: Papers on zebras, collector: arxiv, config: {search_query: zebra}, schedule: daily}
  zoo_news: {collector: feed, config: {url: "https://example.org/feed"}, schedule: hourly}
"""


@pytest.fixture(scope="module")
def database(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A store with a run."""
    folder = tmp_path_factory.mktemp("completion")
    with open_store("sqlite:///stoma.db", folder) as store:
        store.runs.add(NewRun("zebra_papers", "hand:1", TaskPriority.NORMAL, "0"), store.now())
    return folder / "stoma.db"


@pytest.fixture
def home(tmp_path: Path, database: Path) -> Path:
    """A folder with tasks, a run and both programs on the path."""
    (tmp_path / "stoma.yaml").write_text(TASKS)
    shutil.copy(database, tmp_path)
    programs = tmp_path / "bin"
    programs.mkdir()
    for name, module in (("stoma", "main"), ("stoma-run", "run")):
        text = f"import sys; sys.argv[0] = '{name}'; from stoma.cli.{module} import main; main()"
        (programs / name).write_text(f'#!/bin/sh\nexec {sys.executable} -c "{text}" "$@"\n')
        (programs / name).chmod(0o755)
    return tmp_path


def offered(line: str) -> list[str]:
    """What is offered for the last word of a line."""
    words = line.split(" ")
    program, found = words[0], stoma.main if words[0] == "stoma" else stoma_run.main
    complete = ShellComplete(found, {}, program, "_X_COMPLETE")
    return [item.value for item in complete.get_completions(words[1:-1], words[-1])]


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("stoma sea", ["search"]),
        ("stoma scheduler run-task z", ["zebra_papers", "zoo_news"]),
        ("stoma-run --once zeb", ["zebra_papers"]),
        ("stoma-run --once zebra_papers z", ["zoo_news"]),
        ("stoma-run --preset d", ["default", "development"]),
        ("stoma-run --log-format ", ["human", "json"]),
        ("stoma runs zo", ["zoo_news"]),
        ("stoma runs --status co", ["completed"]),
        ("stoma next zo", ["zoo_news"]),
        ("stoma why zo", ["zoo_news"]),
        ("stoma backfill zo", ["zoo_news"]),
        ("stoma replay zo", ["zoo_news"]),
        ("stoma logs ", ["1"]),
        ("stoma cancel ", ["1"]),
        ("stoma retry ", ["1"]),
        ("stoma search --kind p", ["paper"]),
        ("stoma search --source z", ["zoo_news"]),
        ("stoma export --task zo", ["zoo_news"]),
        ("stoma hosts ex", ["example.org", "export.arxiv.org"]),
        ("stoma scheduler add-task id name ar", ["arxiv"]),
        ("stoma scheduler add-task id name arxiv inter", ["interval_2h", "interval_30m"]),
        ("stoma scheduler load-preset --preset re", ["research"]),
        ("stoma completion z", ["zsh"]),
    ],
)
def test_what_is_offered(home: Path, monkeypatch: pytest.MonkeyPatch, line: str, expected: list[str]) -> None:
    monkeypatch.chdir(home)
    assert sorted(offered(line)) == expected


def test_presets_and_included_files_count(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (home / "tasks").mkdir()
    (home / "tasks" / "more.yaml").write_text("tasks:\n  more: {collector: arxiv}\n")
    monkeypatch.chdir(home)
    assert {"more", "zoo_news", "arxiv_ai"} <= set(offered("stoma runs "))
    monkeypatch.chdir(home / "bin")
    elsewhere = offered(f"stoma runs --config {home / 'stoma.yaml'} mo")
    assert elsewhere == ["more"]


def test_a_broken_file_still_offers_its_tasks(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (home / "stoma.yaml").write_text(TASKS + "  broken: [\n")
    monkeypatch.chdir(home)
    assert offered("stoma runs z") == ["zebra_papers", "zoo_news"]


@pytest.mark.parametrize(
    "text", ["[1, 2]", "tasks: 7", "presets: {a: 1}", "include: [/etc/*]", "\0", "store: []"]
)
def test_nothing_is_said_about_a_file_that_makes_no_sense(home: Path, text: str) -> None:
    (home / "stoma.yaml").write_text(text)
    (home / "stoma.db").write_bytes(b"no database")
    for line, count in (
        ("stoma runs zzz", 2),
        ("stoma logs ", 2),
    ):
        asked = {"COMP_WORDS": line, "COMP_CWORD": str(count), "_STOMA_COMPLETE": "bash_complete"}
        result = subprocess.run(
            [home / "bin" / "stoma"], cwd=home, env=os.environ | asked, capture_output=True, check=False
        )
        assert (result.returncode, result.stdout.strip(), result.stderr) == (0, b"", b"")


def test_it_is_quick_and_loads_no_log(home: Path) -> None:
    asked = {"COMP_WORDS": "stoma runs z", "COMP_CWORD": "2", "_STOMA_COMPLETE": "bash_complete"}
    script = (
        "import atexit, sys; sys.argv[0] = 'stoma'; from stoma.cli.main import main;"
        "atexit.register(lambda: print({'loguru', 'jsonschema', 'psycopg', 'rich'} & set(sys.modules)));"
        "main()"
    )
    began = time.monotonic()
    result = subprocess.run(
        [sys.executable, "-c", script], cwd=home, env=os.environ | asked, capture_output=True, check=True
    )
    assert result.stdout.decode().splitlines() == ["plain,zebra_papers", "plain,zoo_news", "set()"]
    # About 0.15 s; a machine with other things to do may take longer.
    assert time.monotonic() - began < 2


SHELLS = {
    "bash": (["bash", "--norc", "--noprofile", "-i"], 'eval "$(stoma completion bash)"'),
    "zsh": (["zsh", "-f", "-i"], 'autoload -Uz compinit; compinit -u; eval "$(stoma completion zsh)"'),
    "fish": (["fish", "--no-config", "-i"], "stoma completion fish | source"),
}


@pytest.mark.parametrize("shell", SHELLS)
@pytest.mark.parametrize(
    ("typed", "completed"),
    [("stoma scheduler run-task zeb\t", "zebra_papers"), ("stoma-run --once zoo\t", "zoo_news")],
)
def test_a_shell_completes(home: Path, shell: str, typed: str, completed: str) -> None:
    command, begin = SHELLS[shell]
    if shutil.which(command[0]) is None:
        pytest.skip(f"{shell} is not installed")
    # The line is not run: it is turned into words that can be told from what was typed.
    with Terminal(command, home) as terminal:
        terminal.send(f"{begin}; echo re''ady\n")
        terminal.wait_for("ready")
        terminal.send(typed)
        terminal.wait_for(completed)


BECOME = (
    "import fcntl, os, sys, termios; os.setsid(); fcntl.ioctl(0, termios.TIOCSCTTY, 0);"
    " os.execvp(sys.argv[1], sys.argv[1:])"
)
"""fish wants the terminal to be its own."""


class Terminal:
    """A program on a terminal."""

    def __init__(self, command: list[str], home: Path) -> None:
        self._ours, theirs = pty.openpty()
        env = {name: value for name, value in os.environ.items() if not name.startswith(("LC_", "XDG_"))} | {
            "PATH": f"{home / 'bin'}:{os.environ['PATH']}",
            "HOME": str(home),
            "TERM": "vt100",
            "PS1": "> ",
        }
        self._process = subprocess.Popen(
            [sys.executable, "-c", BECOME, *command],
            cwd=home,
            env=env,
            stdin=theirs,
            stdout=theirs,
            stderr=theirs,
        )
        os.close(theirs)
        self._seen = ""

    def send(self, text: str) -> None:
        """Type."""
        self._seen = ""
        os.write(self._ours, text.encode())

    def wait_for(self, text: str) -> None:
        """Read until it stands there."""
        until = time.monotonic() + 30
        while text not in self._seen:
            ready, _, _ = select.select([self._ours], [], [], max(0.0, until - time.monotonic()))
            assert ready, f"{text} was not seen in {self._seen!r}"
            self._seen += os.read(self._ours, 65536).decode(errors="replace")

    def __enter__(self) -> Terminal:
        return self

    def __exit__(self, *_: object) -> None:
        self._process.kill()
        self._process.wait()
        os.close(self._ours)
