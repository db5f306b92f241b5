"""A source that echoes what it was asked with: no table keeps the secret, and what is kept can still be used."""

from __future__ import annotations

import json
import zlib
from base64 import b64encode
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest

from stoma import references
from stoma.scheduler.base import NewRun, Run, Task, TaskStatus, hand_trigger
from stoma.scheduler.pipeline import Control, Surroundings, execute
from stoma.scheduler.replay import replay
from stoma.stores import Store
from tests.support.server import Asked, Reply, Server

LEASE = timedelta(seconds=30)
SECRET = 's3cr3t-TOKEN/+"x'
CORE = "s3cr3t-TOKEN"


@pytest.fixture(autouse=True)
def nothing_known(monkeypatch: pytest.MonkeyPatch) -> None:
    """What these tests call a secret is none elsewhere."""
    monkeypatch.setattr(references, "_seen", {})
    monkeypatch.setattr(references, "_in_data", ())


@pytest.fixture
def echo(monkeypatch: pytest.MonkeyPatch) -> Iterator[Server]:
    """Three pages whose links and items hold the key that was sent, in several spellings."""
    monkeypatch.setenv("TOK_M2", SECRET)

    def answer(asked: Asked) -> Reply:
        page = int(asked.query.get("page", 1))
        own = f"http://127.0.0.1:{server.port}/x?page={page}&api_key={quote(SECRET, safe='')}"
        item = {
            "id": page,
            "links": {"self": own},
            "said": [f"your key is {SECRET}", own.replace("%2F", "%2f")],
        }
        following = own.replace(f"page={page}", f"page={page + 1}") if page < 3 else None
        body = json.dumps({"data": [item], "next": following}).replace("/", "\\/")
        return Reply(body=body.encode(), headers={"Content-Type": "application/json"})

    with Server(answer) as server:
        yield server


def task(server: Server) -> Task:
    return Task(
        "t",
        "T",
        "http_json",
        config={
            "url": f"{server.url}/x",
            "auth": {"query": {"name": "api_key", "value": "${env:TOK_M2}"}},
            "items": "data",
            "key": "id",
            "fields": {"url": "links.self", "said": "said"},
            "paging": {"next_url": "next"},
        },
    )


@pytest.fixture
def go(store: Store, tmp_path: Path) -> Callable[[Task], Run]:
    def go(task: Task) -> Run:
        store.runs.add(NewRun(task.id, hand_trigger(), task.priority, "0"), store.now())
        run = store.runs.claim("me", store.now(), store.now() + LEASE)
        assert run is not None
        around = Surroundings(store, tmp_path, LEASE, "me", raw=timedelta(days=9))
        ended = execute(run, task, around, Control())
        assert ended is not None
        return ended

    return go


def everything(store: Store) -> Iterator[tuple[str, str]]:
    """Every row of every table, as text; what is compressed is opened, and so is the index of words."""
    while store.search.index.take_up() is not None:
        pass
    with store.database.transaction() as tx:
        connection: Any = tx._connection  # type: ignore[attr-defined]
        listed = (
            "select name from sqlite_master where type = 'table' and name not like 'search\\_words%' escape '\\'"
            if store.dialect == "sqlite"
            else "select table_name as name from information_schema.tables where table_schema = 'public'"
            " and table_type = 'BASE TABLE'"
        )
        names = [
            row["name"] if isinstance(row, dict) else row[0] for row in connection.execute(listed).fetchall()
        ]
        if store.dialect == "sqlite":
            connection.execute("create virtual table temp.terms using fts5vocab(main, search_words, row)")
            names.append("terms")
        for name in names:
            for row in connection.execute(f'select * from "{name}"').fetchall():
                for value in row.values() if isinstance(row, dict) else row:
                    if isinstance(value, bytes):
                        value = zlib.decompress(value)
                    yield name, str(value)
        if store.dialect == "sqlite":
            connection.execute("drop table temp.terms")


def test_no_table_keeps_what_a_source_echoes(store: Store, echo: Server, go: Callable[[Task], Run]) -> None:
    run = go(task(echo))
    assert (run.status, run.seen, run.new) == (TaskStatus.COMPLETED, 3, 3)
    found = list(everything(store))
    assert {name for name, _ in found} >= {"records", "raw_pages", "raw_attempts", "runs"}
    assert [name for name, text in found if CORE in text] == []
    [row, *_] = store.records.newest()
    assert row["url"] == f"http://127.0.0.1:{echo.port}/x?page=3&api_key=***"
    assert row["attributes"]["said"][0] == "your key is ***"
    # The next run knows them again.
    assert go(task(echo)).unchanged == 3


