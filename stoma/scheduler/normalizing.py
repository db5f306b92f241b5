"""From a page of raw items to records and rejects, whatever a normalizer gives: plain or async, records or mappings."""

from __future__ import annotations

import asyncio
import inspect
import reprlib
from collections.abc import AsyncIterable, Iterable, Mapping
from dataclasses import replace
from datetime import UTC, date, datetime
from typing import Any

import orjson

from stoma import normalizers
from stoma.collectors import RESERVED
from stoma.normalizers.base import BaseNormalizer
from stoma.records import LONGEST_ID, CollectorResult, Record, Reject, checked, holdable, is_plain, sealed
from stoma.references import mask, mask_bytes, mask_data
from stoma.scheduler.base import Task
from stoma.scheduler.yielded import Misuse

LONGEST_REASON = 500
LONGEST_ITEM = 64_000
"""Characters of a reason and bytes of an item that are kept of a reject."""


def normalizer_of(task: Task, config: Mapping[str, Any]) -> BaseNormalizer:
    """The normalizer that a task names or brings along, else the one called like its collector; for this config."""
    given = task.normalizer
    if isinstance(given, type):
        given = given()
    if given is None:
        given = normalizers.of_collector(task.collector)
    if isinstance(given, str):
        given = normalizers.make(given)
    # What Python brings along need not be of our class.
    return given.prepared(config) if isinstance(given, BaseNormalizer) else given


def normalize(
    normalizer: BaseNormalizer, result: CollectorResult
) -> tuple[list[tuple[Record, str]], list[Reject]]:
    """Records with their content hashes, and rejects, of a page: what no store could keep becomes a reject too."""
    given: Any = normalizer.normalize(result)
    if inspect.isawaitable(given):
        given = asyncio.run(_await(given))
    elif inspect.isasyncgen(given):
        given = asyncio.run(_gather(given))
    if given is None:
        # As where `return` was forgotten; without a word all items would be lost.
        kind = f"{type(normalizer).__module__}:{type(normalizer).__qualname__}"
        raise Misuse(f"{kind}: `normalize` returned None", "it returns a list of records, which may be empty")
    records: list[tuple[Record, str]] = []
    rejects: list[Reject] = []
    # One record alone is a page of one.
    items: Iterable[Any] = [given] if isinstance(given, Mapping | Record) else given
    for item in items:
        if isinstance(item, Reject):
            rejects.append(item)
            continue
        try:
            if type(item) is Record and item.source == result.source and is_plain(item):
                records.append(sealed(item))
            else:
                records.append(sealed(checked(_timed(_record(item, result), result))))
        except Exception as error:  # a stranger's data may break anything; the page goes on
            rejects.append(Reject(str(error) or type(error).__name__, item, _id_of(item)))
    return records, [_storable(reject) for reject in rejects]


def _record(item: Any, result: CollectorResult) -> Record:
    if isinstance(item, Record):
        return item
    if not isinstance(item, Mapping):
        raise TypeError(f"a normalizer gave a {type(item).__name__}, not a record")
    given = {"source": result.source, "kind": "entry", **item}
    for name in ("authors", "tags"):
        if isinstance(given.get(name), list):
            given[name] = tuple(given[name])
    try:
        return Record(**given)
    except TypeError as error:
        raise TypeError(f"not the fields of a record: {error}") from None


def _timed(record: Record, result: CollectorResult) -> Record:
    """The record with aware UTC instants: here as everywhere, what has no zone is UTC, and a day begins at midnight."""
    if record.source != result.source and record.source in RESERVED:
        raise ValueError(f'source: "{record.source}" belongs to a collector that comes with Stoma')
    fresh: dict[str, datetime] = {}
    dates: tuple[tuple[str, Any], ...] = (
        ("published_at", record.published_at),
        ("updated_at", record.updated_at),
    )
    for name, value in dates:
        if value is None or getattr(value, "tzinfo", None) is UTC:
            continue
        if isinstance(value, date) and not isinstance(value, datetime):
            fresh[name] = datetime(value.year, value.month, value.day, tzinfo=UTC)
        elif isinstance(value, datetime) and value.utcoffset() is None:
            fresh[name] = value.replace(tzinfo=UTC)
    return replace(record, **fresh) if fresh else record  # type: ignore[arg-type]


def _id_of(item: Any) -> str:
    found = item.get("external_id") if isinstance(item, Mapping) else getattr(item, "external_id", "")
    return found if isinstance(found, str) else ""


def _storable(reject: Reject) -> Reject:
    """A reject as every store can keep it: bounded, holdable, of plain values."""
    return Reject(
        _hidden(str(holdable(reject.reason)))[:LONGEST_REASON],
        _plain(reject.item),
        _hidden(str(holdable(reject.external_id)))[:LONGEST_ID],
    )


def _plain(item: Any) -> Any:
    """The item as JSON can carry it; the beginning of its text where it cannot, or is too large."""
    try:
        text = mask(mask_bytes(orjson.dumps(holdable(item), default=reprlib.repr)).decode())
        return orjson.loads(text) if len(text) <= LONGEST_ITEM else text[:LONGEST_ITEM]
    except (orjson.JSONEncodeError, orjson.JSONDecodeError, RecursionError):
        return _hidden(str(holdable(reprlib.repr(item))))


def _hidden(text: str) -> str:
    """A text without secrets: of the program's own words, and of what a source sent."""
    return mask(str(mask_data(text)))


async def _gather(given: AsyncIterable[Any]) -> list[Any]:
    return [item async for item in given]


async def _await(given: Any) -> Any:
    return await given
