"""What COPY reads: whatever stands in a cell, the line has its cells and says what was given."""

from __future__ import annotations

from datetime import UTC, datetime

from stoma.stores.postgres_rows import copied

NOON = datetime(2026, 1, 2, 12, tzinfo=UTC)


def read(text: str) -> list[list[str | None]]:
    """As the database reads it."""
    marks = {"\\\\": "\\", "\\t": "\t", "\\n": "\n", "\\r": "\r"}

    def cell(given: str) -> str | None:
        parts = given.split("\\\\")
        for mark, meant in list(marks.items())[1:]:
            parts = [part.replace(mark, meant) for part in parts]
        return None if given == "\\N" else "\\".join(parts)

    return [[cell(one) for one in line.split("\t")] for line in text.removesuffix("\n").split("\n")]


def test_marks_in_any_cell_are_escaped_in_that_cell_alone() -> None:
    rows = [("plain", "a\tb", 1), ("back\\slash \\n", "c\nd\r", 2)]

    assert read(copied(rows)) == [["plain", "a\tb", "1"], ["back\\slash \\n", "c\nd\r", "2"]]


def test_nothing_is_null_in_a_column_of_anything() -> None:
    rows = [("x", None, NOON, None, {"a": "\\"}), (None, None, None, ["\t"], None)]

    assert read(copied(rows)) == [
        ["x", None, "2026-01-02T12:00:00+00:00", None, '{"a":"\\\\"}'],
        [None, None, None, '["\\t"]', None],
    ]


def test_a_text_that_looks_like_null_stays_a_text() -> None:
    assert copied([("\\N",)]) == "\\\\N\n"
    assert copied([]) == ""


def test_columns_of_one_kind_are_as_they_would_be_alone() -> None:
    rows = [(NOON, ["ä"], b"\x01", 1.5, ""), (NOON, ("b",), b"\x02", 2.5, "é")]

    assert copied(rows) == "".join(copied([row]) for row in rows)
    assert copied(rows[:1]) == '2026-01-02T12:00:00+00:00\t["ä"]\t\\\\x01\t1.5\t\n'
