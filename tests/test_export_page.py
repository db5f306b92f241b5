"""docs/export.md: its commands do what it says, and its manifest has the keys that manifests have."""

from __future__ import annotations

import json
import os
import re
import shlex
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from stoma.api.routes import ROUTES
from stoma.api.server import Server
from stoma.cli.export import export
from stoma.cli.main import main
from stoma.records import Record
from stoma.scheduler.config import load_config
from stoma.scheduler.manager import Scheduler
from stoma.stores import open_store
from stoma.stores.questions import RECORD_FIELDS
from stoma.stores.views import VIEWS
from tests.support.exports import put
from tests.support.pages import DOCS, blocks

PAGE = "export.md"
TEXT = (DOCS / PAGE).read_text(encoding="utf-8")
COMMANDS, [CURL] = blocks(PAGE, "sh")[0].splitlines(), blocks(PAGE, "sh")[1].splitlines()


@pytest.fixture
def home(tmp_path: Path) -> Path:
    (tmp_path / "stoma.yaml").write_text("version: 1\npresets: []\n")
    with open_store("sqlite:///stoma.db", tmp_path) as store:
        papers = [Record("arxiv", f"2611.0000{n}", "paper", f"Attention {n}") for n in range(1, 4)]
        put(store, [*papers, Record("blog", "e", "entry", "Attention: a survey")], task="ml_papers")
        while store.search.index.take_up() is not None:
            pass
    return tmp_path


def run(command: str) -> str:
    """What a command of the page prints; `> FILE` as a shell does it."""
    words, _, file = command.partition(" > ")
    name, *rest = shlex.split(words)
    assert name == "stoma"
    result = CliRunner().invoke(main, rest)
    assert (result.exit_code, result.stderr) == (0, "")
    if file:
        Path(file).write_bytes(result.stdout_bytes)
    return result.stdout


def test_the_commands_write_what_they_name(home: Path) -> None:
    before = set(os.listdir(home))
    for command in COMMANDS:
        run(command)
    written = {name for name in set(os.listdir(home)) - before if "stoma.db" not in name}
    files = {"records.jsonl", "week.csv", "papers.parquet", "attention.jsonl.gz", "papers.csv"}
    assert written == files | {f"{name}.manifest.json" for name in files - {"papers.csv"}}
    counts = {
        name: json.loads((home / f"{name}.manifest.json").read_bytes())["count"]
        for name in files - {"papers.csv"}
    }
    assert counts == {"records.jsonl": 4, "week.csv": 3, "papers.parquet": 3, "attention.jsonl.gz": 3}
    assert len((home / "papers.csv").read_bytes().split(b"\r\n")) == 4 + 2


def test_the_manifest_is_like_the_one_it_shows(home: Path) -> None:
    [shown] = [json.loads(block) for block in blocks(PAGE, "json")]
    run(COMMANDS[1])
    found: dict[str, Any] = json.loads((home / "week.csv.manifest.json").read_bytes())
    assert list(found) == list(shown)
    assert list(found["selection"]) == list(shown["selection"])
    same = ("file", "format", "compression", "order", "count", "records", "first_id", "last_id")
    assert [found[name] for name in same] == [shown[name] for name in same]
    assert found["columns"][0] == shown["columns"][0]


def test_what_the_page_names_is_what_there_is() -> None:
    options = {option for parameter in export.params for option in parameter.opts}
    named = set(re.findall(r"--[a-z][a-z-]+", TEXT))
    assert named <= options
    assert options - named == {"-o", "--output", "--config", "--demo"}
    assert all(f"`{view}`" in TEXT for view in VIEWS)
    [route] = [route for route in ROUTES if route.path == "/api/export"]
    assert all(f"`{param.name}`" in TEXT or f"`{param.name}=" in TEXT for param in route.params)
    assert " ".join(RECORD_FIELDS) in TEXT.replace("\n", " ")


@pytest.mark.skipif(shutil.which("curl") is None, reason="there is no curl")
def test_the_line_for_http(home: Path) -> None:
    with Scheduler(load_config(home / "stoma.yaml")) as scheduler:
        server = Server(scheduler, "127.0.0.1", 0, ["secret"])
        server.start()
        line = CURL.replace("http://127.0.0.1:8000", server.url)
        assert line != CURL
        done = subprocess.run(
            line, shell=True, cwd=home, env=os.environ | {"STOMA_TOKEN": "secret"}, timeout=20
        )
        server.stop()
    assert done.returncode == 0
    assert (home / "papers.csv").read_text().startswith("id,arxiv_id,")
