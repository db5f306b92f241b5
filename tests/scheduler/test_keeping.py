"""The job that deletes what is old: its decisions, and its work on both databases."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from itertools import count
from pathlib import Path
from typing import Any

import pytest

from stoma.errors import ConfigError
from stoma.log import logger
from stoma.scheduler.base import NewRun, TaskPriority, TaskStatus, at_trigger
from stoma.scheduler.config import load_config
from stoma.scheduler.explain import NOT_KEPT, fates, remarks
from stoma.scheduler.keeping import AT_FIRST, FEWEST, MOST, Keeper, Limits, ahead, is_due, limits, paced
from stoma.scheduler.manager import Scheduler
from stoma.scheduler.settings import Keep
from stoma.stores import Store, open_store
from stoma.stores.logs import Line
from stoma.stores.records import OBSERVATION_COLUMNS
from stoma.stores.runs import End
from stoma.stores.traces import traces
from tests.support.clock import Clock
from tests.support.records import record, stored

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
DAY, HOUR = timedelta(days=1), timedelta(hours=1)
LEASE = timedelta(seconds=30)


# -- decisions -------------------------------------------------------------------------------------------------


def test_by_when_things_count_as_old() -> None:
    assert limits(Keep(), NOW) == Limits(
        runs=NOW - 180 * DAY,
        skips=NOW - 180 * DAY,
        logs=NOW - 30 * DAY,
        rejects=NOW - 90 * DAY,
        # Days are whole ones.
        observations=NOW - 90 * DAY - 12 * HOUR,
        records=None,
        audit=NOW - 180 * DAY,
    )


def test_what_is_kept_for_ever_is_never_old_and_a_log_goes_with_its_run() -> None:
    assert limits(Keep(None, None, None, None, None), NOW) == Limits(*[None] * 7)
    assert limits(Keep(runs=DAY, logs=None), NOW).logs == NOW - DAY
    assert limits(Keep(runs=DAY, logs=2 * DAY), NOW).logs == NOW - DAY
    assert limits(Keep(runs=None, logs=2 * DAY), NOW).logs == NOW - 2 * DAY


def test_a_sweep_begins_anew_with_each_day_and_where_less_is_kept() -> None:
    assert is_due(NOW, None, NOW)
    assert not is_due(NOW + 23 * HOUR, NOW, NOW + 30 * DAY)
    assert is_due(NOW + 24 * HOUR, NOW, NOW + 30 * DAY)
    # More is kept: nothing is old before that day.
    assert not is_due(NOW - 30 * DAY, NOW, NOW)
    # A clock that was ahead has reached what is still to come.
    assert is_due(NOW - 30 * DAY, NOW + HOUR, NOW)


def test_a_clock_that_goes_on_by_more_than_a_month_at_once_is_doubted() -> None:
    assert ahead(NOW, None) is None
    assert ahead(NOW, NOW - 30 * DAY) is None
    assert ahead(NOW, NOW - 31 * DAY) == 31 * DAY
    assert ahead(NOW, NOW + 31 * DAY) is None


def test_steps_grow_while_they_are_short_and_shrink_when_they_take_long() -> None:
    assert [paced(100, seconds) for seconds in (0.001, 0.004, 0.02)] == [200, 100, 50]
    assert (paced(MOST, 0.0), paced(FEWEST, 1.0)) == (MOST, FEWEST)


# -- what is written -------------------------------------------------------------------------------------------


def written(tmp_path: Path, keep: str) -> Path:
    path = tmp_path / "stoma.yaml"
    path.write_text(f"version: 1\npresets: []\n{keep}\n")
    return path


@pytest.mark.parametrize(
    ("keep", "means"),
    [
        ("", Keep()),
        ("keep:", Keep()),
        ("keep: {runs: forever, logs: 7d}", Keep(runs=None, logs=7 * DAY)),
        ("keep: {records: 2y, rejects: 1d, observations: 1y}", Keep(
            records=730 * DAY, rejects=DAY, observations=365 * DAY)),
        ("keep: {records: 99999y}", Keep(records=365_000 * DAY)),
    ],
)  # fmt: skip
def test_what_people_write(tmp_path: Path, keep: str, means: Keep) -> None:
    assert load_config(written(tmp_path, keep)).keep == means


@pytest.mark.parametrize("text", ["6m", "0d", "30", "12h", "1y6d", "ever", "-1d", "٣d"])
def test_what_would_delete_too_much_or_means_nothing_is_refused(tmp_path: Path, text: str) -> None:
    with pytest.raises(ConfigError) as caught:
        load_config(written(tmp_path, f'keep: {{records: "{text}"}}'))
    assert "days or years such as 90d or 2y, or forever" in str(caught.value)


def test_an_edit_counts_as_one(tmp_path: Path) -> None:
    one, other = (load_config(written(tmp_path, keep)).hash for keep in ("", "keep: {runs: 7d}"))
    assert one != other


# -- the job ---------------------------------------------------------------------------------------------------


def ran(store: Store, at: datetime, task_id: str = "a") -> None:
    store.runs.add(NewRun(task_id, at_trigger(at), TaskPriority.NORMAL, "0", scheduled_for=at), at)
    run = store.runs.claim("me", at, at + LEASE)
    assert run is not None
    store.runs.end(run, End(TaskStatus.FAILED), at)
    store.logs.add([Line(run.id, at, "INFO", "x")])


def filled(store: Store, clock: Clock, days: int = 130) -> None:
    """A run with a line and an observation every twelve hours."""
    start = clock.now - days * DAY
    for half in range(days * 2):
        at = start + half * 12 * HOUR
        with store.database.transaction() as tx:
            tx.insert("observations", OBSERVATION_COLUMNS, [("s", "1", "stars", 1.0, at, half)])
            tx.insert(
                "runs",
                ("task_id", "trigger", "scope", "scheduled_for", "status", "priority", "queue_at",
                 "config_hash", "created_at", "started_at", "finished_at"),
                [("a", at_trigger(at), "live", at, "failed", "normal", at, "0", at, at, at)],
            )  # fmt: skip
            tx.insert("run_logs", ("run_id", "logged_at", "level", "message"), [(half + 1, at, "INFO", "x")])


KEEP = Keep(runs=60 * DAY, logs=30 * DAY, observations=90 * DAY)


def test_it_works_until_nothing_is_old_and_tells_before_what_that_will_be(store: Store, clock: Clock) -> None:
    filled(store, clock)
    keeper = Keeper(store)
    # All but the first and the newest hundred; the lines of a hundred days; one of two for forty days, but the first.
    expected = {"runs": 139, "logs": 200, "observations": 39}
    assert {kind: n for kind, n in keeper.would_go(KEEP).items() if n} == expected
    assert {kind: n for kind, n in keeper.finish(KEEP).items() if n} == expected
    assert not any(keeper.would_go(KEEP).values())
    assert not any(keeper.finish(KEEP).values())


def test_each_ring_takes_its_time_and_the_next_goes_on_also_in_another_process(
    store: Store, clock: Clock
) -> None:
    filled(store, clock)
    # Each look at the clock is a second, so that a ring has time for one step.
    seconds = count()
    keepers = [Keeper(store, clock=lambda: float(next(seconds))) for _ in range(2)]
    rings, gone = 0, Counter[str]()
    while sum(gone.values()) < 378:
        gone += keepers[rings % 2].ring(KEEP, seconds=2.0)
        rings += 1
        assert rings < 100
    assert rings > 5
    assert gone == {"runs": 139, "logs": 200, "observations": 39}


def test_no_kind_waits_for_another_one(store: Store, clock: Clock) -> None:
    filled(store, clock)
    seconds = count()
    gone = Keeper(store, clock=lambda: float(next(seconds))).ring(KEEP, seconds=25.0)
    assert min(gone["runs"], gone["logs"], gone["observations"]) > 0
    assert max(gone.values()) <= 2 * AT_FIRST


def test_where_nothing_is_to_be_done_nothing_is_written(
    store: Store, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    filled(store, clock, 3)
    keeper = Keeper(store)
    keeper.finish(KEEP)

    def refuse() -> None:
        raise AssertionError("it writes")

    monkeypatch.setattr(store.database, "transaction", refuse)
    clock.forward(hours=1)
    assert sum(keeper.ring(KEEP).values()) == 0


def test_for_ever_means_that_nothing_goes(store: Store, clock: Clock) -> None:
    filled(store, clock)
    assert sum(Keeper(store).finish(Keep(None, None, None, None, None)).values()) == 0
    assert store.keeping.kept_since(clock.now) is None


@pytest.fixture
def logged() -> Iterator[list[str]]:
    """What is told while a test goes on."""
    lines: list[str] = []
    handle = logger.add(lambda message: lines.append(message.record["message"]), level="WARNING")
    yield lines
    logger.remove(handle)


def test_a_clock_that_leaps_deletes_nothing_until_it_is_believed(
    store: Store, clock: Clock, logged: list[str]
) -> None:
    filled(store, clock)
    keeper, right = Keeper(store), clock.now
    keeper.finish(KEEP)
    before = len(store.runs.history("a", limit=1000))
    clock.forward(days=4000)
    for _ in range(3):
        assert sum(keeper.ring(KEEP).values()) == 0
        clock.forward(minutes=1)
    [line] = logged
    assert line.startswith("the clock went ahead by 4000 days: nothing old is deleted for a day")
    # It was wrong: everything is as it was, and goes on as it did.
    clock.now = right + DAY
    assert sum(keeper.ring(KEEP).values()) > 0
    assert before - len(store.runs.history("a", limit=1000)) <= 2
    assert store.keeping.sweeps()["runs"].before == clock.now - 60 * DAY
    # The next time counts anew.
    clock.forward(days=4000)
    assert sum(keeper.ring(KEEP).values()) == 0
    assert len(logged) == 2


def test_a_machine_that_was_away_for_long_goes_on_after_a_day(store: Store, clock: Clock) -> None:
    filled(store, clock)
    Keeper(store).finish(KEEP)
    clock.forward(days=40)
    assert sum(Keeper(store).ring(KEEP).values()) == 0
    clock.forward(hours=23)
    assert sum(Keeper(store).ring(KEEP).values()) == 0
    clock.forward(hours=1)
    # Also in a process that has seen nothing of that.
    assert sum(Keeper(store).ring(KEEP, seconds=5.0).values()) > 0


def test_who_asks_for_it_does_not_have_to_wait(store: Store, clock: Clock) -> None:
    filled(store, clock)
    keeper = Keeper(store)
    keeper.finish(KEEP)
    clock.forward(days=40)
    assert sum(keeper.ring(KEEP).values()) == 0
    assert keeper.finish(KEEP)["logs"] > 0
    assert not any(keeper.would_go(KEEP).values())
    # It is not only once that it is doubted.
    clock.forward(days=40)
    store.logs.add([Line(1, clock.now - 39 * DAY, "INFO", "x")])
    assert sum(keeper.ring(KEEP).values()) == 0


def test_a_clock_that_was_ahead_for_longer_than_it_was_doubted_is_got_over(
    store: Store, clock: Clock
) -> None:
    filled(store, clock)
    keeper, right = Keeper(store), clock.now
    # It believes a clock that has no other beside it.
    clock.forward(days=3650)
    keeper.ring(KEEP, seconds=5.0)
    clock.now = right
    assert store.keeping.kept_since(clock.now) == right
    keeper.ring(KEEP, seconds=5.0)
    assert store.keeping.kept_since(clock.now) == clock.now - 60 * DAY
    for _ in range(5):
        ran(store, clock.now, "b")
        clock.forward(days=20)
        keeper.ring(KEEP, seconds=5.0)
    # Whatever came since then is deleted in its time again.
    assert store.keeping.kept_since(clock.now) == clock.now - 60 * DAY
    assert not store.logs.of_run(261)
    assert store.logs.of_run(265)


def test_a_clock_that_goes_on_as_it_should_is_never_doubted(store: Store, clock: Clock) -> None:
    filled(store, clock)
    for _ in range(6):
        clock.forward(days=20)
        Keeper(store).ring(KEEP, seconds=5.0)
    assert store.keeping.kept_since(clock.now) == clock.now - 60 * DAY
    assert not store.logs.of_run(260)


def test_a_ring_does_not_wait_for_whoever_saves_records(
    postgres_url: str, tmp_path: Path, clock: Clock
) -> None:
    keep = Keep(records=DAY)
    with (
        open_store(postgres_url, tmp_path, clock=clock) as store,
        open_store(postgres_url, tmp_path, clock=clock) as other,
    ):
        stored(store, record("1"))
        clock.forward(days=20)
        rung: list[Counter[str]] = []
        with other.database.transaction() as saving:
            saving.lock("records lab")
            thread = threading.Thread(target=lambda: rung.append(Keeper(store).ring(keep)))
            thread.start()
            thread.join(5)
            assert [sum(gone.values()) for gone in rung] == [0]
        assert Keeper(store).ring(keep)["records"] == 1


def test_to_the_end_also_where_another_process_makes_some_of_the_steps(store: Store, clock: Clock) -> None:
    filled(store, clock)
    mine, other = Keeper(store), Keeper(store)
    # Each time the first one has looked, the second is quicker.
    plain = store.keeping.sweep

    def overtaken(sweep: Any, *given: Any, **more: Any) -> Any:
        if sweep.what == "runs" and not overtaking:
            overtaking.append(sweep)
            plain(sweep, *given, **more)
        return plain(sweep, *given, **more)

    overtaking: list[Any] = []
    store.keeping.sweep = overtaken  # type: ignore[method-assign]
    mine.finish(KEEP)
    assert overtaking
    assert not any(other.would_go(KEEP).values())


def test_why_says_that_the_limit_is_why_nothing_is_known(tmp_path: Path, store: Store, clock: Clock) -> None:
    path = written(
        tmp_path, "tasks: {a: {collector: arxiv, config: {search_query: x}, schedule: interval_12h}}"
    )
    task = load_config(path).tasks["a"]
    from stoma.scheduler.config import schedule_hash

    start = clock.now - 130 * DAY
    store.agenda.adopt({"a": schedule_hash(task)}, start)
    filled(store, clock)
    with store.database.transaction() as tx:
        tx.execute("agenda_move", task_id="a", accounted_until=clock.now, skip_id=None)
    Keeper(store).finish(KEEP)
    long_ago = start + 20 * DAY
    known = traces(store.database, "a", long_ago, long_ago + DAY)
    told = fates(task, known, long_ago, long_ago + DAY, clock.now)
    assert [fate.outcome for fate in told] == [NOT_KEPT]
    assert told[0].count == 2
    assert told[0].why == "runs and skips from before 2025-12-31T12:00:00Z were deleted"
    [remark] = remarks(task, known)
    assert "before 2025-12-31T12:00:00Z are kept no longer" in remark
    # What is told of a later day does not speak of it.
    assert remarks(task, traces(store.database, "a", clock.now - DAY, clock.now)) == []


def test_a_scheduler_takes_up_an_edit_of_it(tmp_path: Path, url: str, clock: Clock) -> None:
    store_url = f'store: {{url: "{url}"}}\n'
    path = written(tmp_path, store_url)
    with Scheduler(path, clock=clock) as scheduler:
        filled(scheduler.store, clock, 20)

        def rung() -> int:
            for job in scheduler.ticker._clock.jobs:
                job.run()
            return len(scheduler.store.logs.of_run(1))

        assert rung() == 1
        written(tmp_path, store_url + "keep: {logs: 10d}")
        scheduler.look_again()
        scheduler.rescan()
        assert scheduler.config.keep.logs == 10 * DAY
        assert not scheduler.restart_needed
        assert rung() == 0
