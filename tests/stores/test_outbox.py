"""Messages that wait: written in a transaction, claimed by one, marked by who claimed them."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

from stoma.scheduler.owner import this_process
from stoma.stores import Store
from stoma.stores.outbox import Alert, Letter, alert_of, put, save_alert
from tests.support.asked import plan
from tests.support.clock import Clock

LEASE = timedelta(minutes=3)
LETTER = Letter("task a", "opened", "failing", "ops", "${env:A}", "title", "body")


def fill(store: Store, *letters: Letter) -> None:
    with store.database.transaction() as tx:
        put(tx, letters, store.now())


def claim(store: Store, owner: str = "me", address: str = "${env:A}", limit: int = 10) -> list[Letter]:
    now = store.now()
    return store.outbox.claim("ops", address, owner, now, now + LEASE, limit)


def test_an_alert_is_kept_changed_and_closed(store: Store, clock: Clock) -> None:
    alert = Alert("task a", "failing", clock.now, clock.now, clock.now, 1, "a", None, 3, "why")
    with store.database.transaction() as tx:
        assert alert_of(tx, "task a") is None
        save_alert(tx, alert)
        save_alert(tx, replace(alert, bad_runs=4, holder="x"))
    assert store.alerts.open() == [replace(alert, bad_runs=4, holder="x")]
    with store.database.transaction() as tx:
        tx.execute("alert_close", about="task a")
    assert store.alerts.open() == []


def test_the_oldest_first_and_each_to_one(store: Store) -> None:
    fill(store, *(replace(LETTER, title=f"{n}") for n in range(5)), replace(LETTER, address="${env:B}"))
    assert store.outbox.due(store.now()) == {("ops", "${env:A}"), ("ops", "${env:B}")}
    first, second = claim(store, "one", limit=3), claim(store, "other")
    assert [letter.title for letter in first] == ["0", "1", "2"]
    assert [letter.title for letter in second] == ["3", "4"]
    assert claim(store, "third") == []
    assert store.outbox.due(store.now()) == {("ops", "${env:B}")}


def test_what_is_sent_is_over(store: Store, clock: Clock) -> None:
    fill(store, LETTER)
    store.outbox.sent(claim(store), store.now())
    clock.forward(days=1)
    assert claim(store) == []
    [row] = store.outbox.counts()
    assert (row["status"], row["count"], row["sent_at"]) == ("sent", 1, clock.now - timedelta(days=1))


def test_what_failed_waits_for_its_moment_and_is_no_repeat(store: Store, clock: Clock) -> None:
    fill(store, LETTER)
    [letter] = claim(store)
    store.outbox.failed([letter], "me", "refused\x00" + "x" * 1000, {letter.id: clock.now + LEASE})
    assert claim(store) == []
    [row] = store.outbox.failing()
    assert (row["tries"], len(row["error"])) == (1, 500)
    clock.forward(minutes=3)
    [again] = claim(store)
    assert (again.tries, again.repeats) == (1, 0)


@pytest.mark.parametrize("is_unsure", [True, False])
def test_what_may_have_arrived_is_a_repeat(store: Store, clock: Clock, is_unsure: bool) -> None:
    fill(store, LETTER)
    [letter] = claim(store)
    store.outbox.failed([letter], "me", "no answer", {letter.id: clock.now}, is_unsure=is_unsure)
    [again] = claim(store)
    assert again.repeats == (1 if is_unsure else 0)


def test_who_lost_its_lease_notes_only_what_arrived(store: Store, clock: Clock) -> None:
    fill(store, LETTER)
    lost = claim(store, "one")
    clock.forward(minutes=4)
    [again] = claim(store, "other")
    assert again.repeats == 1
    store.outbox.failed(lost, "one", "late", {again.id: clock.now})
    assert store.outbox.failing() == []
    # But what has arrived has arrived.
    store.outbox.sent(lost, clock.now)
    store.outbox.failed([again], "other", "refused", {again.id: clock.now})
    assert [row["status"] for row in store.outbox.counts()] == ["sent"]


def test_nobody_waits_for_a_process_that_is_gone(store: Store) -> None:
    fill(store, LETTER, replace(LETTER, title="second"))
    gone = str(replace(this_process(), pid=2**22 - 3, started=1))
    claim(store, gone, limit=1)
    claim(store, str(this_process()))
    store.outbox.free_gone()
    [free] = claim(store, "next")
    assert (free.title, free.repeats) == ("title", 1)


def test_a_lease_of_a_clock_that_was_ahead_holds_up_nobody(store: Store, clock: Clock) -> None:
    fill(store, LETTER)
    clock.forward(days=30)
    claim(store, "one")
    clock.forward(days=-30)
    assert len(claim(store, "other")) == 1


def test_the_end_and_the_next_reminder_take_the_place_of_what_waits(store: Store) -> None:
    fill(store, LETTER, replace(LETTER, event="reminder"), replace(LETTER, about="task b"))
    with store.database.transaction() as tx:
        assert tx.execute("outbox_drop_reminders", about="task a") == 1
        assert tx.execute("outbox_overtake", about="task a") == 1
    assert [letter.about for letter in claim(store)] == ["task b"]


def test_an_address_that_works_hastens_what_waits_for_it(store: Store, clock: Clock) -> None:
    fill(store, *[LETTER] * 3)
    letters = claim(store)
    store.outbox.failed(letters[1:], "me", "x", {one.id: clock.now + LEASE for one in letters})
    store.outbox.sent(letters[:1], clock.now)
    assert len(claim(store)) == 2


def test_only_what_does_not_wait_is_forgotten(store: Store, clock: Clock) -> None:
    fill(store, LETTER, replace(LETTER, address="${env:B}"))
    store.outbox.sent(claim(store), clock.now)
    clock.forward(days=31)
    assert store.outbox.forget(clock.now - timedelta(days=30)) == 1
    assert [row["address"] for row in store.outbox.counts()] == ["${env:B}"]


def test_nothing_of_it_reads_what_was_sent(store: Store) -> None:
    fill(store, *[replace(LETTER, title=f"{n}") for n in range(300)])
    for _ in range(3):
        store.outbox.sent(claim(store, limit=99), store.now())
    store.database.vacuum(full=False)
    values = {"now": store.now(), "furthest": store.now() + LEASE}
    steps = " ".join(plan(store, "outbox_due", **values))
    assert "outbox_waiting" in steps
