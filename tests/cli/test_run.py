"""`stoma-run` as processes of its own: once, check, demo, signals and exit codes."""

from __future__ import annotations

import json
import os
import re
import signal
import sqlite3
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from stoma.demo.standin import StandIn
from tests.support.waiting import until

STOMA_RUN = [sys.executable, "-m", "stoma.cli.run"]


def run(*words: str, **more: Any) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [*STOMA_RUN, *words], capture_output=True, text=True, timeout=60, check=False, **more
    )


@pytest.fixture
def home(tmp_path: Path) -> Iterator[Path]:
    with StandIn(now=datetime.now(UTC)) as standin:
        (tmp_path / "stoma.yaml").write_text(
            f"""\
version: 1
presets: []
api: {{port: 0}}
defaults: {{retry: {{count: 0}}}}
tasks:
  papers:
    collector: arxiv
    config: {{search_query: "cat:cs.LG", max_results: 12, page_size: 5, base_url: "{standin.url("arxiv")}"}}
    schedule: daily_at_09:00
  wrong:
    collector: arxiv
    config: {{id_list: "no-such-form", base_url: "{standin.url("arxiv")}"}}
    enabled: false
  secret:
    collector: arxiv
    config: {{search_query: "${{env:NOT_SET_HERE}}", base_url: "{standin.url("arxiv")}"}}
    enabled: false
"""
        )
        yield tmp_path


def test_once_shows_a_table_and_ends_well(home: Path) -> None:
    result = run("--once", "papers")
    assert result.returncode == 0, result.stderr
    assert "completed" in result.stdout
    assert _rows(home, "select count(*) from papers") == [(12,)]


def test_once_without_names_runs_what_is_switched_on(home: Path) -> None:
    result = run("--once", "--json")
    assert result.returncode == 0, result.stderr
    assert [entry["task"] for entry in json.loads(result.stdout)] == ["papers"]


def test_once_as_json_prints_nothing_else(home: Path) -> None:
    result = run("--once", "papers", "wrong", "secret", "--json")
    assert result.returncode == 1
    found = {entry["task"]: entry for entry in json.loads(result.stdout)}
    fields = "task run status attempt seen new changed unchanged rejected pages duration_seconds error"
    assert set(found["papers"]) == set(fields.split())
    assert (found["papers"]["status"], found["papers"]["new"], found["papers"]["error"]) == (
        "completed",
        12,
        None,
    )
    assert found["wrong"]["status"] == "failed"
    assert found["wrong"]["error"]
    assert (found["secret"]["status"], found["secret"]["run"]) == ("skipped", None)
    assert "NOT_SET_HERE is not set" in found["secret"]["error"]


def test_once_with_a_preset_runs_its_tasks_alone(home: Path) -> None:
    (home / "presets").mkdir()
    text = (home / "stoma.yaml").read_text()
    (home / "presets" / "mine.yaml").write_text(
        "tasks:\n  other:\n" + text.split("  papers:\n")[1].split("  wrong")[0]
    )
    result = run("--once", "--preset", "mine", "--json")
    assert result.returncode == 0, result.stderr
    assert [entry["task"] for entry in json.loads(result.stdout)] == ["other"]


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--once", "paper"], 'did you mean "papers"?'),
        (["--once", "--preset", "nope"], "nope"),
        (["papers"], "--once"),
        (["--json"], "--json goes with"),
        (["--config", "missing.yaml", "--once"], "missing.yaml"),
        (["--log-level", "loud"], "--log-level"),
    ],
)
def test_wrong_words_end_with_2_and_say_why(home: Path, words: list[str], said: str) -> None:
    result = run(*words)
    assert result.returncode == 2
    assert said in result.stderr
    assert "Traceback" not in result.stderr


def test_check(home: Path) -> None:
    result = run("--check")
    assert result.returncode == 0
    assert "in order: 3 tasks" in result.stdout
    assert "warning: secret is blocked" in result.stdout
    (home / "stoma.yaml").write_text("version: 1\ntasks: {a: {collector: arxiv}}\nshow: 1\n")
    result = run("--check")
    assert result.returncode == 2
    assert "stoma.yaml:2" in result.stderr
    assert "stoma.yaml:3" in result.stderr
    report = json.loads(run("--check", "--json").stdout)
    assert report["ok"] is False
    assert len(report["errors"]) >= 2
    assert not (home / "stoma.db").exists()


