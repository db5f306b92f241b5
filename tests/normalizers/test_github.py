"""GitHub repositories become records: both modes write one, neither undoes the other, and no capture loses anything."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, datetime
from itertools import groupby
from pathlib import Path
from typing import Any

import pytest

from stoma.collectors.answers import Response
from stoma.collectors.github_trending import read_page
from stoma.normalizers.github import GithubNormalizer
from stoma.records import CollectorResult, Record, Reject, checked, sealed
from tests.support.budget import START

ROW = {
    "rank": 2, "list": "weekly:rust", "full_name": "Owner/Name.rs", "id": 7, "description": " What\n it is ",
    "language": "Rust", "stars": 1500, "forks": 12, "period": "weekly", "period_stars": 300,
}  # fmt: skip
ITEM = {
    "id": 7, "full_name": "Owner/Name.rs", "owner": {"login": "Owner"}, "name": "Name.rs",
    "html_url": "https://github.com/Owner/Name.rs", "description": "What it is", "language": "Rust",
    "stargazers_count": 1510, "forks_count": 13, "open_issues_count": 4, "size": 99, "watchers_count": 1510,
    "created_at": "2020-05-06T07:08:09Z", "updated_at": "2026-05-07T04:25:39Z", "pushed_at": "2026-05-07T04:00:56Z",
    "homepage": "https://name.rs", "topics": ["b", "a", "b"], "license": {"key": "mit", "spdx_id": "MIT"},
    "default_branch": "main", "fork": False, "archived": True, "is_template": False, "mirror_url": None, "score": 1.0,
}  # fmt: skip


def normalize(*items: Any) -> list[Any]:
    return GithubNormalizer().normalize(CollectorResult("github", list(items), "http://x/", START))


def merged(found: Record, stored: Record | None) -> Record:
    """What is stored of a record, as it is stored."""
    kept = GithubNormalizer().merged(found, stored)
    assert kept is not None
    return replace(kept, measures={})


def turns(*items: Any) -> list[Record]:
    """What is stored after each of the items."""
    stored: list[Record] = []
    for record in normalize(*items):
        stored.append(merged(record, stored[-1] if stored else None))
    return stored


def versions(*items: Any) -> int:
    """How many contents one after the other there were."""
    hashes = [sealed(record)[1] for record in turns(*items)]
    return len(list(groupby(hashes)))


def trending(recorded: Path, name: str) -> list[Any]:
    body = (recorded / "github" / f"trending_{name}.html").read_bytes()
    page = read_page(Response("http://x", 200, {}, body, START))
    return normalize(*[item | {"list": "daily"} for item in page.items])


def searched(recorded: Path, name: str) -> list[dict[str, Any]]:
    return json.loads((recorded / "github" / f"search_{name}.json").read_bytes())["items"]


class TestBothModes:
    def test_they_meet_in_one_record(self):
        (row,), (item,) = normalize(ROW), normalize(ITEM)
        assert row.key == item.key == ("github", "7")
        # Whichever was first, the same is stored in the end, and whoever comes then changes nothing.
        assert sealed(turns(ROW, ITEM)[-1]) == sealed(turns(ITEM, ROW)[-1])
        assert [versions(*items) for items in ([ROW, ITEM] * 3, [ITEM, ROW] * 3)] == [2, 1]

    def test_what_both_know(self):
        (row,) = normalize(ROW)
        assert row == Record(
            source="github",
            external_id="7",
            kind="repository",
            title="Owner/Name.rs",
            summary="What it is",
            url="https://github.com/Owner/Name.rs",
            authors=("Owner",),
            tags=("Rust",),
            attributes={
                "full_name": "Owner/Name.rs",
                "owner": "Owner",
                "name": "Name.rs",
                "language": "Rust",
            },
            measures={"stars": 1500, "forks": 12, "stars_weekly": 300, "rank:weekly:rust": 2},
        )

    def test_what_a_search_knows(self):
        (item,) = normalize(ITEM)
        assert item == Record(
            source="github",
            external_id="7",
            kind="repository",
            title="Owner/Name.rs",
            summary="What it is",
            url="https://github.com/Owner/Name.rs",
            authors=("Owner",),
            tags=("Rust", "b", "a"),
            published_at=datetime(2020, 5, 6, 7, 8, 9, tzinfo=UTC),
            attributes={
                "full_name": "Owner/Name.rs", "owner": "Owner", "name": "Name.rs", "language": "Rust",
                "homepage": "https://name.rs", "default_branch": "main", "license": "MIT", "topics": ["b", "a"],
                "is_fork": False, "is_archived": True, "is_template": False,
            },
            measures={"stars": 1510, "forks": 13, "open_issues": 4, "size_kb": 99, "pushed_at": 1778126456},
        )  # fmt: skip

    @pytest.mark.parametrize(
        "changed",
        [{"stargazers_count": 9}, {"forks_count": 9}, {"open_issues_count": 9}, {"size": 9}, {"score": 0.5},
         {"pushed_at": "2026-06-01T00:00:00Z"}, {"updated_at": "2026-06-01T00:00:00Z"}, {"watchers_count": 3}],
    )  # fmt: skip
    def test_what_is_only_measured_makes_no_version(self, changed: dict[str, Any]):
        assert versions(ITEM, ITEM | changed) == 1

    @pytest.mark.parametrize("changed", [{"stars": 9}, {"forks": 9}, {"rank": 9}, {"period_stars": 9}])
    def test_nor_does_what_a_page_measures(self, changed: dict[str, Any]):
        assert versions(ITEM, ROW | changed, ITEM) == 1

    @pytest.mark.parametrize(
        "changed",
        [{"description": "Else"}, {"full_name": "Owner/New"}, {"language": None}, {"topics": []}, {"license": None},
         {"homepage": ""}, {"homepage": None}, {"archived": False}, {"default_branch": "trunk"}],
    )  # fmt: skip
    def test_what_really_changed_does(self, changed: dict[str, Any]):
        (item,) = normalize(ITEM | changed)
        # What a search says is gone is gone, also when the page spoke meanwhile.
        assert merged(item, turns(ITEM, ROW)[-1]) == replace(item, measures={})
        assert versions(ITEM, ROW, ITEM | changed, ITEM | changed) == 2

    @pytest.mark.parametrize("changed", [{"topics": []}, {"license": None}, {"homepage": ""}])
    def test_what_is_gone_does_not_come_back_with_the_page(self, changed: dict[str, Any]):
        assert versions(ITEM, ITEM | changed, ROW, ITEM | changed, ROW) == 2

    @pytest.mark.parametrize(
        ("changed", "tags"),
        [
            ({"description": "Else"}, ("Rust", "b", "a")),
            ({"full_name": "Other/Place"}, ("Rust", "b", "a")),
            ({"language": "Zig"}, ("Zig", "b", "a")),
            ({"language": "b"}, ("b", "a")),
            ({"language": None}, ("b", "a")),
        ],
    )
    def test_what_a_page_knows_better_is_taken_from_it(self, changed: dict[str, Any], tags: tuple[str, ...]):
        both = changed | ({"html_url": "https://github.com/Other/Place"} if "full_name" in changed else {})
        stored = turns(ITEM, ROW | changed)[-1]
        assert stored.tags == tags
        # It is what the next search tells, to the last letter.
        assert stored == replace(normalize(ITEM | both)[0], measures={})

    def test_a_page_has_no_address_of_its_own(self):
        item = ITEM | {"html_url": "https://git.example.org/Owner/Name.rs"}
        assert versions(item, ROW, item) == 1

    def test_a_new_name_is_the_same_repository(self):
        (row,) = normalize(ROW | {"full_name": "Other/Place"})
        assert (row.external_id, row.title) == ("7", "Other/Place")


class TestEmoji:
    """GitHub's page draws what the search gives as it was written."""

    @pytest.mark.parametrize(
        ("written", "drawn"),
        [
            (":rocket: What it is", "🚀 What it is"),
            ("What :memo: it :+1: is", "What 📝 it 👍 is"),
            ("It is :astronaut::sparkles:", "It is 🧑‍🚀✨"),
            ("In :one: step :arrow_right: done", "In 1️⃣ step ➡️ done"),
            # As pages of before 2017 show them, and those that have no letter: nothing but an image.
            ("What :octocat: it is", "What it is"),
            (":beer: at 10:30:00", "🍺 at 10:30:00"),
            ("中文 :fire: 说明", "中文 🔥 说明"),
        ],
    )
    def test_a_drawn_one_changes_nothing(self, written: str, drawn: str):
        stored = turns(ITEM | {"description": written}, ROW | {"description": drawn})
        assert stored[0] == stored[1]

    @pytest.mark.parametrize(
        ("before", "after"),
        [
            (":rocket: What it is", "🚀 What it was"),
            (":rocket: What it is", ""),
            ("10:30:00", "10:45:00"),
            ("What it is", "🚀 What it is"),
            (":fire: 中文", "🔥 说明"),
        ],
    )
    def test_other_words_do(self, before: str, after: str):
        stored = turns(ITEM | {"description": before}, ROW | {"description": after})
        assert stored[1].summary == after


