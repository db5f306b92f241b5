"""The answers of one attempt on their way into the store: compressed as they come, written with the page they led to.

client.keep    an answer that was accepted, or a lasting refusal
batch          what came since the page before, and which records the page gave
save_raw       in the transaction of the page: no page, no answers
"""

from __future__ import annotations

import zlib
from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime, timedelta
from http import HTTPStatus
from typing import TYPE_CHECKING, Any

import orjson

from stoma.records import holdable
from stoma.references import mask, mask_bytes
from stoma.scheduler.base import Run, Span, Task, iso
from stoma.stores.raw import LEVEL, Answer, Attempt, Batch, packed
from stoma.stores.records import Prepared

if TYPE_CHECKING:
    from stoma.collectors.base import Collection, Progress
    from stoma.collectors.http import Kept


class RawPages:
    """Keeps what the source answers to one attempt of a run, for `keep_for`."""

    def __init__(self, run: Run, task: Task, mark: str, keep_for: timedelta) -> None:
        """`mark` is the fingerprint of what is collected."""
        self._run = run
        self._task = task
        self._mark = mark
        self._keep_for = keep_for
        self._attempt: Attempt | None = None
        self._answers: list[Answer] = []
        self._is_open = False
        self._number = 0

    def begin(self, collection: Collection) -> None:
        """Note what the collector is given, so that it can walk the same way again."""
        run, task = self._run, self._task
        context = context_of(collection, task.config)
        self._attempt = Attempt(task.id, run.id, run.fence, self._mark, context, collection.now)

    def keep(self, kept: Kept) -> None:
        """Take an answer; compressed at once, so that a large one is not held as it is."""
        headers = {str(name): mask(str(value)) for name, value in kept.headers.items()}
        body = mask_bytes(kept.body)
        self._answers.append(
            Answer(
                request=kept.key,
                url=str(holdable(mask(kept.url))),
                status=kept.status,
                headers=holdable(headers),
                body=zlib.compress(body, LEVEL),
                size=len(body),
                fetched_at=kept.fetched_at,
            )
        )

    def page(self, records: Prepared) -> Batch | None:
        """What the next page adds; None as long as nothing was kept."""
        keys = [(source, key) for source, group in records.by_source.items() for key in group]
        batch = self._batch(packed(keys))
        self._number += 1
        return batch

    def end(self) -> Batch | None:
        """What came behind the last page; None when that is nothing."""
        return self._batch(None) if self._answers else None

    def _batch(self, given: bytes | None) -> Batch | None:
        attempt, answers = self._attempt, self._answers
        # That something was not modified is only worth a row beside what was.
        is_worth_it = any(answer.status != HTTPStatus.NOT_MODIFIED for answer in answers)
        if attempt is None or not (self._is_open or is_worth_it):
            return None
        opens, self._is_open, self._answers = not self._is_open, True, []
        if opens:
            # By now the collector has told what in its config is a credential, written out where it should not be.
            context = orjson.loads(mask(orjson.dumps(attempt.context).decode()))
            attempt = self._attempt = replace(attempt, context=context)
        return Batch(attempt, self._number, answers, given, opens, attempt.began_at + self._keep_for)


def context_of(collection: Collection, config: Mapping[str, Any]) -> dict[str, Any]:
    """What an attempt began with, as JSON carries it; `config` is that of the task as it is written."""
    progress = collection.progress
    return {
        "now": iso(collection.now),
        "cursor": collection.cursor,
        "progress": {"window": dict(progress.window), "page": progress.page} if progress else None,
        "span": collection.span.text if collection.span else None,
        # References stay references.
        "config": dict(config),
    }


def instant_of(context: Any) -> datetime:
    """The moment at which an attempt began, by its own account."""
    return datetime.fromisoformat(context["now"])


def progress_of(context: Any) -> Progress | None:
    """Where an attempt went on, if it did."""
    from stoma.collectors.base import Progress

    found = context["progress"]
    return Progress(found["window"], found["page"]) if found else None


def span_of(context: Any) -> Span | None:
    """The days that an attempt of a backfill collected."""
    return Span.of(context["span"]) if context["span"] else None
