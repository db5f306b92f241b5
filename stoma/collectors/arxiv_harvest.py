"""A harvest of arXiv over OAI-PMH: every record that changed since a day, set by set, along resumption tokens.

What the cursor means: everything that changed before the day of the server's clock at the beginning of the last
complete harvest is collected. A day is asked for again, from its beginning: the standard knows no smaller step here.
A harvest that finds nothing says that nothing changed: as after a 304, what the last one brought counts as unchanged.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import date, timedelta
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from stoma.collectors.arxiv_oai import Listing, read_listing, reason
from stoma.collectors.base import Collection, Estimate
from stoma.errors import BadAnswer, UsageError
from stoma.records import CollectorResult

if TYPE_CHECKING:
    from stoma.collectors.http import Response

OAI = "https://oaipmh.arxiv.org"
"""Since March 2025; before, http://export.arxiv.org/oai2."""

RESTARTS = 2
"""So often in one run a list begins anew at the same day, because its token was not accepted any more."""

PAGE, A_DAY = 1_000, 2_000
"""For estimates where the server tells no total: records of one page, and records of all sets that change in a day."""


@dataclass(frozen=True, slots=True)
class Place:
    """Where a harvest stands: in which set, behind which token, and from which day this list was asked for.

    `last` is the latest datestamp so far while they came in order, so that everything before it is finished.
    """

    number: int = 0
    since: str | None = None
    token: str | None = None
    last: str | None = None
    in_order: bool = True

    @classmethod
    def of(cls, page: Any, sets: int) -> Place | None:
        """The place that a token tells; None when it fits no longer."""
        try:
            place = cls(
                int(page["set"]), page.get("since"), page["token"], page.get("last"), bool(page["in_order"])
            )
        except (KeyError, TypeError, ValueError, AttributeError):
            return None
        return place if 0 <= place.number < sets else None

    def as_json(self) -> dict[str, Any]:
        """The place as a page token."""
        return {
            "set": self.number,
            "since": self.since,
            "token": self.token,
            "last": self.last,
            "in_order": self.in_order,
        }

    def after(self, listing: Listing, since: str | None) -> Place:
        """Behind a page: the next one of this list, or the next set's first, which is asked for from `since`."""
        if listing.token is None:
            return Place(self.number + 1, since)
        last, in_order = self.last or "", self.in_order
        for item in listing.items:
            stamp = item.get("datestamp", "")
            in_order = in_order and stamp >= last
            last = max(last, stamp)
        return replace(self, token=listing.token, last=last or None, in_order=in_order)

    def again(self) -> Place:
        """The list once more, from the last day that is finished, or from its beginning where no day is."""
        since = self.last if self.in_order and self.last else self.since
        return Place(self.number, since)


