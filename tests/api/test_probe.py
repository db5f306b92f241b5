"""The health check of a container."""

from __future__ import annotations

import subprocess
import sys
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer

import pytest

from stoma.api import probe
from tests.conftest import REPOSITORY


class Answering(BaseHTTPRequestHandler):
    status = 200

    def do_GET(self) -> None:
        self.send_response(self.status if self.path == "/health/live" else 404)
        self.end_headers()

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def port() -> Iterator[int]:
    with HTTPServer(("127.0.0.1", 0), Answering) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
        thread.start()
        yield server.server_port
        server.shutdown()
        thread.join()


@pytest.mark.parametrize(
    ("listen", "address"),
    [
        ("", ("127.0.0.1", 8000)),
        ("0.0.0.0:9000", ("127.0.0.1", 9000)),
        ("0.0.0.0", ("127.0.0.1", 8000)),
        ("[::]:9000", ("::1", 9000)),
        ("192.0.2.7:1", ("192.0.2.7", 1)),
    ],
)
def test_it_asks_where_the_server_listens(listen: str, address: tuple[str, int]) -> None:
    assert probe.address(listen) == address


def test_it_is_well_only_where_200_is_answered(port: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("STOMA_LISTEN", f"0.0.0.0:{port}")
    assert probe.main() == 0
    monkeypatch.setattr(Answering, "status", 503)
    assert probe.main() == 1
    for nonsense in ("127.0.0.1:1", "0.0.0.0:x", "[::"):
        monkeypatch.setenv("STOMA_LISTEN", nonsense)
        assert probe.main() == 1


def test_it_imports_nothing_of_stoma_but_itself() -> None:
    # It is run twice a minute, for years.
    code = "import sys, stoma.api.probe; print(sorted(m for m in sys.modules if m.startswith('stoma')))"
    done = subprocess.run([sys.executable, "-c", code], cwd=REPOSITORY, capture_output=True, text=True)
    assert done.stdout.strip() == "['stoma', 'stoma.api', 'stoma.api.probe']", done.stderr
