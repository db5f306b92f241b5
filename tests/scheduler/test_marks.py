"""What belongs to what a task collects, and what to what is made of it."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from stoma import collectors, own
from stoma.normalizers.base import BaseNormalizer
from stoma.scheduler import marks
from stoma.scheduler.base import NewRun, Task, TaskStatus, hand_trigger
from stoma.scheduler.marks import fingerprint, full_fingerprint
from stoma.scheduler.normalizing import normalizer_of
from stoma.scheduler.pipeline import Control, Surroundings, execute
from stoma.stores import Store
from tests.support.clock import Clock
from tests.support.scripted import install
from tests.support.server import Reply, Server

LEASE = timedelta(seconds=30)

TASK = Task("t", "T", "scripted", config={"query": "a", "page_size": 5})


class Other(BaseNormalizer):
    """Another one."""


def full(task: Task) -> str:
    return full_fingerprint(task, collectors.make(task.collector), normalizer_of(task, task.config))


@pytest.mark.parametrize(
    ("edit", "collects_another", "makes_another"),
    [
        ({"name": "N", "timeout": None}, False, False),
        ({"config": {"page_size": 5, "query": "a"}}, False, False),
        ({"config": {"query": "a", "page_size": 7}}, False, True),
        ({"config": {"query": "b", "page_size": 5}}, True, True),
        ({"normalizer": "scripted"}, False, True),
        ({"normalizer": Other()}, False, True),
    ],
)
def test_what_an_edit_changes(
    monkeypatch: pytest.MonkeyPatch, edit: dict[str, Any], collects_another: bool, makes_another: bool
) -> None:
    install(monkeypatch)
    collector, other = collectors.make("scripted"), replace(TASK, **edit)
    assert (fingerprint(TASK, collector) != fingerprint(other, collector)) is collects_another
    assert (full(TASK) != full(other)) is makes_another


def test_a_normalizer_is_known_by_its_name_and_another_program_makes_others(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    install(monkeypatch)
    before = full(replace(TASK, normalizer=Other))
    assert before == full(replace(TASK, normalizer=Other()))
    monkeypatch.setattr(marks, "__version__", "0.0.0")
    assert before != full(replace(TASK, normalizer=Other))


OWN = """\
from stoma.normalizers.base import BaseNormalizer
from stoma.records import Record
class Mine(BaseNormalizer):
    def normalize_item(self, item, result):
        return Record(result.source, str(item["id"]), "entry", title="TITLE")
"""


@pytest.fixture
def restart(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[], None]]:
    """Forget what was read of code beside stoma.yaml, as a new process has."""
    monkeypatch.setattr(sys, "path", [*sys.path])
    monkeypatch.setattr(sys, "dont_write_bytecode", True)
    monkeypatch.setattr(own, "_folders", [])
    own.importable(tmp_path)

    def restart() -> None:
        for name in ("_found", "_faults", "_sources"):
            monkeypatch.setattr(own, name, {})
        for name in ("mine_m2", "base_m2"):
            sys.modules.pop(name, None)

    restart()
    yield restart
    restart()


def test_code_of_your_own_that_is_mended_in_place_makes_others_from_the_next_start_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, restart: Callable[[], None]
) -> None:
    install(monkeypatch)
    task, file = replace(TASK, normalizer="mine_m2:Mine"), tmp_path / "mine_m2.py"
    file.write_text(OWN)
    collector, before = collectors.make("scripted"), full(task)
    file.write_text(OWN.replace("TITLE", "other"))
    # What runs is what was read, until the next start.
    assert full(task) == before
    restart()
    mended = full(task)
    assert mended != before
    restart()
    assert full(task) == mended
    assert fingerprint(task, collector) == fingerprint(TASK, collector)


def test_what_a_class_of_your_own_derives_from_counts_too(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, restart: Callable[[], None]
) -> None:
    install(monkeypatch)
    (tmp_path / "base_m2.py").write_text(OWN)
    (tmp_path / "mine_m2.py").write_text("import base_m2\nclass Mine(base_m2.Mine):\n    pass\n")
    task = replace(TASK, normalizer="mine_m2:Mine")
    before = full(task)
    (tmp_path / "base_m2.py").write_text(OWN + "# mended\n")
    restart()
    assert full(task) != before


def test_what_stoma_brings_along_is_known_by_its_version() -> None:
    assert own.source_mark(type(collectors.make("feed"))) == ""


def test_a_mended_normalizer_runs_although_the_source_answers_not_modified(
    store: Store, tmp_path: Path, restart: Callable[[], None], clock: Clock
) -> None:
    def answer(asked: Any) -> Reply:
        if "if-none-match" in asked.headers:
            return Reply(304)
        return Reply(
            body=b'{"data": [{"id": 1}]}', headers={"Content-Type": "application/json", "ETag": '"x"'}
        )

    (tmp_path / "mine_m2.py").write_text(OWN)
    with Server(answer) as server:
        config = {"url": f"{server.url}/x", "items": "data", "key": "id"}
        task = Task("t", "T", "http_json", config=config, normalizer="mine_m2:Mine")

        def go() -> tuple[int, int]:
            store.runs.add(NewRun("t", hand_trigger(), task.priority, "0"), store.now())
            run = store.runs.claim("me", store.now(), store.now() + LEASE)
            assert run is not None
            ended = execute(run, task, Surroundings(store, tmp_path, LEASE, "me"), Control())
            assert ended is not None
            assert ended.status is TaskStatus.COMPLETED
            clock.forward(days=1)
            return ended.changed, ended.unchanged

        go()
        assert go() == (0, 1)
        (tmp_path / "mine_m2.py").write_text(OWN.replace("TITLE", "mended"))
        restart()
        assert go() == (1, 0)
        [row] = store.records.newest()
        assert row["title"] == "mended"
        assert go() == (0, 1)
        assert len([one for one in server.requests if "if-none-match" in one.headers]) == 2
