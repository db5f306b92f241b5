"""Search on both databases: what is found, in which order, and how the index comes to know of it."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from stoma.errors import UsageError
from stoma.query import And, Node, Or, Term, parse, places, words
from stoma.stores import Store, indexing, open_store, search
from stoma.stores.indexing import Index
from stoma.stores.questions import Selection
from stoma.stores.search import Lag
from stoma.stores.wordlists import MOST_OFTEN, MOST_TEXT, MOST_WORDS, listed
from tests.support.clock import Clock
from tests.support.records import indexed, record, stored

ALL = Selection()


def found(store: Store, query: str, selection: Selection = ALL, limit: int = 100, **given: Any) -> list[str]:
    return [row["external_id"] for row in store.search.find(query, selection, limit, **given).rows]


def take_up(store: Store) -> int:
    total = 0
    while (count := store.search.index.take_up()) is not None:
        total += count
    return total


def test_what_is_searched(store: Store) -> None:
    one = record(
        "2605.00001v1",
        "On <i>naïve</i> sets &amp; C++",
        "A summary. 深度学习 it is",
        authors=("Ada Example", "Bo Beispiel"),
        tags=("cs.LG",),
        attributes={
            "doi": "10.1/abc",
            "deep": [{"note": "Hidden Gem"}],
            "pdf": "https://example.org/elsewhere",
            "n": 7,
        },
    )
    indexed(store, one, record("other", "nothing"))
    for query in (
        "naive", "NAÏVE", "c++", "summary", "深度", '"ada example"', "bo", "cs.LG", "2605.00001v1", "10.1/abc",
        "hidden gem", "sett* OR sets",
    ):  # fmt: skip
        assert found(store, query) == ["2605.00001v1"], query
    for query in ("amp", "elsewhere", "https", "7", "c", '"example bo"', '"c summary"', "paper", "i"):
        assert found(store, query) == [], query


def test_best_first(store: Store) -> None:
    day = datetime(2026, 1, 1, tzinfo=UTC)
    indexed(
        store,
        record("old", "Attention", published_at=day),
        record("new", "Attention", published_at=day + timedelta(days=1)),
        record(
            "body", "Something", "attention is here, attention is there", published_at=day + timedelta(days=2)
        ),
        record("long", "Attention and a lot of other things that nobody asked for", published_at=day),
        record("apart", "Need is all of attention", published_at=day + timedelta(days=5)),
        record("phrase", "Attention is all you need"),
    )
    assert found(store, "attention", limit=4)[:2] == ["new", "old"]
    assert found(store, "attention")[-1] == "body"
    assert found(store, "attention is all")[0] == "phrase"
    assert found(store, "attention", order="newest") == ["phrase", "apart", "long", "body", "new", "old"]


def test_a_good_title_is_found_behind_many_newer_texts(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(search, "CANDIDATES", 3)
    indexed(store, record("title", "Attention"), *(record(f"r{n}", "x", "attention") for n in range(20)))
    assert found(store, "attention", limit=1) == ["title"]


def test_newest_goes_on_where_it_was(store: Store) -> None:
    indexed(store, *(record(f"r{n}", "word") for n in range(10)))
    seen, before = [], None
    while True:
        page = store.search.find("word", ALL, 4, order="newest", before=before)
        seen += [row["external_id"] for row in page.rows]
        assert page.has_more == (len(seen) < 10)
        if not page.has_more:
            break
        before = page.rows[-1]["id"]
    assert seen == [f"r{n}" for n in reversed(range(10))]
    assert store.search.ids("word", ALL, 3, before=4) == [3, 2, 1]
    assert store.search.find("word", ALL, 9).has_more
    assert not store.search.find("word", ALL, 10).has_more


def test_selections(store: Store, clock: Clock) -> None:
    first = clock.now
    indexed(store, record("a", "word"), record("b", "word", kind="entry"))
    clock.forward(days=10)
    indexed(store, record("c", "word", source="elsewhere"), record("d", "word"), task="u")
    chosen = {
        "kind": (Selection(kind="paper"), {"a", "c", "d"}),
        "source": (Selection(source="elsewhere"), {"c"}),
        "both": (Selection(kind="entry", source="elsewhere"), set()),
        "task": (Selection(task="u"), {"c", "d"}),
        "since": (Selection(since=first + timedelta(days=1)), {"c", "d"}),
        "from": (Selection(since=first), {"a", "b", "c", "d"}),
        "until": (Selection(until=first + timedelta(days=1)), {"a", "b"}),
        "before": (Selection(until=first), set()),
        "between": (Selection(since=first, until=clock.now, kind="paper"), {"a"}),
        "later": (Selection(since=clock.now + timedelta(days=1)), set()),
    }
    for name, (selection, expected) in chosen.items():
        assert set(found(store, "word", selection)) == expected, name
        assert set(found(store, "word", selection, order="newest")) == expected, name


def test_queries_that_cannot_be_understood(store: Store) -> None:
    with pytest.raises(UsageError, match="not closed"):
        store.search.find("(a", ALL, 1)
    with pytest.raises(UsageError, match="order"):
        store.search.find("a", ALL, 1, order="oldest")


def test_blocks_of_records(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    """Many blocks, as a million records have: the newest hits are the same, wherever they lie."""
    monkeypatch.setattr("stoma.stores.indexing.BLOCK_BITS", 3)
    monkeypatch.setattr(search, "BLOCK_BITS", 3)
    spread = {
        "all": lambda n: True,
        "rare": lambda n: n == 77,
        "old": lambda n: n < 50,
        "some": lambda n: n % 9 == 0,
    }
    indexed(
        store,
        *(record(f"r{n}", " ".join(word for word, has in spread.items() if has(n))) for n in range(1, 200)),
    )
    for word, has in spread.items():
        expected = [n for n in range(199, 0, -1) if has(n)]
        for limit in (1, 5, 30, 200):
            assert store.search.ids(word, ALL, limit) == expected[:limit], (word, limit)
        assert store.search.ids(word, ALL, 5, before=60) == [n for n in expected if n < 60][:5], word


# -- the index ------------------------------------------------------------------------------------------------------


def test_the_lag_is_known_and_made_up_for(store: Store, clock: Clock) -> None:
    assert store.search.lag() == Lag()
    stored(store, record("a", "word"), record("b", "word"))
    since = clock.now
    clock.forward(minutes=1)
    stored(store, record("b", "word changed"), record("c", "word"))
    assert store.search.find("word", ALL, 5).lag == Lag(4, since)
    assert found(store, "word") == []
    assert take_up(store) == 3
    assert store.search.lag() == Lag()
    assert set(found(store, "word")) == {"a", "b", "c"}
    assert take_up(store) == 0


def test_only_what_a_record_says_now_is_found(store: Store) -> None:
    indexed(store, record("a", "one"))
    stored(store, record("a", "two"))
    indexed(store, record("a", "three"))
    assert [found(store, query) for query in ("one", "two", "three")] == [[], [], ["a"]]
    # Back to what it said first: another version with the same words.
    indexed(store, record("a", "one"))
    assert [found(store, query) for query in ("one", "two", "three")] == [["a"], [], []]
    assert store.search.check() == 0


def test_an_older_text_never_overwrites_a_newer_one(store: Store) -> None:
    """Another process reads a record, waits, and writes when the next version is long in the index."""
    stored(store, record("a", "one"))
    late = _read(store)
    indexed(store, record("a", "two"))
    _write(store, late)
    assert [found(store, query) for query in ("one", "two")] == [[], ["a"]]


def test_two_that_take_up_the_same_leave_one_entry(store: Store) -> None:
    stored(store, record("a", "word"))
    late = _read(store)
    assert take_up(store) == 1
    assert _write(store, late) == 0
    assert store.search.ids("word", ALL, 5) == [1]
    assert store.search.check() == 0


def test_a_record_that_is_deleted_meanwhile_leaves_nothing(store: Store) -> None:
    stored(store, record("a", "word"), record("b", "word"))
    late = _read(store)
    _delete(store, "a")
    _write(store, late)
    assert found(store, "word") == ["b"]
    _delete(store, "b")
    assert found(store, "word") == []
    assert store.search.ids("word", ALL, 5) == []
    # The same record again is a new one.
    indexed(store, record("a", "word"))
    assert found(store, "word") == ["a"]
    assert store.search.check() == 0


@pytest.mark.parametrize(
    "step", ["search_sources", "search_fresh", "search_entries_write", "search_queue_done"]
)
def test_killed_between_two_steps(store: Store, step: str) -> None:
    indexed(store, record("a", "one"))
    stored(store, record("a", "two"), record("b", "two"))
    with _dying_at(store, step), pytest.raises(KeyboardInterrupt):
        store.search.index.take_up()
    assert store.search.lag().records == 2
    assert store.search.check() == 0
    assert found(store, "one") == ["a"]
    assert take_up(store) == 2
    assert (found(store, "one"), set(found(store, "two"))) == ([], {"a", "b"})


def test_large_pages_are_taken_up_in_parts(store: Store) -> None:
    store.search.index._most = 7
    stored(store, *(record(f"r{n}", "word") for n in range(20)))
    stored(store, *(record(f"r{n}", "word again") for n in range(15)))
    assert store.search.index.take_up() == 7
    # A new process knows nothing of that.
    store.search.index = Index(store.database)
    assert take_up(store) == 13
    assert (len(found(store, "word")), len(found(store, "again"))) == (20, 15)


def test_texts_are_read_in_bounded_parts(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("stoma.stores.indexing.LEAST", 2)
    monkeypatch.setattr("stoma.stores.indexing.TEXT_OF_BATCH", 1000)
    stored(store, *(record(f"r{n}", "word", "long " * 200) for n in range(9)))
    assert store.search.index.take_up() == 2
    assert store.search.lag().records == 9
    assert take_up(store) == 7
    assert len(found(store, "word")) == 9


def test_built_anew(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("stoma.stores.indexing.CHECKED", 4)
    indexed(store, *(record(f"r{n}", "word") for n in range(10)))
    indexed(store, record("r3", "other"))
    _delete(store, "r5")
    assert list(store.search.rebuild())[-1] == (10, 10)
    assert store.search.lag().records == 9
    assert store.search.check() == 0
    store.search.index._most = 3
    assert take_up(store) == 9
    assert (len(found(store, "word")), found(store, "other")) == (8, ["r3"])
    assert store.search.lag() == Lag()


def test_a_check_finds_what_was_forgotten(
    store: Store, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("stoma.stores.indexing.CHECKED", 2)
    indexed(store, *(record(f"r{n}", "word") for n in range(5)))
    clock.forward(seconds=1)
    stored(store, record("r1", "changed"), record("new", "word"))
    assert store.search.check() == 0
    with store.database.transaction() as tx:
        tx.execute("search_entries_forget", after=2, up_to=5)
    assert store.search.check() == 3


def test_one_that_is_stored_while_the_check_looks_is_not_missing(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Late(indexing._Queued):
        def __init__(self, reader: Any) -> None:
            super().__init__(reader)
            if not late:
                late.append("b")
                stored(store, record("b", "word"))

    late: list[str] = []
    indexed(store, record("a", "word"))
    monkeypatch.setattr(indexing, "_Queued", Late)
    with store.database.reader() as reader:
        last = reader.one("search_last_record")
    assert last is not None
    # So that the new one is looked at.
    monkeypatch.setattr(indexing, "_number", lambda row: last["id"] + 1)
    assert store.search.check() == 0
    assert late == ["b"]


def test_what_is_missing_is_mended(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(indexing, "CHECKED", 3)
    monkeypatch.setattr(indexing, "NEAR", 2)
    indexed(store, *(record(f"r{n}", "word") for n in range(1, 30)))
    with store.database.transaction() as tx:
        for after, up_to in ((2, 7), (15, 16), (20, 21), (22, 23)):
            tx.execute("search_entries_forget", after=after, up_to=up_to)
    assert store.search.check() == store.search.repair() == 8
    # What is there is not taken up again, and what waits is not put there a second time.
    assert (store.search.check(), store.search.repair()) == (0, 0)
    assert take_up(store) == 8
    assert len(found(store, "word")) == 29
    assert store.search.repair() == 0
    assert store.search.lag() == Lag()


def test_what_is_missing_is_queued_as_few_ranges() -> None:
    assert indexing.spans([]) == []
    assert indexing.spans([5]) == [(4, 5)]
    assert indexing.spans([1, 2, 3, 90, 500, 601]) == [(0, 90), (499, 500), (600, 601)]


def test_entries_of_records_that_are_gone_are_found_and_forgotten(store: Store) -> None:
    indexed(store, *(record(f"r{n}", "word") for n in range(3)))
    with store.database.transaction() as tx:
        connection: Any = tx._connection  # type: ignore[attr-defined]
        # As whoever does without the trigger leaves it.
        connection.execute(
            "drop trigger search_forgets" + (" on records" if store.dialect == "postgres" else "")
        )
        connection.execute("delete from records where external_id = 'r1'")
    assert store.search.check() == store.search.repair() == 1
    assert (store.search.check(), store.search.repair()) == (0, 0)
    page = store.search.find("word", ALL, 2, order="newest")
    assert ([row["external_id"] for row in page.rows], page.has_more) == (["r2", "r0"], False)


def test_a_record_that_goes_while_its_words_are_written_leaves_none_behind(
    postgres_url: str, tmp_path: Path
) -> None:
    with open_store(postgres_url, tmp_path) as store, open_store(postgres_url, tmp_path) as other:
        stored(store, *(record(f"r{n}", "word") for n in range(5)))
        deleting = threading.Thread(target=lambda: [_delete(other, f"r{n}") for n in (4, 1)])
        with store.database.transaction() as tx:
            index = store.search.index
            work = index._read(tx)
            assert work is not None
            index._write(tx, work)
            deleting.start()
            deleting.join(0.3)
            # It waits for what was not committed yet.
            assert deleting.is_alive()
        deleting.join()
        assert store.search.check() == 0
        page = store.search.find("word", ALL, 3, order="newest")
        assert ([row["external_id"] for row in page.rows], page.has_more) == (["r3", "r2", "r0"], False)


def test_a_node_passes_over_what_another_one_works_off(
    postgres_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(indexing, "PAGES_OF_BATCH", 1)
    with open_store(postgres_url, tmp_path) as store, open_store(postgres_url, tmp_path) as other:
        stored(store, record("a", "word"))
        stored(store, record("b", "word"))
        with store.database.transaction() as tx:
            work = store.search.index._read(tx)
            assert work is not None
            taken: list[int | None] = []
            thread = threading.Thread(target=lambda: taken.append(other.search.index.take_up()))
            thread.start()
            thread.join(5)
            assert taken == [1]
            assert found(other, "word") == ["b"]
            store.search.index._write(tx, work)
        assert set(found(store, "word")) == {"a", "b"}


def test_a_page_with_many_changes_is_taken_up_in_parts(store: Store, clock: Clock) -> None:
    indexed(store, *(record(f"r{n}", "word") for n in range(12)))
    clock.forward(seconds=1)
    stored(store, record("new", "changed"), *(record(f"r{n}", "changed") for n in range(12)))
    store.search.index._most = 5
    assert store.search.index.take_up() == 6
    assert store.search.lag().records == 13
    assert take_up(store) == 7
    assert len(found(store, "changed")) == 13
    assert store.search.check() == 0


def test_the_bounds_of_a_time_leave_nothing_out(
    store: Store, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Pages that are written at the same time: the later one has the smaller numbers."""
    monkeypatch.setattr(search, "NEAREST", 10)
    at = clock.now
    stored(store, *(record(f"y{n}", "word", source="y") for n in range(5)), at=at + timedelta(seconds=1))
    stored(store, *(record(f"x{n}", "word", source="x") for n in range(60)), at=at)
    stored(store, *(record(f"z{n}", "word", source="z") for n in range(5)), at=at - timedelta(seconds=1))
    take_up(store)
    # A clock that was ahead by an hour, and one that was behind.
    stored(store, record("ahead", "word"), at=at + timedelta(hours=1))
    stored(store, *(record(f"w{n}", "word", source="w") for n in range(15)), at=at + timedelta(minutes=20))
    take_up(store)
    since, until = Selection(since=at), Selection(until=at + timedelta(milliseconds=1))
    for order in ("newest", "best"):
        assert len(found(store, "word", Selection(source="y", since=at), order=order)) == 5
        assert len(found(store, "word", Selection(source="z", until=at), order=order)) == 5
        assert len(found(store, "word", since, limit=200, order=order)) == 81
        assert len(found(store, "word", until, limit=200, order=order)) == 65
    # All of them, wherever their number is: this is how records are exported.
    assert len(store.search.ids("word", since, 200)) == 81
    late = Selection(since=at + timedelta(minutes=10))
    assert len(store.search.ids("word", late, 200)) == 16
    assert store.search.ids("word", Selection(until=at - timedelta(days=1)), 200) == []
    assert found(store, "word", Selection(since=at + timedelta(days=1))) == []


