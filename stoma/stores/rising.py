"""Which measures have risen most since a moment: what each was then against its latest value. Speaks no dialect.

A rank (`rank:daily`) rises when its number becomes smaller.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from heapq import nsmallest
from typing import Any

from stoma.scheduler.base import iso
from stoma.stores.base import Reader, Row
from stoma.stores.measured import Key, Values, by_source, look_up, read
from stoma.stores.questions import Selection, kinds, listed_dict

Ranked = tuple[float, str, str]
"""By what a record is ranked, its source and its id."""


@dataclass(frozen=True, slots=True)
class Rise:
    """A record, and what one of its measures was and is."""

    row: Row
    measure: str
    before: float
    before_at: datetime
    latest: float
    latest_at: datetime

    @property
    def difference(self) -> float:
        """How much it has risen, of a rank by how many places."""
        return _risen_by(self.measure, self.before, self.latest)

    @property
    def percent(self) -> float | None:
        """The same in percent of what it was; None where it was nothing, and of a rank."""
        has_percent = self.before > 0 and not is_rank(self.measure)
        return 100 * self.difference / self.before if has_percent else None

    def as_dict(self) -> dict[str, Any]:
        """The record with its measure."""
        return listed_dict(self.row) | {
            "before": self.before,
            "before_at": iso(self.before_at),
            "latest": self.latest,
            "latest_at": iso(self.latest_at),
            "difference": self.difference,
            "percent": None if self.percent is None else round(self.percent, 2),
        }


@dataclass(frozen=True, slots=True)
class Risen:
    """By measure: what has risen most by difference, and in percent."""

    by_difference: dict[str, list[Rise]]
    by_percent: dict[str, list[Rise]]
    # What was last measured earlier than this was left out; None where all was looked at.
    looked_back_to: datetime | None = None

    def as_dict(self) -> dict[str, Any]:
        """As JSON carries it."""
        return {
            "measures": [
                {
                    "measure": measure,
                    "by_difference": [rise.as_dict() for rise in rises],
                    "by_percent": [rise.as_dict() for rise in self.by_percent[measure]],
                }
                for measure, rises in self.by_difference.items()
            ],
            "looked_back_to": iso(self.looked_back_to),
        }


def risen(reader: Reader, selection: Selection, now: datetime, limit: int) -> Risen:
    """What has risen most since `selection.since`; what was not measured before that is left out."""
    assert selection.since is not None  # noqa: S101 — who asks has said since when
    since = selection.since
    latest = read(reader, now, selection.source, after=since)
    then = read(reader, since, selection.source, wanted=latest)
    if then.back_to is not None and not then.has_all(latest):
        look_up(reader, latest, then, since)
    _leave_out_kinds(reader, latest, selection.kind)
    meant = _Meant(reader, selection)
    found = Risen({}, {}, latest.back_to)
    for measure in sorted({measure for _, measure in latest.by_measure}):
        by_difference, in_percent = _ranked(latest, then, measure)
        rises = list(_rises(meant, measure, by_difference, now, limit))
        if rises:
            found.by_difference[measure] = rises
            found.by_percent[measure] = list(_rises(meant, measure, in_percent, now, limit))
    return found


def is_rank(measure: str) -> bool:
    """True for a place in a list, of which the first is the best."""
    return measure.startswith("rank:")


def _risen_by(measure: str, before: float, latest: float) -> float:
    return before - latest if is_rank(measure) else latest - before


def _ranked(latest: Values, then: Values, measure: str) -> tuple[list[Ranked], list[Ranked]]:
    """What has risen, by difference and in percent; the smaller the higher."""
    by_difference: list[Ranked] = []
    in_percent: list[Ranked] = []
    for (source, name), values in latest.by_measure.items():
        if name != measure:
            continue
        earlier = then.by_measure.get((source, name), {})
        for external_id, value in values.items():
            before = earlier.get(external_id, value)
            by = _risen_by(measure, before, value)
            if by > 0:
                by_difference.append((-by, source, external_id))
                if before > 0 and not is_rank(measure):
                    in_percent.append((-by / before, source, external_id))
    return by_difference, in_percent


def _leave_out_kinds(reader: Reader, latest: Values, kind: str | None) -> None:
    """Forget the sources that have nothing of a kind."""
    sources = {source for source, _ in latest.by_measure} if kind is not None else ()
    without = {source for source in sources if kind not in kinds(reader, source)}
    latest.by_measure = {key: values for key, values in latest.by_measure.items() if key[0] not in without}


class _Meant:
    """The records that are meant, each read once."""

    def __init__(self, reader: Reader, selection: Selection) -> None:
        self.reader = reader
        self.selection = selection
        self._read: dict[Key, Row | None] = {}

    def first(self, ranked: Sequence[Ranked], limit: int) -> list[Row]:
        """Those of a ranking, in its order."""
        found: list[Row] = []
        begin, size = 0, limit
        while begin < len(ranked) and len(found) < limit:
            keys = [
                (source, external_id) for _, source, external_id in nsmallest(begin + size, ranked)[begin:]
            ]
            self._look_up([key for key in keys if key not in self._read])
            found += [row for key in keys if (row := self._read[key]) is not None]
            begin, size = begin + size, size * 5
        return found[:limit]

    def _look_up(self, keys: Sequence[Key]) -> None:
        self._read.update(dict.fromkeys(keys))
        for source, ids in by_source(keys).items():
            for row in self.reader.all("question_some", source=source, ids=ids, task_id=self.selection.task):
                if self.selection.kind in (None, row["kind"]):
                    self._read[source, row["external_id"]] = row


def _rises(
    meant: _Meant, measure: str, ranked: Sequence[Ranked], now: datetime, limit: int
) -> Iterator[Rise]:
    """The first of a ranking, with their records and values."""
    since = meant.selection.since
    assert since is not None  # noqa: S101 — as above
    rows = meant.first(ranked, limit)
    then = _values_at(meant.reader, rows, measure, since)
    latest = _values_at(meant.reader, rows, measure, now)
    for row in rows:
        key = (row["source"], row["external_id"])
        if key in then and key in latest:
            a, b = then[key], latest[key]
            yield Rise(row, measure, a["value"], a["observed_at"], b["value"], b["observed_at"])


def _values_at(reader: Reader, records: Sequence[Row], measure: str, at: datetime) -> dict[Key, Row]:
    """What a measure of some records was at a moment, and when that was measured."""
    keys = ((row["source"], row["external_id"]) for row in records)
    return {
        (source, row["external_id"]): row
        for source, ids in by_source(keys).items()
        for row in reader.all("measured_then", source=source, measure=measure, ids=ids, at=at)
    }
