"""A local stand-in for the sources: a small HTTP server on loopback with invented data in the right formats."""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Protocol
from urllib.parse import parse_qsl, urlsplit

from stoma.demo.answer import Answer
from stoma.demo.arxiv import Arxiv


class Source(Protocol):
    """One source as the stand-in plays it."""

    def answer(self, path: str, query: Mapping[str, str]) -> Answer:
        """What the source says to a GET of `path` (`base_url` taken away) with these parameters."""


SOURCES: dict[str, Callable[[datetime], Source]] = {"arxiv": Arxiv}
"""Every source that can be played, under the name of its collector; made with the moment that counts as now."""


class StandIn:
    """Answers for every source in SOURCES until it is closed.

    with StandIn(now=...) as standin:
        config["base_url"] = standin.url("arxiv")
    """

    def __init__(
        self, now: datetime, per_second: int = 50, monotonic: Callable[[], float] = time.monotonic
    ) -> None:
        """`per_second` is how many requests it bears before it asks for patience, as the true sources do."""
        self._sources = {name: make(now) for name, make in SOURCES.items()}
        self._pace = _Pace(per_second, monotonic)
        self._server = _Server(self._answer)
        self._thread = threading.Thread(
            # Looks often whether it should stop, for somebody waits for that.
            target=self._server.serve_forever,
            args=(0.1,),
            name="stand-in",
            daemon=True,
        )

    def __enter__(self) -> StandIn:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    @property
    def port(self) -> int:
        """Where it listens on 127.0.0.1."""
        return self._server.server_port

    def url(self, name: str) -> str | None:
        """The `base_url` for tasks of this collector; None for a source that it cannot play."""
        return f"http://127.0.0.1:{self.port}/{name}" if name in SOURCES else None

    def _answer(self, target: str) -> Answer:
        parts = urlsplit(target)
        name, _, path = parts.path.lstrip("/").partition("/")
        source = self._sources.get(name)
        if source is None:
            return Answer(404, b"Not Found")
        if not self._pace.allows():
            return Answer(429, b"Rate exceeded.", headers={"Retry-After": "1"})
        return source.answer(f"/{path}", dict(parse_qsl(parts.query, keep_blank_values=True)))


@dataclass
class _Pace:
    """Remembers the requests of the last second."""

    per_second: int
    monotonic: Callable[[], float]
    _times: deque[float] = field(default_factory=deque)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def allows(self) -> bool:
        now = self.monotonic()
        with self._lock:
            while self._times and self._times[0] <= now - 1:
                self._times.popleft()
            if len(self._times) >= self.per_second:
                return False
            self._times.append(now)
            return True


class _Server(ThreadingHTTPServer):
    daemon_threads = True

    def __init__(self, answer: Callable[[str], Answer]) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.answer = answer


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server_version = "StomaStandIn"
    timeout = 30
    # Head and body leave together, or the second one waits for a delayed acknowledgement.
    wbufsize = -1
    server: _Server

    def do_GET(self) -> None:
        answer = self.server.answer(self.path)
        self.send_response(answer.status)
        self.send_header("Content-Type", answer.content_type)
        self.send_header("Content-Length", str(len(answer.body)))
        for name, value in answer.headers.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(answer.body)

    def log_message(self, format: str, *args: Any) -> None:
        """Say nothing: the scheduler's log tells what was asked."""
