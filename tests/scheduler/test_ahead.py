"""What lies ahead: in order, bounded, days on which a task is due often as one."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta

import pytest

from stoma.scheduler.ahead import Ahead, outlook
from stoma.scheduler.base import Schedule, Task

NOW = datetime(2026, 10, 23, 12, tzinfo=UTC)
WEEK = timedelta(days=7)


def task(name: str, *patterns: str, timezone: str = "UTC", when: str | None = None, **bent: object) -> Task:
    schedules = tuple(Schedule(pattern, **bent) for pattern in patterns)  # type: ignore[arg-type]
    return Task(name, name.title(), "arxiv", schedule=schedules, timezone=timezone, when=when)


def told(*found: Ahead) -> list[tuple[str, str]]:
    return [
        (one.task.id, f"{one.first.at:%m-%d %H:%M}" if one.day is None else str(one.day)) for one in found
    ]


def test_all_in_order() -> None:
    tasks = [task("b", "daily_at_09:00"), task("a", "weekly"), task("c"), task("d", "daily_at_08:00")]
    found = outlook(tasks, NOW, NOW + timedelta(days=2))
    assert not found.is_cut
    assert told(*found.found) == [
        ("d", "10-24 08:00"), ("b", "10-24 09:00"), ("a", "10-25 00:00"), ("d", "10-25 08:00"), ("b", "10-25 09:00"),
    ]  # fmt: skip


@pytest.mark.parametrize("often", ["interval_5m", "*/5 * * * *", "hourly"])
def test_a_day_of_many_runs_is_one(often: str) -> None:
    found = outlook([task("often", often, timezone="Europe/Berlin")], NOW, NOW + timedelta(days=3))
    # The days of the zone: the first has begun, the last has only begun.
    assert [one.day for one in found.found] == [date(2026, 10, day) for day in (23, 24, 25, 26)]


def test_some_a_day_are_told_one_by_one() -> None:
    four = task("four", "0 1,7,13,19 * * *")
    found = outlook([four], NOW, NOW + timedelta(days=1)).found
    assert told(*found) == [("four", f"10-{at}") for at in ("23 13:00", "23 19:00", "24 01:00", "24 07:00")]
    five = task("five", "0 1,7,13,19,22 * * *")
    assert [one.day for one in outlook([five], NOW, NOW + timedelta(days=2)).found] == [
        None, None, None, date(2026, 10, 24), None, None,
    ]  # fmt: skip


def test_midnight_is_of_the_day_that_begins() -> None:
    found = outlook([task("five", "0 0,13,15,17,19 * * *")], NOW, NOW + timedelta(days=1)).found
    assert [one.day for one in found] == [None] * 5
    assert told(found[-1]) == [("five", "10-24 00:00")]


def test_the_wall_clock_holds_when_it_is_set() -> None:
    daily = task("daily", "daily_at_02:30", timezone="Europe/Berlin")
    # Summer time ends on the 25th: 02:30 comes twice, and runs once.
    assert told(*outlook([daily], NOW, NOW + timedelta(days=3)).found) == [
        ("daily", "10-24 00:30"), ("daily", "10-25 00:30"), ("daily", "10-26 01:30"),
    ]  # fmt: skip
    spring = datetime(2026, 3, 28, 12, tzinfo=UTC)
    [first, second] = outlook([daily], spring, spring + timedelta(days=2)).found
    # 02:30 does not exist on the 29th.
    assert told(first, second) == [("daily", "03-29 01:00"), ("daily", "03-30 00:30")]
    assert "moved: 02:30 does not exist" in first.first.marks


def test_what_is_left_out_is_not_told() -> None:
    workdays = task("workdays", "daily_at_09:00", skip=("weekends",))
    assert told(*outlook([workdays], NOW, NOW + timedelta(days=4)).found) == [
        ("workdays", "10-26 09:00"), ("workdays", "10-27 09:00"),
    ]  # fmt: skip
    evening = task("evening", "interval_5m", when="hour == 17 and minute < 15")
    assert len(outlook([evening], NOW, NOW + timedelta(days=1)).found) == 3


def test_it_is_bounded() -> None:
    tasks = [task(f"t{number}", "daily_at_09:00") for number in range(300)]
    found = outlook(tasks, NOW, NOW + WEEK, most=1000)
    assert (len(found.found), found.is_cut) == (1000, True)
    assert {one.first.at.day for one in found.found} == {24, 25, 26, 27}


def test_what_is_told_is_whole_as_far_as_it_goes() -> None:
    rare = task("rare", "*/5 * * * *", when="hour == 3 and minute == 0")
    daily = task("daily", "daily_at_09:00")
    found = outlook([rare, daily], NOW, NOW + WEEK, looked_at=1000)
    assert found.is_cut
    assert told(*found.found) == [
        ("rare", "10-24 03:00"), ("daily", "10-24 09:00"),
        ("rare", "10-25 03:00"),
    ]  # fmt: skip
    assert outlook([rare], NOW, NOW + WEEK, looked_at=10).found == ()
