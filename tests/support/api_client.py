"""Asks a server on loopback, as any program would."""

from __future__ import annotations

import json
from http.client import HTTPConnection
from typing import Any


class Client:
    """One connection for each request; bodies are JSON unless they are bytes."""

    def __init__(self, port: int) -> None:
        self.port = port

    def ask(
        self, method: str, path: str, body: Any = None, headers: dict[str, str] | None = None
    ) -> tuple[int, Any]:
        """The status, and the body as values where it is JSON, as text otherwise."""
        connection = HTTPConnection("127.0.0.1", self.port, timeout=20)
        sent = body if body is None or isinstance(body, bytes) else json.dumps(body).encode()
        more = {} if body is None else {"Content-Type": "application/json"}
        connection.request(method, path, sent, {**more, **(headers or {})})
        answer = connection.getresponse()
        text, kind = answer.read().decode(), answer.getheader("Content-Type") or ""
        connection.close()
        return answer.status, json.loads(text) if kind.startswith("application/json") else text

    def get(self, path: str) -> Any:
        """The body of an answer that is as it should be."""
        status, body = self.ask("GET", path)
        assert status == 200, body
        return body
