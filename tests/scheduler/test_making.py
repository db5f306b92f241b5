"""An answer that comes letter by letter as in the last completed run is taken as read, and nothing is missed by it."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from stoma.normalizers.http_json import HttpJsonNormalizer
from stoma.scheduler.base import NewRun, Run, Task, TaskStatus, hand_trigger
from stoma.scheduler.keeping import Keeper
from stoma.scheduler.pipeline import Control, Surroundings, execute
from stoma.scheduler.settings import Keep
from stoma.stores import Store
from tests.support.api import Api, items, status
from tests.support.clock import Clock

PAGING = {"page": {"size_param": "size", "size": 10}}


@pytest.fixture
def api(clock: Clock) -> Iterator[Api]:
    clock.now = datetime(2026, 11, 23, 9, tzinfo=UTC)
    api = Api(items(25))
    yield api
    api.close()


@pytest.fixture
def looked(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """How many items each page had that was normalised."""
    found: list[int] = []
    real = HttpJsonNormalizer.normalize

    def normalize(self: HttpJsonNormalizer, result: Any) -> Any:
        found.append(len(result.items))
        return real(self, result)

    monkeypatch.setattr(HttpJsonNormalizer, "normalize", normalize)
    return found


@pytest.fixture
def go(store: Store, tmp_path: Path, api: Api, clock: Clock) -> Any:
    def go(name: str = "t", raw: timedelta | None = None, **config: Any) -> Run:
        around = Surroundings(store, tmp_path, timedelta(minutes=5), "me", raw=raw)
        given = {"url": f"{api.url}/page", "items": "items", "paging": PAGING, **config}
        task = Task(name, "T", "http_json", config=given)
        if not store.runs.open_of(name):
            store.runs.add(NewRun(name, hand_trigger(), task.priority, "0"), store.now())
        claimed = store.runs.claim("me", store.now(), store.now() + timedelta(minutes=5))
        assert claimed is not None
        ended = execute(claimed, task, around, Control())
        assert ended is not None
        clock.forward(minutes=10)
        return ended

    return go


def outcome(run: Run) -> tuple[str, int, int, int, int]:
    return str(run.status), run.pages, run.seen, run.changed, run.unchanged


def test_the_same_answers_are_counted_and_not_looked_at(go: Any, looked: list[int], store: Store) -> None:
    assert outcome(go()) == ("completed", 3, 25, 0, 0)
    assert looked == [10, 10, 5]
    for _ in range(2):
        assert outcome(go()) == ("completed", 3, 25, 0, 25)
    assert looked == [10, 10, 5]
    assert store.records.count() == 25


def test_a_change_is_looked_at_and_all_until_nothing_changes(
    go: Any, looked: list[int], api: Api, store: Store
) -> None:
    go()
    api.items[12]["title"] = "Another"
    del looked[:]
    assert outcome(go()) == ("completed", 3, 25, 1, 24)
    assert looked == [10]
    assert outcome(go()) == ("completed", 3, 25, 0, 25)
    assert looked == [10, 10, 10, 5]
    assert outcome(go()) == ("completed", 3, 25, 0, 25)
    assert looked == [10, 10, 10, 5]
    # What it said before is news again.
    api.items[12]["title"] = "Item 12"
    assert outcome(go()) == ("completed", 3, 25, 1, 24)
    row = store.records.get("t", "12")
    assert row is not None
    assert (row["title"], row["version"]) == ("Item 12", 3)


def test_what_comes_on_two_pages_is_as_if_all_were_looked_at(go: Any, api: Api, store: Store) -> None:
    api.items[15] = api.items[5] | {"title": "of the second page"}
    go()
    go()
    assert store.records.get("t", "5")["title"] == "of the second page"
    api.items[15] = api.items[16]
    go()
    assert store.records.get("t", "5")["title"] == "Item 5"


def test_what_another_task_wrote_there_is_brought_back(go: Any, api: Api, store: Store) -> None:
    go()
    go()
    true = api.items
    api.items = [{**item, "title": "of another"} for item in true[:3]]
    assert go("u", source="t").changed == 3
    api.items = true
    assert go().changed == 3
    assert store.records.get("t", "2")["title"] == "Item 2"


def test_after_a_day_all_is_looked_at_once_more(
    go: Any, looked: list[int], clock: Clock, store: Store
) -> None:
    go()
    clock.forward(hours=20)
    go()
    assert len(looked) == 3
    clock.forward(hours=4)
    go()
    assert len(looked) == 6
    row = store.records.get("t", "3")
    assert row is not None
    assert clock.now - row["last_seen_at"] < timedelta(hours=1)
    clock.forward(hours=23)
    go()
    assert len(looked) == 6


def test_a_page_that_keeps_coming_the_same_is_looked_at_each_day(
    go: Any, looked: list[int], api: Api, clock: Clock
) -> None:
    go()
    for more in range(1, 5):
        clock.forward(hours=7)
        [api.items[24]] = items(1, first=100 + more)
        del looked[:]
        go()
        # The last page differs each time; the others are looked at again when a day has passed.
        assert looked == ([10, 10, 5] if more == 4 else [5])


def test_a_run_that_broke_off_leaves_nothing_to_go_by(
    go: Any, looked: list[int], api: Api, store: Store
) -> None:
    go()
    api.items[2]["title"] = "For a moment"
    # Its second page is refused, and so is where the next run would go on: the third begins anew.
    asked = len(api.requests)
    api.faults = {asked + 2: status(400, "no"), asked + 3: status(400, "no")}
    assert (go().status, go().status) == (TaskStatus.FAILED, TaskStatus.FAILED)
    assert store.records.get("t", "2")["title"] == "For a moment"
    api.items[2]["title"] = "Item 2"
    del looked[:]
    assert outcome(go()) == ("completed", 3, 25, 1, 24)
    assert looked == [10, 10, 5]
    assert store.records.get("t", "2")["title"] == "Item 2"


@pytest.mark.parametrize(
    "config",
    [
        {"source": "shared"},
        {"measures": {"rank": "id"}},
        {"raw": timedelta(days=1)},
    ],
    ids=["others may write there", "it measures", "raw pages are kept"],
)
def test_where_more_comes_of_an_item_it_is_looked_at_each_time(
    go: Any, looked: list[int], config: dict[str, Any]
) -> None:
    go(**config)
    go(**config)
    assert len(looked) == 6


def test_rejects_are_told_each_time(go: Any, looked: list[int], api: Api, store: Store) -> None:
    api.items[4] = {"name": "no key"}
    assert (go().rejected, go().rejected) == (1, 1)
    assert len(store.records.rejects("t")) == 2
    assert looked == [10, 10, 5, 10]


def test_an_edit_of_the_fields_looks_at_all(go: Any, looked: list[int], store: Store) -> None:
    go()
    assert go(fields={"title": "url"}).changed == 25
    assert len(looked) == 6


def test_what_was_deleted_for_its_age_comes_back(go: Any, store: Store, clock: Clock) -> None:
    go()
    clock.forward(hours=2)
    assert Keeper(store).finish(Keep(records=timedelta(hours=1)))["records"] == 25
    assert (go().new, store.records.count()) == (25, 25)
