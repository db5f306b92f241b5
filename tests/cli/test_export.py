"""`stoma export`: what people and scripts get, and what is left behind when it breaks off."""

from __future__ import annotations

import io
import json
import os
import pty
import resource
import signal
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result
from pyarrow import parquet

from stoma.cli.export import _show
from stoma.cli.main import main
from stoma.stores import open_store
from tests.support.exports import every_kind, plain, put

Command = Callable[..., Result]
COMMAND = [sys.executable, "-m", "stoma.cli.main", "export"]


@pytest.fixture
def home(tmp_path: Path, url: str) -> Path:
    (tmp_path / "stoma.yaml").write_text(
        f"""\
version: 1
timezone: Europe/Berlin
presets: []
store: {{url: "{url}"}}
tasks:
  papers: {{collector: arxiv, config: {{search_query: "cat:cs.LG"}}}}
"""
    )
    with open_store(url, tmp_path) as store:
        put(store, every_kind(), task="papers")
    return tmp_path


@pytest.fixture
def many(tmp_path: Path) -> Path:
    """A store of two megabytes on SQLite."""
    (tmp_path / "stoma.yaml").write_text("version: 1\npresets: []\n")
    with open_store("sqlite:///stoma.db", tmp_path) as store:
        put(store, plain(200, summary="x" * 10_000))
    return tmp_path


@pytest.fixture
def stoma(home: Path) -> Command:
    return lambda *words: CliRunner().invoke(main, ["export", *words])


def lines(result: Result) -> list[dict[str, Any]]:
    assert result.exit_code == 0, result.output
    return [json.loads(line) for line in result.stdout_bytes.splitlines()]


def test_to_standard_output_as_json_lines(stoma: Command) -> None:
    found = stoma()
    assert len(lines(found)) == 9
    assert found.stderr == ""
    assert [one["kind"] for one in lines(stoma("--kind", "paper", "-o", "-"))] == ["paper", "paper"]
    assert {one["source"] for one in lines(stoma("--source", "github"))} == {"github"}
    assert len(lines(stoma("--task", "papers", "--since", "1h"))) == 9
    assert lines(stoma("--view", "entries"))[0]["comments"] == 3


def test_times_are_meant_by_the_zone_of_the_configuration(stoma: Command, home: Path) -> None:
    assert len(lines(stoma("--since", "yesterday", "--until", "2199-01-01T00:00"))) == 9
    told = json.loads(stoma("--until", "2026-06-01", "-o", "a.csv", "--json").stdout)
    assert (told["selection"]["until"], told["count"]) == ("2026-05-31T22:00:00Z", 0)
    result = stoma("--since", "lately")
    assert (result.exit_code, '"lately" is not a moment' in result.stderr) == (2, True)


def test_a_wrong_name_replaces_no_file(stoma: Command, home: Path) -> None:
    kept = home / "papers.csv"
    assert stoma("--kind", "paper", "-o", "papers.csv").exit_code == 0
    before = kept.read_bytes()
    result = stoma("--kind", "papers", "-o", "papers.csv", "--force")
    assert (result.exit_code, kept.read_bytes()) == (2, before)
    assert 'did you mean "paper"?' in result.stderr
    assert "papers.csv stays as it is" in result.stderr
    assert stoma("--kind", "paper", "-o", "papers.csv", "--force").exit_code == 0


def test_what_may_be_meant_otherwise_is_said(stoma: Command, home: Path) -> None:
    result = stoma("--kind", "papers", "--source", "git")
    assert (result.exit_code, result.stdout) == (0, "")
    assert 'there is no record of a kind "papers"; did you mean "paper"?' in result.stderr
    assert 'there is no record of a source "git"; did you mean "github"?' in result.stderr
    assert stoma("--view", "papers").stderr == ""
    with open_store(url_of(home), home) as store:
        put(store, [replace(every_kind()[0], source="lab", kind="paper")])
    result = stoma("--view", "papers")
    assert len(lines(result)) == 2
    assert "the view papers shows records of arxiv, not those of lab" in result.stderr
    assert stoma("--view", "papers", "--source", "arxiv").stderr == ""
    assert stoma("--view", "entries").stderr == ""


