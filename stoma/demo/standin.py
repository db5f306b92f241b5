"""A local stand-in for the sources: a small HTTP server on loopback with invented data in the right formats."""

from __future__ import annotations

import json
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Protocol, runtime_checkable
from urllib.parse import parse_qsl, urlsplit

from stoma.demo.answer import Answer
from stoma.demo.arxiv import Arxiv
from stoma.demo.edgar import Edgar
from stoma.demo.feed import Feed
from stoma.demo.github import Github
from stoma.demo.http_json import HttpJson


class Source(Protocol):
    """One source as the stand-in plays it."""

    def answer(self, path: str, query: Mapping[str, str]) -> Answer:
        """What the source says to `path` (`base_url` taken away) with these parameters, be they of a body."""


@runtime_checkable
class Prepared(Protocol):
    """A source that has to know who will ask."""

    def declare(self, task_id: str, config: Mapping[str, Any]) -> str | None:
        """What follows its address for this task, such as `/ID`; None when it cannot play what the config wants."""


SOURCES: dict[str, Callable[[datetime], Source]] = {
    "arxiv": Arxiv,
    "github": Github,
    "sec_edgar": Edgar,
    "http_json": HttpJson,
    "feed": Feed,
}
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

    def url_for(self, name: str, task_id: str, config: Mapping[str, Any]) -> str | None:
        """The `base_url` for one task; None where its source, or what it asks for, cannot be played."""
        source: object = self._sources.get(name)
        path: str | None = ""
        if isinstance(source, Prepared):
            path = source.declare(task_id, config)
        return f"{self.url(name)}{path}" if source is not None and path is not None else None

    def _answer(self, target: str, body: bytes, known: str) -> Answer:
        parts = urlsplit(target)
        name, _, path = parts.path.lstrip("/").partition("/")
        source = self._sources.get(name)
        if source is None:
            return Answer(404, b"Not Found")
        if not self._pace.allows():
            return Answer(429, b"Rate exceeded.", headers={"Retry-After": "1"})
        query = dict(parse_qsl(parts.query, keep_blank_values=True)) | _fields(body)
        answer = source.answer(f"/{path}", query)
        # What was not modified since is not sent again.
        if answer.status == 200 and known and answer.headers.get("ETag") == known:
            return Answer(304, b"", answer.content_type, answer.headers)
        return answer


def _fields(body: bytes) -> dict[str, str]:
    """The plain values of a JSON body, as if they were parameters: `variables.after` stands inside `variables`."""
    try:
        return dict(_flat(json.loads(body), "")) if body else {}
    except (ValueError, RecursionError):
        return {}


def _flat(value: Any, name: str) -> Iterator[tuple[str, str]]:
    if isinstance(value, dict):
        for key, inner in value.items():
            yield from _flat(inner, f"{name}.{key}".lstrip("."))
    elif isinstance(value, str | int | float):
        yield name, str(value)


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

    def __init__(self, answer: Callable[[str, bytes, str], Answer]) -> None:
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
        size = int(self.headers.get("Content-Length") or 0)
        answer = self.server.answer(self.path, self.rfile.read(size), self.headers.get("If-None-Match", ""))
        self.send_response(answer.status)
        self.send_header("Content-Type", answer.content_type)
        self.send_header("Content-Length", str(len(answer.body)))
        for name, value in answer.headers.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(answer.body)

    do_POST = do_GET

    def log_message(self, format: str, *args: Any) -> None:
        """Say nothing: the scheduler's log tells what was asked."""