def test_a_broken_file_at_the_start_ends_with_2(home: Path) -> None:
    (home / "stoma.yaml").write_text("tasks: [")
    result = run("--port", "0")
    assert result.returncode == 2
    assert "stoma.yaml:1" in result.stderr
    assert "Traceback" not in result.stderr


def test_ctrl_c_in_the_foreground(home: Path) -> None:
    text = (
        (home / "stoma.yaml")
        .read_text()
        .replace("max_results: 12", "max_results: 2000")
        .replace("page_size: 5", "page_size: 1")
    )
    (home / "stoma.yaml").write_text(text)
    process = subprocess.Popen([*STOMA_RUN, "--once", "papers"], stderr=subprocess.PIPE, text=True)
    until(lambda: _count(home) > 3, 20)
    process.send_signal(signal.SIGINT)
    assert process.wait(10) == 130
    assert process.stderr is not None
    assert "Traceback" not in process.stderr.read()
    process.stderr.close()
    stored = _count(home)
    [run_row] = _rows(home, "select status, pages from runs")
    assert run_row == ("interrupted", stored)


@pytest.mark.parametrize(("words", "is_told"), [((), False), (("--log-level", "INFO"), True)])
def test_once_logs_what_was_asked_for(home: Path, words: tuple[str, ...], is_told: bool) -> None:
    result = run("--once", "papers", *words)
    assert result.returncode == 0, result.stderr
    assert ("INFO" in result.stderr) is is_told


class Serving:
    """A started `stoma-run` and the address it printed."""

    def __init__(self, *words: str) -> None:
        self.process = subprocess.Popen(
            [*STOMA_RUN, *words], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
        )
        assert self.process.stdout is not None
        self.greeting = ""
        for line in self.process.stdout:
            self.greeting += line
            if line.startswith("stop:"):
                break
        self.url = next((w for w in self.greeting.split() if w.startswith("http://")), "")

    def get(self, path: str) -> Any:
        with urllib.request.urlopen(self.url.rstrip("/") + path, timeout=10) as answer:
            return json.load(answer)

    def stop(self, number: int = signal.SIGTERM) -> tuple[int, float, str]:
        began = time.monotonic()
        self.process.send_signal(number)
        _, said = self.process.communicate(timeout=20)
        return self.process.returncode, time.monotonic() - began, said


@pytest.fixture
def serving() -> Iterator[Any]:
    made: list[Serving] = []

    def serve(*words: str) -> Serving:
        made.append(Serving(*words))
        return made[-1]

    yield serve
    for one in made:
        if one.process.poll() is None:
            one.process.kill()
        one.process.communicate()


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_it_greets_serves_and_stops_in_order(serving: Any, home: Path, number: int) -> None:
    one = serving()
    assert "daily_at_09:00" in one.greeting
    assert "stoma scheduler run-task papers" in one.greeting
    assert one.get("/health/ready") == {"ready": True}
    assert one.get("/api/scheduler/status")["running"] is True
    code, seconds, said = one.stop(number)
    assert (code, "Traceback" in said) == (0, False)
    assert seconds < 5
    assert json.loads((home / "scheduler_state.json").read_text())["running"] is False


def test_many_tasks_do_not_hide_where_to_look(serving: Any, home: Path) -> None:
    task = "{collector: arxiv, config: {search_query: x}, schedule: daily_at_09:00, enabled: false}"
    tasks = "".join(f"  t{number:02d}: {task}\n" for number in range(23))
    (home / "stoma.yaml").write_text(f"version: 1\npresets: []\napi: {{port: 0}}\ntasks:\n{tasks}")
    greeting = serving().greeting
    assert "t19" in greeting
    assert "t20" not in greeting
    assert re.search(r"^and 3 more: \S+ scheduler list-tasks$", greeting, re.MULTILINE)
    assert "dashboard:" in greeting


def test_the_demo_shows_records_within_seconds(serving: Any, home: Path) -> None:
    one = serving("--demo")
    until(lambda: one.get("/api/scheduler/status")["records"].get("paper", 0) >= 12, 15)
    assert not (home / "stoma.db").exists()
    assert (home / "stoma-demo" / "stoma.db").exists()
    assert one.stop()[0] == 0


def test_a_second_scheduler_for_the_file_is_told_who_holds_it(serving: Any, home: Path) -> None:
    one = serving()
    result = run("--port", "0")
    assert result.returncode == 2
    assert f"process {one.process.pid}" in result.stderr
    # --once takes no lock of the scheduler.
    assert run("--once", "papers").returncode == 0


