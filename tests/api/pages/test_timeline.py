"""Runs as bars over time."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from stoma.api.pages.timeline import MOST_BARS, MOST_LANES, SLOTS, timeline

END = datetime(2026, 3, 2, 12, tzinfo=UTC)
START = END - timedelta(hours=24)


def row(
    number: int, task: str, begun: datetime, minutes: float = 1, status: str = "completed"
) -> dict[str, Any]:
    over = None if status in ("running", "pending") else begun + timedelta(minutes=minutes)
    started = None if status == "pending" else begun
    return {
        "id": number, "task_id": task, "status": status, "created_at": begun, "started_at": started, "finished_at": over
    }  # fmt: skip


def test_a_bar_lies_where_its_run_was() -> None:
    found = timeline([row(1, "a", START + timedelta(hours=6), 360)], START, END, UTC)
    [bar] = found.lanes[0].bars
    assert (bar.left, bar.width, bar.status, bar.told) == (25.0, 25.0, "completed", "run 1, completed, 6 h")


def test_what_lies_outside_is_cut_or_left_out() -> None:
    rows = [
        row(3, "a", END - timedelta(hours=1), status="running"),
        row(2, "a", START - timedelta(hours=1), 120),
        row(1, "b", START - timedelta(hours=5), 1),
    ]
    [lane] = timeline(rows, START, END, UTC).lanes
    assert [(bar.left, bar.width) for bar in lane.bars] == [(95.83, 4.17), (0.0, 4.17)]


def test_runs_that_begin_together_are_one_bar_as_bad_as_the_worst() -> None:
    at = START + timedelta(hours=12)
    rows = [
        row(3, "a", at + timedelta(seconds=20)),
        row(2, "a", at, status="failed"),
        row(1, "a", at - timedelta(hours=1)),
    ]
    together, before = timeline(rows, START, END, UTC).lanes[0].bars
    assert (together.status, together.run, together.count) == ("failed", 2, 2)
    assert together.told == "2 runs, the worst failed"
    assert before.count == 1


def test_a_run_tried_again_by_hand_lies_where_it_ran_last() -> None:
    rows = [
        row(3, "a", START + timedelta(hours=12)),
        row(2, "a", START + timedelta(hours=6)),
        row(1, "a", START + timedelta(hours=18)),  # began first, and again after the others
    ]
    [lane] = timeline(rows, START, END, UTC).lanes
    assert [(bar.run, bar.left, bar.count) for bar in lane.bars] == [(1, 75.0, 1), (3, 50.0, 1), (2, 25.0, 1)]


def test_very_many_runs_stay_a_picture() -> None:
    rows = [
        row(
            number,
            f"t{number % 40:02d}",
            END - timedelta(seconds=20 * number),
            status="failed" if number % 40 == 33 else "completed",
        )
        for number in range(4000)
    ]
    found = timeline(rows, START, END, UTC)
    bars = sum(len(lane.bars) for lane in found.lanes)
    assert len(found.lanes) <= MOST_LANES
    assert bars <= MOST_BARS + SLOTS
    assert "t33" in [lane.task for lane in found.lanes]
    assert len(found.lanes) + found.more == 40
    assert all(bar.left >= 0 and bar.left + bar.width <= 100.01 for lane in found.lanes for bar in lane.bars)


def test_ticks_are_round_by_the_clock_of_the_zone() -> None:
    zone = ZoneInfo("Asia/Kolkata")
    ticks = timeline([], START, END, zone).ticks
    assert [at.astimezone(zone).strftime("%H:%M") for _, at in ticks] == ["18:00", "00:00", "06:00", "12:00"]
    long = timeline([], END - timedelta(days=900), END, zone).ticks
    assert 2 <= len(long) <= 12
    assert timeline([], END, END, zone).lanes == []
