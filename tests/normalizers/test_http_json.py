"""Items of declared sources as records: named fields, guesses, keys, casts, and what is rejected with which reason."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stoma.errors import UsageError
from stoma.log import logger
from stoma.normalizers.http_json import HttpJsonNormalizer
from stoma.records import CollectorResult, Record, Reject, checked, sealed
from stoma.scheduler.normalizing import normalize

NINE = datetime(2026, 11, 23, 9, tzinfo=UTC)
PAGE = "https://a.org/v1/items?page=1"


def result(*items: Any) -> CollectorResult:
    return CollectorResult("mine", items, PAGE, NINE)


def one(item: Any, **config: Any) -> Any:
    """What becomes of one item."""
    [found] = HttpJsonNormalizer().prepared(config).normalize(result(item))
    return checked(found) if isinstance(found, Record) else found


# -- named fields --------------------------------------------------------------------------------------------

ITEM = {
    "id": 7,
    "full_name": " a/b\n c ",
    "owner": {"login": "jo", "id": 1},
    "people": [{"name": "Jo"}, {"login": "kim"}, "Lee", "Jo", {"id": 5}],
    "topics": ["x", "y"],
    "links": {"html": "/r/7"},
    "created": 1795424400,
    "pushed": "Mon, 23 Nov 2026 04:00:00 EST",
    "stats": {"stars": "12", "score": 0.5},
    "flag": "yes",
    "csv": "2.02, 9.01,,",
}


def test_named_fields_and_nothing_else() -> None:
    record = one(
        ITEM,
        fields={
            "title": "full_name", "summary": {"default": "none"}, "url": "links.html", "authors": "people",
            "tags": "topics", "published_at": "created", "updated_at": "pushed", "kind": {"default": "repository"},
            "owner": "owner.login", "both": "[id, flag]", "missing": "nowhere",
        },
        measures={"stars": "stats.stars", "score": "stats.score", "forks": "stats.forks"},
    )  # fmt: skip
    assert record == Record(
        source="mine",
        external_id="7",
        kind="repository",
        title="a/b c",
        summary="none",
        url="https://a.org/r/7",
        authors=("Jo", "kim", "Lee"),
        tags=("x", "y"),
        published_at=NINE,
        updated_at=NINE,
        attributes={"owner": "jo", "both": [7, "yes"]},
        measures={"stars": 12, "score": 0.5},
    )


@pytest.mark.parametrize(
    ("cast", "value", "found"),
    [
        ("int", "12", 12), ("int", 12.0, 12), ("int", "12.0", 12), ("int", True, 1),
        ("int", "9007199254740993", 2**53 + 1),
        ("float", "1e3", 1000.0), ("float", 2, 2.0),
        ("str", 5, "5"), ("str", True, "true"), ("str", {"a": [1]}, '{"a":[1]}'), ("str", "x", "x"),
        ("bool", "yes", True), ("bool", 0, False), ("bool", "False", False), ("bool", True, True),
        ("date", "2026-11-23", "2026-11-23T00:00:00Z"), ("date", 1795424400.25, "2026-11-23T09:00:00.250000Z"),
        ("list", "2.02, 9.01,,", ["2.02", "9.01"]), ("list", [1], [1]), ("list", 5, [5]),
    ],
)  # fmt: skip
def test_casts(cast: str, value: Any, found: Any) -> None:
    record = one({"id": 1, "v": value}, fields={"v": {"path": "v", "cast": cast}})
    assert record.attributes["v"] == found
    assert type(record.attributes["v"]) is type(found)


@pytest.mark.parametrize(
    ("cast", "value", "reason"),
    [
        ("int", "x", "v: found x, expected a whole number"),
        ("int", 1.5, "v: found 1.5, expected a whole number of at most 64 bits"),
        ("int", 2**63, "expected a whole number of at most 64 bits"),
        ("int", [1], "v: found a list, expected a whole number"),
        ("float", "nan", "v: found nan, expected a number"),
        ("bool", "maybe", "v: found maybe, expected true or false"),
        ("date", "soon", 'v: "soon" is not a date'),
    ],
)
def test_what_cannot_be_cast_is_rejected_unless_there_is_a_default(
    cast: str, value: Any, reason: str
) -> None:
    rejected = one({"id": 1, "v": value}, fields={"v": {"path": "v", "cast": cast}})
    assert isinstance(rejected, Reject)
    assert reason in rejected.reason
    assert rejected.item == {"id": 1, "v": value}
    assert one({"id": 1, "v": value}, fields={"v": {"path": "v", "cast": cast, "default": 5}}).attributes == {
        "v": 5
    }


def test_a_default_stands_for_what_is_missing() -> None:
    fields = {
        "title": {"path": "t", "default": "Untitled"},
        "published_at": {"path": "p", "default": "2026-11-23"},
    }
    record = one({"id": 1, "t": None}, fields=fields)
    assert (record.title, record.published_at) == ("Untitled", datetime(2026, 11, 23, tzinfo=UTC))
    assert one({"id": 1, "t": ""}, fields=fields).title == ""


@pytest.mark.parametrize(
    ("field", "value", "reason"),
    [
        ("title", ["a"], "title: found a list, expected text"),
        ("title", {"rendered": "x"}, "title: found a mapping, expected text"),
        ("url", True, "url: found True, expected text"),
        ("published_at", "tomorrow", 'published_at: "tomorrow" is not a date'),
        ("tags", [["a"]], "tags: found a list, expected text"),
    ],
)
def test_fields_of_another_kind_are_rejected(field: str, value: Any, reason: str) -> None:
    rejected = one({"id": 1, "v": value}, fields={field: "v"})
    assert isinstance(rejected, Reject)
    assert rejected.reason == reason


@pytest.mark.parametrize(
    ("value", "reason"),
    [("many", "stars: found many, expected a number"), (True, "expected a number"), ([], "found a list")],
)
def test_a_measure_is_a_number(value: Any, reason: str) -> None:
    rejected = one({"id": 1, "v": value}, measures={"stars": "v"})
    assert reason in rejected.reason
    assert one({"id": 1, "v": None}, measures={"stars": "v"}).measures == {}


def test_what_is_only_measured_is_no_new_version() -> None:
    config = {"measures": {"stars": "stats.stars", "n": "n", "x": "list[0]"}}
    before = one({"id": 1, "n": 1, "stats": {"stars": 5, "rank": 2}, "list": [1]}, **config)
    after = one({"id": 1, "n": 2, "stats": {"stars": 6, "rank": 2}, "list": [1]}, **config)
    assert before.attributes == {"id": 1, "stats": {"rank": 2}, "list": [1]}
    assert (after.measures, sealed(before)[1]) == ({"stars": 6, "n": 2, "x": 1}, sealed(after)[1])


# -- guesses -------------------------------------------------------------------------------------------------


def test_without_fields_the_whole_item_is_kept() -> None:
    item = {
        "id": "x1",
        "name": "N  n",
        "description": "D",
        "url": "https://a.org/1",
        "created_at": "2026-11-23T09:00:00Z",
    }
    record = one(item)
    assert (record.external_id, record.title, record.summary, record.url) == (
        "x1",
        "N n",
        "D",
        "https://a.org/1",
    )
    assert (record.published_at, record.updated_at, record.kind) == (NINE, None, "entry")
    assert record.attributes == item


def test_a_guess_that_is_none_is_left_out() -> None:
    record = one(
        {
            "id": 1,
            "title": {"rendered": "x"},
            "name": 5,
            "url": "ftp://x",
            "link": "/rel",
            "date": "soon",
            "body": "",
        }
    )
    assert (record.title, record.url, record.summary, record.published_at) == ("", "", "", None)
    # The address for people goes before that of the API.
    assert (
        one({"id": 1, "url": "https://api.a.org/1", "html_url": "https://a.org/1"}).url == "https://a.org/1"
    )


def test_true_items(recorded: Path) -> None:
    search = json.loads((recorded / "github" / "search_2014_repos_python_p1.json").read_bytes())
    records, rejects = normalize(
        HttpJsonNormalizer({"measures": {"stars": "stargazers_count"}}), result(*search["items"])
    )
    assert (len(records), rejects) == (30, [])
    first = records[0][0]
    assert (first.external_id, first.title) == ("1951148", "kennethreitz/legit")
    assert first.url == "https://github.com/kennethreitz/legit"
    assert None not in (first.published_at, first.updated_at)
    assert first.measures == {"stars": search["items"][0]["stargazers_count"]}
    assert "stargazers_count" not in first.attributes
    feed = json.loads((recorded / "feeds" / "inessential.json").read_bytes())
    records, rejects = normalize(HttpJsonNormalizer(), result(*feed["items"]))
    assert (len(records), rejects) == (len(feed["items"]), [])
    assert all(record.title and record.url and record.published_at for record, _ in records)


# -- keys ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("item", "key", "found"),
    [
        ({"id": 5, "uuid": "u"}, None, "5"),
        ({"id": None, "uuid": "u"}, None, "u"),
        ({"_id": "m1"}, None, "m1"),
        ({"id": 0}, None, "0"),
        ({"id": {"$oid": "x"}, "url": "https://a.org/5"}, None, "https://a.org/5"),
        ({"html_url": "https://a.org/5"}, None, "https://a.org/5"),
        ({"id": 5, "a": {"b": " x "}}, "a.b", "x"),
        ({"id": 5, "n": 2.5}, "n", "2.5"),
        ({"repo": "a:b", "n": 5}, ["repo", "n"], "a%3Ab:5"),
        ({"repo": "a", "n": "b:5"}, ["repo", "n"], "a:b%3A5"),
        ({"repo": "100%", "n": 1}, ["repo", "n"], "100%25:1"),
        ({"repo": "a:b%"}, "repo", "a:b%"),
        ("word", None, "word"),
        (12, None, "12"),
        ([1795424400, "1.5"], "value[0]", "1795424400"),
        ({"value": "x", "id": 3}, None, "3"),
    ],
)
def test_what_makes_an_item_unique(item: Any, key: Any, found: str) -> None:
    assert one(item, **({"key": key} if key else {})).external_id == found


def test_the_mapped_url_is_the_key_where_there_is_no_other() -> None:
    assert one({"slug": "/a/b"}, fields={"url": "slug"}).external_id == "https://a.org/a/b"


@pytest.mark.parametrize(
    ("item", "key", "reason"),
    [
        (
            {"name": "x"},
            None,
            "it has no id, _id, uuid, guid or url; name the field that makes it unique: key",
        ),
        ({"id": ""}, None, "it has no id"),
        ({"id": True}, None, "it has no id"),
        (None, None, "it has no id"),
        ([1], None, "it has no id"),
        ({"value": "x"}, None, "it has no id"),
        ({"id": 5}, "uuid", "key: uuid leads to nothing"),
        ({"id": 5, "b": " "}, ["id", "b"], "key: b leads to nothing"),
        ({"a": {"x": 1}}, "a", "key: a: found a mapping, expected a text or a number"),
        ({"a": False}, "a", "key: a: found False, expected a text or a number"),
        ({"a": 5}, "length(a)", "key: length(a): In function length()"),
    ],
)
def test_an_item_without_a_key_is_rejected(item: Any, key: Any, reason: str) -> None:
    rejected = one(item, **({"key": key} if key else {}))
    assert isinstance(rejected, Reject)
    assert rejected.reason.startswith(reason)
    assert rejected.item == item


def test_one_bad_item_does_not_sink_its_page() -> None:
    found = HttpJsonNormalizer().normalize(result({"id": 1}, {"name": "x"}, {"id": 2}))
    assert [type(one) for one in found] == [Record, Reject, Record]


def test_other_items_are_their_value() -> None:
    assert one("word").attributes == {"value": "word"}
    assert one([5, 6], key="value[0]", fields={"high": "value[1]"}).attributes == {"high": 6}


def test_a_key_that_is_too_long_is_rejected_by_what_every_record_has_to_be() -> None:
    records, [reject] = normalize(HttpJsonNormalizer(), result({"id": "x" * 600}))
    assert (records, "600 characters" in reject.reason) == ([], True)


def test_a_faulty_path_is_told() -> None:
    for config in ({"key": "a["}, {"fields": {"a": "a["}}, {"measures": {"a": {"path": "a["}}}):
        with pytest.raises(UsageError, match="is not a path"):
            HttpJsonNormalizer(config)


trees = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from(["id", "title", "url", "date", "tags", "n"]), inner, max_size=4)
    ),
    max_leaves=8,
)


@given(trees)
def test_any_item_is_a_record_or_a_reject(item: Any) -> None:
    named = {
        "fields": {
            "title": "title",
            "url": "url",
            "tags": "tags",
            "published_at": "date",
            "x": {"path": "n", "cast": "int"},
        }
    }
    for config in ({}, named, {"measures": {"n": "n"}, "key": ["id", "title"]}):
        records, rejects = normalize(HttpJsonNormalizer(config), result(item))
        assert len(records) + len(rejects) == 1
        assert all(reject.reason for reject in rejects)


# -- what a page shows to be wrong -----------------------------------------------------------------------------

ROWS = [{"id": n, "title": f"T{n}", "station": "x", "at": n} for n in range(25)]


@pytest.fixture
def told() -> Iterator[list[str]]:
    found: list[str] = []
    sink = logger.add(lambda message: found.append(message.record["message"]), level="WARNING")
    yield found
    logger.remove(sink)


def normalized(rows: list[Any], **config: Any) -> list[Any]:
    return HttpJsonNormalizer(config).normalize(result(*rows))


def test_a_key_that_most_items_share_is_an_error() -> None:
    with pytest.raises(UsageError) as error:
        normalized(ROWS, key="station")
    assert "key: station is no key: 25 of 25 different items share one" in error.value.message
    assert "key: [id, date]" in error.value.hint
    assert len(normalized(ROWS, key=["station", "at"])) == 25
    # Equal items are one that came twice.
    assert len(normalized([ROWS[0]] * 25)) == 25
    assert len(normalized([ROWS[0]] * 25, key="station")) == 25


def test_a_few_items_that_share_a_key_are_told_once(told: list[str]) -> None:
    rows = [*ROWS, {**ROWS[0], "title": "other"}]
    normalizer = HttpJsonNormalizer({})
    for _ in range(3):
        assert len(normalizer.normalize(result(*rows))) == 26
    assert told == [
        "the key (id, or the url): 1 items have the key of another, such as 0: "
        "the last of them is kept, the others become its versions"
    ]


def test_a_path_that_leads_nowhere_is_told_once(told: list[str]) -> None:
    fields = {
        "title": "titel",
        "url": "station",
        "tags": {"path": "labels", "default": []},
        "x": {"path": "statoin", "default": 1},
    }
    normalizer = HttpJsonNormalizer({"fields": fields, "measures": {"stars": "count"}})
    for _ in range(3):
        normalizer.normalize(result(*ROWS))
    assert told == [
        'title: titel leads to nothing in any of 25 items; did you mean "title"?',
        'x: statoin leads to nothing in any of 25 items; did you mean "station"?',
        "stars: count leads to nothing in any of 25 items; there are id, title, station, at",
    ]


def test_what_may_be_missing_is_not_told(told: list[str]) -> None:
    rows = [{"id": n, "title": None, "people": [], "owner": None} for n in range(9)]
    normalized(rows, fields={"title": "title", "authors": "people[0].name", "x": "owner.login", "id": "id"})
    normalized(rows[:2], fields={"title": "nowhere", "id": "id"})
    normalized([*rows, {"id": 10, "nick": "x"}], fields={"title": "nick", "id": "id"})
    assert told == []


def test_fields_that_all_lead_nowhere_are_an_error() -> None:
    with pytest.raises(UsageError, match=r'none of fields leads to anything: .*did you mean "title"'):
        normalized(ROWS, fields={"title": "titel", "url": "link", "kind": {"default": "x"}})


def test_a_mistyped_key_names_the_nearest() -> None:
    found = one({"id": 1, "node_id": 2}, key="nodeid")
    assert found.reason == 'key: nodeid leads to nothing; did you mean "node_id"?'
