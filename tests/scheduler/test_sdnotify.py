"""What a supervisor is told, over real sockets."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from stoma.errors import Problem, StoreUnavailable
from stoma.scheduler.base import Task
from stoma.scheduler.config import load_config
from stoma.scheduler.manager import Scheduler, sentence
from stoma.scheduler.sdnotify import Supervisor
from tests.support.scripted import install
from tests.support.waiting import until

YAML = """\
version: 1
presets: []
api: {port: 0}
tasks:
  papers: {collector: arxiv, config: {search_query: all, base_url: "http://127.0.0.1:1"}, schedule: daily}
"""


class Listener:
    """The supervisor's end: a datagram socket, and what came."""

    def __init__(self, address: str) -> None:
        self.address = address
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self._socket.bind("\0" + address[1:] if address.startswith("@") else address)
        self.lines: list[str] = []
        threading.Thread(target=self._read, daemon=True).start()

    def _read(self) -> None:
        while True:
            try:
                said = self._socket.recv(65536).decode()
            except OSError:
                return
            self.lines += said.split("\n")

    def close(self) -> None:
        # Closed alone it would still wait.
        self._socket.shutdown(socket.SHUT_RDWR)
        self._socket.close()


@pytest.fixture(params=["path", "abstract"])
def address(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    return str(tmp_path / "notify") if request.param == "path" else f"@stoma-test-{os.getpid()}-{id(request)}"


@pytest.fixture
def listener(address: str) -> Iterator[Listener]:
    listener = Listener(address)
    yield listener
    listener.close()


def test_what_is_said(listener: Listener) -> None:
    supervisor = Supervisor(listener.address)
    supervisor.reloaded()  # before it is ready nothing can be reloaded
    supervisor.status("2 tasks,\n none\x1b running")
    supervisor.status("2 tasks,\n none\x1b running")
    supervisor.alive()
    supervisor.ready()
    supervisor.reloaded()
    supervisor.stopping()
    until(lambda: "STATUS=stopping" in listener.lines)
    said = [line for line in listener.lines if not line.startswith("MONOTONIC_USEC=")]
    # Nobody asked for a watchdog.
    assert said == [
        "STATUS=2 tasks, none\N{REPLACEMENT CHARACTER} running", "READY=1", "RELOADING=1", "READY=1", "STOPPING=1",
        "STATUS=stopping",
    ]  # fmt: skip
    assert sum(line.startswith("MONOTONIC_USEC=") for line in listener.lines) == 1


def test_the_environment_names_it_and_is_left_without() -> None:
    environment = {
        "NOTIFY_SOCKET": "@x",
        "WATCHDOG_USEC": "8000000",
        "WATCHDOG_PID": str(os.getpid()),
        "A": "1",
    }
    supervisor = Supervisor.of(environment)
    assert environment == {"A": "1"}
    assert supervisor.within(15) == 2
    assert Supervisor.of({}).within(15) == 15


@pytest.mark.parametrize(
    "environment",
    [
        {"WATCHDOG_USEC": "8000000"},
        {"NOTIFY_SOCKET": "@x", "WATCHDOG_USEC": "8000000", "WATCHDOG_PID": "1"},
        {"NOTIFY_SOCKET": "@x", "WATCHDOG_USEC": "0"},
        {"NOTIFY_SOCKET": "@x", "WATCHDOG_USEC": "soon"},
        {"NOTIFY_SOCKET": "vsock:2:1", "WATCHDOG_USEC": "8000000"},
    ],
)
def test_a_watchdog_is_fed_only_where_it_waits_for_this_process(environment: dict[str, str]) -> None:
    assert Supervisor.of(environment).within(15) == 15


@pytest.mark.parametrize("address", ["/nowhere/at/all", "/" + "x" * 300, "@nobody-listens-here"])
def test_a_supervisor_that_is_gone_is_no_fault(address: str) -> None:
    supervisor = Supervisor(address, 1)
    supervisor.ready()
    supervisor.alive()


def test_one_that_does_not_read_holds_nothing_up(tmp_path: Path) -> None:
    deaf = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    deaf.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1)
    deaf.bind(str(tmp_path / "deaf"))
    supervisor = Supervisor(str(tmp_path / "deaf"))
    full = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    full.setblocking(False)
    with pytest.raises(BlockingIOError):
        while True:
            full.sendto(b"x", str(tmp_path / "deaf"))
    began = time.monotonic()
    supervisor.ready()
    assert time.monotonic() - began < 2
    deaf.close()
    full.close()


