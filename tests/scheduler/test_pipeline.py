"""One run from a claimed row to its end, on both databases."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from stoma.errors import BadAnswer, Blocked, HostWait, SourceRefused, Stopped, StoreUnavailable, Unreachable
from stoma.log import logger
from stoma.normalizers.base import BaseNormalizer
from stoma.records import Record, Reject
from stoma.scheduler.base import Expect, NewRun, Run, Task, TaskStatus, hand_trigger
from stoma.scheduler.pipeline import Control, Surroundings, execute
from stoma.stores import Store
from stoma.stores.runs import End
from tests.support.clock import Clock
from tests.support.scripted import Script, install

TASK = Task("t", "T", "scripted", config={"script": "s"})


@pytest.fixture
def script(monkeypatch: pytest.MonkeyPatch) -> Script:
    return install(monkeypatch)


@pytest.fixture
def told() -> Iterator[list[str]]:
    lines: list[str] = []
    sink = logger.add(lines.append, format="{message}")
    yield lines
    logger.remove(sink)


@pytest.fixture
def around(store: Store, tmp_path: Path) -> Surroundings:
    return Surroundings(store, tmp_path, timedelta(seconds=30), "me")


@pytest.fixture
def go(store: Store, around: Surroundings) -> Callable[..., Run | None]:
    """Claim the open run of the task, or a new one, and execute it once."""

    def go(task: Task = TASK, control: Control | None = None, run: Run | None = None) -> Run | None:
        if run is None:
            if not store.runs.open_of(task.id):
                store.runs.add(NewRun(task.id, hand_trigger(), task.priority, "0"), store.now())
            run = store.runs.claim("me", store.now(), store.now() + timedelta(seconds=30))
        assert run is not None
        return execute(run, task, around, control or Control())

    return go


def failing(on_page: int, error: Exception) -> Callable[..., None]:
    def before_page(number: int, collection: Any) -> None:
        if number == on_page:
            raise error

    return before_page


def test_a_run_stores_its_pages_and_moves_the_cursor(
    store: Store, script: Script, go: Callable[..., Run]
) -> None:
    run = go()
    assert (run.status, run.attempt, run.error) == (TaskStatus.COMPLETED, 1, None)
    assert (run.pages, run.seen, run.new, run.changed, run.unchanged) == (3, 30, 30, 0, 0)
    assert store.records.count() == 30
    assert store.runs.progress("t", "live") is None
    cursor = store.runs.cursor("t")
    assert cursor is not None
    assert (cursor["position"], cursor["run_id"]) == ({"page": 2}, run.id)
    assert [row["status"] for row in store.runs.attempts(run.id)] == ["completed"]
    again = go()
    assert (again.new, again.unchanged) == (0, 30)


def test_a_failed_page_keeps_what_was_committed_and_the_next_try_continues_there(
    store: Store, script: Script, go: Callable[..., Run], clock: Clock
) -> None:
    script.before_page = failing(2, BadAnswer("garbage"))
    run = go()
    assert (run.status, run.error, run.seen) == (TaskStatus.PENDING, "garbage", 20)
    assert run.not_before is not None
    assert timedelta(seconds=24) <= run.not_before - clock.now <= timedelta(seconds=36)
    assert store.records.count() == 20
    assert store.runs.cursor("t") is None
    clock.forward(minutes=1)
    script.before_page = lambda number, collection: None
    script.asked.clear()
    ended = go()
    assert (ended.id, ended.status, ended.attempt) == (run.id, TaskStatus.COMPLETED, 2)
    assert script.asked == [2]
    assert (ended.pages, ended.seen, ended.new) == (3, 30, 30)
    assert ended.error is None
    window = script.collections[-1].progress
    assert window is not None
    assert window.window["begun"] == (clock.now - timedelta(minutes=1)).isoformat()


def test_tries_are_counted_and_end(
    store: Store, script: Script, go: Callable[..., Run], clock: Clock
) -> None:
    script.before_page = failing(1, BadAnswer("always"))
    task = replace(TASK, retry=replace(TASK.retry, count=2))
    ends = []
    for _ in range(3):
        ends.append(go(task).status)
        clock.forward(hours=1)
    assert ends == [TaskStatus.PENDING, TaskStatus.PENDING, TaskStatus.FAILED]
    [run] = store.runs.history()
    assert (run.attempt, run.error) == (3, "always")
    assert run.finished_at is not None
    assert [row["error"] for row in store.runs.attempts(run.id)] == ["always"] * 3
    # Even a failed run leaves its progress to the next one.
    script.before_page = lambda number, collection: None
    script.asked.clear()
    assert go(task).status is TaskStatus.COMPLETED
    assert script.asked == [1, 2]


@pytest.mark.parametrize(
    ("error", "status", "attempt"),
    [
        (SourceRefused("404 not found"), TaskStatus.FAILED, 1),
        (Blocked("A_TOKEN is not set"), TaskStatus.SKIPPED, 0),
        (Stopped("stop"), TaskStatus.INTERRUPTED, 0),
        (ZeroDivisionError("a stranger's mistake"), TaskStatus.PENDING, 1),
    ],
)
def test_what_an_error_means(
    script: Script, go: Callable[..., Run], error: Exception, status: TaskStatus, attempt: int
) -> None:
    script.before_page = failing(0, error)
    run = go()
    assert (run.status, run.attempt) == (status, attempt)


def test_a_busy_host_gives_the_slot_back_and_is_not_a_try(
    script: Script, go: Callable[..., Run], clock: Clock
) -> None:
    until = clock.now + timedelta(minutes=5)
    script.before_page = failing(1, HostWait("slow.example", until, "429"))
    run = go()
    assert (run.status, run.reason, run.attempt, run.not_before) == (
        TaskStatus.PENDING,
        "host busy",
        0,
        until,
    )


def test_a_store_that_fails_is_no_try_of_the_run_for_a_day(
    store: Store, script: Script, go: Callable[..., Run], around: Surroundings, clock: Clock
) -> None:
    script.before_page = failing(2, StoreUnavailable("stoma.db: the disk is full"))
    for _ in range(TASK.retry.count + 2):
        run = go()
        assert (run.status, run.reason, run.not_before) == (
            TaskStatus.PENDING,
            "store failed",
            clock() + timedelta(seconds=30),
        )
        assert "the disk is full" in str(run.error)
        clock.forward(minutes=1)
    clock.forward(days=1)
    assert go().reason == "waiting for the next try"
    clock.forward(hours=1)
    script.before_page = failing(9, Stopped("never"))
    run = go()
    assert (run.status, run.attempt, run.pages, store.records.count()) == (TaskStatus.COMPLETED, 2, 3, 30)


def test_in_the_foreground_a_store_that_fails_is_a_try(
    store: Store, script: Script, around: Surroundings
) -> None:
    script.before_page = failing(0, StoreUnavailable("stoma.db: the disk is full"))
    store.runs.add(NewRun("t", hand_trigger(), TASK.priority, "0"), store.now())
    run = store.runs.claim("me", store.now(), store.now() + timedelta(seconds=30))
    assert run is not None
    ended = execute(run, TASK, replace(around, keeps_retries=True), Control())
    assert ended is not None
    assert (ended.status, ended.reason) == (TaskStatus.PENDING, "waiting for the next try")


def test_a_run_that_was_taken_over_writes_nothing_more(
    store: Store, script: Script, go: Callable[..., Run | None]
) -> None:
    def overtake(number: int, collection: Any) -> None:
        if number == 1:
            [run] = store.runs.running()
            store.runs.end(run, End(TaskStatus.INTERRUPTED, is_try=False), store.now())

    script.before_page = overtake
    assert go() is None
    assert store.records.count() == 10
    [run] = store.runs.open()
    assert (run.status, run.pages) == (TaskStatus.INTERRUPTED, 1)


def test_a_page_without_items_counts_and_is_fenced_by_the_end_it_brings(
    store: Store, script: Script, go: Callable[..., Run | None]
) -> None:
    script.pages, script.per_page = 1, 0
    run = go()
    assert run is not None
    assert (run.status, run.pages, run.seen) == (TaskStatus.COMPLETED, 1, 0)
    cursor = store.runs.cursor("t")
    assert cursor is not None
    assert cursor["run_id"] == run.id

    def overtake(number: int, collection: Any) -> None:
        [running] = store.runs.running()
        store.runs.end(running, End(TaskStatus.INTERRUPTED, is_try=False), store.now())

    script.before_page = overtake
    assert go() is None
    [taken] = store.runs.open()
    assert (taken.status, taken.pages) == (TaskStatus.INTERRUPTED, 0)
    assert store.runs.cursor("t") == cursor


def test_what_earlier_tries_saw_counts_at_the_end(
    store: Store, script: Script, go: Callable[..., Run], clock: Clock
) -> None:
    # The second try finds only an empty last page; what the first one committed is enough all the same.
    task = replace(TASK, expect=Expect(min_records=10))
    script.pages = 2
    script.before_page = failing(1, BadAnswer("no"))
    assert go(task).status is TaskStatus.PENDING
    clock.now += timedelta(hours=1)
    script.before_page = lambda number, collection: setattr(script, "per_page", 0)
    run = go(task)
    assert (run.status, run.pages, run.seen) == (TaskStatus.COMPLETED, 2, 10)
    assert store.runs.progress("t", "live") is None


def test_too_little_is_suspect_and_does_not_move_the_cursor(
    store: Store, script: Script, go: Callable[..., Run]
) -> None:
    go()
    script.pages, script.per_page = 1, 2
    run = go(replace(TASK, expect=Expect(min_records=5)))
    assert (run.status, run.reason) == (TaskStatus.SUSPECT, "saw 2 records, expected at least 5")
    cursor = store.runs.cursor("t")
    assert cursor is not None
    assert cursor["position"] == {"page": 2}


def test_an_edited_query_starts_anew(store: Store, script: Script, go: Callable[..., Run]) -> None:
    script.before_page = failing(2, SourceRefused("no"))
    go()
    script.before_page = lambda number, collection: None
    edited = replace(TASK, config={"script": "s", "query": "other"})
    script.asked.clear()
    go(edited)
    assert script.asked == [0, 1, 2]
    assert script.collections[-1].cursor is None
    # What does not select keeps both.
    go(replace(edited, config={**edited.config, "page_size": 7}))
    assert script.collections[-1].cursor == {"page": 2}
    go(replace(edited, config={"script": "s", "query": "third"}, keep_cursor=True))
    assert script.collections[-1].cursor == {"page": 2}


def test_the_page_token_of_another_query_is_never_gone_on_with(
    store: Store, script: Script, go: Callable[..., Run], clock: Clock
) -> None:
    assert go().status is TaskStatus.COMPLETED
    script.before_page = failing(2, BadAnswer("no"))
    assert go().status is TaskStatus.PENDING
    clock.forward(hours=1)
    script.before_page = lambda number, collection: None
    script.asked.clear()
    edited = replace(TASK, config={"script": "s", "query": "other"}, keep_cursor=True)
    run = go(edited)
    assert (run.status, script.asked) == (TaskStatus.COMPLETED, [0, 1, 2])
    # The cursor is what `keep_cursor` keeps.
    assert script.collections[-1].cursor == {"page": 2}
    assert script.collections[-1].progress is None
    assert store.runs.progress("t", "live") is None


ONCE = replace(TASK, retry=replace(TASK.retry, count=0))


@pytest.mark.parametrize(
    "error", [BadAnswer("502"), SourceRefused("a firewall", status=403), ZeroDivisionError("a mistake")]
)
def test_the_third_run_in_a_row_that_fails_where_it_goes_on_gives_the_place_up(
    store: Store, script: Script, go: Callable[..., Run], told: list[str], error: Exception
) -> None:
    script.before_page = failing(2, error)
    go(ONCE)
    first = store.runs.progress("t", "live")
    assert first is not None
    for number in (1, 2):
        assert go(ONCE).status is TaskStatus.FAILED
        row = store.runs.progress("t", "live")
        # Only the count is new, and no collector is shown it.
        assert row == first | {"page": first["page"] | {"failures": number}}
        progress = script.collections[-1].progress
        assert progress is not None
        assert progress.page == {"page": 2}
        assert any(
            f"failed {number} of 3 times where it goes on: its next run tries" in line for line in told
        )
    assert go(ONCE).status is TaskStatus.FAILED
    assert store.runs.progress("t", "live") is None
    assert any("failed 3 of 3 times where it goes on: its next run begins anew" in line for line in told)
    script.asked.clear()
    go(ONCE)
    assert script.asked == [0, 1, 2]


def test_a_page_sets_the_count_of_failures_back(store: Store, script: Script, go: Callable[..., Run]) -> None:
    script.pages = 4
    script.before_page = failing(1, BadAnswer("502"))
    for _ in range(3):
        go(ONCE)
    script.before_page = failing(3, BadAnswer("502"))
    for failures in (None, 1, 2):
        assert go(ONCE).status is TaskStatus.FAILED
        row = store.runs.progress("t", "live")
        assert row is not None
        assert row["page"].get("failures") == failures
    script.before_page = lambda number, collection: None
    script.asked.clear()
    assert go(ONCE).seen == 10
    assert script.asked == [3]


def test_what_says_nothing_of_the_place_is_not_counted(
    store: Store, script: Script, go: Callable[..., Run]
) -> None:
    script.before_page = failing(1, BadAnswer("502"))
    for _ in range(3):
        go(ONCE)
    script.before_page = failing(1, Unreachable("reset"))
    for _ in range(3):
        assert go(ONCE).status is TaskStatus.FAILED
    row = store.runs.progress("t", "live")
    assert row is not None
    assert row["page"]["failures"] == 2


@pytest.mark.parametrize("status", [0, 400, 404, 422])
def test_a_lasting_refusal_gives_the_place_up_at_once(
    store: Store, script: Script, go: Callable[..., Run], told: list[str], status: int
) -> None:
    script.before_page = failing(1, SourceRefused("no such token", status=status))
    go(ONCE)
    assert store.runs.progress("t", "live") is not None
    go(ONCE)
    assert store.runs.progress("t", "live") is None
    assert any("was refused for good where it goes on: its next run begins anew" in line for line in told)


def test_what_another_query_saw_does_not_count(
    store: Store, script: Script, go: Callable[..., Run], clock: Clock
) -> None:
    script.before_page = failing(2, BadAnswer("no"))
    assert go().seen == 20
    clock.forward(hours=1)
    script.before_page = lambda number, collection: None
    script.pages, script.per_page = 1, 0
    run = go(replace(TASK, config={"script": "s", "query": "typo"}, expect=Expect(min_records=1)))
    assert (run.status, run.reason) == (TaskStatus.SUSPECT, "saw 0 records, expected at least 1")
    assert (run.seen, run.attempt) == (20, 2)


@pytest.mark.parametrize("per_page", [10, 0])
def test_what_a_failed_run_saw_counts_for_the_run_that_goes_on(
    store: Store, script: Script, go: Callable[..., Run], per_page: int
) -> None:
    task = replace(TASK, expect=Expect(min_records=20))
    script.before_page = failing(2, SourceRefused("no"))
    failed = go(task)
    assert (failed.status, failed.seen) == (TaskStatus.FAILED, 20)
    script.before_page = lambda number, collection: setattr(script, "per_page", per_page)
    run = go(task)
    assert run.id != failed.id
    assert (run.status, run.seen) == (TaskStatus.COMPLETED, per_page)
    # The next collection begins with nothing.
    script.pages, script.per_page, script.before_page = 1, 3, lambda number, collection: None
    run = go(task)
    assert (run.status, run.reason) == (TaskStatus.SUSPECT, "saw 3 records, expected at least 20")


def test_a_bad_item_does_not_sink_its_page(
    store: Store, script: Script, go: Callable[..., Run], monkeypatch: pytest.MonkeyPatch
) -> None:
    items = [{"n": 1}, {"n": 2, "bad": True}, {"no": "n"}, {"n": 3}]
    monkeypatch.setattr(script, "items", lambda number: items)
    script.pages = 1
    run = go()
    assert (run.status, run.seen, run.new, run.rejected) == (TaskStatus.COMPLETED, 4, 2, 2)
    reasons = {row["reason"] for row in store.records.rejects("t")}
    assert reasons == {"ValueError: bad item", "KeyError: 'n'"}


class Loose(BaseNormalizer):
    """As a person may write one: async, with plain mappings."""

    async def normalize(self, result: Any) -> list[Any]:  # type: ignore[override]
        data: list[Any] = [
            {"external_id": str(item["n"]), "title": "x", "tags": ["a"]} for item in result.items
        ]
        return [*data, {"title": "no id"}, {"external_id": "1", "colour": "red"}, None, Record("s", "", "k")]


@pytest.mark.parametrize("given", [Loose, Loose()])
def test_a_normalizer_may_be_async_and_give_mappings(
    store: Store, script: Script, go: Callable[..., Run], given: Any
) -> None:
    script.pages = 1
    run = go(replace(TASK, normalizer=given))
    assert (run.status, run.new, run.rejected) == (TaskStatus.COMPLETED, 10, 4)
    row = store.records.get("scripted", "0")
    assert row is not None
    assert (row["kind"], row["tags"]) == ("entry", ["a"])


def test_a_run_that_is_asked_to_stop_ends_at_the_next_page(
    store: Store, script: Script, go: Callable[..., Run]
) -> None:
    control = Control()
    script.before_page = lambda number, collection: control.stopping.set() if number == 1 else None
    run = go(control=control)
    assert (run.status, run.pages, run.attempt) == (TaskStatus.INTERRUPTED, 1, 0)
    script.before_page = lambda number, collection: None
    script.asked.clear()
    assert go().status is TaskStatus.COMPLETED
    assert script.asked == [1, 2]


def test_secrets_do_not_reach_the_store(
    store: Store, script: Script, go: Callable[..., Run], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("A_TOKEN", "very-secret-value")

    def leak(number: int, collection: Any) -> None:
        raise BadAnswer(f"GET /?token={collection.config['token']} failed")

    script.before_page = leak
    run = go(replace(TASK, config={"script": "s", "token": "${env:A_TOKEN}"}))
    assert run.error == "GET /?token=${env:A_TOKEN} failed"
    assert "very-secret-value" not in str(store.runs.attempts(run.id))


def test_an_unset_reference_skips_the_run_with_its_reason(script: Script, go: Callable[..., Run]) -> None:
    run = go(replace(TASK, config={"script": "s", "token": "${env:NOT_SET}"}))
    assert run.status is TaskStatus.SKIPPED
    assert "NOT_SET is not set" in (run.error or "")


def test_every_page_renews_the_lease(
    store: Store, script: Script, go: Callable[..., Run], clock: Clock
) -> None:
    leases = []

    def look(number: int, collection: Any) -> None:
        leases.append(store.runs.running()[0].lease_until)
        clock.forward(seconds=20)

    script.before_page = look
    go()
    assert leases[1] - leases[0] == timedelta(seconds=20)


class Hostile(BaseNormalizer):
    """Gives back what stands in the item."""

    def normalize(self, result: Any) -> list[Any]:
        return [item["gives"] for item in result.items]


def deep(levels: int) -> list[Any]:
    value: list[Any] = []
    for _ in range(levels):
        value = [value]
    return value


GOOD = Record("s", "good", "entry")
HOSTILE = [
    Reject("a\0b", {"x": "\0"}, "i\0d"),
    Reject("lone \ud800", "\udfff", ""),
    Reject("deep", deep(3000), ""),
    Reject("long" * 10_000, "x" * 1_000_000, "y" * 10_000),
    Reject("odd", object(), ""),
    replace(GOOD, external_id="t", title=None),
    replace(GOOD, external_id="m", measures={"stars": None}),
    replace(GOOD, external_id="n", measures={"stars": float("nan")}),
    replace(GOOD, external_id="a", attributes={"x": deep(3000)}),
    replace(GOOD, external_id="o", attributes={"x": object()}),
    replace(GOOD, external_id="x" * 9000),
    replace(GOOD, external_id=""),
    replace(GOOD, external_id="z", published_at="1 January"),
    replace(GOOD, external_id="l", tags="text"),
    {"external_id": 7},
    {"title": "no id"},
    {"external_id": "1", "colour": "red"},
    None,
    7,
]


def test_hostile_items_become_rejects_and_the_page_goes_on(
    store: Store, script: Script, go: Callable[..., Run], monkeypatch: pytest.MonkeyPatch
) -> None:
    odd = replace(GOOD, external_id="i\0d \ud800", title="\0", attributes={"\0": ["\udfff"]})
    monkeypatch.setattr(script, "items", lambda number: [{"gives": item} for item in [GOOD, *HOSTILE, odd]])
    script.pages = 1
    for new in (2, 0):
        run = go(replace(TASK, normalizer=Hostile))
        assert (run.status, run.error) == (TaskStatus.COMPLETED, None)
        assert (run.new, run.unchanged, run.rejected) == (new, 2 - new, len(HOSTILE))
    for row in store.records.rejects("t", 100):
        assert len(row["reason"]) <= 500
        assert len(str(row["item"])) < 100_000


@pytest.mark.parametrize("text", ["a\0b", "lone \ud800", "x" * 100_000])
def test_an_error_of_any_text_ends_its_run(script: Script, go: Callable[..., Run], text: str) -> None:
    script.before_page = failing(0, SourceRefused(text))
    run = go()
    assert run.status is TaskStatus.FAILED
    assert run.error
    assert len(run.error) <= 4000


def test_a_page_its_progress_and_its_counters_are_one_transaction(
    store: Store, script: Script, go: Callable[..., Run], monkeypatch: pytest.MonkeyPatch
) -> None:
    from stoma.scheduler import saving

    real, saved = saving.save, []

    def save_once(*args: Any) -> Any:
        saved.append(1)
        outcome = real(*args)
        if len(saved) == 2:
            raise ZeroDivisionError("between the records and the progress")
        return outcome

    monkeypatch.setattr(saving, "save", save_once)
    run = go()
    assert (run.status, run.pages, run.seen, run.new) == (TaskStatus.PENDING, 1, 10, 10)
    progress = store.runs.progress("t", "live")
    assert progress is not None
    page = progress["page"]
    assert (page["token"], page["seen"], page["rejected"]) == ({"page": 1}, 10, 0)
    assert store.records.count() == 10


def test_progress_that_cannot_be_saved_takes_its_page_along(
    store: Store, script: Script, go: Callable[..., Run], monkeypatch: pytest.MonkeyPatch
) -> None:
    cursor = type(store.database.transaction().__enter__())
    real = cursor.execute

    def execute(self: Any, name: str, **values: Any) -> int:
        if name == "progress_save":
            raise ZeroDivisionError("no progress")
        return real(self, name, **values)

    monkeypatch.setattr(cursor, "execute", execute)
    run = go()
    assert (run.status, run.pages, run.seen) == (TaskStatus.PENDING, 0, 0)
    assert store.records.count() == 0


def test_a_former_owner_writes_nothing_into_the_run_of_the_next(
    store: Store, script: Script, go: Callable[..., Run | None]
) -> None:
    def overtake(number: int, collection: Any) -> None:
        if number == 1:
            [run] = store.runs.running()
            store.runs.end(run, End(TaskStatus.INTERRUPTED, is_try=False), store.now())
            # The run is running again, with another owner: only the fence tells the two apart.
            assert store.runs.claim("another", store.now(), store.now() + timedelta(seconds=30)) is not None

    script.before_page = overtake
    assert go() is None
    [run] = store.runs.running()
    assert (run.owner, run.pages, run.fence) == ("another", 1, 3)
    assert store.records.count() == 10


def test_a_run_that_was_ended_is_not_written_to_with_the_same_fence(
    store: Store, go: Callable[..., Run]
) -> None:
    store.runs.add(NewRun("t", "hand:1", TASK.priority, "0"), store.now())
    run = store.runs.claim("me", store.now(), store.now() + timedelta(seconds=30))
    assert run is not None
    ended = store.runs.end(run, End(TaskStatus.FAILED), store.now())
    assert ended is not None
    with store.database.transaction() as tx:
        lease = store.now() + timedelta(seconds=30)
        values = {"id": run.id, "lease_until": lease, "seen": 1, "rejected": 0}
        assert tx.one("run_page", fence=run.fence, **values) is None
        assert tx.one("run_page", fence=ended.fence, **values) is None


def test_everything_rejected_is_suspect(
    store: Store, script: Script, go: Callable[..., Run], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(script, "items", lambda number: [{"bad": True}] * 3)
    run = go()
    assert run.status is TaskStatus.SUSPECT
    assert "every one of 9 items was rejected" in (run.reason or "")
    assert store.runs.cursor("t") is None


def test_nothing_after_something_is_suspect(store: Store, script: Script, go: Callable[..., Run]) -> None:
    script.pages, script.per_page = 1, 0
    assert go().status is TaskStatus.COMPLETED
    script.per_page = 5
    assert go().status is TaskStatus.COMPLETED
    script.per_page = 0
    assert go().status is TaskStatus.SUSPECT
    assert go(replace(TASK, expect=Expect(min_records=0))).status is TaskStatus.COMPLETED


def test_secrets_are_masked_in_rejects(
    store: Store, script: Script, go: Callable[..., Run], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("A_TOKEN", 'quoted "secret" /value')
    item = {
        "url": "https://e.org/?k=quoted%20%22secret%22%20%2Fvalue",
        "said": 'quoted "secret" /value',
        "bad": 1,
    }
    monkeypatch.setattr(script, "items", lambda number: [item, {"n": 1}])
    script.pages = 1
    go(replace(TASK, config={"script": "s", "token": "${env:A_TOKEN}"}))
    [row] = store.records.rejects("t")
    assert "secret" not in str(row)


class Streaming(BaseNormalizer):
    """An async generator, as people write them too."""

    async def normalize(self, result: Any) -> Any:  # type: ignore[override]
        for item in result.items:
            yield {"external_id": str(item["n"])}


def test_a_normalizer_may_be_an_async_generator(script: Script, go: Callable[..., Run]) -> None:
    assert go(replace(TASK, normalizer=Streaming)).new == 30


def test_what_a_source_asks_for_counts_by_the_clock_of_the_store(
    store: Store, script: Script, go: Callable[..., Run], clock: Clock
) -> None:
    seen = []
    script.before_page = lambda number, collection: seen.append(collection.http._watch.now())
    go()
    assert seen == [clock.now] * 3
