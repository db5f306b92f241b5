"""JSON Lines: one object a line, in UTF-8."""

from __future__ import annotations

from collections.abc import Sequence

import orjson

from stoma.formats import Cells, Column


class JsonlEncoder:
    """Each row becomes an object with all columns, in their order; JSON in cells is not read, only put in its place."""

    def __init__(self, columns: Sequence[Column]) -> None:
        self._names = [column.name for column in columns]
        self._json = [column.name for column in columns if column.type in ("texts", "json")]

    def begin(self) -> bytes:
        return b""

    def add(self, rows: Sequence[Cells]) -> bytes:
        lines = []
        for cells in rows:
            line = dict(zip(self._names, cells, strict=True))
            for name in self._json:
                if line[name] is not None:
                    line[name] = orjson.Fragment(line[name])
            lines.append(orjson.dumps(line, option=orjson.OPT_APPEND_NEWLINE))
        return b"".join(lines)

    def end(self) -> bytes:
        return b""
