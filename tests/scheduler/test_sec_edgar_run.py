"""Runs of the EDGAR collector through the whole road, on both databases."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from stoma.collectors.sec_edgar import SecEdgarCollector
from stoma.errors import ConfigError
from stoma.scheduler.base import (
    NewRun,
    Run,
    Span,
    Task,
    TaskPriority,
    TaskStatus,
    backfill_scope,
    backfill_trigger,
    hand_trigger,
)
from stoma.scheduler.config import Config, blocked_reason, create_custom_task
from stoma.scheduler.marks import backfill_id, fingerprint
from stoma.scheduler.pipeline import Control, Surroundings, execute
from stoma.stores import Store
from tests.support.clock import Clock
from tests.support.edgar import Edgar, accession, entry, master, row
from tests.support.server import Reply

UNDECLARED = (
    b"<html><title>SEC.gov | Your Request Originates from an Undeclared Automated Tool</title></html>"
)


@pytest.fixture
def edgar(clock: Clock) -> Iterator[Edgar]:
    clock.now = datetime(2025, 12, 12, 23, 5, tzinfo=UTC)
    edgar = Edgar()
    edgar.put("20251211", master(row(1), row(2)))
    edgar.entries = [entry(3, "2025-12-12T18:02:10")]
    yield edgar
    edgar.server.close()


@pytest.fixture
def go(store: Store, tmp_path: Path, edgar: Edgar) -> Any:
    around = Surroundings(store, tmp_path, timedelta(minutes=5), "me", contact="Jane Doe jane@example.org")

    def go(name: str = "t", new: NewRun | None = None, **config: Any) -> Run:
        task = Task(name, "T", "sec_edgar", config={"base_url": edgar.url, **config})
        if new or not store.runs.open_of(name):
            store.runs.add(new or NewRun(name, hand_trigger(), task.priority, "0"), store.now())
        claimed = store.runs.claim("me", store.now(), store.now() + timedelta(minutes=5))
        assert claimed is not None
        ended = execute(claimed, task, around, Control())
        assert ended is not None
        return ended

    return go


def test_run_after_run_brings_each_filing_once(store: Store, go: Any, edgar: Edgar, clock: Clock) -> None:
    first = go(days_back=2)
    assert (first.status, first.seen, first.new) == (TaskStatus.COMPLETED, 3, 3)
    assert edgar.server.requests[0].headers["user-agent"].endswith("(+Jane Doe jane@example.org)")
    # A quiet hour is no suspicion: what was there before is seen again.
    clock.forward(hours=1)
    quiet = go(days_back=2)
    assert (quiet.status, quiet.seen, quiet.new, quiet.changed) == (TaskStatus.COMPLETED, 3, 0, 0)
    # The next day the index has what the feed brought, and one filing more.
    clock.forward(hours=12)
    edgar.put("20251212", master(row(3, filed="20251212"), row(4, filed="20251212")))
    third = go(days_back=2)
    assert (third.status, third.new, third.changed) == (TaskStatus.COMPLETED, 1, 0)
    # Another task that comes by the index alone changes nothing.
    other = go("other", days_back=3)
    assert (other.status, other.seen, other.unchanged, other.changed) == (TaskStatus.COMPLETED, 4, 4, 0)
    assert store.records.count() == 4
    assert store.records.versions("sec_edgar", accession(3)) == []


def test_what_has_not_changed_is_not_sent_again(go: Any, edgar: Edgar, clock: Clock, recorded: Path) -> None:
    body = (recorded / "sec_edgar/submissions_CIK0001033331_person.json").read_bytes()
    edgar.files["/submissions/CIK0001033331.json"] = body
    for config, files in (({"days_back": 2}, ".idx"), ({"ciks": [1033331], "days_back": 5_000}, ".json")):
        edgar.server.requests.clear()
        runs = []
        for _ in range(4):
            clock.forward(hours=1)
            runs.append(go(str(files), **config))
        asked = [one for one in edgar.server.requests if one.path.endswith(files)]
        assert [one.headers.get("if-none-match") is not None for one in asked][-2:] == [True, True]
        # It counts as seen, as when it was sent.
        assert {run.status for run in runs} == {TaskStatus.COMPLETED}
        assert runs[0].new > 0
        assert [run.seen for run in runs[2:]] == [runs[1].seen] * 2
        assert runs[3].unchanged > 0
        assert sum(run.new + run.changed for run in runs[1:]) == 0


def test_days_of_the_past_and_the_live_run_leave_each_other_alone(
    store: Store, go: Any, edgar: Edgar, clock: Clock, tmp_path: Path
) -> None:
    go(days_back=2)
    before = store.runs.standing("t", "live").cursor
    edgar.put("20251103", master(row(50, filed="20251103"), row(51, filed="20251103")))
    span = Span(date(2025, 11, 1), date(2025, 11, 5))
    task = Task("t", "T", "sec_edgar", config={"base_url": edgar.url, "days_back": 2})
    backfill = backfill_id("t", fingerprint(task, SecEdgarCollector()), span)
    scope = backfill_scope(backfill)
    past = go(
        new=NewRun("t", backfill_trigger(backfill, span), TaskPriority.LOW, "0", scope=scope), days_back=2
    )
    assert (past.status, past.new, past.scope) == (TaskStatus.COMPLETED, 2, scope)
    assert store.runs.standing("t", "live").cursor == before
    clock.forward(hours=1)
    edgar.entries.insert(0, entry(4, "2025-12-12T19:00:00"))
    assert go(days_back=2).new == 1


def test_a_block_holds_every_task_for_ten_minutes(store: Store, go: Any, edgar: Edgar, clock: Clock) -> None:
    edgar.put("20251211", Reply(403, UNDECLARED))
    blocked = go(days_back=2)
    assert blocked.status is TaskStatus.PENDING
    assert "undeclared tool" in (blocked.error or "")
    assert blocked.not_before == clock.now + timedelta(minutes=10)
    before = len(edgar.server.requests)
    other = go("other")
    assert (other.status, other.reason) == (TaskStatus.PENDING, "host busy")
    assert other.not_before == clock.now + timedelta(minutes=10)
    assert len(edgar.server.requests) == before
    clock.forward(minutes=11)
    edgar.put("20251211", master(row(1)))
    assert go(days_back=2).status is TaskStatus.COMPLETED


def test_without_a_contact_its_tasks_are_blocked_and_say_why(tmp_path: Path) -> None:
    task = Task("t", "T", "sec_edgar")
    reason = blocked_reason(task, Config(tmp_path)) or ""
    assert reason.startswith("sec_edgar needs a contact (there is none)")
    assert "STOMA_CONTACT" in reason
    assert blocked_reason(task, Config(tmp_path, contact="Jane Doe jane@example.org")) is None


def test_how_far_back_a_task_may_look() -> None:
    create_custom_task("a", "A", "sec_edgar", {"days_back": 365})
    create_custom_task("a", "A", "sec_edgar", {"days_back": 9_000, "tickers": ["AAPL"]})
    create_custom_task("a", "A", "sec_edgar", {"days_back": 9_000, "ciks": [320193]})
    with pytest.raises(ConfigError, match=r"config\.days_back: .*365"):
        create_custom_task("a", "A", "sec_edgar", {"days_back": 366})
