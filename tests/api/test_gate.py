"""The gate over real sockets: tokens, sessions, what a browser may do, and what every answer says."""

from __future__ import annotations

import json
import socket
from collections.abc import Iterator
from dataclasses import dataclass
from http.client import HTTPConnection
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import pytest

from stoma.api import guard, throttle
from stoma.api.server import Server
from stoma.scheduler.config import load_config
from stoma.scheduler.manager import Scheduler

FIRST, SECOND = "the-first-of-the-tokens", "the-second-of-the-tokens"
YAML = """\
version: 1
presets: []
api: {tokens: ["${env:GATE_A}", "${file:b}"]}
tasks:
  papers:
    collector: arxiv
    config: {search_query: all, base_url: "http://127.0.0.1:1"}
    schedule: daily_at_09:00
"""
HTML = {"Accept": "text/html,application/xhtml+xml"}
OURS = {"Sec-Fetch-Site": "same-origin"}
PAUSE = "/api/scheduler/pause"


@dataclass
class Found:
    status: int
    headers: dict[str, str]
    text: str

    @property
    def told(self) -> dict[str, Any]:
        found: dict[str, Any] = json.loads(self.text)
        return found

    @property
    def cookie(self) -> str:
        return self.headers["set-cookie"].partition(";")[0]


class Asking:
    def __init__(self, port: int) -> None:
        self.port = port

    def ask(
        self, method: str, path: str, headers: dict[str, str] | None = None, body: Any = None, token: str = ""
    ) -> Found:
        headers = dict(headers or {})
        if token:
            headers["Authorization"] = f"Bearer {token}"
        if isinstance(body, dict):
            body = urlencode(body)
            headers["Content-Type"] = "application/x-www-form-urlencoded"
        connection = HTTPConnection("127.0.0.1", self.port, timeout=10)
        connection.request(method, path, body, headers)
        answer = connection.getresponse()
        text = answer.read().decode()
        connection.close()
        return Found(answer.status, {name.lower(): value for name, value in answer.getheaders()}, text)

    def sign_in(self, token: str, to: str = "/", **headers: str) -> Found:
        told = {name.replace("_", "-"): value for name, value in headers.items()} or OURS
        return self.ask("POST", "/sign-in", {**HTML, **told}, {"token": token, "next": to})


@pytest.fixture
def scheduler(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Scheduler]:
    monkeypatch.setenv("GATE_A", FIRST)
    (tmp_path / "b").write_text(SECOND)
    (tmp_path / "stoma.yaml").write_text(YAML)
    with Scheduler(load_config(tmp_path / "stoma.yaml")) as scheduler:
        yield scheduler


@pytest.fixture
def asking(scheduler: Scheduler) -> Iterator[Asking]:
    server = Server(scheduler, "127.0.0.1", 0)
    server.start()
    yield Asking(server.port)
    server.stop()


def paused(scheduler: Scheduler) -> bool:
    return scheduler.store.agenda.paused_since() is not None


def test_each_token_opens_and_nothing_else_does(asking: Asking) -> None:
    for token in (FIRST, SECOND):
        assert asking.ask("GET", "/api/scheduler/status", token=token).status == 200
    for token in ("", "wrong", FIRST[:-1], FIRST + "x"):
        found = asking.ask("GET", "/api/scheduler/status", token=token)
        assert found.status == 401
        assert set(found.told) == {"error", "message", "hint"}
        assert found.headers["www-authenticate"].startswith("Bearer")
    for path in ("/health", "/health/live", "/static/style.css", "/sign-in"):
        assert asking.ask("GET", path, token="wrong").status == 200
    for path in (
        "/",
        "/metrics",
        "/api/openapi.json",
        "/api/docs",
        "/feed.atom",
        "/calendar.ics",
        "/nothing",
    ):
        assert asking.ask("GET", path).status == 401


