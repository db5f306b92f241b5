"""The validators of one run: read at their first use, noted as answers come, written when the run completes.

    known  -> If-None-Match, If-Modified-Since
    note   <- ETag, Last-Modified of an answer; the items of the pages that follow are counted to it
    keep      what was asked in this attempt stays, in place of all that was there; all of it where nothing was asked

Sources that page say nothing of the kind; but an answer that comes letter by letter as in the last completed run says
the same. Its items are not normalised and looked up again (`is_same`), for a day: then all are looked at once more.
Nor may anybody have changed a record of the source since that run began: another task, a backfill, a replay, or that
run itself, for then one page may have brought what another one brought differently.

An attempt that goes on in the middle of an earlier one saw only a part: it asks for everything in full and leaves
nothing behind, so that the next run asks in full too.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime, timedelta

from stoma.collectors.base import Validator
from stoma.stores import Store
from stoma.stores.base import Transaction
from stoma.stores.validators import ANSWER, changed_at, of_task
from stoma.stores.validators import replace as replace_rows

LONGEST = 1000
"""Characters of an ETag that are kept; what is longer counts as none."""

SAME_FOR = timedelta(days=1)
"""How long an answer that has not changed is taken as read: as often as `last_seen_at` moves."""

SETTLED = timedelta(minutes=1)
"""How long before a run the last change has to lie, for the answers of that run to count; no transaction is as long."""

MOST_ANSWERS = 2_000
"""Answers that are remembered of one run; what comes behind them is always looked at."""


class RunValidators:
    """One attempt's view of a task's validators; `mark` is the fingerprint that they have to belong to."""

    def __init__(
        self, store: Store, task_id: str, mark: str, now: datetime, *, is_resumed: bool, has_any: bool
    ) -> None:
        """`has_any`: whether the store has some of the task, of whatever fingerprint."""
        self._now = now
        # Since when each answer that was taken as read is known.
        self._since: dict[str, datetime] = {}
        self._answers = 0
        # Answers from before then are not taken as read.
        self._settled_at: datetime | None = None
        self._store = store
        self._task_id = task_id
        self._mark = mark
        self._is_resumed = is_resumed
        # All that the store has: of the fingerprint, and how many rows; None: not read yet.
        self._before: Mapping[str, Validator] | None = None if has_any else {}
        self._rows = 0
        # What the next run may rely on, by page.
        self._kept: dict[str, Validator] = {}
        self._page: str | None = None
        self._has_asked = False

    def known(self, page: str) -> Validator | None:
        """What the last completed run noted of this page; it stays unless the page is noted anew."""
        self._page, self._has_asked = None, True
        found = None if self._is_resumed else self._read().get(page)
        if found is not None:
            self._kept.setdefault(page, found)
        return found

    def note(self, page: str, etag: str, last_modified: str) -> None:
        """What the source said of this page now; two empty texts: nothing to recognise it by."""
        self._page, self._has_asked = None, True
        self._kept.pop(page, None)
        usable = (etag or last_modified) and max(len(etag), len(last_modified)) <= LONGEST
        if usable and not self._is_resumed:
            self._page = page
            self._kept[page] = Validator(etag, last_modified, 0)

    def is_same(self, answer: str, items: int) -> bool:
        """True where the last completed run had this very answer, lately, and all its items were stored."""
        key = ANSWER + answer
        found = None if self._is_resumed or not answer else self._read().get(key)
        if found is None or found.items != items or abs(self._now - self._since[key]) > SAME_FOR:
            return False
        if self._settled_at is not None and self._since[key] < self._settled_at:
            return False
        self._has_asked = True
        self._kept[key] = found
        return True

    def note_answer(self, answer: str, items: int) -> None:
        """All items of an answer were looked at; an empty text for one that has to be looked at each time."""
        self._has_asked = True
        if not answer or self._is_resumed or self._answers >= MOST_ANSWERS:
            return
        self._answers += 1
        self._kept[ANSWER + answer] = Validator("", "", items)
        self._since[ANSWER + answer] = self._now

    def count(self, items: int) -> None:
        """So many items came with the page that was noted last."""
        if self._page is not None:
            before = self._kept[self._page]
            self._kept[self._page] = replace(before, items=before.items + items)

    def keep(self, tx: Transaction, run_id: int, now: datetime) -> None:
        """Write what this attempt leaves, in the transaction that ends its run as completed."""
        before = self._read(tx)
        # A run that had nothing to ask, as of a feed that rests, takes nothing from what is known.
        kept = self._kept if self._has_asked or self._is_resumed else before
        if kept == before and len(before) == self._rows and not self._answers:
            return
        replace_rows(
            tx,
            self._task_id,
            [
                (
                    *(self._task_id, page, self._mark, one.etag, one.last_modified, one.items, run_id),
                    self._since.get(page, now),
                )
                for page, one in kept.items()
            ],
        )

    def _read(self, tx: Transaction | None = None) -> Mapping[str, Validator]:
        if self._before is None:
            rows = of_task(tx, self._task_id) if tx else self._store.validators.of_task(self._task_id)
            self._rows = len(rows)
            answers = {row["request"]: row["saved_at"] for row in rows if row["request"].startswith(ANSWER)}
            self._since = answers | self._since
            if answers:
                # It is the source of the same name that answers are taken as read for.
                changed = (
                    changed_at(tx, self._task_id) if tx else self._store.validators.changed_at(self._task_id)
                )
                self._settled_at = changed + SETTLED if changed is not None else None
            self._before = {
                row["request"]: Validator(row["etag"], row["last_modified"], row["item_count"])
                for row in rows
                if row["fingerprint"] == self._mark
            }
        return self._before
