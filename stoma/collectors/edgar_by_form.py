"""Filings by form: the index of each complete day, then the feed for what is newer than the last of them.

A day is complete when its index is there. A day without one had no filings if a later day has one; at the end of a
window it may only be late, so the next run asks for it again.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import date, datetime, time, timedelta
from functools import partial
from typing import TYPE_CHECKING, Any

from stoma.collectors import edgar_current as current
from stoma.collectors.edgar_index import Index, daily_path, read_index
from stoma.collectors.edgar_walk import NEW_YORK, ONE_DAY, PAGE, Walk, again, chunks
from stoma.errors import SourceRefused
from stoma.records import CollectorResult

if TYPE_CHECKING:
    from collections.abc import Callable

    from stoma.collectors.http import Response

CLOSING = time(17, 30)
"""What is accepted later counts as filed on the next business day (17 CFR 232.13), and is not in this day's index."""

FEED_OVERLAP = timedelta(minutes=30)
"""How far before its last end the feed is read again: entries do not always come in order."""


def by_form(walk: Walk) -> Iterator[CollectorResult]:
    """Days in their order, then what is newer than the last of them."""
    yield from _days(walk)
    yield from _latest(walk)


def _days(walk: Walk) -> Iterator[CollectorResult]:
    # The last complete day is read once more: a run that finds nothing new still sees that there is something.
    day = max(walk.since, walk.complete)
    after = ""
    if walk.token:
        day, after = date.fromisoformat(walk.token["day"]), walk.token.get("after", "")
    while day < walk.today:
        if (index := _index(walk, day)) is not None:
            yield from _day(walk, day, index, after)
        day, after = day + ONE_DAY, ""


def _day(walk: Walk, day: date, index: Index, after: str) -> Iterator[CollectorResult]:
    is_known = day == walk.complete
    for items, is_last in chunks(index.filings(after), PAGE if is_known else walk.size):
        filled = [again(item) for item in items] if is_known else walk.filled(items)
        token = {"day": day.isoformat(), "after": items[-1]["accession"]}
        if is_last:
            _pass(walk, day, index)
            token = {"day": (day + ONE_DAY).isoformat()}
        yield walk.page(filled, token)
    _pass(walk, day, index)


def _pass(walk: Walk, day: date, index: Index) -> None:
    """A day is complete: nothing of it will be met again but when it is read once more."""
    walk.complete = day
    if walk.known:
        for accession in index.accessions():
            walk.known.pop(accession, None)


def _index(walk: Walk, day: date) -> Index | None:
    """The index of a day; None when it has none, as on weekends and holidays."""
    wants = None if walk.wish.wants_all else walk.wish.wants
    # On weekends one question is enough.
    for kind in ("master",) if day.weekday() > 4 else ("master", "form"):
        index = walk.ask(walk.origin + daily_path(day, kind), lambda response: read_index(response, wants))
        if index is not None:
            walk.url, walk.fetched_at = index.url, index.fetched_at
            return index
    return None


def _latest(walk: Walk) -> Iterator[CollectorResult]:
    since = datetime.combine(walk.complete, CLOSING, NEW_YORK)
    if walk.accepted is not None:
        since = max(since, walk.accepted - FEED_OVERLAP)
    times = [walk.accepted] if walk.accepted else []
    # One walk for each form, because few rows of one form reach back further than all rows together.
    for root in current.roots(walk.wish.forms):
        found = current.walk(partial(_feed, walk, root), since)
        if found.is_cut_short:
            walk.collection.log("EDGAR's feed ends too early; the rest comes with the index of the day")
        walk.url, walk.fetched_at = found.url, found.fetched_at
        times += [datetime.fromisoformat(item["accepted"]) for item in found.filings]
        for items, _ in chunks(filter(partial(_is_open, walk), found.filings), walk.size):
            filled = walk.filled(items)
            walk.note(item["accession"] for item in items)
            yield walk.page(filled, {"day": walk.today.isoformat()})
    walk.accepted = max(times, default=None)


def _feed(
    walk: Walk, root: str, start: int, read: Callable[[Response], list[current.Entry]]
) -> list[current.Entry]:
    asked = {"action": "getcurrent", "type": root, "owner": "include", "output": "atom"}
    found = walk.ask(walk.origin + current.PATH, read, {**asked, "start": start, "count": current.PAGE})
    if found is None:
        raise SourceRefused("EDGAR's feed of the latest filings is not there")
    return found


def _is_open(walk: Walk, item: Mapping[str, Any]) -> bool:
    """True for a wanted filing that no index read so far can hold."""
    accepted_on = datetime.fromisoformat(item["accepted"]).astimezone(NEW_YORK).date()
    is_later = item["filed"] > walk.complete.isoformat() or accepted_on > walk.complete
    return is_later and walk.wish.wants(item["form"])
