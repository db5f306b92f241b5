"""The control server over real sockets."""

from __future__ import annotations

import json
import socket
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from http.client import HTTPConnection
from pathlib import Path
from typing import Any

import pytest

from stoma.api.server import Server
from stoma.errors import ConfigError
from stoma.records import Record, sealed
from stoma.scheduler import manager
from stoma.scheduler.base import Task
from stoma.scheduler.config import load_config
from stoma.scheduler.manager import Scheduler
from stoma.stores.records import Prepared, save
from tests.support.scripted import Script, install
from tests.support.waiting import until

YAML = """\
version: 1
presets: []
tasks:
  papers:
    name: "<b>Papers</b> & more"
    collector: arxiv
    config: {search_query: all, base_url: "http://127.0.0.1:1"}
    schedule: daily_at_09:00
  repos:
    collector: github
    config: {mode: search, query: x, token: "${env:STOMA_TEST_TOKEN}"}
    schedule: daily
"""


class Client:
    def __init__(self, port: int) -> None:
        self.port = port

    def ask(self, method: str, path: str, **headers: str) -> tuple[int, Any, dict[str, str]]:
        connection = HTTPConnection("127.0.0.1", self.port, timeout=10)
        connection.request(method, path, headers={name.replace("_", "-"): v for name, v in headers.items()})
        answer = connection.getresponse()
        body, found = answer.read(), {name.lower(): value for name, value in answer.getheaders()}
        connection.close()
        is_json = found.get("content-type", "").startswith("application/json")
        return answer.status, json.loads(body) if is_json else body.decode(), found


@pytest.fixture
def script(monkeypatch: pytest.MonkeyPatch) -> Script:
    return install(monkeypatch)


@pytest.fixture
def scheduler(script: Script, tmp_path: Path) -> Iterator[Scheduler]:
    (tmp_path / "stoma.yaml").write_text(YAML)
    scheduler = Scheduler(load_config(tmp_path / "stoma.yaml"))
    scheduler.add_task(Task("scripted", "S", "scripted", config={"script": "s"}))
    with scheduler:
        yield scheduler


@pytest.fixture
def client(scheduler: Scheduler) -> Iterator[Client]:
    server = Server(scheduler, "127.0.0.1", 0)
    server.start()
    yield Client(server.port)
    server.stop()


def test_tasks_are_listed_as_promised(client: Client) -> None:
    status, body, _ = client.ask("GET", "/api/scheduler/tasks")
    assert status == 200
    by_id = {task["id"]: task for task in body["tasks"]}
    assert set(by_id) == {"papers", "repos", "scripted"}
    wanted = {
        "id",
        "name",
        "collector",
        "schedule",
        "priority",
        "enabled",
        "status",
        "next_run",
        "last_run",
        "origin",
    }
    assert wanted <= set(by_id["papers"])
    assert by_id["papers"]["next_run"].endswith("T09:00:00Z")
    assert by_id["papers"]["origin"].startswith("stoma.yaml:4")
    assert (by_id["repos"]["status"], by_id["repos"]["next_run"]) == ("blocked", None)


def test_a_run_is_started_and_seen_in_the_history(client: Client, scheduler: Scheduler) -> None:
    status, run, _ = client.ask("POST", "/api/scheduler/tasks/scripted/run")
    assert (status, run["status"]) == (202, "pending")
    until(lambda: scheduler.store.runs.get(run["run"]).status.is_final)
    _, history, _ = client.ask("GET", "/api/scheduler/history?task=scripted&status=completed&limit=5")
    assert [entry["run"] for entry in history["runs"]] == [run["run"]]
    assert history["next"] is None
    _, overview, _ = client.ask("GET", "/api/scheduler/status")
    assert (overview["running"], overview["records"]) == (True, {"entry": 30})
    assert overview["config"]["generation"] == 1


def test_tasks_are_switched(client: Client, scheduler: Scheduler) -> None:
    assert client.ask("PUT", "/api/scheduler/tasks/papers/disable")[1] == {"id": "papers", "enabled": False}
    assert scheduler.task("papers").enabled is False
    assert client.ask("PUT", "/api/scheduler/tasks/papers/enable")[1] == {"id": "papers", "enabled": True}
    assert scheduler.task("papers").enabled is True


