"""Records on both databases: only what is new or changed is written."""

from __future__ import annotations

import threading
from dataclasses import replace
from datetime import UTC, datetime, timedelta, timezone

import pytest

from stoma.records import Record, Reject, sealed
from stoma.stores import Store
from stoma.stores.records import Outcome, Prepared, save, save_rejects
from tests.support.clock import Clock

PAPER = Record(
    source="arxiv",
    external_id="2605.00001",
    kind="paper",
    title="On $\\alpha$-stable “naïve” sets 量子",
    summary="A summary.",
    url="https://arxiv.org/abs/2605.00001",
    authors=("Ada Example", "Bo Beispiel"),
    tags=("cs.LG", "stat.ML"),
    published_at=datetime(2026, 5, 1, 17, 59, 59, tzinfo=UTC),
    updated_at=datetime(2026, 5, 2, 1, 2, 3, 456, tzinfo=UTC),
    attributes={"version": 1, "primary_category": "cs.LG", "doi": None},
)


def put(store: Store, *records: Record, task: str = "t", run: int = 1) -> Outcome:
    with store.database.transaction() as tx:
        return save(tx, Prepared.of(sealed(record) for record in records), task, run, store.now())


def test_a_record_comes_back_as_it_went_in(store: Store, clock: Clock) -> None:
    assert put(store, PAPER) == Outcome(new=1, fresh=1)
    row = store.records.get("arxiv", "2605.00001")
    assert row is not None
    for name in ("kind", "title", "summary", "url", "published_at", "updated_at", "attributes"):
        assert row[name] == getattr(PAPER, name), name
    assert (row["authors"], row["tags"]) == (list(PAPER.authors), list(PAPER.tags))
    assert (row["version"], row["first_seen_at"], row["last_seen_at"]) == (1, clock.now, clock.now)


def test_the_same_again_writes_nothing_within_a_day(store: Store, clock: Clock) -> None:
    put(store, PAPER)
    before = store.records.get("arxiv", "2605.00001")
    clock.forward(hours=23)
    assert put(store, PAPER) == Outcome(unchanged=1)
    assert store.records.get("arxiv", "2605.00001") == before
    clock.forward(hours=2)
    assert put(store, PAPER) == Outcome(unchanged=1)
    after = store.records.get("arxiv", "2605.00001")
    assert after is not None
    assert (after["last_seen_at"], after["version"]) == (clock.now, 1)


def test_a_real_change_keeps_the_version_before(store: Store, clock: Clock) -> None:
    put(store, PAPER)
    clock.forward(days=1)
    second = replace(PAPER, title="Another title", attributes={"version": 2})
    assert put(store, second, run=2) == Outcome(changed=1, fresh=1)
    row = store.records.get("arxiv", "2605.00001")
    assert row is not None
    assert (row["title"], row["version"]) == ("Another title", 2)
    [version] = store.records.versions("arxiv", "2605.00001")
    assert (version["title"], version["version"]) == (PAPER.title, 1)
    assert (version["superseded_at"], version["run_id"]) == (clock.now, 2)


def test_a_measure_is_no_change(store: Store, clock: Clock) -> None:
    put(store, replace(PAPER, measures={"stars": 10}))
    clock.forward(hours=1)
    assert put(store, replace(PAPER, measures={"stars": 12})) == Outcome(unchanged=1)
    assert store.records.versions("arxiv", "2605.00001") == []
    with store.database.reader() as reader:
        measured = reader.all("observations_of", source="arxiv", external_id="2605.00001")
    assert [(row["measure"], row["value"]) for row in measured] == [("stars", 10.0), ("stars", 12.0)]


def test_of_doubles_within_a_page_the_last_counts(store: Store) -> None:
    assert put(store, PAPER, replace(PAPER, title="Later")) == Outcome(new=1, fresh=1)
    row = store.records.get("arxiv", "2605.00001")
    assert row is not None
    assert row["title"] == "Later"


def test_sources_keep_their_ids_apart(store: Store) -> None:
    assert put(store, PAPER, replace(PAPER, source="other")) == Outcome(new=2, fresh=2)