@dataclass(slots=True)
class Harvest:
    """One run in mode `oai`."""

    collection: Collection
    source: str
    url: str
    sets: list[str | None]
    since: str | None
    until: str | None
    # The day of the server's clock when this harvest began.
    responded: str | None
    place: Place
    # How many records it brought so far, and how many the last one did that brought any.
    count: int = 0
    count_before: int = 0
    known: set[str] = field(default_factory=set)
    restarts: int = 0

    @classmethod
    def of(cls, collection: Collection, source: str) -> Harvest:
        """The harvest of a run, where it begins or goes on. Raises UsageError."""
        config, progress = collection.config, collection.progress
        for name in ("search_query", "id_list"):
            if config.get(name):
                raise UsageError(
                    f"mode: oai harvests sets, it knows no {name}", f"leave {name} or mode: oai out"
                )
        given = config.get("set")
        sets: list[str | None] = [given] if isinstance(given, str) or given is None else list(given)
        since, until = str(config["from"]) if config.get("from") else None, None
        if collection.span is not None:
            since, until = collection.span.first.isoformat(), collection.span.last.isoformat()
        elif collection.cursor and collection.cursor.get("from"):
            since = str(collection.cursor["from"])
        window: Mapping[str, Any] = progress.window if progress else {}
        since = window.get("since", since)
        place = Place.of(progress.page, len(sets)) if progress else None
        url = (config.get("base_url") or OAI).rstrip("/") + "/oai"
        return cls(
            collection,
            source,
            url,
            sets,
            since,
            until,
            window.get("responded"),
            place or Place(0, since),
            count=int(window.get("count") or 0),
            count_before=int((collection.cursor or {}).get("count") or 0),
        )

    def pages(self) -> Iterator[CollectorResult]:
        """Every page of every set; the last one carries the cursor."""
        last: list[Any] = []
        while True:
            listing = self._ask("ListRecords", self.place, last)
            if listing.is_expired:
                self._begin_anew(listing)
                continue
            last = [item.get("identifier") for item in listing.items]
            # The first answer of all: what changes while the harvest goes on is left to the next one. A clock that is
            # ahead of ours would leave days out.
            today = self.collection.now.date().isoformat()
            self.responded = self.responded or min(listing.responded, today)
            self.place = self.place.after(listing, self.since)
            if self.place.token is not None:
                self.known.add(self.place.token)
            self.count += len(listing.items)
            is_last = self.place.number >= len(self.sets)
            yield CollectorResult(
                source=self.source,
                items=listing.items,
                url=listing.url,
                fetched_at=listing.fetched_at,
                next_page=None if is_last else self.place.as_json(),
                window={"since": self.since, "responded": self.responded, "count": self.count},
                cursor=self._cursor() if is_last else None,
                unmodified=self.count_before if is_last and not self.count else 0,
                expected=listing.total if len(self.sets) == 1 else None,
            )
            if is_last:
                return

    def _cursor(self) -> dict[str, Any] | None:
        if self.until is not None:
            return None
        return {"from": self.responded, "count": self.count or self.count_before}

    def estimate(self) -> Estimate:
        """What it would cost: told where a list is short or its size is given, else reckoned from experience."""
        records, is_told = 0, True
        for number in range(len(self.sets)):
            listing = self._ask("ListIdentifiers", Place(number, self.since), [])
            if listing.token is None or listing.total is not None:
                records += listing.total or len(listing.items)
            else:
                records, is_told = records + max(self._reckoned(), len(listing.items)), False
        requests = max(len(self.sets), -(-records // PAGE))
        return Estimate(requests, records if is_told else None, urlsplit(self.url).hostname or "", is_told)

    def _reckoned(self) -> int:
        first = date.fromisoformat(self.since) if self.since else date(2007, 5, 1)
        last = date.fromisoformat(self.until) if self.until else self.collection.now.date()
        return ((last - first) // timedelta(days=1) + 1) * A_DAY

    def _ask(self, verb: str, place: Place, last: list[Any]) -> Listing:
        def read(response: Response) -> Listing:
            listing = read_listing(response)
            if listing.is_nothing and place.token is not None:
                raise BadAnswer(
                    f"{listing.url} says that nothing matches, though it is asked for more of a list"
                )
            if listing.token is not None and listing.token in self.known:
                raise BadAnswer(f"{listing.url} leads back to a page that was there before")
            if (
                place.token is not None
                and len(last) > 1
                and last == [item.get("identifier") for item in listing.items]
            ):
                raise BadAnswer(f"{listing.url} is the page before it once more")
            return listing

        if place.token is not None:
            self.known.add(place.token)
            asked = {"verb": verb, "resumptionToken": place.token}
        else:
            bounds = {"set": self.sets[place.number], "from": place.since, "until": self.until}
            given = {name: value for name, value in bounds.items() if value}
            asked = {"verb": verb, "metadataPrefix": "arXiv", **given}
        return self.collection.http.get(
            self.url, params=asked, headers={"Accept": "text/xml"}, parse=read, explain=reason
        )

    def _begin_anew(self, listing: Listing) -> None:
        """Tokens expire each day: what is finished is not asked for again."""
        place = self.place.again()
        self.restarts = 0 if place.since != self.place.since else self.restarts + 1
        if self.restarts > RESTARTS:
            raise BadAnswer(
                f"{listing.url}: the resumption token is not accepted, however often the list begins anew"
            )
        day = place.since or "its beginning"
        self.collection.log(f"{listing.url}: the resumption token has expired; the list begins anew at {day}")
        self.place, self.known = place, set()