def test_a_token_is_replaced_without_a_restart(asking: Asking, scheduler: Scheduler, tmp_path: Path) -> None:
    cookie = asking.sign_in(SECOND).cookie
    assert asking.ask("GET", "/", {"Cookie": cookie}).status == 200
    (tmp_path / "stoma.yaml").write_text(YAML.replace(', "${file:b}"', ""))
    scheduler.rescan()
    assert asking.ask("GET", "/api/scheduler/status", token=SECOND).status == 401
    # Its sessions end with it.
    assert asking.ask("GET", "/", {"Cookie": cookie}).status == 401
    assert asking.ask("GET", "/api/scheduler/status", token=FIRST).status == 200
    assert scheduler.restart_needed == []
    # A file that is broken opens nothing.
    (tmp_path / "stoma.yaml").write_text("version: 1\napi: {tokens: oops}\n")
    scheduler.rescan()
    assert scheduler.errors
    assert asking.ask("GET", "/api/scheduler/status").status == 401


def test_people_are_led_to_where_they_sign_in_and_back(asking: Asking) -> None:
    found = asking.ask("GET", "/tasks?state=blocked&q=a%20b", HTML)
    assert (found.status, found.text) == (303, "")
    assert found.headers["location"] == "/sign-in?next=%2Ftasks%3Fstate%3Dblocked%26q%3Da%2520b"
    page = asking.ask("GET", found.headers["location"], HTML)
    assert page.status == 200
    assert 'name="next" value="/tasks?state=blocked&amp;q=a%20b"' in page.text
    found = asking.sign_in(FIRST, "/tasks?state=blocked&q=a%20b")
    assert (found.status, found.headers["location"]) == (303, "/tasks?state=blocked&q=a%20b")
    told = found.headers["set-cookie"]
    assert "; HttpOnly; SameSite=Strict" in told
    assert "Secure" not in told
    assert FIRST not in str(found)
    signed_in = {"Cookie": found.cookie, **HTML}
    page = asking.ask("GET", "/tasks", signed_in)
    assert page.status == 200
    assert 'action="/sign-out"' in page.text
    # Who is in already has no business there.
    assert asking.ask("GET", "/sign-in?next=/runs", signed_in).headers["location"] == "/runs"
    # Programs are told, whatever they would like to read.
    assert asking.ask("GET", "/api/scheduler/status", HTML).status == 401
    assert asking.ask("GET", "/tasks").status == 401


@pytest.mark.parametrize(
    "to",
    [
        "//evil.example",
        "/\\evil.example",
        "https://evil.example",
        "/\t/evil.example",
        "javascript:alert(1)",
        "é",
        "",
    ],
)
def test_nobody_is_led_to_another_site(asking: Asking, to: str) -> None:
    assert asking.sign_in(FIRST, to).headers["location"] == "/"
    from_there = {**HTML, "Sec-Fetch-Site": "cross-site"}
    page = asking.ask("GET", f"/sign-in?{urlencode({'next': to})}", from_there).text
    assert "evil" not in page
    assert 'content="0; url=/"' in page


def test_a_link_from_elsewhere_is_tried_again_with_the_cookie(asking: Asking) -> None:
    """Browsers hold back the cookie when a message or another site leads here."""
    path = "/sign-in?next=%2Fruns"
    for site in ("cross-site", "same-site"):
        assert 'content="0; url=/runs"' in asking.ask("GET", path, {**HTML, "Sec-Fetch-Site": site}).text
    # The page leads on to itself; a second time it would do so for ever.
    assert "http-equiv" not in asking.ask("GET", path, {**HTML, **OURS}).text
    # Over plain HTTP browsers do not say where they come from.
    page = asking.ask("GET", path, HTML).text
    assert "http-equiv" not in page
    assert '<a href="/runs">Go on</a>' in page


