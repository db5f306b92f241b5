"""Answers that should be JSON: what is read all the same, what is refused, and where the items lie."""

from __future__ import annotations

import json
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stoma.collectors.answers import Response
from stoma.collectors.http_json_answers import complaint, items_of, packed, read_json, reason
from stoma.errors import BadAnswer, UsageError
from stoma.paths import path_of

NOW = datetime(2026, 11, 23, tzinfo=UTC)
LINES = "application/x-ndjson"


def answer(body: bytes, kind: str = "", status: int = 200, url: str = "https://a.org/x") -> Response:
    return Response(url, status, {"content-type": kind}, body, NOW)


def read(body: bytes, kind: str = "", **given: Any) -> Any:
    return read_json(answer(body, kind, **given))


@pytest.mark.parametrize("kind", ["application/json", "text/html", "text/plain; charset=latin-1", ""])
def test_the_content_type_does_not_matter_where_it_is_json(kind: str) -> None:
    assert read('{"é": [1]}'.encode(), kind) == {"é": [1]}


def test_numbers_beyond_64_bits_are_the_text_of_their_digits() -> None:
    found = read(
        b"[9223372036854775807, 9223372036854775808, -12345678901234567890123, 0.12345678901234567890]"
    )
    assert found == [2**63 - 1, "9223372036854775808", "-12345678901234567890123", 0.12345678901234567890]
    assert read(b"[" + b"9" * 5_000 + b"]") == ["9" * 5_000]


@pytest.mark.parametrize("mark", [b"\xef\xbb\xbf", b""])
def test_a_byte_order_mark_is_no_fault(mark: bytes) -> None:
    assert read(mark + b" [1]") == [1]


def test_other_encodings() -> None:
    assert read('["é"]'.encode("utf-16")) == ["é"]
    assert read('["é"]'.encode("latin-1"), "application/json; charset=ISO-8859-1") == ["é"]
    for kind in ("application/json", "application/json; charset=utf-8", "application/json; charset=klingon"):
        with pytest.raises(BadAnswer, match=r"it is not (UTF-8|klingon)"):
            read('["é"]'.encode("latin-1"), kind)


def test_half_of_a_letter_is_no_fault() -> None:
    assert read(b'["\\ud800"]') == ["\ud800"]


@pytest.mark.parametrize("kind", [LINES, "application/jsonl", "application/x-json-lines", "text/plain"])
def test_lines_of_json(kind: str) -> None:
    assert read(b'{"id": 1}\n\n{"id": 2}\r\n', kind) == [{"id": 1}, {"id": 2}]


def test_one_line_is_one_item_where_it_is_said_to_be_lines() -> None:
    assert read(b'{"id": 1}\n', LINES) == [{"id": 1}]
    assert read(b'{"id": 1}', "text/plain", url="https://a.org/dump.ndjson?x=1") == [{"id": 1}]
    assert read(b'{"id": 1}\n', "application/json") == {"id": 1}
    assert read(b"[1, 2]", LINES) == [1, 2]
    assert read(b"", LINES) == []


@pytest.mark.parametrize("kind", [LINES, ""])
def test_a_broken_line_is_named(kind: str) -> None:
    with pytest.raises(BadAnswer, match="line 3 is not JSON"):
        read(b'{"id": 1}\n\n{"id": 2', kind)


def test_no_content_is_an_empty_list() -> None:
    assert read(b"", status=204) == []


@pytest.mark.parametrize(
    ("body", "told"),
    [
        (b"", "answers with nothing, expected JSON"),
        (b" \n", "answers with nothing"),
        (
            b"<!DOCTYPE html><title>Down</title><p>Back <b>soon</b>",
            "a page for people instead of JSON; it says: ",
        ),
        (b"\xef\xbb\xbf  <?xml version='1.0'?><error>no</error>", "instead of JSON; it says: no"),
        (b'{"a": [NaN]}', "NaN is no JSON"),
        (b"[-Infinity]", "-Infinity is no JSON"),
        (b"[1e999]", "1e999 is too large"),
        (b'{"a": [1, 2', "line 1 column 12); it begins '{\"a\": [1, 2'"),
        (b"callback([1])", "is not JSON"),
        (b"[" * 100_000, "is nested too deeply"),
    ],
)
def test_what_is_no_json(body: bytes, told: str) -> None:
    with pytest.raises(BadAnswer) as error:
        read(body)
    assert told in error.value.message
    assert error.value.message.startswith("https://a.org/x")
    assert len(error.value.message) < 300


texts = st.text(st.characters(codec="utf-8"))
numbers = st.integers(-(2**63), 2**63 - 1) | st.floats(allow_nan=False, allow_infinity=False)
values = st.recursive(
    st.none() | st.booleans() | numbers | texts,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(texts, inner, max_size=4),
)


@given(values)
def test_any_value_comes_through(value: Any) -> None:
    assert read(json.dumps(value).encode()) == value
    assert packed(value) == packed(json.loads(json.dumps(value)))


@given(st.binary(max_size=60))
def test_any_bytes_are_json_or_a_bad_answer(body: bytes) -> None:
    with suppress(BadAnswer):
        read(body)