@pytest.mark.parametrize("account", ["me:${env:TOK_M2}", "${env:TOK_M2}:", "me:written-0ut"])
def test_no_table_keeps_what_is_sent_for_a_password_in_an_address(
    store: Store, go: Callable[[Task], Run], monkeypatch: pytest.MonkeyPatch, account: str
) -> None:
    monkeypatch.setenv("TOK_M2", "s3cr3t-TOKEN.x")
    pair = account.replace("${env:TOK_M2}", "s3cr3t-TOKEN.x")
    sent = b64encode(pair.encode()).decode()

    def answer(asked: Asked) -> Reply:
        if asked.path == "/x":
            return Reply(302, b"", {"Location": "/y"})
        said = asked.headers["authorization"]
        item = {"id": 1, "said": said, "bare": said.rstrip("="), "in": {f"a {said}": [said]}}
        return Reply(body=json.dumps({"data": [item]}).encode(), headers={"Content-Type": "application/json"})

    with Server(answer) as server:
        url = server.url.replace("//", f"//{account}@")
        fields = {"said": "said", "bare": "bare", "in": "in"}
        config = {"url": f"{url}/x", "items": "data", "key": "id", "fields": fields}
        run = go(Task("t", "T", "http_json", config=config))
        assert run.new == 1, run.error
        # It was sent, also behind the redirect, or this proves nothing.
        assert [asked.headers["authorization"] for asked in server.requests] == [f"Basic {sent}"] * 2
    [row] = store.records.newest()
    assert row["attributes"]["said"] == row["attributes"]["bare"] == "Basic ***"
    assert [name for name, text in everything(store) if sent.rstrip("=")[:-2] in text] == []


def test_an_id_that_holds_a_secret_is_no_id(store: Store, echo: Server, go: Callable[[Task], Run]) -> None:
    run = go(replace(task(echo), config={**task(echo).config, "key": "links.self"}))
    assert (run.status, run.seen, run.rejected) == (TaskStatus.SUSPECT, 3, 3)
    assert "take the id from another field" in str(run.reason)
    assert [name for name, text in everything(store) if CORE in text] == []


def test_what_is_kept_without_the_secret_can_be_replayed(
    store: Store, echo: Server, go: Callable[[Task], Run], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    go(task(echo))
    for _ in range(2):
        report = replay(store, task(echo), tmp_path, store.now() - timedelta(days=1))
        assert (report.same, report.changed, report.lost, report.left_out) == (3, 0, [], [])
        # Nobody is asked, so nobody needs the secret.
        monkeypatch.delenv("TOK_M2", raising=False)


def test_an_address_or_a_short_word_by_reference_stays_in_the_data(
    store: Store, go: Callable[[Task], Run], monkeypatch: pytest.MonkeyPatch
) -> None:
    def answer(asked: Asked) -> Reply:
        item = {"id": 1, "link": f"{server.url}/x/1", "by": "ops@example.org", "topic": "python"}
        return Reply(body=json.dumps({"data": [item]}).encode(), headers={"Content-Type": "application/json"})

    with Server(answer) as server:
        monkeypatch.setenv("ADDRESS_M2", f"{server.url}/x")
        monkeypatch.setenv("TOPIC_M2", "python")
        monkeypatch.setenv("MAIL_M2", "ops@example.org")
        params = {"topic": "${env:TOPIC_M2}", "mail": "${env:MAIL_M2}"}
        config = {
            "url": "${env:ADDRESS_M2}",
            "params": params,
            "items": "data",
            "key": "id",
            "fields": {"url": "link", "topic": "topic", "by": "by"},
        }
        assert go(Task("t", "T", "http_json", config=config)).new == 1
        [row] = store.records.newest()
        assert (row["url"], row["attributes"]["topic"]) == (f"{server.url}/x/1", "python")
        assert row["attributes"]["by"] == "ops@example.org"


def test_a_key_that_is_written_out_stays_out_of_what_is_kept(
    store: Store, go: Callable[[Task], Run], tmp_path: Path
) -> None:
    body = json.dumps({"data": [{"id": 1, "name": "one"}]}).encode()
    with Server(lambda asked: Reply(body=body, headers={"Content-Type": "application/json"})) as server:
        url = f"{server.url}/x?api_key=abcdef0123456789URLKEY"
        plain = Task("t", "T", "http_json", config={"url": url, "items": "data", "key": "id"})
        assert go(plain).new == 1
    assert [name for name, text in everything(store) if "0123456789URLKEY" in text] == []
    report = replay(store, plain, tmp_path, store.now() - timedelta(days=1))
    assert (report.same, report.lost, report.left_out) == (1, [], [])


def test_a_mirror_changes_nothing_about_what_is_collected(
    store: Store, go: Callable[[Task], Run], tmp_path: Path
) -> None:
    """The demo's stand-in listens elsewhere each time."""
    body = json.dumps({"data": [{"id": 1, "name": "one"}]}).encode()
    config = {"url": "https://api.example.org/x", "items": "data", "key": "id"}
    for new in (1, 0):
        with Server(lambda asked: Reply(body=body, headers={"Content-Type": "application/json"})) as server:
            at = Task("t", "T", "http_json", config={**config, "base_url": server.url})
            assert go(at).new == new
    report = replay(store, at, tmp_path, store.now() - timedelta(days=1))
    assert (report.attempts, report.same, report.left_out) == (2, 1, [])