def test_the_page_to_sign_in_tells_nothing(asking: Asking, scheduler: Scheduler, tmp_path: Path) -> None:
    (tmp_path / "stoma.yaml").write_text(YAML.replace("schedule:", "shedule:"))
    scheduler.rescan()
    scheduler.pause()
    for path in ("/sign-in", "/static/nothing", "/health/nothing", "/sign-in?wrong=1"):
        text = asking.ask("GET", path, HTML).text
        for word in ("shedule", "stoma.yaml:", "papers", "paused", "GATE_A"):
            assert word not in text


def test_a_wrong_token_gets_no_session(asking: Asking) -> None:
    for token in ("wrong", "", "ü" * 50, "\0", FIRST.upper()):
        found = asking.sign_in(token, "/runs")
        assert found.status == 401
        assert "set-cookie" not in found.headers
        assert 'role="alert"' in found.text
        assert 'value="/runs"' in found.text
        assert not token or token not in found.text
    assert asking.ask("POST", "/sign-in", OURS).status == 401
    found = asking.ask("POST", "/sign-in", OURS, {"token": "x" * 200_000})
    assert (found.status, found.told["error"]) == (413, "Request Entity Too Large")


def test_a_session_changes_things_only_from_this_site(asking: Asking, scheduler: Scheduler) -> None:
    cookie = {"Cookie": asking.sign_in(FIRST).cookie}
    here = f"http://127.0.0.1:{asking.port}"
    for more in (
        {}, {"Origin": "https://evil.example"}, {"Origin": "null"}, {"Sec-Fetch-Site": "cross-site"},
        {"Sec-Fetch-Site": "same-site", "Origin": here}, {"Origin": "http://127.0.0.1:1"},
    ):  # fmt: skip
        for path in (PAUSE, "/pause"):
            assert asking.ask("POST", path, {**cookie, **more}).status == 403
    assert not paused(scheduler)
    assert asking.ask("POST", "/pause", {**cookie, "Origin": here}).status == 303
    assert paused(scheduler)
    assert asking.ask("POST", "/resume", {**cookie, **OURS}).status == 303
    assert not paused(scheduler)
    # A program with a token says no such thing.
    assert asking.ask("POST", PAUSE, token=FIRST).status == 200
    # Nor may another site sign anybody in or out.
    assert asking.sign_in(FIRST, Origin="https://evil.example").status == 403
    assert asking.ask("POST", "/sign-out", cookie).status == 403
    assert asking.ask("GET", "/", cookie).status == 200


def test_signing_out(asking: Asking) -> None:
    one, other = asking.sign_in(FIRST).cookie, asking.sign_in(FIRST).cookie
    found = asking.ask("POST", "/sign-out", {"Cookie": one, **OURS, **HTML})
    assert (found.status, found.headers["location"]) == (303, "/sign-in")
    assert found.headers["set-cookie"].startswith("stoma_session=; Path=/; Max-Age=0")
    assert asking.ask("GET", "/", {"Cookie": one}).status == 401
    assert asking.ask("GET", "/", {"Cookie": f"{one}; {other}"}).status == 200
    # A form whose session is over leads to a new one.
    found = asking.ask("POST", "/tasks/papers/run", {"Cookie": one, **OURS, **HTML})
    assert (found.status, "Your session is over" in found.text) == (401, True)
    assert asking.ask("POST", "/sign-out", OURS).status == 401


def test_behind_a_proxy_that_speaks_https_the_cookie_is_secure(asking: Asking) -> None:
    found = asking.sign_in(FIRST, Host="127.0.0.1", Origin="https://127.0.0.1")
    assert found.headers["set-cookie"].endswith("; Secure")


