"""What a config asks of arXiv's query API: the query, the times of submission that bound it, how much, in what order.

Pure. The bounds are whole minutes, as arXiv reads them (user manual, 5.1), and both of them are asked for: whether the
last minute counts, and its seconds, no manual says. So a bound lies a minute further out where something could be lost,
and what comes beyond is left out by who collects, or brought twice and stored once.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, time, timedelta
from typing import Any

from stoma.collectors.base import Collection
from stoma.errors import UsageError
from stoma.scheduler.base import Span, iso
from stoma.scheduler.patterns import parse_duration

LARGEST_PAGE = 2_000
DEEPEST = 30_000
"""arXiv gives no more than these of one query, and no more than those in one page (user manual, paging)."""

IDS_AT_ONCE = 200
"""So many ids keep the address under 8 KB."""

OVERLAP = "7d"
"""Papers show up with the announcement, days after they were submitted, and later when a moderator holds them."""

ALL = 10**9
FIRST = "199107010000"
"""arXiv has nothing that is older."""

MINUTE = timedelta(minutes=1)

Part = tuple[str, str]
"""Times of submission from and to, each as YYYYMMDDhhmm in UTC."""

_PLUS = re.compile(r"\+(AND|OR|ANDNOT|TO)\+")
_INSTANT = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ")

# By which field of an item, and under which name in the cursor, each order that can be followed is known.
FOLLOWED = {"submittedDate": ("published", "submitted"), "lastUpdatedDate": ("updated", "updated")}


@dataclass(frozen=True, slots=True)
class Plan:
    """A config with defaults filled in, for one run.

    `part` bounds the time of submission where that is known before the first answer; `since` is the instant to which
    what was collected before reaches back, overlap taken away: None for a first run.
    """

    slices: list[dict[str, str]]
    wanted: int
    page_size: int
    sort_by: str
    sort_order: str
    begun: str
    is_listed: bool = False
    # True when more is wanted than arXiv gives in this order.
    is_cut_short: bool = False
    part: Part | None = None
    since: str | None = None
    span: Span | None = None

    @classmethod
    def of(cls, collection: Collection) -> Plan:
        """What a run collects; a resumed one keeps the window that it began with. Raises UsageError."""
        config, window = collection.config, dict(collection.progress.window if collection.progress else {})
        query, ids = _query(config.get("search_query")), _ids(config.get("id_list"))
        if not query and not ids:
            raise UsageError("arxiv needs a search_query or an id_list")
        if collection.span is not None and ids:
            raise UsageError("a list of papers has no days of the past", "use a search_query")
        wanted = int(config.get("max_results", len(ids) or 100))
        page_size = max(1, min(int(config.get("page_size", 100)), LARGEST_PAGE))
        begun = str(window.get("begun") or iso(collection.now.replace(microsecond=0)))
        if ids:
            slices, wanted = _listed(query, ids, wanted)
            order = config.get("sort_by", "submittedDate"), config.get("sort_order", "descending")
            return cls(slices, wanted, page_size, *order, begun=begun, is_listed=True)
        if (span := collection.span) is not None:
            # The oldest first: what is announced meanwhile comes behind, and shifts nothing.
            part = (_minute_of(span.first), _minute_of(span.last + timedelta(days=1)))
            order = ("submittedDate", "ascending")
            return cls([{"search_query": query}], ALL, page_size, *order, begun=begun, part=part, span=span)
        sort_by, sort_order = config.get("sort_by", "submittedDate"), config.get("sort_order", "descending")
        since = window.get("since") if window else _since(collection, sort_by, sort_order)
        by_submission = sort_by == "submittedDate"
        return cls(
            [{"search_query": query}],
            wanted if by_submission else min(wanted, DEEPEST),
            page_size,
            sort_by,
            sort_order,
            begun=begun,
            is_cut_short=not by_submission and wanted > DEEPEST,
            since=since,
            part=(_minute(since), _after(begun)) if since and by_submission else None,
        )

    @property
    def field(self) -> tuple[str, str] | None:
        """Field of an item and name in the cursor, where a later run can begin at what this one saw; else None."""
        is_live = not self.is_listed and self.span is None and self.sort_order == "descending"
        return FOLLOWED.get(self.sort_by) if is_live else None

    def params(self, number: int, part: Part | None) -> dict[str, str]:
        """The query, or the ids, of slice `number`, within the times of `part`."""
        asked = self.slices[number]
        if part is None:
            return asked
        bounds = f"submittedDate:[{part[0]} TO {part[1]}]"
        return {**asked, "search_query": f"({asked['search_query']}) AND {bounds}"}

    def halves(self, part: Part | None) -> list[Part]:
        """A part as two, in the order that is wanted; empty when it cannot be cut."""
        if self.is_listed or self.sort_by != "submittedDate":
            return []
        low, high = (_instant(bound) for bound in part or (FIRST, _after(self.begun)))
        middle = low + (high - low) // 2 // MINUTE * MINUTE
        if middle <= low:
            return []
        # The minute in the middle belongs to both: a paper that comes twice is stored once.
        found = [(_minute(low), _minute(middle)), (_minute(middle), _minute(high))]
        return found if self.sort_order == "ascending" else found[::-1]

    def newest(self, items: list[dict[str, Any]], before: str | None) -> str | None:
        """The latest instant of the field that is followed; one after the beginning is a mistake of somebody's."""
        if self.field is None:
            return None
        found = [item.get(self.field[0], "") for item in items]
        known = [when for when in found if _INSTANT.fullmatch(when) and when <= self.begun]
        return max((before or "", *known)) or None

    def keeps(self, item: Mapping[str, Any]) -> bool:
        """False for what the answer brings beyond the days of a span, or before the mark of an earlier run."""
        if self.span is not None:
            return not _is_day(day := item.get("published", "")[:10]) or (
                self.span.first.isoformat() <= day <= self.span.last.isoformat()
            )
        return not self.is_behind(item)

    def is_behind(self, item: Mapping[str, Any]) -> bool:
        """True for a version that an earlier run has seen: what follows it in this order was seen too."""
        if self.since is None or self.sort_by != "lastUpdatedDate":
            return False
        updated = item.get("updated", "")
        return bool(_INSTANT.fullmatch(updated)) and updated < self.since


