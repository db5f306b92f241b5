"""Exports as files and streams: whole or not at all, the same from both databases, and true to their manifest."""

from __future__ import annotations

import gzip
import hashlib
import json
import os
import tracemalloc
from pathlib import Path
from typing import Any

import orjson
import pytest

from stoma import __version__
from stoma.errors import UsageError
from stoma.export import Export, Form, form_of, to_file, to_stream
from stoma.stores import Store, open_store
from stoma.stores.extracts import Wanted
from stoma.stores.questions import Selection, record_dict
from tests.support.clock import Clock
from tests.support.exports import every_kind, plain, put
from tests.support.stores import clock, store, url

__all__ = ["clock", "store", "url"]


def an_export(store: Store, format_: str = "jsonl", **wanted: Any) -> Export:
    return Export(store, Wanted(**wanted), Form(format_))


def test_a_line_is_what_is_told_of_a_record_everywhere(store: Store) -> None:
    put(store, every_kind())
    lines = b"".join(an_export(store).chunks()).splitlines()
    told = [record_dict(row) for row in reversed(store.records.newest())]
    assert [json.loads(line) for line in lines] == told
    # To the letter, with the attributes in the order of the alphabet.
    assert lines[0] == orjson.dumps(told[0] | {"attributes": dict(sorted(told[0]["attributes"].items()))})


@pytest.mark.parametrize("format_", ["jsonl", "csv"])
def test_both_databases_give_the_same_bytes(
    format_: str, tmp_path: Path, clock: Clock, postgres_url: str
) -> None:
    found: dict[str, list[bytes]] = {}
    for address in ("sqlite:///a.db", postgres_url):
        with open_store(address, tmp_path, clock=clock) as one:
            # One after the other, so that they get the same numbers.
            for record in every_kind():
                put(one, [record])
            for view in (None, "papers", "repositories", "filings", "transactions", "entries"):
                written = b"".join(an_export(one, format_, view=view).chunks())
                found.setdefault(str(view), []).append(written)
    for sqlite, postgres in found.values():
        assert len(sqlite) > 100
        assert sqlite == postgres


def test_a_file_and_its_manifest(store: Store, clock: Clock, tmp_path: Path) -> None:
    put(store, every_kind())
    selection = Selection(source="sec_edgar", since=clock.now)
    told = to_file(an_export(store, "csv", selection=selection), tmp_path / "a.csv")
    assert {name for name in os.listdir(tmp_path) if "stoma.db" not in name} == {
        "a.csv",
        "a.csv.manifest.json",
    }
    data = (tmp_path / "a.csv").read_bytes()
    manifest = json.loads((tmp_path / "a.csv.manifest.json").read_bytes())
    assert manifest == told
    columns = manifest.pop("columns")
    assert [column["name"] for column in columns] == data.split(b"\r\n")[0].decode().split(",")
    assert columns[7:9] == [{"name": "authors", "type": "texts"}, {"name": "tags", "type": "texts"}]
    ids = sorted(row["id"] for row in store.records.newest() if row["source"] == "sec_edgar")
    assert manifest == {
        "file": "a.csv",
        "format": "csv",
        "compression": None,
        "safe_for_spreadsheets": False,
        "bytes": len(data),
        "sha256": hashlib.sha256(data).hexdigest(),
        "stoma": __version__,
        "exported_at": "2026-03-01T12:00:00Z",
        "selection": {
            "view": None,
            "kind": None,
            "source": "sec_edgar",
            "task": None,
            "since": "2026-03-01T12:00:00Z",
            "until": None,
            "query": None,
        },
        "order": "id",
        "count": 3,
        "records": {"filing": 1, "filing_details": 1, "transaction": 1},
        "not_indexed": 0,
        "first_id": ids[0],
        "last_id": ids[-1],
    }


def test_the_manifest_of_a_view_and_of_a_query(store: Store) -> None:
    put(store, every_kind())
    work = an_export(store, view="papers")
    b"".join(work.chunks())
    told = work.manifest(None, 0, "")
    assert (told["records"], told["count"], told["selection"]["kind"]) == ({"paper": 2}, 2, "paper")
    # What is not in the index yet cannot be found, and the manifest says so.
    work = an_export(store, query="T")
    assert (list(work.chunks()), work.not_indexed) == ([b""], 9)
    told = work.manifest(None, 0, "")
    assert (told["order"], told["not_indexed"], told["first_id"], told["count"]) == ("-id", 9, None, 0)


def test_what_exists_stays_unless_it_may_be_replaced(store: Store, tmp_path: Path) -> None:
    put(store, plain(2))
    path, manifest = tmp_path / "a.jsonl", tmp_path / "a.jsonl.manifest.json"
    for one in (path, manifest):
        one.write_text("before")
        with pytest.raises(UsageError, match=f"{one.name} exists") as caught:
            to_file(an_export(store), path)
        assert "--force" in caught.value.hint
        one.unlink()
    to_file(an_export(store), path)
    put(store, plain(1, 3))
    told = to_file(an_export(store), path, force=True)
    assert (
        told["count"]
        == len(path.read_bytes().splitlines())
        == json.loads(manifest.read_bytes())["count"]
        == 3
    )


