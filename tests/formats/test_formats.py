"""What rows are written as, read back by others: Python's csv, orjson, pyarrow."""

from __future__ import annotations

import csv
import io
import json
import sys
from datetime import UTC, datetime
from typing import Any

import pyarrow
import pytest
from pyarrow import parquet

from stoma.errors import UsageError
from stoma.formats import FORMATS, Cells, Column, encoder
from stoma.formats.parquet import GROUP_BYTES, GROUP_ROWS

COLUMNS = [
    Column("id", "integer"),
    Column("title", "text"),
    Column("share", "number"),
    Column("is_new", "boolean"),
    Column("at", "instant"),
    Column("tags", "texts"),
    Column("more", "json"),
]
NASTY = 'a "b", c\r\nd\n=1+1\té\u2028\x01 \U0001f600'
ROWS: list[Cells] = [
    (1, NASTY, 0.1, True, "2026-11-02T09:00:00Z", json.dumps([NASTY, ""]), '{"a": [1, null]}'),
    (2, "", None, None, None, None, None),
    (2**53 + 1, "=1+1", -2.5, False, "0001-01-01T00:00:00.000001Z", "[]", "[]"),
]


def written(format_: str, *batches: list[Cells], **wishes: bool) -> bytes:
    one = encoder(format_, COLUMNS, **wishes)
    return one.begin() + b"".join(one.add(rows) for rows in batches) + one.end()


def test_json_lines_are_objects_with_all_columns() -> None:
    lines = written("jsonl", ROWS[:1], ROWS[1:]).split(b"\n")
    assert lines.pop() == b""
    found = [json.loads(line) for line in lines]
    assert [list(one) for one in found] == [[column.name for column in COLUMNS]] * 3
    assert found[0]["title"] == NASTY
    assert (found[0]["tags"], found[0]["more"]) == ([NASTY, ""], {"a": [1, None]})
    assert list(found[1].values()) == [2, "", None, None, None, None, None]
    assert (found[2]["id"], found[2]["share"], found[2]["is_new"]) == (2**53 + 1, -2.5, False)


def test_csv_is_what_rfc_4180_says() -> None:
    text = written("csv", ROWS[:1], ROWS[1:]).decode()
    assert text.startswith("id,title,share,is_new,at,tags,more\r\n1,")
    assert text.endswith("[],[]\r\n")
    names, *found = csv.reader(io.StringIO(text, newline=""), strict=True)
    assert names == [column.name for column in COLUMNS]
    assert found[0][:5] == ["1", NASTY, "0.1", "true", "2026-11-02T09:00:00Z"]
    assert json.loads(found[0][5]) == [NASTY, ""]
    assert found[1] == ["2", "", "", "", "", "", ""]
    assert found[2][:4] == [str(2**53 + 1), "=1+1", "-2.5", "false"]


@pytest.mark.parametrize("start", ["=", "+", "-", "@", "\t", "\r", "\n", "＝"])
def test_formulas_are_made_harmless_only_where_that_is_asked_for(start: str) -> None:
    row: Cells = (-1, f"{start}cmd()", -2.5, None, None, None, None)
    for wishes, expected in (({}, row[1]), ({"for_spreadsheets": True}, f"'{row[1]}")):
        text = written("csv", [row], **wishes).decode()
        [_, found] = csv.reader(io.StringIO(text, newline=""))
        # A number is none of them.
        assert found[:3] == ["-1", expected, "-2.5"]


def test_parquet_has_types() -> None:
    table = parquet.read_table(io.BytesIO(written("parquet", ROWS[:1], ROWS[1:])))
    assert dict(zip(table.schema.names, table.schema.types, strict=True)) == {
        "id": pyarrow.int64(),
        "title": pyarrow.string(),
        "share": pyarrow.float64(),
        "is_new": pyarrow.bool_(),
        "at": pyarrow.timestamp("us", tz="UTC"),
        "tags": pyarrow.list_(pyarrow.string()),
        "more": pyarrow.string(),
    }
    first, second, third = table.to_pylist()
    assert (first["title"], first["tags"], first["more"]) == (NASTY, [NASTY, ""], '{"a": [1, null]}')
    assert first["at"] == datetime(2026, 11, 2, 9, tzinfo=UTC)
    assert list(second.values()) == [2, "", None, None, None, None, None]
    assert (third["id"], third["is_new"], third["tags"]) == (2**53 + 1, False, [])
    assert third["at"] == datetime(1, 1, 1, microsecond=1, tzinfo=UTC)


def test_row_groups_are_bounded_by_rows_and_by_size() -> None:
    few = [(number, "", None, None, None, None, None) for number in range(1000)]
    file = parquet.ParquetFile(io.BytesIO(written("parquet", *[few] * (GROUP_ROWS // 1000 + 1))))
    assert [file.metadata.row_group(n).num_rows for n in range(file.num_row_groups)] == [GROUP_ROWS, 1000]

    large = [(number, "x" * (GROUP_BYTES // 4), None, None, None, None, None) for number in range(2)]
    one = encoder("parquet", COLUMNS)
    sizes = [len(one.begin()), *(len(one.add(large)) for _ in range(4)), len(one.end())]
    # Bytes come as soon as a group is full, and nothing is kept until the end.
    assert [size > 0 for size in sizes] == [True, False, True, False, True, True]


@pytest.mark.parametrize("format_", FORMATS)
def test_nothing_is_a_whole_file_too(format_: str) -> None:
    found = written(format_)
    if format_ == "parquet":
        assert parquet.read_table(io.BytesIO(found)).num_rows == 0
    else:
        assert found == (b"id,title,share,is_new,at,tags,more\r\n" if format_ == "csv" else b"")


def test_parquet_without_pyarrow_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    missing: Any = None
    monkeypatch.setitem(sys.modules, "pyarrow", missing)
    with pytest.raises(UsageError, match="pyarrow") as caught:
        encoder("parquet", COLUMNS)
    assert "pip install 'stoma-scheduler[parquet]'" in caught.value.hint
