"""A search is cut up without losing a repository and without asking for another one."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stoma.collectors.github_slices import ALL, FIRST, Question, Slice, window
from stoma.errors import UsageError

NOW = datetime(2026, 11, 23, 9, tzinfo=UTC)


def seconds(text: str) -> int:
    return int(datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp())


class TestReading:
    @pytest.mark.parametrize(
        ("value", "bounds"),
        [
            ("5", (5, 5)), (">5", (6, None)), (">=5", (5, None)), ("<5", (None, 4)), ("<=5", (None, 5)),
            ("5..9", (5, 9)), ("5..*", (5, None)), ("*..9", (None, 9)),
        ],
    )  # fmt: skip
    def test_numbers(self, value: str, bounds: Any):
        question = Question.of(f"topic:x stars:{value} language:go", "stars", "desc")
        assert (question.text, question.whole.number, question.number) == (
            "topic:x language:go",
            bounds,
            "stars",
        )

    @pytest.mark.parametrize(
        ("value", "bounds"),
        [
            ("2026-01-02", ("2026-01-02 00:00:00", "2026-01-02 23:59:59")),
            (">2026-01-02", ("2026-01-03 00:00:00", None)),
            (">=2026-01-02", ("2026-01-02 00:00:00", None)),
            ("<2026-01-02", (None, "2026-01-01 23:59:59")),
            ("<=2026-01-02", (None, "2026-01-02 23:59:59")),
            ("2026-01-02..2026-01-03", ("2026-01-02 00:00:00", "2026-01-03 23:59:59")),
            ("2026-01-02T03:04:05Z..*", ("2026-01-02 03:04:05", None)),
            ("2026-01-02T03:04:05+02:00..*", ("2026-01-02 01:04:05", None)),
        ],
    )
    def test_moments(self, value: str, bounds: Any):
        question = Question.of(f"created:{value}", None, "desc")
        assert question.text == ""
        assert question.whole.created == tuple(one and seconds(one) for one in bounds)

    @pytest.mark.parametrize(
        "text",
        [
            "-stars:5", "stars:>5 stars:<9", "a OR stars:5", "NOT b stars:5", "(stars:5)", '"stars:5"', "stars:many",
            'x "y stars:5"', "stars:", "stars:5..6..7",
        ],
    )  # fmt: skip
    def test_what_is_not_understood_stays_as_it_is(self, text: str):
        question = Question.of(text, "stars", "desc")
        assert (question.text, question.number) == (text, None)
        assert question.spelled(question.whole) == text

    @pytest.mark.parametrize("text", ["starstruck:5 x", "x", "user:stars"])
    def test_other_words_are_left_alone(self, text: str):
        assert Question.of(text, "stars", "desc") == Question(text, Slice(), "stars", True, True)

    def test_a_number_that_is_not_sorted_by_stays(self):
        question = Question.of("stars:>5", "forks", "desc")
        assert (question.text, question.number) == ("stars:>5", "forks")


class TestSpelling:
    def test_a_slice(self):
        question = Question.of("topic:x stars:>5", "stars", "desc")
        part = Slice((6, 90), (seconds("2026-01-02 03:04:05"), seconds("2026-02-01")))
        assert question.spelled(question.whole) == "topic:x stars:6..*"
        assert (
            question.spelled(part) == "topic:x stars:6..90 created:2026-01-02T03:04:05Z..2026-02-01T00:00:00Z"
        )

    def test_a_slice_survives_its_token(self):
        part = Slice((6, None), (None, 5))
        assert Slice.of(part.token()) == part


class TestHalving:
    @given(st.integers(0, 2_000_000_000), st.integers(1, 2_000_000_000))
    def test_two_halves_are_the_whole_and_share_nothing(self, low: int, length: int):
        question = Question.of("x", None, "desc")
        low = max(low, int(FIRST.timestamp()))
        later, earlier = question.halves(Slice(created=(low, low + length)), NOW)
        assert (earlier.created[0], later.created[1]) == (low, low + length)
        assert earlier.created[1] + 1 == later.created[0]

    def test_the_order_follows_the_search(self):
        part = Slice(created=(seconds("2026-01-01"), seconds("2026-01-03")))
        first = [Question.of("x", None, order).halves(part, NOW)[0].created for order in ("asc", "desc")]
        assert first == [
            (seconds("2026-01-01"), seconds("2026-01-02")),
            (seconds("2026-01-02 00:00:01"), seconds("2026-01-03")),
        ]

    def test_open_ends_are_the_first_repository_and_now(self):
        later, earlier = Question.of("x", None, "desc").halves(Slice(), NOW)
        assert (earlier.created[0], later.created[1]) == (int(FIRST.timestamp()), int(NOW.timestamp()))

    def test_one_second_cannot_be_halved(self):
        moment = seconds("2026-01-01")
        assert Question.of("x", None, "desc").halves(Slice(created=(moment, moment)), NOW) == []
        assert Question.of("-created:2026-01-01", None, "desc").halves(Slice(), NOW) == []


class TestBeyond:
    def test_a_number_goes_on_where_it_stopped(self):
        down, up = (Question.of("stars:10..900", "stars", order) for order in ("desc", "asc"))
        last = {"stargazers_count": 500}
        assert down.beyond(down.whole, last, NOW) == [Slice((10, 500))]
        assert up.beyond(up.whole, last, NOW) == [Slice((500, 900))]

    def test_a_thousand_of_one_number_are_halved_and_what_is_beyond_follows(self):
        question = Question.of("x", "stars", "desc")
        later, earlier, rest = question.beyond(Slice((None, 7)), {"stargazers_count": 7}, NOW)
        assert (later.number, earlier.number) == ((7, 7), (7, 7))
        assert later.created != ALL
        assert rest == Slice((None, 6))

    @pytest.mark.parametrize(("order", "part"), [("desc", (None, 0)), ("desc", (7, 7)), ("asc", (7, 7))])
    def test_nothing_is_beyond_the_end(self, order: str, part: Any):
        value = 0 if part[0] is None else 7
        found = Question.of("x", "stars", order).beyond(Slice(part), {"stargazers_count": value}, NOW)
        assert [one.number for one in found] == [(value, value)] * 2

    @pytest.mark.parametrize("last", [None, {}, {"stargazers_count": "many"}, 5])
    def test_an_item_that_tells_no_number(self, last: Any):
        assert Question.of("x", "stars", "desc").beyond(Slice(), last, NOW) == []
        assert Question.of("x", None, "desc").beyond(Slice(), {"stargazers_count": 5}, NOW) == []


class TestWindow:
    @pytest.mark.parametrize(
        ("given", "words"),
        [
            (None, ""),
            ("30d", "created:>=2026-10-24"),
            ("2026-01-01..2026-01-31", "created:2026-01-01..2026-01-31"),
            ("2026-01-01..", "created:>=2026-01-01"),
            ("..2026-01-31", "created:<=2026-01-31"),
        ],
    )
    def test_days(self, given: str | None, words: str):
        assert window("created", given, NOW) == words

    @pytest.mark.parametrize("given", ["2026-02-30..", "2026-02-01..2026-01-01", "..", "0d", "yesterday"])
    def test_what_is_no_window(self, given: str):
        with pytest.raises(UsageError, match=r"^created: "):
            window("created", given, NOW)
