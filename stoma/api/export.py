"""`GET /api/export`: records as JSON Lines or CSV, streamed in constant memory."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Mapping
from typing import Any

from waitress.channel import ClientDisconnected

from stoma.api.answers import Answer, Asked, Stream
from stoma.api.saying import in_one
from stoma.errors import StomaError, UsageError
from stoma.export import Export, Form
from stoma.log import log_details, logger
from stoma.scheduler.selecting import doubts, selection_of
from stoma.stores.extracts import Wanted
from stoma.wording import listed, shown

MOST_AT_ONCE = 2
"""How many exports are sent at the same time: each keeps a thread of the server busy, and others have questions too."""

SELECTING = ("kind", "source", "task", "since", "until")
TYPES = {"jsonl": "application/x-ndjson; charset=utf-8", "csv": "text/csv; charset=utf-8; header=present"}

_places = threading.BoundedSemaphore(MOST_AT_ONCE)


def export(asked: Asked) -> Answer | Stream:
    """Records, all of them, as JSON Lines or CSV."""
    given, scheduler = asked.query, asked.scheduler
    form = _form(given)
    words = {name: given.get(name) for name in SELECTING}
    selection = selection_of(scheduler.config, scheduler.store, **words)
    work = Export(scheduler.store, Wanted(selection, given.get("view"), given.get("query")), form)
    unsure = doubts(scheduler.store, selection, work.wanted.view)
    if not _places.acquire(blocking=False):
        return Answer(
            {
                "error": "Service Unavailable",
                "message": f"{MOST_AT_ONCE} exports are being sent already",
                "hint": "try again when one of them is done, or use `stoma export`",
            },
            503,
        )
    pieces = _pieces(work)
    # From here on whoever closes it, or forgets it, gives the place back.
    next(pieces)
    headers = {
        "Content-Type": TYPES[form.format],
        "Content-Disposition": f'attachment; filename="{work.wanted.view or "records"}.{form.format}"',
    }
    if work.not_indexed:
        headers["Stoma-Not-Indexed"] = str(work.not_indexed)
    if unsure:
        # A header has no letters but these.
        headers["Stoma-Hint"] = in_one(unsure).encode("ascii", "replace").decode()
    return Stream(pieces, headers)


def _pieces(work: Export) -> Iterator[bytes]:
    """Nothing when the first rows are there, then the export; raises what is wrong before that."""
    try:
        chunks = work.chunks()
        first = next(chunks)
        yield b""
        try:
            yield first
            yield from chunks
        except Exception as error:
            told = error.message if isinstance(error, StomaError) else repr(error)
            logger.error("an export over HTTP ended early: {}", told)
            log_details(error)
            # The answer has begun: only a connection that ends too soon can say that it is not whole.
            raise ClientDisconnected from None
    finally:
        _places.release()


def _form(given: Mapping[str, Any]) -> Form:
    format_ = given["format"]
    form = Form(format_, for_spreadsheets=given["safe_for_spreadsheets"])
    if format_ not in TYPES:
        raise UsageError(
            f"over HTTP there is no {shown(format_)}, only {listed(TYPES)}", "`stoma export` writes Parquet"
        )
    return form