def test_killed_it_leaves_nothing_in_the_way(serving: Any, home: Path) -> None:
    one = serving()
    one.process.kill()
    one.process.wait()
    assert serving().get("/health/live") == {"live": True}


def test_a_second_signal_stops_at_once(serving: Any, home: Path) -> None:
    one = serving()
    os.kill(one.process.pid, signal.SIGSTOP)
    for number in (signal.SIGINT, signal.SIGTERM):
        os.kill(one.process.pid, number)
    os.kill(one.process.pid, signal.SIGCONT)
    one.process.communicate(timeout=10)
    assert one.process.returncode in (0, 130)


def test_without_a_stoma_yaml_the_built_in_preset_is_used(tmp_path: Path, serving: Any) -> None:
    result = run("--check")
    assert result.returncode == 0, result.stderr
    assert "using the built-in preset" in result.stderr
    one = serving("--demo", "--port", "0")
    assert "arxiv_daily_trending" in one.greeting
    until(lambda: one.get("/api/scheduler/status")["records"].get("paper", 0) > 0, 15)
    assert one.stop()[0] == 0


@pytest.mark.parametrize("module", ["stoma.api.main", "stoma.scheduler.manager"])
def test_the_modules_of_the_mission_start(home: Path, module: str) -> None:
    words = ["--log-level", "DEBUG"]
    process = subprocess.Popen(
        [sys.executable, "-m", module, *words], stderr=subprocess.PIPE, stdout=subprocess.PIPE
    )
    until(lambda: (home / "scheduler_state.json").exists(), 20)
    process.terminate()
    _, said = process.communicate(timeout=20)
    assert process.returncode == 0
    assert b"Traceback" not in said
    assert json.loads((home / "scheduler_state.json").read_text())["running"] is False


def _rows(home: Path, query: str) -> list[Any]:
    connection = sqlite3.connect(home / "stoma.db")
    try:
        return connection.execute(query).fetchall()
    finally:
        connection.close()


def _count(home: Path) -> int:
    try:
        return int(_rows(home, "select count(*) from records")[0][0])
    except sqlite3.OperationalError:
        return 0


def test_a_second_one_on_the_same_port_is_told_who_holds_the_database(serving: Any, home: Path) -> None:
    one = serving()
    port = one.url.rstrip("/").rpartition(":")[2]
    result = run("--port", port)
    assert result.returncode == 2
    assert f"process {one.process.pid}" in result.stderr


def test_no_password_in_what_any_command_prints(home: Path) -> None:
    text = (home / "stoma.yaml").read_text().replace("presets: []", 'presets: []\nstore: {url: "${env:URL}"}')
    (home / "stoma.yaml").write_text(text)
    for url in (
        "postgresql://u:hunter22@127.0.0.1:1/x?connect_timeout=abc",
        "postgresql://u:hunter22/@127.0.0.1:1/x",
    ):
        for words in (
            ["scheduler", "status"],
            ["scheduler", "list-tasks"],
            ["scheduler", "run-task", "papers"],
        ):
            command = [sys.executable, "-m", "stoma.cli.main", *words]
            result = subprocess.run(
                command,
                capture_output=True,
                text=True,
                check=False,
                env=os.environ | {"URL": url, "STOMA_DEBUG": "1"},
            )
            assert result.returncode in (1, 2, 3)
            assert "hunter22" not in result.stdout + result.stderr


def test_check_warns_of_a_credential_that_is_written_out(home: Path) -> None:
    plain = "pl41nWr1tt3nK3y"
    (home / "stoma.yaml").write_text(
        f"""\
version: 1
tasks:
  a: {{collector: http_json, config: {{url: "https://a.org/x?q=1&api_key={plain}"}}}}
  b:
    collector: http_json
    config:
      url: https://a.org/?api_key={plain}
      params: {{access_token: "{plain}", page_token: "2", key: subject}}
      auth: {{query: {{name: api_key, value: "${{env:A_LONG_NAME_OF_A_KEY_1}}"}}}}
"""
    )
    result = run("--check")
    assert result.returncode == 0
    assert "stoma.yaml:3:" in result.stdout
    assert "warning: stoma.yaml:3:72: api_key looks like a credential that is written out" in result.stdout
    assert "stoma.yaml:8:31: access_token looks like" in result.stdout
    assert "stoma.yaml:7:35: api_key looks like" in result.stdout
    assert result.stdout.count("looks like a credential") == 3
    assert plain not in result.stdout
