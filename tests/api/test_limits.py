"""Clients that hold connections, drip, send too much or do not read hold up neither ticks nor other clients.

With shorter limits than the real ones; with those it is a campaign: tests/campaigns/server.py.
"""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, suppress
from http.client import HTTPConnection
from pathlib import Path

import pytest
from loguru import logger

from stoma.api import connections, server
from stoma.api.connections import FILES_OF_THE_REST, MOST, allowed, make_room
from stoma.api.main import serve
from stoma.api.server import Server
from stoma.scheduler.config import load_config
from stoma.scheduler.manager import Scheduler
from tests.support.waiting import until

STATUS = b"GET /api/scheduler/status HTTP/1.1\r\nHost: localhost\r\n\r\n"
Connect = Callable[[], socket.socket]


@pytest.fixture(autouse=True)
def often(monkeypatch: pytest.MonkeyPatch) -> None:
    """Overdue connections are looked for without a pause."""
    monkeypatch.setattr(connections, "SWEEP_SECONDS", 0.02)


@pytest.fixture
def scheduler(tmp_path: Path) -> Iterator[Scheduler]:
    (tmp_path / "stoma.yaml").write_text(
        "version: 1\npresets: []\nscheduler: {check_interval_seconds: 0.05}\n"
    )
    with Scheduler(load_config(tmp_path / "stoma.yaml")) as scheduler:
        yield scheduler


@pytest.fixture
def running(scheduler: Scheduler) -> Iterator[Server]:
    running = Server(scheduler, "127.0.0.1", 0)
    running.start()
    yield running
    running.stop()


@pytest.fixture
def connect(running: Server) -> Iterator[Connect]:
    with ExitStack() as stack:

        def connect() -> socket.socket:
            return stack.enter_context(socket.create_connection(("127.0.0.1", running.port), timeout=10))

        yield connect


def is_closed(connection: socket.socket) -> bool:
    connection.setblocking(False)
    try:
        return connection.recv(1) == b""
    except BlockingIOError:
        return False
    except OSError:
        return True


def asked(port: int) -> float:
    """Seconds until the status was told to somebody new."""
    began = time.monotonic()
    connection = HTTPConnection("127.0.0.1", port, timeout=10)
    connection.request("GET", "/api/scheduler/status")
    answer = connection.getresponse()
    assert (answer.status, bool(answer.read())) == (200, True)
    connection.close()
    return time.monotonic() - began


def test_a_thousand_idle_connections_and_a_head_of_10_mb_hold_up_nobody(
    running: Server, scheduler: Scheduler, connect: Connect, monkeypatch: pytest.MonkeyPatch
) -> None:
    idle = [connect() for _ in range(1_000)]
    until(lambda: len(running._channels()) == 1_000)
    large = connect()
    sending = threading.Thread(target=send_head, args=(large, 10_000_000), daemon=True)
    sending.start()
    until_then, seen = time.monotonic() + 0.7, set()
    while time.monotonic() < until_then:
        assert asked(running.port) < 2
        seen.add(scheduler.last_tick)
    # Fourteen when nobody else uses the machine.
    assert len(seen) > 3
    sending.join(10)
    assert not sending.is_alive()
    # What it sent was never kept.
    assert not [one for one in running._channels() if one.request and len(one.request.header_plus) > 40_000]
    assert not any(map(is_closed, idle))
    # Nobody may hold a connection for ever by doing nothing.
    monkeypatch.setattr(connections, "IDLE_SECONDS", 0.1)
    until(lambda: len(running._channels()) < 10)


