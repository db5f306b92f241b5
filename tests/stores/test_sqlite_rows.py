"""Values as SQLite keeps them."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone

import pytest

from stoma.stores.sqlite_rows import encode


@pytest.mark.parametrize(
    ("instant", "text"),
    [
        (datetime(2026, 5, 1, 17, 59, 59, tzinfo=UTC), "2026-05-01T17:59:59.000000Z"),
        (datetime(2026, 5, 1, 17, 59, 59, 7, UTC), "2026-05-01T17:59:59.000007Z"),
        (datetime(2026, 5, 1, 17, tzinfo=timezone(timedelta(hours=-9))), "2026-05-02T02:00:00.000000Z"),
        (datetime(33, 5, 1, tzinfo=UTC), "0033-05-01T00:00:00.000000Z"),
    ],
)
def test_instants_have_one_width_so_that_they_sort_as_texts(instant: datetime, text: str) -> None:
    assert encode(instant) == text
