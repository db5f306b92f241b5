"""Filings by form: the index of each complete day, then the feed for what is newer than the last of them.

A day is complete when its index was read. It is read once more by the next run, because indexes grow in the night and
are corrected. A day without one at the end of a window is asked for again by the next run; a working day without one
before a day that has one, for a week: it was a holiday, or the index is late. A span of the past is asked for
once, so it fails where an index may still come.
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
from stoma.scheduler.calendars import off

if TYPE_CHECKING:
    from collections.abc import Callable

    from stoma.collectors.base import Span
    from stoma.collectors.http import Response

CLOSING = time(17, 30)
"""What is accepted later counts as filed on the next business day (17 CFR 232.13), and is not in this day's index."""

LONGEST_PAUSE = timedelta(days=365)
"""How far back a task goes on after a pause: as far as `days_back` may look."""

LATEST_INDEX = timedelta(days=7)
"""How long the index of a working day is waited for when later days have theirs."""

NIGHT = timedelta(days=3)
"""How long the index of a day of the past may still come before its day counts as one without filings."""

MOST_HOLIDAYS = 4
"""So many working days in a row have never been without filings."""

FEED_OVERLAP = timedelta(minutes=30)
"""How far before its last end the feed is read again: entries do not always come in order."""


def by_form(walk: Walk) -> Iterator[CollectorResult]:
    """Days in their order, then what is newer than the last of them; of a span nothing but its days."""
    yield from _days(walk)
    if walk.collection.span is None:
        yield from _latest(walk)
        if walk.is_answered and walk.last and not walk.has_seen:
            # EDGAR has filings, only none of these forms: a quiet day is no reason for suspicion.
            yield walk.page([again({"accession": walk.last})], {"day": walk.today.isoformat()})


def _days(walk: Walk) -> Iterator[CollectorResult]:
    span = walk.collection.span
    if span is None:
        _limit(walk)
    resumed = date.fromisoformat(walk.token["day"]) if walk.token else date.min
    # The last complete day is read once more: its index may have been corrected, and a run that finds nothing new
    # still sees that there is something.
    first = max(walk.since, walk.complete, resumed)
    # What a span lacks is asked for again by each try: it has no later run to find it.
    late = [day for day in walk.missing if (span is not None or resumed <= day) and day < first]
    for day in [*late, *_from(first, walk.today)]:
        after = walk.token.get("after", "") if day == resumed else ""
        found = _index(walk, day)
        walk.is_answered |= found.total > 0 if isinstance(found, Index) else found is not None
        if isinstance(found, int):
            walk.has_seen |= found > 0
            yield walk.page([], {"day": (day + ONE_DAY).isoformat()}, unmodified=found)
        elif found is not None:
            yield from _day(walk, day, found, after)
    if span is not None:
        _judge(walk, span)


def _day(walk: Walk, day: date, index: Index, after: str) -> Iterator[CollectorResult]:
    mark = index.mark()
    is_known = day == walk.complete and mark == walk.mark
    if day == walk.complete and walk.mark and not is_known:
        walk.collection.log(f"the index of {day} has changed since it was read, and is read anew")
    for items, is_last in chunks(index.filings(after), PAGE if is_known else walk.size):
        filled = [again(item) for item in items] if is_known else walk.filled(items)
        token = {"day": day.isoformat(), "after": items[-1]["accession"]}
        if is_last:
            _pass(walk, day, index, mark)
            token = {"day": (day + ONE_DAY).isoformat()}
        yield walk.page(filled, token)
    _pass(walk, day, index, mark)


def _pass(walk: Walk, day: date, index: Index, mark: str) -> None:
    """A day was read to its end: what it held will be met again only until its index is settled."""
    if day < walk.complete:
        walk.missing = [one for one in walk.missing if one != day]
    else:
        # A day without an index had no filings if a later one has one; but an index has been late before.
        walk.missing += [one for one in _from(walk.complete + ONE_DAY, day) if one.weekday() < 5]
        walk.complete, walk.mark, walk.held = day, mark, len(set(index.accessions()))
    if not walk.is_settled(day):
        walk.note(index.accessions())
    elif walk.known:
        for accession in index.accessions():
            walk.known.pop(accession, None)


