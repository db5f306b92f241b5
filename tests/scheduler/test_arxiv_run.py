"""Runs of the arXiv collector through the whole road, on both databases: one paper, two interfaces, one content."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from stoma.scheduler.base import NewRun, Run, Task, TaskStatus, hand_trigger
from stoma.scheduler.pipeline import Control, Surroundings, execute
from stoma.stores import Store
from tests.support.arxiv import Library, paper, papers
from tests.support.budget import START
from tests.support.clock import Clock
from tests.support.server import Reply

SEARCH = {"search_query": "cat:cs.LG", "max_results": 100, "page_size": 10}
HARVEST = {"mode": "oai", "set": "cs"}


@pytest.fixture
def library(clock: Clock) -> Iterator[Library]:
    clock.now = START
    library = Library(papers(25))
    yield library
    library.server.close()


@pytest.fixture
def go(store: Store, tmp_path: Path, library: Library, clock: Clock) -> Any:
    around = Surroundings(store, tmp_path, timedelta(minutes=5), "me")

    def go(config: dict[str, Any], name: str | None = None) -> Run:
        library.now = clock.now
        name = name or config.get("mode", "search")
        task = Task(name, "T", "arxiv", config={"base_url": library.url, **config})
        if not store.runs.open_of(name):
            store.runs.add(NewRun(name, hand_trigger(), task.priority, "0"), store.now())
        claimed = store.runs.claim("me", store.now(), store.now() + timedelta(minutes=5))
        assert claimed is not None
        ended = execute(claimed, task, around, Control())
        assert ended is not None
        return ended

    return go


def counts(run: Run) -> tuple[TaskStatus, int, int, int, int]:
    return run.status, run.seen, run.new, run.changed, run.unchanged


def test_both_interfaces_agree_on_every_paper(store: Store, go: Any) -> None:
    assert counts(go(SEARCH)) == (TaskStatus.COMPLETED, 25, 25, 0, 0)
    before = store.records.stored("arxiv", ["2601.00007"])
    # What OAI-PMH adds is its licence; that is one change, and after it they take turns in peace.
    assert counts(go(HARVEST)) == (TaskStatus.COMPLETED, 25, 0, 25, 0)
    for config in (SEARCH, HARVEST, SEARCH):
        assert go(config).changed == 0
    after = store.records.stored("arxiv", ["2601.00007"])
    (found, _), (old, _) = after["2601.00007"], before["2601.00007"]
    assert found.published_at == old.published_at
    assert found.attributes == {
        **old.attributes,
        "license": "http://creativecommons.org/publicdomain/zero/1.0/",
    }
    assert store.records.get("arxiv", "2601.00007")["version"] == 2


def test_the_other_way_round_too(store: Store, go: Any) -> None:
    assert go(HARVEST).new == 25
    assert counts(go(SEARCH)) == (TaskStatus.COMPLETED, 25, 0, 25, 0)
    for config in (HARVEST, SEARCH, HARVEST):
        assert go(config).changed == 0
    assert store.records.stored("arxiv", ["2601.00007"])["2601.00007"][0].attributes["version"] == 1


def test_a_new_version_changes_the_record_once(store: Store, go: Any, library: Library, clock: Clock) -> None:
    go(SEARCH)
    clock.forward(days=1)
    first = library.papers[9]
    library.papers[9] = paper(10, first.published, START + timedelta(hours=2), title="Better")
    by_update = {**SEARCH, "sort_by": "lastUpdatedDate"}
    assert counts(go(by_update, "updates"))[2:] == (0, 1, 24)
    assert go(by_update, "updates").changed == 0
    assert store.records.get("arxiv", "2601.00010")["title"] == "Better"


def test_a_deleted_paper_is_marked_and_an_unknown_one_makes_no_record(
    store: Store, go: Any, library: Library
) -> None:
    go(SEARCH)
    gone = "".join(
        f'<record><header status="deleted"><identifier>oai:arXiv.org:2601.{number}</identifier>'
        "<datestamp>2026-11-23</datestamp></header></record>"
        for number in ("00003", "99999")
    )
    body = (
        '<OAI-PMH xmlns="http://www.openarchives.org/OAI/2.0/"><responseDate>2026-11-23T10:00:00Z</responseDate>'
        f"<ListRecords>{gone}</ListRecords></OAI-PMH>"
    )
    library.spoil = lambda asked, reply: Reply(body=body.encode())
    assert counts(go(HARVEST))[:4] == (TaskStatus.COMPLETED, 2, 0, 1)
    kept = store.records.get("arxiv", "2601.00003")
    assert (kept["title"], kept["attributes"]["deleted"]) == ("Paper 3", True)
    assert store.records.count() == 25
    assert go(HARVEST).changed == 0


def test_a_day_without_changes_is_no_suspicion(store: Store, go: Any, library: Library, clock: Clock) -> None:
    go(HARVEST)
    clock.forward(days=2)
    quiet = go(HARVEST)
    assert (quiet.status, quiet.reason, quiet.seen) == (TaskStatus.COMPLETED, None, 10)
    library.papers = []
    clock.forward(days=2)
    empty = go(HARVEST)
    assert (empty.status, empty.seen, empty.unchanged) == (TaskStatus.COMPLETED, 10, 10)
    assert store.runs.cursor("oai")["position"] == {"from": "2026-11-27", "count": 10}


def test_the_cursor_moves_with_complete_runs_only(
    store: Store, go: Any, library: Library, clock: Clock
) -> None:
    def position() -> Any:
        return store.runs.cursor("search")["position"]

    go(SEARCH)
    begun = position()
    assert begun == {"submitted": "2026-11-23T09:00:00Z"}
    clock.forward(days=1)
    library.papers += [paper(100 + n, START + timedelta(hours=n)) for n in range(20)]

    # Given a run that is cut: fewer are taken than the window holds.
    assert go({**SEARCH, "max_results": 30}).status is TaskStatus.COMPLETED
    assert position() == begun
    # Given a run that fails at its third page, and is tried again after another paper came
    library.spoil = lambda asked, reply: Reply(404) if asked.query["start"] == "20" else reply
    assert go(SEARCH).status is TaskStatus.FAILED
    assert position() == begun
    library.spoil = lambda asked, reply: reply
    clock.forward(hours=1)
    library.papers.append(paper(200, START + timedelta(hours=24, minutes=30)))
    assert go(SEARCH).status is TaskStatus.COMPLETED
    assert position() == {"submitted": "2026-11-24T04:00:00Z"}
    # The paper that came meanwhile is the next run's: the resumed one kept its window.
    assert go(SEARCH).new == 1
    assert position() == {"submitted": "2026-11-24T09:30:00Z"}
    assert store.records.count() == len(library.papers)
