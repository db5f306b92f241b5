"""What answers say of the number of requests that is allowed, from true captures and from headers that are odd."""

from __future__ import annotations

import json
from datetime import timedelta
from pathlib import Path

import pytest

from stoma.collectors.allowance import is_wish, spent_until, told, wished
from stoma.collectors.answers import Response
from stoma.hosts import Allowance
from tests.support.budget import START

EPOCH = int(START.timestamp())


def refusal(status: int = 403, headers: dict[str, str] | None = None, body: bytes = b"Forbidden") -> Response:
    return Response("https://api.example/x", status, headers or {}, body, START)


def limited(remaining: object, reset: object, family: str = "x-ratelimit-", **more: str) -> dict[str, str]:
    return {f"{family}remaining": str(remaining), f"{family}reset": str(reset), **more}


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        (limited(0, EPOCH + 600), 601),
        # In milliseconds, and as a number of seconds.
        (limited(0, (EPOCH + 600) * 1000), 601),
        (limited(0, 30), 31),
        (limited(0, 30, "ratelimit-"), 31),
        (limited(0, EPOCH + 30, "ratelimit-"), 31),
        (limited(0, EPOCH + 30, "x-rate-limit-"), 31),
        # Their clock is an hour behind ours: what counts is how far away it is for them.
        (limited(0, EPOCH - 3000, date="Mon, 23 Nov 2026 08:00:00 GMT"), 601),
        # A clock that is wrong.
        (limited(0, 9_999_999_999), 86_400),
        (limited("0.0", EPOCH + 5), 6),
        (limited(1, EPOCH + 600), None),
        (limited(0, EPOCH - 600), None),
        (limited(0, "soon"), None),
        (limited("", EPOCH + 600), None),
        ({"x-ratelimit-remaining": "0"}, None),
        # All in one header; of several policies the one with the least left counts.
        ({"ratelimit": '"x";r=0;t=30'}, 31),
        ({"ratelimit": '"day"; r=900; t=9000, "second"; r=0; t=2'}, 3),
        ({"ratelimit": '"x";r=1;t=30'}, None),
        ({"ratelimit": '"x";q=0;w=30'}, None),
        ({}, None),
    ],
)
def test_the_last_request_that_is_allowed(headers: dict[str, str], seconds: int | None):
    until = spent_until(told(headers, START), START)
    assert until == (None if seconds is None else START + timedelta(seconds=seconds))


def test_all_that_is_told():
    headers = limited(7, EPOCH + 9) | {"x-ratelimit-limit": "60"}
    assert told(headers, START) == Allowance(7, 60, START + timedelta(seconds=10))
    draft = {"ratelimit-limit": "100, 100;w=60", "ratelimit-remaining": "3"}
    assert told(draft, START) == Allowance(3, 100, None)


@pytest.mark.parametrize(
    ("name", "wish", "seconds"),
    [
        # The first tells no reset, and the second has a template in place of it.
        ("error_403_rate_limit_exceeded", True, None),
        ("error_403_secondary_limit", True, None),
        ("error_401_bad_credentials", False, None),
        ("error_403_bad_user_agent", False, None),
        ("error_404_not_found", False, None),
        ("error_422_validation_failed", False, None),
    ],
)
def test_refusals_of_github(recorded: Path, name: str, wish: bool, seconds: float | None):
    response = captured(recorded, name)
    assert is_wish(response) is wish
    if wish:
        assert wished(response, told(response.headers, START), START) == seconds


@pytest.mark.parametrize("name", ["error_403_retry_after", "error_429_secondary_limit_retry_after"])
def test_refusals_of_github_with_retry_after(recorded: Path, name: str):
    response = captured(recorded, name)
    assert is_wish(response)
    assert wished(response, None, START) == float(response.headers["retry-after"])


def captured(recorded: Path, name: str) -> Response:
    folder = recorded / "github"
    head = json.loads((folder / f"{name}.json.headers.json").read_text())
    headers = {key.lower(): value for key, value in head["headers"].items() if isinstance(value, str)}
    return Response(head["url"], head["status"], headers, (folder / f"{name}.json").read_bytes(), START)


@pytest.mark.parametrize(
    ("response", "wish"),
    [
        (refusal(429), True),
        (refusal(503), True),
        (refusal(500), False),
        (refusal(500, {"retry-after": "5"}), True),
        (refusal(404, {"retry-after": "5"}), False),
        (refusal(403), False),
        (refusal(403, limited(5, EPOCH + 9)), False),
        (refusal(403, limited(0, EPOCH + 9)), True),
        (refusal(403, {"gh-limited-by": "search-elapsed-time-shared-grouped"}), True),
        (refusal(403, body=b"You have triggered an Abuse Detection mechanism"), True),
        (refusal(403, body=b"You have exceeded a secondary Rate Limit."), True),
        (refusal(403, body=b"x" * 3000 + b"rate limit"), False),
        (refusal(404, body=b"rate limit"), False),
    ],
)
def test_which_refusals_only_ask_for_patience(response: Response, wish: bool):
    assert is_wish(response) is wish


@pytest.mark.parametrize(
    ("response", "seconds"),
    [
        (refusal(403, limited(0, EPOCH + 600)), 601),
        (refusal(429, limited(0, EPOCH - 600)), 1),
        (refusal(429, limited(0, EPOCH + 600) | {"retry-after": "90"}), 90),
        (refusal(429, limited(4, EPOCH + 600)), None),
        # What is left does not matter where a server is only overloaded.
        (refusal(503, limited(0, EPOCH + 600)), None),
        (refusal(429), None),
    ],
)
def test_for_how_long(response: Response, seconds: float | None):
    assert wished(response, told(response.headers, START), START) == seconds
