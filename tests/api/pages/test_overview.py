"""The first page: health in a sentence, and what a person does there."""

from __future__ import annotations

import re
import threading
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from stoma.api.pages.overview import Health, health
from stoma.api.server import Server
from stoma.errors import SourceRefused, Unreachable
from stoma.records import Record, sealed
from stoma.scheduler.board import Sight
from stoma.scheduler.config import load_config
from stoma.scheduler.manager import Scheduler
from stoma.stores.outbox import Alert, save_alert
from stoma.stores.records import Prepared, save
from tests.api.pages.conftest import YAML, Visitor
from tests.support.scripted import Script
from tests.support.waiting import until

NOW = datetime(2026, 11, 23, tzinfo=UTC)


def sight(*tasks: tuple[str | None, bool], **status: Any) -> Sight:
    """Tasks as (status, enabled)."""
    rows = [{"id": str(at), "status": state, "enabled": on} for at, (state, on) in enumerate(tasks)]
    failing = [row for row in rows if row["status"] in ("failed", "suspect")]
    blocked = sum(row["status"] == "blocked" for row in rows)
    usual = {
        "paused_since": None,
        "running_runs": [],
        "waiting_runs": [],
        "blocked": blocked,
        "failing": failing,
    }
    return Sight(NOW, {**usual, **status}, rows)


QUIET = "Nothing runs just now."


@pytest.mark.parametrize(
    ("seen", "known", "level", "sentence", "beside"),
    [
        (sight(("completed", True), (None, True)), {}, "good", "All is well: 2 tasks at work.", QUIET),
        (
            sight(
                ("completed", True), ("blocked", True), (None, False), running_runs=[1], waiting_runs=[2, 3]
            ),
            {},
            "good",
            "All is well: 1 task at work.",
            "1 running now, 2 waiting, 1 blocked and 1 switched off.",
        ),
        (sight(("failed", True), ("completed", True)), {}, "bad", "1 task of 2 fails.", QUIET),
        (sight(("failed", True), ("suspect", True)), {}, "bad", "2 tasks of 2 fail.", QUIET),
        (sight(("completed", True)), {"troubles": 1}, "warn", "1 thing wants looking after.", QUIET),
        (sight(), {}, "warn", "There are no tasks yet.", ""),
        (sight(("blocked", True)), {}, "warn", "No task can run.", "1 blocked."),
        (sight((None, True), paused_since="x"), {"troubles": 2}, "warn", "Everything is paused.", QUIET),
        (
            sight(("failed", True), paused_since="x"),
            {"is_broken": True},
            "bad",
            "A file is broken; everything goes on as it was before the edit.",
            QUIET,
        ),
        (
            sight(("failed", True)),
            {"is_broken": True, "is_alive": False},
            "bad",
            "The scheduler does not tick: nothing is started.",
            QUIET,
        ),
    ],
)
def test_health_is_one_sentence_and_the_worst_comes_first(
    seen: Sight, known: dict[str, Any], level: str, sentence: str, beside: str
) -> None:
    expected = Health(level, sentence, beside)
    assert health(seen, **{"is_alive": True, "is_broken": False, **known}) == expected


def test_what_runs_is_shown_with_its_progress_and_what_failed_with_its_cause(
    visitor: Visitor, scheduler: Scheduler, script: Script
) -> None:
    go_on = threading.Event()

    def hold(event: threading.Event) -> None:
        event.wait(10)

    script.before_page = lambda number, _: None if number == 0 else hold(go_on)
    address = visitor.press("/tasks/s/run")
    number = address.removeprefix("/runs/")
    until(lambda: scheduler.store.runs.get(int(number)).pages == 1)
    scheduler.board.forget()
    page = visitor.open("/")
    assert address in page.links()
    assert "1 page, 10 seen, 10 new" in page.said(f"#running #run-{number}")
    go_on.set()
    until(lambda: scheduler.store.runs.get(int(number)).status.is_final)

    def refuse(*_: object) -> None:
        raise SourceRefused("<script>no \u202ebread</script>")

    script.before_page = refuse
    failed = int(visitor.press("/tasks/s/run").removeprefix("/runs/"))
    until(lambda: scheduler.store.runs.get(failed).status.is_final)
    scheduler.board.forget()
    page = visitor.open("/")
    assert "s failed <script>no" in page.said("#failing")
    assert page.said("h1") == "1 task of 3 fails."
    assert "<script>no" not in page.text
    assert "\u202e" not in page.text


