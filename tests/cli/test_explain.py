"""`stoma next`, `stoma why` and `stoma plan`, on both databases."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from stoma.cli.main import COMMANDS, main
from stoma.scheduler.base import NewRun, Skip, SkipReason, TaskPriority, at_trigger, hand_trigger
from stoma.scheduler.config import load_config, schedule_hash
from stoma.scheduler.lastgood import keep
from stoma.scheduler.loader import Loader
from stoma.stores import Store, open_store
from stoma.stores.agenda import account, standing

Command = Callable[..., Result]
HOUR = timedelta(hours=1)
# 09:00 in Berlin, in winter.
DUE = datetime(2026, 1, 7, 8, tzinfo=UTC)


@pytest.fixture
def home(tmp_path: Path, url: str) -> Path:
    (tmp_path / "stoma.yaml").write_text(
        f"""\
version: 1
timezone: Europe/Berlin
presets: []
store: {{url: "{url}"}}
tasks:
  papers: {{collector: arxiv, config: {{search_query: "cat:cs.LG"}}, schedule: daily_at_09:00}}
  often: {{collector: arxiv, config: {{search_query: "cat:cs.AI"}}, schedule: interval_1m}}
  off: {{collector: arxiv, config: {{search_query: "cat:cs.AI"}}, schedule: hourly, enabled: false}}
  hand: {{collector: arxiv, config: {{search_query: "cat:cs.AI"}}}}