class TestWithoutNumber:
    def test_the_name_in_small_letters_is_the_key(self):
        (row,) = normalize({name: value for name, value in ROW.items() if name != "id"})
        assert (row.external_id, row.title) == ("owner/name.rs", "Owner/Name.rs")

    def test_no_name_is_like_a_number(self):
        # An owner may be called 7.
        (row,) = normalize({"rank": 1, "full_name": "7/7"})
        assert row.external_id == "7/7"


class TestCaptures:
    def test_every_row_of_every_page(self, recorded: Path):
        names = [
            path.stem.removeprefix("trending_") for path in (recorded / "github").glob("trending_*.html")
        ]
        counts = {}
        for name in names:
            records = trending(recorded, name)
            counts[name] = len(records)
            for rank, record in enumerate(records, 1):
                assert checked(record).kind == "repository"
                assert record.measures["rank:daily"] == rank
                assert record.url == f"https://github.com/{record.title}"
                assert record.external_id.isdecimal() == (name > "2019-04"), name
        assert sum(counts.values()) == 8 * 25 + 25 + 16 + 4

    @pytest.mark.parametrize(
        "name", ["2014_repos_python_p1", "2014_repos_python_p2", "2014_repos_assembly", "2020_repos_sort",
                 "2026_repos_3_of_3821"],
    )  # fmt: skip
    def test_every_item_of_every_search(self, recorded: Path, name: str):
        items = searched(recorded, name)
        records = normalize(*items)
        assert [record.external_id for record in records] == [str(item["id"]) for item in items]
        for item, record in zip(items, records, strict=True):
            assert checked(record).title == item["full_name"]
            assert record.measures["stars"] == item["stargazers_count"]
            assert record.authors == (item["owner"]["login"],)
            assert record.published_at.isoformat()[:19] == item["created_at"][:19]

    def test_an_item_of_today_to_the_last_letter(self, recorded: Path):
        (record, *_) = normalize(searched(recorded, "2026_repos_3_of_3821")[0])
        assert record.summary.startswith("AutoGPT is the vision of accessible AI for everyone")
        assert record.measures == {
            "stars": 184041, "forks": 46245, "open_issues": 403, "size_kb": 563761, "pushed_at": 1778126456,
        }  # fmt: skip
        assert record.tags[:3] == ("Python", "agentic-ai", "agents")
        attributes = dict(record.attributes)
        assert attributes.pop("topics") == list(record.tags[1:])
        assert attributes == {
            "full_name": "Significant-Gravitas/AutoGPT", "owner": "Significant-Gravitas", "name": "AutoGPT",
            "language": "Python", "homepage": "https://agpt.co", "default_branch": "master", "license": "NOASSERTION",
            "is_fork": False, "is_archived": False, "is_template": False,
        }  # fmt: skip