def test_every_task_that_saw_a_record_is_known(store: Store, clock: Clock) -> None:
    put(store, PAPER, task="first", run=1)
    clock.forward(days=2)
    put(store, PAPER, task="second", run=2)
    clock.forward(days=2)
    put(store, PAPER, task="first", run=3)
    with store.database.reader() as reader:
        rows = {
            row["task_id"]: row
            for row in reader.all("sightings_of", source="arxiv", external_id="2605.00001")
        }
    start = clock.now - timedelta(days=4)
    assert (rows["first"]["first_seen_at"], rows["first"]["last_seen_at"]) == (start, clock.now)
    assert rows["second"]["first_seen_at"] == clock.now - timedelta(days=2)


@pytest.mark.parametrize("bad", ["a\0b", "lone \ud800 surrogate"])
def test_characters_no_database_holds_are_replaced(store: Store, bad: str) -> None:
    record = replace(PAPER, title=bad, attributes={"deep": [{"in": bad}]}, authors=(bad,))
    assert put(store, record) == Outcome(new=1, fresh=1)
    assert put(store, record) == Outcome(unchanged=1)
    row = store.records.get("arxiv", "2605.00001")
    assert row is not None
    assert "\0" not in row["title"]
    assert row["title"] == row["authors"][0] == row["attributes"]["deep"][0]["in"]


def test_a_failed_page_leaves_nothing(store: Store) -> None:
    with pytest.raises(RuntimeError), store.database.transaction() as tx:
        save(tx, Prepared.of([sealed(PAPER)]), "t", 1, store.now())
        raise RuntimeError("killed here")
    assert store.records.count() == 0


def test_rejects_keep_item_and_reason(store: Store) -> None:
    with store.database.transaction() as tx:
        save_rejects(tx, [Reject("no id", {"title": "x"}, "")], "t", 1, store.now())
    [row] = store.records.rejects("t")
    assert (row["reason"], row["item"]) == ("no id", {"item": {"title": "x"}})


def test_papers_shows_records_in_their_own_words(store: Store) -> None:
    put(store, PAPER, replace(PAPER, external_id="x", kind="other"))
    with store.database.reader() as reader:
        [paper] = reader.all("papers_newest", limit=10)
    assert paper["arxiv_id"] == "2605.00001"
    assert (paper["arxiv_version"], paper["primary_category"], paper["doi"]) == (1, "cs.LG", None)
    assert paper["submitted_at"] == PAPER.published_at


def test_big_pages(store: Store) -> None:
    page = [replace(PAPER, external_id=f"{n:05d}", title=f"Paper {n}") for n in range(2500)]
    assert put(store, *page) == Outcome(new=2500, fresh=2500)
    page[7] = replace(page[7], title="Edited")
    assert put(store, *page) == Outcome(changed=1, unchanged=2499)
    assert store.records.count_by_kind() == {"paper": 2500}


ODD = [
    "\\N",
    "\\",
    "\\.",
    "a\tb",
    "a\nb",
    "a\rb",
    '"',
    "'",
    "{}",
    "[1]",
    "量",
    "\x01",
    "a\\nb",
    " ",
    "%s",
    ":a",
    "0",
]


def test_any_letters_come_back_as_they_went_in(store: Store) -> None:
    page = [
        replace(
            PAPER,
            external_id=text,
            title=text,
            summary=text,
            authors=(text,),
            attributes={text: [text, None]},
        )
        for text in ODD
    ]
    assert put(store, *page) == Outcome(new=len(page), fresh=len(page))
    for record in page:
        row = store.records.get("arxiv", record.external_id)
        assert row is not None
        assert (row["title"], row["summary"], row["authors"]) == (
            record.title,
            record.summary,
            list(record.authors),
        )
        assert (row["attributes"], row["updated_at"]) == (record.attributes, record.updated_at)
    # Also where they are looked up.
    assert put(store, *page) == Outcome(unchanged=len(page))


@pytest.mark.parametrize("odd", ODD)
def test_one_odd_text_in_a_row_of_plain_ones(store: Store, odd: str) -> None:
    put(store, replace(PAPER, title=odd), replace(PAPER, external_id="2"))
    rows = {row["external_id"]: row["title"] for row in store.records.newest(10)}
    assert rows == {PAPER.external_id: odd, "2": PAPER.title}


