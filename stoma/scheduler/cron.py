"""Cron expressions of five fields: the local times they mean. The only module that knows cronsim.

Here are only times of a clock (naive); what becomes of them when the clock is set, `patterns` decides.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from copy import copy
from dataclasses import dataclass, field
from datetime import datetime
from functools import lru_cache
from typing import TYPE_CHECKING

from stoma.scheduler import cronwords

if TYPE_CHECKING:
    from cronsim import CronSim

# What is due at all is due within 50 years of this moment: cronsim looks no further.
BEGINNING = datetime(2000, 1, 1)


@dataclass(frozen=True, slots=True)
class Expression:
    """What five fields mean, taken apart once."""

    text: str
    # True for a fixed minute and hour; a field that starts with `*` follows elapsed time, as in Debian's cron.
    follows_clock: bool
    _prepared: CronSim = field(repr=False, compare=False)

    def next(self, local: datetime) -> datetime | None:
        """The first time later than `local` that is meant, both naive; None when there is none within 50 years."""
        # cronsim takes the expression apart whenever it is made; a copy is as good and five times as fast.
        steps = copy(self._prepared)
        # Versions before 2.7 count in minutes.
        steps.dt = local.replace(second=0, microsecond=0)
        try:
            return next(steps, None)
        except OverflowError:
            return None

    def in_words(self) -> str | None:
        """`every weekday at 09:00`; None where only the expression itself says it."""
        return cronwords.in_words(self.text)


@lru_cache(maxsize=4096)
def parse(text: str) -> Expression:
    """The expression of five fields; ValueError says which field is wrong, what is allowed and what was meant."""
    parts = text.split()
    found = _expression(parts)
    if found is None or cronwords.step_beyond(parts) or found.next(BEGINNING) is None:
        raise ValueError(cronwords.what_is_wrong(text, _is_due))
    return found


def _is_due(parts: Sequence[str]) -> bool:
    found = _expression(parts)
    return found is not None and found.next(BEGINNING) is not None


def _expression(parts: Sequence[str]) -> Expression | None:
    from cronsim import CronSim, CronSimError

    text = " ".join(parts)
    # cronsim also takes six fields, and letters that become ASCII only in capitals.
    if len(text) > cronwords.LONGEST or not re.fullmatch(r"[\w*/,#-]+(?: [\w*/,#-]+){4}", text, re.ASCII):
        return None
    try:
        prepared = CronSim(text, BEGINNING)
    except CronSimError:
        return None
    return Expression(text, not (parts[0].startswith("*") or parts[1].startswith("*")), prepared)
