"""What rows are written as: CSV, JSON Lines, Parquet. Pure: rows go in, bytes come out.

A row is a tuple of cells in the order of the columns. Instants are text in UTC (`2026-11-02T09:00:00Z`); `texts` (a
list of texts) and `json` are JSON as text; the others are values; None is nothing, whatever the type.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal, Protocol

Type = Literal["text", "integer", "number", "boolean", "instant", "texts", "json"]
Cells = tuple[Any, ...]

FORMATS = ("csv", "jsonl", "parquet")


@dataclass(frozen=True, slots=True)
class Column:
    """One column by its name, and what its cells are."""

    name: str
    type: Type


class Encoder(Protocol):
    """Turns rows into bytes that belong behind one another."""

    def begin(self) -> bytes:
        """What comes before the first row."""

    def add(self, rows: Sequence[Cells]) -> bytes:
        """Some rows; nothing yet where they are kept for later."""

    def end(self) -> bytes:
        """What comes behind the last row."""


def encoder(format: str, columns: Sequence[Column], *, for_spreadsheets: bool = False) -> Encoder:
    """The encoder of a format; `for_spreadsheets` makes cells of CSV harmless that look like formulas.

    Raises UsageError where pyarrow is needed and missing.
    """
    if format == "csv":
        from stoma.formats.csv import CsvEncoder

        return CsvEncoder(columns, for_spreadsheets=for_spreadsheets)
    if format == "jsonl":
        from stoma.formats.jsonl import JsonlEncoder

        return JsonlEncoder(columns)
    if format == "parquet":
        from stoma.formats.parquet import ParquetEncoder

        return ParquetEncoder(columns)
    raise ValueError(format)
