"""What follows from the ends of runs, in their transaction, and what a process sees by itself."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from stoma.errors import Problem, StoreError
from stoma.notify import messages
from stoma.notify.alerting import Watching
from stoma.scheduler.base import Notify, Skip, SkipReason, TaskStatus
from stoma.scheduler.gone import SOURCE_GONE
from stoma.scheduler.network import Network
from stoma.scheduler.owner import this_process
from stoma.scheduler.parts import new_run
from stoma.stores import Store
from stoma.stores.nodes import Node
from stoma.stores.outbox import save_alert
from stoma.stores.runs import End
from tests.notify.support import World
from tests.support.clock import Clock
from tests.support.scripted import install

BOTH = pytest.mark.parametrize("url", ["sqlite", "postgres"], indirect=True)
COMPLETED, SUSPECT, FAILED = TaskStatus.COMPLETED, TaskStatus.SUSPECT, TaskStatus.FAILED
BROKEN = [Problem("unknown key", "stoma.yaml", 3, 5)]


@pytest.fixture
def world(store: Store, clock: Clock, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> World:
    install(monkeypatch)
    return World(store, clock, tmp_path)


@pytest.fixture
def watching(world: World) -> Watching:
    return Watching(world.store, lambda: world.config)


# -- runs ----------------------------------------------------------------------------------------------------


@BOTH
def test_as_many_failures_in_a_row_as_wanted_and_then_once(world: World) -> None:
    world.task()
    world.run()
    assert world.store.alerts.open() == []
    world.run()
    world.run()
    world.run()
    assert world.told == ["a fails: 2 runs in a row"]
    [alert] = world.store.alerts.open()
    assert (alert.about, alert.kind, alert.bad_runs, alert.task_id) == ("task a", "failing", 4, "a")
    assert "it broke" in alert.detail


def test_a_completed_run_in_between_begins_the_count_anew(world: World) -> None:
    world.task()
    for status in (FAILED, COMPLETED, FAILED, COMPLETED, FAILED):
        world.run(status=status)
    assert world.told == []


def test_what_is_cancelled_says_nothing_of_the_source(world: World) -> None:
    world.task()
    world.run()
    world.run(status=TaskStatus.CANCELLED)
    world.run(status=TaskStatus.SKIPPED)
    assert world.told == []
    world.run()
    assert world.told == ["a fails: 2 runs in a row"]


def test_a_try_that_is_not_the_last_is_no_failure(world: World) -> None:
    world.task(notify=Notify(after_failures=1))
    world.run(status=TaskStatus.PENDING)
    assert world.told == []


@BOTH
def test_it_works_again_with_what_was_caught_up(world: World) -> None:
    world.task()
    first = world.run()
    world.run()
    with world.store.database.transaction() as tx:
        for reason, count in ((SkipReason.MERGED, 5), (SkipReason.OVERLAP, 2)):
            skip = Skip(world.clock.now, world.clock.now, count, reason)
            tx.one(
                "skip_insert", task_id="a", first=skip.first, last=skip.last, count=count, reason=str(reason), detail=""
            )  # fmt: skip
    world.clock.forward(days=2)
    back = world.run(status=COMPLETED)
    assert world.store.alerts.open() == []
    [message] = world.rows()
    assert message["title"] == "a works again"
    began = messages.clock(first.created_at, "UTC")
    assert f"It failed since {began} (2d" in message["body"]
    assert f"Run {back.id} saw 0 records: 0 new, 0 changed." in message["body"]
    assert "7 due instants did not run: 5 merged, 2 overlap" in message["body"]


def test_the_end_overtakes_what_nobody_was_sent_yet(world: World) -> None:
    world.task()
    world.run()
    world.run()
    world.run(status=COMPLETED)
    assert [row["status"] for row in world.rows(None)] == ["overtaken", "waiting"]


def test_who_does_not_want_to_know_of_the_end_still_hears_of_the_trouble(world: World) -> None:
    world.task(notify=Notify(after_failures=1, on_recovery=False))
    world.run()
    world.run(status=COMPLETED)
    assert [row["title"] for row in world.rows()] == ["a fails"]
    assert world.store.alerts.open() == []


@pytest.mark.parametrize(
    ("status", "said", "kind", "title"),
    [
        (SUSPECT, "saw 0 records, expected at least 1", "suspect", "a brought suspiciously little"),
        (SUSPECT, "nothing new or changed since 2026-02-01", "silence", "a brings nothing new any more"),
    ],
)
def test_what_is_suspect_is_told_at_once(
    world: World, status: TaskStatus, said: str, kind: str, title: str
) -> None:
    world.task()
    world.run(status=status, said=said)
    world.run(status=status, said=said)
    assert world.told == [title]
    assert [alert.kind for alert in world.store.alerts.open()] == [kind]


def test_a_source_that_is_gone_is_told_at_once(world: World) -> None:
    world.task()
    world.run(reason=SOURCE_GONE)
    assert world.told == ["a has lost its source"]


def test_only_what_becomes_worse_is_told_anew(world: World) -> None:
    world.task()
    for status in (SUSPECT, FAILED, SUSPECT, FAILED, FAILED, SUSPECT):
        world.run(status=status)
    assert world.told == ["a brought suspiciously little", "a fails: 2 runs in a row"]


def test_each_address_gets_its_own_message(world: World) -> None:
    world.targets = {"ops": ("${env:A}", "${env:B}"), "team": ("${file:c}",), "boss": ("${env:D}",)}
    world.task(notify=Notify(to=("ops", "team", "nobody"), after_failures=1))
    world.run()
    found = [(row["target"], row["address"]) for row in world.rows()]
    assert found == [("ops", "${env:A}"), ("ops", "${env:B}"), ("team", "${file:c}")]


def test_a_task_may_tell_nobody(world: World) -> None:
    world.task(notify=Notify(to=(), after_failures=1))
    world.run()
    assert world.told == []
    # How it stands is known all the same.
    assert len(world.store.alerts.open()) == 1


def test_windows_of_the_past_are_watched_by_who_began_them(world: World) -> None:
    task = world.task(notify=Notify(after_failures=1))
    now, lease = world.clock.now, world.clock.now + timedelta(seconds=30)
    run = world.store.runs.add(new_run(task, "backfill:x/2026-01-01..2026-01-31", scope="backfill:x"), now)
    world.store.runs.reserve(run, "me", now, lease)
    claimed = world.store.runs.claim_one(run.id, "me", now, lease)
    assert claimed is not None
    world.store.runs.end(claimed, End(FAILED), now)
    assert world.told == []


@BOTH
def test_it_is_in_the_transaction_of_the_end_or_it_is_not(world: World) -> None:
    world.task(notify=Notify(after_failures=1))
    before = world.store.runs.on_final

    def broken(tx: object, run: object, now: object) -> None:
        before(tx, run, now)  # type: ignore[arg-type]
        raise StoreError("the disk is full")

    world.store.runs.on_final = broken
    with pytest.raises(StoreError):
        world.run()
    assert world.told == []
    assert world.store.alerts.open() == []


def test_a_mistake_in_a_message_does_not_undo_the_run(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    def mistaken(*given: object) -> None:
        raise KeyError("no words")

    monkeypatch.setattr(messages, "of_task", mistaken)
    world.task(notify=Notify(after_failures=1))
    assert world.run().status is FAILED


@BOTH
def test_what_ended_in_the_future_hides_no_failure(world: World) -> None:
    world.task()
    good = world.clock.now
    world.clock.forward(days=365)
    world.run(status=COMPLETED)
    world.clock.now = good
    world.run()
    world.run()
    assert world.told == ["a fails: 2 runs in a row"]


@BOTH
def test_who_was_told_is_told_of_the_end(world: World) -> None:
    world.targets = {"ops": ("${env:A}",), "team": ("${env:B}",), "boss": ("${env:C}",)}
    world.task(notify=Notify(to=("ops",), after_failures=1))
    world.run()
    [letter] = world.store.outbox.claim("ops", "${env:A}", "me", world.clock.now, world.clock.now, 9)
    world.store.outbox.sent([letter], world.clock.now)
    world.task(notify=Notify(to=("team",), after_failures=1))
    world.run(status=COMPLETED)
    assert [(row["target"], row["event"]) for row in world.rows()] == [
        ("team", "recovered"),
        ("ops", "recovered"),
    ]


@BOTH
def test_a_task_that_comes_and_goes_is_few_messages(world: World) -> None:
    world.task(notify=Notify(after_failures=1))
    for _ in range(24):
        for status in (FAILED, COMPLETED):
            world.clock.forward(minutes=30)
            world.run(status=status)
    assert 4 <= len(world.told) <= 10
    assert world.told[:3] == ["a fails", "a works again", "a fails again"]
    assert "It comes and goes: 2 runs did not complete since" in world.rows(None)[2]["body"]


@BOTH
def test_what_comes_back_is_told_when_it_lasts_although_no_run_ends(world: World, watching: Watching) -> None:
    world.task(notify=Notify(after_failures=1))
    for status in (FAILED, COMPLETED, FAILED):
        world.run(status=status)
    world.clock.forward(minutes=50)
    watching.look([], Network())
    assert len(world.told) == 2
    assert len(world.store.alerts.open()) == 1
    world.clock.forward(minutes=10)
    watching.look([], Network())
    watching.look([], Network())
    assert world.told[2:] == ["a fails again"]
    world.run(status=COMPLETED)
    assert world.told[3:] == ["a works again"]


# -- what a process sees -------------------------------------------------------------------------------------


@BOTH
def test_a_task_that_does_not_run_is_reminded_of(world: World, watching: Watching) -> None:
    world.task()
    world.run()
    world.run()
    assert not watching.look([], Network())
    for hours, told in ((3.9, 1), (0.2, 2), (20, 2), (5, 3)):
        world.clock.forward(hours=hours)
        watching.look([], Network())
        watching.look([], Network())
        assert len(world.told) == told
    assert world.told[-1] == "a still fails: 2 runs in a row"
    # One that nobody could be sent yet gives way to the next.
    assert [row["status"] for row in world.rows(None)] == ["waiting", "dropped", "waiting"]


def test_nobody_is_reminded_of_what_was_switched_off_or_taken_out(world: World, watching: Watching) -> None:
    world.task(notify=Notify(after_failures=1))
    world.run()
    world.clock.forward(days=1)
    world.store.agenda.enable("a", False, world.clock.now)
    watching.look([], Network())
    assert len(world.told) == 1
    del world.tasks["a"]
    watching.look([], Network())
    assert world.store.alerts.open() == []
    assert len(world.told) == 1


def test_a_broken_file_is_told_when_it_stays_so(world: World, watching: Watching) -> None:
    watching.look(BROKEN, Network())
    world.clock.forward(seconds=30)
    watching.look([], Network())
    watching.look(BROKEN, Network())
    world.clock.forward(seconds=59)
    watching.look(BROKEN, Network())
    assert world.told == []
    world.clock.forward(seconds=1)
    watching.look(BROKEN, Network())
    watching.look([replace(BROKEN[0], line=9)], Network())
    [message] = world.rows()
    assert message["title"] == "The configuration is rejected"
    assert "stoma.yaml:3:5: unknown key" in message["body"]
    world.clock.forward(minutes=5)
    watching.look([], Network())
    watching.look([], Network())
    assert world.told == ["The configuration is rejected", "The configuration is in order again"]


def test_a_restart_neither_repeats_nor_forgets_a_broken_file(world: World, watching: Watching) -> None:
    watching.look(BROKEN, Network())
    world.clock.forward(minutes=2)
    watching.look(BROKEN, Network())
    again = Watching(world.store, lambda: world.config)
    again.look(BROKEN, Network())
    assert len(world.told) == 1
    again.look([], Network())
    assert world.told[-1] == "The configuration is in order again"


def test_another_node_that_works_speaks_for_itself(world: World, watching: Watching) -> None:
    watching.look(BROKEN, Network())
    world.clock.forward(minutes=2)
    watching.look(BROKEN, Network())
    other = str(replace(this_process(), hostname="elsewhere"))
    with world.store.database.transaction() as tx:
        [alert] = world.store.alerts.open()
        save_alert(tx, replace(alert, holder=other))
    world.store.nodes.beat(
        Node(other, "elsewhere", 1, "1", None, "0", 1, world.clock.now, {}), world.clock.now
    )
    watching.look([], Network())
    assert len(world.store.alerts.open()) == 1
    # It is silent: whoever is there speaks for all.
    world.clock.forward(minutes=1)
    watching.look([], Network())
    assert world.store.alerts.open() == []


@BOTH
def test_one_message_for_a_network_that_is_away(world: World, watching: Watching) -> None:
    network = Network()
    for name in "abcde":
        network.failed(f"{name}.example.org", world.clock.now)
    for _ in range(3):
        watching.look([], network)
        world.clock.forward(minutes=1)
    assert world.told == ["There is no network"]
    assert "a.example.org" in world.rows()[0]["body"]
    network.answered("a.example.org", world.clock.now)
    watching.look([], network)
    assert [row["title"] for row in world.rows()] == ["The network is back"]


def test_a_restart_knows_no_end_of_an_outage_before_a_host_answers(world: World, watching: Watching) -> None:
    network = Network()
    for name in "abc":
        network.failed(f"{name}.example.org", world.clock.now)
    watching.look([], network)
    fresh = Network()
    again = Watching(world.store, lambda: world.config)
    again.look([], fresh)
    assert len(world.store.alerts.open()) == 1
    fresh.answered("a.example.org", world.clock.forward(minutes=1))
    again.look([], fresh)
    assert world.store.alerts.open() == []


def test_what_was_sent_is_forgotten_in_time(world: World, watching: Watching) -> None:
    world.task(notify=Notify(after_failures=1))
    world.run()
    world.run(status=COMPLETED)
    world.clock.forward(days=31)
    watching.look([], Network())
    # What waits is kept however long it takes.
    assert [row["status"] for row in world.rows(None)] == ["waiting"]


def test_what_people_were_told_is_kept_while_it_lasts(world: World, watching: Watching) -> None:
    world.task(notify=Notify(after_failures=1, reminders=False))
    world.run()
    [letter] = world.store.outbox.claim("ops", "${env:STOMA_TEST_OPS_URL}", "me", *[world.clock.now] * 2, 9)
    world.store.outbox.sent([letter], world.clock.now)
    world.clock.forward(days=31)
    watching.look([], Network())
    assert [row["status"] for row in world.rows(None)] == ["sent"]


@BOTH
def test_a_file_whose_name_is_no_text_is_told(world: World, watching: Watching) -> None:
    strange = [Problem("unknown key \0", "tasks/x\udcff.yaml", 3, 5)]
    watching.look(strange, Network())
    world.clock.forward(minutes=2)
    watching.look(strange, Network())
    assert world.told == ["The configuration is rejected"]
    world.store.nodes.beat(
        Node("me", "x\udcff", 1, "1", None, "0", 1, world.clock.now, {"errors": [strange[0].as_dict()]}),
        world.clock.now,
    )


def test_one_look_that_fails_does_not_keep_the_others(
    world: World, watching: Watching, monkeypatch: pytest.MonkeyPatch
) -> None:
    def mistaken(*given: object) -> None:
        raise KeyError("no words")

    monkeypatch.setattr(watching, "_config_trouble", mistaken)
    network = Network()
    for name in "abc":
        network.failed(f"{name}.example.org", world.clock.now)
    assert watching.look(BROKEN, network)
    assert world.told == ["There is no network"]


def test_a_clock_that_was_ahead_keeps_no_alert_open_and_no_file_quiet(
    world: World, watching: Watching
) -> None:
    network, good = Network(), world.clock.now
    world.clock.forward(days=365)
    for name in "abc":
        network.failed(f"{name}.example.org", world.clock.now)
    watching.look(BROKEN, network)
    world.clock.now = good
    network.answered("a.example.org", good)
    watching.look(BROKEN, network)
    world.clock.forward(minutes=1)
    watching.look(BROKEN, network)
    assert world.told == ["There is no network", "The network is back", "The configuration is rejected"]


def test_a_clock_that_was_ahead_puts_off_no_reminder(world: World, watching: Watching) -> None:
    world.task(notify=Notify(after_failures=1))
    good = world.clock.now
    world.clock.forward(days=365)
    world.run()
    world.clock.now = good
    watching.look([], Network())
    watching.look([], Network())
    assert world.told == ["a fails", "a still fails"]