@pytest.mark.parametrize(
    "at",
    [
        datetime(2026, 5, 1, 0, 0, 0, 1, UTC),
        datetime(2026, 5, 1, 12, tzinfo=timezone(timedelta(hours=-3, minutes=-30))),
        datetime(1, 1, 1, tzinfo=UTC),
        datetime(9999, 12, 31, 23, 59, 59, 999999, UTC),
    ],
)
def test_any_instant_comes_back_as_it_went_in(store: Store, at: datetime) -> None:
    put(store, replace(PAPER, published_at=at, updated_at=None))
    row = store.records.get("arxiv", PAPER.external_id)
    assert row is not None
    assert (row["published_at"], row["updated_at"]) == (at, None)


def test_what_was_stored_by_an_earlier_program_is_unchanged() -> None:
    # A content hash that came out otherwise would make a version of every record there is.
    assert sealed(PAPER)[1] == "96b0f993dbda7e6b1268664308317425"
    assert sealed(Record("s", "1", "entry"))[1] == "f8cb2a3ad48c62d9ad800ddf729cd01d"


def test_records_have_numbers_in_the_order_of_their_page(store: Store) -> None:
    ids = ["10", "b", "9", "a" * 40, "1", "aa"]
    put(store, *(replace(PAPER, external_id=key) for key in ids))
    assert [row["external_id"] for row in reversed(store.records.newest(10))] == ids


def test_one_page_may_hold_all_that_can_become_of_a_record(store: Store, clock: Clock) -> None:
    old, edited, young, foreign = (
        replace(PAPER, external_id=key) for key in ("old", "edited", "young", "foreign")
    )
    put(store, old, edited)
    clock.forward(hours=20)
    put(store, young)
    put(store, foreign, task="other", run=2)
    clock.forward(hours=10)
    page = [old, replace(edited, title="Edited"), young, foreign, replace(PAPER, external_id="new")]
    assert put(store, *page, run=3) == Outcome(new=1, changed=1, unchanged=3, fresh=3)
    rows = [store.records.get("arxiv", record.external_id) for record in page]
    seen = {row["external_id"]: (row["version"], row["last_seen_at"] == clock.now) for row in rows if row}
    # `young` and `foreign` were seen within a day: not worth a write.
    assert seen == {
        "old": (1, True),
        "edited": (2, True),
        "young": (1, False),
        "foreign": (1, False),
        "new": (1, True),
    }
    with store.database.reader() as reader:
        sights = {key: reader.all("sightings_of", source="arxiv", external_id=key) for key in seen}
    runs = {key: [(row["task_id"], row["run_id"]) for row in rows] for key, rows in sights.items()}
    assert runs == {
        "old": [("t", 3)], "edited": [("t", 3)], "young": [("t", 1)], "foreign": [("other", 2), ("t", 3)],
        "new": [("t", 3)],
    }  # fmt: skip
    first = {key: rows[0]["first_seen_at"] for key, rows in sights.items()}
    assert first["old"] == first["edited"] == clock.now - timedelta(hours=30)
    # And nothing more is to be done of it.
    assert put(store, *page, run=4) == Outcome(unchanged=5)


def test_a_record_is_touched_also_where_the_task_saw_it_lately(store: Store, clock: Clock) -> None:
    put(store, PAPER)
    clock.forward(hours=20)
    put(store, PAPER, task="other")
    clock.forward(hours=10)
    assert put(store, PAPER, task="other") == Outcome(unchanged=1)
    row = store.records.get("arxiv", PAPER.external_id)
    assert row is not None
    assert row["last_seen_at"] == clock.now


def test_a_change_that_another_task_brought_is_fresh_once(store: Store, clock: Clock) -> None:
    put(store, PAPER)
    clock.forward(hours=1)
    put(store, replace(PAPER, title="Edited"), task="other", run=2)
    clock.forward(hours=1)
    assert put(store, replace(PAPER, title="Edited"), run=3) == Outcome(unchanged=1, fresh=1)
    assert put(store, replace(PAPER, title="Edited"), run=4) == Outcome(unchanged=1)


def test_two_tasks_may_bring_the_same_new_records_at_once(store: Store) -> None:
    page = [replace(PAPER, external_id=f"{number:04d}") for number in range(300)]
    found: list[Outcome] = []
    failed: list[BaseException] = []

    def work(task: str) -> None:
        try:
            found.append(put(store, *page, task=task))
        except BaseException as error:
            failed.append(error)

    for _ in range(3):
        threads = [threading.Thread(target=work, args=(f"t{number}",)) for number in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert failed == []
    assert sum(outcome.new for outcome in found) == 300
    assert store.records.count() == 300
