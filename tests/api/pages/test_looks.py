"""How values look to people."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from stoma.api.pages import looks
from stoma.scheduler.base import Dependency, Schedule, Task
from stoma.scheduler.zones import by_clock

NOW = datetime(2026, 11, 23, 9, 0, 0, tzinfo=UTC)


@pytest.mark.parametrize(
    ("seconds", "words"),
    [
        (0, "now"),
        (0.4, "now"),
        (5, "in 5 s"),
        (-5, "5 s ago"),
        (80, "in 80 s"),
        (-300, "5 min ago"),
        (5_000, "in 83 min"),
        (7_200, "in 2 h"),
        (-86_400 * 1.4, "34 h ago"),
        (86_400 * 5, "in 5 days"),
        (-86_400 * 60, "2 months ago"),
        (-86_400 * 1_000, "3 years ago"),
    ],
)
def test_a_distance_in_time_is_told_in_one_unit(seconds: float, words: str) -> None:
    assert looks.relative(NOW + timedelta(seconds=seconds), NOW) == words


def test_how_long_something_lasts_that_began_then() -> None:
    told = [looks.lasting(NOW - timedelta(seconds=seconds), NOW) for seconds in (0, 5, 300, 86_400 * 5)]
    assert told == ["a moment", "5 s", "5 min", "5 days"]


def test_the_script_knows_the_same_units() -> None:
    script = (Path(looks.__file__).parent / "static" / "app.js").read_text()
    units = ", ".join(f'["{unit}", {size}]' for unit, size in looks.UNITS)
    assert f"const units = [{units}];" in script


@pytest.mark.parametrize(
    ("seconds", "words"),
    [
        (None, "–"),
        (0, "0 ms"),
        (-3, "0 ms"),
        (0.0412, "41 ms"),
        (0.42, "0.4 s"),
        (9.96, "10 s"),
        (59.6, "1 min"),
        (200, "3 min 20 s"),
        (3_600, "1 h"),
        (7_500, "2 h 5 min"),
        (90_000, "1 d 1 h"),
        (timedelta(seconds=61), "1 min 1 s"),
    ],
)
def test_a_length_of_time_is_told_in_two_units_at_most(seconds: float | None, words: str) -> None:
    assert looks.length(seconds) == words


def test_instants_are_shown_by_the_clock_of_a_zone() -> None:
    text = "2026-11-23T23:30:15Z"
    assert looks.local(text, "UTC", NOW) == "23 Nov 23:30"
    assert looks.local(text, "Europe/Berlin", NOW, seconds=True) == "24 Nov 00:30:15"
    assert looks.local("2025-11-03T08:00:00Z", "UTC", NOW) == "3 Nov 2025 08:00"
    assert looks.full(text, "Europe/Berlin") == "Tuesday 2026-11-24 00:30:15 CET"
    assert looks.exact(text) == text
    assert looks.day(text, "Europe/Berlin") == "2026-11-24"
    assert looks.local(None, "UTC", NOW) == looks.relative(None, NOW) == "–"


def test_numbers_are_grouped_and_kinds_are_many() -> None:
    assert [looks.grouped(number) for number in (None, 0, 1234567)] == ["–", "0", "1,234,567"]
    assert [looks.plural(kind) for kind in ("paper", "repository", "day")] == [
        "Papers",
        "Repositories",
        "Days",
    ]


def test_only_links_to_the_web_are_links() -> None:
    assert looks.web("https://example.org/a") == "https://example.org/a"
    for url in ("javascript:alert(1)", " https://example.org", "data:text/html,x", "//example.org", None, 7):
        assert looks.web(url) == ""


def test_when_a_task_runs_is_told_as_people_say_it() -> None:
    def words(**given: object) -> str:
        return looks.occasion(Task("a", "A", "arxiv", **given))

    assert words() == "by hand"
    assert words(schedule=(Schedule("daily_at_09:00"), Schedule("interval_2h"))) == (
        "every day at 09:00 UTC; every 2 hours"
    )
    assert words(after=(Dependency("b"), Dependency("c", "failed"))) == "after b and c (failed)"


def test_instants_inside_a_text_go_by_the_clock_of_the_zone_too() -> None:
    text = "it began at 2026-11-23T23:30:15.360045Z, not at 12T30Z"
    assert by_clock(text, "Europe/Berlin") == "it began at 2026-11-24 00:30:15, not at 12T30Z"
