"""EDGAR's feed of the latest filings (getcurrent), walked from the newest entry back to a given moment.

The feed lists one entry for each filer or subject of a filing, newest first, at most 5,100 of them. New filings push
entries to later pages while one walks, so entries come twice; `type` matches the beginning of a form only.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any

from stoma.collectors.edgar_xml import xml_root
from stoma.errors import BadAnswer

if TYPE_CHECKING:
    from stoma.collectors.http import Response

PATH = "/cgi-bin/browse-edgar"
PAGE = 100
DEEPEST = 5_000
"""The last `start` that is answered; beyond it comes a page of 503 that says nothing about how busy EDGAR is."""

ATOM = "{http://www.w3.org/2005/Atom}"
_ACCESSION = re.compile(r"accession-number=(\d{10}-\d\d-\d{6})", re.ASCII)
_FILED = re.compile(r"Filed:</b>\s*(\d{4}-\d\d-\d\d)", re.ASCII)
_PARTY = re.compile(r"^(.*) \((\d{10})\) \([^()]*\)$", re.ASCII | re.DOTALL)


@dataclass(frozen=True, slots=True)
class Entry:
    """One filer or subject of one filing; `accepted` has Eastern time's offset of that day."""

    accession: str
    form: str
    filed: str
    accepted: datetime
    cik: str
    name: str


@dataclass(frozen=True, slots=True)
class Latest:
    """What a walk found: filings oldest first, and whether the feed ended before the walk was through."""

    filings: list[dict[str, Any]]
    # Entries that could not be read, each with its fault.
    unreadable: list[dict[str, Any]]
    is_cut_short: bool
    # When the oldest of them was accepted; None when there is none.
    oldest: datetime | None
    url: str
    fetched_at: datetime


AskPage = Callable[[int, Callable[["Response"], list[Entry]]], list[Entry]]
"""Asks for the page that starts at an entry's number and reads it."""


def walk(ask_page: AskPage, since: datetime) -> Latest:
    """All filings accepted at `since` or later.

    Nothing is given before the walk is over: an entry of a filing may stand on the next page, or come again there.
    """
    found: dict[Entry, None] = {}
    answers: list[Response] = []
    unreadable: dict[str, dict[str, Any]] = {}
    count = 0

    def read(response: Response) -> list[Entry]:
        nonlocal count
        faults: list[dict[str, Any]] = []
        entries = read_page(response, faults)
        count = len(entries) + len(faults)
        unreadable.update((str(one), one) for one in faults)
        if entries and all(entry in found for entry in entries):
            raise BadAnswer(f"{response.shown} is the page before it once more")
        answers[:] = [response]
        return entries

    start, is_over = 0, False
    while start <= DEEPEST and not is_over:
        page = ask_page(start, read)
        found.update(dict.fromkeys(page))
        # Entries are ordered by acceptance, and all of one filing share it: an older one ends all that are wanted.
        is_over = count < PAGE or page[-1].accepted < since
        start += PAGE
    entries = [entry for entry in found if entry.accepted >= since]
    if not is_over and entries:
        # The rest of the last filing may lie beyond the end of the feed.
        cut = entries[-1].accession
        entries = [entry for entry in entries if entry.accession != cut]
    oldest = entries[-1].accepted if entries else None
    return Latest(
        _filings(reversed(entries)),
        [*unreadable.values()],
        not is_over,
        oldest,
        answers[-1].shown,
        answers[-1].fetched_at,
    )


def read_page(response: Response, unreadable: list[dict[str, Any]] | None = None) -> list[Entry]:
    """The entries of one page, newest first; raises BadAnswer when it is none.

    With `unreadable` an entry that cannot be read is added to it, as an item with its fault, if another one can.
    """
    try:
        root = xml_root(response.body)
    except ValueError as error:
        raise BadAnswer(f"{response.shown} is not XML ({error}); it begins {response.opening!r}") from None
    if root.tag != f"{ATOM}feed":
        raise BadAnswer(f"{response.shown} is not EDGAR's feed; it begins {response.opening!r}")
    entries, faults = [], []
    for node in root.iterfind(f"{ATOM}entry"):
        try:
            entries.append(_entry(node))
        except (TypeError, ValueError) as error:
            faults.append({"accession": "", "fault": f"the feed has an entry that cannot be read ({error})"})
    if faults and (unreadable is None or not entries):
        # None at all: the feed is another one than it was.
        raise BadAnswer(f"{response.shown} {faults[0]['fault'].removeprefix('the feed ')}")
    if unreadable is not None:
        unreadable += faults
    return entries


def _entry(node: Any) -> Entry:
    def text(name: str) -> str:
        return (node.findtext(f"{ATOM}{name}") or "").strip()

    category = node.find(f"{ATOM}category")
    form = category.get("term") if category is not None else ""
    title = text("title").removeprefix(f"{form} - ")
    accession, filed, party = (
        _ACCESSION.search(text("id")),
        _FILED.search(text("summary")),
        _PARTY.match(title),
    )
    if not (form and accession and filed and party):
        raise ValueError(f"its title is {text('title')[:80]!r}")
    accepted = datetime.fromisoformat(text("updated"))
    if accepted.tzinfo is None:
        raise ValueError("its time has no zone")
    return Entry(accession[1], form, filed[1], accepted, party[2], " ".join(party[1].split()))


def _filings(entries: Iterable[Entry]) -> list[dict[str, Any]]:
    """One item for each accession, in the order in which they first come."""
    found: dict[str, dict[str, Any]] = {}
    for entry in entries:
        item = found.setdefault(
            entry.accession,
            {
                "accession": entry.accession,
                "form": entry.form,
                "filed": entry.filed,
                "accepted": entry.accepted.isoformat(),
                "ciks": [],
                "names": [],
            },
        )
        if entry.cik not in item["ciks"]:
            item["ciks"].append(entry.cik)
            item["names"].append(entry.name)
    return list(found.values())


def roots(forms: Iterable[str]) -> list[str]:
    """What to ask the feed for, so that each form comes exactly once: forms that begin with another come with it."""
    found: list[str] = []
    for form in sorted(set(forms)):
        if not any(form.startswith(root) for root in found):
            found.append(form)
    return found or [""]
