"""Every fault at every source, through the whole road; tests/support/faults.py judges, faulty.py has the sources.

Each fault strikes at the first request of a run and behind a committed page. What is left out, and why:

- Trending and feeds have one answer: nothing comes behind a committed page, and no paging can go wrong.
- An empty page is a fault only where more was promised. Where a token or a link leads on, it is a page like any other.
  EDGAR's indexes may be empty, and its feed does not say how long it is; what it leaves out comes with the index.
- The ways of paging of http_json differ in where they go on, and in nothing that happens below. All faults strike at
  numbered pages, at tokens in a body and at a whole answer; at the others those whose meaning a collector may change.
- EDGAR's files are named by days and companies: no page of them can be another one, none can lead back.
- A fault that takes time strikes at the first two of the named places of each source.
- XML that is nested deeper than 256 is no XML for anybody, and an id of 5 MB in a feed is shortened, not rejected.
"""

from __future__ import annotations

import re
import shutil
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import replace
from itertools import chain, count, repeat
from pathlib import Path
from typing import Any

import pytest

from stoma.collectors import http
from stoma.collectors.base import Deadline
from stoma.scheduler.base import TaskStatus
from stoma.scheduler.pipeline import Control
from stoma.scheduler.replay import replay
from stoma.stores import Store, open_store
from tests.support import bad_items
from tests.support.clock import Clock
from tests.support.faults import (
    CONTENT,
    DECLARED,
    EMPTY,
    ENDLESS,
    MISDECLARED,
    NOTHING,
    ONE_MORE,
    QUICK,
    REPEATED,
    SLOW,
    SLOWLY,
    STATUSES,
    UNHURRIED,
    UNTIL_THE_DEADLINE,
    WIRE,
    Case,
    Fault,
    Ill,
    Stand,
    cursor_of,
    go,
    nameless,
    no_secret,
    titles_of,
)
from tests.support.faulty import NOW, SECRET, SIZE, SOURCES, Source
from tests.support.server import Asked, Reply

NAMED = {source.name: source for source in SOURCES}
FEW = {
    "400", "404", "410", "422", "429", "500", "503 with Retry-After", "refused connection", "truncated body",
    "endless redirect", "garbage", "HTML instead of data", "half a body", "another answer",
}  # fmt: skip


