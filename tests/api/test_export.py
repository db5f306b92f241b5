"""`GET /api/export` over real sockets."""

from __future__ import annotations

import csv
import io
import json
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from http.client import HTTPConnection, HTTPMessage, IncompleteRead
from pathlib import Path
from typing import Any

import pytest

from stoma.api import export as exports
from stoma.api.server import Server
from stoma.errors import StoreUnavailable
from stoma.export import Export
from stoma.log import logger
from stoma.scheduler.config import load_config
from stoma.scheduler.manager import Scheduler
from stoma.stores.extracts import Extract
from tests.support.exports import every_kind, plain, put
from tests.support.waiting import until

TOKEN = "a-token-for-tests"


@pytest.fixture
def scheduler(tmp_path: Path) -> Iterator[Scheduler]:
    (tmp_path / "stoma.yaml").write_text("version: 1\npresets: []\ntimezone: Europe/Berlin\n")
    with Scheduler(load_config(tmp_path / "stoma.yaml")) as scheduler:
        put(scheduler.store, every_kind())
        yield scheduler


@pytest.fixture
def server(scheduler: Scheduler) -> Iterator[Server]:
    server = Server(scheduler, "127.0.0.1", 0, [TOKEN])
    server.start()
    yield server
    server.stop()


@dataclass(frozen=True)
class Answer:
    status: int
    headers: HTTPMessage
    body: bytes

    @property
    def told(self) -> Any:
        return json.loads(self.body)

    @property
    def kinds(self) -> list[str]:
        return [json.loads(line)["kind"] for line in self.body.splitlines()]


def ask(
    server: Server,
    parameters: str = "",
    *,
    path: str = "/api/export",
    method: str = "GET",
    token: str = TOKEN,
) -> Answer:
    with closing(HTTPConnection("127.0.0.1", server.port, timeout=10)) as connection:
        connection.request(method, path + parameters, headers={"Authorization": f"Bearer {token}"})
        answer = connection.getresponse()
        return Answer(answer.status, answer.headers, answer.read())


def places() -> int:
    """How many exports could be sent beside those that are."""
    return exports._places._value


def test_json_lines_and_csv(server: Server) -> None:
    answer = ask(server)
    assert (answer.status, answer.headers["Transfer-Encoding"]) == (200, "chunked")
    assert answer.headers["Content-Type"] == "application/x-ndjson; charset=utf-8"
    assert answer.headers["Content-Disposition"] == 'attachment; filename="records.jsonl"'
    assert answer.headers["X-Content-Type-Options"] == "nosniff"
    assert (len(answer.kinds), answer.kinds[:2]) == (9, ["paper", "paper"])
    answer = ask(server, "?format=csv&view=papers")
    names, *rows = csv.reader(io.StringIO(answer.body.decode(), newline=""))
    assert answer.headers["Content-Disposition"] == 'attachment; filename="papers.csv"'
    assert (names[:2], len(rows)) == (["id", "arxiv_id"], 2)
    assert places() == exports.MOST_AT_ONCE


def test_a_selection(server: Server, scheduler: Scheduler) -> None:
    assert ask(server, "?kind=entry").kinds == ["entry"]
    assert ask(server, "?source=github&task=t&since=1h").kinds == ["repository", "repository"]
    assert ask(server, "?task=other").status == 404
    assert ask(server, "?until=2026-01-01T00:00%2B01:00").kinds == []
    put(scheduler.store, plain(1, url="=cmd()"))
    while scheduler.store.search.index.take_up() is not None:
        pass
    answer = ask(server, "?kind=papers")
    assert (answer.status, answer.body) == (200, b"")
    assert answer.headers["Stoma-Hint"] == 'there is no record of a kind "papers"; did you mean "paper"?'
    answer = ask(server, "?query=doe")
    assert answer.headers["Stoma-Hint"] is None
    assert sorted(answer.kinds) == ["filing", "transaction"]
    assert answer.headers["Stoma-Not-Indexed"] is None
    assert b",'=cmd()," in ask(server, "?kind=item&format=csv&safe_for_spreadsheets=true").body


