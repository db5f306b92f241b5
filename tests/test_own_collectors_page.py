"""docs/own-collectors.md: what people copy out of it works in an empty folder."""

from __future__ import annotations

import json
import sqlite3
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.support.pages import blocks
from tests.support.server import Asked, Reply, Server

PAGE = "own-collectors.md"
BIRDS = [
    {
        "id": number,
        "bird": f"Invented warbler {number}",
        "seen_at": f"2026-11-0{number}T08:00:00Z",
        "count": number,
    }
    for number in range(1, 6)
]


def answer(asked: Asked) -> Reply:
    page = int(asked.query["page"])
    found = {"birds": BIRDS[2 * page - 2 : 2 * page], "next": page + 1 if page < 3 else None}
    return Reply(body=json.dumps(found).encode(), headers={"Content-Type": "application/json"})


def stoma_run(folder: Path, *words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "stoma.cli.run", *words],
        cwd=folder, capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip


@pytest.fixture
def example(tmp_path: Path) -> Any:
    [code], [config] = blocks(PAGE, "python"), blocks(PAGE, "yaml")
    with Server(answer) as server:
        (tmp_path / "my_source.py").write_text(code)
        (tmp_path / "stoma.yaml").write_text(config.replace("https://birds.example.org", server.url))
        yield tmp_path, server


def test_the_example_is_short() -> None:
    [code], [config] = blocks(PAGE, "python"), blocks(PAGE, "yaml")
    assert len((code + config).splitlines()) < 40


def test_the_example_runs(example: tuple[Path, Server]) -> None:
    folder, server = example
    checked = stoma_run(folder, "--check")
    assert (checked.returncode, checked.stdout) == (0, "in order: 1 task, 1 file\n"), checked.stderr
    ran = stoma_run(folder, "--once", "--json")
    assert ran.returncode == 0, ran.stderr
    [result] = json.loads(ran.stdout)
    assert (result["status"], result["new"], result["pages"], result["rejected"]) == ("completed", 5, 3, 0)
    with sqlite3.connect(folder / "stoma.db") as store:
        rows = store.execute(
            "select source, external_id, kind, title, published_at from records order by external_id"
        ).fetchall()
    assert [row[:4] for row in rows] == [
        ("birds", str(bird["id"]), "sighting", bird["bird"]) for bird in BIRDS
    ]
    assert "Stoma/" in server.requests[0].headers["user-agent"]


def test_its_schema_tells_faults_where_they_stand(example: tuple[Path, Server]) -> None:
    folder, _ = example
    path = folder / "stoma.yaml"
    path.write_text(path.read_text().replace("url:", "ulr:"))
    checked = stoma_run(folder, "--check")
    assert checked.returncode == 2
    assert 'stoma.yaml:5:11: config of task "birds" has no "url"' in checked.stderr
