"""What the files on disk would change about what is in force."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from stoma import collectors
from stoma.hosts import HostRule
from stoma.references import remember
from stoma.scheduler.base import Dependency, Retry, Schedule, Task
from stoma.scheduler.marks import fingerprint
from stoma.scheduler.plan import Edit, Known, definition, edits, plan, settings_of
from stoma.scheduler.settings import Api, Config

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
NINE, TEN = (datetime(2026, 3, 2, hour, tzinfo=UTC) for hour in (9, 10))


def task(task_id: str = "t", query: str = "cat:cs.LG", **more: Any) -> Task:
    given = {"config": {"search_query": query, "max_results": 5}, "schedule": (Schedule("daily_at_09:00"),)}
    return Task(task_id, "T", "arxiv", **{**given, "origin": "stoma.yaml:3", **more})


def config(*tasks: Task, **more: Any) -> Config:
    return Config(base=Path("/somewhere"), tasks={task.id: task for task in tasks}, **more)


def mark(of: Task) -> str:
    return fingerprint(of, collectors.make(of.collector))


def test_the_same_files_change_nothing() -> None:
    moved = config(task(origin="tasks/t.yaml:9"))
    assert plan(config(task()), moved, Known(), NOW).is_empty


def test_a_changed_task_is_told_key_by_key() -> None:
    new = task(
        query="cat:cs.AI",
        schedule=(Schedule("daily_at_10:00"), Schedule("weekly", timezone="Europe/Berlin")),
        retry=Retry(count=1, first=timedelta(minutes=2)),
        after=(Dependency("a"), Dependency("b", "failed")),
        when="hour > 3",
        enabled=False,
    )
    assert edits(task(), new) == [
        Edit("config.search_query", "cat:cs.LG", "cat:cs.AI"),
        Edit("schedule", "daily_at_09:00", "daily_at_10:00, weekly Europe/Berlin"),
        Edit("retry.count", "3", "1"),
        Edit("retry.first", "30s", "2m"),
        Edit("after", None, "a, b (failed)"),
        Edit("when", None, "hour > 3"),
        Edit("enabled", "true", "false"),
    ]
    without = task(config={"search_query": "cat:cs.LG", "sort_by": "submittedDate"})
    assert edits(task(), without) == [
        Edit("config.max_results", "5", None),
        Edit("config.sort_by", None, "submittedDate"),
    ]


def test_tasks_that_come_and_go() -> None:
    found = plan(
        config(task("old"), task("same")), config(task("same"), task("new")), Known(waiting={"old": 2}), NOW
    )
    new, old = found.tasks
    assert (new.task_id, new.what, new.next_before, new.next_after) == ("new", "added", None, NINE)
    assert (old.task_id, old.what, old.next_before, old.next_after) == ("old", "removed", NINE, None)
    assert old.cancelled_runs == 2
    assert new.as_dict()["next_after"] == "2026-03-02T09:00:00Z"


def test_next_runs_before_and_after() -> None:
    later = task(schedule=(Schedule("daily_at_10:00"),))
    [found] = plan(config(task()), config(later), Known(), NOW).tasks
    assert (found.next_before, found.next_after) == (NINE, TEN)
    [found] = plan(config(task()), config(replace(later, enabled=False)), Known(), NOW).tasks
    assert (found.next_before, found.next_after) == (NINE, None)
    [found] = plan(config(task()), config(later), Known(overrides={"t": False}), NOW).tasks
    assert (found.next_before, found.next_after) == (None, None)


def test_a_cursor_of_another_query_starts_anew() -> None:
    old, new = config(task()), config(task(query="cat:cs.AI"))
    cursors = {"t": {"fingerprint": mark(task())}}
    [found] = plan(old, new, Known(cursors=cursors), NOW).tasks
    assert "its cursor belongs to another query" in str(found.starts_anew)
    [found] = plan(old, new, Known(progress=cursors), NOW).tasks
    assert "unfinished collection" in str(found.starts_anew)
    [found] = plan(old, new, Known(), NOW).tasks
    assert found.starts_anew is None
    [found] = plan(old, config(task(query="cat:cs.AI", keep_cursor=True)), Known(cursors=cursors), NOW).tasks
    assert found.starts_anew is None
    # A page token belongs to the query that gave it, whatever becomes of the cursor.
    known = Known(cursors=cursors, progress=cursors)
    [found] = plan(old, config(task(query="cat:cs.AI", keep_cursor=True)), known, NOW).tasks
    assert "unfinished collection" in str(found.starts_anew)
    # What is not part of the query keeps the cursor.
    [found] = plan(old, config(task(timeout=timedelta(hours=1))), Known(cursors=cursors), NOW).tasks
    assert found.starts_anew is None
    # A task that comes back finds its old cursor.
    [found] = plan(config(), new, Known(cursors=cursors), NOW).tasks
    assert found.what == "added"
    assert found.starts_anew is not None


def test_a_task_that_cannot_run_says_why() -> None:
    [found] = plan(
        None, config(replace(task(), collector="later")), Known(cursors={"t": {"fingerprint": "x"}}), NOW
    ).tasks
    assert "later" in str(found.blocked)
    assert found.starts_anew is None


def test_settings_and_which_of_them_need_a_restart() -> None:
    rule = HostRule(timedelta(seconds=2), 1)
    old = config(hosts={"export.arxiv.org": replace(rule, gap=timedelta(milliseconds=500))})
    new = config(store_url="sqlite:///b.db", api=Api(port=9), hosts={"export.arxiv.org": rule}, contact="me")
    found = plan(old, new, Known(), NOW)
    assert found.settings == (
        Edit("store.url", "sqlite:///stoma.db", "sqlite:///b.db"),
        Edit("api.port", "8000", "9"),
        Edit("hosts.export.arxiv.org.gap", "0.5s", "2s"),
        Edit("identity.contact", None, "me"),
    )
    assert found.restart == ("store.url", "api.port")
    # Where nothing is in force there is nothing to restart.
    assert plan(None, new, Known(), NOW).settings == ()


@pytest.mark.parametrize("secret", ["hunter55"])
def test_secrets_are_not_told(secret: str) -> None:
    remember("resolved66", "${env:TOKEN}")
    new = config(
        task(
            config={"base_url": f"http://me:{secret}@host/x", "list": [f"http://me:{secret}@h", "resolved66"]}
        ),
        store_url=f"postgresql://me:{secret}@host/db",
        api=Api(tokens=("${env:STOMA_TOKEN}", secret)),
        contact="${env:STOMA_CONTACT}",
    )
    told = str(plan(config(task()), new, Known(), NOW).as_dict())
    assert secret not in told
    assert "resolved66" not in told
    assert "${env:STOMA_TOKEN}, ****" in told
    assert "${env:STOMA_CONTACT}" in told
    assert secret not in str(settings_of(new))
    # That it is another one is told all the same.
    other = config(new.tasks["t"], store_url=f"postgresql://me:{secret[::-1]}@host/db")
    assert "store.url" in [edit.key for edit in plan(new, other, Known(), NOW).settings]


@pytest.mark.parametrize(
    ("key", "text", "told"),
    [
        ("headers.X-Auth-Key", "lit-3", "****"), ("headers.Ocp-Apim-Subscription-Key", "lit-4", "****"),
        ("headers.Authorization", "Bearer lit-${env:X}", "Bearer ****${env:X}"),
        ("headers.Authorization", "Bearer ${env:X}", "Bearer ${env:X}"),
        ("headers.Authorization", "Bearer lit", "****"), ("headers.Cookie", "a=${env:X}; b=lit", "****${env:X}****"),
        ("headers.Accept", "text/plain", "text/plain"), ("params.key", "lit-5", "****"), ("params.appid", "7", "****"),
        ("params.topic", "python", "python"), ("body.accessToken", "lit", "****"), ("auth.bearer", "lit", "****"),
        ("auth.header.value", "lit", "****"), ("auth.header.name", "X-Any", "X-Any"), ("key", "id", "id"),
        ("fields.token", "data.token", "data.token"), ("token", "${env:T}", "${env:T}"), ("api_key", "lit", "****"),
        ("url", "https://h/x?key=lit&sig=${env:S}&a=b", "https://h/x?key=****&sig=${env:S}&a=b"),
        ("url", "https://h/x?a=${env:S}&api_key=a${env:K}", "https://h/x?a=${env:S}&api_key=****${env:K}"),
        ("url", "https://ghp_x@h/f", "https://****@h/f"), ("url", "https://${env:T}@h/f", "https://${env:T}@h/f"),
        ("url", "https://a-${env:T}@h/f", "https://****${env:T}@h/f"), ("url", "https://tok:@h/f", "https://****:@h/f"),
        ("url", "https://tok:x-oauth-basic@h/f", "https://****:x-oauth-basic@h/f"),
        ("url", "http://me:${env:S}@h/u", "http://me:${env:S}@h/u"), ("url", "http://me:lit@h/u", "http://me:****@h/u"),
        ("url", "http://me:lit-${env:S}@h/u", "http://me:****${env:S}@h/u"), ("url", "https://h/@me", "https://h/@me"),
    ],
)  # fmt: skip
def test_what_is_written_out_in_a_secret_place_is_starred(key: str, text: str, told: str) -> None:
    config: dict[str, Any] = {}
    *path, name = key.split(".")
    inner = config
    for step in path:
        inner = inner.setdefault(step, {})
    inner[name] = text
    assert definition(Task("t", "T", "http_json", config=config))[f"config.{key}"] == told
