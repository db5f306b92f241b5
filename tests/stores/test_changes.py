"""What is new, changed and risen, on both databases."""

from __future__ import annotations

import random
from dataclasses import replace
from datetime import timedelta

import pytest

from stoma.errors import UsageError
from stoma.records import Record
from stoma.stores import Store, changes, measured
from stoma.stores.changes import Changes, Count
from stoma.stores.questions import Selection
from tests.stores.test_questions import put
from tests.support.clock import Clock

PAPER = Record("arxiv", "1", "paper", title="On sets", attributes={"doi": None})
REPO = Record("github", "7", "repository", title="a/b")
WEEK = timedelta(days=7)


def ask(store: Store, limit: int = 20, before: str | None = None, **selection: str) -> Changes:
    now = store.now()
    return store.questions.changes(Selection(**selection, since=now - WEEK), now, limit=limit, before=before)  # type: ignore[arg-type]


def ids(found: Changes) -> list[str]:
    return [one.row["external_id"] for one in found.changed]


def test_nothing_happened(store: Store) -> None:
    told = ask(store).as_dict()
    assert told["new"] == {"counts": [], "changed_counts": [], "records": [], "next": None}
    assert told["changed"] == {"counts": [], "records": [], "next": None}
    assert told["risen"] == {"measures": [], "looked_back_to": None}
    with pytest.raises(UsageError, match="since when"):
        store.questions.changes(Selection(), store.now())


def test_what_is_new_and_what_has_changed(store: Store, clock: Clock) -> None:
    put(store, PAPER, replace(PAPER, external_id="2"), REPO)
    clock.forward(days=10)
    # Changed twice: told once, against what it said a week ago.
    put(store, replace(PAPER, title="On two sets"), run=4)
    clock.forward(hours=1)
    put(store, replace(PAPER, title="On three sets", attributes={"doi": "10.1/2"}), run=5)
    at = clock.now
    clock.forward(hours=1)
    # New and changed: told as new.
    young = replace(PAPER, external_id="3")
    put(store, young, task="two")
    clock.forward(hours=1)
    put(store, replace(young, title="Newer"), task="two")
    found = ask(store)
    assert found.new_counts == [Count("paper", 1)]
    assert [row["external_id"] for row in found.new.rows] == ["3"]
    assert found.changed_counts == [Count("paper", 1)]
    assert found.new_changed_counts == [Count("paper", 1)]
    [one] = found.changed
    assert (one.row["title"], one.fields, one.changed_at, one.run) == (
        "On three sets", ["title", "attributes.doi"], at, 5,
    )  # fmt: skip
    for selection, new, changed in (
        ({"task": "two"}, 1, 0), ({"task": "one"}, 0, 1), ({"kind": "paper"}, 1, 1), ({"kind": "x"}, 0, 0),
        ({"source": "arxiv"}, 1, 1), ({"source": "github"}, 0, 0), ({"source": "arxiv", "kind": "paper"}, 1, 1),
    ):  # fmt: skip
        found = ask(store, **selection)
        counts = sum(one.count for one in found.new_counts), sum(one.count for one in found.changed_counts)
        # What is new here has changed, too.
        assert sum(one.count for one in found.new_changed_counts) == new
        assert (len(found.new.rows), len(found.changed), *counts) == (new, changed, new, changed), selection


def test_changed_and_changed_back(store: Store, clock: Clock) -> None:
    put(store, PAPER)
    clock.forward(days=8)
    put(store, replace(PAPER, title="x"))
    clock.forward(hours=1)
    put(store, PAPER)
    [one] = ask(store).changed
    assert one.fields == []


def test_changed_records_in_pages(store: Store, clock: Clock) -> None:
    papers = [replace(PAPER, external_id=str(number)) for number in range(9)]
    put(store, *papers)
    clock.forward(days=8)
    for start in (0, 4):
        put(store, *[replace(paper, title="x") for paper in papers[start : start + 4]])
        clock.forward(hours=1)
    found, before = [], None
    while True:
        page = ask(store, limit=3, before=before)
        found += ids(page)
        if (before := page.next) is None:
            break
    assert found == ["7", "6", "5", "4", "3", "2", "1", "0"]
    week = "2026-01-01T00:00:00Z/2026-01-08T00:00:00Z"
    for odd in (
        "x", "", "new", "7", "2026-01-01T00:00:00Z/5", f"new/{week}", f"new/{week}/x", f"changed/{week}/5",
        f"risen/{week}/5", f"new/{week}/2026-01-01T00:00:00Z/5", "new/2026-01-01/2026-01-08/5",
        f"new/{week}/" + "9" * 30, "new/0001-01-01T00:00:00+23:00/2026-01-08T00:00:00Z/5",
    ):  # fmt: skip
        with pytest.raises(UsageError, match="no `next`"):
            ask(store, before=odd)