def test_hostile_texts(store: Store) -> None:
    many = " ".join(f"w{n}" for n in range(20_000))
    indexed(
        store,
        record("nul", "a\0b \ud800 ' \\ \" : & | ! <-> word"),
        record("huge", "word", "pi " * 3_500_000),
        record("many", "word", many),
        record("often", "word", "the " * (MOST_OFTEN + 50) + "very end"),
        record("wide", "word", " ".join(chr(0x10400 + n % 40) * 90 + str(n) for n in range(3000))),
        record("tokens", "word §b0 ·word ¦", "AND OR NOT NEAR(x) {a b}: ^c col : *"),
    )
    assert set(found(store, "word")) == {"nul", "huge", "many", "often", "wide", "tokens"}
    assert found(store, "w9") == found(store, "w15900") == ["many"]
    assert found(store, "w16100") == []
    assert found(store, '"very end"') == ["often"]
    # Behind so many, a word has no place any more, in neither database.
    assert found(store, '"the very"') == []
    assert found(store, "near x col -w1") == ["tokens"]


def test_what_was_stored_before_there_was_an_index(store: Store) -> None:
    stored(store, record("a", "word"), record("b", "word"))
    with store.database.transaction() as tx:
        tx.execute("search_queue_done", ids=[1])
        tx.execute("search_queue_range", after=0, up_to=2)
    assert store.search.lag().records == 2
    assert take_up(store) == 2
    assert set(found(store, "word")) == {"a", "b"}