def send_head(connection: socket.socket, size: int) -> None:
    try:
        connection.sendall(b"GET / HTTP/1.1\r\nHost: localhost\r\nX: ")
        for _ in range(size // 10_000):
            connection.sendall(b"x" * 10_000)
    except OSError:
        pass


def test_who_drips_has_as_long_for_a_request_as_anybody(
    running: Server, connect: Connect, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(connections, "INCOMPLETE_SECONDS", 0.3)
    head = b"POST /api/scheduler/pause HTTP/1.1\r\nHost: localhost\r\nContent-Length: 900\r\n\r\n"
    drips = [(connect(), STATUS), (connect(), head + b"x" * 900)]
    # The head is there at once, and only the body drips.
    drips[1][0].sendall(head)
    patient = connect()
    began, at = time.monotonic(), 0
    while time.monotonic() - began < 5 and not all(is_closed(connection) for connection, _ in drips):
        for connection, text in drips:
            with suppress(OSError):
                connection.send(text[at : at + 1] if text is STATUS else b"x")
        # At most as long as the status is: whole, it would be answered.
        at = min(at + 1, len(STATUS) - 4)
        time.sleep(0.05)
    assert 0.3 < time.monotonic() - began < 4
    assert not is_closed(patient)


def test_requests_that_follow_one_another_each_have_their_time(
    running: Server, connect: Connect, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(connections, "INCOMPLETE_SECONDS", 0.4)
    connection = connect()
    began = time.monotonic()
    # Each comes with the beginning of the next one, so that there is always one that is not whole.
    connection.sendall(STATUS[:10])
    with connection.makefile("rb") as answers:
        while time.monotonic() - began < 0.9:
            connection.sendall(STATUS[10:] + STATUS[:10])
            assert answers.readline().startswith(b"HTTP/1.1 200")
            length = 0
            while line := answers.readline().strip().lower():
                length = int(line.split()[1]) if line.startswith(b"content-length:") else length
            assert len(answers.read(length)) == length > 0
            time.sleep(0.1)


def test_who_does_not_read_is_left_and_holds_no_thread(
    running: Server, scheduler: Scheduler, connect: Connect, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(connections, "STALLED_SECONDS", 0.3)
    for listener in running._listeners:
        listener.adj.outbuf_high_watermark = 50_000
        listener.adj.socket_options = [(socket.SOL_SOCKET, socket.SO_SNDBUF, 4_096)]
    # More than there are threads, each with more to read than is kept for it.
    for _ in range(6):
        connection = connect()
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4_096)
        connection.sendall(STATUS.replace(b"/api/scheduler/status", b"/static/style.css") * 40)
    until(lambda: any(one.total_outbufs_len > 0 for one in running._channels()))
    until(lambda: not running._channels(), what="the end of those who do not read")
    assert asked(running.port) < 2


def test_idle_ones_make_room_when_it_is_crowded(
    running: Server, connect: Connect, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(connections, "CROWDED_SECONDS", 0.1)
    running._sweeper._most = 10
    first = [connect() for _ in range(8)]
    until(lambda: len(running._channels()) == 8)
    time.sleep(0.3)
    assert not any(map(is_closed, first))
    last = connect()
    until(lambda: all(map(is_closed, first)))
    assert not is_closed(last)


@pytest.mark.parametrize(
    ("files", "found"), [(256, 20), (1_024, 241), (4_096, 1_265), (6_300, MOST), (1_000_000, MOST)]
)
def test_connections_fit_the_open_files(files: int, found: int) -> None:
    assert allowed(files) == found
    assert found == 20 or 3 * found + FILES_OF_THE_REST <= files


def test_the_limit_of_open_files_is_raised_as_far_as_it_goes_and_told(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    resource = pytest.importorskip("resource")
    limits, said = [(1_024, 2_048)], []
    monkeypatch.setattr(resource, "getrlimit", lambda kind: limits[-1])
    monkeypatch.setattr(resource, "setrlimit", lambda kind, wanted: limits.append(wanted))
    sink = logger.add(lambda line: said.append(str(line)), level="WARNING", format="{message}")
    assert make_room() == allowed(2_048)
    assert limits[-1] == (2_048, 2_048)
    [line] = said
    assert "at most 582 connections at once instead of 2000: this process may have 2048 files open" in line
    assert "LimitNOFILE=" in line
    limits.append((1_024, resource.RLIM_INFINITY))
    assert make_room() == MOST
    assert limits[-1][0] == 3 * MOST + FILES_OF_THE_REST
    logger.remove(sink)
    assert len(said) == 1


class Broken:
    """What no server can ask whether it is readable."""


def test_a_dead_server_answers_nobody_and_ends_the_process_for_its_supervisor(tmp_path: Path) -> None:
    (tmp_path / "stoma.yaml").write_text("version: 1\npresets: []\napi: {port: 0}\n")
    found: list[Server] = []

    def on_start(scheduler: Scheduler, running: Server | None) -> None:
        assert running is not None
        assert asked(running.port) < 5
        assert running.is_alive
        found.append(running)
        running._sockets[10**6] = Broken()
        running._listeners[0].pull_trigger()
        until(lambda: not running.is_alive)
        with pytest.raises(ConnectionRefusedError):
            socket.create_connection(("127.0.0.1", running.port), timeout=5)
        del running._sockets[10**6]

    assert serve(load_config(tmp_path / "stoma.yaml"), on_start=on_start) == 1
    assert found


def test_a_server_that_listens_no_more_is_dead(running: Server) -> None:
    assert running.is_alive
    running._listeners[0].handle_close()
    assert not running.is_alive


def test_a_dead_loop_ends_the_process_too_and_being_asked_is_no_fault(tmp_path: Path) -> None:
    (tmp_path / "stoma.yaml").write_text("version: 1\npresets: []\napi: {port: 0}\n")

    # The loop outlives every mistake; so it is told to end, as if nobody had.
    def die(scheduler: Scheduler, running: Server | None) -> None:
        scheduler._stopping.set()
        until(lambda: scheduler._loop_thread and not scheduler._loop_thread.is_alive())
        scheduler._stopping.clear()

    config = load_config(tmp_path / "stoma.yaml")
    assert serve(config, on_start=die) == 1
    assert serve(config, on_start=lambda scheduler, running: scheduler.ask_to_stop()) == 0


def test_a_name_with_several_addresses_is_served_on_each(
    scheduler: Scheduler, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = server.create_server

    def on_two(app: object, **given: object) -> object:
        given = {name: value for name, value in given.items() if name not in ("host", "port")}
        return made(app, listen="127.0.0.1:0 127.0.0.2:0", **given)

    monkeypatch.setattr(server, "create_server", on_two)
    running = Server(scheduler, "localhost", 0)
    running.start()
    assert asked(running.port) < 5
    assert running.is_alive
    running.stop()
