"""The latest values of what is measured of records, up to a moment. Speaks no dialect.

They are read newest first until nothing is left, or nothing of which there is no later value already: whatever is
measured again and again is found, and a year of it is not read.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from heapq import nlargest

import orjson

from stoma.stores.base import Reader, Row
from stoma.stores.questions import SMALLEST

AT_ONCE = 10_000
"""Measurements that are read together."""

MOST_TIMES = 10
"""How often that is done."""

SAMPLE, MOST_UNKNOWN = 200, 0.05
"""Of so many of those that follow, how large a share may be about something of which there is no value yet."""

MOST_LOOKED_UP = 2_000
"""Measures of records whose value then is looked up one by one: the largest of those that were not read."""

Key = tuple[str, str]
"""A record: its source and its id."""

Measure = tuple[str, str]
"""A source and the name of a measure of its records."""


@dataclass(slots=True)
class Values:
    """The latest value of each measure of each record up to a moment, and how far back was read for it."""

    by_measure: dict[Measure, dict[str, float]] = field(default_factory=dict)
    back_to: datetime | None = None

    def has(self, row: Row) -> bool:
        """True where a value of this is known."""
        return row["external_id"] in self.by_measure.get((row["source"], row["measure"]), {})

    def has_all(self, others: Values) -> bool:
        """True where a value of everything that is among the others is known."""
        return all(
            values.keys() <= self.by_measure.get(measure, {}).keys()
            for measure, values in others.by_measure.items()
        )

    def take(self, rows: Sequence[Row]) -> None:
        """Add what is earlier, newest first."""
        for row in rows:
            known = self.by_measure.setdefault((row["source"], row["measure"]), {})
            told = orjson.loads(row["told"])
            known.update({one: told[one] for one in told.keys() - known.keys()} if known else told)


def read(
    reader: Reader,
    until: datetime,
    source: str | None,
    after: datetime | None = None,
    wanted: Values | None = None,
) -> Values:
    """The latest values up to a moment, of what was measured after another one; `wanted` says what is enough."""
    found = Values()
    bounds = {"after": after, "source": source}
    for _ in range(MOST_TIMES):
        if wanted is not None and found.has_all(wanted):
            break
        floor = reader.one("measured_back_to", **bounds, until=until, count=AT_ONCE - 1)
        found.back_to = floor["observed_at"] if floor else None
        found.take(reader.all("measured", **bounds, until=until, since=found.back_to))
        if found.back_to is None:
            break
        following = reader.all("measured_next", **bounds, before=found.back_to, limit=SAMPLE)
        if sum(not found.has(row) for row in following) <= len(following) * MOST_UNKNOWN:
            found.back_to = found.back_to if following else None
            break
        until = found.back_to - SMALLEST
    return found


def look_up(reader: Reader, latest: Values, then: Values, at: datetime) -> None:
    """Add what the largest of those were that are not among the values of then."""
    missing = (
        (value, source, measure, external_id)
        for (source, measure), values in latest.by_measure.items()
        for external_id, value in values.items()
        if external_id not in then.by_measure.get((source, measure), {})
    )
    wanted: dict[Measure, list[str]] = {}
    for _, source, measure, external_id in nlargest(MOST_LOOKED_UP, missing):
        wanted.setdefault((source, measure), []).append(external_id)
    for (source, measure), ids in wanted.items():
        rows = reader.all("measured_then", source=source, measure=measure, ids=ids, at=at)
        then.by_measure.setdefault((source, measure), {}).update(
            {row["external_id"]: row["value"] for row in rows}
        )


def by_source(keys: Iterable[Key]) -> dict[str, list[str]]:
    """External ids by their source."""
    found: dict[str, list[str]] = {}
    for source, external_id in keys:
        found.setdefault(source, []).append(external_id)
    return found
