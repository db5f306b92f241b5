"""A store of a million records, and what people ask of it.

    python -m benchmarks.million [--records 1000000] [--store sqlite postgres] [--folder FOLDER]
    [--postgres URL]

Fills each database through the same path as a run (pages of 1,000), builds the index of words, and measures search,
`changes --since 7d`, the API's first page and the export of all, and the size of the database beside the raw JSON.
Records are spread over a year, the last 20,000 over the last week; 10,000 of them are measured daily for a month. Texts
are made of 50,000 invented words whose frequencies fall as those of a language do: some are in half of all records.
`--folder` keeps the SQLite file and `--postgres` uses a database that is there, to be asked again.
"""

from __future__ import annotations

import argparse
import http.client
import random
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime, timedelta
from functools import partial
from itertools import accumulate
from pathlib import Path

import orjson

from stoma.api.server import Server
from stoma.export import Export, Form
from stoma.records import Record, checked, sealed
from stoma.scheduler.config import Config
from stoma.scheduler.manager import Scheduler
from stoma.stores import Store, open_store
from stoma.stores.extracts import Wanted
from stoma.stores.questions import Selection
from stoma.stores.records import OBSERVATION_COLUMNS, Prepared, save
from tests.support import postgres

PAGE = 1_000
WORDS = 50_000
MEASURED = 10_000
DAYS_MEASURED = 30
WEEK = 20_000

CONSONANTS, VOWELS = "bcdfghjklmnprstvwz", "aeiou"


def vocabulary(count: int = WORDS) -> list[str]:
    """Invented words, the shortest first."""
    pick = random.Random(1)
    found: dict[str, None] = {}
    while len(found) < count:
        syllables = 1 + (len(found) > 200) + (len(found) > 5_000) + (pick.random() < 0.3)
        word = "".join(pick.choice(CONSONANTS) + pick.choice(VOWELS) for _ in range(syllables))
        found.setdefault(word + (pick.choice(CONSONANTS) if pick.random() < 0.5 else ""))
    return list(found)


def sentences(words: Sequence[str], count: int = 100_000) -> list[str]:
    """Runs of eleven words; the frequency of a word falls with its rank."""
    pick = random.Random(2)
    weights = list(accumulate(1 / (rank + 12) for rank in range(len(words))))
    drawn = pick.choices(words, cum_weights=weights, k=count * 11)
    return [" ".join(drawn[n : n + 11]) for n in range(0, len(drawn), 11)]


def records(count: int) -> Iterator[list[Record]]:
    """Invented records of about 1.3 KB as JSON, in pages."""
    words = vocabulary()
    texts = sentences(words)
    pick = random.Random(3)
    began = datetime(2020, 1, 1, tzinfo=UTC)
    kinds = ("paper", "paper", "paper", "entry", "entry", "entry", "filing", "repository")
    for first in range(0, count, PAGE):
        yield [
            Record(
                source=f"source{number % 8}",
                external_id=f"bench.{number:07d}",
                kind=kinds[number % 8],
                title=pick.choice(texts)[:70].capitalize(),
                summary=". ".join(pick.choices(texts, k=12)),
                url=f"https://example.org/records/{number}",
                authors=(
                    f"{words[number % 9000].capitalize()} {words[number % 7001].capitalize()}",
                    "B. Beispiel",
                ),
                tags=(words[number % 40], words[number % 300]),
                published_at=began + timedelta(minutes=number * 3),
                attributes={"number": number, "language": words[number % 60], "note": pick.choice(texts)},
            )
            for number in range(first, first + PAGE)
        ]


