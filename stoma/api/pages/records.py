"""Records: a search, or the newest, each with what was asked for marked."""

from __future__ import annotations

from typing import Any

from stoma.api.answers import Asked, Document
from stoma.api.pages import render
from stoma.api.pages.texts import marked
from stoma.api.route import Param, one_of, whole
from stoma.api.saying import in_one
from stoma.errors import UsageError
from stoma.excerpts import Excerpt, excerpt
from stoma.query import Node, parse, readable
from stoma.scheduler.selecting import doubts, selection_of
from stoma.stores.base import Row
from stoma.stores.search import Found, Lag

LIMIT = 30
EXCERPT = 240
"""Characters of a summary that are shown."""

LOOKED_THROUGH = 4_000
"""Characters of a summary in which what was asked for is marked."""

MOST_NAMES = 100
"""Names that are offered in a list; of more the one that is meant has to be written."""

SELECTING = ("kind", "source", "task", "since", "until")
PARAMS = (
    Param("q", "Words that are sought, as `stoma search` takes them."),
    Param("kind", "Only records of this kind."),
    Param("source", "Only records of this source."),
    Param("task", "Only what this task has seen."),
    Param("since", "Only what was stored since then: a moment such as 2026-01-31, or a time such as 7d."),
    Param("until", "Only what was stored before then."),
    Param("order", "The best first, or the newest.", one_of("best", "newest")),
    Param("cursor", "What follows on a page: the number of its last record.", whole(None, 1, 2**62)),
)


def page(asked: Asked) -> Document:
    """Records that a search finds, or the newest ones."""
    query, store, config = asked.query, asked.scheduler.store, asked.scheduler.config
    selection = selection_of(config, store, **{name: query.get(name) for name in SELECTING})
    cursor, text = query.get("cursor"), query.get("q")
    # Only the newest go on.
    order = query.get("order", "best") if cursor is None else "newest"
    rows: list[Any]
    mistake: UsageError | None = None
    if text is None:
        found = store.questions.listed(selection, before=cursor, limit=LIMIT)
        rows = [(row, None, _glance(row)) for row in found.rows]
        following, lag, has_more = found.next, 0, found.next is not None
    else:
        try:
            node = parse(text)
            hits = store.search.find(text, selection, LIMIT, order=order, before=cursor)
        except UsageError as error:
            # Told beside the field, so that the query can be mended there.
            mistake, node, hits = error, parse("a"), Found([], False, Lag())
        rows = [(row, *_marked(row, node)) for row in hits.rows]
        lag, has_more = hits.lag.records, hits.has_more
        following = hits.rows[-1]["id"] if has_more and order == "newest" and hits.rows else None
    return render.page(
        asked,
        "records.html",
        status=200 if mistake is None else 400,
        mistake=mistake,
        rows=rows,
        q=text,
        order=order,
        query={name: query[name] for name in ("q", *SELECTING, "order") if name in query},
        filters=sorted(name for name in SELECTING if name in query),
        cursor=cursor,
        following=following,
        has_more=has_more,
        lag=lag,
        doubts=in_one(doubts(store, selection)),
        kinds=store.questions.kinds()[: MOST_NAMES + 1],
        sources=store.questions.sources()[: MOST_NAMES + 1],
        tasks=list(config.tasks)[: MOST_NAMES + 1],
        most_names=MOST_NAMES,
        is_empty=not rows and not store.questions.kinds(),
    )


def _glance(row: Row) -> list[tuple[str, bool]]:
    """The beginning of a summary."""
    line = " ".join(readable(row["summary"][: 4 * EXCERPT]).split())
    told = line if len(line) <= EXCERPT else f"{line[:EXCERPT].rpartition(' ')[0] or line[:EXCERPT]}…"
    return list(marked(Excerpt(told, [])))


def _marked(row: Row, node: Node) -> tuple[list[tuple[str, bool]], list[tuple[str, bool]]]:
    """Title and summary with the words that were asked for."""
    title = excerpt(row["title"] or row["external_id"], node, 300)
    return list(marked(title)), list(marked(excerpt(row["summary"][:LOOKED_THROUGH], node, EXCERPT)))
