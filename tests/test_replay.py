"""The replay server plays true captures byte for byte, also as a program of its own."""

from __future__ import annotations

import subprocess
import sys
import urllib.request
from pathlib import Path

from tests.support.replay import ENTRY, Replay

REPOSITORY = Path(__file__).resolve().parent.parent


def read(url: str) -> bytes:
    with urllib.request.urlopen(url) as answer:
        return bytes(answer.read())


def test_captures_come_verbatim(recorded: Path):
    folder = recorded / "arxiv"
    with Replay(folder) as replay:
        for start, size in ((0, 10), (10, 10), (50, 10), (0, 100), (5, 15)):
            played = read(f"{replay.url}/api/query?search_query=testing&start={start}&max_results={size}")
            assert played == (folder / f"api_2026_testing_start{start:02}_max{size}.xml").read_bytes()
        assert [asked.query["start"] for asked in replay.requests] == ["0", "10", "50", "0", "5"]


def test_the_long_walk_holds_every_captured_paper_once(recorded: Path):
    with Replay(recorded / "arxiv", copies=2) as replay:
        body = read(f"{replay.url}/api/query?search_query=any&start=0&max_results=2000")
    assert b"totalResults>394<" in body
    assert len(ENTRY.findall(body)) == 394


def test_it_is_a_program_too(recorded: Path):
    command = [
        sys.executable,
        "-m",
        "tests.support.replay",
        "--recorded",
        str(recorded),
        "--fault",
        "2:status=418",
    ]
    with subprocess.Popen(command, cwd=REPOSITORY, stdout=subprocess.PIPE, text=True) as program:
        url = program.stdout.readline().split()[0]
        assert b"<entry>" in read(f"{url}/api/query?search_query=any")
        program.terminate()