@pytest.fixture(scope="module")
def stands(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    """Each source with its two undisturbed runs, made when it is first asked for."""
    found: dict[str, Stand] = {}

    def get(source: Source) -> Stand:
        if source.name not in found:
            folder = tmp_path_factory.mktemp("stand") / source.name
            folder.mkdir()
            found[source.name] = Stand(source, folder).prepare()
        return found[source.name]

    def servers() -> Iterator[Ill]:
        return (stand.server for stand in [*found.values()])

    with nameless(servers):
        yield get
    for stand in found.values():
        stand.close()


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(http, "USUAL", QUICK)
    monkeypatch.setenv("FAULTY_TOKEN", SECRET)


@contextmanager
def second_run(stand: Stand, folder: Path) -> Iterator[tuple[Store, Clock]]:
    """The store as the first run left it, at the time of the second."""
    shutil.copytree(stand.template, folder)
    clock = Clock()
    with open_store("sqlite:///stoma.db", folder, clock=clock) as store:
        stand.second(clock)
        yield store, clock


def param(source: Source, fault: Fault, place: str) -> Any:
    return pytest.param(source, fault, place, id=f"{source}: {fault}, {place}")


def matrix() -> list[Any]:
    return [
        param(source, fault, place)
        for source in SOURCES
        for fault in [*STATUSES, *WIRE, *CONTENT]
        if source.is_whole or fault.name in FEW
        for place in source.at
    ]


def paging_and_labels() -> list[Any]:
    return [
        *(param(source, REPEATED, "middle") for source in SOURCES if source.paging),
        param(NAMED["sec_edgar by form"], REPEATED, "feed, second page"),
        *(param(source, EMPTY, "middle") for source in SOURCES if source.paging == "number"),
        *(
            param(source, ONE_MORE, "middle")
            for source in SOURCES
            if source.paging == "token" and source.collector == "http_json"
        ),
        param(NAMED["arxiv oai"], NOTHING, "middle"),
        *(param(source, ENDLESS, "middle") for source in SOURCES if source.paging == "token"),
        param(NAMED["github search"], ENDLESS, "middle"),
        *(param(NAMED["feed RSS"], fault, "first") for fault in DECLARED),
        *(param(NAMED[name], MISDECLARED, "middle") for name in ("arxiv search", "arxiv oai")),
    ]


@pytest.mark.parametrize(("source", "fault", "place"), matrix() + paging_and_labels())
def test_a_fault(stands: Any, source: Source, fault: Fault, place: str, tmp_path: Path) -> None:
    Case(stands(source), fault, place).on_sqlite(tmp_path / "store")


@pytest.mark.parametrize(
    ("name", "config", "most", "ends"),
    [
        ("arxiv search", {"max_results": 30}, 10, None),
        ("github search", {}, 10, None),
        (
            "http_json page",
            {"paging": {"page": SIZE, "total": "total", "max_pages": 7}},
            7,
            "was page 7 of this run",
        ),
        ("http_json offset", {"paging": {"offset": SIZE, "max_pages": 7}}, 7, "was page 7 of this run"),
    ],
)
def test_numbered_pages_without_end(
    stands: Any, name: str, config: dict[str, Any], most: int, ends: str | None, tmp_path: Path
) -> None:
    """Page after page, whatever the number: it ends where the config or the source's own limit says, and it is told."""
    stand = stands(NAMED[name])
    stand = replace(stand, source=replace(stand.source, config={**stand.source.config, **config}))
    stand.log.close()
    with second_run(stand, tmp_path / "store") as (store, _):
        true, first = stand.server.truth, cursor_of(store)

        def truth(asked: Asked) -> Reply:
            # The first two pages in turn, and the promise of a million.
            number = int(asked.query.get("start") or asked.query.get("offset") or 0) // 3
            number = (int(asked.query.get("page") or number + 1) - 1) % 2
            size = 100 if name == "github search" else 3
            reply = true(
                replace(
                    asked,
                    query=asked.query
                    | {"start": str(number * size), "offset": str(number * size), "page": str(number + 1)},
                )
            )
            body = re.sub(rb"(totalResults[^>]*>)\d+", rb"\g<1>1000000", reply.body)
            body = re.sub(rb'("total(?:_count)?": )\d+', rb"\g<1>1000000", body)
            return replace(reply, body=body)

        stand.server.truth = truth
        run = go(store, stand, Control(deadline=Deadline(20)))
        assert len(stand.server.requests) <= most
        assert cursor_of(store) == first
        assert run.status is (TaskStatus.FAILED if ends else TaskStatus.COMPLETED)
        assert (ends is None and run.error is None) or (ends or "") in run.error
        assert titles_of(store).items() <= stand.all.titles.items()
        assert store.runs.progress("t", "live") if ends else True


def test_faults_that_take_time(stands: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """All sources at once, each in a thread of its own, for what they do is wait.

    What went wrong is tried again alone: on a busy machine a server of ours may be silent for longer than it means to.
    """

    def fault_of(case: Case, folder: Path) -> str | None:
        try:
            case.on_sqlite(folder)
        except AssertionError as error:
            return f"{case}: {error}"
        return None

    def judged(number: int, source: Source, faults: list[Fault]) -> list[Case]:
        cases = [Case(stands(source), fault, place) for fault in faults for place in list(source.at)[:2]]
        return [case for case in cases if fault_of(case, tmp_path / f"{number} {case.fault} {case.place}")]

    for source in SOURCES:
        stands(source)
    found: list[str] = []
    for limits, faults in ((SLOW, SLOWLY), (UNHURRIED, [UNTIL_THE_DEADLINE])):
        monkeypatch.setattr(http, "USUAL", limits)
        with ThreadPoolExecutor(len(SOURCES)) as pool:
            doubtful = list(chain(*pool.map(judged, count(), SOURCES, repeat(faults))))
        for number, case in enumerate(doubtful):
            again = Case(stands(case.stand.source), case.fault, case.place)
            found += filter(None, [fault_of(again, tmp_path / f"again {number} {again.fault} {again.place}")])
    assert found == []


@pytest.mark.parametrize("source", SOURCES, ids=str)
@pytest.mark.parametrize("name", ["503 with Retry-After", "half a body"])
def test_faults_on_postgresql(
    stands: Any, source: Source, name: str, tmp_path: Path, postgres_url: str
) -> None:
    [fault] = [one for one in STATUSES + CONTENT if one.name == name]
    stand, clock = stands(source), Clock()
    with open_store(postgres_url, tmp_path, clock=clock) as store:
        stand.begin(store, clock)
        Case(stand, fault, list(source.at)[-1]).judge(store, clock)


# -- one bad item ------------------------------------------------------------------------------------------------


def collected(stand: Stand, make: Any, folder: Path, place: str = "") -> tuple[Any, Any, Any]:
    """The second run with an answer that is spoiled: how it ended, its rejects, the titles of what it brought."""
    with second_run(stand, folder) as (store, _):
        source, true = stand.source, stand.server.truth
        # The last of numbered pages has room for one more.
        at = source.at.get(place) or source.at.get("first") or source.at["form"]
        number = stand.all.requests if source.paging == "number" else at
        spoiled: list[Any] = []

        def truth(asked: Asked) -> Reply:
            reply, request = true(asked), (asked.path, asked.query, asked.body)
            if asked.number == number:
                spoiled.append(request)
            return replace(reply, body=make(reply.body)) if request in spoiled else reply

        stand.server.truth = truth
        run = go(store, stand, Control(deadline=Deadline(20)))
        no_secret(store)
        again = replay(store, stand.task(), folder, NOW[0], dry_run=True)
        assert (again.lost, again.left_out, again.changed, again.new) == ([], [], 0, 0)
        return run, store.records.rejects("t"), titles_of(store)


@pytest.mark.parametrize(
    ("name", "kind"), [(name, kind) for name, kinds in bad_items.REJECTED.items() for kind in kinds]
)
def test_a_bad_item_is_rejected_and_its_page_goes_on(
    stands: Any, name: str, kind: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(http, "USUAL", replace(QUICK, asks=3, body=64 << 20))
    source, _, place = name.partition(", ")
    stand = stands(NAMED[source])
    make, reason = bad_items.REJECTED[name][kind]
    run, rejects, titles = collected(stand, make, tmp_path / "store", place)
    assert (run.status, run.error, run.rejected) == (TaskStatus.COMPLETED, None, 1)
    assert re.search(reason, rejects[0]["reason"]), rejects[0]["reason"]
    assert len(rejects[0]["reason"]) <= 500
    assert len(str(rejects[0]["item"])) < 100_000
    lost = stand.all.titles.keys() - titles.keys()
    # A line of a form is an item of its own.
    assert all("/non_derivative/" in key for key in lost)
    assert len(lost) <= 1


@pytest.mark.parametrize(
    ("name", "kind"), [(name, kind) for name, kinds in bad_items.KEPT.items() for kind in kinds]
)
def test_an_odd_item_is_kept_with_its_page(
    stands: Any, name: str, kind: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(http, "USUAL", replace(QUICK, asks=3, body=64 << 20))
    stand = stands(NAMED[name])
    run, rejects, titles = collected(stand, bad_items.KEPT[name][kind], tmp_path / "store")
    assert (run.status, run.error, rejects) == (TaskStatus.COMPLETED, None, [])
    assert stand.all.titles.items() <= titles.items()
    assert len(titles) > len(stand.all.titles)
