"""Tasks whose collector is code of your own: faults with their place, blocked tasks, and what may be declared where."""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from stoma import collectors, own
from stoma.collectors.base import Collection
from stoma.errors import Blocked, ConfigError, UsageError
from stoma.scheduler import edits
from stoma.scheduler.config import Config, blocked_reason, create_custom_task, load_config, task_hash
from stoma.scheduler.loader import Loader
from stoma.scheduler.manager import Scheduler
from stoma.scheduler.pipeline import fingerprint
from tests.support.world import World

CODE = """\
from stoma.collectors.base import BaseCollector
from stoma.records import CollectorResult
class Plain(BaseCollector):
    def collect(self, collection):
        items = [{"external_id": 1, "title": "One", "published_at": "2026-11-01"}, {"titel": "x"}, 7]
        yield CollectorResult(self.source_of(collection.config, collection.task_id), items, "", collection.now)
class Strict(Plain):
    schema = {"type": "object", "additionalProperties": False, "required": ["url"],
              "properties": {"url": {"type": "string"}, "limit": {"type": "integer", "minimum": 1},
                             "pause": {"type": "string", "format": "stoma-duration"}}}
class Shy(Plain):
    needs_contact = True
class NoSchema(Plain):
    schema = {"type": "nonsense"}
class Referring(Plain):
    schema = {"properties": {"a": {"$ref": "#/x"}}}
class Listed(Plain):
    schema = ["url"]
class Raising(Plain):
    @classmethod
    def origin_of(cls, config):
        raise RuntimeError("boom")
"""


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    known = set(sys.modules)
    monkeypatch.setattr(sys, "path", [*sys.path])
    for name, fresh in (("_found", {}), ("_faults", {}), ("_folders", [])):
        monkeypatch.setattr(own, name, fresh)
    (tmp_path / "own_code.py").write_text(CODE)
    yield tmp_path
    for name in set(sys.modules) - known:
        if str(getattr(sys.modules[name], "__file__", "")).startswith(str(tmp_path)):
            del sys.modules[name]


def written(folder: Path, entry: str) -> Path:
    path = folder / "stoma.yaml"
    path.write_text(f"version: 1\ntasks:\n  mine: {{{entry}}}\n")
    return path


def told(folder: Path, entry: str, **more: Any) -> list[str]:
    with pytest.raises(ConfigError) as caught:
        load_config(written(folder, entry), **more)
    return [f"{problem.place}: {problem.message}" for problem in caught.value.problems]


def test_code_that_cannot_be_used_blocks_its_task_and_is_a_fault_for_check_only(folder: Path) -> None:
    entry = 'collector: "own_code:Plane"'
    reason = 'own_code:Plane cannot be used: the module own_code has no "Plane"; did you mean "Plain"?'
    config = load_config(written(folder, entry))
    assert (blocked_reason(config.tasks["mine"], config) or "").startswith(
        f"collector: {reason} (the module is"
    )
    assert told(folder, entry, with_code=True) == [f"stoma.yaml:3:21: collector: {reason}"]


def test_a_normalizer_is_judged_like_a_collector(folder: Path) -> None:
    entry = 'collector: arxiv, config: {search_query: x}, normalizer: "own_code:Plain"'
    reason = "normalizer: own_code:Plain cannot be used: it is not a BaseNormalizer"
    config = load_config(written(folder, entry))
    assert (blocked_reason(config.tasks["mine"], config) or "").startswith(reason)
    assert told(folder, entry, with_code=True) == [f"stoma.yaml:3:67: {reason}"]
    [unknown] = told(folder, "collector: github, normalizer: arxvi")
    assert unknown.startswith('stoma.yaml:3:41: normalizer: found the text "arxvi", expected arxiv, github')
    config = load_config(written(folder, "collector: github, normalizer: arxiv"))
    assert config.tasks["mine"].normalizer == "arxiv"
    assert blocked_reason(config.tasks["mine"], config) is None


@pytest.mark.parametrize(
    ("given", "fault"),
    [
        ("{}", '3:40: config of task "mine" has no "url"'),
        ("{url: x, limti: 3}", '3:57: unknown key "limti" in config of task "mine"; did you mean "limit"?'),
        ("{url: x, limit: 0}", "3:64: config.limit: found the number 0, expected a whole number of at least 1"),
        ("{url: x, pause: soon}", '3:64: config.pause: "soon" is not a duration'),
        ("{url: x, limit: \"${env:LIMIT}\"}", "3:64: config.limit: a reference is resolved only when a run begins"),
    ],
)  # fmt: skip
def test_a_config_that_does_not_fit_is_a_fault_of_its_file(folder: Path, given: str, fault: str) -> None:
    [found] = told(folder, f'collector: "own_code:Strict", config: {given}')
    assert found.startswith(f"stoma.yaml:{fault}")
    # From Python the value is named, but no place.
    with pytest.raises(ConfigError):
        create_custom_task("mine", "Mine", "own_code:Strict", {"limit": 0})


def test_without_a_config_the_task_is_named(folder: Path) -> None:
    assert told(folder, 'collector: "own_code:Strict"') == [
        'stoma.yaml:3:3: config of task "mine" has no "url"'
    ]


def test_an_edit_that_does_not_fit_leaves_the_text_before_in_force(folder: Path) -> None:
    path = written(folder, 'collector: "own_code:Strict", config: {url: x}')
    loader = Loader(path)
    assert loader.load().problems == []
    written(folder, 'collector: "own_code:Strict", config: {}')
    outcome = loader.load()
    assert outcome.config is None
    assert [problem.line for problem in outcome.problems] == [3]


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("NoSchema", "the schema of own_code:NoSchema is no JSON Schema: 'nonsense' is not valid"),
        ("Referring", "the schema of own_code:Referring holds a $ref"),
        ("Listed", "the schema of own_code:Listed is a list, not a dict"),
    ],
)
def test_a_schema_that_is_none_blocks(folder: Path, name: str, message: str) -> None:
    config = load_config(written(folder, f'collector: "own_code:{name}", config: {{a: 1}}'))
    assert message in (blocked_reason(config.tasks["mine"], config) or "")
    [found] = told(folder, f'collector: "own_code:{name}"', with_code=True)
    assert message in found


