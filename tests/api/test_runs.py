"""Runs and what was due, over HTTP, on real sockets and both databases."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest

from stoma.api.runs import LINGER
from stoma.api.server import Server
from stoma.scheduler.base import Run, Skip, SkipReason, TaskStatus, at_trigger
from stoma.scheduler.config import load_config
from stoma.scheduler.manager import Scheduler
from stoma.scheduler.owner import this_process
from stoma.scheduler.parts import hand_run, new_run
from stoma.stores.agenda import account, standing
from stoma.stores.logs import Line
from stoma.stores.runs import End
from tests.support.api_client import Client
from tests.support.clock import Clock
from tests.support.stores import clock as clock
from tests.support.stores import url as url

YAML = """\
version: 1
timezone: Europe/Berlin
presets: []
store: {{url: "{url}"}}
tasks:
  one: {{collector: arxiv, config: {{search_query: all}}, schedule: daily_at_15:00, timezone: UTC}}
  two: {{collector: feed, config: {{url: "https://example.org/feed"}}, schedule: hourly, enabled: false}}
"""
OWNER = str(this_process())


@pytest.fixture
def scheduler(url: str, tmp_path: Path, clock: Clock) -> Iterator[Scheduler]:
    """One that is not started: nothing happens that the test does not do. It is 2026-03-01, 12:00 UTC."""
    (tmp_path / "stoma.yaml").write_text(YAML.format(url=url))
    scheduler = Scheduler(load_config(tmp_path / "stoma.yaml"), clock=clock)
    scheduler.take_up(scheduler.store.now())
    yield scheduler
    scheduler.store.close()


@pytest.fixture
def client(scheduler: Scheduler) -> Iterator[Client]:
    server = Server(scheduler, "127.0.0.1", 0)
    server.start()
    yield Client(server.port)
    server.stop()


def ended(scheduler: Scheduler, clock: Clock, task_id: str, status: TaskStatus) -> Run:
    """A run by hand that came to its end within two seconds."""
    store = scheduler.store
    store.runs.add(hand_run(scheduler.config.tasks[task_id]), clock())
    run = store.runs.claim(OWNER, clock(), clock() + timedelta(seconds=30))
    assert run is not None
    clock.forward(seconds=2)
    found = store.runs.end(
        run, End(status, error="it broke" if status is TaskStatus.FAILED else None), clock()
    )
    assert found is not None
    return found


def test_runs_come_in_pages(client: Client, scheduler: Scheduler, clock: Clock) -> None:
    for number in range(7):
        ended(scheduler, clock, "two" if number % 2 else "one", TaskStatus.COMPLETED)
    for start in ("/api/runs", "/api/scheduler/history"):
        found, path = [], f"{start}?limit=3"
        while path:
            body = client.get(path)
            found.append([run["run"] for run in body["runs"]])
            path = f"{start}?limit=3&cursor={body['next']}" if body["next"] else ""
        assert found == [[7, 6, 5], [4, 3, 2], [1]]
    # As it was called before; and a page that is exactly full is the last.
    assert [run["run"] for run in client.get("/api/scheduler/history?before=4&limit=3")["runs"]] == [3, 2, 1]
    assert client.get("/api/runs?task=two&limit=3")["next"] is None


def test_runs_are_chosen(client: Client, scheduler: Scheduler, clock: Clock) -> None:
    ended(scheduler, clock, "one", TaskStatus.FAILED)
    clock.forward(hours=2)
    ended(scheduler, clock, "one", TaskStatus.COMPLETED)
    ended(scheduler, clock, "two", TaskStatus.FAILED)
    scheduler.store.runs.add(hand_run(scheduler.config.tasks["one"]), clock())

    def asked(query: str) -> list[int]:
        return [run["run"] for run in client.get(f"/api/runs?{query}")["runs"]]

    assert asked("status=failed") == [3, 1]
    assert asked("task=one&status=failed") == [1]
    assert asked("status=pending") == [4]
    assert asked("since=1h") == [4, 3, 2]
    # By the clock of the configuration: 15:00 in Berlin is 14:00 in UTC.
    assert asked("since=2026-03-01T15:00&status=failed") == [3]
    assert asked("since=2026-03-01T13:00") == [4, 3, 2, 1]
    assert client.get("/api/runs?since=1h&limit=2")["next"] == 3
    assert client.get("/api/runs?since=1h&limit=3")["next"] is None


def test_one_run_with_its_tries_and_its_log(client: Client, scheduler: Scheduler, clock: Clock) -> None:
    run = ended(scheduler, clock, "one", TaskStatus.FAILED)
    scheduler.store.logs.add([Line(run.id, clock(), "INFO", f"line {number}") for number in range(250)])
    body = client.get(f"/api/runs/{run.id}")
    assert (body["task"], body["status"], body["error"], body["duration_seconds"]) == (
        "one", "failed", "it broke", 2.0,
    )  # fmt: skip
    [attempt] = body["attempts"]
    assert (attempt["attempt"], attempt["status"], attempt["error"]) == (1, "failed", "it broke")
    assert attempt["node"] == this_process().described
    assert [line["message"] for line in body["log"]["lines"]] == [f"line {n}" for n in range(200)]
    rest = client.get(f"/api/runs/{run.id}/log?after={body['log']['next']}")
    assert [line["message"] for line in rest["lines"]] == [f"line {n}" for n in range(200, 250)]


def test_a_log_is_followed_to_its_end(client: Client, scheduler: Scheduler, clock: Clock) -> None:
    store = scheduler.store
    store.runs.add(hand_run(scheduler.config.tasks["one"]), clock())
    run = store.runs.claim(OWNER, clock(), clock() + timedelta(seconds=30))
    assert run is not None
    path = f"/api/runs/{run.id}/log?limit=2&after="
    # Nothing yet: it goes on from the beginning.
    first = client.get(path + "0")
    assert (first["lines"], first["next"], first["is_over"], first["status"]) == ([], 0, False, "running")
    store.logs.add([Line(run.id, clock(), "INFO", f"line {number}") for number in range(3)])
    second = client.get(f"{path}{first['next']}")
    third = client.get(f"{path}{second['next']}")
    assert [line["message"] for line in second["lines"] + third["lines"]] == ["line 0", "line 1", "line 2"]
    store.runs.end(run, End(TaskStatus.COMPLETED), clock())
    # The last lines may come a moment behind the end.
    assert client.get(f"{path}{third['next']}")["is_over"] is False
    clock.now += LINGER + timedelta(seconds=1)
    assert client.get(f"{path}{third['next']}")["is_over"] is True
    # Over, but not told to the end.
    assert client.get(path + "0")["is_over"] is False


def test_what_is_to_come(client: Client) -> None:
    body = client.get("/api/next")
    assert body["paused"] is False
    assert {one["task"] for one in body["instants"]} == {"one"}
    assert body["instants"][0]["at"] == "2026-03-01T15:00:00Z"
    assert {"task": "two", "notes": ["switched off"]} in body["tasks"]
    assert len(client.get("/api/next?task=two&days=2&limit=5")["instants"]) == 5


def test_why_there_was_no_run(client: Client, scheduler: Scheduler, clock: Clock) -> None:
    store = scheduler.store
    now, task = clock.forward(hours=5), scheduler.config.tasks["one"]
    due = now.replace(hour=15)
    reasons = {3: SkipReason.PAUSED, 2: SkipReason.DISABLED, 1: SkipReason.PAUSED}
    skips = [
        Skip(due - timedelta(days=days), due - timedelta(days=days), 1, reason)
        for days, reason in reasons.items()
    ]
    with store.database.transaction() as tx:
        before = standing(tx, "one", client_hash(scheduler))
        assert before is not None
        account(tx, before, now, [new_run(task, at_trigger(due), scheduled_for=due)], skips, now)
    [fate] = client.get("/api/scheduler/tasks/one/why")["instants"]
    assert (fate["outcome"], fate["first"], fate["runs"][0]["run"]) == ("pending", "2026-03-01T15:00:00Z", 1)
    body = client.get("/api/scheduler/tasks/one/why?date=2026-02-28")
    assert (body["zone"], body["date"]) == ("UTC", "2026-02-28")
    assert [(fate["outcome"], fate["why"]) for fate in body["instants"]] == [("skipped", "paused")]
    first = client.get("/api/scheduler/tasks/one/skips?limit=2")
    second = client.get(f"/api/scheduler/tasks/one/skips?limit=2&cursor={first['next']}")
    told = [skip["first"][:10] for skip in first["skips"] + second["skips"]]
    assert told == ["2026-02-28", "2026-02-27", "2026-02-26"]
    assert (first["skips"][0]["reason"], second["next"]) == ("paused", None)
    # Of those that ended at the same instant none is left out.
    with store.database.transaction() as tx:
        names = ("task_id", "first", "last", "count", "reason", "detail")
        tx.insert("skips", names, [("one", now, now, 1, "paused", str(number)) for number in range(3)])
    details, path = [], "/api/scheduler/tasks/one/skips?limit=1"
    following = ""
    for _ in range(3):
        page = client.get(path + following)
        details += [skip["detail"] for skip in page["skips"]]
        following = f"&cursor={page['next']}"
    assert details == ["2", "1", "0"]


def client_hash(scheduler: Scheduler) -> str:
    """As the agenda knows the schedule of the task."""
    found: str = scheduler.store.agenda.accounted(["one"])["one"]["schedule_hash"]
    return found


def test_a_task_that_is_gone_has_left_its_runs(client: Client, scheduler: Scheduler, clock: Clock) -> None:
    run = ended(scheduler, clock, "one", TaskStatus.COMPLETED)
    scheduler.store.runs.add(hand_run(scheduler.config.tasks["two"]), clock())
    with scheduler.store.database.transaction() as tx:
        tx.execute("run_settle", id=2, status="cancelled", reason="x", error=None, now=clock())
    tasks = dict(scheduler.config.tasks)
    del tasks["one"]
    object.__setattr__(scheduler.config, "tasks", tasks)
    assert client.get("/api/runs?task=one")["runs"][0]["run"] == run.id
    assert "declared no more" in client.get("/api/scheduler/tasks/one/why")["notes"][0]
    assert client.get("/api/scheduler/tasks/one/skips") == {"skips": [], "next": None}
    assert client.ask("GET", "/api/scheduler/tasks/one")[0] == 404


@pytest.mark.parametrize(
    ("path", "status"),
    [
        ("/api/runs?task=nope", 404), ("/api/runs?status=great", 400), ("/api/runs?since=soon", 400),
        ("/api/runs?cursor=0", 400), ("/api/runs?cursor=5&before=5", 400), ("/api/runs?limit=1001", 400),
        ("/api/runs?task=%00", 404), ("/api/runs/99", 404), ("/api/runs/x", 404), ("/api/runs/-1", 404),
        ("/api/runs/%D9%A3", 404), ("/api/runs/" + "9" * 18, 404), ("/api/runs/" + "9" * 40, 404),
        ("/api/runs/99/log", 404), ("/api/runs/1/log?after=-1", 400), ("/api/runs/1/log?limit=0", 400),
        ("/api/next?task=nope", 404), ("/api/next?days=0", 400), ("/api/next?days=4000", 400),
        ("/api/scheduler/tasks/nope", 404), ("/api/scheduler/tasks/nope/why", 404),
        ("/api/scheduler/tasks/nope/skips", 404), ("/api/scheduler/tasks/%00/why", 404),
        ("/api/scheduler/tasks/one/why?date=soon", 400), ("/api/scheduler/tasks/one/why?date=0001-01-01", 400),
        ("/api/scheduler/tasks/one/skips?cursor=x", 400), ("/api/runs/1/log?limit=2001", 400),
        ("/api/scheduler/tasks/one/skips?cursor=2026-03-01T15:00:00Z", 400),
        ("/api/scheduler/tasks/one/skips?cursor=9999-12-31T23:59:59-14:00/1", 400),
    ],
)  # fmt: skip
def test_what_cannot_be_answered_is_said_in_one_form(client: Client, path: str, status: int) -> None:
    found, body = client.ask("GET", path)
    assert found == status, body
    assert set(body) == {"error", "message", "hint"}
    assert body["message"]
