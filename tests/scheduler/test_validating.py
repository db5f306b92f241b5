"""What need not be sent once more: from a real server through a run into the store and back, on both databases."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import timedelta
from hashlib import sha1
from pathlib import Path
from typing import Any

import orjson
import pytest

from stoma.collectors.base import BaseCollector, Collection
from stoma.records import CollectorResult
from stoma.scheduler.backfill import backfill_of, take
from stoma.scheduler.base import Expect, NewRun, Retry, Run, Span, Task, TaskStatus, hand_trigger
from stoma.scheduler.pipeline import Control, Surroundings, execute
from stoma.stores import Store
from stoma.stores.base import Row
from stoma.stores.runs import End
from tests.support.scripted import install
from tests.support.server import Asked, Reply, Server

LEASE = timedelta(seconds=30)


class WholePages(BaseCollector):
    """Each page is one answer that is the whole of what it stands for."""

    source = "scripted"
    origin = "http://127.0.0.1"
    not_selecting = frozenset({"shown"})

    def collect(self, collection: Collection) -> Iterator[CollectorResult]:
        names = collection.config["pages"]
        start = collection.progress.page if collection.progress else 0
        for number in range(start, len(names)):
            items = collection.http.get(
                f"{collection.config['base_url']}/{names[number]}",
                parse=lambda response: orjson.loads(response.body),
                unchanged=lambda count: count,
            )
            yield CollectorResult(
                source=self.source,
                items=[] if isinstance(items, int) else [{"n": n} for n in items],
                url="",
                fetched_at=collection.now,
                next_page=number + 1 if number + 1 < len(names) else None,
                cursor={"at": collection.now.isoformat()},
                unmodified=items if isinstance(items, int) else 0,
            )


class Pages(Server):
    """Lists of numbers by name, each with its ETag; an answer that is known is not sent again."""

    def __init__(self) -> None:
        self.pages: dict[str, list[int]] = {"a": [1, 2, 3], "b": [4, 5]}
        self.has_tags = True
        self.broken: set[str] = set()
        super().__init__(self._reply)

    def _reply(self, asked: Asked) -> Reply:
        name = asked.path.strip("/")
        if name in self.broken:
            return Reply(404)
        body = orjson.dumps(self.pages[name])
        tag = f'"{sha1(body).hexdigest()}"'
        if self.has_tags and asked.headers.get("if-none-match") == tag:
            return Reply(304, headers={"ETag": tag})
        return Reply(200, body, {"ETag": tag} if self.has_tags else {})

    def sent(self) -> list[str]:
        """What was asked for since, with a mark where it was conditional."""
        found = [
            asked.path.strip("/") + ("?" if "if-none-match" in asked.headers else "")
            for asked in self.requests
        ]
        self.requests.clear()
        return found


@pytest.fixture
def pages(monkeypatch: pytest.MonkeyPatch) -> Iterator[Pages]:
    from stoma import collectors

    install(monkeypatch)
    monkeypatch.setitem(collectors.COLLECTORS, "scripted", f"{__name__}:WholePages")
    with Pages() as server:
        yield server


@pytest.fixture
def task(pages: Pages) -> Task:
    return Task(
        "t", "T", "scripted", config={"pages": ["a", "b"], "base_url": pages.url}, retry=Retry(count=0)
    )


@pytest.fixture
def go(store: Store, tmp_path: Path) -> Callable[..., Run | None]:
    def go(task: Task, run: Run | None = None, control: Control | None = None) -> Run | None:
        if run is None:
            run = store.runs.add(NewRun(task.id, hand_trigger(), task.priority, "0"), store.now())
        store.runs.reserve(run, "me", store.now(), store.now() + LEASE)
        claimed = store.runs.claim_one(run.id, "me", store.now(), store.now() + LEASE)
        assert claimed is not None
        return execute(claimed, task, Surroundings(store, tmp_path, LEASE, "me"), control or Control())

    return go


def kept(store: Store) -> dict[str, int]:
    """How many items each validator stands for."""
    return {row["etag"]: row["item_count"] for row in store.validators.of_task("t")}


def tag(numbers: list[int]) -> str:
    return f'"{sha1(orjson.dumps(numbers)).hexdigest()}"'


def test_what_is_unchanged_is_not_sent_again_and_counts_all_the_same(
    store: Store, pages: Pages, task: Task, go: Callable[..., Run]
) -> None:
    task = replace(task, expect=Expect(min_records=5))
    assert go(task).new == 5
    assert pages.sent() == ["a", "b"]
    before = store.validators.of_task("t")
    assert kept(store) == {tag([1, 2, 3]): 3, tag([4, 5]): 2}
    for _ in range(2):
        run = go(task)
        assert pages.sent() == ["a?", "b?"]
        assert (run.status, run.pages, run.seen, run.new, run.unchanged) == (TaskStatus.COMPLETED, 2, 5, 0, 5)
    # Nothing is written where nothing changed.
    assert store.validators.of_task("t") == before
    cursor = store.runs.cursor("t")
    assert cursor is not None
    assert cursor["run_id"] == run.id


def test_a_page_that_changed_is_known_by_its_new_tag(
    store: Store, pages: Pages, task: Task, go: Callable[..., Run]
) -> None:
    go(task)
    pages.pages["a"].append(6)
    run = go(task)
    assert (run.seen, run.new, run.unchanged) == (6, 1, 5)
    assert kept(store) == {tag([1, 2, 3, 6]): 4, tag([4, 5]): 2}
    pages.sent()
    assert go(task).seen == 6
    assert pages.sent() == ["a?", "b?"]


def test_only_a_completed_run_leaves_something(
    store: Store, pages: Pages, task: Task, go: Callable[..., Run]
) -> None:
    go(task)
    first = kept(store)
    pages.pages["a"], pages.broken = [7], {"b"}
    assert go(task).status is TaskStatus.FAILED
    assert kept(store) == first
    # What failed behind its first page goes on there; then the query begins anew.
    pages.broken = set()
    suspect = replace(task, expect=Expect(min_records=100))
    assert go(suspect).status is TaskStatus.SUSPECT
    assert kept(store) == first
    assert go(suspect).status is TaskStatus.SUSPECT
    assert kept(store) == first


def test_a_run_that_goes_on_in_the_middle_asks_in_full_and_leaves_nothing(
    store: Store, pages: Pages, task: Task, go: Callable[..., Run]
) -> None:
    go(task)
    pages.pages["a"], pages.broken = [7], {"b"}
    failed = go(task)
    pages.broken = set()
    pages.sent()
    run = go(task, store.runs.again(failed.id, store.now()))
    assert (run.status, run.seen) == (TaskStatus.COMPLETED, 3)
    assert pages.sent() == ["b"]
    assert kept(store) == {}
    go(task)
    assert pages.sent() == ["a", "b"]
    assert len(kept(store)) == 2


@pytest.mark.parametrize("edit", ["config", "normalizer"])
def test_an_edit_asks_for_everything_again(
    store: Store, pages: Pages, task: Task, go: Callable[..., Run], edit: str
) -> None:
    go(task)
    pages.sent()
    # Not even what selects nothing is left out: other fields may be made of the same answer.
    config = {**task.config, "shown": "title"} if edit == "config" else task.config
    other = replace(task, config=config, normalizer="arxiv" if edit == "normalizer" else None)
    other = replace(other, normalizer="scripted") if edit == "normalizer" else other
    go(other)
    assert pages.sent() == ["a", "b"]
    # Neither is what was kept before the edit good for anything any more.
    go(task)
    assert pages.sent() == ["a", "b"]


def test_what_is_not_asked_for_any_more_is_forgotten(
    store: Store, pages: Pages, task: Task, go: Callable[..., Run], monkeypatch: pytest.MonkeyPatch
) -> None:
    go(task)
    collect = WholePages.collect

    def only_first(self: Any, collection: Collection) -> Iterator[CollectorResult]:
        yield replace(next(collect(self, collection)), next_page=None)

    monkeypatch.setattr(WholePages, "collect", only_first)
    go(task)
    assert kept(store) == {tag([1, 2, 3]): 3}


def test_a_run_that_asks_nothing_forgets_nothing_but_what_an_edit_made_useless(
    store: Store, pages: Pages, task: Task, go: Callable[..., Run], monkeypatch: pytest.MonkeyPatch
) -> None:
    go(task)
    first = kept(store)
    monkeypatch.setattr(WholePages, "collect", lambda self, collection: iter(()))
    task = replace(task, expect=Expect(min_records=0))
    assert go(task).status is TaskStatus.COMPLETED
    assert kept(store) == first
    assert go(replace(task, config={**task.config, "shown": "title"})).status is TaskStatus.COMPLETED
    assert kept(store) == {}


def test_a_source_that_gives_no_tags_any_more_is_asked_in_full(
    store: Store, pages: Pages, task: Task, go: Callable[..., Run]
) -> None:
    go(task)
    pages.has_tags = False
    pages.pages["a"] = [1]
    go(task)
    assert kept(store) == {}
    pages.sent()
    go(task)
    assert pages.sent() == ["a", "b"]


def test_the_past_neither_knows_nor_leaves_any(
    store: Store, pages: Pages, task: Task, go: Callable[..., Run]
) -> None:
    go(task)
    before: list[Row] = store.validators.of_task("t")
    pages.sent()
    span = Span.of("2026-01-01..2026-01-31")
    run = take(store, backfill_of(task, span), span, "me", LEASE)
    assert run is not None
    ended = go(task, run)
    assert (ended.status, pages.sent()) == (TaskStatus.COMPLETED, ["a", "b"])
    assert store.validators.of_task("t") == before


def test_they_are_written_with_the_cursor_or_not_at_all(
    store: Store, pages: Pages, task: Task, go: Callable[..., Run | None]
) -> None:
    def fail(tx: Any, now: Any) -> None:
        if tx.all("validators_of", task_id="t"):
            raise ZeroDivisionError("killed at the last moment")

    run = go(task, control=Control(in_end=fail))
    assert run is not None
    assert run.status is TaskStatus.FAILED
    assert kept(store) == {}
    assert store.runs.cursor("t") is None


def test_a_former_owner_writes_none(
    store: Store, pages: Pages, task: Task, go: Callable[..., Run | None], monkeypatch: pytest.MonkeyPatch
) -> None:
    collect = WholePages.collect

    def overtaken(self: Any, collection: Collection) -> Iterator[CollectorResult]:
        yield from collect(self, collection)
        [run] = store.runs.running()
        store.runs.end(run, End(TaskStatus.INTERRUPTED, is_try=False), store.now())

    monkeypatch.setattr(WholePages, "collect", lambda self, c: iter([*overtaken(self, c)]))
    assert go(task) is None
    assert kept(store) == {}