def test_a_source_that_wants_a_contact(folder: Path) -> None:
    config = load_config(written(folder, 'collector: "own_code:Shy"'))
    assert "needs a contact" in (blocked_reason(config.tasks["mine"], config) or "")
    assert blocked_reason(config.tasks["mine"], replace(config, contact="Jane jane@example.org")) is None


def test_a_name_that_nobody_offers_any_more_blocks(tmp_path: Path) -> None:
    task = replace(create_custom_task("a", "A", "github"), collector="birds")
    assert blocked_reason(task, Config(tmp_path)) == "there is no collector 'birds'"


def test_the_path_is_part_of_what_is_collected(folder: Path) -> None:
    own.importable(folder)
    one, other = (create_custom_task("a", "A", f"own_code:{name}") for name in ("Plain", "Shy"))
    marks = {fingerprint(task, collectors.make(task.collector)) for task in (one, other)}
    assert len(marks) == 2
    assert task_hash(one) != task_hash(replace(one, normalizer="own_code:X"))


def test_source_and_host_have_defaults(folder: Path, world: World) -> None:
    own.importable(folder)
    collector = collectors.make("own_code:Plain")
    assert collector.source_of({}, "mine") == "mine"
    assert collector.source_of({"source": "birds"}, "mine") == "birds"
    assert collectors.host_of("own_code:Plain", {"url": "https://a.example.org/x"}) == "a.example.org"
    assert (
        collectors.host_of("own_code:Plain", {"url": "https://a.example.org", "base_url": "http://b:1"})
        == "b"
    )
    assert collectors.host_of("own_code:Plain", {"url": 7}) == ""
    assert collectors.host_of("own_code:Raising", {}) == ""
    assert collectors.host_of("own_code:Absent", {}) == ""
    with pytest.raises(UsageError, match="a Plain task like this cannot collect days of the past"):
        collector.estimate(world.collection({}))
    assert isinstance(world.collection({}), Collection)


@pytest.fixture
def world() -> Iterator[World]:
    world = World()
    yield world
    for client in world.clients:
        client.close()


def test_a_path_is_declared_in_files_and_in_python_only(folder: Path) -> None:
    own.importable(folder)
    assert create_custom_task("mine", "Mine", "own_code:Plain").collector == "own_code:Plain"
    with pytest.raises(UsageError, match="names code to run, and that is declared in files only") as refused:
        edits.add_task(folder, "mine", "Mine", "own_code:Plain", "hourly")
    assert refused.value.hint == "write the task into tasks/mine.yaml by hand"
    assert not (folder / "tasks").exists()


def test_the_command_refuses_a_path(folder: Path) -> None:
    words = ["scheduler", "add-task", "mine", "Mine", "own_code:Plain", "hourly"]
    result = subprocess.run(
        [sys.executable, "-m", "stoma.cli.main", *words],
        capture_output=True,
        text=True,
        check=False,
        cwd=folder,
    )
    assert result.returncode == 2
    assert "names code to run" in result.stderr


def test_one_broken_file_blocks_its_task_and_no_other(folder: Path) -> None:
    (folder / "exploding.py").write_text("raise SystemExit('gone')\n")
    (folder / "stoma.yaml").write_text(
        "version: 1\ntasks:\n"
        '  broken: {collector: "exploding:Mine", schedule: hourly}\n'
        '  plain: {collector: "own_code:Plain", schedule: hourly}\n'
    )

    def ran(*words: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-m", "stoma.cli.run", *words],
            cwd=folder, capture_output=True, text=True, timeout=60, check=False,
        )  # fmt: skip

    once = ran("--once", "--json")
    assert once.returncode == 1
    broken, plain = json.loads(once.stdout)
    assert broken["status"] == "skipped"
    assert "SystemExit: gone (exploding.py, line 1)" in broken["error"]
    assert (plain["status"], plain["new"], plain["rejected"]) == ("completed", 1, 2)
    checked = ran("--check")
    assert checked.returncode == 2
    assert "stoma.yaml:3:23: collector: exploding:Mine cannot be used: SystemExit: gone" in checked.stderr
    assert "Traceback" not in checked.stderr + once.stderr


def test_nothing_is_imported_for_the_built_in_ones(folder: Path) -> None:
    before = [*sys.path]
    load_config(written(folder, "collector: github"))
    assert sys.path == before


def test_a_scheduler_lives_with_broken_code_and_takes_it_up_once_it_is_mended(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(own, "RETRY_SECONDS", 0.0)
    (folder / "mended.py").write_text("raise RuntimeError('not yet')\n")
    path = written(folder, 'collector: "mended:Plain", schedule: hourly, run_on_start: true')
    with Scheduler(path) as scheduler:
        assert "RuntimeError: not yet (mended.py, line 1)" in (scheduler.task("mine").blocked or "")
        with pytest.raises(Blocked, match="mine is blocked"):
            scheduler.queue(scheduler.config.tasks["mine"])
        (folder / "mended.py").write_text(CODE)
        assert scheduler.task("mine").blocked is None
        run = asyncio.run(_finished(scheduler))
        assert (run.status, run.new, run.rejected) == ("completed", 1, 2)
        assert scheduler.is_running


async def _finished(scheduler: Scheduler) -> Any:
    return await scheduler.run_task_now("mine")
