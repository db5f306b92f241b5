"""Hostile clients against a real `stoma-run`, with its real limits: ticks go on, and others are answered.

    python -m tests.campaigns.server --seconds 60

First nobody disturbs, then all at once: a thousand connections that say nothing, twenty that drip a byte every three
seconds, heads of 10 MB without a pause, clients that do not read, and guesses of a token. Meanwhile somebody asks for
the status, and the ticks are counted. Each connection that lets the server wait has to be closed after its time.
"""

from __future__ import annotations

import argparse
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from http.client import HTTPConnection
from pathlib import Path
from tempfile import TemporaryDirectory

from stoma.api.connections import IDLE_SECONDS, INCOMPLETE_SECONDS
from tests.campaigns.numbered import ENVIRONMENT
from tests.support.waiting import until

TOKEN = "a-token-for-the-campaign"
YAML = """\
version: 1
presets: []
scheduler: {check_interval_seconds: 0.2}
api: {port: 0, tokens: ["${env:CAMPAIGN_TOKEN}"]}
"""
DRIP_SECONDS = 3.0
TICKS = "stoma_tick_seconds_count"


@dataclass
class Seen:
    """What was measured in one part: seconds until the status came, and ticks a second."""

    took: list[float] = field(default_factory=list)
    ticks: float = 0.0

    def percentile(self, share: float) -> float:
        """In milliseconds."""
        return 1_000 * sorted(self.took)[min(len(self.took) - 1, int(share * len(self.took)))]

    def __str__(self) -> str:
        return (
            f"{len(self.took)} answers, p50 {self.percentile(0.5):.0f} ms, p99 {self.percentile(0.99):.0f} ms,"
            f" longest {self.percentile(1):.0f} ms, {self.ticks:.1f} ticks/s"
        )


class Hostile:
    """The clients, each on a thread of its own until `over` is set."""

    def __init__(self, port: int) -> None:
        self.port, self.over = port, threading.Event()
        self.cut: list[float] = []
        self.faults: list[str] = []
        self._threads: list[threading.Thread] = []

    def start(self, work: Callable[[], None], number: int = 1) -> None:
        for _ in range(number):
            thread = threading.Thread(target=self._again, args=(work,), daemon=True)
            self._threads.append(thread)
            thread.start()

    def end(self) -> None:
        self.over.set()
        for thread in self._threads:
            thread.join(15)

    def _again(self, work: Callable[[], None]) -> None:
        while not self.over.is_set():
            with suppress(OSError):
                work()

    def _connected(self) -> socket.socket:
        return socket.create_connection(("127.0.0.1", self.port), timeout=10)

    def idle(self, number: int = 100) -> None:
        """Many that say nothing until they are closed."""
        found = [self._connected() for _ in range(number)]
        began = time.monotonic()
        for one in found:
            one.settimeout(0.05)
        while found and not self.over.wait(1):
            found = [one for one in found if not _is_closed(one)]
            if time.monotonic() - began > IDLE_SECONDS + 10:
                self.faults.append("one that says nothing is not closed")
                break
        for one in found:
            one.close()

    def drip(self) -> None:
        """A byte of a request every few seconds."""
        began = time.monotonic()
        with self._connected() as one:
            while not self.over.wait(DRIP_SECONDS):
                one.sendall(b"G" if time.monotonic() - began < DRIP_SECONDS + 1 else b"E")
                if _is_closed(one):
                    break
            took = time.monotonic() - began
        if not self.over.is_set():
            self.cut.append(took)

    def large(self) -> None:
        """A head of 10 MB."""
        with self._connected() as one:
            one.sendall(b"GET / HTTP/1.1\r\nHost: localhost\r\nX: ")
            for _ in range(1_000):
                one.sendall(b"x" * 10_000)
        self.over.wait(0.1)

    def unread(self) -> None:
        """Many requests whose answers nobody reads."""
        with self._connected() as one:
            one.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4_096)
            one.settimeout(5)
            one.sendall(b"GET /static/style.css HTTP/1.1\r\nHost: localhost\r\n\r\n" * 200)
            self.over.wait(5)

    def guess(self) -> None:
        """A wrong token; from another address of this machine, so that nobody else has to wait."""
        connection = HTTPConnection("127.0.0.1", self.port, timeout=10, source_address=("127.0.0.9", 0))
        token = f"guess-{time.monotonic_ns()}"
        connection.request("GET", "/api/runs", headers={"Authorization": f"Bearer {token}"})
        if connection.getresponse().status not in (401, 429):
            self.faults.append("a guess was let in")
        connection.close()
        self.over.wait(0.05)