def test_guessing_is_slowed_and_who_is_in_stays_in(asking: Asking) -> None:
    cookie = {"Cookie": asking.sign_in(FIRST).cookie}
    found = [asking.ask("GET", "/api/runs", token=f"guess-{number}").status for number in range(20)]
    assert found == [401] * throttle.AT_ONCE + [429] * (20 - throttle.AT_ONCE)
    late = asking.ask("GET", "/api/runs", token="guess")
    assert 1 <= int(late.headers["retry-after"]) <= throttle.EVERY
    assert "try again in" in late.told["hint"]
    # Not told whether it is right, or waiting would slow nobody.
    assert asking.ask("GET", "/api/runs", token=FIRST).status == 429
    page = asking.sign_in(FIRST)
    assert (page.status, "set-cookie" in page.headers) == (429, False)
    assert int(page.headers["retry-after"]) >= 1
    assert asking.ask("GET", "/api/runs", cookie).status == 200
    assert asking.ask("GET", "/health", token="guess").status == 200


def test_an_address_is_not_what_a_client_says_of_itself(asking: Asking) -> None:
    for number in range(throttle.AT_ONCE):
        asking.ask("GET", "/api/runs", {"X-Forwarded-For": f"192.0.2.{number}"}, token=f"guess-{number}")
    found = asking.ask("GET", "/api/runs", {"X-Forwarded-For": "192.0.2.99"}, token="guess")
    assert found.status == 429


def test_who_asked_is_noted_also_of_what_was_refused(asking: Asking, scheduler: Scheduler) -> None:
    asking.ask("POST", PAUSE)
    asking.ask("POST", PAUSE, token=FIRST)
    cookie = asking.sign_in(SECOND).cookie
    asking.ask("POST", "/resume", {"Cookie": cookie, **OURS})
    asking.ask("POST", PAUSE, {"Cookie": cookie})
    asking.sign_in("a-wrong-token")
    asking.ask("POST", "/api/runs/99/cancel", token=FIRST)
    asking.ask("POST", "/sign-out", {"Cookie": cookie, **OURS})
    found = list(reversed(scheduler.store.audit.latest()))
    assert [(entry.who, entry.action, entry.outcome, entry.status) for entry in found] == [
        ("anyone", "pause", "refused", 401),
        ("env:GATE_A", "pause", "done", 200),
        ("file:b", "sign-in", "done", 303),
        ("session of file:b", "resume", "done", 303),
        ("session of file:b", "pause", "refused", 403),
        ("anyone", "sign-in", "refused", 401),
        ("env:GATE_A", "cancel", "failed", 404),
        ("session of file:b", "sign-out", "done", 303),
    ]
    assert {entry.address for entry in found} == {"127.0.0.1"}
    assert FIRST not in str(found)
    assert "wrong" not in str(found)


def test_without_tokens_there_is_nothing_to_sign_in_to(tmp_path: Path) -> None:
    (tmp_path / "stoma.yaml").write_text("version: 1\npresets: []\n")
    with Scheduler(load_config(tmp_path / "stoma.yaml")) as scheduler:
        server = Server(scheduler, "127.0.0.1", 0)
        server.start()
        asking = Asking(server.port)
        assert asking.ask("GET", "/sign-in?next=/runs", HTML).headers["location"] == "/runs"
        assert asking.sign_in("anything", "/runs").headers["location"] == "/runs"
        assert "sign-out" not in asking.ask("GET", "/", HTML).text
        assert asking.ask("POST", PAUSE).status == 200
        assert asking.ask("POST", PAUSE, {"Origin": "https://evil.example"}).status == 403
        server.stop()


