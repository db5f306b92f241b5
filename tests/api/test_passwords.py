"""A token as a password: where, and what is made of it."""

from __future__ import annotations

from base64 import b64encode

import pytest

from stoma.api.passwords import are_taken, as_bearer


def basic(pair: bytes) -> str:
    return f"Basic {b64encode(pair).decode()}"


@pytest.mark.parametrize(
    ("told", "made"),
    [
        (basic(b"any:secret"), "Bearer secret"), (basic(b":a:b:c"), "Bearer a:b:c"), ("bAsIc YTpi", "Bearer b"),
        (basic("x:ü".encode()), "Bearer \xc3\xbc"), ("Bearer t", "Bearer t"), (basic(b"no colon"), basic(b"no colon")),
        ("Basic", "Basic"), ("Basic ???", "Basic ???"), ("Basic YQ", "Basic YQ"), ("Basic é", "Basic é"), ("", ""),
    ],
)  # fmt: skip
def test_a_password_is_a_token(told: str, made: str) -> None:
    assert as_bearer("GET", "/feed.atom", {"authorization": told})["authorization"] == made


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", "/"), ("GET", "/api/records"), ("POST", "/feed.atom"), ("PUT", "/feeds/one.atom"),
        ("GET", "/api/feeds/"), ("GET", "//feeds/one.atom"), ("DELETE", "/calendar.ics"),
    ],
)  # fmt: skip
def test_nowhere_else(method: str, path: str) -> None:
    told = {"authorization": basic(b"any:secret"), "host": "localhost"}
    assert as_bearer(method, path, told) == told
    assert not are_taken(method, path)
