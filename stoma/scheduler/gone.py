"""Sources that said they are gone for good (410): nobody asks them again, until somebody wants it."""

from __future__ import annotations

from contextlib import suppress
from datetime import datetime

from stoma import collectors
from stoma.errors import Blocked
from stoma.log import logger
from stoma.records import holdable
from stoma.references import mask
from stoma.scheduler.base import Gone, Run, Task
from stoma.scheduler.marks import fingerprint
from stoma.stores.base import Transaction

SINCE = "gone since"
"""How the reason begins for which such a task is blocked."""

SOURCE_GONE = "the source is gone"
"""The reason of the run that found it out."""


def note(tx: Transaction, run: Run, task: Task, said: str, now: datetime) -> None:
    """Keep that the source of a task is gone, in the transaction that ends the run which found it out."""
    tx.execute(
        "gone_note",
        task_id=task.id,
        fingerprint=fingerprint(task, collectors.make(task.collector)),
        reason=str(holdable(mask(said))),
        run_id=run.id,
        now=now,
    )
    logger.error("nothing more is asked of it, until the task is edited or run by hand")


def told(task: Task, found: Gone | None) -> str | None:
    """Why a task does not run on schedule although it could; None where nothing is gone, or it asks elsewhere now."""
    if found is None:
        return None
    # Who runs nobody's code, or cannot, takes it that the task asks where it asked then.
    with suppress(Blocked):
        if found.fingerprint != fingerprint(task, collectors.make(task.collector)):
            return None
    since = f"{found.since:%Y-%m-%d %H:%M} UTC"
    return f"{SINCE} {since}: {found.reason}; edit the task, or run it by hand to ask once more"