@pytest.mark.parametrize("end", [KeyboardInterrupt, MemoryError])
def test_an_export_that_breaks_off_leaves_nothing(
    store: Store, tmp_path: Path, end: type[BaseException]
) -> None:
    put(store, plain(100))
    folder = tmp_path / "out"
    folder.mkdir()

    def on_chunk(work: Export) -> None:
        assert "a.jsonl.part" in os.listdir(folder)
        if work.count >= 50:
            raise end

    with pytest.raises(end):
        to_file(an_export(store), folder / "a.jsonl", on_chunk=on_chunk)
    assert os.listdir(folder) == []
    # What was there before is still there, with its manifest.
    to_file(an_export(store), folder / "a.jsonl")
    before = (folder / "a.jsonl.manifest.json").read_bytes()
    with pytest.raises(end):
        to_file(an_export(store), folder / "a.jsonl", force=True, on_chunk=on_chunk)
    assert (folder / "a.jsonl.manifest.json").read_bytes() == before
    assert sorted(os.listdir(folder)) == ["a.jsonl", "a.jsonl.manifest.json"]


def test_a_stream_has_a_manifest_where_one_is_asked_for(store: Store, tmp_path: Path) -> None:
    put(store, plain(3))
    pieces: list[bytes] = []
    to_stream(an_export(store), pieces.append, tmp_path / "m.json")
    manifest = json.loads((tmp_path / "m.json").read_bytes())
    data = b"".join(pieces)
    assert (manifest["file"], manifest["bytes"]) == (None, len(data))
    assert manifest["sha256"] == hashlib.sha256(data).hexdigest()
    with pytest.raises(UsageError, match=r"m\.json exists"):
        to_stream(an_export(store), pieces.append, tmp_path / "m.json")


def test_compressed_is_the_same_packed(store: Store, tmp_path: Path) -> None:
    put(store, plain(200))
    plain_bytes = b"".join(an_export(store).chunks())
    told = to_file(Export(store, Wanted(), form_of(None, tmp_path / "a.jsonl.gz")), tmp_path / "a.jsonl.gz")
    packed = (tmp_path / "a.jsonl.gz").read_bytes()
    assert gzip.decompress(packed) == plain_bytes
    assert (told["compression"], told["bytes"], told["format"]) == ("gzip", len(packed), "jsonl")
    # Without a time in it: the same data gives the same file.
    assert packed[4:8] == bytes(4)


@pytest.mark.parametrize(
    ("format_", "name", "expected"),
    [
        (None, None, Form("jsonl")),
        (None, "a.CSV", Form("csv")),
        (None, "a.ndjson.gz", Form("jsonl", is_gzipped=True)),
        (None, "a.parquet", Form("parquet")),
        (None, "a.txt", Form("jsonl")),
        ("csv", "a.txt.gz", Form("csv", is_gzipped=True)),
    ],
)
def test_the_form_is_named_or_follows_from_the_file(
    format_: str | None, name: str | None, expected: Form
) -> None:
    assert form_of(format_, Path(name) if name else None) == expected


@pytest.mark.parametrize(
    ("wish", "reason"),
    [
        (lambda store: Form("cvs"), '"cvs" is not a format; did you mean "csv"'),
        (lambda store: form_of(None, Path("a.parquet.gz")), "compressed already"),
        (lambda store: Form("jsonl", for_spreadsheets=True), "only CSV is made safe"),
        (lambda store: an_export(store, view="paper"), '"paper" is not a view; did you mean "papers"'),
        (
            lambda store: an_export(store, view="papers", selection=Selection(kind="entry")),
            "papers shows records of kind paper, not entry",
        ),
        (lambda store: an_export(store, query='"'), "asks for nothing"),
        (
            lambda store: to_file(an_export(store), Path("a"), Path("./a")),
            "cannot be the export and its manifest",
        ),
    ],
)
def test_wishes_that_do_not_fit(tmp_path: Path, wish: Any, reason: str) -> None:
    with open_store("sqlite:///a.db", tmp_path) as store, pytest.raises(UsageError, match=reason):
        wish(store)


@pytest.mark.parametrize("format_", ["jsonl", "csv"])
def test_memory_does_not_grow_with_the_export(tmp_path: Path, format_: str) -> None:
    most: list[int] = []
    with open_store("sqlite:///a.db", tmp_path) as store:
        put(store, plain(800, summary="x" * 50_000))
        work = an_export(store, format_)
        tracemalloc.start()
        try:
            for chunk in work.chunks():
                assert len(chunk) < 6_000_000
                most.append(tracemalloc.get_traced_memory()[1])
        finally:
            tracemalloc.stop()
    assert work.count == 800
    assert len(most) >= 10
    assert most[-1] < 1.1 * most[len(most) // 2]