# -- items ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("value", "path", "found"),
    [
        ([1, 2], None, [1, 2]),
        ({"n": 1, "rows": [1]}, None, [1]),
        ({"a": {"b": {"c": []}}}, None, []),
        ({"rows": [1], "errors": []}, None, [1]),
        ({"a": {"b": [1]}, "c": [2]}, "a.b", [1]),
        ({"a": {"b": None}}, "a.b", []),
        ({"id": 5}, "@", [{"id": 5}]),
        ({"0": {"id": 5}, "1": {"id": 6}}, "*", [{"id": 5}, {"id": 6}]),
        ({}, "rows || `[]`", []),
    ],
)
def test_where_the_items_lie(value: Any, path: str | None, found: list[Any]) -> None:
    items, used = items_of(value, path_of(path) if path else None, "x")
    assert items == found
    assert used is not None
    assert used.find(value) in (found, None, {"id": 5})


@pytest.mark.parametrize(
    ("value", "path", "told"),
    [
        ({"id": 1, "name": "x"}, None, "there is no list in the answer; it has id and name"),
        ({}, None, "; it has nothing"),
        (5, None, "; it is a int"),
        ({"error": {"message": "quota"}}, None, "there is no list in the answer; it says: quota"),
        ({"errors": ["quota", "rest"]}, None, "it says: quota; rest"),
        ({"rows": []}, "data", "items: data leads to nothing, expected a list; there are lists at rows"),
        ({"data": 5}, "data", "items: data leads to a int, expected a list; it has data"),
        ({"data": 5}, "length(data)", "items: length(data) cannot be found"),
    ],
)
def test_items_that_are_not_there(value: Any, path: str | None, told: str) -> None:
    with pytest.raises(BadAnswer) as error:
        items_of(value, path_of(path) if path else None, "x")
    assert told in error.value.message


def test_what_to_write_where_a_missing_list_means_an_empty_one() -> None:
    with pytest.raises(BadAnswer) as error:
        items_of({}, path_of("data.rows"), "x")
    assert error.value.hint == "where a missing list means an empty one, write items: data.rows || `[]`"


# -- which list, where nobody says so ------------------------------------------------------------------------

ITEM = {"a": 1}
LISTS: dict[str, tuple[Any, str]] = {
    "mediawiki": (
        {"batchcomplete": "", "continue": {"sroffset": 1}, "query": {"searchinfo": {}, "search": [ITEM]}},
        "query.search",
    ),
    "nvd": (
        {"resultsPerPage": 1, "startIndex": 0, "totalResults": 1, "format": "F", "version": "2", "timestamp": "t",
         "vulnerabilities": [ITEM]},
        "vulnerabilities",
    ),
    "cisa kev": (
        {"title": "T", "catalogVersion": "1", "dateReleased": "d", "count": 1, "vulnerabilities": [ITEM]},
        "vulnerabilities",
    ),
    "reddit": (
        {"kind": "Listing", "data": {"after": "x", "dist": 1, "modhash": "", "geo_filter": None,
         "children": [ITEM], "before": None}},
        "data.children",
    ),
    "zenodo": (
        {"hits": {"hits": [ITEM], "total": 1}, "aggregations": {"kind": {"buckets": [ITEM]}}, "links": {"self": "u"}},
        "hits.hits",
    ),
    "jira": ({"expand": "x", "startAt": 0, "maxResults": 50, "total": 1, "issues": [ITEM]}, "issues"),
    "openalex": ({"meta": {"count": 1}, "results": [ITEM], "group_by": []}, "results"),
    "gbif": ({"offset": 0, "limit": 1, "endOfRecords": True, "results": [ITEM], "facets": []}, "results"),
    "gbif, with facets": ({"results": [ITEM], "facets": [{"field": "F", "counts": [ITEM]}]}, "results"),
    "usgs": (
        {"type": "FeatureCollection", "metadata": {"url": "u"}, "features": [ITEM], "bbox": [1, 2, 3]},
        "features",
    ),
    "coingecko": ({"name": "Coin", "languages": 2, "tickers": [ITEM]}, "tickers"),
    "drive": ({"kind": "list", "incompleteSearch": False, "nextPageToken": "t", "files": [ITEM]}, "files"),
    "ords": ({"items": [ITEM], "hasMore": False, "links": [{"rel": "self"}]}, "items"),
    "scalars in the usual envelope": ({"status": "success", "message": ["x"], "warnings": []}, "message"),
    "numbers beside objects": ({"scale": [1, 2], "words": ["x"], "observations": [ITEM]}, "observations"),
}  # fmt: skip


@pytest.mark.parametrize("name", LISTS)
def test_the_only_list_of_objects_is_taken(name: str) -> None:
    value, path = LISTS[name]
    items, used = items_of(value, None, "x")
    assert used is not None
    assert (used.text, items) == (path, path_of(path).find(value))
    assert len(items) == 1


