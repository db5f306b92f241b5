"""How fast and in how much memory records are exported, from both databases and in every format.

    python -m benchmarks.export [--records 1000000] [--rounds 3] [--formats jsonl csv parquet] [--folder FOLDER]

Each export is a process of its own that writes a file, with checksum and manifest, and tells its seconds (from the
first statement to the file's name) and its largest size. Beside it a bare loop: `select *`, read row by row from a
cursor, through `json.dumps` or `csv.writer` into a file. They take turns; medians. Records as in benchmarks.million.
"""

from __future__ import annotations

import argparse
import csv
import json
import resource
import sqlite3
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import psycopg

from benchmarks.million import fill
from stoma.export import Export, Form, to_file
from stoma.stores import open_store
from stoma.stores.extracts import Wanted
from stoma.stores.questions import RECORD_FIELDS
from tests.support import postgres

COLUMNS = ", ".join(RECORD_FIELDS)
JSON = ("authors", "tags", "attributes")


def stoma(url: str, format_: str, path: Path) -> int:
    """Export as the command does; how many records."""
    with open_store(url, path.parent) as store:
        return int(to_file(Export(store, Wanted(), Form(format_)), path)["count"])


def bare(url: str, format_: str, path: Path) -> int:
    """What anybody would write in ten lines."""
    count = 0
    with path.open("w", newline="") as file:
        table = csv.writer(file)
        for row in _rows(url):
            if format_ == "csv":
                table.writerow(
                    [json.dumps(v) if n in JSON else v for n, v in zip(RECORD_FIELDS, row, strict=True)]
                )
            else:
                file.write(json.dumps(dict(zip(RECORD_FIELDS, row, strict=True)), default=str) + "\n")
            count += 1
    return count


def _rows(url: str) -> Iterator[tuple[Any, ...]]:
    query = f"select {COLUMNS} from records"
    if url.startswith("sqlite"):
        at = [RECORD_FIELDS.index(name) for name in JSON]
        for found in sqlite3.connect(url.removeprefix("sqlite:///")).execute(query):
            row = list(found)
            for index in at:
                row[index] = json.loads(row[index])
            yield tuple(row)
        return
    with psycopg.connect(url) as connection, connection.cursor("bare") as cursor:
        cursor.itersize = 2000
        yield from cursor.execute(query)


def one(kind: str, url: str, format_: str) -> dict[str, float]:
    """Carry out one of them in this process, and tell."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / f"out.{format_}"
        began = time.perf_counter()
        count = (stoma if kind == "stoma" else bare)(url, format_, path)
        seconds = time.perf_counter() - began
        size = path.stat().st_size
    most = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return {"rate": count / seconds, "megabytes": most / 1000, "bytes": size / count}


def apart(*words: str) -> dict[str, float]:
    """The same in a process of its own."""
    done = subprocess.run(
        [sys.executable, "-m", "benchmarks.export", "--one", *words],
        capture_output=True,
        text=True,
        check=True,
    )
    found: dict[str, float] = json.loads(done.stdout)
    return found


def measured(name: str, url: str, formats: list[str], rounds: int) -> None:
    """A line for each format."""
    for format_ in formats:
        kinds = ("stoma",) if format_ == "parquet" else ("stoma", "bare")
        found: dict[str, list[dict[str, float]]] = {kind: [] for kind in kinds}
        for _ in range(rounds):
            for kind in kinds:
                found[kind].append(apart(kind, url, format_))
        rate = {kind: statistics.median(each["rate"] for each in found[kind]) for kind in kinds}
        most = max(each["megabytes"] for each in found["stoma"])
        beside = f"{rate['bare']:10.0f} {rate['stoma'] / rate['bare']:8.2f}" if "bare" in rate else f"{'':19}"
        print(
            f"{name:10} {format_:8} {rate['stoma']:10.0f} {beside} {most:8.0f} {found['stoma'][0]['bytes']:10.0f}"
        )


def main() -> None:
    """Print a table of records a second, memory and bytes a record."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--records", type=int, default=1_000_000)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--formats", nargs="+", default=["jsonl", "csv", "parquet"])
    parser.add_argument("--folder", type=Path, help="where the databases are, /tmp by default")
    parser.add_argument("--one", nargs=3, help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.one:
        print(json.dumps(one(*given.one)))
        return
    server = postgres.start(postgres.binaries())
    try:
        with server.fresh_database() as url, tempfile.TemporaryDirectory(dir=given.folder) as folder:
            urls = {"sqlite": f"sqlite:///{folder}/bench.db", "postgres": url}
            for each in urls.values():
                with open_store(each, Path(folder)) as store:
                    fill(store, given.records, datetime.now(UTC))
            print(
                f"{'store':10} {'format':8} {'stoma/s':>10} {'bare/s':>10} {'ratio':>8} {'MB most':>8} {'B/record':>10}"
            )
            for name, each in urls.items():
                measured(name, each, given.formats, given.rounds)
    finally:
        server.stop()


if __name__ == "__main__":
    main()
