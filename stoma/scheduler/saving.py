"""Commits the pages of one attempt, each in one fenced transaction; the last one ends the run.

run_page       no row, no page: the first statement moves counters and lease, if the run is still ours
save           records, versions, sightings, rejects
progress       where the next page begins; deleted with the last page
finish         completed moves the cursor and keeps validators; suspect does neither
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from stoma import collectors
from stoma.errors import Fenced
from stoma.records import CollectorResult, Record, Reject
from stoma.references import mask
from stoma.scheduler.base import Run, Task, TaskStatus, duration_text
from stoma.scheduler.rawpages import RawPages
from stoma.scheduler.validating import RunValidators
from stoma.stores import Store
from stoma.stores.base import Transaction
from stoma.stores.raw import Batch, save_raw
from stoma.stores.records import Prepared, save, save_rejects
from stoma.stores.runs import End, Standing
from stoma.wording import several

SILENT = "nothing new or changed since"
"""How the reason begins of a run that found its source silent."""

MOST_REJECTS_KEPT = 100
"""Rejected items kept of one page; all of them are counted."""

InEnd = Callable[[Transaction, datetime], None]
"""What is done in the transaction that ends an attempt, behind its last statement."""


@dataclass(slots=True)
class Saving:
    """One attempt of a run; `mark` is the fingerprint of what it collects."""

    store: Store
    run: Run
    task: Task
    mark: str
    lease: timedelta
    in_end: InEnd
    standing: Standing
    # What this collection has brought so far, in whichever runs: it goes with the progress, and ends with it.
    seen: int
    rejected: int
    # Items that became neither a record nor a reject.
    vanished: int
    # True when there is progress that the end has to delete.
    has_progress: bool
    # What is kept of the answers; None for a window of the past, whose answers nobody asks for again.
    validators: RunValidators | None = None
    # The answers themselves, where they are kept to be normalised again.
    raw: RawPages | None = None
    cursor: Mapping[str, Any] | None = None
    # True where nothing is a good answer to what was asked this time.
    may_be_empty: bool = False
    remark: str = ""
    # Why the first item of this attempt was rejected.
    first_reject: str = ""
    # What became of the records of the page that was committed last.
    outcome: Mapping[str, int] = field(default_factory=dict)

    @classmethod
    def of(
        cls,
        store: Store,
        run: Run,
        task: Task,
        mark: str,
        lease: timedelta,
        in_end: InEnd,
        standing: Standing,
        validators: RunValidators | None = None,
        raw: RawPages | None = None,
    ) -> Saving:
        """The beginning of an attempt of a run that was just claimed."""
        row = standing.progress
        so_far = row["page"] if row is not None and row["fingerprint"] == mark else {}
        return cls(
            store,
            run,
            task,
            mark,
            lease,
            in_end,
            standing,
            so_far.get("seen", 0),
            so_far.get("rejected", 0),
            so_far.get("vanished", 0),
            row is not None,
            validators,
            raw,
        )

    def page(
        self,
        result: CollectorResult,
        records: Sequence[tuple[Record, str]],
        rejects: Sequence[Reject],
        made: int | None = None,
    ) -> Run | None:
        """Commit one page; the ended run when it was the last one. Raises Fenced when the run is not ours any more.

        `made` is how many records were made of it, where some of them need not be stored.
        """
        prepared = Prepared.of(records)
        run, task, now = self.run, self.task, self.store.now()
        self.cursor, self.remark = result.cursor or self.cursor, result.remark or self.remark
        answers = self.raw.page(prepared) if self.raw is not None else None
        came = len(result.items) + result.unmodified
        if self.validators is not None:
            self.validators.count(came)
        self.seen, self.rejected = self.seen + came, self.rejected + len(rejects)
        self.vanished += max(0, len(result.items) - (len(records) if made is None else made) - len(rejects))
        self.first_reject = self.first_reject or next((reject.reason for reject in rejects), "")
        self.outcome = {"unchanged": result.unmodified, "rejected": len(rejects)}
        if result.next_page is None and not result.items and not rejects:
            # Nothing but the end is left to write, and that is fenced and counts the page too.
            return self.store.database.write(lambda tx: self._finish(tx, now, 1, came, answers))
        with self.store.database.transaction() as tx:
            counts = {"seen": came, "rejected": len(rejects)}
            if tx.one("run_page", id=run.id, fence=run.fence, lease_until=now + self.lease, **counts) is None:
                raise Fenced(f"run {run.id} of {run.task_id} has another owner now")
            if result.items:
                outcome = save(tx, prepared, task.id, run.id, now)
                found = {"new": outcome.new, "changed": outcome.changed, "fresh": outcome.fresh}
                unchanged = outcome.unchanged + result.unmodified
                tx.execute("run_page_outcome", id=run.id, unchanged=unchanged, **found)
                self.outcome = {
                    **self.outcome, "new": outcome.new, "changed": outcome.changed, "unchanged": unchanged
                }  # fmt: skip
            elif result.unmodified:
                nothing = {"new": 0, "changed": 0, "fresh": 0}
                tx.execute("run_page_outcome", id=run.id, unchanged=result.unmodified, **nothing)
            if rejects:
                save_rejects(tx, rejects[:MOST_REJECTS_KEPT], task.id, run.id, now)
            if answers is not None:
                save_raw(tx, answers, now)
            if result.next_page is None:
                return self._finish(tx, now)
            tx.execute(
                "progress_save",
                task_id=task.id,
                scope=run.progress_scope,
                fingerprint=self.mark,
                window=dict(result.window),
                page={"token": result.next_page, **self._so_far},
                run_id=run.id,
                now=now,
            )
        self.has_progress = True
        return None

    @property
    def _so_far(self) -> dict[str, int]:
        found = {"seen": self.seen, "rejected": self.rejected}
        return found | {"vanished": self.vanished} if self.vanished else found

    def end(self) -> Run:
        """End a run whose source ended without saying so on its last page."""
        now = self.store.now()
        answers = self.raw.end() if self.raw is not None else None
        return self.store.database.write(lambda tx: self._finish(tx, now, answers=answers))

    def _finish(
        self,
        tx: Transaction,
        now: datetime,
        pages: int = 0,
        unmodified: int = 0,
        answers: Batch | None = None,
    ) -> Run:
        """End a run that came to its end: the cursor moves here and nowhere else."""
        run, task = self.run, self.task
        reason = self._too_little() or self._silence(tx, now)
        end = End(TaskStatus.SUSPECT, reason=reason) if reason else _completed(self.remark)
        # First, for it is fenced.
        ended = self.store.runs.finish(tx, run, end, now, pages=pages, unmodified=unmodified)
        if answers is not None:
            save_raw(tx, answers, now)
        if self.has_progress:
            tx.execute("progress_delete", task_id=task.id, scope=run.progress_scope)
        if run.is_live and self.standing.is_gone:
            # It answered: whoever ran it by hand has brought it back.
            tx.execute("gone_forget", task_id=task.id)
        if reason is None and self.validators is not None:
            self.validators.keep(tx, run.id, now)
        if reason is None and self.cursor is not None and run.is_live:
            position = dict(self.cursor)
            tx.execute(
                "cursor_move",
                task_id=task.id,
                fingerprint=self.mark,
                position=position,
                run_id=run.id,
                now=now,
            )
        self.in_end(tx, now)
        return ended

    def _too_little(self) -> str | None:
        """Why what came is suspect; None when it will do."""
        seen, rejected = self.seen, self.rejected
        if seen and rejected >= seen:
            first = f" ({self.first_reject})" if self.first_reject else ""
            every = f"every one of {seen} items was" if seen > 1 else "the only item was"
            return f"{every} rejected{first}; the table rejects says why"
        if seen and rejected + self.vanished >= seen:
            return f"none of {seen} items became a record: the normalizer gave nothing for {self.vanished} of them"
        least = self.task.expect.min_records
        if least is None:
            # A window of the past may rightly be empty, and so may some sources.
            may_be_empty = not self.run.is_live or self.may_be_empty
            may_be_empty = may_be_empty or collectors.kind(self.task.collector).may_be_empty
            least = 1 if self.standing.seen_before and not may_be_empty else 0
        if seen < least:
            return f"saw {several(seen, 'record')}, expected at least {least}"
        return None

    def _silence(self, tx: Transaction, now: datetime) -> str | None:
        """Why it is suspect that nothing new comes any more; None when it will do. Asks only where it is wanted."""
        longest = self.task.expect.silence
        if longest is None or not self.run.is_live:
            return None
        row = tx.one("news_last", task_id=self.task.id, now=now)
        since = row["since_at"] if row is not None else None
        if since is None or now - since <= longest:
            return None
        return f"{SILENT} {since:%Y-%m-%d %H:%M} UTC, expected within {duration_text(longest)}"


def _completed(remark: str) -> End:
    """A good end; what is odd about it stands beside the run."""
    return End(TaskStatus.COMPLETED, reason=mask(remark)) if remark else End(TaskStatus.COMPLETED)
