"""The reference tells the truth: true answers fit the schemas that it names, to the letter."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft202012Validator

from stoma.api.openapi import FAULTS, document, is_api
from stoma.api.routes import ROUTES
from stoma.api.schemas import SCHEMAS
from stoma.api.server import Server
from stoma.auditing import entry_of, note
from stoma.records import Record, sealed
from stoma.scheduler.base import Skip, SkipReason
from stoma.scheduler.config import load_config
from stoma.scheduler.manager import Scheduler
from stoma.stores.agenda import account, standing
from stoma.stores.hosts import Budgets
from stoma.stores.outbox import Alert, save_alert
from stoma.stores.records import Prepared, save
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
    retry: {count: 0}
  repos:
    collector: github
    config: {mode: search, query: x, token: "${env:STOMA_TEST_TOKEN}"}
    schedule: {cron: "0 3 * * *", jitter: 5m, skip: [weekends]}
"""
PRESET = """\
tasks:
  quiet: {collector: arxiv, config: {search_query: x, base_url: "http://127.0.0.1:1"}}
"""
REPOSITORY = Record(
    "github",
    "1",
    "repository",
    title="A repository",
    url="https://example.org/1",
    authors=("A",),
    attributes={"full_name": "a/b"},
    measures={"stars": 10},
)
DOCUMENT = document(ROUTES, needs_token=False)


@pytest.fixture(scope="module")
def scheduler(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Scheduler]:
    """A scheduler that runs, with something of everything in its store."""
    folder = tmp_path_factory.mktemp("openapi")
    (folder / "stoma.yaml").write_text(YAML)
    (folder / "presets").mkdir()
    (folder / "presets" / "quiet.yaml").write_text(PRESET)
    with pytest.MonkeyPatch.context() as patch:
        script = install(patch)
        with Scheduler(load_config(folder / "stoma.yaml")) as scheduler:
            fill(scheduler, script)
            yield scheduler
            script.hanging.set()


def fill(scheduler: Scheduler, script: Script) -> None:
    """Runs of all fates, records with versions and measures, a skip, a host that cools down."""
    store, papers = scheduler.store, scheduler.config.tasks["papers"]
    scripted = replace(papers, id="scripted", collector="scripted", config={"script": "s"}, schedule=())
    scheduler.add_task(scripted)
    scheduler.queue(scripted)
    until(lambda: store.runs.get(1).status.is_final)
    until(lambda: store.logs.of_run(1) and not store.search.lag().records, what="its log and its words")
    now = store.now()
    later = replace(REPOSITORY, title="Another name", measures={"stars": 30})
    for record, run, moment in ((REPOSITORY, 1, now - timedelta(days=60)), (later, 2, now)):
        with store.database.transaction() as tx:
            save(tx, Prepared.of([sealed(record)]), "repos", run, moment)
    with store.database.transaction() as tx:
        agenda = store.agenda.accounted(["papers"])["papers"]
        before = standing(tx, "papers", agenda["schedule_hash"])
        assert before is not None
        skip = Skip(now - timedelta(hours=1), now - timedelta(hours=1), 1, SkipReason.PAUSED)
        account(tx, before, before.accounted_until, [], [skip], now)
        save_alert(
            tx, Alert("task papers", "suspect", now, now, now, task_id="papers", detail="saw 0 records")
        )
    Budgets(store.database, {}, "me", lambda s: None).cool("api.github.com", now + timedelta(hours=1), "busy")
    # One that goes on as long as the tests, one that waits behind it, one that failed.
    script.before_page = lambda number, collection: number == 1 and script.hanging.wait(60)
    scheduler.queue(scripted)
    scheduler.queue(scripted)
    note(store, entry_of(store, "cli", "ann", "laptop", "pause"))
    scheduler.beat()


@pytest.fixture(scope="module")
def client(scheduler: Scheduler) -> Iterator[Client]:
    server = Server(scheduler, "127.0.0.1", 0)
    server.start()
    yield Client(server.port)
    server.stop()


def strict(part: Any) -> Any:
    """A schema by which an object has no member that is not told."""
    if isinstance(part, list):
        return [strict(one) for one in part]
    if not isinstance(part, dict):
        return part
    found = {name: strict(one) for name, one in part.items()}
    if "properties" in part and part.get("type") == "object":
        found.setdefault("additionalProperties", False)
    return found


def check(name: str, body: Any) -> None:
    schema = {"$ref": f"#/components/schemas/{name}", "components": {"schemas": strict(SCHEMAS)}}
    faults = [
        f"{fault.json_path}: {fault.message}" for fault in Draft202012Validator(schema).iter_errors(body)
    ]
    assert faults == []


