"""What goes out to other programs of people: records as Atom for feed readers, runs to come as a calendar."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from hashlib import blake2b
from typing import Any
from urllib.parse import quote, urlencode

from stoma.api.answers import Asked, Document
from stoma.api.pages.texts import record_path
from stoma.api.route import Param, Route, whole
from stoma.formats import atom, ics
from stoma.scheduler.ahead import OFTEN, Ahead, outlook
from stoma.scheduler.base import Task
from stoma.scheduler.outlook import conditions
from stoma.scheduler.parts import task_named
from stoma.scheduler.selecting import selection_of
from stoma.scheduler.timetables import timetables_of
from stoma.stores.base import Row

AHEAD = timedelta(days=14)
"""How far the calendar looks."""

AGAIN = timedelta(hours=1)
"""When a calendar should look again."""

LIMIT, MOST = 50, 200
"""Entries of a page of a feed."""

CHOICE = (
    Param("q", "Only records in which these words stand, as `stoma search` takes them."),
    Param("kind", "Only records of this kind, such as paper."),
    Param("source", "Only records of this source, such as arxiv."),
    Param("limit", "At most so many on a page.", whole(LIMIT, 1, MOST)),
    Param("cursor", "Where an earlier page went on.", whole(None, 1, 2**62)),
)


def of_all(asked: Asked) -> Document:
    """What was collected, newest first, as an Atom feed."""
    return _feed(asked, "feed.atom", None, "All that Stoma collects here", "/records")


def of_task(asked: Asked, task_id: str) -> Document:
    """What a task collected, newest first, as an Atom feed."""
    task = asked.scheduler.config.tasks.get(task_id)
    # A task that is declared no more has left its records; without any this says that there is no such task.
    title, link = (task.name, f"/tasks/{task_id}") if task else (task_id, "/records")
    return _feed(asked, f"{quote(task_id)}.atom", task_id, title, link)


def calendar(asked: Asked) -> Document:
    """The runs of the next 14 days as a calendar (iCalendar)."""
    scheduler, wanted = asked.scheduler, asked.query.get("task")
    only = task_named(scheduler.config, wanted) if wanted is not None else None
    sight = scheduler.board.look()
    is_paused = sight.status["paused_since"] is not None
    # What is switched off or blocked has no next run.
    due = [scheduler.config.tasks.get(row["id"]) for row in sight.tasks if row["next_run"]]
    tasks = [task for task in due if task is not None and only in (None, task)]
    stamp = scheduler.loaded_at or sight.now

    def make() -> bytes:
        return _calendar(tasks, only, sight.now, stamp, is_paused=is_paused)

    if only is None:
        # Of very many tasks it takes a second, and nobody's calendar looks twice in a minute.
        minute = sight.now.replace(second=0, microsecond=0)
        body = scheduler.board.made("calendar", (tasks, scheduler.loaded_at, is_paused, minute), make)
    else:
        body = make()
    return _document(body, f"{ics.MEDIA_TYPE}; charset=utf-8")


def _calendar(
    tasks: Sequence[Task], only: Task | None, now: datetime, stamp: datetime, *, is_paused: bool
) -> bytes:
    found = outlook(tasks, now, now + AHEAD)
    words = {task.id: _occasion(task) for task in tasks}
    told = ["Everything is paused: nothing runs until it is resumed."] if is_paused else []
    if found.is_cut:
        told.append(
            f"There is more than is told here, which ends {found.found[-1].first.at:%Y-%m-%d %H:%M} UTC."
            if found.found
            else "There is too much to be told."
        )
    return ics.document(
        f"Stoma: {only.name}" if only else "Stoma",
        [_event(one, words[one.task.id], is_sure=not is_paused) for one in found.found],
        text=" ".join(told),
        stamp=stamp,
        again=AGAIN,
    )


def _feed(asked: Asked, name: str, task_id: str | None, title: str, link: str) -> Document:
    scheduler, query = asked.scheduler, asked.query
    store, words, limit, cursor = scheduler.store, query.get("q"), query["limit"], query.get("cursor")
    selection = selection_of(
        scheduler.config, store, kind=query.get("kind"), source=query.get("source"), task=task_id
    )
    rows: Sequence[Row]
    if words is None:
        page = store.questions.listed(selection, before=cursor, limit=limit)
        rows, onward = page.rows, page.next
    else:
        sought = store.search.find(words, selection, limit, order="newest", before=cursor)
        rows = sought.rows
        onward = rows[-1]["id"] if sought.has_more and rows else None
        title = f"{title}: {words}"
    entries = [entry_of(row) for row in rows]
    stood = [row["first_seen_at"] for row in rows] + [entry.updated for entry in entries]
    feed = atom.Feed(
        id=atom.identity("feed", task_id or "", *(query.get(word, "") for word in ("q", "kind", "source"))),
        title=title,
        # What never changes where there is nothing: the answer stays the same until there is something.
        updated=max(stood, default=_EPOCH),
        link=link,
        itself=_address(name, query),
        start=_address(name, {**query, "cursor": None}),
        onward=_address(name, {**query, "cursor": onward}) if onward is not None else "",
    )
    return _document(atom.document(feed, entries), f"{atom.MEDIA_TYPE}; charset=utf-8")


def entry_of(row: Row) -> atom.Entry:
    """A record as an entry: it keeps its id for ever, and leads to its page at the source, or here."""
    published, told = row["published_at"], row["updated_at"] or row["published_at"]
    return atom.Entry(
        id=atom.identity("record", row["source"], row["external_id"]),
        title=row["title"] or row["external_id"],
        # A source that dates itself into the future would stand on top for years.
        updated=min(told or row["first_seen_at"], row["last_seen_at"]),
        link=atom.web_link(row["url"]) or record_path(row),
        published=published,
        authors=row["authors"],
        tags=row["tags"],
        summary=row["summary"],
    )


def _address(name: str, query: Mapping[str, Any]) -> str:
    """An address beside the one that is asked: it holds also behind a proxy that serves another name."""
    given = {
        key: value for key, value in query.items() if value is not None and (key, value) != ("limit", LIMIT)
    }
    return f"{name}?{urlencode(given)}" if given else name


def _event(one: Ahead, occasion: str, *, is_sure: bool) -> ics.Event:
    task, first = one.task, one.first
    text = [occasion, *first.marks]
    if one.day is not None:
        text = [f"more than {OFTEN} runs on this day", occasion]
    return ics.Event(
        uid=f"{task.id}-{first.at:%Y%m%dT%H%M%SZ}@stoma" if one.day is None else f"{task.id}-{one.day}@stoma",
        at=first.starts if one.day is None else one.day,
        title=task.name,
        text="\n".join([f"task {task.id}", *text]),
        is_sure=is_sure,
    )


def _occasion(task: Task) -> str:
    words = [timetable.in_words() for timetable in timetables_of(task)]
    return "; ".join([*words, *conditions(task)])


def _document(body: bytes, kind: str) -> Document:
    """With the mark of its content: who knows it already is told so (304), and nothing is sent."""
    mark = blake2b(body, digest_size=12).hexdigest()
    return Document(body, kind, headers={"ETag": f'"{mark}"', "Cache-Control": "private, no-cache"})


_EPOCH = datetime.fromisoformat("1970-01-01T00:00:00+00:00")

FEEDS: tuple[Route, ...] = (
    Route("GET", "/feed.atom", of_all, CHOICE),
    Route("GET", "/feeds/<task_id>.atom", of_task, CHOICE),
    Route("GET", "/calendar.ics", calendar, (Param("task", "Only the runs of this task."),)),
)
