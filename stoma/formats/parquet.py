"""Parquet: typed columns, compressed, in row groups of bounded size. Needs the extra `parquet` (pyarrow)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import orjson

from stoma.errors import UsageError
from stoma.formats import Cells, Column

GROUP_ROWS = 50_000
GROUP_BYTES = 32_000_000
"""A row group is written when it has so many rows or takes so much memory, whichever comes first."""


class ParquetEncoder:
    """Instants become timestamps in UTC, `texts` lists of strings, `json` stays text."""

    def __init__(self, columns: Sequence[Column]) -> None:
        try:
            import pyarrow
            from pyarrow import parquet
        except ImportError:
            raise UsageError(
                "Parquet is written by pyarrow, which is not installed",
                "pip install 'stoma-scheduler[parquet]' (in a checkout .venv/bin/pip install pyarrow), or csv or jsonl",
            ) from None
        self._arrow: Any = pyarrow
        self._columns = columns
        self._schema = pyarrow.schema([(column.name, _type(pyarrow, column)) for column in columns])
        self._sink = _Sink()
        self._writer: Any = parquet.ParquetWriter(
            self._sink, self._schema, compression="zstd", write_batch_size=1024
        )
        # What belongs to the row group that is not written yet.
        self._waiting: list[Any] = []
        self._rows = self._bytes = 0

    def begin(self) -> bytes:
        return self._sink.taken()

    def add(self, rows: Sequence[Cells]) -> bytes:
        if rows:
            batch = self._batch(rows)
            self._waiting.append(batch)
            self._rows += batch.num_rows
            self._bytes += batch.nbytes
        if self._rows >= GROUP_ROWS or self._bytes >= GROUP_BYTES:
            self._write_group()
        return self._sink.taken()

    def end(self) -> bytes:
        if self._waiting:
            self._write_group()
        self._writer.close()
        return self._sink.taken()

    def _batch(self, rows: Sequence[Cells]) -> Any:
        arrays = [
            _array(self._arrow, column, cells, field.type)
            for column, cells, field in zip(self._columns, zip(*rows, strict=True), self._schema, strict=True)
        ]
        return self._arrow.RecordBatch.from_arrays(arrays, schema=self._schema)

    def _write_group(self) -> None:
        table = self._arrow.Table.from_batches(self._waiting, schema=self._schema)
        self._writer.write_table(table, row_group_size=max(self._rows, 1))
        self._waiting, self._rows, self._bytes = [], 0, 0


def _type(arrow: Any, column: Column) -> Any:
    return {
        "text": arrow.string(),
        "json": arrow.string(),
        "texts": arrow.list_(arrow.string()),
        "integer": arrow.int64(),
        "number": arrow.float64(),
        "boolean": arrow.bool_(),
        "instant": arrow.timestamp("us", tz="UTC"),
    }[column.type]


def _array(arrow: Any, column: Column, cells: Sequence[Any], type_: Any) -> Any:
    if column.type == "instant":
        return arrow.array(cells, arrow.string()).cast(type_)
    if column.type == "texts":
        cells = [None if cell is None else orjson.loads(cell) for cell in cells]
    return arrow.array(cells, type_)


class _Sink:
    """A file in memory whose bytes are taken away as they come."""

    closed = False

    def __init__(self) -> None:
        self._pieces: list[bytes] = []
        self._size = 0

    def write(self, data: Any) -> int:
        piece = bytes(data)
        self._pieces.append(piece)
        self._size += len(piece)
        return len(piece)

    def tell(self) -> int:
        return self._size

    def flush(self) -> None:
        pass

    def close(self) -> None:
        self.closed = True

    def taken(self) -> bytes:
        pieces, self._pieces = self._pieces, []
        return b"".join(pieces)