def _since(collection: Collection, sort_by: str, sort_order: str) -> str | None:
    """From when on a run that has a cursor collects."""
    if sort_order != "descending" or sort_by not in FOLLOWED:
        return None
    mark = str((collection.cursor or {}).get(FOLLOWED[sort_by][1]) or "")
    if not _INSTANT.fullmatch(mark):
        return None
    overlap = parse_duration(str(collection.config.get("overlap", OVERLAP)))
    return iso(datetime.fromisoformat(mark) - overlap)


def _listed(query: str, ids: list[str], wanted: int) -> tuple[list[dict[str, str]], int]:
    # An id brings one paper at most; where a query filters the ids, only the answers tell how many.
    ids = ids if query else ids[:wanted]
    # Of one size whatever page_size says: a token counts slices, and page_size may be edited in between.
    slices = [{"id_list": ",".join(ids[at : at + IDS_AT_ONCE])} for at in range(0, len(ids), IDS_AT_ONCE)]
    slices = [{"search_query": query} | one for one in slices] if query else slices
    return slices, min(wanted, len(ids))


def _query(value: Any) -> str:
    """A query as arXiv reads it; several are joined with OR. The manual's `+AND+` is a blank in an address."""
    if value is None:
        return ""
    parts = [value] if isinstance(value, str) else list(value)
    parts = [" ".join(_PLUS.sub(r" \1 ", str(part)).split()) for part in parts]
    parts = [part for part in parts if part]
    return parts[0] if len(parts) == 1 else " OR ".join(f"({part})" for part in parts)


def _ids(value: Any) -> list[str]:
    """Ids without blanks, repetitions and the prefix that citations give them."""
    if value is None:
        return []
    parts = value.split(",") if isinstance(value, str) else value
    found = [re.sub(r"^arxiv:", "", str(part).strip(), flags=re.IGNORECASE) for part in parts]
    return list(dict.fromkeys(one for one in found if one))


def _minute(instant: datetime | str) -> str:
    instant = datetime.fromisoformat(instant) if isinstance(instant, str) else instant
    return f"{instant:%Y%m%d%H%M}"


def _minute_of(day: Any) -> str:
    return _minute(datetime.combine(day, time(), UTC))


def _after(instant: str) -> str:
    return _minute(datetime.fromisoformat(instant) + MINUTE)


def _instant(minute: str) -> datetime:
    return datetime.strptime(minute, "%Y%m%d%H%M").replace(tzinfo=UTC)


def _is_day(text: str) -> bool:
    return re.fullmatch(r"\d{4}-\d\d-\d\d", text) is not None
