"""The files that commands write, and the care they take of what people wrote."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from stoma.errors import ConfigError, NotFound, UsageError
from stoma.scheduler import edits
from stoma.scheduler.config import load_config
from tests.scheduler.test_config import TASK, write

QUERY = {"search_query": "machine learning", "max_results": 25}


def add(base: Path, task_id: str = "papers", **more) -> Path:
    given = {"name": "Papers", "collector": "arxiv", "schedule": "daily", "config": QUERY, **more}
    return edits.add_task(base, task_id, **given)


def refused(what, *arguments, **more) -> str:
    with pytest.raises(UsageError) as caught:
        what(*arguments, **more)
    return caught.value.message


def files(base: Path) -> dict[str, str]:
    return {p.relative_to(base).as_posix(): p.read_text() for p in base.rglob("*") if p.is_file()}


# -- add-task ------------------------------------------------------------------------------------------------


def test_a_task_becomes_a_file(tmp_path):
    path = add(tmp_path, priority="high")
    assert path == tmp_path / "tasks" / "papers.yaml"
    header, mark, *rest = path.read_text().splitlines()
    assert header.startswith("# yaml-language-server: $schema=/")
    assert Path(header.partition("=")[2]).is_file()
    assert mark == (
        "# Written by `stoma scheduler add-task`; `stoma scheduler remove-task papers` deletes this file."
    )
    assert rest == [
        "tasks:",
        "  papers:",
        "    name: Papers",
        "    collector: arxiv",
        "    config:",
        "      search_query: machine learning",
        "      max_results: 25",
        "    schedule: daily",
        "    priority: high",
    ]
    task = load_config(base=tmp_path).tasks["papers"]
    assert (task.name, task.config, task.schedule_text, task.priority) == ("Papers", QUERY, "daily", "high")
    assert os.listdir(tmp_path / "tasks") == ["papers.yaml"]


def test_beside_schemas_of_its_own_the_schema_line_is_relative(tmp_path):
    (tmp_path / "schemas").mkdir()
    (tmp_path / "schemas" / "tasks.schema.json").touch()
    assert (
        add(tmp_path).read_text().startswith("# yaml-language-server: $schema=../schemas/tasks.schema.json\n")
    )


def test_what_does_not_fit_is_not_written(tmp_path):
    for wrong in (
        {"schedule": "10:30"},
        {"collector": "arxvi"},
        {"config": {"max_results": 3}},
        {"priority": "hihg"},
        {"task_id": "Papers"},
        {"task_id": "../papers"},
        {"task_id": ""},
        {"task_id": "x" * 65},
        {"name": ""},
        {"name": "a\0b"},
        {"config": {"search_query": "\x1b[2J"}},
        {"config": {"search_query": "${FOO}"}},
    ):
        with pytest.raises(ConfigError):
            add(tmp_path, **wrong)
    assert files(tmp_path) == {}


def test_an_id_that_exists_is_refused(tmp_path):
    write(tmp_path, stoma=f"tasks:\n  papers: {TASK}\n")
    assert refused(add, tmp_path) == 'the task "papers" exists already, in stoma.yaml:2'
    assert refused(add, tmp_path, replace=True) == 'the task "papers" is declared in stoma.yaml:2'
    add(tmp_path, "other")
    before = files(tmp_path)
    assert refused(add, tmp_path, "other") == 'the task "other" exists already, in tasks/other.yaml:4'
    assert files(tmp_path) == before


def test_an_id_of_a_preset_is_refused(tmp_path):
    write(tmp_path, stoma="presets: [research]")
    assert "exists already, in /" in refused(add, tmp_path, "arxiv_ai")
    assert "comes from the preset research" in refused(add, tmp_path, "arxiv_ai", replace=True)


def test_replace_writes_over_what_add_task_wrote(tmp_path):
    add(tmp_path)
    path = add(tmp_path, schedule="hourly", replace=True)
    assert load_config(base=tmp_path).tasks["papers"].schedule_text == "hourly"
    # Values that were edited by hand may go, a person's words may not.
    path.write_text(path.read_text().replace("hourly", "weekly"))
    add(tmp_path, replace=True)
    path.write_text(path.read_text() + "# do not touch, ask Ada\n")
    assert (
        refused(add, tmp_path, replace=True)
        == "tasks/papers.yaml is not written over: it holds a comment, in line 11"
    )
    path.write_text(f"tasks:\n  papers: {TASK}\n")
    assert refused(add, tmp_path, replace=True) == (
        "tasks/papers.yaml is not written over, because add-task did not write it"
    )


def test_a_number_sign_in_a_value_is_no_comment(tmp_path):
    add(tmp_path, name="Issue #1", config={"search_query": "c# OR f#"})
    add(tmp_path, name="Issue #2", config={"search_query": "c#"}, replace=True)
    edits.remove_task(tmp_path, "papers")


def test_a_file_of_that_name_that_is_something_else_is_kept(tmp_path):
    write(tmp_path, tasks__papers=f"tasks:\n  other: {TASK}\n")
    assert (
        refused(add, tmp_path) == 'tasks/papers.yaml is not written over: it also declares "other", in line 2'
    )


def test_the_whole_configuration_must_load(tmp_path):
    write(tmp_path, tasks__broken="tasks: [")
    with pytest.raises(ConfigError, match=r"tasks/broken\.yaml:1:9"):
        add(tmp_path)
    assert not (tmp_path / "tasks" / "papers.yaml").exists()


def test_a_file_that_include_does_not_name_is_not_written(tmp_path):
    write(tmp_path, stoma="include: ['more/*.yaml']")
    assert refused(add, tmp_path) == (
        "tasks/papers.yaml would not be read, because `include` in stoma.yaml does not name it"
    )
    write(tmp_path, stoma="include: ['**/*.yaml']")
    assert add(tmp_path).exists()


def test_another_name_of_the_configuration_file(tmp_path):
    main = write(tmp_path, mine=f"tasks: {{papers: {TASK}}}") / "mine.yaml"
    assert "exists already, in mine.yaml:1" in refused(add, tmp_path, path=main)
    add(tmp_path)  # there is no stoma.yaml, so nothing stands in the way


def test_the_name_of_the_list_of_presets_is_taken(tmp_path):
    assert refused(add, tmp_path, "_presets") == '"_presets" cannot be the id of a task'


def test_a_folder_that_cannot_be_written(tmp_path, monkeypatch):
    def refusing(*_, **__):
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(os, "mkdir", refusing)
    assert refused(add, tmp_path) == f"{tmp_path}/tasks/papers.yaml cannot be written: Permission denied"


def test_a_file_in_place_of_the_folder(tmp_path):
    (tmp_path / "tasks").touch()
    with pytest.raises(ConfigError, match="tasks: is not a folder"):
        add(tmp_path)


def test_nothing_is_left_behind_when_the_disk_is_full(tmp_path, monkeypatch):
    def full(handle):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    assert refused(add, tmp_path).endswith("cannot be written: No space left on device")
    assert files(tmp_path) == {}


@pytest.mark.parametrize(
    "task_id",
    ["on", "no", "yes", "y", "null", "true", "123", "007", "1e3", "0x1f", "0b1", "1_000", "-", "_", "-1", "---"],
)  # fmt: skip
def test_ids_that_yaml_would_misread_are_quoted(tmp_path, task_id):
    path = add(tmp_path, task_id)
    assert task_id in load_config(base=tmp_path).tasks
    assert list(yaml.safe_load(path.read_text())["tasks"]) == [task_id]
    edits.remove_task(tmp_path, task_id)
    assert files(tmp_path) == {}


TRAPS = [
    "10:30",
    "NO",
    "1e3",
    ".5",
    "1.",
    "+4",
    "~",
    "null",
    "=",
    "<<",
    "a\nb\n",
    " x ",
    "a: b",
    "# x",
    "- x",
    "'",
    '"',
]
TEXTS = st.sampled_from(TRAPS) | st.text(
    st.characters(codec="utf-8", exclude_categories=["Cc", "Cs", "Zl", "Zp"]), min_size=1, max_size=30
)


@given(TEXTS, TEXTS)
@settings(max_examples=150)
def test_what_is_written_is_read_again(tmp_path_factory, name, query):
    base = tmp_path_factory.mktemp("add")
    try:
        path = add(base, name=name, config={"search_query": query})
    except ConfigError:
        # A byte order mark inside a text, say.
        assert files(base) == {}
        return
    task = load_config(base=base).tasks["papers"]
    assert (task.name, task.config["search_query"]) == (name, query)
    # Other readers of YAML agree.
    assert yaml.safe_load(path.read_text())["tasks"]["papers"]["config"]["search_query"] == query
    edits.remove_task(base, "papers")


# -- load-preset ---------------------------------------------------------------------------------------------


def test_a_preset_is_loaded_for_good(tmp_path):
    assert edits.load_preset(tmp_path, "research") == ["arxiv_ai", "arxiv_nlp", "arxiv_computer_vision"]
    assert (tmp_path / "tasks" / "_presets.yaml").read_text().splitlines()[1:] == [
        "# Written by `stoma scheduler load-preset`; take a line away to unload that preset.",
        "presets:",
        "  - research",
    ]
    # Once more changes nothing.
    before = files(tmp_path)
    assert edits.load_preset(tmp_path, "research") == []
    assert files(tmp_path) == before

    assert len(edits.load_preset(tmp_path, "development")) == 4
    assert load_config(base=tmp_path).presets == ("default", "research", "development")


def test_a_preset_of_stoma_yaml_is_not_loaded_again(tmp_path):
    write(tmp_path, stoma="presets: [research]")
    assert edits.load_preset(tmp_path, "research") == []
    assert list(files(tmp_path)) == ["stoma.yaml"]


@pytest.mark.parametrize("name", ["reserch", "../research", "", "a\0b"])
def test_an_unknown_preset(tmp_path, name):
    with pytest.raises(NotFound, match="unknown preset"):
        edits.load_preset(tmp_path, name)
    assert files(tmp_path) == {}


def test_words_in_the_list_of_presets_stay(tmp_path):
    text = "# ours\npresets:  # asked for by Ada\n- research   # until May\n\n# the end\n"
    write(tmp_path, tasks___presets=text)
    edits.load_preset(tmp_path, "development")
    assert files(tmp_path)["tasks/_presets.yaml"] == text.replace(
        "# until May\n", "# until May\n- development\n"
    )


def test_a_list_of_presets_that_cannot_be_added_to(tmp_path):
    write(tmp_path, tasks___presets="# ours\npresets: [research]\n")
    assert refused(edits.load_preset, tmp_path, "development") == (
        "tasks/_presets.yaml was edited by hand, and the preset cannot be added without losing that"
    )
    assert files(tmp_path)["tasks/_presets.yaml"] == "# ours\npresets: [research]\n"


def test_a_broken_list_of_presets_is_not_written_over(tmp_path):
    write(tmp_path, tasks___presets="presets: [")
    with pytest.raises(ConfigError, match=r"tasks/_presets\.yaml:1:11"):
        edits.load_preset(tmp_path, "research")
    assert files(tmp_path) == {"tasks/_presets.yaml": "presets: ["}


def test_a_list_of_presets_that_would_not_be_read(tmp_path):
    write(tmp_path, stoma="include: []")
    assert "`include` in stoma.yaml does not name it" in refused(edits.load_preset, tmp_path, "research")


def test_a_preset_that_does_not_fit_with_the_rest(tmp_path):
    write(tmp_path, stoma=f"tasks:\n  arxiv_ai: {TASK}\n")
    with pytest.raises(ConfigError, match=r'stoma\.yaml:2:3: the task "arxiv_ai" is declared twice'):
        edits.load_preset(tmp_path, "research")
    assert list(files(tmp_path)) == ["stoma.yaml"]


# -- remove-task ---------------------------------------------------------------------------------------------


def test_a_task_that_was_added_is_removed(tmp_path):
    path = add(tmp_path)
    assert edits.remove_task(tmp_path, "papers") == path
    assert files(tmp_path) == {}


def test_a_task_declared_elsewhere_is_named_with_its_line(tmp_path):
    write(
        tmp_path,
        stoma=f"presets: [research]\ntasks:\n  papers: {TASK}\n",
        tasks__more=f"tasks:\n  more: {TASK}\n",
    )
    assert refused(edits.remove_task, tmp_path, "papers") == 'the task "papers" is declared in stoma.yaml:3'
    assert refused(edits.remove_task, tmp_path, "arxiv_ai").startswith(
        'the task "arxiv_ai" comes from the preset research, in /'
    )
    assert refused(edits.remove_task, tmp_path, "more") == (
        "tasks/more.yaml is not deleted, because add-task did not write it"
    )


def test_an_unknown_task(tmp_path):
    with pytest.raises(NotFound) as caught:
        edits.remove_task(tmp_path, "arxiv_daily_trendin")
    assert (caught.value.message, caught.value.hint) == (
        'there is no task "arxiv_daily_trendin"',
        'did you mean "arxiv_daily_trending"?',
    )
    for name in ("../stoma", "", "tasks/papers", "a\0b", "_presets"):
        with pytest.raises(NotFound, match="there is no task"):
            edits.remove_task(tmp_path, name)


def test_what_people_added_to_the_file_stays(tmp_path):
    path = add(tmp_path)
    path.write_text(path.read_text() + f"  mine: {TASK}\n")
    assert refused(edits.remove_task, tmp_path, "papers") == (
        'tasks/papers.yaml is not deleted: it also declares "mine", in line 11'
    )
    path.unlink()
    path = add(tmp_path)
    path.write_text(path.read_text().replace("daily", "daily  # for Ada"))
    assert refused(edits.remove_task, tmp_path, "papers") == (
        "tasks/papers.yaml is not deleted: it holds a comment, in line 10"
    )
    assert path.exists()


def test_a_broken_task_that_was_added_can_be_removed(tmp_path):
    path = add(tmp_path)
    path.write_text(path.read_text().replace("daily", "dayly"))
    edits.remove_task(tmp_path, "papers")
    assert files(tmp_path) == {}

    # Where the fault is elsewhere, and the file is not there, the fault is told.
    write(tmp_path, stoma="tasks: [")
    with pytest.raises(ConfigError, match=r"stoma.yaml:1:9"):
        edits.remove_task(tmp_path, "papers")


def test_processes_that_load_presets_at_once_lose_none(tmp_path: Path) -> None:
    (tmp_path / "stoma.yaml").write_text("version: 1\npresets: []\n")
    names = ["research", "business", "development", "default"]
    script = (
        "import sys, pathlib; from stoma.scheduler import edits; import stoma.scheduler.loading\n"
        "print('ready', flush=True); sys.stdin.readline()\n"
        "edits.load_preset(pathlib.Path.cwd(), sys.argv[1])"
    )
    started = [
        subprocess.Popen(
            [sys.executable, "-c", script, name],
            cwd=tmp_path,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        for name in names
    ]
    for process in started:
        assert process.stdout is not None
        process.stdout.readline()
    for process in started:
        assert process.stdin is not None
        process.stdin.write("go\n")
        process.stdin.flush()
    for process in started:
        process.communicate(timeout=30)
        assert process.returncode == 0
    assert set(load_config(tmp_path / "stoma.yaml").presets) == set(names)
