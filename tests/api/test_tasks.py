"""Tasks that are added, shown and removed over HTTP, with a scheduler that runs; and what they work with."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from stoma.api.server import Server
from stoma.collectors import COLLECTORS
from stoma.scheduler.config import load_config
from stoma.scheduler.manager import Scheduler
from stoma.stores.hosts import Budgets
from tests.support.api_client import Client
from tests.support.scripted import Script, install
from tests.support.waiting import until

YAML = """\
version: 1
presets: []
tasks:
  papers:
    collector: arxiv
    config: {search_query: all, base_url: "http://127.0.0.1:1"}
    schedule: daily_at_09:00
  repos:
    collector: github
    config: {mode: search, query: x, token: "${env:STOMA_TEST_TOKEN}"}
"""
PLACE = "/api/scheduler/tasks"
NIGHT = {
    "id": "night",
    "name": "Papers of the night",
    "collector": "arxiv",
    "schedule": "daily_at_03:00",
    "config": {"search_query": "cat:cs.LG"},
}


@pytest.fixture
def script(monkeypatch: pytest.MonkeyPatch) -> Script:
    return install(monkeypatch)


@pytest.fixture
def scheduler(tmp_path: Path, script: Script) -> Iterator[Scheduler]:
    (tmp_path / "stoma.yaml").write_text(YAML)
    with Scheduler(load_config(tmp_path / "stoma.yaml")) as scheduler:
        yield scheduler


@pytest.fixture
def client(scheduler: Scheduler) -> Iterator[Client]:
    server = Server(scheduler, "127.0.0.1", 0)
    server.start()
    yield Client(server.port)
    server.stop()


def test_a_task_is_added_and_removed(client: Client, scheduler: Scheduler, tmp_path: Path) -> None:
    status, body = client.ask("POST", PLACE, NIGHT)
    assert (status, body) == (201, {"id": "night", "file": "tasks/night.yaml", "in_force": True})
    # At once: no waiting for it.
    found = client.get(f"{PLACE}/night")
    assert (found["schedule"], found["status"], found["next_run"][11:16]) == ("daily_at_03:00", None, "03:00")
    assert found["definition"]["config.search_query"] == "cat:cs.LG"
    assert "night" in [task["id"] for task in client.get(PLACE)["tasks"]]
    status, body = client.ask("POST", PLACE, NIGHT)
    assert status == 400
    assert "exists already, in tasks/night.yaml" in body["message"]
    assert body["hint"] == '"replace": true writes over it'
    changed = {**NIGHT, "schedule": ["hourly", "daily_at_04:30"], "priority": "high", "replace": True}
    assert client.ask("POST", PLACE, changed)[0] == 201
    assert client.get(f"{PLACE}/night")["schedule"] == "hourly, daily_at_04:30"
    # The same again is in force already.
    assert client.ask("POST", PLACE, changed)[1]["in_force"] is True
    assert client.ask("DELETE", f"{PLACE}/night") == (200, {"id": "night", "file": "tasks/night.yaml"})
    assert not (tmp_path / "tasks" / "night.yaml").exists()
    until(lambda: "night" not in scheduler.config.tasks)
    assert client.ask("DELETE", f"{PLACE}/night")[0] == 404


@pytest.mark.parametrize(
    ("sent", "told"),
    [
        ({"collector": "my_source:MyCollector"}, "names code to run, and that is declared in files only"),
        ({"collector": "os:system"}, "names code to run"),
        ({"collector": "my_source.MyCollector"}, 'the path of a class is written "my_source:MyCollector"'),
        ({"collector": "arxvi"}, 'did you mean "arxiv"?'),
        ({"config": {}}, 'config of task "night" needs "search_query" or "id_list"'),
        ({"config": {"search_query": "a", "max_result": 5}}, 'did you mean "max_results"?'),
        ({"schedule": "daily_at_25:00"}, "daily_at_25:00"),
        ({"id": "_presets"}, "cannot be the id of a task"),
        ({"id": "../stoma"}, "../stoma"),
        ({"id": "A B"}, "A B"),
        ({"name": "a\0b"}, ""),
        ({"config": {"search_query": "${env:HOME}"}}, "is a reference to a secret"),
        ({"config": {"search_query": "x", "base_url": "http://x/${file:/etc/hostname}"}}, "a reference to a secret"),
        ({"name": "${env:HOME}"}, "is a reference to a secret"),
    ],
)  # fmt: skip
def test_a_task_that_may_not_be_added(
    client: Client, tmp_path: Path, sent: dict[str, Any], told: str
) -> None:
    status, body = client.ask("POST", PLACE, {**NIGHT, **sent})
    assert status == 400
    assert told in body["message"] + body["hint"]
    assert not list(tmp_path.glob("tasks/*"))


def test_a_task_of_a_file_is_not_removed(client: Client) -> None:
    status, body = client.ask("DELETE", f"{PLACE}/papers")
    assert (status, body["message"]) == (400, 'the task "papers" is declared in stoma.yaml:4')


def test_a_preset_that_names_code_is_not_loaded(client: Client, scheduler: Scheduler, tmp_path: Path) -> None:
    (tmp_path / "presets").mkdir()
    for key, name in (("collector", "collector: my_source:Mine"), ("normalizer", "collector: arxiv")):
        more = (
            "    normalizer: my_source:Mine\n    config: {search_query: x}\n" if key == "normalizer" else ""
        )
        (tmp_path / "presets" / f"{key}.yaml").write_text(f"tasks:\n  t_{key}:\n    {name}\n{more}")
        status, body = client.ask("POST", f"/api/scheduler/presets/{key}")
        assert status == 400
        assert 'names code to run, "my_source:Mine"' in body["message"]
        assert f"load-preset --preset {key}" in body["hint"]
    assert not (tmp_path / "tasks").exists()
    assert client.ask("POST", "/api/scheduler/presets/research")[0] == 200
    until(lambda: len(scheduler.config.tasks) > 2)


def test_the_demo_changes_no_files(client: Client, scheduler: Scheduler) -> None:
    object.__setattr__(scheduler.config, "demo", True)
    for method, path, body in (
        ("POST", PLACE, NIGHT),
        ("DELETE", f"{PLACE}/papers", None),
        ("POST", "/api/scheduler/presets/research", None),
    ):
        status, told = client.ask(method, path, body)
        assert (status, told["message"]) == (409, "this is the demo: it changes no files")


def test_one_task_as_it_stands(client: Client, scheduler: Scheduler, script: Script) -> None:
    body = client.get(f"{PLACE}/repos")
    assert body["status"] == "blocked"
    assert "STOMA_TEST_TOKEN" in body["reason"]
    # The reference, not what it stands for.
    assert body["definition"]["config.token"] == "${env:STOMA_TEST_TOKEN}"
    papers = scheduler.config.tasks["papers"]
    scheduler.add_task(replace(papers, id="scripted", collector="scripted", config={"script": "s"}))
    script.before_page = lambda number, collection: number == 1 and script.hanging.wait(20)
    _, run = client.ask("POST", f"{PLACE}/scripted/run")
    until(lambda: len(script.asked) == 2)
    body = client.get(f"{PLACE}/scripted")
    assert (body["status"], body["is_unfinished"], body["cursor"]) == ("running", True, None)
    live = client.get(f"/api/runs/{run['run']}")
    assert (live["pages"], live["seen"], live["attempts"][0]["finished_at"]) == (1, 10, None)
    script.hanging.set()
    until(lambda: client.get(f"{PLACE}/scripted")["status"] == "completed")
    body = client.get(f"{PLACE}/scripted")
    assert (body["is_unfinished"], body["cursor"], body["runs"][0]["run"]) == (False, {"page": 2}, run["run"])


def test_the_configuration_in_force(client: Client, scheduler: Scheduler, tmp_path: Path) -> None:
    body = client.get("/api/config")
    assert [one["file"] for one in body["files"]] == ["stoma.yaml"]
    assert (body["generation"], body["errors"], body["restart_needed"]) == (1, [], [])
    (tmp_path / "stoma.yaml").write_text(YAML.replace("schedule:", "shedule:"))
    scheduler.rescan()
    body = client.get("/api/config")
    assert (body["errors"][0]["line"], body["generation"]) == (7, 1)
    # At once, though the status was looked up a moment ago.
    assert client.get("/api/scheduler/status")["config"]["errors"] == body["errors"]
    (tmp_path / "stoma.yaml").write_text(YAML + "api: {port: 9999}\n")
    scheduler.rescan()
    body = client.get("/api/config")
    assert (body["errors"], body["restart_needed"], body["generation"]) == ([], ["api.port"], 2)
    assert client.get("/api/scheduler/status")["config"]["restart_needed"] == ["api.port"]


def test_hosts_and_the_end_of_a_cool_down(client: Client, scheduler: Scheduler) -> None:
    now = scheduler.store.now()
    budgets = Budgets(scheduler.store.database, {}, "me", lambda seconds: None)
    budgets.cool("api.github.com", now + timedelta(hours=1), "the host asked for it")
    by_name = {host["host"]: host for host in client.get("/api/hosts")["hosts"]}
    assert by_name["api.github.com"]["waits_for"] == "cool-down"
    assert by_name["api.github.com"]["tasks"] == ["repos"]
    [only] = client.get("/api/hosts?host=API.github.com.")["hosts"]
    assert only == by_name["api.github.com"]
    assert client.get("/api/scheduler/status")["hosts"][0]["host"] == "api.github.com"
    status, body = client.ask("POST", "/api/hosts/api.github.com/reset")
    assert (status, body["reason"]) == (200, "the host asked for it")
    assert client.get("/api/scheduler/status")["hosts"] == []
    assert client.ask("POST", "/api/hosts/api.github.com/reset")[1]["was_cooling_until"] is None
    for path in ("/api/hosts?host=api.gitub.com", "/api/hosts?host=%00"):
        assert client.ask("GET", path)[0] == 404
    assert (
        'did you mean "api.github.com"?' in client.ask("POST", "/api/hosts/api.gitub.com/reset")[1]["message"]
    )


def test_nodes_tell_of_themselves(client: Client, scheduler: Scheduler) -> None:
    [node] = client.get("/api/nodes")["nodes"]
    assert (node["generation"], node["config_hash"]) == (1, scheduler.config.hash)


def test_built_in_collectors_have_names() -> None:
    # What has no colon is never the path of a class: nothing else is refused over HTTP.
    assert not any(":" in name for name in COLLECTORS)
