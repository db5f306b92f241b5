"""What a collector of one's own gives, as records."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from stoma.normalizers.plain import PlainNormalizer
from stoma.records import CollectorResult, Record, Reject
from stoma.scheduler.normalizing import normalize
from tests.support.budget import START


def records(*items: Any) -> tuple[list[Record], list[Reject]]:
    found, rejects = normalize(PlainNormalizer(), CollectorResult("mine", items, "http://h/", START))
    return [record for record, _ in found], rejects


def test_fields_of_a_record_become_one() -> None:
    [one], rejects = records(
        {"external_id": 7, "title": "T", "tags": ["a"], "published_at": "2026-11-01T09:00:00+01:00"}
    )
    assert rejects == []
    assert (one.source, one.external_id, one.kind, one.tags) == ("mine", "7", "entry", ("a",))
    assert one.published_at == datetime(2026, 11, 1, 8, tzinfo=UTC)


def test_a_date_without_a_zone_is_utc_and_an_empty_one_is_none() -> None:
    [one, two], _ = records(
        {"external_id": "a", "updated_at": "2026-11-01", "published_at": ""}, Record("s", "b", "k")
    )
    assert (one.updated_at, one.published_at) == (datetime(2026, 11, 1, tzinfo=UTC), None)
    assert two == Record("s", "b", "k")


@pytest.mark.parametrize(
    ("item", "reason"),
    [
        (
            {"titel": "x"},
            '"titel" is no field of a record; did you mean "title"?; attributes hold what else is known',
        ),
        ({"external_id": "a", "published_at": "soon"}, "published_at: 'soon' is not a date"),
        ({"external_id": True}, "external_id: found a value of type bool, expected text"),
        ({"title": "x"}, "not the fields of a record"),
        (7, "found a value of type int, expected a mapping with the fields of a record"),
    ],
)
def test_what_is_none_is_kept_with_the_reason(item: Any, reason: str) -> None:
    found, [reject] = records(item)
    assert found == []
    assert reason in reject.reason
