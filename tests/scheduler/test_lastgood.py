"""A start that meets a broken file goes on with its last good text, on both databases."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from stoma import references
from stoma.cli.main import main as stoma
from stoma.cli.run import main as stoma_run
from stoma.errors import ConfigError
from stoma.scheduler.lastgood import at_start, config_in_force, keep
from stoma.scheduler.loader import Loader
from stoma.scheduler.manager import Scheduler
from stoma.stores import Store
from tests.support.waiting import until

BROKEN = "tasks: ["


def task(name: str, schedule: str = "hourly") -> str:
    return f"tasks:\n  {name}: {{collector: arxiv, config: {{search_query: x}}, schedule: {schedule}}}\n"


@pytest.fixture
def home(tmp_path: Path, url: str) -> Path:
    """A folder whose texts were in force once."""
    (tmp_path / "stoma.yaml").write_text(
        f'version: 1\nstore: {{url: "{url}"}}\npresets: [mine]\napi: {{port: 0}}\n'
    )
    for name, text in (("tasks/a", task("a")), ("tasks/b", task("b")), ("presets/mine", task("m"))):
        path = tmp_path / f"{name}.yaml"
        path.parent.mkdir(exist_ok=True)
        path.write_text(text)
    with Scheduler():
        pass
    return tmp_path


@pytest.fixture
def start(home: Path) -> Iterator[Callable[[], Scheduler]]:
    made: list[Scheduler] = []

    def make() -> Scheduler:
        made.append(Scheduler())
        made[-1].start()
        return made[-1]

    yield make
    for scheduler in made:
        scheduler.stop()


def run(*words: str, command: Any = stoma) -> Any:
    return CliRunner().invoke(command, [*words])


@pytest.mark.parametrize(
    ("file", "text"),
    [
        ("tasks/a.yaml", BROKEN),
        ("presets/mine.yaml", "tasks: {m: {colector: arxiv}}"),
        ("stoma.yaml", None),
    ],
)
def test_a_broken_file_at_the_start(
    home: Path, start: Callable[[], Scheduler], file: str, text: str | None
) -> None:
    good = (home / file).read_text()
    (home / file).write_text(good + "defalts: {}\n" if text is None else text)
    (home / "tasks/b.yaml").write_text(task("b", "daily"))
    scheduler = start()
    assert {i: t.schedule_text for i, t in scheduler.config.tasks.items()} == {
        "a": "hourly",
        "b": "daily",
        "m": "hourly",
    }
    assert {problem.file for problem in scheduler.errors} == {file}
    assert scheduler.task("a").next_run is not None
    (home / file).write_text(good)
    until(lambda: scheduler.errors == [])


@pytest.mark.parametrize("syntax", ["presets: [mine", "presets: [mine]\npresets: []", "presets: 'mine"])
def test_a_stoma_yaml_that_is_no_yaml(home: Path, start: Callable[[], Scheduler], syntax: str) -> None:
    text = (home / "stoma.yaml").read_text().replace("version: 1\n", "")
    (home / "stoma.yaml").write_text(text.replace("presets: [mine]", syntax))
    scheduler = start()
    assert sorted(scheduler.config.tasks) == ["a", "b", "m"]
    assert [problem.file for problem in scheduler.errors] == ["stoma.yaml"]


@pytest.mark.parametrize(
    "part",
    ["api: {port: x}", "api: {host: 0.0.0.0}", "scheduler: {lease: 0s}", "store: {ulr: x}", "api: {port: ["],
)
def test_a_fault_of_what_only_a_start_brings_into_force_ends_it(home: Path, part: str) -> None:
    text = (home / "stoma.yaml").read_text().replace("api: {port: 0}\n", "")
    if part.startswith("store"):
        text = "version: 1\n"
    (home / "stoma.yaml").write_text(f"{text}{part}\n")
    with pytest.raises(ConfigError):
        Scheduler()
    result = run(command=stoma_run)
    assert result.exit_code == 2
    assert "stoma.yaml:" in result.stderr


def test_what_never_was_good_ends_the_start(tmp_path: Path, url: str) -> None:
    (tmp_path / "stoma.yaml").write_text(f'store: {{url: "{url}"}}\ntasks: {{a: 1}}\n')
    with pytest.raises(ConfigError):
        Scheduler()
    assert not (tmp_path / "stoma.db").exists()
    assert run(command=stoma_run).exit_code == 2


def test_another_main_file_that_never_was_good_ends_the_start(home: Path) -> None:
    (home / "other.yaml").write_text((home / "stoma.yaml").read_text() + "defalts: {}\n")
    with pytest.raises(ConfigError):
        Scheduler(home / "other.yaml")


def test_conflicts_made_while_nothing_ran_keep_the_edits_back(
    home: Path, start: Callable[[], Scheduler]
) -> None:
    (home / "tasks/c.yaml").write_text(task("a", "daily"))
    (home / "tasks/b.yaml").unlink()
    scheduler = start()
    assert {i: t.schedule_text for i, t in scheduler.config.tasks.items()} == {"a": "hourly", "m": "hourly"}
    assert "declared twice" in scheduler.errors[0].message


def test_a_dead_store_leaves_the_fault_of_the_file_to_be_told(home: Path) -> None:
    (home / "tasks/a.yaml").write_text(BROKEN)
    text = (home / "stoma.yaml").read_text().splitlines()
    text[1] = 'store: {url: "postgresql://127.0.0.1:1/none"}'
    (home / "stoma.yaml").write_text("\n".join(text))
    with pytest.raises(ConfigError, match=r"tasks/a\.yaml"):
        Scheduler()


def test_what_is_kept_follows_what_is_in_force(home: Path, start: Callable[[], Scheduler], url: str) -> None:
    scheduler = start()
    before = scheduler.store.files.of(str(home))
    assert sorted(before) == ["presets/mine.yaml", "stoma.yaml", "tasks/a.yaml", "tasks/b.yaml"]
    (home / "tasks/a.yaml").write_text(BROKEN)
    (home / "tasks/b.yaml").write_text(task("b") + "# said\n")
    scheduler.rescan()
    after = scheduler.store.files.of(str(home))
    assert after["tasks/a.yaml"] == before["tasks/a.yaml"]
    assert after["tasks/b.yaml"][0].endswith("# said\n")
    config = config_in_force(scheduler.store, None, home)
    assert config is not None
    assert config.hash == scheduler.config.hash
    (home / "tasks/d.yaml").write_text(task("d"))
    config = config_in_force(scheduler.store, None, home)
    assert config is not None
    assert sorted(config.tasks) == ["a", "b", "m"]
    # What is gone does not come back.
    (home / "tasks/b.yaml").unlink()
    until(lambda: "tasks/b.yaml" not in scheduler.store.files.of(str(home)))
    assert config_in_force(scheduler.store, None, home / "elsewhere") is None
    assert config_in_force(scheduler.store, home / "other.yaml", home) is None


def test_only_what_differs_is_written_and_exactly_as_it_was(
    store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(references, "_seen", {})
    # A password that is a word like others: the text with it replaced would load no more.
    references.remember("presets", "${env:PASSWORD}")
    text = "presets: [research]\nidentity: {contact: '${env:PASSWORD}'}\n"
    (tmp_path / "stoma.yaml").write_text(text)
    loader = Loader(base=tmp_path)
    config = loader.config()
    keep(store, tmp_path, loader.texts(config, {}))
    assert {name: kept for name, (kept, _) in store.files.of(str(tmp_path)).items()} == {"stoma.yaml": text}
    assert config_in_force(store, None, tmp_path) is not None
    written: list[object] = []
    transaction = store.database.transaction
    store.database.transaction = lambda: (written.append(1), transaction())[1]  # type: ignore[method-assign]
    keep(store, tmp_path, loader.texts(config, {}))
    assert written == []


# -- a stoma.yaml that is missing ------------------------------------------------------------------------------


def test_a_missing_stoma_yaml_is_a_broken_one(home: Path, start: Callable[[], Scheduler]) -> None:
    text = (home / "stoma.yaml").read_text()
    (home / "stoma.yaml").unlink()
    for words in (("scheduler", "list-tasks"), ("scheduler", "status")):
        result = run(*words)
        assert "using the built-in" not in result.stderr
        assert "stoma.yaml: there is no such file" in result.stderr
    assert result.exit_code == 3
    assert "tasks: 3" in result.stdout
    assert "presets: [default]" in result.stderr
    for words, command in ((("plan",), stoma), (("--check",), stoma_run)):
        result = run(*words, command=command)
        assert (result.exit_code, "there is no such file" in result.stderr) == (2, True), result.output
    scheduler = start()
    assert sorted(scheduler.config.tasks) == ["a", "b", "m"]
    assert [problem.place for problem in scheduler.errors] == ["stoma.yaml"]
    assert run("scheduler", "status").exit_code == 3
    (home / "stoma.yaml").write_text(text)
    until(lambda: scheduler.errors == [])


@pytest.mark.parametrize("url", ["sqlite:///stoma.db"])
def test_the_store_beside_it_knows_that_stoma_yaml_is_missing(home: Path) -> None:
    (home / "scheduler_store.json").unlink()
    (home / "stoma.yaml").unlink()
    config, problems = at_start(Loader(base=home))
    assert sorted(config.tasks) == ["a", "b", "m"]
    assert [problem.file for problem in problems] == ["stoma.yaml"]


def test_who_never_wrote_a_stoma_yaml_has_the_built_in_preset(tmp_path: Path) -> None:
    for _ in range(2):
        with Scheduler() as scheduler:
            assert scheduler.errors == []
            assert scheduler.config.built_in
    assert "built-in preset" in run("plan").stderr


def test_where_the_address_cannot_be_read_it_is_the_one_from_before(
    home: Path, start: Callable[[], Scheduler]
) -> None:
    (home / "stoma.yaml").write_text("presets: [mine\n")
    scheduler = start()
    assert sorted(scheduler.config.tasks) == ["a", "b", "m"]
    assert [problem.file for problem in scheduler.errors] == ["stoma.yaml"]


# -- commands --------------------------------------------------------------------------------------------------


def test_commands_work_while_a_file_is_broken(home: Path) -> None:
    (home / "tasks/a.yaml").write_text(BROKEN)
    result = run("scheduler", "list-tasks")
    assert result.exit_code == 0, result.output
    assert "tasks/a.yaml:1" in result.stderr
    assert "last good text" in result.stderr
    assert run("scheduler", "disable-task", "a").exit_code == 0
    result = run("scheduler", "status")
    assert result.exit_code == 3
    assert result.stderr.count("tasks/a.yaml:1") == 1
    assert "tasks: 3" in result.stdout
    assert run("--check", command=stoma_run).exit_code == 2


def test_the_start_takes_the_files_as_they_are_when_they_are_in_order(home: Path) -> None:
    (home / "tasks/a.yaml").unlink()
    config, problems = at_start(Loader(base=home))
    assert (sorted(config.tasks), problems) == (["b", "m"], [])
