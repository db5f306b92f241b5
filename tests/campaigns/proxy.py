"""A TCP proxy on loopback between Stoma and PostgreSQL that cuts a connection in the middle of a `COPY`.

    with Proxy(port) as proxy:
        proxy.arm("cut", after=12_345)     # bytes of CopyData on one connection, from now on
        proxy.struck.wait(20)

`cut` resets both sides; `lost` the client's side alone, the server learns of it some seconds later; `silent` forwards
nothing for some seconds and then resets both sides.
"""

from __future__ import annotations

import contextlib
import socket
import struct
import threading
import time
from dataclasses import dataclass, field

KINDS = ("cut", "lost", "silent")
HALF_OPEN = 4.0
"""Seconds for which a side does not learn that the other one is gone."""

_RESET = struct.pack("ii", 1, 0)


@dataclass
class Copied:
    """Follows the messages that a client sends, and counts the bytes of its CopyData ("d")."""

    count: int = 0
    _buffer: bytearray = field(default_factory=bytearray)
    _is_started: bool = False
    # What is left of the message under way, and whether it is CopyData.
    _left: int = 0
    _is_data: bool = False

    def feed(self, data: bytes) -> None:
        """Take up what was sent."""
        self._buffer += data
        while self._buffer:
            if self._left:
                part = min(self._left, len(self._buffer))
                self.count += part * self._is_data
                self._left -= part
                del self._buffer[:part]
                continue
            # Until the start-up message has been sent, messages have no letter.
            head = 5 if self._is_started else 4
            if len(self._buffer) < (head if self._is_started else 8):
                return
            [length] = struct.unpack_from("!i", self._buffer, head - 4)
            if self._is_started:
                self._is_data = self._buffer[0] == ord("d")
            else:
                [code] = struct.unpack_from("!i", self._buffer, 4)
                # Asking for encryption is no start: 3.0 is.
                self._is_started = code == 3 << 16
            self._left = length - 4
            del self._buffer[:head]


class Proxy:
    """Listens on `port`, forwards to the server's."""

    def __init__(self, server: int) -> None:
        self._server = server
        self._listener = socket.create_server(("127.0.0.1", 0), backlog=64)
        self.port: int = self._listener.getsockname()[1]
        self.struck = threading.Event()
        self._armed: tuple[str, int] | None = None
        self._lock = threading.Lock()
        threading.Thread(target=self._accept, daemon=True).start()

    def arm(self, kind: str, after: int) -> None:
        """Strike the first connection on which so many bytes of CopyData come from now on."""
        self.struck.clear()
        with self._lock:
            self._armed = (kind, after)

    def close(self) -> None:
        """Take no more connections."""
        self._listener.close()

    def __enter__(self) -> Proxy:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _accept(self) -> None:
        while True:
            try:
                client, _ = self._listener.accept()
            except OSError:
                return
            try:
                server = socket.create_connection(("127.0.0.1", self._server), timeout=5)
            except OSError:
                _reset(client)
                continue
            server.settimeout(None)
            threading.Thread(target=self._forward, args=(client, server), daemon=True).start()
            threading.Thread(target=_pump, args=(server, client), daemon=True).start()

    def _forward(self, client: socket.socket, server: socket.socket) -> None:
        """From the client to the server, message by message; strikes where it is armed."""
        copied, before, armed = Copied(), 0, None
        with contextlib.suppress(OSError):
            while data := client.recv(4096):
                with self._lock:
                    if self._armed is not armed:
                        armed, before = self._armed, copied.count
                copied.feed(data)
                if armed is not None and copied.count - before > armed[1] and self._take(armed):
                    # A part of it still arrives: the server is left in the middle of a message.
                    server.sendall(data[: len(data) // 2])
                    return _strike(armed[0], client, server)
                server.sendall(data)
        _reset(server)
        return None

    def _take(self, armed: tuple[str, int]) -> bool:
        with self._lock:
            if self._armed is not armed:
                return False
            self._armed = None
        self.struck.set()
        return True


def _strike(kind: str, client: socket.socket, server: socket.socket) -> None:
    if kind == "silent":
        time.sleep(HALF_OPEN)
    _reset(client)
    if kind == "lost":
        time.sleep(HALF_OPEN)
    _reset(server)


def _pump(here: socket.socket, there: socket.socket) -> None:
    with contextlib.suppress(OSError):
        while data := here.recv(65536):
            there.sendall(data)
    _reset(there)


def _reset(sock: socket.socket) -> None:
    """Close with a reset, so that the other side learns of it at once."""
    with contextlib.suppress(OSError):
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)
        # Another thread may be reading from it: closing alone would not wake that one.
        sock.shutdown(socket.SHUT_RD)
    with contextlib.suppress(OSError):
        sock.close()
