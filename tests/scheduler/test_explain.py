"""What became of each due instant of a day."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from stoma.scheduler.base import Dependency, Run, Schedule, Skip, SkipReason, Task, TaskStatus, at_trigger
from stoma.scheduler.config import schedule_hash
from stoma.scheduler.explain import Fate, fates, remarks, trigger_words
from stoma.stores.traces import Traces

DAY = datetime(2026, 3, 2, tzinfo=UTC)
HOUR, MINUTE = timedelta(hours=1), timedelta(minutes=1)
END = DAY + 24 * HOUR
LONG_AGO = DAY - 1000 * HOUR

ROW: dict[str, Any] = {
    "id": 1, "task_id": "t", "trigger": "hand:1", "scope": "live", "scheduled_for": None, "status": "completed",
    "reason": None, "attempt": 1, "not_before": None, "priority": "normal", "host": None, "config_hash": "0",
    "fence": 1, "owner": None, "lease_until": None, "cancel_asked_at": None, "created_at": DAY, "started_at": None,
    "finished_at": None, "pages": 0, "seen": 0, "new": 0, "changed": 0, "unchanged": 0, "rejected": 0, "error": None,
}  # fmt: skip


def task(*patterns: str, **more: Any) -> Task:
    return Task("t", "t", "arxiv", schedule=tuple(Schedule(p) for p in patterns), **more)


def run(number: int, at: datetime | None, **more: Any) -> Run:
    trigger = {"trigger": at_trigger(at), "scheduled_for": at, "started_at": at} if at else {}
    return Run.from_row({**ROW, "id": number, **trigger, **more})


def skip(first: datetime, last: datetime, count: int, detail: str = "") -> Skip:
    return Skip(first, last, count, SkipReason.BLOCKED, detail)


def known(of: Task, until: datetime = END, since: datetime = LONG_AGO, **more: Any) -> Traces:
    given = {"schedule_hash": schedule_hash(of), "valid_since": since, "accounted_until": until}
    return Traces(**{**given, "oldest": LONG_AGO, **more})


def brief(found: list[Fate]) -> list[tuple[str, int | None, str]]:
    return [(f"{fate.first:%H:%M}-{fate.last:%H:%M}", fate.count, fate.outcome) for fate in found]


def test_each_instant_is_a_run_or_skipped_or_still_to_come() -> None:
    six = task(*(f"daily_at_{hour:02d}:00" for hour in (0, 4, 8, 12, 16, 20)))
    at = [DAY + 4 * n * HOUR for n in range(6)]
    traces = known(
        six,
        until=at[3],
        runs=[run(1, at[0]), run(2, at[3], status="failed", error="404", attempt=2)],
        skips=[skip(at[1], at[2], 2, "no contact")],
    )
    found = fates(six, traces, DAY, END, now=at[4] + MINUTE)
    assert brief(found) == [
        ("00:00-00:00", 1, "completed"),
        ("04:00-08:00", 2, "skipped"),
        ("12:00-12:00", 1, "failed"),
        ("16:00-16:00", 1, "waiting"),
        ("20:00-20:00", 1, "to come"),
    ]
    assert [fate.why for fate in found] == [
        "", "blocked: no contact", "404", "due; no scheduler has dealt with it yet", "",
    ]  # fmt: skip
    assert found[2].runs[0].id == 2
    assert remarks(six, traces) == []


def test_of_a_long_skip_only_the_part_of_the_day_is_told() -> None:
    hourly = task("hourly")
    traces = known(
        hourly, skips=[skip(DAY - 100 * HOUR, DAY + 5 * HOUR, 106), skip(DAY + 6 * HOUR, END + HOUR, 20)]
    )
    found = fates(hourly, traces, DAY, END, END + 9 * HOUR)
    assert brief(found) == [("00:00-05:00", 6, "skipped"), ("06:00-23:00", 18, "skipped")]


def test_a_run_between_two_skips_stands_between_them() -> None:
    hourly = task("hourly")
    skips = [skip(DAY, DAY + 5 * HOUR, 6), skip(DAY + 7 * HOUR, DAY + 23 * HOUR, 17)]
    found = fates(hourly, known(hourly, runs=[run(1, DAY + 6 * HOUR)], skips=skips), DAY, END, END)
    assert [fate.outcome for fate in found] == ["skipped", "completed", "skipped"]


def test_before_the_schedule_was_there() -> None:
    hourly = task("hourly")
    began = DAY + 8 * HOUR + 20 * MINUTE
    # Of the schedule before: a run at a time of its own, and a skip that nobody can count any more.
    traces = known(
        hourly,
        since=began,
        runs=[run(1, DAY + 5 * HOUR + 30 * MINUTE), run(2, DAY + 9 * HOUR)],
        skips=[skip(DAY - 5 * HOUR, DAY + 2 * HOUR, 70), skip(DAY + 10 * HOUR, END, 15)],
    )
    found = fates(hourly, traces, DAY, END, END)
    assert brief(found) == [
        ("00:00-02:00", None, "skipped"),
        ("03:00-05:00", 3, "not there yet"),
        ("05:30-05:30", 1, "completed"),
        ("06:00-08:00", 3, "not there yet"),
        ("09:00-09:00", 1, "completed"),
        ("10:00-23:00", 14, "skipped"),
    ]
    assert "it began at 2026-03-02T08:20:00Z" in found[1].why


def test_an_edit_that_no_scheduler_has_taken_up() -> None:
    hourly = task("hourly")
    traces = known(task("daily"), runs=[run(1, DAY)])
    found = fates(hourly, traces, DAY, END, DAY + 12 * HOUR)
    assert brief(found) == [
        ("00:00-00:00", 1, "completed"),
        ("01:00-12:00", 12, "not there yet"),
        ("13:00-23:00", 11, "to come"),
    ]
    assert "no scheduler has taken up the edit" in remarks(hourly, traces)[0]


def test_a_task_that_nobody_has_taken_up() -> None:
    found = fates(task("daily"), Traces(), DAY, END, END)
    assert brief(found) == [("00:00-00:00", 1, "not there yet")]
    assert "no scheduler has taken it up" in found[0].why
    assert "no scheduler has taken up this task yet" in remarks(task("daily"), Traces())[0]


def test_before_what_the_store_keeps() -> None:
    hourly = task("hourly")
    found = fates(hourly, known(hourly, oldest=DAY + 6 * HOUR, runs=[run(9, DAY + 6 * HOUR)]), DAY, END, END)
    assert brief(found) == [
        ("00:00-05:00", 6, "not kept"),
        ("06:00-06:00", 1, "completed"),
        ("07:00-23:00", 17, "lost"),
    ]
    assert found[0].why == "before what the store keeps: of this task since 2026-03-02T06:00:00Z"
    assert "please report" in found[2].why


def test_runs_that_no_schedule_asked_for() -> None:
    daily = task("daily", after=(Dependency("a"),))
    made = {"created_at": DAY + 3 * HOUR}
    runs = [run(1, DAY), run(2, None, **made), run(3, None, trigger="after:77", **made)]
    found = fates(daily, known(daily, runs=runs), DAY, END, END)
    assert [fate.why for fate in found] == ["", "by hand", "after run 77"]
    assert [fate.first for fate in found] == [DAY, DAY + 3 * HOUR, DAY + 3 * HOUR]


def test_a_skip_of_a_task_without_a_schedule_is_told() -> None:
    follower = task(after=(Dependency("a"),))
    at = DAY + 3 * HOUR + 2 * MINUTE
    found = fates(follower, Traces(skips=[skip(at, at, 1, "after run 4 of a")]), DAY, END, END)
    assert found == [Fate(at, at, 1, "skipped", "blocked: after run 4 of a")]
    assert remarks(follower, Traces()) == ["it has no schedule"]
    assert remarks(task(), Traces()) == ["it has no schedule: it runs only by hand"]


def test_what_a_removed_task_left_is_told() -> None:
    traces = known(task("daily"), runs=[run(1, DAY)], removed_at=DAY + HOUR)
    assert brief(fates(None, traces, DAY, END, END)) == [("00:00-00:00", 1, "completed")]
    assert remarks(None, traces) == [
        "the task is declared no more; this is what the store has of it",
        "schedulers have not seen it declared since 2026-03-02T01:00:00Z",
    ]


def test_a_run_that_started_late_says_so() -> None:
    daily = task("daily")
    late = run(1, DAY, started_at=DAY + 2 * HOUR, reason="saw 0 records", status="suspect")
    [found] = fates(daily, known(daily, runs=[late]), DAY, END, END)
    assert found.why == "started 2h late; saw 0 records"


def minutes(fail: int | None = None) -> Traces:
    runs = [run(n + 1, DAY + n * MINUTE, new=1) for n in range(1440)]
    if fail is not None:
        runs[fail] = replace(runs[fail], status=TaskStatus.FAILED, error="503")
    return known(task("hourly"), runs=runs)


def test_many_instants_become_a_few_lines() -> None:
    of = task("hourly")
    found = fates(of, minutes(fail=700), DAY, END, END)
    assert brief(found) == [
        ("00:00-11:39", 700, "completed"),
        ("11:40-11:40", 1, "failed"),
        ("11:41-23:59", 739, "completed"),
    ]
    assert sum(run.new for run in found[0].runs) == 700
    assert len(fates(of, minutes(), DAY, END, END, joined=False)) == 1440
    few = [run(n + 1, DAY + n * HOUR) for n in range(24)]
    assert len(fates(of, known(of, runs=few), DAY, END, END)) == 24


@pytest.mark.parametrize(
    ("trigger", "words"),
    [
        ("hand:x", "by hand"),
        ("after:3", "after run 3"),
        ("after:3/9", "after run 3"),
        ("backfill:1/2020", "backfill 1/2020"),
        ("odd", "odd"),
    ],
)
def test_triggers_in_words(trigger: str, words: str) -> None:
    assert trigger_words(run(1, None, trigger=trigger)) == words