"""
    )
    return tmp_path


@pytest.fixture
def real(home: Path, url: str) -> Iterator[Store]:
    with open_store(url, home) as opened:
        yield opened


@pytest.fixture
def stoma(home: Path) -> Command:
    return lambda *words: CliRunner().invoke(main, words)


def edit(home: Path, old: str, new: str) -> None:
    text = (home / "stoma.yaml").read_text()
    assert old in text
    (home / "stoma.yaml").write_text(text.replace(old, new))


def accept(store: Store, home: Path) -> None:
    """What a scheduler does when it takes up the files."""
    loader = Loader(base=home)
    keep(store, home, loader.texts(loader.config(), {}))


# -- next ------------------------------------------------------------------------------------------------------


def test_next_of_all_tasks_shows_a_few_of_each(stoma: Command) -> None:
    result = stoma("next")
    assert result.exit_code == 0, result.output
    rows = [line.split()[0] for line in result.output.splitlines() if "Europe/Berlin" in line]
    assert rows.count("often") == rows.count("papers") == 3
    assert "off: switched off" in result.output
    assert "hand: runs only by hand" in result.output
    assert "off" not in rows


def test_next_of_one_task(stoma: Command) -> None:
    result = stoma("next", "papers", "--days", "3")
    rows = [line for line in result.output.splitlines() if line.strip().startswith("papers")]
    assert len(rows) == 3
    assert all(" 09:00:00 +0" in row for row in rows)
    assert len(json.loads(stoma("next", "often", "--json").output)["instants"]) == 20
    found = json.loads(stoma("next", "often", "--limit", "2", "--json").output)
    assert [one["task"] for one in found["instants"]] == ["often"] * 2
    # A task that is switched off still has instants to come.
    result = stoma("next", "off", "--limit", "1")
    assert "off: switched off" in result.output
    assert "Europe/Berlin" in result.output
    assert stoma("next", "hand").output.startswith("nothing is due within 7 days")
    assert stoma("next", "paper").exit_code == 2


def test_next_while_everything_is_paused(stoma: Command, real: Store) -> None:
    real.agenda.pause(True, real.now())
    assert "everything is paused since" in stoma("next").output
    assert json.loads(stoma("next", "--json").output)["paused"] is True


def test_next_knows_the_change_of_the_clock(stoma: Command, home: Path) -> None:
    edit(home, "daily_at_09:00", "daily_at_02:30")
    result = stoma("next", "papers", "--days", "366", "--limit", "400")
    assert "moved: 02:30 does not exist" in result.output
    assert "first of two 02:30" in result.output


# -- why -------------------------------------------------------------------------------------------------------


def settle(
    store: Store, home: Path, task: str, first: datetime, last: datetime, count: int, until: datetime
) -> None:
    with store.database.transaction() as tx:
        before = standing(tx, task, schedule_hash(load_config(base=home).tasks[task]))
        assert before is not None
        skip = Skip(first, last, count, SkipReason.BLOCKED, "no contact")
        account(tx, before, until, [], [skip], store.now())


def adopt(store: Store, home: Path, since: datetime) -> None:
    tasks = load_config(base=home).tasks
    store.agenda.adopt({i: schedule_hash(task) for i, task in tasks.items() if task.schedule}, since)


def test_why_a_run_and_a_skip(stoma: Command, real: Store, home: Path) -> None:
    adopt(real, home, DUE - 100 * HOUR)
    run = real.runs.add(
        NewRun("papers", at_trigger(DUE), TaskPriority.NORMAL, "0", scheduled_for=DUE), real.now()
    )
    real.runs.add(NewRun("papers", hand_trigger(), TaskPriority.NORMAL, "0"), DUE + HOUR)
    settle(real, home, "papers", DUE + 24 * HOUR, DUE + 24 * HOUR, 1, DUE + 40 * HOUR)
    result = stoma("why", "papers", "2026-01-07")
    assert result.exit_code == 0, result.output
    assert "papers on Wednesday, 2026-01-07, by the clock of Europe/Berlin" in result.output
    first, second = [line for line in result.output.splitlines() if "pending" in line]
    assert first.split()[:3] == ["09:00:00", "1", str(run.id)]
    assert "by hand" in second
    result = stoma("why", "papers", "2026-01-08")
    assert "blocked: no contact" in result.output
    [fate] = json.loads(stoma("why", "papers", "2026-01-08", "--json").output)["instants"]
    assert (fate["first"], fate["count"], fate["outcome"]) == ("2026-01-08T08:00:00Z", 1, "skipped")


def test_why_of_many_instants_is_short(stoma: Command, real: Store, home: Path) -> None:
    adopt(real, home, DUE - 100 * HOUR)
    settle(real, home, "often", DUE - 50 * HOUR, DUE + 50 * HOUR, 6000, DUE + 60 * HOUR)
    result = stoma("why", "often", "2026-01-07")
    assert "1440" in result.output
    assert len(result.output.splitlines()) < 8


def test_why_today_before_any_scheduler_ran(stoma: Command) -> None:
    for day in ("today", "yesterday", "tomorrow"):
        result = stoma("why", "papers", day)
        assert result.exit_code == 0, result.output
        assert "no scheduler has taken up this task yet" in result.output
    assert "to come" in stoma("why", "papers", "tomorrow").output
    assert "not there yet" in stoma("why", "papers", "yesterday").output
    assert "it runs only by hand" in stoma("why", "hand", "today").output


def test_why_tells_every_instant_by_the_clock_of_the_zone(stoma: Command, real: Store, home: Path) -> None:
    adopt(real, home, DUE + HOUR)
    result = stoma("why", "papers", "2026-01-07")
    assert result.exit_code == 0, result.output
    assert "it began at 2026-01-07 10:00:00" in " ".join(result.output.split())
    # Programs are told in UTC.
    assert "it began at 2026-01-07T09:00:00Z" in stoma("why", "papers", "2026-01-07", "--json").output


def test_why_of_a_task_that_is_declared_no_more(stoma: Command, real: Store) -> None:
    real.runs.add(NewRun("gone", at_trigger(DUE), TaskPriority.NORMAL, "0", scheduled_for=DUE), real.now())
    result = stoma("why", "gone", "2026-01-07")
    assert result.exit_code == 0, result.output
    assert "pending" in result.output
    assert "declared no more" in result.output


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("why", "paper", "today"), 'did you mean "papers"?'),
        (("why", "papers", "2026-02-30"), '"2026-02-30" is not a date'),
        (("why", "papers", "9999-12-31"), "is not a date"),
        (("why", "papers", "monday"), "write one such as 2026-11-23"),
    ],
)
def test_why_not(stoma: Command, words: tuple[str, ...], said: str) -> None:
    result = stoma(*words)
    assert result.exit_code == 2
    assert said in result.stderr


# -- plan ------------------------------------------------------------------------------------------------------


def test_plan_before_any_scheduler_ran(stoma: Command) -> None:
    result = stoma("plan")
    assert result.exit_code == 0, result.output
    assert "no scheduler has taken up these files yet" in result.output
    assert "+ papers  added (stoma.yaml:6)" in result.output


def test_plan_of_nothing(stoma: Command, real: Store, home: Path) -> None:
    accept(real, home)
    assert stoma("plan").output == "nothing would change\n"
    assert json.loads(stoma("plan", "--json").output)["tasks"] == []


def test_plan_of_an_edit(stoma: Command, real: Store, home: Path) -> None:
    accept(real, home)
    with real.database.transaction() as tx:
        tx.execute("cursor_move", task_id="papers", fingerprint="old", position={}, run_id=1, now=real.now())
    real.runs.add(NewRun("hand", hand_trigger(), TaskPriority.NORMAL, "0"), real.now())
    edit(home, "cat:cs.LG", "cat:cs.CL")
    edit(home, "daily_at_09:00", "daily_at_10:00")
    edit(home, "  hand:", "  new:")
    edit(home, "presets: []", "presets: []\napi: {port: 9000}")
    result = stoma("plan")
    assert result.exit_code == 0, result.output
    lines = [line.strip() for line in result.output.splitlines()]
    assert "~ papers  changed (stoma.yaml:7)" in lines
    assert "config.search_query: cat:cs.LG → cat:cs.CL" in lines
    assert "schedule: daily_at_09:00 → daily_at_10:00" in lines
    assert any(line.startswith("next run: ") and "09:00:00" in line and "10:00:00" in line for line in lines)
    assert (
        "its cursor belongs to another query: the next run starts anew (keep_cursor: true keeps it)" in lines
    )
    assert "+ new  added (stoma.yaml:10)" in lines
    assert "- hand  removed (stoma.yaml:9)" in lines
    assert "1 waiting run would be cancelled" in lines
    assert "api.port: 8000 → 9000  (needs a restart)" in lines
    assert "often" not in result.output
    found = json.loads(stoma("plan", "--json").output)
    assert (found["ok"], found["in_force"], found["restart_needed"]) == (True, True, ["api.port"])
    assert [task["change"] for task in found["tasks"]] == ["changed", "added", "removed"]


def test_plan_of_broken_files(stoma: Command, home: Path) -> None:
    edit(home, "schedule: hourly", "shedule: hourly")
    result = stoma("plan")
    assert result.exit_code == 2
    assert "stoma.yaml:8:" in result.stderr
    assert 'did you mean "schedule"?' in result.stderr
    result = stoma("plan", "--json")
    assert result.exit_code == 2
    assert json.loads(result.output)["errors"][0]["line"] == 8


# -- help ------------------------------------------------------------------------------------------------------


def test_help_lists_every_command_with_its_sentence(stoma: Command) -> None:
    listing = stoma("--help").output
    for name, (_, told) in COMMANDS.items():
        assert f"\n  {name} " in listing
        assert told.split(",")[0].split()[0] in listing
        assert stoma(name, "--help").exit_code == 0
    # What belongs together stands together.
    headings = [listing.index(f"\n{title}:\n") for title in ("Run", "Look", "Ask", "Keep")]
    assert headings == sorted(headings)
    assert headings[2] < listing.index("\n  search ") < listing.index("\n  export ") < headings[3]
    assert stoma("nope").exit_code == 2