def test_many_nodes_share_the_work(postgres_url: str, tmp_path: Path) -> None:
    nodes = [open_store(postgres_url, tmp_path) for _ in range(4)]
    for page in range(40):
        stored(nodes[0], *(record(f"r{page}.{n}", "word") for n in range(10)))
        stored(nodes[0], *(record(f"r{page}.{n}", "word changed") for n in range(5)))
    counts: list[int] = []
    for node in nodes:
        node.search.index._most = 20
    threads = [threading.Thread(target=lambda node=node: counts.append(take_up(node))) for node in nodes]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert take_up(nodes[0]) == 0
    assert sum(counts) >= 400
    assert len(nodes[0].search.ids("word", ALL, 1000)) == 400
    assert len(nodes[0].search.ids("changed", ALL, 1000)) == 200
    assert nodes[0].search.check() == 0
    for node in nodes:
        node.close()


def test_postgres_asks_the_index(postgres_url: str, tmp_path: Path) -> None:
    with open_store(postgres_url, tmp_path) as store:
        indexed(
            store, *(record(f"r{n}", "word" if n % 2 else "other", "more words " * 9) for n in range(600))
        )
        with store.database.transaction() as tx:
            tx.one("search_by_index")
            values: dict[str, Any] = dict.fromkeys(("since", "until", "task_id", "most"))
            plan = _explained(tx, "search_ids", query="'word'", low=1, high=600, limit=10, **values)
    assert "search_entries_words" in plan
    assert "Seq Scan" not in plan


