"""A store of a million records, and what people ask of it.

    python -m benchmarks.million [--records 1000000] [--store sqlite postgres] [--folder FOLDER]

Fills each database through the same path as a run (pages of 1,000), builds the index of words, and measures search,
`changes --since 7d`, the API's first page and the export of all, and the size of the database beside the raw JSON.
Records are spread over a year, the last 20,000 over the last week; 10,000 of them are measured daily for a month. Texts
are made of 50,000 invented words whose frequencies fall as those of a language do: some are in half of all records.
`--folder` keeps the SQLite file, to be asked again.
"""

from __future__ import annotations

import argparse
import random
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime, timedelta
from itertools import accumulate
from pathlib import Path

import orjson

from stoma.records import Record, checked, sealed
from stoma.stores import Store, open_store
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
