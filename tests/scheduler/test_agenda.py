"""What becomes of due instants: a table of cases, and one property."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stoma.scheduler.agenda import BETWEEN, MOST_CAUGHT_UP, Refusal, next_due, refusal, settle
from stoma.scheduler.base import CatchUp, SkipReason, Switch, Switches, Task

NOW = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)
HOUR, MINUTE = timedelta(hours=1), timedelta(minutes=1)


@dataclass(frozen=True)
class Every:
    """Due at every multiple of `step` since the epoch."""

    step: timedelta
    days_off: tuple[int, ...] = ()
    jitter: timedelta = timedelta(0)

    def next_after(self, moment: datetime) -> datetime:
        epoch = datetime(1970, 1, 1, tzinfo=UTC)
        return epoch + ((moment - epoch) // self.step + 1) * self.step

    def off(self, instant: datetime) -> str | None:
        return "weekend" if instant.weekday() in self.days_off else None

    def delay(self, instant: datetime) -> timedelta:
        return self.jitter


def task(runs: str = "latest", overlap: str = "skip", max_lateness: timedelta | None = None) -> Task:
    return Task("a", "A", "arxiv", overlap=overlap, catch_up=CatchUp(runs, max_lateness))


def test_nothing_due_moves_on_to_now() -> None:
    found = settle(task(), [Every(HOUR)], NOW, NOW + 5 * MINUTE)
    assert (found.accounted_until, found.runs, found.skips) == (NOW + 5 * MINUTE, (), ())


def test_a_clock_that_went_back_accounts_for_nothing_twice() -> None:
    found = settle(task(), [Every(HOUR)], NOW, NOW - HOUR)
    assert (found.accounted_until, found.runs) == (NOW, ())


def test_one_due_instant_is_one_run() -> None:
    found = settle(task(), [Every(HOUR)], NOW - MINUTE, NOW)
    assert (found.runs, found.skips) == ([NOW], [])


def test_latest_lets_one_run_stand_for_all_that_was_missed() -> None:
    found = settle(task(), [Every(HOUR)], NOW - 5 * HOUR, NOW)
    assert found.runs == [NOW]
    [skip] = found.skips
    assert (skip.first, skip.last, skip.count) == (NOW - 4 * HOUR, NOW - HOUR, 4)
    assert skip.reason is SkipReason.MERGED


def test_none_lets_what_was_missed_go() -> None:
    found = settle(task("none"), [Every(HOUR)], NOW - 5 * HOUR, NOW + 10 * MINUTE)
    assert found.runs == []
    assert [(skip.count, skip.reason) for skip in found.skips] == [(5, SkipReason.TOO_LATE)]
    assert settle(task("none"), [Every(HOUR)], NOW - 5 * HOUR, NOW).runs == [NOW]


def test_all_brings_everything_back_up_to_a_limit() -> None:
    assert len(settle(task("all"), [Every(HOUR)], NOW - 5 * HOUR, NOW).runs) == 5
    found = settle(task("all"), [Every(HOUR)], NOW - 200 * HOUR, NOW)
    assert len(found.runs) == MOST_CAUGHT_UP
    assert sum(skip.count for skip in found.skips) == 200 - MOST_CAUGHT_UP


def test_max_lateness() -> None:
    found = settle(task(max_lateness=HOUR), [Every(3 * HOUR)], NOW - 3 * HOUR, NOW + 2 * HOUR)
    assert [(skip.last, skip.reason) for skip in found.skips] == [(NOW, SkipReason.TOO_LATE)]
    assert settle(task(max_lateness=HOUR), [Every(3 * HOUR)], NOW - HOUR, NOW + 30 * MINUTE).runs == [NOW]


def test_an_open_run_makes_it_an_overlap_or_a_queue() -> None:
    found = settle(task(), [Every(HOUR)], NOW - MINUTE, NOW, open_runs=1)
    assert [(skip.last, skip.reason) for skip in found.skips] == [(NOW, SkipReason.OVERLAP)]
    assert settle(task(overlap="queue"), [Every(HOUR)], NOW - MINUTE, NOW, open_runs=1).runs == [NOW]


def test_a_refusal_stands_before_all_else() -> None:
    refusal = Refusal(SkipReason.BLOCKED, "no contact")
    found = settle(task("all"), [Every(HOUR)], NOW - 3 * HOUR, NOW, judge=lambda _: refusal)
    assert found.runs == []
    [skip] = found.skips
    assert (skip.count, skip.reason, skip.detail) == (3, SkipReason.BLOCKED, "no contact")


def test_several_patterns_name_each_instant_once() -> None:
    found = settle(task(), [Every(HOUR), Every(2 * HOUR)], NOW - MINUTE, NOW)
    assert found.runs == [NOW]
    assert next_due([Every(2 * HOUR), Every(HOUR)], NOW) == NOW + HOUR
    assert next_due([], NOW) is None


@given(
    runs=st.sampled_from(["none", "latest", "all"]),
    overlap=st.sampled_from(["skip", "queue"]),
    open_run=st.booleans(),
    refused=st.booleans(),
    minutes=st.integers(1, 90),
    down=st.integers(0, 60 * 24 * 3),
    late=st.integers(0, 60 * 24),
)
def test_every_due_instant_is_a_run_or_in_one_skip(
    runs: str, overlap: str, open_run: bool, refused: bool, minutes: int, down: int, late: int
) -> None:
    pattern = Every(minutes * MINUTE)
    lateness = late * MINUTE if late % 2 else None
    chosen = replace(task(runs, overlap), catch_up=CatchUp(runs, lateness))
    since = NOW - down * MINUTE
    found = settle(
        chosen,
        [pattern],
        since,
        NOW,
        judge=lambda _: Refusal(SkipReason.DISABLED) if refused else None,
        open_runs=open_run,
    )
    due, moment = [], pattern.next_after(since)
    while moment <= NOW:
        due.append(moment)
        moment = pattern.next_after(moment)
    accounted = dict.fromkeys(due, 0)
    for instant in found.runs:
        accounted[instant] += 1
    for skip in found.skips:
        inside = [instant for instant in due if skip.first <= instant <= skip.last]
        assert len(inside) == skip.count
        for instant in inside:
            accounted[instant] += 1
    assert set(accounted.values()) <= {1}
    assert found.accounted_until >= NOW


def test_a_year_of_downtime_is_settled_in_turns() -> None:
    pattern, since, turns, missed = Every(MINUTE), NOW - timedelta(days=30), 0, 0
    while since < NOW:
        found = settle(task(), [pattern], since, NOW)
        assert len(found.skips) + len(found.runs) <= 2
        missed += sum(skip.count for skip in found.skips) + len(found.runs)
        since, turns = found.accounted_until, turns + 1
    assert found.runs == [NOW]
    assert (missed, turns) == (30 * 24 * 60, 9)


@pytest.mark.parametrize("runs", ["latest", "all"])
@pytest.mark.parametrize("missed", [1, 99, 100, 101, 4999, 5000, 5001, 5050, 10_000])
def test_however_many_were_missed_the_newest_run(missed: int, runs: str) -> None:
    pattern, since, made, skipped = Every(MINUTE), NOW - missed * MINUTE, [], 0
    while since < NOW:
        found = settle(task(runs), [pattern], since, NOW)
        made += found.runs
        skipped += sum(skip.count for skip in found.skips)
        assert found.accounted_until > since
        since = found.accounted_until
    wanted = min(missed, MOST_CAUGHT_UP) if runs == "all" else 1
    assert made == [NOW - n * MINUTE for n in reversed(range(wanted))]
    assert len(made) + skipped == missed


# -- days off, jitter, switches ------------------------------------------------------------------------------

DAY = timedelta(days=1)


def test_days_off_are_skipped_and_joined() -> None:
    # NOW is a Sunday noon.
    found = settle(task("all"), [Every(HOUR, days_off=(5, 6))], NOW - 3 * DAY, NOW)
    weekend = [skip for skip in found.skips if skip.reason is SkipReason.HOLIDAY]
    assert [(skip.count, skip.detail) for skip in weekend] == [(24 + 13, "weekend")]
    assert found.runs[-1] == datetime(2026, 2, 27, 23, tzinfo=UTC)


def test_the_newest_that_may_run_stands_for_the_others() -> None:
    found = settle(task(), [Every(HOUR, days_off=(5, 6))], NOW - 3 * DAY, NOW)
    assert found.runs == [datetime(2026, 2, 27, 23, tzinfo=UTC)]
    assert {skip.reason for skip in found.skips} == {SkipReason.HOLIDAY, SkipReason.MERGED}


def test_a_day_off_counts_only_if_all_schedules_that_name_the_instant_leave_it_out() -> None:
    found = settle(task(), [Every(HOUR, days_off=(6,)), Every(2 * HOUR)], NOW - MINUTE, NOW)
    assert found.runs == [NOW]


def test_jitter_lets_the_run_wait_and_leaves_its_instant() -> None:
    found = settle(task(), [Every(HOUR, jitter=3 * MINUTE)], NOW - MINUTE, NOW)
    assert (found.runs, found.waits) == ([NOW], {NOW: NOW + 3 * MINUTE})


def test_what_is_brought_back_does_not_come_all_at_once() -> None:
    found = settle(task("all"), [Every(HOUR)], NOW - 3 * HOUR, NOW + 10 * MINUTE)
    assert [found.waits.get(run) for run in found.runs] == [
        None,
        NOW + 10 * MINUTE + BETWEEN,
        NOW + 10 * MINUTE + 2 * BETWEEN,
    ]


EARLIER, LATER = NOW - HOUR, NOW + HOUR


@pytest.mark.parametrize(
    ("switches", "enabled", "reason"),
    [
        (Switches(), True, None),
        (Switches(), False, "disabled"),
        (Switches({"a": Switch(True, EARLIER)}), False, None),
        (Switches({"a": Switch(False, EARLIER)}), True, "disabled"),
        # Switched on again after the instant was due: it stays in the past.
        (Switches({"a": Switch(True, LATER)}), False, "disabled"),
        (Switches(paused=Switch(True, LATER)), True, "paused"),
        (Switches(paused=Switch(False, LATER)), True, "paused"),
        (Switches(paused=Switch(False, EARLIER)), True, None),
        (Switches({"b": Switch(False, EARLIER)}), True, None),
    ],
)
def test_what_is_switched_off_never_fires_later(
    switches: Switches, enabled: bool, reason: str | None
) -> None:
    found = refusal(replace(task(), enabled=enabled), switches, None, NOW, NOW + 2 * HOUR)
    assert (found.reason if found else None) == reason


def test_what_blocks_a_task_is_told() -> None:
    found = refusal(task(), Switches(), "no contact", NOW, NOW)
    assert found == Refusal(SkipReason.BLOCKED, "no contact")


def test_twelve_hours_of_a_minute_task_are_one_span() -> None:
    found = settle(task(), [Every(MINUTE)], NOW - 12 * HOUR, NOW)
    assert [(skip.count, skip.reason) for skip in found.skips] == [(719, SkipReason.MERGED)]