def fill(store: Store, count: int, now: datetime) -> float:
    """Store the records as pages of runs do; seconds it took, without making them up."""
    spent = 0.0
    pages = count // PAGE
    in_week = min(WEEK // PAGE, pages)
    for number, page in enumerate(records(count)):
        prepared = Prepared.of(sealed(checked(record)) for record in page)
        left = pages - number
        ago = (
            timedelta(hours=8) * left if left <= in_week else timedelta(days=8) + timedelta(hours=8.5) * left
        )
        stamp = now - ago
        began = time.perf_counter()
        with store.database.transaction() as tx:
            save(tx, prepared, f"task{number % 20}", number + 1, stamp)
        spent += time.perf_counter() - began
    return spent


def measure(store: Store, count: int, now: datetime) -> None:
    """Daily stars and forks of some records."""
    pick = random.Random(4)
    chosen = range(7, min(count, MEASURED * 8), 8)
    stars = {number: pick.randrange(5_000) for number in chosen}
    for day in range(DAYS_MEASURED, 0, -1):
        at = now - timedelta(days=day - 0.5)
        rows = []
        for number in chosen:
            stars[number] += pick.randrange(30)
            key = ("source7", f"bench.{number:07d}")
            rows.append((*key, "stars", float(stars[number]), at, day))
            rows.append((*key, "forks", float(stars[number] // 7), at, day))
        with store.database.transaction() as tx:
            tx.insert("observations", OBSERVATION_COLUMNS, rows)


def queries() -> list[str]:
    """A hundred queries as people write them: from words that are everywhere to words that are hardly anywhere."""
    words = vocabulary()
    texts = sentences(words)
    pick = random.Random(5)
    common, usual, rare = words[:60], words[60:3_000], words[3_000:40_000]
    found = [pick.choice(common) for _ in range(10)]
    found += [pick.choice(usual) for _ in range(20)] + [pick.choice(rare) for _ in range(10)]
    found += [f"{pick.choice(common)} {pick.choice(usual)}" for _ in range(10)]
    found += [f"{pick.choice(usual)} {pick.choice(usual)}" for _ in range(10)]
    found += [f"{pick.choice(common)} {pick.choice(common)}" for _ in range(5)]
    for _ in range(15):
        parts = pick.choice(texts).split()
        begin = pick.randrange(9)
        found.append(f'"{parts[begin]} {parts[begin + 1]}"')
    found += [f"{pick.choice(usual)} -{pick.choice(common)}" for _ in range(5)]
    found += [f"{pick.choice(rare)} OR {pick.choice(usual)}" for _ in range(5)]
    found += [f"{pick.choice(usual)[:4]}*" for _ in range(10)]
    return found


def percentile(seconds: Sequence[float], share: float) -> float:
    """Milliseconds below which this share lies."""
    ordered = sorted(seconds)
    return 1000 * ordered[min(len(ordered) - 1, int(share * len(ordered)))]


def timed(work: Callable[[], object]) -> float:
    """Seconds that `work` takes."""
    began = time.perf_counter()
    work()
    return time.perf_counter() - began


def raw_bytes(count: int) -> float:
    """Bytes of a record as JSON, on average over the first pages."""
    sample = next(records(min(count, PAGE)))
    return sum(
        len(orjson.dumps({name: getattr(r, name) for name in Record.__slots__})) for r in sample
    ) / len(sample)


def index(store: Store, budget: float = 3_600) -> tuple[int, float]:
    """Take up what is in the queue of the index; how many records, and seconds."""
    count, began = 0, time.perf_counter()
    while (some := store.search.index.take_up()) is not None and time.perf_counter() - began < budget:
        count += some
    store.search.index.tidy()
    return count, time.perf_counter() - began


def searches(store: Store, asked: Sequence[str]) -> list[float]:
    """Seconds of each query, the second time it is asked: people look at a store that is in use."""
    for query in asked:
        store.search.find(query, Selection(), 20)
    return [timed(partial(store.search.find, query, Selection(), 20)) for query in asked]


def over_http(store: Store, url: str, folder: Path) -> dict[str, float]:
    """Milliseconds of the first page of each question through the real server: the slowest of twenty, once warm."""
    scheduler = Scheduler(Config(base=folder, store_url=url))
    server = Server(scheduler, "127.0.0.1", 0)
    scheduler.start()
    server.start()
    try:
        connection = http.client.HTTPConnection("127.0.0.1", server.port)

        def ask(path: str) -> None:
            connection.request("GET", path)
            answer = connection.getresponse()
            body = answer.read()
            if answer.status != 200:
                raise RuntimeError(f"{path}: {answer.status} {body[:200]!r}")

        found = {}
        for path in (
            "/api/records",
            "/api/records?kind=repository",
            "/api/records?task=task7",
            "/api/changes?since=7d",
        ):
            ask(path)
            found[path] = 1000 * max(timed(partial(ask, path)) for _ in range(20))
        return found
    finally:
        server.stop()
        scheduler.stop()


def size_of(store: Store, folder: Path) -> int:
    """Bytes of the whole database."""
    if store.dialect == "sqlite":
        return sum(path.stat().st_size for path in folder.glob("million.db*"))
    with store.database.reader() as reader:
        row = reader._connection.execute("select pg_database_size(current_database()) as size").fetchone()  # type: ignore[attr-defined]
    return int(row["size"])


def report(url: str, folder: Path, count: int) -> None:
    """Fill what is empty, then measure and print everything about one database."""
    with open_store(url, folder) as store:
        now = store.now()
        print(f"\n{store.dialect}", flush=True)
        if store.records.count() < count:
            print(f"  stored           {count / fill(store, count, now):12,.0f} records/s", flush=True)
            measure(store, count, now)
        stored = size_of(store, folder)
        indexed, seconds = index(store)
        if indexed:
            print(f"  taken into index {indexed / seconds:12,.0f} records/s", flush=True)
        if store.dialect == "postgres":
            with store.database.reader() as reader:
                reader._connection.execute("vacuum analyze")  # type: ignore[attr-defined]
        whole = size_of(store, folder)
        raw = raw_bytes(count)
        print(
            f"  bytes a record   {stored / count:12,.0f}, with the index {whole / count:,.0f}; as JSON {raw:,.0f}"
        )
        asked = queries()
        spent = searches(store, asked)
        slowest = sorted(zip(spent, asked, strict=True), reverse=True)[:5]
        print(
            f"  search           p50 {percentile(spent, 0.5):.1f} ms, p95 {percentile(spent, 0.95):.1f} ms,"
            f" slowest {', '.join(f'{query} {1000 * took:.0f} ms' for took, query in slowest)}",
            flush=True,
        )
        asking = partial(store.questions.changes, Selection(since=now - timedelta(days=7)), now, limit=50)
        asking()
        print(
            f"  changes          {1000 * max(timed(asking) for _ in range(10)):.0f} ms at most of ten",
            flush=True,
        )
    for path, took in over_http(store, url, folder).items():
        print(f"  {path:32} {took:.0f} ms at most of twenty", flush=True)
    with open_store(url, folder) as store:
        export = Export(store, Wanted(), Form("jsonl"))
        began, size = time.perf_counter(), 0
        with (folder / "export.jsonl").open("wb") as file:
            for chunk in export.chunks():
                size += file.write(chunk)
        took = time.perf_counter() - began
        (folder / "export.jsonl").unlink()
        print(f"  export to JSONL  {count / took:12,.0f} records/s, {size / took / 1e6:.0f} MB/s", flush=True)


def main() -> None:
    """Print what was measured of each database."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])  # type: ignore[union-attr]
    parser.add_argument("--records", type=int, default=1_000_000)
    parser.add_argument("--store", nargs="+", choices=["sqlite", "postgres"], default=["sqlite", "postgres"])
    parser.add_argument("--folder", type=Path, help="keep the SQLite file here, and use the one that is here")
    parser.add_argument("--postgres", metavar="URL", help="use this database, filled or empty, and keep it")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as scratch:
        folder = given.folder or Path(scratch)
        if "sqlite" in given.store:
            report("sqlite:///million.db", folder, given.records)
        if "postgres" in given.store and given.postgres:
            report(given.postgres, folder, given.records)
        elif "postgres" in given.store:
            server = postgres.start(postgres.binaries(), shared_buffers="1GB", max_wal_size="4GB")
            try:
                with server.fresh_database() as url:
                    report(url, folder, given.records)
            finally:
                server.stop()


if __name__ == "__main__":
    main()