def _index(walk: Walk, day: date) -> Index | int | None:
    """The index of a day; None when it has none, as on weekends and holidays; how much it held if it still does."""
    wants = None if walk.wish.wants_all else walk.wish.wants

    def read(response: Response) -> Index | int:
        return read_index(response, wants)

    is_seen = walk.is_later and day == walk.complete and bool(walk.mark) and walk.is_settled(day)
    # On weekends one question is enough, and where it was asked before.
    kinds = ("master",) if day.weekday() > 4 or day < walk.complete else ("master", "form")
    for kind in kinds:
        url = walk.origin + daily_path(day, kind)
        index = walk.ask(url, read, unchanged=(lambda _: walk.held) if is_seen else None)
        if index is not None:
            walk.url = url
            walk.fetched_at = index.fetched_at if isinstance(index, Index) else None
            return index
    return None


def _limit(walk: Walk) -> None:
    """Look no further back than a config could ask for, and wait no longer for days without an index; say both."""
    earliest = walk.today - LONGEST_PAUSE
    if max(walk.since, walk.complete) < earliest:
        walk.collection.log(
            f"nothing was collected since {walk.complete}; this goes on from {earliest}. For the days between: "
            f"stoma backfill {walk.collection.task_id} --from {walk.complete} --to {earliest - ONE_DAY}"
        )
        walk.since, walk.complete, walk.mark = earliest, earliest - ONE_DAY, ""
    over = [day for day in walk.missing if day < walk.today - LATEST_INDEX]
    for day in over:
        walk.collection.log(f"EDGAR has no index of {day}: it counts as a day without filings")
    walk.missing = [day for day in walk.missing if day not in over]


def _judge(walk: Walk, span: Span) -> None:
    """Say which working days of a span had no index; refuse a span that has none at all where there should be some.

    Refused as well where an index may still come: what is completed is not asked for again.
    """
    days = [day for day in _from(span.first, walk.today) if day.weekday() < 5]
    missing = [*walk.missing, *(day for day in days if day > walk.complete)]
    if missing:
        walk.collection.log(f"EDGAR has no index of these working days, as of holidays: {_listed(missing)}")
    if len(days) >= MOST_HOLIDAYS and len(missing) == len(days):
        raise SourceRefused(
            f"EDGAR has no index of any day in {span.text}",
            "indexes of single days under these names are not there for the earliest years; name ciks or tickers",
        )
    begin = walk.collection.now.astimezone(NEW_YORK).date() - NIGHT
    if pending := [day for day in missing if day >= begin and not off(("holidays/US",), day)]:
        raise SourceRefused(
            f"EDGAR's index of {_listed(pending)} is not there yet",
            "it comes in the night behind its day, New York time: try again tomorrow with the same command; "
            "what was collected stays",
        )


def _listed(days: list[date]) -> str:
    return ", ".join(map(str, days[:12])) + (" …" if len(days) > 12 else "")


def _from(first: date, end: date) -> Iterator[date]:
    """Each day from `first` on, before `end`."""
    return (first + timedelta(days=number) for number in range((end - first).days))


def _latest(walk: Walk) -> Iterator[CollectorResult]:
    since = datetime.combine(walk.complete, CLOSING, NEW_YORK)
    if walk.accepted is not None:
        since = max(since, walk.accepted - FEED_OVERLAP)
    times = [walk.accepted] if walk.accepted else []
    # One walk for each form, because few rows of one form reach back further than all rows together.
    for root in current.roots(walk.wish.forms):
        found = current.walk(partial(_feed, walk, root), since)
        if found.is_cut_short:
            until = f"{found.oldest:%Y-%m-%d %H:%M}" if found.oldest else "now"
            walk.collection.log(
                f"EDGAR's feed ends too early{f' for form {root}' if root else ''}: what was accepted from "
                f"{since:%Y-%m-%d %H:%M} to {until} in New York and is not collected yet comes with the day's index"
            )
        walk.url, walk.fetched_at = found.url, found.fetched_at
        times += [datetime.fromisoformat(item["accepted"]) for item in found.filings]
        if found.unreadable:
            yield walk.page(found.unreadable, {"day": walk.today.isoformat()})
        for items, _ in chunks(filter(partial(_is_open, walk), found.filings), walk.size):
            filled = walk.filled(items)
            # A form whose text is not there yet is asked for again, at the latest with the index.
            walk.note(item["accession"] for item in filled if "insider_fault" not in item)
            yield walk.page(filled, {"day": walk.today.isoformat()})
    # Not later than this run: behind the last form, the first one's feed has gone on.
    walk.accepted = min(max(times), walk.collection.now) if times else None


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
