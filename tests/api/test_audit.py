"""Every request that would change something is noted: who, what, from where, and what became of it."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from stoma.api.audit import CHANGES, MOST_REFUSED, READING, REST_SECONDS, Requests, outcome_of, what
from stoma.api.routes import ROUTES
from stoma.api.server import Server
from stoma.scheduler.config import load_config
from stoma.scheduler.manager import Scheduler
from stoma.stores import Store, open_store
from tests.support.api_client import Client

TOKEN = "a-token-nobody-guesses"
YAML = """\
version: 1
presets: []
api: {tokens: ["${env:STOMA_AUDIT_TOKEN}"]}
tasks:
  papers:
    collector: arxiv
    config: {search_query: all, base_url: "http://127.0.0.1:1"}
    schedule: daily_at_09:00
"""
NEW = {
    "id": "mine",
    "name": "Mine",
    "collector": "github",
    "schedule": "daily",
    "config": {"mode": "search", "query": "x", "token": "typed-by-hand"},
}
BEARER = {"Authorization": f"Bearer {TOKEN}"}
PAUSE = ("POST", "/api/scheduler/pause")


@pytest.fixture
def scheduler(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Scheduler]:
    monkeypatch.setenv("STOMA_AUDIT_TOKEN", TOKEN)
    (tmp_path / "stoma.yaml").write_text(YAML)
    with Scheduler(load_config(tmp_path / "stoma.yaml")) as scheduler:
        yield scheduler


@pytest.fixture
def client(scheduler: Scheduler) -> Iterator[Client]:
    server = Server(scheduler, "127.0.0.1", 0)
    server.start()
    yield Client(server.port)
    server.stop()


def entries(client: Client, behind: str = "") -> list[dict[str, Any]]:
    status, body = client.ask("GET", f"/api/audit{behind}", headers=BEARER)
    assert status == 200, body
    return list(body["entries"])


def told(entry: dict[str, Any]) -> tuple[Any, ...]:
    return tuple(entry[name] for name in ("who", "address", "action", "target", "outcome", "status"))


def test_every_route_that_changes_something_has_a_word() -> None:
    for route in ROUTES:
        found = what(route.method, route.path)
        assert (found is None) == (route.method in READING), f"{route.method} {route.path}: see CHANGES"
    known = [(route.method, route.path) for route in ROUTES]
    for method, path in CHANGES:
        assert any((m == method and what(method, p) == what(method, path.replace("*", p.split("/")[-1])))
                   or (what(method, p) and p.count("/") == path.count("/")) for m, p in known)  # fmt: skip


def test_done_refused_and_failed(client: Client) -> None:
    ways = [
        (*PAUSE, BEARER, 200),
        ("PUT", "/api/scheduler/tasks/papers/disable", BEARER, 200),
        ("PUT", "/api/scheduler/tasks/nobody/enable", BEARER, 404),
        (*PAUSE, {}, 401),
        (*PAUSE, {"Authorization": "Bearer wrong"}, 401),
        (*PAUSE, {**BEARER, "Sec-Fetch-Site": "cross-site"}, 403),
        (*PAUSE, {**BEARER, "Host": "elsewhere.example"}, 421),
        # Neither changes anything.
        ("GET", "/api/scheduler/status", BEARER, 200),
        ("POST", "/api/nothing", BEARER, 404),
    ]
    for method, path, headers, status in ways:
        assert client.ask(method, path, headers=headers)[0] == status
    found = entries(client)
    me, here = "env:STOMA_AUDIT_TOKEN", "127.0.0.1"
    assert [told(entry) for entry in reversed(found)] == [
        (me, here, "pause", "", "done", 200),
        (me, here, "disable-task", "papers", "done", 200),
        (me, here, "enable-task", "nobody", "failed", 404),
        ("anyone", here, "pause", "", "refused", 401),
        ("anyone", here, "pause", "", "refused", 401),
        (me, here, "pause", "", "refused", 403),
        ("anyone", here, "pause", "", "refused", 421),
    ]
    assert {entry["via"] for entry in found} == {"http"}
    assert found[4]["circumstances"]["path"] == "/api/scheduler/tasks/nobody/enable"
    assert "nobody" in found[4]["circumstances"]["why"]
    assert entries(client, "?outcome=failed") == found[4:5]
    assert entries(client, "?since=1h&limit=2") == found[:2]
    assert entries(client, f"?limit=2&cursor={found[1]['id']}") == found[2:4]
    assert client.ask("GET", "/api/audit", headers={})[0] == 401


def test_what_was_sent_is_kept_without_secrets(client: Client, scheduler: Scheduler) -> None:
    assert client.ask("POST", "/api/scheduler/tasks", NEW, BEARER)[0] == 400  # not by reference
    assert client.ask("POST", f"/api/scheduler/presets/{TOKEN}%1b%5b2J%00", headers=BEARER)[0] == 404
    preset, added = entries(client)
    assert told(added)[2:] == ("add-task", "mine", "failed", 400)
    assert added["circumstances"]["sent"] == {
        **NEW,
        "config": {"mode": "search", "query": "x", "token": "***"},
    }
    assert preset["target"].startswith("${env:STOMA_AUDIT_TOKEN}")
    assert preset["target"].isprintable()
    text = json.dumps([entry.as_dict() for entry in scheduler.store.audit.latest()])
    assert TOKEN not in text
    assert "typed-by-hand" not in text


def test_signing_in_and_out_and_what_a_session_does(client: Client) -> None:
    form = {"Content-Type": "application/x-www-form-urlencoded", "Origin": f"http://127.0.0.1:{client.port}"}
    assert client.ask("POST", "/sign-in", b"token=wrong-token-here", form)[0] == 401
    cookie = signed_in(client, form)
    assert client.ask("POST", "/pause", b"", {**form, "Cookie": cookie})[0] == 303
    assert client.ask("POST", "/sign-out", b"", {**form, "Cookie": cookie})[0] == 303
    session = "session of env:STOMA_AUDIT_TOKEN"
    found = entries(client)
    assert [(entry["who"], entry["action"], entry["outcome"]) for entry in reversed(found)] == [
        ("anyone", "sign-in", "refused"),
        ("env:STOMA_AUDIT_TOKEN", "sign-in", "done"),
        (session, "pause", "done"),
        (session, "sign-out", "done"),
    ]
    assert "wrong-token-here" not in json.dumps(found)


def signed_in(client: Client, headers: dict[str, str]) -> str:
    from http.client import HTTPConnection

    connection = HTTPConnection("127.0.0.1", client.port, timeout=20)
    connection.request("POST", "/sign-in", f"token={TOKEN}", headers)
    answer = connection.getresponse()
    assert answer.status == 303
    connection.close()
    return (answer.getheader("Set-Cookie") or "").partition(";")[0]


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    with open_store("sqlite:///a.db", tmp_path) as store:
        yield store


def test_whoever_may_do_nothing_does_not_fill_the_disk(store: Store) -> None:
    now = 600.0
    audit = Requests(lambda: store, lambda: now)
    threads = [
        threading.Thread(target=lambda: [audit.note("anyone", "::1", *PAUSE, 401) for _ in range(100)])
        for _ in range(4)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(store.audit.latest(limit=1000)) == MOST_REFUSED
    # Who may is noted all the same.
    audit.note("env:A", "::1", *PAUSE, 200)
    assert len(store.audit.latest(limit=1000)) == MOST_REFUSED + 1
    now += 60
    audit.note("anyone", "::1", *PAUSE, 401)
    [last] = store.audit.latest(limit=1)
    assert last.circumstances["left_out_before"] == 400 - MOST_REFUSED


def test_a_store_that_is_away_is_not_asked_again_at_once_for_what_was_refused(store: Store) -> None:
    now, asked = 600.0, []

    class Away:
        @property
        def audit(self) -> Any:
            asked.append(now)
            from stoma.errors import StoreError

            raise StoreError("away")

        def now(self) -> Any:
            return store.now()

    audit = Requests(lambda: Away(), lambda: now)  # type: ignore[return-value, arg-type]
    for _ in range(3):
        audit.note("anyone", "::1", *PAUSE, 401)
    assert len(asked) == 1
    audit.note("env:A", "::1", *PAUSE, 200)
    assert len(asked) == 2
    now += REST_SECONDS
    audit.note("anyone", "::1", *PAUSE, 401)
    assert len(asked) == 3


@pytest.mark.parametrize(
    ("status", "outcome"),
    [(200, "done"), (303, "done"), (400, "failed"), (401, "refused"), (403, "refused"), (404, "failed"),
     (421, "refused"), (429, "refused"), (503, "failed")],
)  # fmt: skip
def test_the_outcome_is_told_by_the_status(status: int, outcome: str) -> None:
    assert outcome_of(status) == outcome