# -- what a naive reader finds ----------------------------------------------------------------------------------------

LETTERS = ["a", "b", "ab", "Ab", "á", "c++", "深", "深度", "x1", "the"]
TEXTS = st.lists(st.sampled_from([*LETTERS, "-", "¦ §k", "<b>", "&amp;"]), max_size=8).map(" ".join)
SOME_WORDS = st.sampled_from(LETTERS)


def _queries() -> st.SearchStrategy[str]:
    term = st.one_of(
        SOME_WORDS,
        SOME_WORDS.map(lambda word: f"{word * 2 if len(word) == 1 else word}*"),
        st.lists(SOME_WORDS, min_size=2, max_size=3).map(lambda some: f'"{" ".join(some)}"'),
    )
    return st.recursive(
        term,
        lambda inner: st.one_of(
            st.tuples(inner, inner).map(" ".join),
            st.tuples(inner, inner).map(lambda two: f"({two[0]} OR {two[1]})"),
            st.tuples(inner, inner).map(lambda two: f"({two[0]} -({two[1]}))"),
        ),
        max_leaves=5,
    )


@settings(max_examples=12, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    texts=st.lists(st.tuples(TEXTS, TEXTS, TEXTS), min_size=1, max_size=8),
    queries=st.lists(_queries(), min_size=1, max_size=12),
)
def test_both_databases_find_what_a_reader_finds(
    both: list[Store], texts: list[tuple[str, str, str]], queries: list[str]
) -> None:
    day = datetime(2026, 1, 1, tzinfo=UTC)
    records = [
        record(f"k{n}", title, summary, authors=(author,), published_at=day + timedelta(days=n * 7 % 5))
        for n, (title, summary, author) in enumerate(texts)
    ]
    for store in both:
        with store.database.transaction() as tx:
            tx.execute("test_empty")
        indexed(store, *records)
    for query in queries:
        node = parse(query)
        expected = [one.external_id for one in records if _matches(node, listed(_row(one)))]
        newest, best = ([found(store, query, order=order) for store in both] for order in ("newest", "best"))
        assert newest[0] == newest[1] == expected[::-1], query
        assert best[0] == best[1], query
        assert sorted(best[0]) == sorted(expected), query


