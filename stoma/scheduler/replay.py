"""Replay: the road of the pipeline once more, from the answers that were kept, without a single request.

    kept attempts, newest first
      | collector.collect      walks as it did then: same moment, cursor, progress, span; KeptAnswers in place of HTTP
      | normalizer.normalize   with what the task says now
      | merging.merged         what is stored has its say, where the normalizer wants it
      | save_again             one short transaction for each page; what is stored stays unless the page says otherwise

Each record counts once: the newest attempt that gave it decides, and within an attempt its last page.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from hashlib import blake2b
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import orjson

from stoma import collectors
from stoma.collectors.base import Collection
from stoma.errors import Blocked, StomaError, StoreError
from stoma.records import CollectorResult, Record, Reject
from stoma.references import mask, resolve
from stoma.scheduler.base import Task
from stoma.scheduler.kept import KeptAnswers
from stoma.scheduler.marks import fingerprint
from stoma.scheduler.merging import merged
from stoma.scheduler.normalizing import normalize, normalizer_of
from stoma.scheduler.rawpages import instant_of, progress_of, span_of
from stoma.stores import Store
from stoma.stores.raw import Again, Attempt, Given, Key, judge_again, save_again, standing_of
from stoma.stores.records import Prepared

if TYPE_CHECKING:
    from stoma.collectors.http import HttpClient

Sealed = tuple[Record, str]


@dataclass(frozen=True, slots=True)
class LeftOut:
    """An attempt that was not replayed, or not to its end, and why."""

    run_id: int
    fence: int
    pages: int
    reason: str
    # True where the present code stumbled over what was kept; False where the task was edited since.
    is_fault: bool = False


@dataclass(slots=True)
class Report:
    """What came of a replay so far."""

    attempts: int = 0
    pages: int = 0
    same: int = 0
    changed: int = 0
    new: int = 0
    # What the pages gave then and give no more; it stays in the store.
    lost: list[Key] = field(default_factory=list)
    # Stored later than the page that was kept, and not by a page that is kept: left alone.
    newer: set[Key] = field(default_factory=set)
    rejected: Counter[str] = field(default_factory=Counter)
    left_out: list[LeftOut] = field(default_factory=list)


def replay(
    store: Store,
    task: Task,
    base: Path,
    since: datetime,
    *,
    dry_run: bool = False,
    on_attempt: Callable[[int, int, Report], None] = lambda done, total, report: None,
) -> Report:
    """Normalise again what is kept of a task since then. `base` is where files of references count from.

    Nothing is written with `dry_run`. Raises Blocked or NotFound where this version lacks the collector or normalizer.
    """
    attempts = store.raw.attempts(task.id, since, store.now())
    again = _Replay(store, task, base, dry_run=dry_run)
    for number, attempt in enumerate(attempts):
        on_attempt(number, len(attempts), again.report)
        again.attempt(attempt)
    on_attempt(len(attempts), len(attempts), again.report)
    return again.report


class _Replay:
    """One replay of a task; attempts come newest first."""

    def __init__(self, store: Store, task: Task, base: Path, *, dry_run: bool) -> None:
        self.report = Report()
        self._store = store
        self._task = task
        self._base = base
        self._dry_run = dry_run
        self._collector = collectors.make(task.collector)
        self._normalizer = normalizer_of(task, resolved(task.config, base))
        self._mark = fingerprint(task, self._collector)
        # Records, and rejected items, that a newer attempt has decided about.
        self._decided: set[Key] = set()
        self._rejects: set[bytes] = set()

    def attempt(self, attempt: Attempt) -> None:
        """Replay one attempt as far as it was kept."""
        given = self._store.raw.given(attempt)
        if attempt.fingerprint != self._mark:
            self._leave_out(attempt, len(given), "what the task collects was edited since")
            return
        self.report.attempts += 1
        counts = Counter(key for page in given for key in page.keys)
        # What several pages gave waits for the last of them.
        held: dict[Key, tuple[Sealed, datetime]] = {}
        found: set[Key] = set()
        walked = 0
        answers = KeptAnswers(self._store.raw.answers(attempt), self._store.raw.body)
        try:
            for result in self._collector.collect(self._collection(attempt, answers)):
                records, rejects = normalize(self._normalizer, result)
                saved_at = _saved_at(given, walked, attempt)
                fresh = {pair[0].key: pair for pair in records if pair[0].key not in self._decided}
                held.update((key, (pair, saved_at)) for key, pair in fresh.items() if counts[key] > 1)
                self._note_rejects(rejects, result)
                self._save([pair for key, pair in fresh.items() if counts[key] < 2], attempt, saved_at, found)
                found |= fresh.keys()
                walked += 1
                self.report.pages += 1
        except StoreError:
            raise
        except Exception as error:  # collectors and normalizers may be anybody's code
            # Behind what was committed nothing was kept, and the attempt itself may have ended like this: also with a
            # page that only says where the next one goes on.
            behind = max((number for number, page in enumerate(given, 1) if page.keys), default=0)
            if walked < behind:
                self._leave_out(attempt, behind - walked, _words(error), is_fault=not answers.has_missed)
        else:
            walked = len(given)
        for saved_at, pairs in _by_moment(held.values()).items():
            self._save(pairs, attempt, saved_at, set())
        self._note_lost(given[:walked], found)
        self._decided |= found - self.report.newer

    def _collection(self, attempt: Attempt, answers: KeptAnswers) -> Collection:
        """What the collector was given then: of the config of today only the normalizer hears."""
        context = attempt.context
        return Collection(
            task_id=self._task.id,
            config=resolved(context["config"], self._base),
            http=cast("HttpClient", answers),
            now=instant_of(context),
            cursor=context["cursor"],
            progress=progress_of(context),
            span=span_of(context),
        )

    def _save(self, pairs: Sequence[Sealed], attempt: Attempt, saved_at: datetime, counted: set[Key]) -> None:
        """Compare the records of a page, write what is to be written, and count those that are not `counted` yet."""
        wanted = merged(self._normalizer, pairs, self._store.records)
        for source, group in sorted(Prepared.of(wanted).by_source.items()):
            again = self._judged(source, group, attempt, saved_at)
            report = self.report
            uncounted = [key for key in group if (source, key) not in counted]
            newer = set(again.newer)
            report.newer |= {(source, key) for key in uncounted if key in newer}
            settled = [key for key in uncounted if key not in newer]
            report.newer -= {(source, key) for key in settled}
            same, new = set(again.same), {record.external_id for record, _ in again.new}
            report.same += sum(key in same for key in settled)
            report.new += sum(key in new for key in settled)
            report.changed += sum(key not in same and key not in new for key in settled)

    def _judged(
        self, source: str, group: Mapping[str, Sealed], attempt: Attempt, saved_at: datetime
    ) -> Again:
        database = self._store.database
        if self._dry_run:
            with database.reader() as reader:
                known = standing_of(reader, source, list(group), attempt.task_id)
            return judge_again(group, known, attempt.run_id, saved_at)
        with database.transaction() as tx:
            return save_again(tx, source, group, attempt, saved_at, database.now())

    def _note_rejects(self, rejects: Sequence[Reject], result: CollectorResult) -> None:
        """Count each item once, unless a newer page gave its record."""
        for reject in rejects:
            packed = orjson.dumps([reject.external_id, reject.item], default=str)
            mark = blake2b(packed, digest_size=16).digest()
            if mark not in self._rejects and (result.source, reject.external_id) not in self._decided:
                self._rejects.add(mark)
                self.report.rejected[reject.reason] += 1

    def _note_lost(self, given: Sequence[Given], found: set[Key]) -> None:
        gone = dict.fromkeys(key for page in given for key in page.keys)
        lost = [key for key in gone if key not in found and key not in self._decided]
        self.report.lost += lost
        self._decided.update(lost)

    def _leave_out(self, attempt: Attempt, pages: int, reason: str, *, is_fault: bool = False) -> None:
        self.report.left_out.append(LeftOut(attempt.run_id, attempt.fence, pages, reason, is_fault))


def resolved(value: Any, base: Path) -> Any:
    """The value with its references replaced; one that is unset stays as it is: nobody is asked, so none is needed."""
    if isinstance(value, Mapping):
        return {key: resolved(inner, base) for key, inner in value.items()}
    if isinstance(value, list | tuple):
        return [resolved(inner, base) for inner in value]
    try:
        return resolve(value, base)
    except Blocked:
        return value


def _saved_at(given: Sequence[Given], number: int, attempt: Attempt) -> datetime:
    """When a page was committed; one that was not there then counts as the last."""
    return given[min(number, len(given) - 1)].saved_at if given else attempt.began_at


def _by_moment(held: Iterable[tuple[Sealed, datetime]]) -> dict[datetime, list[Sealed]]:
    found: dict[datetime, list[Sealed]] = {}
    for pair, saved_at in held:
        found.setdefault(saved_at, []).append(pair)
    return found


def _words(error: Exception) -> str:
    return mask(error.message if isinstance(error, StomaError) else f"{type(error).__name__}: {error}")
