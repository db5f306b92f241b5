"""`--demo` as people start it: every preset and every source runs to its end, and nothing of the outside is asked."""

from __future__ import annotations

import json
import sqlite3
import subprocess
import sys
import time
from pathlib import Path

import pytest

from stoma.demo.main import CONTACT, stand_in, without_secrets
from stoma.scheduler.config import load_config

RUN = [sys.executable, "-m", "stoma.cli.run", "--demo", "--once", "--json"]
KINDS = {
    "default": {"paper", "repository", "filing"},
    "research": {"paper"},
    "business": {"filing", "transaction"},
    "development": {"repository"},
}

ALL = """\
version: 1
tasks:
  papers: {collector: arxiv, config: {search_query: "cat:cs.LG", max_results: 10}}
  trending: {collector: github, config: {language: rust}}
  search: {collector: github, config: {mode: search, query: "topic:cli", token: "${env:GITHUB_TOKEN}"}}
  apple: {collector: sec_edgar, config: {tickers: [AAPL], days_back: 30}}
  releases: {collector: http_json, config: {url: "https://api.example.org/releases", paging: link_header,
             auth: {bearer: "${env:NOT_SET}"}}}
  news: {collector: feed, config: {url: "https://blog.example.org/feed.xml"}}
  mine: {collector: "my_source:Mine"}
  behind: {collector: feed, config: {url: "https://other.example.org/feed.xml"}, after: [news, mine]}
"""


def once(folder: Path, *words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([*RUN, *words], cwd=folder, capture_output=True, text=True, timeout=60, check=False)


@pytest.mark.parametrize("preset", list(KINDS))
def test_every_preset_runs_to_its_end(tmp_path: Path, preset: str) -> None:
    began = time.monotonic()
    ran = once(tmp_path, "--preset", preset)
    assert time.monotonic() - began < 15
    assert ran.returncode == 0, ran.stderr
    assert "left out" not in ran.stderr
    results = json.loads(ran.stdout)
    assert {result["status"] for result in results} == {"completed"}
    assert all(result["seen"] > 0 and result["rejected"] == 0 for result in results)
    with sqlite3.connect(tmp_path / "stoma-demo" / "stoma.db") as store:
        kinds = {kind for (kind,) in store.execute("select distinct kind from records")}
    assert kinds == KINDS[preset]


def test_every_source_and_what_is_left_out(tmp_path: Path) -> None:
    (tmp_path / "stoma.yaml").write_text(ALL)
    ran = once(tmp_path)
    assert ran.returncode == 0, ran.stderr
    results = {result["task"]: result for result in json.loads(ran.stdout)}
    assert set(results) == {"papers", "trending", "search", "apple", "releases", "news", "behind"}
    assert all(result["seen"] > 0 and result["rejected"] == 0 for result in results.values()), results
    assert ran.stderr.count("left out, the demo has nothing that stands in for their source: mine") == 1


def test_what_the_demo_changes_of_a_configuration(tmp_path: Path) -> None:
    (tmp_path / "stoma.yaml").write_text(ALL)
    config = load_config(tmp_path / "stoma.yaml")
    with stand_in() as demonstrated:
        demo = demonstrated(config)
    assert (demo.demo, demo.contact) == (True, CONTACT)
    assert demo.tasks["search"].config["token"] == "demo"
    assert all(task.config["base_url"].startswith("http://127.0.0.1:") for task in demo.tasks.values())
    assert [found.task for found in demo.tasks["behind"].after] == ["news"]
    assert without_secrets({"a": ["x${file:p}", 3]}) == {"a": ["xdemo", 3]}


def test_a_preset_of_which_something_is_left_out(tmp_path: Path) -> None:
    (tmp_path / "presets").mkdir()
    tasks = '  mine: {collector: "my_source:Mine"}\n  rust: {collector: github, config: {language: rust}}\n'
    text = f"description: Mine.\ntasks:\n{tasks}"
    (tmp_path / "presets" / "own.yaml").write_text(text)
    ran = once(tmp_path, "--preset", "own")
    assert ran.returncode == 0, ran.stderr
    assert [result["task"] for result in json.loads(ran.stdout)] == ["rust"]
