"""What has been collected, over HTTP: lists, stories, search, changes. The same functions as behind the commands."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from stoma.api.answers import Answer, Asked
from stoma.api.saying import in_one
from stoma.errors import UsageError
from stoma.scheduler.base import iso
from stoma.scheduler.selecting import doubts, selection_of
from stoma.stores.questions import Selection, listed_dict

SELECTING = ("kind", "source", "task", "since", "until")


def records(asked: Asked) -> Answer:
    """Records, newest first: all, or those in which words stand."""
    query = asked.query
    if "q" in query:
        return _found(asked, query["q"], "newest")
    selection = _selection(asked, query)
    found = asked.scheduler.store.questions.listed(
        selection, before=query.get("cursor"), limit=query["limit"]
    )
    return Answer(found.as_dict() | _hint(asked, selection))


def story(asked: Asked, source: str, external_id: str) -> Answer:
    """One record with its versions, what was measured of it, and who saw it."""
    return Answer(asked.scheduler.store.questions.story(external_id, source).as_dict())


def search(asked: Asked) -> Answer:
    """Records in which words stand, best or newest first."""
    query = asked.query
    if "cursor" in query and query["order"] != "newest":
        raise UsageError("cursor: only the newest go on", "say order=newest, or a greater limit")
    return _found(asked, query["q"], query["order"])


def _found(asked: Asked, text: str, order: str) -> Answer:
    query = asked.query
    selection, limit = _selection(asked, query), query["limit"]
    found = asked.scheduler.store.search.find(text, selection, limit, order=order, before=query.get("cursor"))
    rows = [listed_dict(row) for row in found.rows]
    goes_on = order == "newest" and found.has_more and rows
    return Answer(
        {
            "records": rows,
            "next": rows[-1]["id"] if goes_on else None,
            "has_more": found.has_more,
            "lag": {"records": found.lag.records, "since": iso(found.lag.since)},
        }
        | _hint(asked, selection)
    )


def changes(asked: Asked) -> Answer:
    """What is new, what has changed and what has risen."""
    selection, query, store = _selection(asked, asked.query), asked.query, asked.scheduler.store
    found = store.questions.changes(selection, store.now(), limit=query["limit"], before=query.get("cursor"))
    return Answer(found.as_dict() | _hint(asked, selection))


def _hint(asked: Asked, selection: Selection) -> dict[str, str]:
    """What may be meant otherwise, where there is something."""
    found = doubts(asked.scheduler.store, selection)
    return {"hint": in_one(found)} if found else {}


def _selection(asked: Asked, given: Mapping[str, Any]) -> Selection:
    words = {name: given.get(name) for name in SELECTING}
    return selection_of(asked.scheduler.config, asked.scheduler.store, **words)
