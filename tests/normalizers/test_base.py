"""What the contract of the second stage gives to every normalizer."""

from __future__ import annotations

from typing import Any

from stoma.normalizers.base import BaseNormalizer
from stoma.records import CollectorResult, Record, Reject
from tests.support.budget import START


def page(*items: Any) -> CollectorResult:
    return CollectorResult(source="s", items=items, url="http://h/", fetched_at=START)


def normalized(normalizer: BaseNormalizer, *items: Any) -> Any:
    return normalizer.normalize(page(*items))


class Numbers(BaseNormalizer):
    def normalize_item(self, item: Any, result: CollectorResult) -> Record:
        return Record(result.source, str(10 // item), "number")


def test_one_bad_item_does_not_sink_its_page():
    one, bad, five = normalized(Numbers(), 10, 0, 2)
    assert (one.external_id, five.external_id) == ("1", "5")
    assert isinstance(bad, Reject)
    assert bad.reason.startswith("ZeroDivisionError: ")
    assert bad.item == 0


def test_items_stay_in_order():
    assert [record.external_id for record in normalized(Numbers(), 1, 2, 5)] == ["10", "5", "2"]


def test_a_normalizer_that_defines_nothing_rejects_everything_and_says_why():
    (bad,) = normalized(BaseNormalizer(), 1)
    assert "BaseNormalizer defines neither normalize nor normalize_item" in bad.reason


def test_normalize_may_be_async_as_the_mission_writes_it():
    import asyncio

    class CustomNormalizer(BaseNormalizer):
        async def normalize(self, result):
            return [{"external_id": str(item)} for item in result.items]

    assert asyncio.run(normalized(CustomNormalizer(), 1)) == [{"external_id": "1"}]
