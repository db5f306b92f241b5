"""Bytes that no browser sends: an answer that says what is wrong, on every route, and nothing past the log."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from stoma.api.server import Server
from stoma.scheduler.config import load_config
from stoma.scheduler.manager import Scheduler

YAML = """\
version: 1
presets: []
tasks:
  papers: {name: P, collector: arxiv, config: {search_query: all, base_url: "http://127.0.0.1:1"}}
"""


@pytest.fixture(scope="module")
def port(tmp_path_factory: pytest.TempPathFactory) -> Iterator[int]:
    folder: Path = tmp_path_factory.mktemp("hostile")
    (folder / "stoma.yaml").write_text(YAML)
    with Scheduler(load_config(folder / "stoma.yaml")) as scheduler:
        server = Server(scheduler, "127.0.0.1", 0)
        server.start()
        yield server.port
        server.stop()


def ask(port: int, request: bytes) -> tuple[int, bytes]:
    with socket.create_connection(("127.0.0.1", port), timeout=10) as connection:
        connection.sendall(request)
        connection.shutdown(socket.SHUT_WR)
        answer = b"".join(iter(lambda: connection.recv(65536), b""))
    head, _, body = answer.partition(b"\r\n\r\n")
    return int(head.split(b" ")[1]), body


@pytest.mark.parametrize(
    "header", ["Cookie", "Accept", "Authorization", "If-None-Match", "Content-Type", "Origin"]
)
@pytest.mark.parametrize(
    "path", ["/health", "/", "/api/scheduler/status", "/nothing", "/metrics", "/feed.atom"]
)
def test_a_header_that_is_no_utf8_is_no_mistake(
    port: int, path: str, header: str, capsys: pytest.CaptureFixture[str]
) -> None:
    value = b"a=\xff\xfc" if header != "Authorization" else b"Bearer \xff"
    request = b"GET %s HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n%s: %s\r\n\r\n"
    status, _ = ask(port, request % (path.encode(), header.encode(), value))
    assert status == (404 if path == "/nothing" else 200)
    assert "Traceback" not in capsys.readouterr().err


def test_a_path_that_is_no_utf8_means_no_other_task(port: int) -> None:
    request = b"GET /api/scheduler/tasks/pap%ffers HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"
    status, body = ask(port, request)
    assert status == 404, body


@pytest.mark.parametrize("path", ["/pause", "/tasks/papers/run", "/tasks/papers/enable"])
@pytest.mark.parametrize(
    ("kind", "body", "status"),
    [
        ("multipart/form-data", b"x", 400),
        ("multipart/form-data; boundary=b", b"--b\r\nbroken", 400),
        ("application/x-www-form-urlencoded", b"a=" + b"x" * 200_000, 413),
        ("application/x-www-form-urlencoded", b"back=%ff", 303),
        ("application/x-www-form-urlencoded", b"\xff\xfe=1", 303),
    ],
)
def test_a_form_that_cannot_be_read_is_told(
    port: int, path: str, kind: str, body: bytes, status: int
) -> None:
    head = f"POST {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\nContent-Type: {kind}\r\n"
    found, answer = ask(port, head.encode() + b"Content-Length: %d\r\n\r\n" % len(body) + body)
    assert found == status, answer[:300]
