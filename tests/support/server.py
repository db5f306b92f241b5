"""A small HTTP server on loopback that can misbehave in every way a source does; it counts what it is asked.

    with Server(lambda request: Reply(body=b"hello")) as server:
        requests.get(server.url)

Written on plain sockets, because a proper HTTP server would not let an answer be cut, reset or dripped.
"""

from __future__ import annotations

import socket
import ssl
import struct
import threading
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import BinaryIO, Self
from urllib.parse import parse_qsl, urlsplit


@dataclass(frozen=True)
class Asked:
    """One request as it arrived: its number, from 1, and the number of its connection."""

    number: int
    connection: int
    at: float
    path: str
    query: dict[str, str]
    headers: dict[str, str]
    body: bytes = b""
    method: str = "GET"


@dataclass(frozen=True)
class Reply:
    """One answer, and what goes wrong with it."""

    status: int = 200
    body: bytes = b""
    headers: Mapping[str, str] = field(default_factory=dict)
    chunked: bool = False
    # Only so many bytes of the body are sent, then the connection ends.
    cut: int | None = None
    # The connection is reset: before the answer, or where the body is cut.
    reset: bool = False
    # Nothing is sent, and the connection stays open.
    hang: bool = False
    # Closed without a byte.
    drop: bool = False
    # Seconds between two bytes of the body, or of the head.
    drip: float = 0.0
    drip_head: float = 0.0
    # Seconds before the answer begins.
    delay: float = 0.0
    # Sent instead of everything else.
    raw: bytes | None = None


Handler = Callable[[Asked], Reply]


class Server:
    """Answers with `handler` from the moment it is made until it is closed."""

    def __init__(self, handler: Handler, *, port: int = 0, tls: ssl.SSLContext | None = None) -> None:
        self.handler = handler
        self.requests: list[Asked] = []
        self.connections = 0
        self.closing = threading.Event()
        self._tls = tls
        self._lock = threading.Lock()
        self._open: set[socket.socket] = set()
        self._threads: list[threading.Thread] = []
        self._listener = socket.create_server(("127.0.0.1", port), backlog=64)
        self.port = self._listener.getsockname()[1]
        self.url = f"{'https' if tls else 'http'}://127.0.0.1:{self.port}"
        self._start(self._accept)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Stop at once, whatever is under way."""
        self.closing.set()
        with self._lock:
            _shut(self._listener)
            for sock in self._open:
                _shut(sock)
        self._listener.close()
        for thread in self._threads:
            thread.join(5)

    def _start(self, work: Callable[..., None], *arguments: object) -> None:
        thread = threading.Thread(target=work, args=arguments, daemon=True)
        with self._lock:
            self._threads = [one for one in self._threads if one.is_alive() or one.ident is None] + [thread]
        thread.start()

    def _accept(self) -> None:
        while not self.closing.is_set():
            try:
                sock, _ = self._listener.accept()
            except OSError:
                return
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            with self._lock:
                self.connections += 1
                number = self.connections
                self._open.add(sock)
            self._start(self._serve, sock, number)

    def _serve(self, sock: socket.socket, connection: int) -> None:
        plain = sock
        try:
            if self._tls:
                sock = self._tls.wrap_socket(sock, server_side=True)
                with self._lock:
                    self._open.discard(plain)
                    self._open.add(sock)
            elif sock.recv(1, socket.MSG_PEEK) == b"\x16":  # the hello of TLS
                sock.sendall(b"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n")
                return
            with sock.makefile("rb") as lines:
                while (asked := self._read(lines, connection)) and self._send(sock, self.handler(asked)):
                    pass
        except (OSError, ValueError):
            pass  # the client went away, or the server is closing
        finally:
            with self._lock:
                self._open.discard(sock)
            sock.close()

    def _read(self, lines: BinaryIO, connection: int) -> Asked | None:
        line = lines.readline().decode("latin-1")
        if not line.strip():
            return None
        method, target = line.split(" ")[:2]
        headers = {}
        while (line := lines.readline().decode("latin-1").strip()) != "":
            name, _, value = line.partition(":")
            headers[name.strip().lower()] = value.strip()
        body = lines.read(int(headers.get("content-length", 0)))
        parts = urlsplit(target)
        query = dict(parse_qsl(parts.query, keep_blank_values=True))
        with self._lock:
            asked = Asked(
                len(self.requests) + 1, connection, time.monotonic(), parts.path, query, headers, body, method
            )
            self.requests.append(asked)
        return asked

    def _send(self, sock: socket.socket, reply: Reply) -> bool:
        """Send an answer; False when the connection ends with it."""
        if reply.delay:
            self.closing.wait(reply.delay)
        if reply.hang:
            self.closing.wait()
        if reply.drop or reply.hang:
            return False
        if reply.reset and reply.cut is None:
            return _reset(sock)
        if reply.raw is not None:
            sock.sendall(reply.raw)
            return False
        head, body = _spelled(reply)
        if reply.drip_head:
            self._drip(sock, head, reply.drip_head)
            head = b""
        if reply.cut is not None:
            sock.sendall(head + body[: reply.cut])
            if reply.reset:
                time.sleep(0.05)  # what was sent should arrive before the reset overtakes it
                return _reset(sock)
            return False
        if reply.drip:
            sock.sendall(head)
            self._drip(sock, body, reply.drip)
        else:
            sock.sendall(head + body)
        return True

    def _drip(self, sock: socket.socket, text: bytes, pause: float) -> None:
        for at in range(len(text)):
            sock.sendall(text[at : at + 1])
            if self.closing.wait(pause):
                raise OSError("closing")


def _spelled(reply: Reply) -> tuple[bytes, bytes]:
    body = reply.body
    headers = {"Content-Type": "text/plain", **reply.headers}
    if reply.chunked:
        headers["Transfer-Encoding"] = "chunked"
        pieces = [body[at : at + 1000] for at in range(0, len(body), 1000)]
        body = b"".join(b"%x\r\n%s\r\n" % (len(piece), piece) for piece in pieces) + b"0\r\n\r\n"
    elif "Content-Length" not in headers:
        headers["Content-Length"] = str(len(body))
    try:
        phrase = HTTPStatus(reply.status).phrase
    except ValueError:
        phrase = "Unknown"
    lines = [f"HTTP/1.1 {reply.status} {phrase}", *(f"{name}: {value}" for name, value in headers.items())]
    return "\r\n".join([*lines, "", ""]).encode("utf-8"), body


def _reset(sock: socket.socket) -> bool:
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    # The descriptor itself, for a file made of the socket would keep it open.
    socket.close(sock.detach())
    return False


def _shut(sock: socket.socket) -> None:
    with suppress(OSError):
        socket.socket.shutdown(sock, socket.SHUT_RDWR)