@pytest.mark.parametrize(
    ("method", "path", "headers", "status"),
    [
        ("GET", "/", {}, 200), ("GET", "/static/style.css", {}, 200), ("GET", "/api/runs", {}, 200),
        ("GET", "/api/export?format=csv", {}, 200), ("GET", "/feed.atom", {}, 200), ("GET", "/metrics", {}, 200),
        ("GET", "/nothing", {}, 404), ("GET", "/nothing", HTML, 404), ("GET", "/runs?limit=x", HTML, 400),
        ("DELETE", "/", {}, 405), ("TRACE", "/", {}, 405), ("OPTIONS", "/tasks", {}, 204),
        ("OPTIONS", "/nothing", {}, 404), ("GET", "/", {"Host": "evil.example"}, 421),
        ("POST", PAUSE, {"Origin": "https://evil.example"}, 403),
        ("GET", "/api/runs", {"Authorization": "Bearer x"}, 401),
        ("GET", "/runs", {**HTML, "Authorization": ""}, 303), ("GET", "/sign-in", {}, 200),
        ("HEAD", "/", {}, 200), ("HEAD", "/api/runs", {}, 200), ("HEAD", "/nothing", {}, 404),
    ],
)  # fmt: skip
def test_every_answer_tells_browsers_to_be_careful(
    asking: Asking, method: str, path: str, headers: dict[str, str], status: int
) -> None:
    found = asking.ask(method, path, {"Authorization": f"Bearer {FIRST}", **headers})
    assert found.status == status
    for name, value in guard.HEADERS.items():
        # What may be kept says so itself.
        if name != "Cache-Control" or not path.startswith(("/static/", "/feed")):
            assert found.headers[name.lower()] == value, name
    assert "python" not in found.headers["server"].lower()
    if method in ("HEAD", "OPTIONS") and status != 404:
        assert found.text == ""


def test_an_address_tells_its_methods(asking: Asking) -> None:
    path = "/api/scheduler/tasks/papers"
    found = asking.ask("OPTIONS", path, token=FIRST)
    assert (found.status, found.headers["allow"]) == (204, "DELETE, GET, HEAD, OPTIONS")
    found = asking.ask("PATCH", path, token=FIRST)
    assert (found.status, found.headers["allow"]) == (405, "DELETE, GET, HEAD, OPTIONS")
    assert asking.ask("OPTIONS", path).status == 401
    # Nothing is allowed to other sites.
    preflight = {"Origin": "https://evil.example", "Access-Control-Request-Method": "DELETE"}
    found = asking.ask("OPTIONS", path, preflight, token=FIRST)
    assert not [name for name in found.headers if name.startswith("access-control")]


def test_what_a_head_says_is_what_a_get_would(asking: Asking) -> None:
    for path in ("/static/style.css", "/api/scheduler/tasks", "/sign-in"):
        get, head = (asking.ask(method, path, token=FIRST) for method in ("GET", "HEAD"))
        assert head.text == ""
        for name in ("content-type", "content-length"):
            assert head.headers[name] == get.headers[name]


@pytest.mark.parametrize(
    ("sent", "status"),
    [
        (b"nonsense\r\n\r\n", 400),
        (b"GET / HTTP/1.1\r\nHost: localhost\r\nbad header\r\n\r\n", 400),
        (b"GET /<script> HTTP/1.1\r\nHost: localhost\r\n <b>\rx\r\n\r\n", 400),
        (b"POST / HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: gzip\r\n\r\n", 501),
        (b"POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1000000\r\n\r\n", 413),
        (b"POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\n", 400),
        (b"POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: 5000000\r\n\r\n" + b"x" * 5_000_000, 413),
        (b"GET / HTTP/1.1\r\nHost: localhost\r\nX: " + b"x" * 40_000 + b"\r\n\r\n", 431),
        (b"GET /" + b"x" * 40_000 + b" HTTP/1.1\r\nHost: localhost\r\n\r\n", 431),
    ],
)
def test_what_is_no_request_is_refused_in_our_form(asking: Asking, sent: bytes, status: int) -> None:
    with socket.create_connection(("127.0.0.1", asking.port), timeout=10) as connection:
        connection.sendall(sent)
        answer = b""
        while piece := connection.recv(65_536):
            answer += piece
    head, _, body = answer.decode().partition("\r\n\r\n")
    assert head.split()[1] == str(status)
    assert set(json.loads(body)) == {"error", "message", "hint"}
    assert "script" not in body
    for name, value in guard.HEADERS.items():
        assert f"{name}: {value}".lower() in head.lower()
