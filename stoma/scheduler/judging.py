"""Whether a task may run at an instant: what is switched off, what blocks it, and its condition."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from functools import cache
from typing import Any

from stoma.scheduler import agenda, gone
from stoma.scheduler.base import SkipReason, Switches, Task
from stoma.scheduler.conditions import Condition, parse
from stoma.scheduler.config import Config, blocked_reason
from stoma.scheduler.patterns import zone_of
from stoma.stores.base import Reader


def judge(
    task: Task,
    config: Config,
    switches: Switches,
    reader: Reader,
    now: datetime,
    upstream: Mapping[str, Any] | None = None,
) -> agenda.Judge:
    """What speaks against an instant of a task; `upstream` is the run that this one would follow."""
    blocked = blocked_reason(task, config, wait=False) or gone.told(task, switches.gone.get(task.id))
    condition = _condition(task.when) if task.when is not None else None

    @cache
    def last_run() -> datetime | None:
        row = reader.one("last_start", task_id=task.id)
        return row["started_at"] if row is not None else None

    def at(instant: datetime) -> agenda.Refusal | None:
        refusal = agenda.refusal(task, switches, blocked, instant, now)
        if refusal is not None or condition is None:
            return refusal
        verdict = condition.holds(instant, now, zone_of(task.timezone), last_run(), upstream)
        if verdict.holds:
            return None
        # What was missed is told without its values, so that a long time off stays one span.
        late = now - instant > agenda.ON_TIME
        return agenda.Refusal(SkipReason.CONDITION, f"when: {task.when}" if late else verdict.told)

    return at


@cache
def _condition(text: str) -> Condition:
    return parse(text)
