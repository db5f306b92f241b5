"""Who may ask."""

from __future__ import annotations

import pytest

from stoma.api import guard
from stoma.api.guard import Shown, bearer, cookies, from_elsewhere, is_open, known_host, misdirected
from stoma.hosts import is_loopback

HERE = {"host": "127.0.0.1:8000"}


@pytest.mark.parametrize(
    "host", ["127.0.0.1", "127.0.0.1:8000", "localhost:1", "[::1]:8000", "10.0.0.7", "Stoma.example:80"]
)
def test_known_names_and_all_addresses_pass(host: str) -> None:
    assert known_host(host, ["stoma.example"])
    assert misdirected(Shown(headers={"host": host}), ["stoma.example"]) is None


@pytest.mark.parametrize(
    "host", ["", "evil.example", "localhost.evil.example", "127.0.0.1.evil.example", "[", "a b"]
)
def test_other_names_do_not(host: str) -> None:
    assert not known_host(host, ["stoma.example"])
    found = misdirected(Shown(headers={"host": host}), [])
    assert found is not None
    assert found.status == 421


@pytest.mark.parametrize(
    ("headers", "by_token", "by_session"),
    [
        # Browsers send cookies by themselves: by a session it has to be said where it comes from.
        ({}, None, 403),
        ({"sec-fetch-site": "same-origin"}, None, None),
        ({"sec-fetch-site": "none"}, None, None),
        ({"sec-fetch-site": "cross-site"}, 403, 403),
        ({"sec-fetch-site": "same-site"}, 403, 403),
        ({"sec-fetch-site": "cross-site", "origin": "http://127.0.0.1:8000"}, 403, 403),
        ({"origin": "http://127.0.0.1:8000"}, None, None),
        ({"origin": "http://127.0.0.1:9999"}, 403, 403),
        ({"origin": "https://evil.example"}, 403, 403),
        ({"origin": "null"}, 403, 403),
    ],
)
def test_pages_of_other_sites_change_nothing(
    headers: dict[str, str], by_token: int | None, by_session: int | None
) -> None:
    for method in ("POST", "PUT", "DELETE"):
        shown = Shown(method, "/api/scheduler/tasks/a/run", HERE | headers)
        for has_session, status in ((False, by_token), (True, by_session)):
            found = from_elsewhere(shown, has_session=has_session)
            assert (found.status if found else None) == status
    for method in guard.READING:
        assert from_elsewhere(Shown(method, "/", HERE | headers), has_session=True) is None


@pytest.mark.parametrize(
    ("shown", "token"),
    [
        ("Bearer first", b"first"), ("bearer  second ", b"second"), ("Bearer", None), ("Bearer ", None),
        ("Basic first", None), ("first", None), ("", None), ("Bearer \xc3\xa9", "é".encode()),
    ],
)  # fmt: skip
def test_the_token_that_is_shown(shown: str, token: bytes | None) -> None:
    assert bearer({"authorization": shown}) == token


@pytest.mark.parametrize(
    ("header", "values"),
    [
        ("s=1", ["1"]), ("a=0; s=1.2=; b", ["1.2="]), ("s=1;s=2", ["1", "2"]), ("", []), ("s", [""]), ("sx=1", []),
        (";".join(["s=1"] * 9_000), ["1"] * guard.MOST_COOKIES),
    ],
)  # fmt: skip
def test_cookies_of_a_name(header: str, values: list[str]) -> None:
    assert cookies({"cookie": header}, "s") == values


@pytest.mark.parametrize(
    ("path", "is_it"),
    [
        ("/health", True), ("/health/live", True), ("/sign-in", True), ("/static/style.css", True),
        ("/", False), ("/sign-in/", False), ("/sign-in/x", False), ("/sign-out", False), ("/metrics", False),
        ("/api/health", False), ("/static", False), ("//health", False),
    ],
)  # fmt: skip
def test_what_anybody_may_see(path: str, is_it: bool) -> None:
    assert is_open(path) is is_it
    assert guard.OPEN_PATHS == ("/health",)


def test_browsers_say_where_a_form_of_ours_came_from() -> None:
    """With `no-referrer` they would say `Origin: null`, and over plain HTTP nothing else."""
    assert guard.HEADERS["Referrer-Policy"] == "same-origin"


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