@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        ("?format=xml", '"xml" is not a format'),
        ("?format=parquet", "over HTTP there is no parquet, only jsonl or csv"),
        ("?knd=paper", 'there is no parameter "knd"; did you mean "kind"?'),
        ("?since=lately", '"lately" is not a moment'),
        ("?view=paper", '"paper" is not a view; did you mean "papers"?'),
        ("?view=papers&kind=entry", "shows records of kind paper"),
        ("?words=doe", 'there is no parameter "words"'),
        ("?query=", "query: nothing is given"),
        ("?kind=paper&kind=entry", "kind: it is given more than once"),
        ("?view=papers&source=lab", "shows records of arxiv, not lab"),
        ("?query=-only", "only what must not be there"),
        ("?safe_for_spreadsheets=yes&format=csv", 'found "yes", expected true or false'),
    ],
)
def test_what_cannot_be_is_said_and_gives_its_place_back(
    server: Server, parameters: str, message: str
) -> None:
    answer = ask(server, parameters)
    assert (answer.status, set(answer.told)) == (400, {"error", "message", "hint"})
    assert message in answer.told["message"]
    assert places() == exports.MOST_AT_ONCE


def test_it_is_guarded_like_all_else(server: Server) -> None:
    assert ask(server, token="wrong").status == 401
    answer = ask(server, method="HEAD")
    assert (answer.status, answer.body) == (200, b"")
    assert ask(server, method="POST").status == 405
    until(lambda: places() == exports.MOST_AT_ONCE)


def test_what_a_query_cannot_find_yet_is_counted(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Export, "not_indexed", 9)
    assert ask(server, "?query=doe").headers["Stoma-Not-Indexed"] == "9"


def test_a_client_that_does_not_read_holds_up_no_end(scheduler: Scheduler) -> None:
    put(scheduler.store, plain(300, summary="x" * 100_000))
    server = Server(scheduler, "127.0.0.1", 0, [TOKEN])
    server.start()
    with slow_client(server):
        assert places() == exports.MOST_AT_ONCE - 1
        began = time.monotonic()
        server.stop()
        assert time.monotonic() - began < 4
    until(lambda: places() == exports.MOST_AT_ONCE)


def test_a_client_that_leaves_ends_its_export(server: Server, scheduler: Scheduler) -> None:
    # More than the server keeps for a client that does not read.
    put(scheduler.store, plain(500, summary="x" * 100_000))
    clients = [slow_client(server) for _ in range(exports.MOST_AT_ONCE)]
    until(lambda: places() == 0)
    # The next one is told to wait, and everything else is answered.
    answer = ask(server)
    assert (answer.status, answer.told["message"]) == (503, "2 exports are being sent already")
    assert ask(server, path="/health/live").status == 200
    for client in clients:
        client.close()
    until(lambda: places() == exports.MOST_AT_ONCE)
    assert len(ask(server, "?kind=paper").kinds) == 2


def slow_client(server: Server) -> socket.socket:
    client = socket.create_connection(("127.0.0.1", server.port), timeout=10)
    client.sendall(
        f"GET /api/export HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {TOKEN}\r\n\r\n".encode()
    )
    assert client.recv(100).startswith(b"HTTP/1.1 200")
    return client


def test_a_store_that_fails_is_never_taken_for_the_end(
    server: Server, scheduler: Scheduler, monkeypatch: pytest.MonkeyPatch
) -> None:
    put(scheduler.store, plain(200))
    read, broken = Extract._fetched, threading.Event()

    def fetched(self: Extract, ids: list[int]) -> Any:
        if broken.is_set() or ids[0] > 100:
            raise StoreUnavailable("the disk is gone")
        return read(self, ids)

    monkeypatch.setattr(Extract, "_fetched", fetched)
    said: list[str] = []
    sink = logger.add(said.append, level="INFO", format="{message}")
    with pytest.raises(IncompleteRead):
        ask(server)
    broken.set()
    answer = ask(server)
    logger.remove(sink)
    assert (answer.status, answer.told["message"]) == (503, "the disk is gone")
    assert said == ["an export over HTTP ended early: the disk is gone\n"]
    until(lambda: places() == exports.MOST_AT_ONCE)
