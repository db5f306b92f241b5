"""One request of a declared source: how parameters, headers and bodies are put together, and where links may lead."""

from __future__ import annotations

import json
from typing import Any

import pytest

from stoma.collectors.http_json_paging import Paging, Place, next_link
from stoma.collectors.http_json_request import Question, check_auth, check_header
from stoma.errors import SourceRefused
from stoma.references import mask

URL = "https://a.org/v1/items"


def asked(
    config: dict[str, Any], values: dict[str, Any] | None = None, link: str = ""
) -> tuple[str, bytes | None]:
    return Question.of({"url": URL, **config}).asked(values or {}, link)


@pytest.mark.parametrize(
    ("config", "values", "url"),
    [
        ({}, {}, URL),
        ({"params": {"b": True, "n": 1, "f": 0.5, "t": "a b&c"}}, {}, f"{URL}?b=true&n=1&f=0.5&t=a+b%26c"),
        ({"params": {"label": ["x", "y", False]}}, {}, f"{URL}?label=x&label=y&label=false"),
        ({"params": {"page": 7, "q": "x"}}, {"page": 2}, f"{URL}?page=2&q=x"),
        # What stands in the address stays as it is spelled, unless something of its name is sent.
        ({"url": f"{URL}?fields=a,b&page=1&x#top"}, {"page": 2}, f"{URL}?fields=a,b&x&page=2"),
        ({"url": f"{URL}?since=a", "params": {"since": "b"}}, {}, f"{URL}?since=b"),
        ({"url": "https://a.org"}, {"page": 1}, "https://a.org?page=1"),
        ({"base_url": "http://127.0.0.1:1/api/"}, {}, "http://127.0.0.1:1/api/v1/items"),
        ({"url": f"{URL}?a=1", "base_url": "http://b.org"}, {"p": 2}, "http://b.org/v1/items?a=1&p=2"),
    ],
)
def test_addresses(config: dict[str, Any], values: dict[str, Any], url: str) -> None:
    assert asked(config, values) == (url, None)


def test_values_go_into_a_body_that_is_a_mapping() -> None:
    config = {"body": {"query": "…", "variables": {"first": 5, "after": None}, "list": [1]}}
    url, body = asked(config, {"variables.after": "abc", "filter.since": 5})
    assert url == URL
    assert json.loads(body) == {
        "query": "…", "variables": {"first": 5, "after": "abc"}, "list": [1], "filter": {"since": 5},
    }  # fmt: skip
    assert config["body"]["variables"] == {"first": 5, "after": None}
    # Anything else has no place for them.
    assert asked({"body": [1]}, {"page": 2}) == (f"{URL}?page=2", b"[1]")
    assert asked({"method": "POST"}, {"page": 2}) == (f"{URL}?page=2", None)


def test_a_link_has_what_is_needed_but_for_secrets_and_bodies() -> None:
    config = {"auth": {"query": {"name": "key", "value": "k1"}}, "params": {"a": 1}}
    assert asked(config, {"page": 3}, "/v1/items?cursor=x") == (
        "https://a.org/v1/items?cursor=x&key=k1",
        None,
    )
    assert asked({"body": {"a": 1}}, {"since": 3}, "/p2") == ("https://a.org/p2", b'{"a":1,"since":3}')


def test_names_and_passwords_in_the_address_stay_ours() -> None:
    question = Question.of({"url": "https://me:pw@a.org/items"})
    assert question.leads_on("https://a.org/items", "https://you:x@a.org/p2", "x") == "/p2"
    assert question.asked({}, "/p2")[0] == "https://me:pw@a.org/p2"


@pytest.mark.parametrize(
    ("given", "method"),
    [({}, "GET"), ({"body": {}}, "POST"), ({"method": "POST"}, "POST"), ({"method": "GET"}, "GET")],
)
def test_a_body_is_posted(given: dict[str, Any], method: str) -> None:
    assert Question.of({"url": URL, **given}).method == method


def test_headers_are_replaced_however_they_are_written() -> None:
    config = {"headers": {"ACCEPT": "x/y", "authorization": "mine"}, "auth": {"bearer": "t0ken"}, "body": {}}
    assert Question.of({"url": URL, **config}).headers == {
        "Content-Type": "application/json",
        "ACCEPT": "x/y",
        "Authorization": "Bearer t0ken",
    }