def _is_closed(connection: socket.socket) -> bool:
    connection.settimeout(0.01)
    try:
        return connection.recv(1) == b""
    except TimeoutError:
        return False
    except OSError:
        return True


def told(port: int, path: str) -> str:
    """An answer to somebody with the token."""
    connection = HTTPConnection("127.0.0.1", port, timeout=20)
    connection.request("GET", path, headers={"Authorization": f"Bearer {TOKEN}"})
    answer = connection.getresponse()
    text = answer.read().decode()
    connection.close()
    assert answer.status == 200, (path, answer.status, text)
    return text


def ticks(port: int) -> float:
    """How many there have been."""
    lines = told(port, "/metrics").splitlines()
    return float(next(line for line in lines if line.startswith(TICKS)).split()[1])


def measure(port: int, seconds: float) -> Seen:
    """Ask for the status ten times a second."""
    seen, began, before = Seen(), time.monotonic(), ticks(port)
    while time.monotonic() - began < seconds:
        at = time.monotonic()
        told(port, "/api/scheduler/status")
        seen.took.append(time.monotonic() - at)
        time.sleep(max(0.0, 0.1 - seen.took[-1]))
    seen.ticks = (ticks(port) - before) / (time.monotonic() - began)
    return seen


def run(seconds: float, idle: int = 1_000) -> bool:
    """The whole campaign; True where nothing was held up."""
    with TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "stoma.yaml").write_text(YAML)
        said = folder / "said"
        with said.open("wb") as out:
            process = subprocess.Popen(
                [sys.executable, "-m", "stoma.cli.run"],
                cwd=folder,
                env={**os.environ, **ENVIRONMENT, "CAMPAIGN_TOKEN": TOKEN},
                stdout=out,
                stderr=subprocess.STDOUT,
            )
        try:
            until(lambda: "stop:" in said.read_text(), 30, "the start of stoma-run")
            [address] = [word for word in said.read_text().split() if word.startswith("http://")]
            return _campaign(int(address.rstrip("/").rpartition(":")[2]), seconds, idle)
        finally:
            process.send_signal(signal.SIGTERM)
            code = process.wait(20)
            text = said.read_text()
            print(f"stoma-run ended with {code}")
            if code or "Traceback" in text or "CRITICAL" in text:
                print(text[-3_000:])


def _campaign(port: int, seconds: float, idle: int) -> bool:
    alone = measure(port, min(10.0, seconds / 4))
    print(f"alone:     {alone}")
    hostile = Hostile(port)
    hostile.start(hostile.idle, idle // 100)
    hostile.start(hostile.drip, 20)
    hostile.start(hostile.large, 2)
    hostile.start(hostile.unread, 2)
    hostile.start(hostile.guess, 2)
    time.sleep(2)
    beset = measure(port, seconds)
    hostile.end()
    print(f"disturbed: {beset}")
    if hostile.cut:
        print(
            f"{len(hostile.cut)} that drip were cut after {min(hostile.cut):.1f} to {max(hostile.cut):.1f} s"
        )
    # A byte arrives after the cut before it is noticed here.
    late = [took for took in hostile.cut if took > INCOMPLETE_SECONDS + 3 * DRIP_SECONDS + 5]
    if seconds > INCOMPLETE_SECONDS + 4 * DRIP_SECONDS and (not hostile.cut or late):
        hostile.faults.append(f"of those that drip {len(hostile.cut)} were cut, {len(late)} too late")
    if beset.ticks < 0.8 * alone.ticks:
        hostile.faults.append("ticks were held up")
    if beset.percentile(0.99) > 2_000:
        hostile.faults.append("others were held up")
    for fault in sorted(set(hostile.faults)):
        print(f"FAULT: {fault}")
    return not hostile.faults


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--seconds", type=float, default=60)
    parser.add_argument("--idle", type=int, default=1_000)
    given = parser.parse_args()
    sys.exit(0 if run(given.seconds, given.idle) else 1)


if __name__ == "__main__":
    main()
