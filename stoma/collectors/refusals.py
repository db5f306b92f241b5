"""What a refusal comes to: a short wait, a cool-down for all who ask that host, another ask, or the end.

judge      an answer that is no data
obeyed     a wish for patience that somebody who knows the source has found in an answer
cool       nobody asks this host for a while
"""

from __future__ import annotations

import random
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import NoReturn
from urllib.parse import urlsplit

from stoma.collectors import allowance
from stoma.collectors.answers import Response, first_words, retry_after, shortened, status_words
from stoma.collectors.base import HostBudget
from stoma.collectors.pages import Asked, Kept, kept
from stoma.collectors.patience import Limits, Watch
from stoma.errors import BadAnswer, SourceBusy, SourceRefused, Unreachable
from stoma.hosts import Allowance

PASSING = frozenset({408, 425})
"""Refusals (4xx) that are no refusals but a matter of the moment."""

LONGEST_COOLING = timedelta(days=1)
"""A host that asks for more patience is asked again after this, whatever it said."""


class Waited(Unreachable):
    """The source asked for a short wait, and it is over."""


class Refusals:
    """Judges for one try of a run; `attempt` is its number, `keep` is shown what refuses for good."""

    def __init__(
        self,
        budget: HostBudget,
        watch: Watch,
        limits: Limits,
        attempt: int,
        keep: Callable[[Kept], None] | None,
    ) -> None:
        self._budget = budget
        self._watch = watch
        self._limits = limits
        self._attempt = attempt
        self._keep = keep

    def judge(self, response: Response, asked: Asked, told: Allowance | None, *, is_last: bool) -> NoReturn:
        """Raise what the refusal means: Waited, SourceBusy, BadAnswer or SourceRefused."""
        said = ""
        if asked.explain is not None:
            try:
                said = shortened(asked.explain(response))
            except SourceBusy as error:
                raise self.obeyed(error, response) from None
            except Exception:  # noqa: S110 — a refusal that cannot be read is a refusal all the same
                pass
        said = said or first_words(response.body)
        words = f"{response.shown} answers {status_words(response.status)}" + (f": {said}" if said else "")
        if allowance.is_wish(response):
            self._be_patient(response, told, words, is_last)
        if response.status == 304:
            raise BadAnswer(f"{words}, though nobody asked whether anything was")
        if response.status >= 500 or response.status in PASSING:
            raise BadAnswer(words)
        if self._keep is not None and asked.explain is not None:
            self._keep(kept(asked.key, response))
        raise SourceRefused(words, status=response.status)

    def obeyed(self, error: SourceBusy, response: Response) -> SourceBusy:
        """The wish of `error`, made known to all who ask this host; a longer Retry-After counts."""
        host = _host(response)
        seconds = retry_after(response.headers, response.fetched_at) or 0.0
        at_least = response.fetched_at + min(timedelta(seconds=seconds), LONGEST_COOLING)
        until = self.cool(host, max(_aware(error.until), at_least), error.message)
        return SourceBusy(shortened(error.message, 600), until, error.hint or _not_before(host, until))

    def cool(self, host: str, until: datetime, reason: str) -> datetime:
        """Nobody who shares the store asks `host` before `until`, at most a day from now; gives what it came to."""
        now = self._watch.now()
        until = min(_aware(until), now + LONGEST_COOLING)
        if until > now:
            self._budget.cool(host, until, shortened(reason))
        return until

    def _be_patient(self, response: Response, told: Allowance | None, words: str, is_last: bool) -> NoReturn:
        now, host, reason = (
            response.fetched_at,
            _host(response),
            f"it answered {status_words(response.status)}",
        )
        seconds = allowance.wished(response, told, now)
        if seconds is None:
            # Many clients are sent away at the same moment; they should not come back at the same moment.
            seconds = self._limits.cooling * 2 ** min(self._attempt - 1, 10)
            seconds *= random.uniform(1.0, 1.2)  # noqa: S311
        elif seconds <= self._limits.patience and seconds < self._watch.left() and not is_last:
            # Waited here, and none of our other runs asks meanwhile: not even one that has its turn already, for it
            # looks again when the turn has come.
            self.cool(host, now + timedelta(seconds=seconds), reason)
            self._watch.wait(max(seconds, self._limits.pauses[0]))
            raise Waited(words)
        until = now + timedelta(seconds=min(seconds, LONGEST_COOLING.total_seconds()))
        until = self.cool(host, until, reason)
        raise SourceBusy(words, until, _not_before(host, until))


def _host(response: Response) -> str:
    return urlsplit(response.url).hostname or ""


def _aware(instant: datetime) -> datetime:
    return instant if instant.tzinfo else instant.replace(tzinfo=UTC)


def _not_before(host: str, until: datetime) -> str:
    return f"{host} is not asked before {until:%Y-%m-%d %H:%M:%S} UTC"
