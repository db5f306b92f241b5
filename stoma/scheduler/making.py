"""The records of one page: made by the normalizer, or taken as read where the answer is the very one of last time."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from stoma.records import CollectorResult, Record, Reject
from stoma.scheduler.base import Task
from stoma.scheduler.merging import merges
from stoma.scheduler.normalizing import normalize
from stoma.scheduler.validating import RunValidators


@dataclass(frozen=True, slots=True)
class Made:
    """A page with what became of its items."""

    result: CollectorResult
    records: Sequence[tuple[Record, str]] = ()
    rejects: Sequence[Reject] = ()
    # How many records were made; some normalizers may rightly give none for an item.
    count: int = 0


def make(
    result: CollectorResult, normalizer: Any, task: Task, validators: RunValidators | None, *, may_skip: bool
) -> Made:
    """The records of a page; `may_skip` where nothing else is to be kept of it.

    Where the last completed run had the very same answer, its items need not be looked at once more: they count as
    after a 304. Only where nobody else writes into this source, and nothing but content comes of an item.
    """
    items = len(result.items)
    if validators is not None and items and may_skip and validators.is_same(result.answer, items):
        return Made(replace(result, items=[], unmodified=result.unmodified + items))
    records, rejects = normalize(normalizer, result)
    if validators is not None and items:
        is_plain = may_skip and len(records) == items and not merges(normalizer)
        is_plain = is_plain and all(record.source == task.id and not record.measures for record, _ in records)
        validators.note_answer(result.answer if is_plain else "", items)
    may_give_nothing = getattr(normalizer, "may_give_nothing", False)
    return Made(result, records, rejects, items if may_give_nothing else len(records))