def test_a_file_with_its_manifest(stoma: Command, home: Path) -> None:
    result = stoma("--view", "papers", "-o", "papers.parquet")
    assert result.exit_code == 0
    assert result.stdout.startswith("2 records in papers.parquet, ")
    assert parquet.read_table(home / "papers.parquet").num_rows == 2
    manifest = json.loads((home / "papers.parquet.manifest.json").read_bytes())
    assert (manifest["records"], manifest["selection"]["view"]) == ({"paper": 2}, "papers")

    again = stoma("--view", "papers", "-o", "papers.parquet")
    assert (again.exit_code, again.stderr) == (
        2,
        "error: papers.parquet exists\n       --force replaces it\n",
    )
    result = stoma("-o", "papers.parquet", "--force", "--json", "--manifest", "about.json")
    told = json.loads(result.stdout)
    assert (told["count"], told) == (9, json.loads((home / "about.json").read_bytes()))


def test_cells_that_look_like_formulas_are_as_they_are_unless_asked(stoma: Command, home: Path) -> None:
    with open_store(url_of(home), home) as store:
        put(store, plain(1, 77, url="=cmd()"))
    assert ",=cmd()," in stoma("--kind", "item", "--format", "csv").stdout
    assert ",'=cmd()," in stoma("--kind", "item", "--format", "csv", "--safe-for-spreadsheets").stdout


def url_of(home: Path) -> str:
    text = (home / "stoma.yaml").read_text()
    return text.partition('url: "')[2].partition('"')[0]


@pytest.mark.parametrize(
    ("words", "reason"),
    [
        (["--json"], "--json prints what was written to a file"),
        (["--format", "xml"], "'xml' is not one of"),
        (["--view", "paper"], '"paper" is not a view; did you mean "papers"?'),
        (["--view", "papers", "--kind", "entry"], "shows records of kind paper"),
        (["--view", "papers", "--source", "lab"], "shows records of arxiv, not lab"),
        (["--query", "-only"], "only what must not be there"),
        (["-o", "a.jsonl", "--safe-for-spreadsheets"], "only CSV is made safe"),
        (["-o", "."], "is a folder"),
        (["-o", "/dev/null"], "is a device"),
    ],
)
def test_wishes_that_cannot_be(tmp_path: Path, words: list[str], reason: str) -> None:
    (tmp_path / "stoma.yaml").write_text("version: 1\npresets: []\n")
    open_store("sqlite:///stoma.db", tmp_path).close()
    result = CliRunner().invoke(main, ["export", *words])
    assert (result.exit_code, reason in result.stderr) == (2, True), result.output
    assert {name for name in os.listdir(tmp_path) if "stoma.db" not in name} == {"stoma.yaml"}


@pytest.mark.parametrize(
    ("words", "warning"),
    [
        (["--kind", "papr"], "no record is like that; there are 1 entry, 1 filing"),
        (["--query", "nowhere"], "no record is like that; there are 1 entry, 1 filing"),
    ],
)
def test_nothing_found_says_what_there_is(stoma: Command, words: list[str], warning: str) -> None:
    result = stoma(*words)
    assert (result.exit_code, result.stdout) == (0, "")
    assert warning in result.stderr


def test_the_name_of_a_task_that_never_was(stoma: Command) -> None:
    result = stoma("--task", "paper")
    assert (result.exit_code, 'did you mean "papers"?' in result.stderr) == (2, True)