READ = {
    "Status": "/api/scheduler/status",
    "Tasks": "/api/scheduler/tasks",
    "TaskDetail": "/api/scheduler/tasks/scripted",
    "Why": "/api/scheduler/tasks/scripted/why",
    "Skips": "/api/scheduler/tasks/papers/skips",
    "Runs": "/api/runs?limit=1",
    "RunDetail": "/api/runs/1",
    "Log": "/api/runs/1/log",
    "Next": "/api/next",
    "Config": "/api/config",
    "Nodes": "/api/nodes",
    "Alerts": "/api/alerts",
    "Audit": "/api/audit",
    "Hosts": "/api/hosts",
    "Records": "/api/records?q=Item&limit=2",
    "Story": "/api/records/github/1",
    "Changes": "/api/changes?since=30d",
    "OpenApi": "/api/openapi.json",
}
DONE = {
    "Run": ("POST", "/api/scheduler/tasks/papers/run", None, 202),
    "Enabled": ("PUT", "/api/scheduler/tasks/papers/disable", None, 200),
    "Paused": ("POST", "/api/scheduler/resume", None, 200),
    "HostReset": ("POST", "/api/hosts/api.github.com/reset", None, 200),
    "PresetLoaded": ("POST", "/api/scheduler/presets/quiet", None, 200),
    "TaskAdded": (
        "POST",
        "/api/scheduler/tasks",
        {"id": "a", "name": "A", "collector": "arxiv", "config": {"search_query": "x"}},
        201,
    ),
    "TaskRemoved": ("DELETE", "/api/scheduler/tasks/a", None, 200),
    "Error": ("GET", "/api/runs/99", None, 404),
}


@pytest.mark.parametrize("name", READ)
def test_answers_fit(client: Client, name: str) -> None:
    body = client.get(READ[name])
    check(name, body)
    # A list that is empty would show nothing.
    empty = [key for key, value in body.items() if value == []]
    assert not set(empty) - {"notes", "after", "restart_needed", "errors", "gone", "failing"}


@pytest.mark.parametrize("name", DONE)
def test_what_commands_answer_fits(client: Client, name: str) -> None:
    method, path, sent, status = DONE[name]
    found, body = client.ask(method, path, sent)
    assert found == status, body
    check(name, body)


def test_every_route_tells_what_it_answers() -> None:
    known = {**READ, **DONE}
    for route in ROUTES:
        if is_api(route) and route.answer:
            assert route.answer in SCHEMAS
            assert route.answer in known, f"no test looks at an answer of {route.path}"
        if is_api(route):
            assert route.function.__doc__, route.path


def test_the_document_is_whole(client: Client) -> None:
    assert client.get("/api/openapi.json") == DOCUMENT
    text = str(DOCUMENT)
    for target in re.findall(r"'\$ref': '#/components/(\w+)/(\w+)'", text):
        assert target[1] in DOCUMENT["components"][target[0]]
    for name, schema in SCHEMAS.items():
        Draft202012Validator.check_schema(schema)
        assert set(schema.get("required", ())) <= set(schema.get("properties", ())), name
    operations = [told for methods in DOCUMENT["paths"].values() for told in methods.values()]
    ids = [told["operationId"] for told in operations]
    assert len(ids) == len(set(ids))
    for told in operations:
        assert told["summary"]
        assert {str(status) for status in FAULTS} <= set(told["responses"])
        names = [one["name"] for one in told["parameters"]]
        assert len(names) == len(set(names))


def test_a_token_is_asked_for_where_there_are_any() -> None:
    assert document(ROUTES, needs_token=True)["security"] == [{"token": []}]
    assert {} in DOCUMENT["security"]
    assert DOCUMENT["paths"]["/health/live"]["get"]["security"] == []


def test_the_page_tells_the_same(client: Client) -> None:
    status, page = client.ask("GET", "/api/docs")
    assert status == 200
    for path, methods in DOCUMENT["paths"].items():
        for method in methods:
            assert f"{method.upper()} {path}" in page
    for name in SCHEMAS:
        assert f'id="schema-{name}"' in page
    for target in re.findall(r'href="#([^"]+)"', page):
        assert f'id="{target}"' in page
    # Nothing from elsewhere, nothing that the policy for pages would stop.
    assert not re.search(r'(?:src|href)="(?:https?:)?//', page)
    assert not re.search(r"<style|<script(?! src)|\son\w+=|\sstyle=", page)


def test_examples_work(client: Client, scheduler: Scheduler, tmp_path: Path) -> None:
    """Each example of the page is one call that the server understands, names apart."""
    _, page = client.ask("GET", "/api/docs")
    from html import unescape

    examples = re.findall(r"<pre[^>]*>(curl.*?)</pre>", page)
    assert len(examples) == sum(len(methods) for methods in DOCUMENT["paths"].values())
    for example in map(unescape, examples):
        found = re.fullmatch(
            r"curl(?: -X (\w+))?(?: -H '[^']*' -d '([^']*)')? 'http://[^/]+(/[^']*)'", example
        )
        assert found, example
        if found[1] is None:
            status, body = client.ask("GET", found[3])
            assert status in (200, 404), (example, body)
        elif found[2]:
            status, body = client.ask(
                found[1], found[3], found[2].encode(), {"Content-Type": "application/json"}
            )
            assert status == 201, body
