"""Whether and when a failed run is tried again: a decision from values. Pure."""

from __future__ import annotations

from datetime import datetime, timedelta
from hashlib import blake2b

from stoma.errors import HostWait, SourceError, StomaError
from stoma.scheduler.base import Retry


def next_try(
    retry: Retry, attempt: int, error: BaseException, now: datetime, key: str = ""
) -> datetime | None:
    """When to try again after attempt number `attempt` (from 1) failed, or None for never.

    At most 1 + count tries; errors that another try would not change are not tried again; a source that asks
    for patience is obeyed. `key` spreads runs that fail together: the same key waits the same time.
    """
    if attempt > retry.count or not is_retryable(error):
        return None
    wait = _pause(retry, attempt) * _spread(retry.jitter, f"{key}/{attempt}")
    due = now + min(wait, retry.max * (1 + retry.jitter))
    if isinstance(error, SourceError | HostWait) and error.until is not None:
        due = max(due, error.until)
    return due


def is_retryable(error: BaseException) -> bool:
    """True unless the error itself says that another try is useless; strangers' errors get another try."""
    return error.retry if isinstance(error, StomaError) else isinstance(error, Exception)


def _pause(retry: Retry, attempt: int) -> timedelta:
    if retry.backoff == "constant":
        return min(retry.first, retry.max)
    if retry.backoff == "linear":
        return min(retry.first * attempt, retry.max)
    # The exponent is bounded: 2**1000 does not fit into a timedelta.
    factor: int = 2 ** min(attempt - 1, 20)
    return min(retry.first * factor, retry.max)


def _spread(jitter: float, key: str) -> float:
    """A factor between 1 - jitter and 1 + jitter, decided by the key alone."""
    fraction = int.from_bytes(blake2b(key.encode(), digest_size=4).digest()) / 0xFFFFFFFF
    return 1 + jitter * (2 * fraction - 1)
