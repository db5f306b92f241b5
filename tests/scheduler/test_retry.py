"""Whether and when to try again: a table of numbers."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from stoma.errors import (
    BadAnswer,
    Blocked,
    DeadlineExceeded,
    HostWait,
    SourceBusy,
    SourceRefused,
    StoreUnavailable,
    Unreachable,
)
from stoma.scheduler.base import Retry
from stoma.scheduler.retry import is_retryable, next_try

NOW = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)
PLAIN = Retry(count=3, first=timedelta(seconds=30), max=timedelta(minutes=30), jitter=0)


@pytest.mark.parametrize(
    ("backoff", "seconds"),
    [("exponential", [30, 60, 120]), ("linear", [30, 60, 90]), ("constant", [30, 30, 30])],
)
def test_waits_grow_as_they_were_asked_to(backoff: str, seconds: list[int]) -> None:
    retry = Retry(count=3, backoff=backoff, jitter=0)
    waits = [next_try(retry, attempt, Unreachable("x"), NOW) for attempt in (1, 2, 3)]
    assert waits == [NOW + timedelta(seconds=s) for s in seconds]


def test_at_most_one_plus_count_tries() -> None:
    assert next_try(PLAIN, 3, Unreachable("x"), NOW) is not None
    assert next_try(PLAIN, 4, Unreachable("x"), NOW) is None
    assert next_try(Retry(count=0), 1, Unreachable("x"), NOW) is None


def test_the_longest_wait_is_bounded() -> None:
    retry = Retry(count=5000, jitter=0)
    assert next_try(retry, 4000, Unreachable("x"), NOW) == NOW + timedelta(minutes=30)


def test_jitter_spreads_within_its_bounds_and_is_the_same_for_the_same_key() -> None:
    retry = Retry(jitter=0.2)
    waits = {key: next_try(retry, 1, Unreachable("x"), NOW, key) for key in map(str, range(200))}
    seconds = [(wait - NOW).total_seconds() for wait in waits.values() if wait]
    assert min(seconds) >= 24
    assert max(seconds) <= 36
    assert len(set(seconds)) > 150
    assert waits["7"] == next_try(retry, 1, Unreachable("x"), NOW, "7")


def test_a_source_that_asks_for_patience_is_obeyed() -> None:
    until = NOW + timedelta(hours=3)
    assert next_try(PLAIN, 1, SourceBusy("429", until), NOW) == until
    assert next_try(PLAIN, 2, SourceBusy("429", NOW), NOW) == NOW + timedelta(seconds=60)
    # So is a host that could not be asked again, whatever went wrong before.
    error = BadAnswer("500")
    error.until = until
    assert next_try(PLAIN, 1, error, NOW) == until
    wait = HostWait("slow.example", until, "its budget is used up")
    assert next_try(PLAIN, 1, wait, NOW) is None
    wait.retry = True
    assert next_try(PLAIN, 1, wait, NOW) == until


@pytest.mark.parametrize(
    ("error", "again"),
    [
        (Unreachable("x"), True),
        (BadAnswer("x"), True),
        (DeadlineExceeded("x"), True),
        (StoreUnavailable("x"), True),
        (SourceBusy("x", NOW), True),
        (SourceRefused("404"), False),
        (Blocked("x"), False),
        (ZeroDivisionError(), True),
        (KeyboardInterrupt(), False),
    ],
)
def test_what_another_try_would_not_change_is_not_tried(error: BaseException, again: bool) -> None:
    assert is_retryable(error) is again
    assert (next_try(PLAIN, 1, error, NOW) is not None) is again
