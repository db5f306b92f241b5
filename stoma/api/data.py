"""What has been collected, over HTTP: lists, stories, search, changes. The same functions as behind the commands."""

from __future__ import annotations

from collections.abc import Mapping

from stoma.api.answers import Answer
from stoma.api.queries import in_one, known, number
from stoma.errors import UsageError
from stoma.scheduler.base import iso
from stoma.scheduler.manager import Scheduler
from stoma.scheduler.selecting import doubts, selection_of
from stoma.stores.questions import Selection, record_dict
from stoma.wording import listed, shown

LIMIT, MOST = 50, 1_000
"""Records in an answer: as a rule, and at most."""

LAST = 2**63 - 1
ORDERS = ("best", "newest")
SELECTING = ("kind", "source", "task", "since", "until")


def records(scheduler: Scheduler, query: Mapping[str, str]) -> Answer:
    """Records, newest first: `kind`, `source`, `task`, `since`, `until`, `limit`, and `before` to go on."""
    given = known(query, (*SELECTING, "limit", "before"))
    selection, limit = _selection(scheduler, given), number(given, "limit", LIMIT, 1, MOST)
    before = number(given, "before", LAST, 1, LAST) if "before" in given else None
    found = scheduler.store.questions.listed(selection, before=before, limit=limit)
    return Answer(found.as_dict() | _hint(scheduler, selection))


def story(scheduler: Scheduler, query: Mapping[str, str], source: str, external_id: str) -> Answer:
    """One record with its versions, what was measured of it, and who saw it."""
    known(query, ())
    return Answer(scheduler.store.questions.story(external_id, source).as_dict())


def search(scheduler: Scheduler, query: Mapping[str, str]) -> Answer:
    """Records that match `query`, or `q`: `order` (best or newest), the parameters of lists, `before` with newest."""
    given = known(query, ("query", *SELECTING, "order", "limit", "before", "q"))
    if ("query" in given) is ("q" in given):
        example = 'for example ?query=diffusion+"language+model"'
        raise UsageError("query: it has to be said once what is sought", example)
    text = given.get("query", given.get("q", ""))
    order = given.get("order", ORDERS[0])
    if order not in ORDERS:
        raise UsageError(f'order: found "{shown(order)}", expected {listed(ORDERS)}')
    if "before" in given and order != "newest":
        raise UsageError("before: only the newest go on", "say order=newest, or a greater limit")
    selection, limit = _selection(scheduler, given), number(given, "limit", LIMIT, 1, MOST)
    before = number(given, "before", LAST, 1, LAST) if "before" in given else None
    found = scheduler.store.search.find(text, selection, limit, order=order, before=before)
    rows = [record_dict(row) for row in found.rows]
    goes_on = order == "newest" and found.has_more and rows
    return Answer(
        {
            "records": rows,
            "next": rows[-1]["id"] if goes_on else None,
            "has_more": found.has_more,
            "lag": {"records": found.lag.records, "since": iso(found.lag.since)},
        }
        | _hint(scheduler, selection)
    )


def changes(scheduler: Scheduler, query: Mapping[str, str]) -> Answer:
    """What is new, changed and risen since `since` (7d): `kind`, `source`, `task`, `limit`, and `before` to go on."""
    given = known(query, ("since", "kind", "source", "task", "limit", "before"))
    selection = _selection(scheduler, {"since": "7d"} | given)
    limit = number(given, "limit", LIMIT, 1, MOST)
    now = scheduler.store.now()
    found = scheduler.store.questions.changes(selection, now, limit=limit, before=given.get("before"))
    return Answer(found.as_dict() | _hint(scheduler, selection))


def _hint(scheduler: Scheduler, selection: Selection) -> dict[str, str]:
    """What may be meant otherwise, where there is something."""
    found = doubts(scheduler.store, selection)
    return {"hint": in_one(found)} if found else {}


def _selection(scheduler: Scheduler, given: Mapping[str, str]) -> Selection:
    words = {name: given.get(name) for name in SELECTING}
    return selection_of(scheduler.config, scheduler.store, **words)