@pytest.fixture
def both(postgres_url: str, tmp_path: Path) -> Iterator[list[Store]]:
    stores = [open_store(url, tmp_path, clock=Clock()) for url in ("sqlite:///both.db", postgres_url)]
    for store in stores:
        texts = dict(store.database._statements) | {"test_empty": "delete from records"}  # type: ignore[attr-defined]
        store.database._statements = texts  # type: ignore[attr-defined]
        if store.dialect == "sqlite":
            store.database._cursor._texts = texts  # type: ignore[attr-defined]
    yield stores
    for store in stores:
        store.close()


def _row(one: Any) -> dict[str, Any]:
    names = ("external_id", "title", "summary", "authors", "tags", "attributes")
    return {name: getattr(one, name) for name in names}


def _matches(node: Node, has: list[str]) -> bool:
    if isinstance(node, Term):
        return any(True for _ in places(node, has))
    if isinstance(node, Or):
        return any(_matches(choice, has) for choice in node.choices)
    assert isinstance(node, And)
    return all(_matches(part, has) for part in node.wanted) and not any(
        _matches(part, has) for part in node.unwanted
    )


def test_words_of_a_record_are_bounded() -> None:
    row = _row(record("x", "title " * 1000, " ".join(f"ü{n}" for n in range(30_000))))
    has = listed(row)
    assert len(has) <= MOST_WORDS
    assert len(" ".join(has).encode()) <= 2 * MOST_TEXT
    assert "·title" in has
    assert words("title") == ["title"]


