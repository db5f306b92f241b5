"""When the place where a run goes on is given up: its page token may have expired, and the next run begins anew."""

from __future__ import annotations

from datetime import datetime

from stoma.errors import DeadlineExceeded, HostWait, SourceBusy, SourceRefused, StoreError, Unreachable
from stoma.scheduler.base import Run
from stoma.scheduler.saving import InEnd
from stoma.stores.base import Transaction
from stoma.stores.runs import Standing

SAYS_NOTHING = (Unreachable, SourceBusy, HostWait, DeadlineExceeded, StoreError)
"""Errors that have nothing to do with where a run went on."""

ANSWERED_FOR_OTHERS = frozenset({401, 403, 407})
"""Refusals that a credential, a firewall or a proxy may be to blame for, and not the page token."""

MOST_FAILURES = 3
"""As many runs in a row may fail where they went on until the place is given up: an outage is over by then."""


def leads_nowhere(run: Run, pages: int, error: BaseException) -> bool:
    """True where a run that goes on where one before it had stopped could not: its token may have expired.

    `pages` are those of this attempt. Not where nothing was said of the token: then it is still good.
    """
    return not run.pages and not pages and not isinstance(error, SAYS_NOTHING)


def is_given_up(error: BaseException, failures: int) -> bool:
    """True where the next run begins anew: the source refused the place for good, or it failed there too often."""
    is_refused = isinstance(error, SourceRefused) and error.status not in ANSWERED_FOR_OTHERS
    return is_refused or failures >= MOST_FAILURES


def failures_told(task_id: str, error: BaseException, failures: int) -> str:
    """What a person reads of it."""
    is_over = is_given_up(error, failures)
    following = "its next run begins anew" if is_over else "its next run tries there again"
    if is_over and failures < MOST_FAILURES:
        return f"{task_id} was refused for good where it goes on: {following}"
    return f"{task_id} failed {failures} of {MOST_FAILURES} times where it goes on: {following}"


def failures_before(standing: Standing) -> int:
    """How many runs in a row failed where this one goes on."""
    return int(standing.progress["page"].get("failures", 0)) if standing.progress is not None else 0


def note_failures(run: Run, failures: int, in_end: InEnd, tx: Transaction, now: datetime) -> None:
    """Count in the envelope of the page token, which the next page that is committed writes anew."""
    row = tx.one("progress_get", task_id=run.task_id, scope=run.progress_scope)
    if row is not None:
        kept = {name: row[name] for name in ("task_id", "scope", "fingerprint", "window", "run_id")}
        page = {**row["page"], "failures": failures}
        tx.execute("progress_save", **kept, page=page, now=row["saved_at"])
    in_end(tx, now)


def forget_progress(run: Run, in_end: InEnd, tx: Transaction, now: datetime) -> None:
    """Let the next run begin anew."""
    tx.execute("progress_delete", task_id=run.task_id, scope=run.progress_scope)
    in_end(tx, now)