def test_records_of_strangers_are_harmless(visitor: Visitor, scheduler: Scheduler) -> None:
    hostile = [
        Record(
            "x",
            "../a b/ü?#",
            "<i>",
            title="<script>alert(1)</script>\u202eevil\x1b[31m",
            url="javascript:alert(1)",
        ),
        Record("x", "long", "entry", title="W" * 5_000),
    ]
    with scheduler.store.database.transaction() as tx:
        save(tx, Prepared.of([sealed(record) for record in hostile]), "papers", 1, scheduler.store.now())
    page = visitor.open("/")
    assert "<script>alert" not in page.text
    assert "javascript:" not in page.text
    assert not {"\u202e", "\x1b"} & set(page.text)
    assert "W" * 200 not in page.text
    assert len(page.all("#newest li bdi")) >= 2
    assert len([link for link in page.links() if link.startswith("/records/x/")]) == 2


def test_everything_is_paused_and_resumed_by_a_button(visitor: Visitor, scheduler: Scheduler) -> None:
    assert "/pause" in visitor.open("/").forms()
    assert visitor.press("/pause") == "/"
    assert scheduler.store.agenda.paused_since() is not None
    page = visitor.open("/hosts")
    assert "Everything is paused" in page.said("#notes")
    assert list(page.forms()) == ["/resume"]
    assert "/pause" not in visitor.open("/").forms()
    assert visitor.press("/resume") == "/"
    assert scheduler.store.agenda.paused_since() is None


def test_what_is_not_there_yet_says_what_to_do_next(visitor: Visitor) -> None:
    page = visitor.open("/")
    assert "Nothing has run yet" in page.said("#last")
    assert "/tasks" in page.links()
    assert "No records yet" in page.said("#newest")
    assert page.all("#running")[0].get("hidden") is not None


def test_all_is_not_well_while_what_failed_waits_for_its_next_try(
    visitor: Visitor, scheduler: Scheduler, script: Script
) -> None:
    def refuse(*_: object) -> None:
        raise Unreachable("no answer today")

    script.before_page = refuse
    number = int(visitor.press("/tasks/s/run").removeprefix("/runs/"))
    until(lambda: scheduler.store.runs.get(number).not_before is not None)
    scheduler.board.forget()
    page = visitor.open("/")
    assert page.said("h1") == "1 task of 3 fails."
    assert "s failed no answer today tried again at" in page.said("#failing")
    assert "s" in page.said("#running")
    page = visitor.open("/tasks?state=failing")
    assert "failed: no answer today" in page.said("#task-s")


def test_an_open_alert_of_a_task_is_to_be_looked_after(visitor: Visitor, scheduler: Scheduler) -> None:
    now = scheduler.store.now()
    with scheduler.store.database.transaction() as tx:
        save_alert(tx, Alert("task papers", "failing", now, now, now, task_id="papers", detail="no answer"))
    page = visitor.open("/")
    assert page.said("h1") == "1 thing wants looking after."
    assert "papers since" in page.said("#troubles")
    assert "it failed before no answer" in page.said("#troubles")


def test_where_nothing_can_run_it_is_said_which_task_and_why(visitor: Visitor, tmp_path: Path) -> None:
    why = "repos the environment variable STOMA_TEST_TOKEN is not set"
    page = visitor.open("/")
    assert why in page.said("#blocked")
    assert "press Run" in page.said("#last")
    # Another folder, in which there is nothing else.
    home = tmp_path / "blocked"
    home.mkdir()
    (home / "stoma.yaml").write_text(re.sub(r"(?s)  papers:.*?(  repos:.*?)  s:.*", r"\1", YAML))
    with Scheduler(load_config(home / "stoma.yaml")) as other:
        server = Server(other, "127.0.0.1", 0)
        server.start()
        look_at_what_is_blocked(Visitor(server.port), why)
        server.stop()


def look_at_what_is_blocked(visitor: Visitor, why: str) -> None:
    page = visitor.open("/")
    assert page.said("h1") == "No task can run."
    assert why in page.said("#blocked")
    assert "press Run" not in page.said()
    said = visitor.open("/calendar").said()
    assert "what has a schedule is blocked. repos" in said
    assert "No task that is switched on" not in said
    page = visitor.open("/tasks/repos")
    assert "Next runs none, as long as it is blocked" in page.said("#standing")
