"""Who may ask."""

from __future__ import annotations

import pytest

from stoma.api.guard import known_host, refusal
from stoma.hosts import is_loopback

HERE = {"host": "127.0.0.1:8000"}


@pytest.mark.parametrize(
    "host", ["127.0.0.1", "127.0.0.1:8000", "localhost:1", "[::1]:8000", "10.0.0.7", "Stoma.example:80"]
)
def test_known_names_and_all_addresses_pass(host: str) -> None:
    assert known_host(host, ["stoma.example"])


@pytest.mark.parametrize(
    "host", ["", "evil.example", "localhost.evil.example", "127.0.0.1.evil.example", "[", "a b"]
)
def test_other_names_do_not(host: str) -> None:
    assert not known_host(host, ["stoma.example"])
    found = refusal("GET", "/", {"host": host}, [], [])
    assert found is not None
    assert found[0] == 421


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({}, None),
        ({"sec-fetch-site": "same-origin"}, None),
        ({"sec-fetch-site": "none"}, None),
        ({"sec-fetch-site": "cross-site"}, 403),
        ({"sec-fetch-site": "same-site"}, 403),
        ({"origin": "http://127.0.0.1:8000"}, None),
        ({"origin": "http://127.0.0.1:9999"}, 403),
        ({"origin": "https://evil.example"}, 403),
        ({"origin": "null"}, 403),
    ],
)
def test_pages_of_other_sites_change_nothing(headers: dict[str, str], status: int | None) -> None:
    found = refusal("POST", "/api/scheduler/tasks/a/run", HERE | headers, [], [])
    assert (found[0] if found else None) == status
    assert refusal("GET", "/api/scheduler/status", HERE | headers, [], []) is None


@pytest.mark.parametrize(
    ("shown", "status"),
    [
        ("Bearer first", None),
        ("bearer second", None),
        ("Bearer third", 401),
        ("Basic first", 401),
        ("first", 401),
        ("Bearer", 401),
        ("Bearer é", 401),
        ("", 401),
    ],
)
def test_a_token_is_needed_once_there_are_tokens(shown: str, status: int | None) -> None:
    headers = HERE | ({"authorization": shown} if shown else {})
    found = refusal("GET", "/api/scheduler/status", headers, [], ["first", "second"])
    assert (found[0] if found else None) == status
    assert refusal("GET", "/health/live", headers, [], ["first"]) is None


@pytest.mark.parametrize(
    ("host", "loopback"),
    [
        ("127.0.0.1", True),
        ("localhost", True),
        ("::1", True),
        ("127.9.9.9", True),
        ("0.0.0.0", False),
        ("::", False),
        ("example.org", False),
    ],
)
def test_what_only_this_machine_reaches(host: str, loopback: bool) -> None:
    assert is_loopback(host) is loopback
