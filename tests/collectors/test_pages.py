"""How a page is named, asked for again, followed to where it moved, and kept."""

from __future__ import annotations

from urllib.parse import urlsplit

import pytest

from stoma.collectors.answers import Response
from stoma.collectors.base import Validator
from stoma.collectors.http import request_key, spelled
from stoma.collectors.pages import Asked, conditions, kept, validators
from stoma.errors import SourceRefused
from stoma.references import remember
from tests.support.budget import START

URL = "https://api.example/items?page=2"
DATE = "Mon, 23 Nov 2026 08:00:00 GMT"


class TestKeys:
    def test_what_makes_another_request(self):
        key = request_key("GET", URL)
        assert key == request_key("get", spelled("https://api.example/items", {"page": 2}), {"X-Other": "1"})
        others = {
            key,
            request_key("GET", URL + "0"),
            request_key("GET", URL, {"accept": "application/json"}),
            request_key("POST", URL),
            request_key("POST", URL, body=b"{}"),
            request_key("POST", URL, body=b"\xff"),
        }
        assert len(others) == 6
        assert request_key("GET", URL, {"ACCEPT": "a/b"}) == request_key("GET", URL, {"Accept": "a/b"})

    def test_a_new_secret_makes_no_other_request(self):
        keys = set()
        for secret in ("first-secret-of-all", "second-secret-then"):
            remember(secret, "${env:ROTATED}")
            keys.add(request_key("POST", f"{URL}&key={secret}", body=f'{{"key": "{secret}"}}'.encode()))
        assert len(keys) == 1


class TestValidators:
    @pytest.mark.parametrize(
        ("headers", "etag", "modified"),
        [
            ({"etag": '"abc"', "last-modified": DATE}, '"abc"', DATE),
            ({"etag": 'W/"abc"'}, 'W/"abc"', ""),
            ({"etag": " bare "}, "bare", ""),
            ({"last-modified": DATE}, "", DATE),
            ({"etag": '"a\x07b"'}, "", ""),
            ({"etag": '"a\nb"'}, "", ""),
            ({"etag": '"' + "x" * 1025 + '"'}, "", ""),
            ({"last-modified": "yesterday"}, "", ""),
            ({"last-modified": "0"}, "", ""),
            ({}, "", ""),
        ],
    )
    def test_odd_ones_are_left_out(self, headers: dict[str, str], etag: str, modified: str):
        assert validators(headers) == (etag, modified)

    def test_what_is_sent_back(self):
        assert conditions(Validator('W/"a"', DATE, 3)) == {
            "If-None-Match": 'W/"a"',
            "If-Modified-Since": DATE,
        }
        assert conditions(Validator("", DATE, 3)) == {"If-Modified-Since": DATE}
        assert conditions(Validator("", "", 3)) == {}


def asked(method: str = "GET", url: str = URL, body: bytes | None = None, **headers: str) -> Asked:
    return Asked(method, url, {name.replace("_", "-"): value for name, value in headers.items()}, body, "key")


SECRETS = {"Authorization": "Bearer t", "X_Api_Key": "k", "Cookie": "c=1"}


class TestRedirects:
    @pytest.mark.parametrize(
        "to",
        [
            "https://other.example/",
            "http://api.example/",
            "https://api.example:8443/",
            "https://sub.api.example/",
        ],
    )
    def test_no_credential_goes_to_another_place(self, to: str):
        there = asked(**SECRETS, Accept="a/b", If_None_Match='"x"').led_to(urlsplit(to), 302, shown=URL)
        assert there.url == to
        # By its validators the page is known wherever it lies.
        assert set(there.headers) == {"Accept", "If-None-Match"}

    def test_nor_back_once_it_was_elsewhere(self):
        there = asked(**SECRETS).led_to(urlsplit("https://other.example/"), 302, shown=URL)
        back = there.led_to(urlsplit(URL), 302, shown=URL)
        assert back.headers == {}

    def test_within_a_place_all_goes_along(self):
        there = asked(**SECRETS).led_to(urlsplit("https://api.example/b"), 307, shown=URL)
        assert set(there.headers) == {"Authorization", "X-Api-Key", "Cookie"}

    @pytest.mark.parametrize(
        ("status", "method", "body"),
        [
            (301, "GET", None),
            (302, "GET", None),
            (303, "GET", None),
            (307, "POST", b"{}"),
            (308, "POST", b"{}"),
        ],
    )
    def test_a_body_goes_along_where_the_same_is_asked(self, status: int, method: str, body: bytes | None):
        target = urlsplit("https://api.example/b")
        there = asked("POST", body=b"{}", Content_Type="a/b").led_to(target, status, shown=URL)
        assert (there.method, there.body) == (method, body)
        assert ("Content-Type" in there.headers) == (body is not None)

    def test_a_body_goes_to_no_other_place(self):
        with pytest.raises(SourceRefused, match=r"to another place, https://other\.example") as refused:
            asked("POST", body=b"{}").led_to(urlsplit("https://other.example/"), 308, shown=URL)
        assert "new address" in refused.value.hint
        there = asked("POST", body=b"{}", Content_Type="a/b").led_to(
            urlsplit("https://other.example/"), 303, shown=URL
        )
        assert (there.method, there.body, there.headers) == ("GET", None, {})

    @pytest.mark.parametrize(
        ("statuses", "moved"),
        [((301,), True), ((308, 301), True), ((302,), False), ((301, 307), False), ((302, 301), False)],
    )
    def test_it_has_moved_when_all_redirects_are_for_good(self, statuses: tuple[int, ...], moved: bool):
        page = asked()
        for number, status in enumerate(statuses):
            page = page.led_to(urlsplit(f"https://api.example/{number}"), status, shown=URL)
        assert page.moved_to == (page.url if moved else None)


def test_what_is_kept_of_an_answer():
    remember("s3cret-in-a-link", "${env:KEY}")
    headers = {
        "content-type": "application/json", "link": "</x?key=s3cret-in-a-link>; rel=next", "etag": '"1"',
        "last-modified": DATE, "date": DATE, "x-ratelimit-remaining": "3", "set-cookie": "id=1", "server": "x",
    }  # fmt: skip
    page = kept("k", Response("https://me:pw@api.example/?key=s3cret-in-a-link", 200, headers, b"[]", START))
    assert (page.key, page.status, page.body, page.fetched_at) == ("k", 200, b"[]", START)
    assert page.url == "https://…@api.example/?key=${env:KEY}"
    assert set(page.headers) == {
        "content-type",
        "link",
        "etag",
        "last-modified",
        "date",
        "x-ratelimit-remaining",
    }
    assert page.headers["link"] == "</x?key=${env:KEY}>; rel=next"
