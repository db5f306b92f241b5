"""CSV as RFC 4180 says: commas, CRLF, quotes where they are needed, a first line with the names; in UTF-8."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Sequence

from stoma.formats import Cells, Column

FORMULA = tuple("=+-@\t\r\n＝＋－＠")
"""With what a cell begins that spreadsheets take for a formula, in the full width of East Asian writing too."""


class CsvEncoder:
    """Each row becomes a line; nothing is an empty cell, and JSON stands there as text.

    `for_spreadsheets` puts an apostrophe before texts that a spreadsheet would take for a formula: no longer the data
    as it is.
    """

    def __init__(self, columns: Sequence[Column], *, for_spreadsheets: bool = False) -> None:
        self._names = [column.name for column in columns]
        self._booleans = [index for index, column in enumerate(columns) if column.type == "boolean"]
        self._texts = [index for index, column in enumerate(columns) if column.type == "text"]
        self._for_spreadsheets = for_spreadsheets

    def begin(self) -> bytes:
        return _lines([self._names])

    def add(self, rows: Sequence[Cells]) -> bytes:
        if not self._booleans and not self._for_spreadsheets:
            return _lines(rows)
        return _lines(self._changed(list(cells)) for cells in rows)

    def end(self) -> bytes:
        return b""

    def _changed(self, cells: list[object]) -> list[object]:
        for index in self._booleans:
            if cells[index] is not None:
                cells[index] = "true" if cells[index] else "false"
        for index in self._texts if self._for_spreadsheets else ():
            text = cells[index]
            if isinstance(text, str) and text.startswith(FORMULA):
                cells[index] = f"'{text}"
        return cells


def _lines(rows: Iterable[Sequence[object]]) -> bytes:
    text = io.StringIO(newline="")
    csv.writer(text, lineterminator="\r\n").writerows(rows)
    return text.getvalue().encode()