def test_a_query_finds_all_also_what_nobody_has_indexed_yet(
    stoma: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patch:
        patch.setattr("stoma.cli.export._catch_up", lambda store: None)
        behind = stoma("--query", "doe")
    assert (behind.stdout, "cannot find about 9 records yet" in behind.stderr) == ("", True)
    assert [one["external_id"] for one in lines(stoma("--query", "T OR doe", "--kind", "entry"))] == ["e"]


def test_a_terminal_is_not_driven_by_what_sources_write(capsys: pytest.CaptureFixture[str]) -> None:
    hostile = '{"title":"\x9b31m \u202e a"}\r\n'
    _show(hostile.encode(), "csv")
    _show(hostile.replace("\r", "").encode(), "jsonl")
    csv, jsonl = capsys.readouterr().out.splitlines()
    assert csv == '{"title":"\ufffd31m \ufffd a"}'
    assert json.loads(jsonl) == {"title": "\x9b31m \u202e a"}
    assert jsonl.isprintable()


def test_on_a_terminal(many: Path) -> None:
    with open_store("sqlite:///stoma.db", many) as store:
        put(store, plain(1, 999, source="hostile", summary="\x9b31m"))
    main_end, end = pty.openpty()
    words = [*COMMAND, "--source", "hostile"]
    with subprocess.Popen(words, cwd=many, stdout=end, stderr=subprocess.DEVNULL) as process:
        os.close(end)
        shown = os.read(main_end, 10_000)
        assert process.wait(20) == 0
    os.close(main_end)
    assert b"\\u009b31m" in shown
    assert "\x9b".encode() not in shown


def test_interrupted_by_hand_nothing_is_left(many: Path) -> None:
    # Nobody reads, so it stands still after what a pipe holds.
    words = [*COMMAND, "--manifest", "m.json"]
    with subprocess.Popen(words, cwd=many, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        assert process.stdout
        assert process.stderr
        assert process.stdout.read(10)
        assert "m.json.part" in os.listdir(many)
        process.send_signal(signal.SIGINT)
        assert process.wait(20) == 130
        assert process.stderr.read() == b"error: interrupted\n"
    assert not [name for name in os.listdir(many) if name.startswith("m.json")]


def test_killed_the_next_one_takes_its_place(many: Path) -> None:
    words = [*COMMAND, "--manifest", "m.json"]
    with subprocess.Popen(words, cwd=many, stdout=subprocess.PIPE) as process:
        assert process.stdout
        assert process.stdout.read(10)
        busy = CliRunner().invoke(main, ["export", "--manifest", "m.json"])
        assert (busy.exit_code, "m.json is being written by another process" in busy.stderr) == (2, True)
        process.kill()
    assert "m.json.part" in os.listdir(many)
    assert "m.json" not in os.listdir(many)
    assert CliRunner().invoke(main, ["export", "--manifest", "m.json"]).exit_code == 0
    assert json.loads((many / "m.json").read_bytes())["count"] == 200


def test_a_reader_that_leaves_and_a_disk_that_is_full(many: Path) -> None:
    left = subprocess.run(
        f"{' '.join(COMMAND)} | head -c 10", cwd=many, shell=True, capture_output=True, timeout=20
    )
    assert (left.stdout, left.stderr) == (b'{"id":1,"s', b"")
    with open_store("sqlite:///stoma.db", many) as store:
        put(store, plain(1, 999, source="small"))
    # Also where all of it would fit into Python's buffer.
    buffered = {name: value for name, value in os.environ.items() if name != "PYTHONUNBUFFERED"}
    for words in ([], ["--source", "small"]):
        with open("/dev/full", "wb") as full:
            found = subprocess.run(
                [*COMMAND, *words], cwd=many, env=buffered, stdout=full, stderr=subprocess.PIPE, timeout=20
            )
        said = b"error: standard output cannot be written: No space left on device\n"
        assert (found.returncode, found.stderr) == (1, said)


def test_no_room_for_the_file(many: Path) -> None:
    found = subprocess.run(
        [*COMMAND, "-o", "a.jsonl"], cwd=many, capture_output=True, text=True, timeout=20,
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, 100_000)),
    )  # fmt: skip
    assert (found.returncode, found.stdout) == (1, "")
    assert found.stderr.startswith("error: a.jsonl cannot be written: File too large\n")
    assert not [name for name in os.listdir(many) if name.startswith("a.jsonl")]


def test_standard_output_has_the_same_bytes_as_a_file(many: Path) -> None:
    piped = CliRunner().invoke(main, ["export", "--format", "parquet"]).stdout_bytes
    assert CliRunner().invoke(main, ["export", "-o", "a.parquet"]).exit_code == 0
    assert parquet.read_table(io.BytesIO(piped)) == parquet.read_table(many / "a.parquet")
