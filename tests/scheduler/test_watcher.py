"""Many events become one call; folders behind links count; where nothing can be watched, one warning says so."""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from stoma.log import logger
from stoma.scheduler import watcher as module
from stoma.scheduler.config import load_config
from stoma.scheduler.watcher import MOST_SECONDS, QUIET_SECONDS, Watcher, aims, matters, tell_at
from tests.support.waiting import until

TASK = "tasks: {a: {collector: github}}\n"


@pytest.fixture
def home(tmp_path: Path) -> Path:
    (tmp_path / "stoma.yaml").write_text("presets: []\n")
    return tmp_path


@pytest.fixture
def warned() -> Iterator[list[str]]:
    found: list[str] = []
    number = logger.add(lambda message: found.append(message.record["message"]), level="WARNING")
    yield found
    logger.remove(number)


class Calls:
    """A watcher that counts its calls."""

    def __init__(self, home: Path) -> None:
        self.home, self.count = home, 0
        self.watcher = Watcher(self._called)
        self.watcher.start(load_config(base=home))
        # The first aim tells once: what happened before was seen by nobody.
        until(lambda: self.count == 1)
        self.count = 0

    def _called(self) -> None:
        self.count += 1

    def none_comes(self) -> bool:
        return not threading.Event().wait(3 * QUIET_SECONDS) and self.count == 0


@pytest.fixture
def calls(home: Path) -> Iterator[Any]:
    made: list[Calls] = []

    def make() -> Calls:
        made.append(Calls(home))
        return made[-1]

    yield make
    for one in made:
        one.watcher.stop()


@pytest.mark.parametrize(
    ("first", "last", "at"), [(0, 0, QUIET_SECONDS), (0, 1, 1 + QUIET_SECONDS), (0, 1.95, MOST_SECONDS)]
)
def test_when_it_is_told(first: float, last: float, at: float) -> None:
    assert tell_at(first, last) == at


@pytest.mark.parametrize(
    ("path", "is_folder", "counts"),
    [
        ("/x/a.yaml", False, True),
        ("/x/a.yml", False, True),
        ("/x/a.yaml~", False, False),
        ("/x/.a.yaml.swp", False, False),
        ("/x/.#a.yaml", False, False),
        ("/x/4913", False, False),
        ("/x/stoma.db-wal", False, False),
        ("/x/scheduler_state.json", False, False),
        ("/x/..data", False, True),
        ("/x/jobs", False, True),
        ("/x/folder", True, True),
    ],
)
def test_what_counts(path: str, is_folder: bool, counts: bool) -> None:
    assert matters(path, frozenset({"jobs"}), is_folder=is_folder) is counts


def test_where_something_may_happen(home: Path) -> None:
    (home / "jobs/deep").mkdir(parents=True)
    (home / "presets").mkdir()
    (home / "mounted/v1").mkdir(parents=True)
    (home / "mounted/v1/a.yaml").write_text(TASK)
    (home / "current").symlink_to("mounted/v1")
    (home / "stoma.yaml").write_text(
        "presets: []\ninclude: ['jobs/**/*.yaml', 'current/*.yaml', 'late/*.yaml']"
    )
    found = {(os.path.relpath(folder, home), below) for folder, below in aims(load_config(base=home))}
    assert {(".", False), ("jobs", True), ("presets", False), ("mounted/v1", False)} <= found
    assert ("jobs/deep", False) not in found
    assert (".", True) not in found


def test_many_events_become_one_call(home: Path, calls: Any) -> None:
    one = calls()
    for number in range(50):
        (home / "stoma.yaml").write_text(f"presets: []\n# {number}\n")
    until(lambda: one.count)
    threading.Event().wait(2 * QUIET_SECONDS)
    assert one.count == 1


def test_what_does_not_concern_it_is_not_told(home: Path, calls: Any) -> None:
    one = calls()
    for name in ("stoma.db", "stoma.db-wal", "scheduler_state.json", ".stoma.yaml.swp", "stoma.yaml~"):
        (home / name).write_text("x")
    assert (home / "stoma.yaml").read_text()
    load_config(base=home)
    assert one.none_comes()


def test_a_folder_that_is_made_later_is_watched(home: Path, calls: Any) -> None:
    one = calls()
    (home / "tasks").mkdir()
    until(lambda: one.count == 1)
    one.watcher.aim(load_config(base=home))
    until(lambda: one.count == 2)
    (home / "tasks/a.yaml").write_text(TASK)
    until(lambda: one.count == 3)
    # Also when it is another folder of the same name.
    (home / "tasks/a.yaml").unlink()
    (home / "tasks").rmdir()
    (home / "tasks").mkdir()
    until(lambda: one.count == 4)
    one.watcher.aim(load_config(base=home))
    until(lambda: one.count == 5)
    (home / "tasks/b.yaml").write_text(TASK)
    until(lambda: one.count == 6)


def test_a_swapped_link_is_seen_as_kubernetes_does_it(home: Path, calls: Any) -> None:
    tasks = home / "tasks"
    for version in ("..v1", "..v2"):
        (tasks / version).mkdir(parents=True)
        (tasks / version / "a.yaml").write_text(TASK)
    (tasks / "..data").symlink_to("..v1")
    (tasks / "a.yaml").symlink_to("..data/a.yaml")
    one = calls()
    (tasks / "..data_tmp").symlink_to("..v2")
    (tasks / "..data_tmp").rename(tasks / "..data")
    until(lambda: one.count == 1)


def test_a_steady_stream_is_told_all_the_same(home: Path, calls: Any) -> None:
    one = calls()
    done = threading.Event()

    def write() -> None:
        while not done.wait(QUIET_SECONDS / 4):
            (home / "stoma.yaml").write_text("presets: []\n")

    thread = threading.Thread(target=write)
    thread.start()
    try:
        until(lambda: one.count, MOST_SECONDS + 3)
    finally:
        done.set()
        thread.join()


def test_no_inotify_is_one_warning(home: Path, warned: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    def fails() -> Any:
        raise OSError("inotify instance limit reached")

    monkeypatch.setattr(module, "_observer", fails)
    watcher = Watcher(lambda: None)
    watcher.start(load_config(base=home))
    watcher.aim(load_config(base=home))
    assert not watcher.is_watching
    assert len(warned) == 1
    assert "only every few seconds" in warned[0]
    watcher.stop()


def test_a_folder_that_cannot_be_watched_is_one_warning_until_it_can(
    home: Path, calls: Any, warned: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    one = calls()
    real = one.watcher._observer.schedule

    def full(*_: object, **__: object) -> None:
        raise OSError("inotify watch limit reached")

    monkeypatch.setattr(one.watcher._observer, "schedule", full)
    (home / "tasks").mkdir()
    for _ in range(3):
        one.watcher.aim(load_config(base=home))
    assert len(warned) == 1
    assert not one.watcher.is_watching
    monkeypatch.setattr(one.watcher._observer, "schedule", real)
    one.watcher.aim(load_config(base=home))
    assert one.watcher.is_watching


def test_it_ends_at_once_and_tells_nothing_more(home: Path, calls: Any) -> None:
    one = calls()
    (home / "stoma.yaml").write_text("presets: []\n# edited\n")
    one.watcher.stop()
    assert one.none_comes()
    one.watcher.stop()
