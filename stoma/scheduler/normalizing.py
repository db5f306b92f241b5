"""From a page of raw items to records and rejects, whatever a normalizer gives: plain or async, records or mappings."""

from __future__ import annotations

import asyncio
import inspect
from collections.abc import Iterable, Mapping
from typing import Any

import orjson

from stoma import normalizers
from stoma.normalizers.base import BaseNormalizer
from stoma.records import CollectorResult, Record, Reject
from stoma.scheduler.base import Task


def normalizer_of(task: Task) -> BaseNormalizer:
    """The normalizer that a task names or brings along; else the one called like its collector."""
    given = task.normalizer
    if isinstance(given, type):
        given = given()
    if given is not None and not isinstance(given, str):
        return given  # type: ignore[no-any-return]
    return normalizers.make(given or task.collector)


def normalize(normalizer: BaseNormalizer, result: CollectorResult) -> tuple[list[Record], list[Reject]]:
    """Records and rejects of a page; a mapping becomes a record, and what cannot become one a reject."""
    given: Any = normalizer.normalize(result)
    if inspect.isawaitable(given):
        given = asyncio.run(_await(given))
    records: list[Record] = []
    rejects: list[Reject] = []
    items: Iterable[Any] = given if given is not None else ()
    for item in items:
        if isinstance(item, Mapping):
            item = _from_mapping(item, result)
        if isinstance(item, Record) and item.external_id:
            records.append(item)
        elif isinstance(item, Reject):
            rejects.append(item)
        else:
            rejects.append(Reject("no record came of it: it has no external_id", _plain(item)))
    return records, [Reject(r.reason[:500], _plain(r.item), r.external_id[:200]) for r in rejects]


def _from_mapping(item: Mapping[str, Any], result: CollectorResult) -> Record | Reject:
    try:
        given = {"source": result.source, "kind": "entry", **item}
        for name in ("authors", "tags"):
            if name in given:
                given[name] = tuple(given[name])
        return Record(**given)
    except TypeError as error:
        return Reject(f"not the fields of a record: {error}", item)


def _plain(item: Any) -> Any:
    """The item as JSON can carry it."""
    try:
        return orjson.loads(orjson.dumps(item, default=repr))
    except orjson.JSONEncodeError:
        return repr(item)


async def _await(given: Any) -> Any:
    return await given