# -- helpers ---------------------------------------------------------------------------------------------------------


def _read(store: Store) -> Any:
    with store.database.reader() as reader:
        return store.search.index._read(reader)


def _write(store: Store, work: Any) -> int:
    with store.database.transaction() as tx:
        return store.search.index._write(tx, work)


def _delete(store: Store, key: str) -> None:
    with store.database.transaction() as tx:
        if store.dialect == "sqlite":
            tx._connection.execute("delete from records where external_id = ?", (key,))  # type: ignore[attr-defined]
        else:
            tx._connection.execute("delete from records where external_id = %s", (key,))  # type: ignore[attr-defined]


@contextmanager
def _dying_at(store: Store, step: str) -> Iterator[None]:
    """The process ends before this statement: what was not committed is gone."""
    with store.database.reader() as reader, pytest.MonkeyPatch.context() as patch:
        for method in ("all", "execute"):
            plain = getattr(type(reader), method)

            def call(self: Any, name: str, plain: Any = plain, **values: Any) -> Any:
                if name == step:
                    raise KeyboardInterrupt
                return plain(self, name, **values)

            patch.setattr(type(reader), method, call)
        yield


def _explained(tx: Any, name: str, **values: Any) -> str:
    from stoma.stores.base import chosen

    rows = tx._connection.execute("explain " + chosen(tx._texts[name], values), values).fetchall()
    return "\n".join(next(iter(row.values())) for row in rows)