def test_a_preset_is_loaded_for_good(client: Client, scheduler: Scheduler, tmp_path: Path) -> None:
    status, body, _ = client.ask("POST", "/api/scheduler/presets/research")
    assert status == 200
    assert body["added"]
    until(lambda: body["added"][0] in scheduler.config.tasks)
    assert "research" in (tmp_path / "tasks" / "_presets.yaml").read_text()


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("POST", "/api/scheduler/tasks/nope/run", 404),
        ("PUT", "/api/scheduler/tasks/..%2f..%2fetc/enable", 404),
        ("PUT", "/api/scheduler/tasks/%00/disable", 404),
        ("POST", "/api/scheduler/presets/nope", 404),
        ("POST", "/api/scheduler/presets/..%2fstoma", 404),
        ("POST", "/api/scheduler/presets/%2e%2e", 404),
        ("GET", "/api/scheduler/history?limit=0", 400),
        ("GET", "/api/scheduler/history?limit=x", 400),
        ("GET", "/api/scheduler/history?limit=99999999999999999999999", 400),
        ("GET", "/api/scheduler/history?status=great", 400),
        ("GET", "/api/scheduler/history?before=-1", 400),
        ("GET", "/api/scheduler/history?task=nope", 404),
        ("GET", "/nothing/here", 404),
        ("GET", "/api/scheduler/tasks/papers/run", 405),
        ("DELETE", "/", 405),
    ],
)
def test_what_cannot_be_answered_is_said_in_one_form(
    client: Client, method: str, path: str, status: int
) -> None:
    found, body, headers = client.ask(method, path)
    assert found == status
    assert set(body) == {"error", "message", "hint"}
    assert body["message"]
    assert headers["content-type"] == "application/json; charset=utf-8"
    assert "Traceback" not in str(body)


def test_a_blocked_task_is_not_run(client: Client) -> None:
    status, body, _ = client.ask("POST", "/api/scheduler/tasks/repos/run")
    assert status == 409
    assert "STOMA_TEST_TOKEN" in body["message"]


def test_browsers_of_other_sites_are_kept_out(client: Client, scheduler: Scheduler) -> None:
    path = "/api/scheduler/tasks/papers/disable"
    assert client.ask("PUT", path, Origin="https://evil.example")[0] == 403
    assert client.ask("PUT", path, Host="evil.example")[0] == 421
    assert scheduler.task("papers").enabled is True


def test_answers_tell_browsers_to_be_careful(client: Client) -> None:
    for path in ("/", "/style.css", "/api/scheduler/status", "/nothing"):
        headers = client.ask("GET", path)[2]
        assert headers["x-content-type-options"] == "nosniff"
        assert "default-src 'none'" in headers["content-security-policy"]


def test_health(client: Client, scheduler: Scheduler, monkeypatch: pytest.MonkeyPatch) -> None:
    assert client.ask("GET", "/health/live")[0] == 200
    assert client.ask("GET", "/health/ready")[0] == 200
    # A loop that has not turned for half a minute is as good as dead.
    monkeypatch.setattr(manager, "monotonic", lambda: time.monotonic() + 31)
    scheduler._stopping.set()
    until(lambda: not scheduler._loop_thread.is_alive())
    assert client.ask("GET", "/health/live")[0] == 503
    assert client.ask("GET", "/health/ready")[0] == 503
    scheduler._stopping.clear()


def test_a_loop_that_stands_still_is_not_ready(
    client: Client, scheduler: Scheduler, monkeypatch: pytest.MonkeyPatch
) -> None:
    stands, gate = threading.Event(), threading.Event()

    def stand() -> None:
        stands.set()
        gate.wait(20)

    monkeypatch.setattr(scheduler, "turn", stand)
    scheduler._wake.set()
    assert stands.wait(10)
    try:
        monkeypatch.setattr(manager, "monotonic", lambda: time.monotonic() + 31)
        status, body, _ = client.ask("GET", "/health/ready")
        assert (status, body["reason"]) == (503, "the scheduler does not tick: its loop stands still")
    finally:
        gate.set()


def test_a_dead_store_is_not_ready(client: Client, scheduler: Scheduler) -> None:
    scheduler.store.database.close()
    status, body, _ = client.ask("GET", "/health/ready")
    assert (status, body["ready"]) == (503, False)
    assert client.ask("GET", "/api/scheduler/status")[0] == 503


def test_the_page_shows_strangers_data_harmless(client: Client, scheduler: Scheduler) -> None:
    bad = Record("arxiv", "1", "paper", title="<script>alert(1)</script>", url="javascript:alert(1)")
    good = replace(bad, external_id="2", title="A real one", url="https://example.org/?a=1&b=2")
    with scheduler.store.database.transaction() as tx:
        save(tx, Prepared.of([sealed(bad), sealed(good)]), "papers", 1, scheduler.store.now())
    status, page, headers = client.ask("GET", "/")
    assert status == 200
    assert headers["content-type"].startswith("text/html")
    assert "<script>" not in page
    assert "javascript:" not in page
    assert 'href="/records/arxiv/2"' in page
    assert "&lt;b&gt;Papers&lt;/b&gt; &amp; more" in client.ask("GET", "/tasks")[1]
    assert client.ask("GET", "/static/style.css")[0] == 200


