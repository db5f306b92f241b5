"""One run of the EDGAR collector: what its config asks for, what is behind it, and the pages it yields."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import date, datetime, time, timedelta
from itertools import islice
from typing import TYPE_CHECKING, Any, TypeVar
from zoneinfo import ZoneInfo

from stoma.collectors.base import Collection
from stoma.collectors.edgar_forms import INSIDER_FORMS, is_submission, is_whole, read_submission
from stoma.collectors.edgar_refusals import ask, is_page
from stoma.errors import BadAnswer
from stoma.records import CollectorResult

if TYPE_CHECKING:
    from collections.abc import Callable

    from stoma.collectors.http import Response

T = TypeVar("T")
Item = dict[str, Any]

NEW_YORK = ZoneInfo("America/New_York")
DATA = "https://data.sec.gov"

PAGE = 2_000
PAGE_OF_FORMS = 25
"""Filings committed at once; where each costs a request of its own, fewer, so that a kill costs less."""

ASKS_FOR_ALL = 3
"""So often a form is asked for that comes without its beginning or end, before that is taken for what it is."""

ONE_DAY = timedelta(days=1)
SETTLED = time(6)
"""An index is written in the night behind its day, from about 22:00 on for some hours; when EDGAR opens it is done."""

KNOWN_FOR = timedelta(days=10)
"""What was collected is remembered so long, should no index take it over."""


@dataclass(frozen=True, slots=True)
class Wish:
    """What a config asks for, with defaults filled in."""

    forms: frozenset[str]
    amendments: bool
    ciks: tuple[str, ...]
    tickers: tuple[str, ...]
    details: bool
    days_back: int

    @classmethod
    def of(cls, config: Mapping[str, Any]) -> Wish:
        """What a config means."""
        forms = config.get("filing_type") or ()
        return cls(
            frozenset(form.strip().upper() for form in ([forms] if isinstance(forms, str) else forms)),
            bool(config.get("amendments", False)),
            tuple(f"{int(cik):010}" for cik in config.get("ciks") or ()),
            tuple(config.get("tickers") or ()),
            bool(config.get("form4_details", False)),
            int(config.get("days_back", 1)),
        )

    @property
    def is_by_company(self) -> bool:
        """True when companies or persons are named."""
        return bool(self.ciks or self.tickers)

    @property
    def wants_all(self) -> bool:
        """True when every form is wanted, whatever its name."""
        return self.amendments and not self.forms

    def wants(self, form: str) -> bool:
        """True for a form that is named, or for any where none is; for an amendment of it when asked for."""
        if form in self.forms:
            return True
        original = form.removesuffix("/A")
        if form != original and not self.amendments:
            return False
        return not self.forms or original in self.forms


@dataclass(slots=True)
class Walk:
    """One run: what it asks for, what is behind it, and the way to its next page."""

    collection: Collection
    source: str
    # Where files and pages lie, and where the lists by company do.
    origin: str
    data: str
    wish: Wish
    token: Mapping[str, Any]
    # The first day that was ever asked for, the day on which this run began, the last day whose index was read.
    since: date
    today: date
    complete: date
    # What the index of that day held when it was read, as a hash and a number of filings: it may be corrected.
    mark: str
    held: int
    # Working days that had no index when a later one had; it may still come.
    missing: list[date]
    # What was collected already and will be met once more, with the day on which it was.
    known: dict[str, str]
    # Up to where the feed was read by the last run.
    accepted: datetime | None
    # A filing that was collected before, to show where nothing wanted came.
    last: str
    ciks: list[str] = field(default_factory=list)
    url: str = ""
    fetched_at: datetime | None = None
    # Whether this try has seen a filing, and an index with filings of whatever form.
    has_seen: bool = False
    is_answered: bool = False

    @classmethod
    def of(cls, collection: Collection, source: str, origin: str) -> Walk:
        """The walk of a run, where it begins or goes on; `origin` is EDGAR's own."""
        wish = Wish.of(collection.config)
        today = collection.now.astimezone(NEW_YORK).date()
        first = today - timedelta(days=wish.days_back - 1)
        if collection.span is not None:
            first, today = collection.span.first, min(collection.span.last + ONE_DAY, today)
        state: dict[str, Any] = {"since": first.isoformat(), "complete": (first - ONE_DAY).isoformat()}
        if collection.span is None:
            state |= collection.cursor or {}
        token: Mapping[str, Any] = {}
        if collection.progress is not None:
            state |= collection.progress.window
            token = collection.progress.page
        base_url = str(collection.config.get("base_url") or "").rstrip("/")
        return cls(
            collection,
            source,
            base_url or origin,
            base_url or DATA,
            wish,
            token,
            date.fromisoformat(state["since"]),
            date.fromisoformat(state.get("today") or today.isoformat()),
            date.fromisoformat(state["complete"]),
            str(state.get("mark") or ""),
            int(state.get("held") or 0),
            [date.fromisoformat(day) for day in state.get("missing") or ()],
            dict(state.get("known") or {}),
            datetime.fromisoformat(state["accepted"]) if state.get("accepted") else None,
            str(state.get("last") or ""),
            list(state.get("ciks") or ()),
        )

    def end(self) -> CollectorResult:
        """The page that ends the run, with the cursor that all of it proved."""
        if self.collection.span is not None:
            return self.page([], None)
        oldest = (self.today - KNOWN_FOR).isoformat()
        self.known = {accession: day for accession, day in self.known.items() if day >= oldest}
        cursor = self._state()
        del cursor["today"], cursor["ciks"]
        return self.page([], None, cursor)

    @property
    def size(self) -> int:
        """How many filings are committed at once."""
        return PAGE_OF_FORMS if self.wish.details else PAGE

    @property
    def is_later(self) -> bool:
        """True when a run before this one proved what it collected, and this one begins where that ended."""
        return self.collection.cursor is not None and self.collection.span is None and not self.token

    def is_settled(self, day: date) -> bool:
        """True when the index of a day can be relied upon to be all of it."""
        return self.collection.now >= datetime.combine(day + ONE_DAY, SETTLED, NEW_YORK)

    def ask(
        self,
        url: str,
        parse: Callable[[Response], T],
        params: Mapping[str, Any] | None = None,
        unchanged: Callable[[int], T] | None = None,
    ) -> T | None:
        """An answer of EDGAR's, or None when there is no such file; `unchanged` makes the request conditional."""
        return ask(self.collection.http, url, parse, params=params, unchanged=unchanged)

    def note(self, accessions: Iterable[str]) -> None:
        """Remember what is collected with the next page."""
        self.known.update(dict.fromkeys(accessions, self.today.isoformat()))

    def filled(self, items: list[dict[str, Any]]) -> list[dict[str, Any]]:
        """Items with the insider forms read, where asked for; what is known already counts as seen, no more."""
        return [
            again(item)
            if item["accession"] in self.known
            else self._with_form(item)
            if self.wish.details and item.get("form") in INSIDER_FORMS
            else item
            for item in items
        ]

    def _with_form(self, item: dict[str, Any]) -> dict[str, Any]:
        asks = 0

        def read(response: Response) -> dict[str, Any]:
            nonlocal asks
            asks += 1
            # A page for people in place of a file passes; a file without its header never gets one.
            if is_page(response) and not is_submission(response.body):
                raise BadAnswer(f"{response.shown} is no submission; it begins {response.opening!r}")
            try:
                return {"insider": read_submission(response.body)}
            except ValueError as error:  # a form that cannot be read sinks neither its filing nor its page
                if asks < ASKS_FOR_ALL and not is_whole(response.body):
                    raise BadAnswer(
                        f"{response.shown} is no whole submission ({error}); it begins {response.opening!r}"
                    ) from None
                return {"insider_fault": str(error)}

        path = f"/Archives/edgar/data/{int(item['ciks'][0])}/{item['accession']}.txt"
        found = self.ask(self.origin + path, read)
        return item | (found or {"insider_fault": f"{path} is not there"})

    def _state(self) -> dict[str, Any]:
        return {
            "since": self.since.isoformat(),
            "today": self.today.isoformat(),
            "complete": self.complete.isoformat(),
            "mark": self.mark,
            "held": self.held,
            "missing": [day.isoformat() for day in self.missing],
            "known": dict(self.known),
            "accepted": self.accepted.isoformat() if self.accepted else None,
            "last": self.last,
            "ciks": self.ciks,
        }

    def page(
        self,
        items: list[dict[str, Any]],
        token: Any,
        cursor: dict[str, Any] | None = None,
        unmodified: int = 0,
    ) -> CollectorResult:
        """A page, and where the next one begins; None says that this one is the last."""
        if items:
            self.has_seen, self.last = True, items[-1]["accession"] or self.last
        return CollectorResult(
            source=self.source,
            items=items,
            url=self.url,
            fetched_at=self.fetched_at or self.collection.now,
            next_page=token,
            window=self._state(),
            cursor=cursor,
            unmodified=unmodified,
        )


def again(item: Mapping[str, Any]) -> dict[str, Any]:
    """An item that was collected before: it counts as seen, and no record is made of it."""
    return {"accession": item["accession"], "again": True}


def chunks(items: Iterable[dict[str, Any]], size: int) -> Iterator[tuple[list[dict[str, Any]], bool]]:
    """Lists of at most `size`, each with whether it is the last one."""
    rest = iter(items)
    chunk = list(islice(rest, size))
    while chunk:
        following = list(islice(rest, size))
        yield chunk, not following
        chunk = following
