"""What tasks work with and when: hosts, calendar, configuration."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path
from time import perf_counter

from stoma.api.pages.calendar import _lines
from stoma.api.pages.hosts import rule_words
from stoma.hosts import FREE, HostRule
from stoma.scheduler.ahead import outlook
from stoma.scheduler.base import Schedule, Task
from stoma.scheduler.manager import Scheduler
from stoma.stores.hosts import Budgets
from tests.api.pages.conftest import YAML, Visitor
from tests.support.waiting import until


def test_a_rule_is_told_as_people_say_it() -> None:
    assert rule_words(FREE) == "no limits"
    assert rule_words(HostRule(timedelta(seconds=3), 1)) == "one each 3 s, 1 at once"
    assert rule_words(HostRule(timedelta(seconds=1 / 8))) == "8 a second"


def test_days_stand_beside_one_another_by_the_clock_of_the_zone() -> None:
    friday = datetime(2026, 3, 27, 12, tzinfo=UTC)
    tasks = [
        Task("daily", "D", "arxiv", schedule=(Schedule("daily_at_09:00"),), timezone="Europe/Berlin"),
        Task("often", "O", "arxiv", schedule=(Schedule("interval_30m"),)),
        Task("rests", "R", "arxiv", schedule=(Schedule("daily_at_23:30", skip=("weekends",)),)),
    ]
    found = outlook(tasks, friday, friday + timedelta(days=3)).found
    daily, often, rests = _lines(tasks, found, "Europe/Berlin")
    # The clock goes forward on the 29th, and nine stays nine.
    assert {day.day: times for day, times in daily.days.items()} == {
        28: ["09:00"],
        29: ["09:00"],
        30: ["09:00"],
    }
    assert {day.day for day in often.often} == {27, 28, 29, 30}
    # In UTC it is still Friday, in Berlin it is half past midnight.
    assert {day.day: times for day, times in rests.days.items()} == {28: ["00:30"]}


def test_the_calendar_shows_what_is_due_and_nothing_that_cannot_run(
    visitor: Visitor, scheduler: Scheduler
) -> None:
    page = visitor.open("/calendar")
    assert "09:00" in page.said(".calendar")
    assert [link.text for link in page.all(".calendar .name a")] == ["papers"]
    assert len(page.all(".calendar thead th")) == 8
    assert "/calendar.ics" in page.links()
    assert "No task that is due is like that" in visitor.open("/calendar?q=zzz").said()
    scheduler.enable("papers", False)
    assert "Nothing is due" in visitor.open("/calendar").said()


def test_hosts_tell_their_budget_and_a_cool_down_is_ended_by_a_button(
    visitor: Visitor, scheduler: Scheduler
) -> None:
    page = visitor.open("/hosts")
    assert "127.0.0.1 papers" in page.said("[id=host-127.0.0.1]")
    assert "one each 1 s, 2 at once" in page.said("[id=host-api.github.com]")
    until_then = scheduler.store.now() + timedelta(hours=1)
    Budgets(scheduler.store.database, {}, "node", lambda _: None).cool(
        "127.0.0.1", until_then, "it said <i>please</i>"
    )
    page = visitor.open("/hosts")
    assert "left alone" in page.said()
    assert "<i>please" not in page.text
    scheduler.board.forget()
    assert "127.0.0.1" in visitor.open("/").said("#cooling")
    assert visitor.press("/hosts/127.0.0.1/reset") == "/hosts"
    assert "left alone" not in visitor.open("/hosts").said()
    assert visitor.open("/hosts/nobody.example/reset", {}).status == 404


def test_the_configuration_tells_generation_files_faults_and_what_needs_a_restart(
    visitor: Visitor, scheduler: Scheduler, tmp_path: Path
) -> None:
    page = visitor.open("/config")
    assert "Generation 1" in page.said("#force")
    assert "Faults none" in page.said("#force")
    assert "stoma.yaml" in page.said("#files")
    (tmp_path / "stoma.yaml").write_text(
        YAML.replace("presets: []", "presets: []\nscheduler: {max_concurrent_tasks: 9}")
    )
    scheduler.look_again()
    until(lambda: scheduler.restart_needed)
    assert "scheduler.max_concurrent_tasks" in visitor.open("/tasks").said("#notes")
    (tmp_path / "stoma.yaml").write_text(YAML.replace("collector: scripted", "collector: nonsense_"))
    scheduler.look_again()
    until(lambda: scheduler.errors)
    page = visitor.open("/config")
    assert "broken" in page.said("#files")
    assert "Generation 2" in page.said("#force")


def test_a_calendar_of_busy_tasks_is_made_quickly() -> None:
    now = datetime(2026, 11, 23, tzinfo=UTC)
    tasks = [
        Task(f"t{at}", "T", "arxiv", schedule=(Schedule("*/5 * * * *", timezone="Europe/Berlin"),))
        for at in range(25)
    ]
    began = perf_counter()
    found = outlook(tasks, now, now + timedelta(days=7))
    assert not found.is_cut
    assert perf_counter() - began < 1.0
