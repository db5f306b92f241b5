"""Which instants are to come, and what is to be known about each."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from stoma.scheduler import timetables
from stoma.scheduler.base import Dependency, Schedule, Switch, Switches, Task
from stoma.scheduler.outlook import Coming, bounds, coming, conditions, held, next_run, zone_name

BERLIN = "Europe/Berlin"
SPRING = datetime(2026, 3, 28, 12, tzinfo=UTC)
AUTUMN = datetime(2026, 10, 24, 12, tzinfo=UTC)
CALM = datetime(2026, 6, 1, tzinfo=UTC)
DAY = timedelta(days=1)


def task(*patterns: str | Schedule, zone: str = BERLIN, **more: Any) -> Task:
    schedules = tuple(Schedule(p) if isinstance(p, str) else p for p in patterns)
    return Task("t", "t", "arxiv", schedule=schedules, timezone=zone, **more)


def local(found: list[Coming]) -> list[tuple[str, tuple[str, ...]]]:
    return [(f"{one.at.astimezone(ZoneInfo(one.zone)):%d %H:%M %z}", one.marks) for one in found]


def test_instants_of_several_schedules_come_in_order_and_each_once() -> None:
    both = task("daily_at_09:00", "daily", Schedule("daily_at_09:00"))
    found = list(coming(both, CALM, CALM + DAY))
    assert [time for time, _ in local(found)] == ["01 09:00 +0200", "02 00:00 +0200"]
    assert all(not marks for _, marks in local(found))


def test_a_time_that_does_not_exist_is_moved_and_the_day_says_so() -> None:
    found = local(list(coming(task("daily_at_02:30"), SPRING, SPRING + 2 * DAY)))
    assert found == [
        ("29 03:00 +0200", ("the clock goes forward by 1h that day", "moved: 02:30 does not exist")),
        ("30 02:30 +0200", ()),
    ]


def test_a_cron_that_names_several_missing_times_names_them() -> None:
    [found] = local(list(coming(task("10,20 2 * * *"), SPRING, SPRING + DAY)))
    assert found[1][1] == "moved: 02:10 and 02:20 do not exist"


@pytest.mark.parametrize(
    "pattern", ["daily_at_03:00", "hourly", "0 2,3 * * *", "*/30 * * * *", "interval_1h"]
)
def test_what_is_due_at_that_time_anyway_is_not_moved(pattern: str) -> None:
    found = list(coming(task(pattern), SPRING, SPRING + DAY))
    at_three = [one for one in found if one.at == datetime(2026, 3, 29, 1, tzinfo=UTC)]
    assert at_three or pattern == "interval_1h"
    assert not [mark for one in found for mark in one.marks if mark.startswith("moved")]


def test_an_interval_knows_no_times_of_the_day() -> None:
    # Without an id it has no phase: 50 minutes count from the epoch, and one of them ends with the gap.
    fifty = Task("", "t", "arxiv", schedule=(Schedule("interval_50m"),), timezone=BERLIN)
    found = {one.at: one.marks for one in coming(fifty, SPRING, SPRING + DAY)}
    assert found[datetime(2026, 3, 29, 1, tzinfo=UTC)] == ("the clock goes forward by 1h that day",)


def test_a_time_that_exists_twice_says_which_one_it_is() -> None:
    [found] = local(list(coming(task("daily_at_02:30"), AUTUMN, AUTUMN + DAY)))
    assert found == ("25 02:30 +0200", ("the clock goes back by 1h that day", "first of two 02:30"))
    hours = local(list(coming(task("hourly"), AUTUMN, AUTUMN + DAY)))
    twice = [(time, marks[1:]) for time, marks in hours if time.startswith("25 02")]
    assert twice == [
        ("25 02:00 +0200", ("first of two 02:00",)),
        ("25 02:00 +0100", ("second of two 02:00",)),
    ]


def test_half_an_hour_is_told_as_such() -> None:
    lord_howe = task("daily_at_02:15", zone="Australia/Lord_Howe")
    start = datetime(2026, 10, 3, 10, tzinfo=UTC)
    [found] = local(list(coming(lord_howe, start, start + DAY)))
    assert found == (
        "04 02:30 +1100",
        ("the clock goes forward by 30m that day", "moved: 02:15 does not exist"),
    )


def test_jitter_says_how_much_and_when_its_run_starts() -> None:
    [one] = coming(task(Schedule("daily", jitter=timedelta(minutes=5))), CALM, CALM + DAY)
    waits = one.starts - one.at
    assert timedelta(0) < waits <= timedelta(minutes=5)
    [mark] = one.marks
    assert mark.startswith("up to 5m later, here ")
    assert next_run(task(Schedule("daily", jitter=timedelta(minutes=5))), CALM) == one.at


def test_a_day_off_is_skipped_only_if_every_schedule_leaves_it_out(monkeypatch: pytest.MonkeyPatch) -> None:
    def off(self: timetables.Timetable, instant: datetime) -> str | None:
        return "it is a day off" if self.schedule.skip else None

    monkeypatch.setattr(timetables.Timetable, "off", off)
    leaves_out = Schedule("daily", skip=("weekends",))
    [one] = coming(task(leaves_out), CALM, CALM + DAY)
    assert one.skipped == "it is a day off"
    [one] = coming(task(leaves_out, "daily"), CALM, CALM + DAY)
    assert one.skipped is None
    assert next_run(task(leaves_out), CALM, looked_at=3) is None
    assert next_run(task(leaves_out, "daily_at_09:00"), CALM) == CALM + timedelta(hours=7)


def test_a_condition_is_judged_where_it_can_be_foreseen() -> None:
    workdays = task("daily", when="weekday < 5")
    found = {
        f"{one.at.astimezone(ZoneInfo(BERLIN)):%a}": one.skipped
        for one in coming(workdays, CALM, CALM + 7 * DAY)
    }
    assert [day for day, skipped in found.items() if skipped] == ["Sat", "Sun"]
    assert "weekday < 5" in str(found["Sat"])
    [one] = coming(task("daily", when="last_run is None"), CALM, CALM + DAY)
    assert one.skipped is None


def test_what_holds_for_the_task_as_a_whole() -> None:
    on, off = Switch(True, CALM), Switch(False, CALM)
    assert held(task("daily"), Switches(), None) is None
    assert held(task("daily"), Switches(tasks={"t": off}), None) == "switched off"
    assert held(task("daily", enabled=False), Switches(), None) == "switched off"
    assert held(task("daily", enabled=False), Switches(tasks={"t": on}), None) is None
    assert held(task("daily"), Switches(), "no contact") == "blocked: no contact"
    waits = task(after=(Dependency("a"), Dependency("b", "failed"), Dependency("c", "any")), when="hour > 3")
    assert conditions(waits) == ["after a completed, b failed and c ended", "only when hour > 3"]
    assert conditions(task()) == ["runs only by hand"]
    assert conditions(task("daily")) == []


def test_the_day_of_a_task_goes_by_its_zone() -> None:
    assert zone_name(task("daily")) == BERLIN
    assert zone_name(task(Schedule("daily", timezone="UTC"))) == "UTC"
    assert zone_name(task(Schedule("daily", timezone="UTC"), "daily")) == BERLIN
    assert zone_name(task()) == BERLIN
    start, end = bounds(date(2026, 3, 29), ZoneInfo(BERLIN))
    assert (start, end - start) == (datetime(2026, 3, 28, 23, tzinfo=UTC), timedelta(hours=23))
    # Its clock is set at midnight: the day begins at one.
    start, end = bounds(date(2026, 9, 6), ZoneInfo("America/Santiago"))
    assert (start, end - start) == (datetime(2026, 9, 6, 4, tzinfo=UTC), timedelta(hours=23))


def test_as_json() -> None:
    [one] = coming(task("daily_at_09:00"), CALM, CALM + DAY)
    assert one.as_dict() == {
        "task": "t",
        "at": "2026-06-01T07:00:00Z",
        "local": "2026-06-01T09:00:00+02:00",
        "zone": BERLIN,
        "starts": "2026-06-01T07:00:00Z",
        "skipped": None,
        "marks": [],
    }