def test_a_password_is_masked_in_its_encoded_form_too(monkeypatch: pytest.MonkeyPatch, tmp_path: Any) -> None:
    from stoma.references import resolve

    monkeypatch.setenv("PASSWORD", "pässword")
    auth = resolve({"basic": {"user": "me", "password": "${env:PASSWORD}"}}, tmp_path)
    value = Question.of({"url": URL, "auth": auth}).headers["Authorization"]
    assert value == "Basic bWU6cMOkc3N3b3Jk"
    assert mask(f"echo: {value}") == "echo: Basic ${env:PASSWORD}"


@pytest.mark.parametrize(
    ("target", "link"),
    [
        ("https://a.org/v1/items?page=2", "/v1/items?page=2"),
        ("https://A.org:443/v1/items?page=2#x", "/v1/items?page=2"),
        ("?page=2", "/v1/items?page=2"),
        ("more", "/v1/more"),
        ("/x?b=1&api_key=zzz&c=%2F", "/x?b=1&c=%2F"),
        ("https://a.org", "/"),
    ],
)
def test_links_that_are_followed(target: str, link: str) -> None:
    question = Question.of({"url": URL, "auth": {"query": {"name": "api_key", "value": "s"}}})
    assert question.leads_on(f"{URL}?page=1", target, "x") == link


@pytest.mark.parametrize(
    "target",
    ["http://a.org/x", "https://b.org/x", "https://a.org:8443/x", "//b.org/x", "https://a.org.evil.org/x",
     "https://a.org@evil.org/x", "ftp://a.org/x", "javascript:x", "https://[::1", "https://a.org:port/x"],
)  # fmt: skip
def test_links_that_are_not_followed(target: str) -> None:
    with pytest.raises(SourceRefused, match="goes on at"):
        Question.of({"url": URL}).leads_on(URL, target, "the page")


@pytest.mark.parametrize("name", ["Host", "USER-AGENT", "content-length", "If-None-Match", "Accept-Encoding"])
def test_headers_of_the_connection_are_not_the_tasks(name: str) -> None:
    with pytest.raises(ValueError, match="is set by Stoma itself"):
        check_header(name)
    check_header("Accept")


def test_one_credential_is_enough() -> None:
    check_auth({"bearer": "x"})
    for auth in ({}, {"bearer": "x", "basic": {}}):
        with pytest.raises(ValueError, match="expected one of bearer, basic, header or query"):
            check_auth(auth)


# -- the Link header -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("header", "target"),
    [
        ('<https://a.org/?p=2>; rel="next", <https://a.org/?p=9>; rel="last"', "https://a.org/?p=2"),
        ('<https://a.org/?p=9>; rel="last", <https://a.org/?p=2>; rel="next"', "https://a.org/?p=2"),
        ("</x>;rel=next", "/x"),
        ('</x,y;z>; title="a, b; rel=prev"; rel="last NEXT"', "/x,y;z"),
        ('</a>; rel="prev",</b>; rel = "next"', "/b"),
        ("<>; rel=next", ""),
        ('</x>; rel="nextish"', None),
        ('</x>; title="rel=next"', None),
        ("</x>", None),
        ("", None),
        ("garbage; rel=next", None),
    ],
)
def test_the_next_link(header: str, target: str | None) -> None:
    assert next_link(header) == target


# -- forms of paging -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("given", "values"),
    [
        ("page", {"page": 1}),
        ({"page": None}, {"page": 1}),
        ({"page": {"param": "p", "start": 0, "size_param": "n", "size": 50}}, {"p": 0, "n": 50}),
        ({"page": {"size": 50}}, {"page": 1}),
        ("offset", {"offset": 0}),
        ({"offset": {"param": "skip", "size_param": "take", "size": 5}}, {"skip": 0, "take": 5}),
        ({"cursor": {"param": "after", "path": "next"}}, {}),
        ("link_header", {}),
        ({"next_url": "next"}, {}),
        (None, {}),
    ],
)
def test_what_the_first_page_is_asked_by(given: Any, values: dict[str, Any]) -> None:
    paging = Paging.of(given)
    assert paging.values(paging.place(None)) == values


@pytest.mark.parametrize("kind", ["page", "offset", "cursor"])
def test_a_token_tells_its_place(kind: str) -> None:
    paging = Paging.of({kind: {"param": "p", "path": "x"}})
    here = Place(4, None, 100, 300, 300, 900)
    behind = Place(0, "abc", 100, 400, 400, 900)
    place = paging.place(json.loads(json.dumps(paging.token(here, behind))))
    assert place == (behind if kind == "cursor" else here)
