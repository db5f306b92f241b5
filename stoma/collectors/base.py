"""The contract of the first stage: a collector fetches pages of raw items and yields one result for each.

A collector knows its source, not stores, threads or schedules: what it needs comes in a `Collection`.
"""

from __future__ import annotations

import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any, ClassVar, Protocol

from stoma.errors import UsageError
from stoma.hosts import Grant, Outcome
from stoma.records import CollectorResult, Json
from stoma.scheduler.base import Span

if TYPE_CHECKING:
    from stoma.collectors.http import HttpClient

__all__ = [
    "BaseCollector",
    "Collection",
    "CollectorResult",
    "Deadline",
    "Estimate",
    "Grant",
    "HostBudget",
    "Json",
    "Outcome",
    "Progress",
    "Span",
    "Validator",
    "Validators",
]


@dataclass(frozen=True, slots=True)
class Progress:
    """Where an unfinished collection continues: the window it began with and the token of its next page."""

    window: Mapping[str, Json]
    page: Json


@dataclass(frozen=True, slots=True)
class Collection:
    """All that one run hands to its collector. `config` has its references resolved; `now` is aware UTC."""

    task_id: str
    config: Mapping[str, Any]
    http: HttpClient
    now: datetime
    cursor: Mapping[str, Json] | None = None
    progress: Progress | None = None
    # The days of the past that a backfill wants; None for what is live. A backfill has no cursor.
    span: Span | None = None
    log: Callable[[str], None] = lambda _: None


@dataclass(frozen=True, slots=True)
class Estimate:
    """What a collection would cost: requests, and records where the source tells; `host` is the one that is asked."""

    requests: int
    records: int | None
    host: str
    # True when the source told the numbers; False when they are reckoned from experience.
    is_told: bool = False


class BaseCollector(ABC):
    """Fetches one kind of source. Subclasses are made without arguments and keep no state between runs."""

    source: ClassVar[str] = ""
    """The `source` of the records, part of their key; where it is empty, `config.source` or the task's id is."""

    origin: ClassVar[str] = ""
    """Scheme and host of the source; `config.base_url` replaces it. Where it is empty, `config.url` tells."""

    schema: ClassVar[Mapping[str, Any] | None] = None
    """For collectors of your own: a JSON Schema of the config; without one it may hold anything."""

    not_selecting: ClassVar[frozenset[str]] = frozenset()
    """Config keys that do not change what is collected, so that editing them keeps cursor and progress."""

    may_be_empty: ClassVar[bool] = False
    """True where nothing is a good answer (a feed on a weekend); else a run without records is suspect after others."""

    needs_contact: ClassVar[bool] = False
    """True where the source demands to know who asks; without `identity.contact` the task is blocked."""

    def source_of(self, config: Mapping[str, Any], task_id: str) -> str:
        """The `source` of the records of a task, part of their key."""
        return self.source or str(config.get("source") or task_id)

    def estimate(self, collection: Collection) -> Estimate:
        """What `collection.span` would cost; may ask for a total. Raises UsageError where spans make no sense."""
        name = self.source or type(self).__name__
        raise UsageError(f"a {name} task like this cannot collect days of the past")

    def may_bring_nothing(self, collection: Collection) -> bool:
        """True where nothing is a good answer to this collection; by default `may_be_empty`."""
        return self.may_be_empty

    @abstractmethod
    def collect(self, collection: Collection) -> Iterator[CollectorResult]:
        """Yield the pages in order, beginning at `collection.progress` if there is one.

        Raises SourceError, HostWait, DeadlineExceeded or Stopped; what was yielded before stays committed. Whoever goes
        one page back when resumed has to see to it that he gets further where each try is granted one request only.
        """

    @classmethod
    def origin_of(cls, config: Mapping[str, Any]) -> str:
        """Where a task with this config asks; for sources that answer at several places."""
        return cls.origin or str(config.get("url") or "")

    def selection(self, config: Mapping[str, Any]) -> dict[str, Any]:
        """The part of a config that decides what is collected: what the fingerprint is made of."""
        return {key: config[key] for key in sorted(config) if key not in self.not_selecting}


@dataclass(frozen=True, slots=True)
class Validator:
    """By what a source recognises an answer that was accepted (ETag, Last-Modified), and how many items it had."""

    etag: str
    last_modified: str
    items: int


class Validators(Protocol):
    """The validators of one run; what is noted is kept only when the run completes."""

    def known(self, page: str) -> Validator | None:
        """What the last completed run noted of `page`, a hash that names the request."""

    def note(self, page: str, etag: str, last_modified: str) -> None:
        """What the source said now; the items of the pages that follow are counted to it."""


class HostBudget(Protocol):
    """How often and how many at once a host may be asked; shared by all tasks of a store."""

    def enter(self, host: str, hold: timedelta, patience: timedelta) -> Grant:
        """Reserve the next request to `host`; raises HostWait when its turn is further away than `patience`.

        `hold` bounds how long the connection counts as in use if nobody gives it back.
        """

    def leave(self, grant: Grant, outcome: Outcome = ...) -> None:
        """Give the connection back, and say what became of the request."""

    def is_cooling(self, host: str) -> bool:
        """True while nobody may ask `host`: for who has waited for a turn that was granted before."""

    def cool(self, host: str, until: datetime, reason: str) -> None:
        """Nobody asks `host` before `until`."""

    def close(self) -> None:
        """Nothing more is asked: write down what was only counted so far."""


class Deadline:
    """The moment by which a run must be over, on a clock that no change of the time of day can move."""

    def __init__(self, seconds: float, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._monotonic = monotonic
        self._end = monotonic() + seconds

    def remaining(self) -> float:
        """Seconds left; zero or less when the time is up."""
        return self._end - self._monotonic()