class TestRejects:
    @pytest.mark.parametrize(
        ("item", "reason"),
        [
            (None, "no repository"),
            ("x", "no repository"),
            ({}, "it has no name"),
            ({"rank": 1, "text": "odd"}, "it has no name"),
            ({"full_name": "name"}, "'name' is not owner/name"),
            ({"full_name": "a/b/c"}, "is not owner/name"),
            (ITEM | {"id": "7"}, "id: '7' is not the number"),
            (ITEM | {"id": True}, "id: True is not"),
            (ITEM | {"id": 0}, "id: 0 is not"),
            (ITEM | {"created_at": "never"}, "'never' is not a date"),
            (ITEM | {"pushed_at": 5}, "5 is not a date"),
            (ITEM | {"topics": 5}, "not iterable"),
            (ITEM | {"license": "MIT"}, "get"),
        ],
    )
    def test_one_bad_item_has_its_reason_and_the_page_goes_on(self, item: Any, reason: str):
        reject, *good = normalize(item, ITEM)
        assert isinstance(reject, Reject)
        assert reason in reject.reason
        assert reject.item is item
        assert len(good) == 1

    def test_what_is_missing_is_left_out(self):
        (item,) = normalize({"id": 7, "full_name": "a/b"})
        assert (item.summary, item.tags, item.measures, item.published_at) == ("", (), {}, None)
        assert item.url == "https://github.com/a/b"
        # That there are no topics is said, so that a row keeps it.
        assert item.attributes == {"full_name": "a/b", "owner": "a", "name": "b", "topics": []}

    @pytest.mark.parametrize("stars", [None, "1.2k", True])
    def test_a_measure_that_is_no_number_is_left_out(self, stars: Any):
        assert "stars" not in normalize(ITEM | {"stargazers_count": stars})[0].measures