def test_each_list_goes_on_as_it_stood_at_its_first_page(store: Store, clock: Clock) -> None:
    old = [replace(PAPER, external_id=f"o{number}") for number in range(6)]
    put(store, *old)
    clock.forward(days=10)
    for number, paper in enumerate(old):
        put(store, replace(paper, title="x"), run=number)
        put(store, replace(PAPER, external_id=f"n{number}"))
        clock.forward(hours=1)
    first = ask(store, limit=2)
    told = first.as_dict()
    assert (told["changed"]["next"], told["new"]["next"]) == (first.next, first.new_next)
    # Between the pages: some change once more, others for the first time, new ones come, and a week has ended.
    clock.forward(days=6, hours=20)
    again = [replace(old[number], title="y") for number in (0, 2, 5)]
    put(store, *again, replace(PAPER, external_id="n0", title="y"), replace(PAPER, external_id="late"))
    clock.forward(hours=1)
    put(store, *[replace(paper, title="z") for paper in again], replace(PAPER, external_id="late", title="y"))
    changed, new, before = ids(first), [row["external_id"] for row in first.new.rows], first.next
    while before:
        page = ask(store, limit=2, before=before)
        assert set(page.as_dict()) == {"since", "now", "changed"}
        assert (page.since, page.now) == (first.since, first.now)
        changed, before = changed + ids(page), page.next
    assert changed == ["o5", "o4", "o3", "o2", "o1", "o0"]
    before = first.new_next
    while before:
        page = ask(store, limit=2, before=before)
        assert set(page.as_dict()) == {"since", "now", "new"}
        new, before = [*new, *(row["external_id"] for row in page.new.rows)], page.new_next
    assert new == ["n5", "n4", "n3", "n2", "n1", "n0"]
    # Asked anew, each is where it is now.
    assert ids(ask(store))[:3] == ["o5", "o2", "o0"]