@pytest.mark.parametrize(
    ("value", "path"),
    [
        ({"title": "T", "catalogVersion": "1", "count": 0, "vulnerabilities": []}, "vulnerabilities"),
        ({"meta": {"count": 0}, "results": [], "group_by": []}, "results"),
        ({"results": [], "facets": [{"field": "F", "counts": [ITEM]}]}, "results"),
        ({"features": [], "bbox": [1, 2]}, "features"),
        ({"items": [], "links": [{"rel": "self"}]}, "items"),
        # Nobody can tell which, and nobody needs to yet.
        ({"coins": [], "exchanges": []}, None),
    ],
)
def test_an_empty_list_is_a_good_empty_answer(value: Any, path: str | None) -> None:
    items, used = items_of(value, None, "x")
    assert (items, used and used.text) == ([], path)


PART = "or a part of one item"
SEVERAL = "several lists"
DOUBTS: dict[str, tuple[Any, str]] = {
    "openweather": ({"coord": {}, "weather": [ITEM], "main": {}, "id": 5, "name": "Bonn"}, PART),
    "openweather without id": ({"coord": {}, "weather": [ITEM], "main": {}, "name": "Bonn"}, PART),
    "one line": ({"id": 1, "title": "T", "tags": ["a"]}, PART),
    "one line of an address": ({"url": "u", "tags": ["a"]}, PART),
    "one line, no tags": ({"title": "T", "tags": [], "authors": []}, PART),
    "an item with offers": ({"title": "T", "tags": ["a"], "offers": [ITEM]}, PART),
    "openlibrary work": ({"key": "/w/1", "title": "T", "covers": [1], "authors": [ITEM]}, PART),
    "own _id": ({"data": {"_id": "x", "comments": [ITEM]}}, PART),
    "an empty part": ({"id": 5, "comments": []}, PART),
    "two of objects": ({"coins": [ITEM], "exchanges": [ITEM], "nfts": []}, SEVERAL),
    "coingecko chart": ({"prices": [[1, 2]], "market_caps": [[1, 2]]}, SEVERAL),
    "open-meteo": ({"latitude": 5, "hourly_units": {}, "hourly": {"time": ["t"], "rain": [0.5]}}, SEVERAL),
    "pubmed": (
        {"header": {}, "esearchresult": {"count": "1", "retmax": "1", "idlist": ["5"], "translationset": [ITEM]}},
        PART,
    ),
    "proposals in place of results": ({"results": [], "suggestions": [ITEM]}, SEVERAL),
}  # fmt: skip


@pytest.mark.parametrize("name", DOUBTS)
def test_what_may_be_one_item_or_another_list_is_not_guessed(name: str) -> None:
    value, words = DOUBTS[name]
    with pytest.raises(UsageError) as error:
        items_of(value, None, "x")
    assert words in error.value.message
    assert 'items: "@"' in error.value.hint
    assert "lines: true" in error.value.hint


def test_columns_of_a_table_are_proposed_as_such() -> None:
    with pytest.raises(UsageError) as error:
        items_of(DOUBTS["open-meteo"][0], None, "x")
    assert "items: {columns: hourly};" in error.value.hint


# -- true answers --------------------------------------------------------------------------------------------


def test_true_answers(recorded: Path) -> None:
    def read_file(name: str) -> Any:
        return read((recorded / name).read_bytes())

    search = read_file("github/search_2014_repos_python_p1.json")
    assert len(items_of(search, None, "x")[0]) == 30
    feed = read_file("feeds/inessential.json")
    found, path = items_of(feed, None, "x")
    assert path is not None
    assert (len(found), path.text) == (20, "items")
    tickers = items_of(read_file("sec_edgar/company_tickers.json"), path_of("*"), "x")[0]
    assert {"cik_str", "ticker", "title"} <= tickers[0].keys()
    # Parallel arrays are no items; which of them is meant nobody can tell.
    submissions = read_file("sec_edgar/submissions_CIK0000350001_no_filings.json")
    with pytest.raises(UsageError, match=r"has several lists: .*filings\.recent\.accessionNumber"):
        items_of(submissions, None, "x")
    with pytest.raises(BadAnswer, match="is not JSON"):
        read_file("feeds/allthis-partial_truncated.json")


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("error_401_bad_credentials", "Bad credentials"),
        ("error_404_not_found", "Not Found"),
        ("error_422_validation_failed", "Validation Failed"),
    ],
)
def test_true_refusals_are_quoted(recorded: Path, name: str, said: str) -> None:
    assert said in reason(answer((recorded / "github" / f"{name}.json").read_bytes()))


@pytest.mark.parametrize(
    ("value", "said"),
    [
        ({"error": "invalid_token", "error_description": "it has expired."}, "invalid_token; it has expired"),
        ({"title": "Bad Request", "detail": "no such day"}, "no such day; Bad Request"),
        ({"errors": [{"code": 1, "message": "a"}, {"message": "b"}]}, "a; b"),
        ({"error": {"error": {"error": {"error": {"error": "deep"}}}}}, ""),
        ({"id": 1}, ""),
        ([], ""),
    ],
)
def test_what_a_complaint_says(value: Any, said: str) -> None:
    assert complaint(value) == said
