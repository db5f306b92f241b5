"""Which texts are in force when files are edited: as many edits as go together, the last good text for the rest."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from stoma.errors import ConfigError
from stoma.scheduler.base import Task
from stoma.scheduler.inforce import AWAY_SECONDS, MISSING_SECONDS, Change, InForce
from stoma.scheduler.loader import Loader
from stoma.scheduler.loading import Loading

A, B, C = (f"tasks/{name}.yaml" for name in "abc")


def task(*ids: str, schedule: str = "hourly") -> str:
    """The text of a file that declares tasks."""
    return "tasks:\n" + "".join(
        f"  {i}: {{collector: arxiv, config: {{search_query: x}}, schedule: {schedule}}}\n" for i in ids
    )


class Home:
    """A folder of files, and what is in force there."""

    def __init__(self, base: Path, **files: str) -> None:
        self.base, self.moment = base, 100.0
        self.write({"stoma.yaml": "presets: []\n"} | files)
        self.loader = Loader(base=base)
        self.in_force = InForce(self.loader.config(), self.loader, lambda: self.moment)

    def write(self, files: dict[str, str | None]) -> None:
        for name, text in files.items():
            path = self.base / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.unlink(missing_ok=True) if text is None else path.write_text(text)

    def edit(self, files: dict[str, str | None]) -> Change | None:
        """Edit files, and look long after that."""
        self.write(files)
        change = self.in_force.look()
        self.moment += 2 * MISSING_SECONDS
        change = self.in_force.look() or change
        self.moment += AWAY_SECONDS
        return self.in_force.look() or change

    @property
    def tasks(self) -> dict[str, str]:
        """By id, the schedule in force."""
        return {task_id: found.schedule_text for task_id, found in sorted(self.in_force.config.tasks.items())}

    @property
    def told(self) -> list[str]:
        return [f"{problem.place}: {problem.message}" for problem in self.in_force.errors]

    @property
    def hints(self) -> list[str]:
        return [problem.hint for problem in self.in_force.errors]


@pytest.fixture
def home(tmp_path: Path) -> Callable[..., Home]:
    def make(**files: str) -> Home:
        return Home(tmp_path, **{f"tasks/{name}.yaml": text for name, text in files.items()})

    return make


def test_a_file_that_fails_keeps_its_last_good_text_while_others_apply(home: Callable[..., Home]) -> None:
    here = home(a=task("a"), b=task("b"))
    here.edit({A: "tasks: [", B: task("b", schedule="daily"), C: task("c")})
    assert here.tasks == {"a": "hourly", "b": "daily", "c": "hourly"}
    assert here.told[0].startswith(f"{A}:1:")
    assert here.in_force.generation == 2
    here.edit({A: task("a", schedule="daily")})
    assert here.tasks == {"a": "daily", "b": "daily", "c": "hourly"}
    assert here.told == []
    assert here.in_force.generation == 3


def test_a_new_file_that_fails_is_left_out_until_it_is_mended_or_removed(home: Callable[..., Home]) -> None:
    here = home(a=task("a"))
    here.edit({B: "tasks: {b: {colector: arxiv}}"})
    assert here.tasks == {"a": "hourly"}
    assert 'did you mean "collector"?' in " ".join(here.told)
    here.edit({B: None})
    assert here.told == []
    assert here.in_force.generation == 1


def test_files_that_conflict_all_stay_as_they_were(home: Callable[..., Home]) -> None:
    here = home(a=task("a"), b=task("b"), c=task("c"))
    here.edit({A: task("a", "x"), B: task("b", "x"), C: task("c", schedule="daily")})
    assert here.tasks == {"a": "hourly", "b": "hourly", "c": "daily"}
    assert here.told == [f'{B}:3:3: the task "x" is declared twice; the other one is in {A}:3']
    assert here.hints[0].endswith(f"until it is mended: {A}, {B} as before")
    # One of them gives in: the other one applies.
    here.edit({B: task("b", schedule="daily")})
    assert here.tasks == {"a": "hourly", "b": "daily", "c": "daily", "x": "hourly"}
    assert here.told == []


def test_a_new_file_that_conflicts_with_an_old_one_is_left_out(home: Callable[..., Home]) -> None:
    here = home(b=task("b"))
    here.edit({A: task("b", schedule="daily")})
    assert here.tasks == {"b": "hourly"}
    assert here.hints[0].endswith(f"until it is mended: {A} left out")


def test_one_conflict_among_many_edits_keeps_none_of_the_others_back(tmp_path: Path) -> None:
    names = [f"tasks/{number:02}.yaml" for number in range(30)]
    here = Home(tmp_path, **{name: task(f"t{number}") for number, name in enumerate(names)})
    here.edit(
        {name: task(f"t{number}", schedule="daily") for number, name in enumerate(names)}
        | {names[7]: task("t7", "t7b"), names[8]: task("t8", "new"), "tasks/more.yaml": task("t7b")}
    )
    assert here.tasks == {f"t{number}": "hourly" if number in (7, 8) else "daily" for number in range(30)} | {
        "new": "hourly"
    }
    assert here.hints[0].endswith("until it is mended: tasks/07.yaml as before, tasks/more.yaml left out")


def test_what_is_at_fault_is_found_among_many_edits_also_where_it_is_not_named(tmp_path: Path) -> None:
    names = [f"tasks/{number:02}.yaml" for number in range(30)]
    texts = {name: task(f"t{number}") for number, name in enumerate(names)}
    here = Home(tmp_path, **texts, **{A: task("a").replace("}, sch", "}, after: t7, sch")})
    here.edit({name: task(f"u{number}") for number, name in enumerate(names)})
    assert "t7" in " ".join(here.told)
    assert set(here.tasks) == {f"u{number}" for number in range(30) if number != 7} | {"a", "t7"}


def test_more_conflicts_than_can_be_told_apart_keep_all_edits_back(tmp_path: Path) -> None:
    names = [f"tasks/{number:02}.yaml" for number in range(40)]
    here = Home(tmp_path, **{name: task(f"t{number}") for number, name in enumerate(names)})
    here.edit({name: task(f"t{number}", "same") for number, name in enumerate(names)})
    assert set(here.tasks) == {f"t{number}" for number in range(40)}
    assert len(here.told) == 39


def test_a_preset_that_is_missing_keeps_the_file_that_names_it_as_it_was(home: Callable[..., Home]) -> None:
    here = home(a=task("a"), b=task("b"))
    here.edit({A: "presets: [mine]\n" + task("a", schedule="daily"), B: task("b", schedule="daily")})
    assert here.tasks == {"a": "hourly", "b": "daily"}
    assert here.told[0].startswith(f'{A}:1:11: presets: unknown preset "mine"')
    here.edit({"presets/mine.yaml": "tasks: {m: 3}"})
    assert here.tasks == {"a": "hourly", "b": "daily"}
    assert any(told.startswith("presets/mine.yaml:1:") for told in here.told)
    assert 'presets: the preset "mine" is not in order' in " ".join(here.told)
    here.edit({"presets/mine.yaml": task("m")})
    assert here.tasks == {"a": "daily", "b": "daily", "m": "hourly"}
    here.edit({"presets/mine.yaml": None})
    assert "m" in here.tasks
    assert here.told != []


def test_a_task_with_an_unknown_after_keeps_the_edit_back_that_took_it_away(
    home: Callable[..., Home], monkeypatch: pytest.MonkeyPatch
) -> None:
    # Any fault of the whole will do: here, b may not be without a.
    real = Loading._entries

    def entries(self: Loading):
        found = real(self)
        if "b" in found and "a" not in found:
            self._problems.append(
                self._sources[-1][0].document.problem(("tasks",), 'after: there is no task "a"')
            )
        return found

    monkeypatch.setattr(Loading, "_entries", entries)
    here = home(a=task("a"), b=task("b"), c=task("c"))
    here.edit({A: task("other"), C: task("c", schedule="daily")})
    assert here.tasks == {"a": "hourly", "b": "hourly", "c": "daily"}
    assert here.hints == [f"until it is mended: {A} as before"]


def test_a_broken_main_file_does_not_hide_what_it_includes(tmp_path: Path) -> None:
    main = "presets: []\ninclude: ['jobs/*.yaml']\n"
    here = Home(tmp_path, **{"stoma.yaml": main, "jobs/a.yaml": task("a")})
    # What the broken one does not name any more, or seems to name, is nobody's fault.
    here.edit({"stoma.yaml": "include: [", "jobs/a.yaml": task("a", schedule="daily"), A: "tasks: ["})
    assert here.tasks == {"a": "daily"}
    assert [told.split(":")[0] for told in here.told] == ["stoma.yaml"]
    here.edit({"stoma.yaml": None})
    assert here.tasks == {"a": "daily"}
    assert here.told == ["stoma.yaml: there is no such file"]


def test_a_new_main_file_that_was_never_good_leaves_the_built_in_preset(tmp_path: Path) -> None:
    here = Home(tmp_path)
    (tmp_path / "stoma.yaml").unlink()
    here.loader = Loader(base=tmp_path)
    here.in_force = InForce(here.loader.config(), here.loader, lambda: here.moment)
    built_in = here.tasks
    here.edit({"stoma.yaml": "tasks: ["})
    assert here.tasks == built_in
    assert here.told != []
    here.edit({"stoma.yaml": "presets: []\n" + task("a")})
    assert here.tasks == {"a": "hourly"}


def test_a_task_that_moves_to_a_broken_file_is_not_lost(home: Callable[..., Home]) -> None:
    here = home(a=task("a", "x"), b=task("b"))
    here.edit({A: task("a", schedule="daily"), B: task("b", "x").replace("collector", "colector", 1)})
    assert here.tasks == {"a": "hourly", "b": "hourly", "x": "hourly"}
    assert f'{A}: the task "x" is about to move to {B}, which is not in order' in here.told
    here.edit({B: task("b", "x")})
    assert here.tasks == {"a": "daily", "b": "hourly", "x": "hourly"}
    assert here.told == []


def test_a_file_must_stay_missing_for_a_moment(home: Callable[..., Home]) -> None:
    here = home(a=task("a"), b=task("b"))
    here.write({A: None, B: task("b", schedule="daily")})
    here.in_force.look()
    assert here.tasks == {"a": "hourly", "b": "daily"}
    here.moment += MISSING_SECONDS - 0.1
    here.in_force.look()
    assert "a" in here.tasks
    # It came back in time, and is missed again later: the moment begins anew.
    here.write({A: task("a")})
    here.in_force.look()
    here.write({A: None})
    here.moment += 0.2
    assert here.in_force.look() is None
    here.moment += MISSING_SECONDS
    assert here.in_force.look() == Change([], ["a"], [])
    assert here.told == []


def test_a_file_that_somebody_is_writing_is_left_for_the_next_look(home: Callable[..., Home]) -> None:
    here = home(a=task("a"))
    here.write({A: task("a", schedule="daily")})
    assert here.in_force.look(settled=True) is None
    assert here.tasks == {"a": "hourly"}
    here.in_force.look()
    assert here.tasks == {"a": "daily"}


def test_a_file_from_the_future_is_not_waited_for(home: Callable[..., Home]) -> None:
    here = home(a=task("a"))
    here.write({A: task("a", schedule="daily")})
    os.utime(here.base / A, (time.time() + 3600, time.time() + 3600))
    here.in_force.look(settled=True)
    assert here.tasks == {"a": "daily"}


def test_tasks_that_are_gone_from_a_file_stay_for_a_moment(home: Callable[..., Home]) -> None:
    here = home(a=task("a", "x", "y"), b=task("b"))
    x = here.in_force.config.tasks["x"]
    here.write({A: task("a", schedule="daily")})
    assert here.in_force.look() == Change([], [], ["a"])
    assert set(here.tasks) == {"a", "x", "y", "b"}
    here.moment += AWAY_SECONDS - 0.1
    assert here.in_force.look() is None
    assert here.in_force.config.tasks["x"] is x
    # One comes back in time, in another file, and the other one goes.
    here.write({B: task("b", "x", schedule="daily")})
    here.moment += 0.2
    assert here.in_force.look() == Change([], ["y"], ["b", "x"])
    assert here.tasks == {"a": "daily", "b": "daily", "x": "daily"}
    # Away again, its time begins anew.
    here.write({B: task("b", schedule="daily")})
    assert here.in_force.look() is None
    assert "x" in here.tasks
    here.moment += AWAY_SECONDS
    assert here.in_force.look() == Change([], ["x"], [])
    assert here.told == []


def test_a_task_that_left_its_file_before_is_not_said_to_be_about_to(home: Callable[..., Home]) -> None:
    here = home(a=task("a", "x"), b=task("b"))
    here.write({A: task("a")})
    here.in_force.look()
    here.write({B: task("b", "x").replace("collector", "colector", 1)})
    here.in_force.look()
    assert "about to move" not in " ".join(here.told)


def test_half_a_main_file_takes_no_tasks_away(tmp_path: Path) -> None:
    main = "version: 1\npresets: [mine]\ninclude: ['jobs/*.yaml']\n" + task("a")
    here = Home(tmp_path, **{"stoma.yaml": main, "presets/mine.yaml": task("m"), "jobs/j.yaml": task("j")})
    here.write({"stoma.yaml": "version: 1\npresets: []\n"})
    assert here.in_force.look() is None
    here.moment += AWAY_SECONDS - 0.1
    here.in_force.look()
    assert set(here.tasks) == {"a", "j", "m"}
    here.write({"stoma.yaml": main})
    here.in_force.look()
    here.moment += AWAY_SECONDS
    assert here.in_force.look() is None
    assert set(here.tasks) == {"a", "j", "m"}


def test_a_preset_that_is_missing_at_the_start_is_told_at_once(tmp_path: Path) -> None:
    here = Home(tmp_path, **{"stoma.yaml": "presets: [mine]\n", "presets/mine.yaml": task("m")})
    here.write({"presets/mine.yaml": None})
    in_force = InForce(here.in_force.config, here.loader, lambda: here.moment)
    in_force.look()
    assert [problem.file for problem in in_force.errors] == ["stoma.yaml"]
    assert set(in_force.config.tasks) == {"m"}


@pytest.mark.parametrize("end", ["yml", "folder"])
def test_what_hides_files_keeps_their_tasks_in_force(home: Callable[..., Home], end: str) -> None:
    here = home(a=task("a"))
    if end == "yml":
        (here.base / A).rename(here.base / "tasks/a.yml")
    else:
        (here.base / "tasks").rename(here.base / "elsewhere")
        (here.base / "tasks").write_text("")
    here.edit({"stoma.yaml": "presets: []\ntimezone: Asia/Tokyo\n"})
    assert here.tasks == {"a": "hourly"}
    assert here.in_force.config.tasks["a"].timezone == "Asia/Tokyo"
    assert len(here.told) == 1


def test_only_tasks_that_differ_are_made_anew(home: Callable[..., Home]) -> None:
    here = home(a=task("a", "x"), b=task("b"))
    before = here.in_force.config.tasks
    change = here.edit({A: "# a line\n" + task("a", "x").replace("hourly", "daily", 1)})
    after = here.in_force.config.tasks
    assert change == Change([], [], ["a"])
    assert after["b"] is before["b"]
    assert (before["x"].origin, after["x"].origin) == (f"{A}:3", f"{A}:4")
    assert here.edit({"stoma.yaml": "presets: []\ndefaults: {timeout: 5m}\n"}) == Change(
        [], [], ["a", "x", "b"]
    )


def test_a_comment_is_no_new_generation_but_a_new_text(home: Callable[..., Home]) -> None:
    here = home(a=task("a"))
    assert here.edit({A: task("a") + "# a comment\n"}) is None
    assert here.in_force.generation == 1
    assert here.in_force.texts[here.base / A].content.endswith("# a comment\n")


def test_unchanged_files_are_not_parsed_again(
    home: Callable[..., Home], monkeypatch: pytest.MonkeyPatch
) -> None:
    here = home(a=task("a"), b=task("b"))
    read: list[str] = []
    real = Loading._document
    monkeypatch.setattr(
        Loading, "_document", lambda self, path, text: (read.append(path.name), real(self, path, text))[1]
    )
    here.edit({A: "tasks: [", B: task("b", schedule="daily")})
    assert sorted(read) == ["a.yaml", "b.yaml"]
    here.in_force.look()
    here.in_force.look()
    assert sorted(read) == ["a.yaml", "b.yaml"]


def test_what_was_read_is_forgotten_with_its_file(home: Callable[..., Home]) -> None:
    here = home(a=task("a"), b=task("b"))
    _ = here.in_force.config.hash
    here.edit({A: None})
    assert {path.name for path, _ in here.loader._known} == {"stoma.yaml", "b.yaml"}
    assert set(here.loader._hashes) == {"b"}


@pytest.mark.parametrize(
    ("part", "name"),
    [
        ("store: {url: 'sqlite:///other.db'}", "store.url"),
        ("store: {synchronous: full}", "store.synchronous"),
        ("api: {port: 1}", "api.port"),
        ("api: {host: localhost}", "api.host"),
        ("api: {hosts: [example.org]}", "api.hosts"),
        ("scheduler: {lease: 1m}", "scheduler.lease"),
        ("scheduler: {max_concurrent_tasks: 1}", "scheduler.max_concurrent_tasks"),
        ("scheduler: {check_interval_seconds: 2}", "scheduler.check_interval_seconds"),
    ],
)
def test_what_only_a_restart_brings_into_force_is_said(
    home: Callable[..., Home], part: str, name: str
) -> None:
    here = home(a=task("a"))
    assert here.edit({"stoma.yaml": f"presets: []\n{part}\n"}) == Change([], [], [])
    assert here.in_force.restart_needed == [name]
    here.edit({"stoma.yaml": "presets: []\n"})
    assert here.in_force.restart_needed == []


def test_a_file_may_not_declare_a_task_of_this_process(home: Callable[..., Home]) -> None:
    here = home(a=task("a"))
    here.in_force.add(Task("mine", "M", "arxiv"))
    with pytest.raises(ConfigError, match="already"):
        here.in_force.add(Task("a", "A", "arxiv"))
    here.edit({A: task("a", schedule="daily"), B: task("mine")})
    assert here.tasks == {"a": "daily", "mine": ""}
    assert "this process added itself" in here.told[0]
    here.edit({B: None})
    assert here.told == []
    assert "mine" in here.tasks