def test_counting_ends_somewhere(store: Store, clock: Clock, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(changes, "MOST_COUNTED", 3)
    monkeypatch.setattr(changes, "MOST_CHANGED", 3)
    old = [replace(PAPER, external_id=f"o{number}") for number in range(5)]
    put(store, *old)
    clock.forward(days=8)
    put(store, *[replace(paper, title="x") for paper in old])
    put(store, *[replace(REPO, external_id=str(number)) for number in range(5)])
    for selection in ({}, {"task": "one"}):
        found = ask(store, **selection)
        assert found.new_counts == [Count("repository", 3, is_exact=False)]
        assert found.changed_counts == [Count("paper", 3, is_exact=False)]


def measure(store: Store, number: int, source: str = "github", **measures: float) -> None:
    put(store, replace(REPO, source=source, external_id=str(number), title=f"t/{number}", measures=measures))


def risen(found: Changes, measure: str = "stars") -> list[tuple[str, float, float]]:
    return [
        (rise.row["external_id"], rise.before, rise.latest)
        for rise in found.risen.by_difference.get(measure, [])
    ]


def test_what_went_up_most(store: Store, clock: Clock) -> None:
    measure(store, 1, stars=10, forks=5)
    measure(store, 2, stars=1000)
    measure(store, 3, stars=50)
    measure(store, 4, stars=0)
    clock.forward(days=3)
    measure(store, 1, stars=12, forks=5)
    then = clock.now
    clock.forward(days=7)
    measure(store, 1, stars=40, forks=4, pushed_at=1.0)
    clock.forward(hours=1)
    # Measured for the first time, gone down, and from nothing to something.
    measure(store, 5, stars=1e6)
    measure(store, 3, stars=20)
    measure(store, 4, stars=1)
    measure(store, 2, stars=1100)
    put(store, replace(PAPER, measures={"pushed_at": 2.0}))
    now = clock.now
    found = ask(store)
    assert risen(found) == [("2", 1000, 1100), ("1", 12, 40), ("4", 0, 1)]
    assert list(found.risen.by_difference) == ["stars"]
    assert [rise.row["external_id"] for rise in found.risen.by_percent["stars"]] == ["1", "2"]
    [best] = found.risen.by_percent["stars"][:1]
    assert (best.before_at, best.latest_at, best.difference) == (then, now - timedelta(hours=1), 28)
    assert best.percent == pytest.approx(233.33, abs=0.01)
    assert risen(ask(store, limit=1)) == [("2", 1000, 1100)]
    assert risen(ask(store, kind="paper")) == risen(ask(store, source="arxiv")) == []
    assert len(risen(ask(store, kind="repository", source="github"))) == 3
    assert risen(ask(store, task="two")) == []
    told = found.as_dict()["risen"]["measures"][0]
    assert (told["by_difference"][2]["percent"], told["by_percent"][0]["percent"]) == (None, 233.33)


def test_a_rank_rises_when_its_number_becomes_smaller(store: Store, clock: Clock) -> None:
    for number, before, latest in ((1, 2, 25), (2, 25, 2), (3, 9, 8), (4, 5, 5)):
        measure(store, number, **{"rank:daily": before, "ranked": before})
        clock.forward(days=10)
        measure(store, number, **{"rank:daily": latest, "ranked": latest})
        clock.forward(days=-10)
    clock.forward(days=11)
    found = ask(store)
    assert risen(found, "rank:daily") == [("2", 25, 2), ("3", 9, 8)]
    assert risen(found, "ranked") == [("1", 2, 25)]
    told = next(one for one in found.as_dict()["risen"]["measures"] if one["measure"] == "rank:daily")
    assert [(one["difference"], one["percent"]) for one in told["by_difference"]] == [(23, None), (1, None)]
    assert told["by_percent"] == []


@pytest.mark.parametrize("at_once", [1, 7, 1000])
def test_measured_again_and_again(
    store: Store, clock: Clock, monkeypatch: pytest.MonkeyPatch, at_once: int
) -> None:
    """However much is read together, the answer is that of a look at everything."""
    monkeypatch.setattr(measured, "AT_ONCE", at_once)
    monkeypatch.setattr(measured, "MOST_TIMES", 100)
    pick = random.Random(5)
    first: dict[tuple[str, int], float] = {}
    last: dict[tuple[str, int], float] = {}
    for day in range(12):
        for source in ("github", "other"):
            page = []
            for number in range(5):
                value = float(pick.randrange(100))
                page.append(replace(REPO, source=source, external_id=str(number), measures={"stars": value}))
                (first if day < 5 else last)[source, number] = value
            put(store, *page)
        if day < 11:
            clock.forward(days=1)
    wanted = sorted((first[key] - last[key], key[0], str(key[1])) for key in first if last[key] > first[key])
    found = ask(store).risen.by_difference["stars"]
    assert [
        (rise.before - rise.latest, rise.row["source"], rise.row["external_id"]) for rise in found
    ] == wanted


def test_what_is_measured_seldom_is_looked_up(
    store: Store, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(measured, "AT_ONCE", 10)
    measure(store, 999, stars=1)
    clock.forward(days=10)
    # Measured so often that the other one lies far behind.
    for _ in range(30):
        clock.forward(hours=1)
        for number in range(3):
            measure(store, number, stars=number)
    clock.forward(days=8)
    measure(store, 999, stars=5)
    found = ask(store)
    assert risen(found) == [("999", 1, 5)]
    assert found.risen.looked_back_to is None


def test_reading_ends_somewhere_and_says_so(
    store: Store, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(measured, "AT_ONCE", 2)
    monkeypatch.setattr(measured, "MOST_TIMES", 2)
    for days in (0, 10):
        clock.forward(days=days)
        for number in range(8):
            clock.forward(minutes=1)
            measure(store, number, stars=number + days)
    found = ask(store)
    assert sorted(external_id for external_id, _, _ in risen(found)) == ["4", "5", "6", "7"]
    assert found.risen.looked_back_to == clock.now - timedelta(minutes=3)
