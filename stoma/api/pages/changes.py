"""What is new, what has changed, what has risen most."""

from __future__ import annotations

from stoma.api.answers import Asked, Document
from stoma.api.pages import render
from stoma.api.pages.records import MOST_NAMES
from stoma.api.route import Param
from stoma.api.saying import in_one
from stoma.scheduler.selecting import doubts, selection_of

LIMIT = 20
MOST_RISEN = 10
SELECTING = ("kind", "source", "task", "since")
PARAMS = (
    Param("since", "Since when, such as 7d.", {"type": "string", "minLength": 1, "default": "7d"}),
    Param("kind", "Only records of this kind."),
    Param("source", "Only records of this source."),
    Param("task", "Only what this task has seen."),
    Param("cursor", "Changed records that follow: the `next` of a page."),
)


def page(asked: Asked) -> Document:
    """What happened to records since a moment."""
    query, store, config = asked.query, asked.scheduler.store, asked.scheduler.config
    selection = selection_of(config, store, **{name: query.get(name) for name in SELECTING})
    found = store.questions.changes(selection, store.now(), limit=LIMIT, before=query.get("cursor"))
    return render.page(
        asked,
        "changes.html",
        found=found,
        risen=[
            (measure, rises[:MOST_RISEN], found.risen.by_percent[measure][:MOST_RISEN])
            for measure, rises in found.risen.by_difference.items()
        ],
        query={name: query[name] for name in SELECTING if name in query},
        cursor=query.get("cursor"),
        doubts=in_one(doubts(store, selection)),
        kinds=store.questions.kinds()[: MOST_NAMES + 1],
        sources=store.questions.sources()[: MOST_NAMES + 1],
        tasks=list(config.tasks)[: MOST_NAMES + 1],
        most_names=MOST_NAMES,
    )