@pytest.mark.parametrize("address", ["@stoma-test-loop"], indirect=False)
def test_a_loop_that_hangs_feeds_no_watchdog(
    address: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    install(monkeypatch)
    listener = Listener(f"{address}-{os.getpid()}")
    (tmp_path / "stoma.yaml").write_text(YAML)
    scheduler = Scheduler(load_config(tmp_path / "stoma.yaml"))
    scheduler.add_task(Task("scripted", "S", "scripted", config={"script": "s"}))
    scheduler.supervisor = Supervisor(listener.address, 0.4)
    hangs, gate = threading.Event(), threading.Event()
    turn = scheduler.turn

    def hang() -> None:
        hangs.set()
        gate.wait(20)
        turn()

    def fed() -> int:
        return listener.lines.count("WATCHDOG=1")

    with scheduler:
        # The loop would rest for a second; a watchdog that wants to hear sooner is heard.
        until(lambda: fed() >= 3)
        monkeypatch.setattr(scheduler, "turn", hang)
        assert hangs.wait(10)
        before = fed()
        time.sleep(0.6)  # longer than the watchdog waits
        assert fed() == before
        # A store that is away is not a loop that hangs.
        monkeypatch.setattr(scheduler, "turn", lambda: (_ for _ in ()).throw(StoreUnavailable("away")))
        gate.set()
        until(lambda: fed() >= before + 2)
        until(lambda: "STATUS=the store failed: away" in listener.lines)
    listener.close()


def test_the_sentence() -> None:
    assert sentence(1, 0, [], paused=False) == "1 task, none running"
    assert sentence(12, 2, [], paused=True) == "12 tasks, 2 running, paused"
    broken = Problem("unknown key", file="stoma.yaml", line=3, column=5)
    assert sentence(12, 2, [broken], paused=False).startswith("a file is broken, all goes on as before")
    assert "stoma.yaml:3:5" in sentence(12, 2, [broken], paused=False)


@pytest.mark.parametrize("module", ["stoma.cli.run", "stoma.scheduler.manager"])
def test_a_real_process_tells_its_life(module: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    listener = Listener(str(tmp_path / "notify"))
    config = tmp_path / "stoma.yaml"
    config.write_text(YAML)
    monkeypatch.setenv("NOTIFY_SOCKET", listener.address)
    monkeypatch.setenv("WATCHDOG_USEC", "2000000")
    process = subprocess.Popen(
        [sys.executable, "-m", module, "--config", str(config)],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
    )
    try:
        until(lambda: "READY=1" in listener.lines, 20)
        assert "STATUS=1 task, none running" in listener.lines
        until(lambda: "WATCHDOG=1" in listener.lines)
        config.write_text(YAML.replace("schedule: daily", "schedule: hourly"))
        until(lambda: "RELOADING=1" in listener.lines)
        config.write_text(YAML.replace("schedule: daily", "shedule: hourly"))
        until(lambda: any("a file is broken" in line for line in listener.lines))
        # A rejected edit is not taken up.
        assert listener.lines.count("RELOADING=1") == 1
        process.send_signal(signal.SIGTERM)
        _, said = process.communicate(timeout=15)
        assert process.returncode == 0, said
        until(lambda: "STOPPING=1" in listener.lines)
        assert listener.lines.index("READY=1") < listener.lines.index("STOPPING=1")
    finally:
        process.kill()
        process.communicate()
        listener.close()
