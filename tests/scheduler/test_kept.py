"""The stand-in for the client of a replay, row by row."""

from __future__ import annotations

import inspect
from datetime import UTC, datetime
from typing import Any

import pytest

from stoma.collectors.http import HttpClient, Response, request_key
from stoma.errors import BadAnswer, SourceRefused
from stoma.references import remember
from stoma.scheduler.kept import KeptAnswers, NotKept

URL = "http://a.example/x"


def row(number: int, url: str = URL, key: str = "", status: int = 200) -> dict[str, Any]:
    return {
        "id": number,
        "request": key or request_key("GET", url),
        "url": url,
        "status": status,
        "headers": {"etag": '"1"'},
        "fetched_at": datetime(2026, 1, number, tzinfo=UTC),
    }


def kept(*rows: dict[str, Any], gone: int = 0) -> KeptAnswers:
    return KeptAnswers(rows, lambda number: None if number == gone else b"body %d" % number)


def body(response: Response) -> bytes:
    return response.body


def test_it_is_used_like_the_client() -> None:
    for name in ("get", "ask", "cool"):
        mine, its = (
            list(inspect.signature(getattr(one, name)).parameters) for one in (KeptAnswers, HttpClient)
        )
        assert mine == its


def test_answers_come_in_the_order_of_time_each_once() -> None:
    http = kept(row(1), row(2), row(3, URL + "?q=1"))
    assert http.get(URL, parse=body) == b"body 1"
    assert http.get(URL, params={"q": 1}, parse=body) == b"body 3"
    response = http.get(URL, parse=lambda found: found)
    assert (response.body, response.fetched_at.day, response.headers) == (b"body 2", 2, {"etag": '"1"'})
    with pytest.raises(NotKept, match=r"http://a\.example/x was not kept"):
        http.get(URL, parse=body)


def test_an_address_is_enough_where_the_key_is_another_one() -> None:
    http = kept(row(1, key="of another time"), row(2, key="of another body"))
    assert http.get(URL, headers={"Accept": "text/html"}, parse=body) == b"body 1"
    # What was sent tells one page from the other, and the address does not.
    with pytest.raises(NotKept):
        http.ask("POST", URL, body=b"{}", parse=body)


def test_a_secret_that_is_another_one_by_now() -> None:
    remember("old-secret", "${env:S}")
    http = kept(row(1, URL + "?at=2026-01-01T00:00:00+00:00&s=${env:S}", key="-"))
    remember("new secret", "${env:S}")
    params = {"at": "2026-01-01T00:00:00+00:00", "s": "new secret"}
    assert http.get(URL, params=params, parse=body) == b"body 1"


def test_a_link_whose_secret_was_masked_in_the_body_that_it_comes_from() -> None:
    http = kept(row(1, URL + "?page=2&s=${env:S}", key="-"))
    assert http.get(URL + "?page=2&s=***", parse=body) == b"body 1"


def test_a_lasting_refusal_is_explained_again() -> None:
    http = kept(row(1, status=404), row(2, status=403), row(3, status=403))
    with pytest.raises(SourceRefused, match=r"answers 404 Not Found: no such day"):
        http.get(URL, parse=body, explain=lambda response: "no such day")
    with pytest.raises(SourceRefused, match=r"answers 403 Forbidden: body 2"):
        http.get(URL, parse=body)
    with pytest.raises(SourceRefused, match="body 3"):
        http.get(URL, parse=body, explain=lambda response: {}["nothing"])


def test_what_was_unchanged_then() -> None:
    assert kept(row(1, status=304)).get(URL, parse=body, unchanged=lambda count: b"same") == b"same"
    http = kept(row(1), row(2, URL + "?other"))
    assert http.get(URL, parse=body, unchanged=lambda count: b"same") == b"body 1"
    with pytest.raises(NotKept):
        http.get(URL, parse=body, unchanged=lambda count: b"same")


def test_one_that_expired_meanwhile_is_not_kept() -> None:
    with pytest.raises(NotKept):
        kept(row(1), gone=1).get(URL, parse=body)


def test_a_collector_that_helps_itself_over_a_bad_answer_does_so_again() -> None:
    assert issubclass(NotKept, BadAnswer)
