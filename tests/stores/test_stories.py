"""The whole story of one record, on both databases."""

from __future__ import annotations

from dataclasses import replace

import pytest

from stoma.errors import NotFound, UsageError
from stoma.records import Record
from stoma.stores import Store, stories
from tests.stores.test_questions import put
from tests.support.clock import Clock

PAPER = Record("arxiv", "2605.00001", "paper", title="On sets", tags=("cs.LG",), attributes={"doi": None})
REPO = Record("github", "7", "repository", title="Ada/Stable", attributes={"owner": "Ada"})


def test_versions_oldest_first_with_what_is_different(store: Store, clock: Clock) -> None:
    began = clock.now
    put(store, PAPER)
    second_at = clock.forward(days=1)
    put(store, replace(PAPER, title="On all sets"), task="two", run=5)
    third_at = clock.forward(days=1)
    put(store, replace(PAPER, title="On all sets", tags=(), attributes={"doi": "10.1/2"}), run=6)
    story = store.questions.story("2605.00001").as_dict()
    assert story["record"]["title"] == "On all sets"
    told = [(v["version"], v["since"], v["superseded_at"], v["superseded_by_run"]) for v in story["versions"]]
    began_, second, third = (f"{at:%Y-%m-%dT%H:%M:%S}Z" for at in (began, second_at, third_at))
    assert told == [(1, began_, second, 5), (2, second, third, 6), (3, third, None, None)]
    assert [version["title"] for version in story["versions"]] == ["On sets", "On all sets", "On all sets"]
    assert [[change["field"] for change in version["changes"]] for version in story["versions"]] == [
        [], ["title"], ["tags", "attributes.doi"],
    ]  # fmt: skip
    assert story["versions"][1]["changes"][0]["words"] == [["=", "On"], ["+", " all"], ["=", " sets"]]
    assert [(seen["task"], seen["first_seen_at"], seen["run"]) for seen in story["sightings"]] == [
        ("one", began_, 6), ("two", second, 5),
    ]  # fmt: skip


def test_of_very_many_versions_the_latest_are_told(
    store: Store, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(stories, "MOST_VERSIONS", 3)
    at = []
    for number in range(1, 7):
        at.append(f"{clock.now:%Y-%m-%dT%H:%M:%S}Z")
        put(store, replace(PAPER, title=f"On {number} sets"))
        clock.forward(hours=1)
        told = store.questions.story(PAPER.external_id).as_dict()
        assert told["is_cut"] == (number > 3)
        assert [version["version"] for version in told["versions"]] == list(range(1, number + 1))[-3:]
    assert [version["since"] for version in told["versions"]] == at[-3:]
    # The oldest one that is told still says what it says otherwise.
    assert [[change["field"] for change in version["changes"]] for version in told["versions"]] == [
        ["title"]
    ] * 3


def test_measures_over_time(store: Store, clock: Clock, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stories, "MOST_OBSERVATIONS", 3)
    for number, stars in enumerate([10, 5, 30, 20], start=1):
        put(
            store,
            replace(REPO, measures={"stars": stars, "forks": 1} if number > 2 else {"stars": stars}),
            run=number,
        )
        clock.forward(days=1)
    forks, stars = store.questions.story("7").as_dict()["measures"]
    assert (forks["measure"], forks["count"], forks["is_cut"], forks["change"]) == ("forks", 2, False, 0)
    last = {"at": "2026-03-04T12:00:00Z", "value": 20.0}
    assert stars == {
        "measure": "stars", "count": 4, "first": {"at": "2026-03-01T12:00:00Z", "value": 10.0}, "last": last,
        "least": 5.0, "most": 30.0, "change": 10.0, "is_cut": True,
        "observations": [
            {"at": "2026-03-02T12:00:00Z", "value": 5.0, "run": 2},
            {"at": "2026-03-03T12:00:00Z", "value": 30.0, "run": 3},
            last | {"run": 4},
        ],
    }  # fmt: skip


@pytest.mark.parametrize(
    "text", ["2605.00001", "arxiv:2605.00001", " 2605.00001 ", "#1"]
)  # fmt: skip
def test_a_record_by_its_names(store: Store, text: str) -> None:
    put(store, PAPER)
    assert store.questions.story(text).row["external_id"] == "2605.00001"


def test_a_repository_by_its_full_name(store: Store) -> None:
    put(store, REPO)
    assert store.questions.story("ada/stable").row["external_id"] == "7"


def test_an_id_with_a_colon_is_an_id_first(store: Store) -> None:
    put(store, replace(PAPER, source="a", external_id="b:1", title="first"))
    put(store, replace(PAPER, source="b", external_id="1", title="second"))
    assert store.questions.story("b:1").row["title"] == "first"
    assert store.questions.story("1").row["title"] == "second"
    assert store.questions.story("a:b:1").row["title"] == "first"
    assert store.questions.story("1", "b").row["title"] == "second"
    with pytest.raises(NotFound):
        store.questions.story("b:1", "b")


def test_an_id_of_several_sources(store: Store) -> None:
    put(store, PAPER, replace(PAPER, source="mirror"))
    with pytest.raises(UsageError, match="an id of 2 sources") as caught:
        store.questions.story("2605.00001")
    assert not isinstance(caught.value, NotFound)
    assert caught.value.hint == "say which one: arxiv:2605.00001 or mirror:2605.00001"
    assert store.questions.story("2605.00001", "mirror").row["source"] == "mirror"


@pytest.mark.parametrize(
    ("text", "source", "hint"),
    [
        ("2605.00001v2", None, 'did you mean "arxiv:2605.00001"?'),
        ("arxiv:2605.0001", None, 'did you mean "arxiv:2605.00001"?'),
        ("2605.0001", "arxiv", 'did you mean "arxiv:2605.00001"?'),
        ("nothing like it", None, "`stoma search` finds records by their words"),
        ("2605.00001", "arxi", "sources: arxiv"),
        ("#2", None, "`stoma changes` shows the latest"),
        ("#" + "9" * 19, None, "`stoma changes` shows the latest"),
        ("", None, "`stoma search` finds records by their words"),
        ("a\0b", None, "`stoma search` finds records by their words"),
        ("a\ud800", None, "`stoma search` finds records by their words"),
        ("1", "a\0b", "sources: arxiv"),
        ("x" * 100_000, None, "`stoma search` finds records by their words"),
    ],
)
def test_what_nobody_knows(store: Store, text: str, source: str | None, hint: str) -> None:
    put(store, PAPER)
    with pytest.raises(NotFound, match="there is no record") as caught:
        store.questions.story(text, source)
    assert caught.value.hint == hint
    assert len(caught.value.message) < 200


def test_nothing_is_stored_yet(store: Store) -> None:
    with pytest.raises(NotFound) as caught:
        store.questions.story("1")
    assert caught.value.hint == "nothing has been stored yet"
