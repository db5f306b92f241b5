"""Edits of a running scheduler's files, saved as editors save them, seen by inotify and without it."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from stoma.scheduler import inforce, watcher
from stoma.scheduler.base import TaskStatus
from stoma.scheduler.manager import Scheduler
from tests.support.scripted import Script, install
from tests.support.waiting import state_file, until

MAIN = 'version: 1\npresets: []\nstore: {{url: "{url}"}}\n'


def text(schedule: str = "hourly", *ids: str) -> str:
    return "tasks:\n" + "".join(
        f"  {i}:\n    collector: scripted\n    config: {{script: s}}\n    schedule: {schedule}\n"
        for i in ids or ("papers",)
    )


@pytest.fixture
def script(monkeypatch: pytest.MonkeyPatch) -> Script:
    from stoma.scheduler import definitions

    # The schema knows no scripted collector; what is tested here is not the schema.
    monkeypatch.setattr(definitions.checker("tasks"), "_accepts", lambda _: lambda value: True)
    monkeypatch.setattr(definitions.checker("tasks"), "_faults", lambda *_: iter(()))
    return install(monkeypatch)


@pytest.fixture(params=["watched", "no inotify"])
def seen(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    if request.param != "watched":

        def fails() -> Any:
            raise OSError("inotify instance limit reached")

        monkeypatch.setattr(watcher, "_observer", fails)
    return str(request.param)


@pytest.fixture
def home(tmp_path: Path) -> Path:
    (tmp_path / "stoma.yaml").write_text(MAIN.format(url="sqlite:///stoma.db"))
    (tmp_path / "tasks").mkdir()
    (tmp_path / "tasks/a.yaml").write_text(text())
    (tmp_path / "tasks/b.yaml").write_text(text("daily", "other"))
    return tmp_path


@pytest.fixture
def scheduler(home: Path, script: Script) -> Iterator[Scheduler]:
    with Scheduler() as running:
        yield running
    script.hanging.set()


def in_force(scheduler: Scheduler, task_id: str = "papers") -> str | None:
    task = scheduler.config.tasks.get(task_id)
    return task.schedule_text if task else None


# -- how programs save a file --------------------------------------------------------------------------------


def rename_over(path: Path, content: str) -> None:
    """Most editors, and all that write carefully."""
    draft = path.with_name(f".{path.name}.tmp")
    draft.write_text(content)
    draft.replace(path)


def as_vim_does(path: Path, content: str) -> None:
    """A trial file, the old one away as a backup, the new one, the backup deleted."""
    trial = path.with_name("4913")
    trial.touch()
    trial.unlink()
    swap = path.with_name(f".{path.name}.swp")
    swap.write_text("swap")
    backup = path.with_name(f"{path.name}~")
    path.rename(backup)
    path.write_text(content)
    backup.unlink()
    swap.unlink()


def truncate_and_write(path: Path, content: str) -> None:
    with path.open("w") as file:
        file.write(content)


def in_pieces(path: Path, content: str) -> None:
    """Each piece reaches the disk, with the file open all the while."""
    with path.open("w") as file:
        for start in range(0, len(content), 20):
            file.write(content[start : start + 20])
            file.flush()
            os.fsync(file.fileno())
            threading.Event().wait(0.03)


def delete_and_create(path: Path, content: str) -> None:
    path.unlink()
    threading.Event().wait(0.3)
    path.write_text(content)


@pytest.mark.parametrize("save", [rename_over, as_vim_does, truncate_and_write, in_pieces, delete_and_create])
def test_however_a_file_is_saved(
    save: Callable[[Path, str], None], seen: str, scheduler: Scheduler, home: Path
) -> None:
    other = scheduler.ticker.next_run("other")
    run = scheduler.store.agenda.accounted()["papers"]
    lost: list[str] = []
    watching = threading.Event()

    def watch() -> None:
        while not watching.wait(0.002):
            lost.extend(i for i in ("papers", "other", "tail") if i not in scheduler.config.tasks)

    # Before the last task was written, it is not there; after that no task may ever be missed.
    rename_over(home / "tasks/a.yaml", text("hourly", "papers", "tail"))
    until(lambda: in_force(scheduler, "tail") == "hourly")
    thread = threading.Thread(target=watch)
    thread.start()
    save(home / "tasks/a.yaml", text("daily", "papers", "tail"))
    try:
        until(lambda: in_force(scheduler, "tail") == "daily")
        threading.Event().wait(0.3)
    finally:
        watching.set()
        thread.join()
    assert lost == []
    assert in_force(scheduler) == "daily"
    assert scheduler.errors == []
    # What was not edited was not touched.
    assert scheduler.ticker.next_run("other") is other
    until(lambda: scheduler.store.agenda.accounted()["papers"]["schedule_hash"] != run["schedule_hash"])
    assert scheduler.watcher.is_watching is (seen == "watched")


def test_a_file_must_stay_missing_before_its_tasks_go(scheduler: Scheduler, home: Path) -> None:
    (home / "tasks/a.yaml").unlink()
    scheduler.rescan()
    assert in_force(scheduler) == "hourly"
    until(lambda: in_force(scheduler) is None)
    assert scheduler.errors == []
    until(lambda: scheduler.ticker.next_run("papers") is None)
    assert in_force(scheduler, "other") == "daily"


def test_new_folders_and_presets_are_taken_up(
    scheduler: Scheduler, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(inforce, "AWAY_SECONDS", 0.5)
    main = (home / "stoma.yaml").read_text()
    (home / "stoma.yaml").write_text(main.replace("[]", "[mine]") + "include: ['jobs/**/*.yaml']\n")
    until(lambda: scheduler.errors)
    assert 'unknown preset "mine"' in scheduler.errors[0].message
    assert in_force(scheduler) == "hourly"
    (home / "presets").mkdir()
    (home / "presets/mine.yaml").write_text("tasks: {m: {collector: github, schedule: daily}}")
    until(lambda: in_force(scheduler, "m") == "daily")
    until(lambda: in_force(scheduler) is None)
    (home / "jobs/deep").mkdir(parents=True)
    (home / "jobs/deep/j.yaml").write_text(text("weekly", "j"))
    until(lambda: in_force(scheduler, "j") == "weekly")


def test_a_mounted_folder_that_is_swapped(home: Path, script: Script) -> None:
    mount = home / "mount"
    for version, schedule in (("..v1", "hourly"), ("..v2", "daily")):
        (mount / version).mkdir(parents=True)
        (mount / version / "m.yaml").write_text(text(schedule, "m"))
    (mount / "..data").symlink_to("..v1")
    (mount / "m.yaml").symlink_to("..data/m.yaml")
    (home / "tasks/m.yaml").symlink_to(mount / "m.yaml")
    with Scheduler() as scheduler:
        assert in_force(scheduler, "m") == "hourly"
        generation = scheduler.generation
        (mount / "..data_tmp").symlink_to("..v2")
        (mount / "..data_tmp").rename(mount / "..data")
        until(lambda: in_force(scheduler, "m") == "daily", 1.5)
        assert scheduler.generation == generation + 1


def test_reading_its_own_files_wakes_nobody(scheduler: Scheduler, monkeypatch: pytest.MonkeyPatch) -> None:
    scheduler.rescan()
    until(lambda: not scheduler._stirred.is_set() and not scheduler.watcher._pending)
    told: list[int] = []
    monkeypatch.setattr(scheduler.watcher, "happened", lambda: told.append(1))
    for _ in range(20):
        scheduler._in_force._loader.load()
        scheduler.beat()
    threading.Event().wait(0.3)
    assert told == []


def test_a_run_ends_under_the_definition_it_began_with(
    scheduler: Scheduler, home: Path, script: Script
) -> None:
    reached = threading.Event()

    def wait(number: int, collection: Any) -> None:
        reached.set()
        script.hanging.wait(20)

    script.before_page = wait
    run = scheduler.queue(scheduler.config.tasks["papers"])
    assert reached.wait(20)
    rename_over(home / "tasks/a.yaml", text().replace("script: s", "script: other"))
    until(lambda: scheduler.config.tasks["papers"].config["script"] == "other")
    (home / "tasks/a.yaml").unlink()
    until(lambda: scheduler.ticker.next_run("papers") is None)
    threading.Event().wait(0.1)
    assert scheduler.store.runs.get(run.id).status is TaskStatus.RUNNING
    script.hanging.set()
    until(lambda: scheduler.store.runs.get(run.id).status.is_final)
    assert scheduler.store.runs.get(run.id).status is TaskStatus.COMPLETED
    assert [collection.config["script"] for collection in script.collections] == ["s"]
    assert scheduler.store.records.count() == 30


def test_restart_needed_and_errors_are_told_to_everybody(scheduler: Scheduler, home: Path) -> None:
    main = (home / "stoma.yaml").read_text()
    (home / "stoma.yaml").write_text(main.replace("stoma.db", "other.db"))
    (home / "tasks/b.yaml").write_text("tasks: [")
    until(lambda: scheduler.restart_needed == ["store.url"] and scheduler.errors)

    def told() -> bool:
        [node] = scheduler.store.nodes.all()
        state = state_file(home)
        return all(
            one["restart_needed"] == ["store.url"] and one["errors"][0]["file"] == "tasks/b.yaml"
            for one in (node["state"], state)
            if one["errors"]
        ) and bool(node["state"]["errors"] and state["errors"])

    until(told)
    (home / "stoma.yaml").write_text(main)
    with suppress(FileNotFoundError):
        (home / "tasks/b.yaml").unlink()
    until(lambda: not scheduler.restart_needed and not scheduler.errors)
