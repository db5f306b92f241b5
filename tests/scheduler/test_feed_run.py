"""Runs of the feed collector through the whole road, on both databases."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
import yaml

from stoma.collectors import http
from stoma.errors import ConfigError
from stoma.scheduler.base import Expect, NewRun, Run, Task, TaskStatus, hand_trigger
from stoma.scheduler.config import create_custom_task
from stoma.scheduler.pipeline import Control, Surroundings, execute
from stoma.stores import Store
from tests.support.clock import Clock
from tests.support.server import Asked, Reply, Server


class Publisher:
    """A feed with an ETag; `names` are its entries, newest first."""

    def __init__(self) -> None:
        self.names = ["2", "1"]
        self.channel = ""
        self.reply: Callable[[Asked], Reply | None] = lambda asked: None
        self.server = Server(self.answer)

    def body(self) -> bytes:
        items = "".join(f"<item><guid>{name}</guid><title>Entry {name}</title></item>" for name in self.names)
        return f'<rss version="2.0"><channel><title>T</title>{self.channel}{items}</channel></rss>'.encode()

    def answer(self, asked: Asked) -> Reply:
        if (given := self.reply(asked)) is not None:
            return given
        etag = f'"{"-".join(self.names)}"'
        if asked.headers.get("if-none-match") == etag:
            return Reply(304)
        return Reply(body=self.body(), headers={"ETag": etag})

    @property
    def conditions(self) -> list[str | None]:
        return [asked.headers.get("if-none-match") for asked in self.server.requests]


@pytest.fixture
def feed() -> Iterator[Publisher]:
    feed = Publisher()
    yield feed
    feed.server.close()


@pytest.fixture
def go(store: Store, tmp_path: Path, feed: Publisher) -> Any:
    around = Surroundings(store, tmp_path, timedelta(minutes=5), "me")

    def go(expect: Expect | None = None, **config: Any) -> Run:
        config = {"url": f"{feed.server.url}/feed", **config}
        task = Task("blog", "Blog", "feed", config=config, expect=expect or Expect())
        if not store.runs.open_of("blog"):
            store.runs.add(NewRun("blog", hand_trigger(), task.priority, "0"), store.now())
        claimed = store.runs.claim("me", store.now(), store.now() + timedelta(minutes=5))
        assert claimed is not None
        ended = execute(claimed, task, around, Control())
        assert ended is not None
        return ended

    return go


def numbers(run: Run) -> tuple[TaskStatus, int, int, int]:
    return run.status, run.seen, run.new, run.unchanged


def test_run_after_run(store: Store, go: Any, feed: Publisher, clock: Clock) -> None:
    assert numbers(go()) == (TaskStatus.COMPLETED, 2, 2, 0)
    clock.forward(hours=1)
    # Nothing has changed: one small request, and all entries count as seen.
    assert numbers(go()) == (TaskStatus.COMPLETED, 2, 0, 2)
    clock.forward(hours=1)
    feed.names = ["3", "2"]
    assert numbers(go()) == (TaskStatus.COMPLETED, 2, 1, 1)
    assert feed.conditions == [None, '"2-1"', '"2-1"']
    assert store.records.count() == 3
    record = store.records.get("blog", "3")
    assert record is not None
    assert record["title"] == "Entry 3"


def test_what_is_known_of_a_feed_outlives_its_rest(go: Any, feed: Publisher, clock: Clock) -> None:
    feed.channel = "<ttl>60</ttl>"
    go()
    clock.forward(minutes=30)
    assert numbers(go(Expect(min_records=2))) == (TaskStatus.COMPLETED, 2, 0, 2)
    clock.forward(minutes=30)
    assert numbers(go()) == (TaskStatus.COMPLETED, 2, 0, 2)
    # The middle run asked nothing, and the last one still asks conditionally.
    assert feed.conditions == [None, '"2-1"']
    # An edited task asks at once, and in full.
    assert numbers(go(full_content=True)) == (TaskStatus.COMPLETED, 2, 0, 2)
    assert feed.conditions == [None, '"2-1"', None]


def test_an_empty_feed_is_good_unless_records_are_expected(go: Any, feed: Publisher, clock: Clock) -> None:
    go()
    clock.forward(hours=1)
    feed.names = []
    assert numbers(go()) == (TaskStatus.COMPLETED, 0, 0, 0)
    clock.forward(hours=1)
    assert go(Expect(min_records=1)).status is TaskStatus.SUSPECT


def test_a_feed_that_is_gone(store: Store, go: Any, feed: Publisher, clock: Clock) -> None:
    go()
    clock.forward(hours=1)
    feed.reply = lambda asked: Reply(410)
    gone = go()
    # Never tried again, however many tries the task has.
    assert (gone.status, gone.attempt) == (TaskStatus.FAILED, 1)
    assert "/feed answers 410 Gone: the feed is gone for good" in (gone.error or "")
    assert store.records.count() == 2


def test_what_was_cut_off_is_made_good_later(
    store: Store, go: Any, feed: Publisher, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Such a page is asked for again after some seconds; not in a test.
    monkeypatch.setattr(http, "USUAL", replace(http.USUAL, pauses=(0.01,)))
    feed.reply = lambda asked: Reply(body=feed.body()[:-40])
    first = go()
    assert first.status is TaskStatus.PENDING
    assert "is cut off behind its first 1 entries" in (first.error or "")
    assert (first.seen, first.new, store.records.count()) == (1, 1, 1)
    clock.forward(hours=1)
    again = go()
    assert (again.seen, again.new) == (1, 1)  # the same run, and what it saw is not counted twice
    feed.reply = lambda asked: None
    clock.forward(hours=1)
    whole = go()
    assert (whole.status, whole.new, store.records.count()) == (TaskStatus.COMPLETED, 2, 2)
    with store.database.reader() as reader:
        assert [row["entry_id"] for row in reader.all("entries_newest", limit=10)] == ["1", "2"]


def test_a_config_is_checked() -> None:
    url = {"url": "https://example.org/feed"}
    create_custom_task("a", "A", "feed", url)
    create_custom_task("a", "A", "feed", url | {"headers": {"Authorization": "Bearer ${env:FEED_TOKEN}"}})
    for wrong, words in (
        ({}, "url"),
        ({"url": "feed.xml"}, r"config\.url: .*https"),
        (url | {"limit": 0}, r"config\.limit"),
        (url | {"source": "arxiv"}, r"config\.source: .*not one that is built in"),
        (url | {"source": "a b"}, r"config\.source: .*letters, digits"),
        (url | {"kind": "My kind"}, r"config\.kind: .*small letters"),
        (
            url | {"headers": {"User-Agent": "Mozilla"}},
            r"\"User-Agent\" is no header to be set here; Stoma itself sends",
        ),
        (url | {"headers": {"if-none-match": "x"}}, r"\"if-none-match\" is no header to be set here"),
        (url | {"headers": {"X-A": "a\nb"}}, "a header is one line"),
        (url | {"full_contents": True}, "full_content"),
    ):
        with pytest.raises(ConfigError, match=words):
            create_custom_task("a", "A", "feed", wrong)


def test_the_examples_of_the_page_are_good() -> None:
    page = (Path(__file__).resolve().parents[2] / "docs" / "sources.md").read_text(encoding="utf-8")
    section = page.split("\n## feed\n")[1].split("\n## ")[0]
    [example] = re.findall(r"```yaml\n(.*?)```", section, re.DOTALL)
    tasks = yaml.safe_load(example)["tasks"]
    assert len(tasks) == 3
    for name, task in tasks.items():
        create_custom_task(name, name, task["collector"], task["config"], schedule=task["schedule"])