def test_the_page_shows_a_broken_file(client: Client, scheduler: Scheduler, tmp_path: Path) -> None:
    (tmp_path / "stoma.yaml").write_text(YAML.replace("schedule: daily\n", "shedule: daily\n"))
    scheduler.rescan()
    page = client.ask("GET", "/")[1]
    assert "stoma.yaml:12" in page
    assert "shedule" in page
    _, overview, _ = client.ask("GET", "/api/scheduler/status")
    assert overview["config"]["errors"][0]["line"] == 12


def test_another_address_needs_a_token(scheduler: Scheduler) -> None:
    with pytest.raises(ConfigError, match="there is no token"):
        Server(scheduler, "0.0.0.0", 0)
    server = Server(scheduler, "0.0.0.0", 0, ["a-token"])
    server.start()
    client = Client(server.port)
    assert client.ask("GET", "/api/scheduler/status")[0] == 401
    assert client.ask("GET", "/health/live")[0] == 200
    assert client.ask("GET", "/api/scheduler/status", Authorization="Bearer a-token")[0] == 200
    server.stop()


def test_a_port_in_use_is_told(scheduler: Scheduler) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        with pytest.raises(ConfigError, match="cannot listen") as caught:
            Server(scheduler, "127.0.0.1", taken.getsockname()[1])
        assert "--port" in caught.value.hint


@pytest.mark.parametrize(
    "query", ["limit=00000000000000000001000000", "before=" + "9" * 30, "task=%00", "task=a%20b"]
)
def test_odd_queries_are_refused_and_not_tripped_over(client: Client, query: str) -> None:
    assert client.ask("GET", f"/api/scheduler/history?{query}")[0] in (400, 404)


def test_presets_loaded_at_once_are_all_loaded(client: Client, tmp_path: Path) -> None:
    names = ["research", "business", "development"]
    with ThreadPoolExecutor(3) as pool:
        found = list(pool.map(lambda name: client.ask("POST", f"/api/scheduler/presets/{name}")[0], names))
    assert found == [200, 200, 200]
    text = (tmp_path / "tasks" / "_presets.yaml").read_text()
    assert all(name in text for name in names)


def test_a_mistake_of_ours_is_told_to_the_log_alone(
    client: Client, scheduler: Scheduler, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken() -> None:
        raise ZeroDivisionError("hunter22")

    for path in ("/api/scheduler/status", "/"):
        with monkeypatch.context() as patch:
            patch.setattr(scheduler.store.records, "count_by_kind", broken)
            status, body, _ = client.ask("GET", path)
        assert status == 500
        assert path == "/" or set(body) == {"error", "message", "hint"}
        assert "the request could not be answered" in str(body).lower()
        assert "hunter22" not in str(body)


def test_runs_are_cancelled_and_begun_again(client: Client, scheduler: Scheduler, script: Script) -> None:
    script.before_page = lambda number, collection: number == 1 and script.hanging.wait(20)
    _, run, _ = client.ask("POST", "/api/scheduler/tasks/scripted/run")
    until(lambda: len(script.asked) == 2)
    status, body, _ = client.ask("POST", f"/api/scheduler/runs/{run['run']}/cancel")
    assert (status, body["status"]) == (202, "running")
    script.hanging.set()
    until(lambda: scheduler.store.runs.get(run["run"]).status.is_final)
    assert client.ask("POST", f"/api/scheduler/runs/{run['run']}/cancel")[0] == 400
    status, body, _ = client.ask("POST", f"/api/scheduler/runs/{run['run']}/retry")
    assert (status, body["status"]) == (202, "pending")
    until(lambda: scheduler.store.runs.get(run["run"]).status == "completed")
    for path in ("99/cancel", "99/retry", "x/cancel", "9" * 40 + "/retry"):
        assert client.ask("POST", f"/api/scheduler/runs/{path}")[0] == 404


def test_everything_is_paused_and_goes_on(client: Client, scheduler: Scheduler) -> None:
    assert client.ask("POST", "/api/scheduler/pause")[1] == {"paused": True}
    assert client.ask("GET", "/api/scheduler/status")[1]["paused_since"]
    _, run, _ = client.ask("POST", "/api/scheduler/tasks/scripted/run")
    assert client.ask("POST", "/api/scheduler/resume")[1] == {"paused": False}
    until(lambda: scheduler.store.runs.get(run["run"]).status == "completed")
    assert client.ask("GET", "/api/scheduler/status")[1]["paused_since"] is None
