"""Collectors and normalizers that do not keep their contract: nothing is lost in silence."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from stoma import collectors, own
from stoma.collectors.arxiv import ArxivCollector
from stoma.collectors.base import BaseCollector
from stoma.normalizers.base import BaseNormalizer
from stoma.records import CollectorResult, Record, Reject
from stoma.scheduler.base import NewRun, Retry, Run, Task, TaskStatus, hand_trigger
from stoma.scheduler.pipeline import Control, Surroundings, execute
from stoma.stores import Store
from tests.support.scripted import Script, install

HERE = "tests.scheduler.test_yielded"
GIVE: dict[str, Any] = {}


class Theirs(BaseCollector):
    def collect(self, collection: Any) -> Any:
        return GIVE["collect"](collection)


class Loose(BaseNormalizer):
    def normalize(self, result: Any) -> Any:
        return GIVE["normalize"](result)


class Waiting(BaseNormalizer):
    async def normalize_item(self, item: Any, result: Any) -> Any:
        if item["n"] == 3:
            raise KeyError("n")
        return {"external_id": str(item["n"])}


class Heir(ArxivCollector):
    def collect(self, collection: Any) -> Any:
        return GIVE["collect"](collection)


TASK = Task("t", "T", f"{HERE}:Theirs", retry=Retry(count=0))


@pytest.fixture
def go(store: Store, tmp_path: Path) -> Callable[..., Run]:
    around = Surroundings(store, tmp_path, timedelta(seconds=30), "me")

    def go(task: Task = TASK) -> Run:
        store.runs.add(NewRun(task.id, hand_trigger(), task.priority, "0"), store.now())
        run = store.runs.claim("me", store.now(), store.now() + timedelta(seconds=30))
        assert run is not None
        ended = execute(run, task, around, Control())
        assert ended is not None
        return ended

    return go


def page(collection: Any, *numbers: int, **more: Any) -> CollectorResult:
    items = [{"external_id": str(number)} for number in numbers]
    return CollectorResult(more.pop("source", "theirs"), items, "", collection.now, **more)


def gives(*made: Callable[[Any], Any]) -> Callable[[Any], Iterator[Any]]:
    def collect(collection: Any) -> Iterator[Any]:
        for make in made:
            yield make(collection)

    return collect


@pytest.mark.parametrize(
    ("collect", "told"),
    [
        (gives(lambda c: page(c, 1), lambda c: page(c, 2)), "yielded another page behind the one that said it was"),
        (gives(lambda c: {"items": []}), "yielded a value of type dict (`collect` yields a CollectorResult"),
        (gives(lambda c: None), "yielded nothing (None)"),
        (lambda c: None, "`collect` returned nothing (None) (it yields a CollectorResult for each page)"),
        (lambda c: {"a": 1}, "`collect` returned a value of type dict"),
        (gives(lambda c: replace(page(c), items=None)), "yielded a page whose items is nothing (None) (it is a list)"),
        (gives(lambda c: replace(page(c), items="text")), "yielded a page whose items is a value of type str"),
        (gives(lambda c: replace(page(c), source=7)), "yielded a page whose source is a value of type int"),
        (gives(lambda c: replace(page(c), fetched_at="now")), "whose fetched_at is a value of type str"),
    ],
)  # fmt: skip
def test_what_is_no_page_fails_the_run_in_clear_words(
    store: Store, go: Callable[..., Run], collect: Any, told: str
) -> None:
    GIVE["collect"] = collect
    run = go(replace(TASK, retry=Retry(count=3)))
    assert run.status is TaskStatus.FAILED
    assert f"{HERE}:Theirs" in (run.error or "")
    assert told in (run.error or "")
    assert store.records.count() == 0


def test_an_async_collector_is_refused(go: Callable[..., Run]) -> None:
    async def coroutine(collection: Any) -> None: ...

    async def generator(collection: Any) -> Any:
        yield page(collection, 1)

    for collect in (coroutine, generator):
        GIVE["collect"] = collect
        assert "`collect` is async (write `def collect`" in (go().error or "")


def test_pages_that_go_on_may_end_without_a_word(go: Callable[..., Run]) -> None:
    GIVE["collect"] = gives(lambda c: page(c, 1, next_page=2), lambda c: page(c, 2, next_page=3))
    run = go()
    assert (run.status, run.new) == (TaskStatus.COMPLETED, 2)


def test_an_error_behind_the_last_page_takes_nothing_from_it(go: Callable[..., Run]) -> None:
    def collect(collection: Any) -> Iterator[Any]:
        yield page(collection, 1, next_page=2)
        yield page(collection, 2)
        raise RuntimeError("the source would not be told")

    GIVE["collect"] = collect
    run = go()
    assert (run.status, run.new) == (TaskStatus.COMPLETED, 2)


@pytest.mark.parametrize("error", [SystemExit(3), KeyboardInterrupt(), KeyError("x"), GeneratorExit()])
def test_whatever_is_raised_ends_the_run_and_its_line_is_told(
    go: Callable[..., Run], error: BaseException
) -> None:
    def collect(collection: Any) -> Any:
        raise error
        yield

    GIVE["collect"] = collect
    run = go()
    line = collect.__code__.co_firstlineno + 1
    assert run.status is TaskStatus.FAILED
    assert type(error).__name__ in (run.error or "")
    assert f"(test_yielded.py, line {line})" in (run.error or "")


def test_the_line_is_that_of_the_own_file_not_one_in_a_library(
    go: Callable[..., Run], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(own, "_folders", [tmp_path])
    monkeypatch.setattr(own, "_found", {})
    monkeypatch.setattr(sys, "path", [*sys.path, str(tmp_path)])
    (tmp_path / "deep_source.py").write_text(
        "import json\nfrom stoma.collectors.base import BaseCollector\nclass Mine(BaseCollector):\n"
        "    def collect(self, collection):\n        yield json.loads('{')\n"
    )
    run = go(replace(TASK, collector="deep_source:Mine"))
    assert (run.error or "").startswith("JSONDecodeError: Expecting property name")
    assert (run.error or "").endswith("(deep_source.py, line 5)")
    del sys.modules["deep_source"]


# -- normalizers -------------------------------------------------------------------------------------------------


def test_a_normalizer_that_returns_nothing_is_an_error(go: Callable[..., Run]) -> None:
    GIVE.update(collect=gives(lambda c: page(c, 1)), normalize=lambda result: None)
    run = go(replace(TASK, normalizer=f"{HERE}:Loose"))
    assert run.status is TaskStatus.FAILED
    assert f"{HERE}:Loose: `normalize` returned None (it returns a list" in (run.error or "")


def test_items_of_which_all_become_nothing_are_suspect(store: Store, go: Callable[..., Run]) -> None:
    two = gives(lambda c: page(c, 1, 2, next_page=2), lambda c: page(c, 3))
    GIVE.update(collect=two, normalize=lambda result: [])
    task = replace(TASK, normalizer=f"{HERE}:Loose")
    run = go(task)
    assert run.status is TaskStatus.SUSPECT
    assert run.reason == "none of 3 items became a record: the normalizer gave nothing for 3 of them"
    # Some make fewer records than items, and rightly so.
    GIVE["normalize"] = lambda result: [{"external_id": "1"}] if len(result.items) == 2 else []
    assert go(task).status is TaskStatus.COMPLETED
    GIVE["normalize"] = lambda result: [Reject("odd", 1)] if len(result.items) == 2 else []
    assert go(task).status is TaskStatus.SUSPECT


def test_what_became_nothing_before_a_stop_counts_for_the_run_that_goes_on(go: Callable[..., Run]) -> None:
    def collect(collection: Any) -> Iterator[CollectorResult]:
        if collection.progress is None:
            yield page(collection, 1, 2, next_page=2)
            raise KeyError("stop")
        yield page(collection, 3)

    GIVE.update(collect=collect, normalize=lambda result: [])
    task = replace(TASK, normalizer=f"{HERE}:Loose")
    assert go(task).status is TaskStatus.FAILED
    assert (go(task).reason or "").startswith("none of 3 items became a record")


def test_where_all_are_rejected_the_first_reason_is_told(go: Callable[..., Run]) -> None:
    GIVE["collect"] = gives(lambda c: replace(page(c), items=[{"titel": "x"}, 7]))
    run = go()
    assert run.status is TaskStatus.SUSPECT
    assert 'every one of 2 items was rejected (ValueError: "titel" is no field of a record; did' in (
        run.reason or ""
    )


def test_normalize_item_may_be_async(store: Store, go: Callable[..., Run]) -> None:
    GIVE["collect"] = gives(lambda c: replace(page(c), items=[{"n": 1}, {"n": 2}, {"n": 3}]))
    run = go(replace(TASK, normalizer=f"{HERE}:Waiting"))
    assert (run.status, run.new, run.rejected) == (TaskStatus.COMPLETED, 2, 1)
    [row] = store.records.rejects("t", 9)
    assert (row["reason"], row["item"]) == ("KeyError: 'n'", {"item": {"n": 3}})


def test_what_has_no_zone_is_utc_and_a_day_begins_at_midnight(store: Store, go: Callable[..., Run]) -> None:
    GIVE["normalize"] = lambda result: [
        Record("theirs", "a", "entry", published_at=datetime(2026, 11, 1, 8)),
        {"external_id": "b", "published_at": date(2026, 11, 2)},  # type: ignore[dict-item]
    ]
    GIVE["collect"] = gives(lambda c: page(c, 1, 2))
    run = go(replace(TASK, normalizer=f"{HERE}:Loose"))
    assert (run.new, run.rejected) == (2, 0)
    found = [store.records.get("theirs", key) or {} for key in ("a", "b")]
    assert [row["published_at"] for row in found] == [
        datetime(2026, 11, 1, 8, tzinfo=UTC),
        datetime(2026, 11, 2, tzinfo=UTC),
    ]


# -- sources that are taken --------------------------------------------------------------------------------------


def test_a_source_that_comes_with_stoma_is_written_by_nobody_else(go: Callable[..., Run]) -> None:
    GIVE["collect"] = gives(lambda c: page(c, 1, source="arxiv"))
    run = go()
    assert run.status is TaskStatus.FAILED
    assert 'the source "arxiv" belongs to the collector arxiv' in (run.error or "")


def test_an_heir_of_the_built_in_one_may(go: Callable[..., Run]) -> None:
    GIVE.update(collect=gives(lambda c: page(c, 1, source="arxiv")))
    GIVE["normalize"] = lambda result: [{"external_id": "1"}]
    run = go(replace(TASK, collector=f"{HERE}:Heir", normalizer=f"{HERE}:Loose"))
    assert (run.status, run.new) == (TaskStatus.COMPLETED, 1)


def test_a_record_of_a_source_that_is_taken_is_rejected(go: Callable[..., Run]) -> None:
    GIVE["collect"] = gives(lambda c: page(c, 1))
    GIVE["normalize"] = lambda result: [Record("arxiv", "1", "paper")]
    run = go(replace(TASK, normalizer=f"{HERE}:Loose"))
    assert run.rejected == 1
    assert 'source: "arxiv" belongs to a collector that comes with Stoma' in (run.reason or "")


def test_the_reserved_sources_are_those_of_the_built_in_collectors() -> None:
    built_in = {collectors.kind(name).source: name for name in collectors.COLLECTORS}
    assert {source: name for source, name in built_in.items() if source} == collectors.RESERVED


# -- what is built in asks for nothing more behind its last page -------------------------------------------------


def test_the_last_page_is_committed_although_nothing_more_is_asked(
    monkeypatch: pytest.MonkeyPatch, go: Callable[..., Run]
) -> None:
    script: Script = install(monkeypatch)
    run = go(Task("t", "T", "scripted", config={"script": "s"}))
    assert (run.status, script.asked) == (TaskStatus.COMPLETED, [0, 1, 2])
