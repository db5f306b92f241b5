"""What a task collects, as a hash: cursor, progress, validators and backfills belong to it. Pure."""

from __future__ import annotations

from hashlib import blake2b
from typing import Any

import orjson

from stoma import __version__
from stoma.collectors.base import BaseCollector
from stoma.own import source_mark
from stoma.scheduler.base import Run, Span, Task, backfill_scope


def fingerprint(task: Task, collector: BaseCollector) -> str:
    """16 hex digits of what is collected: cursor and progress belong to it, so that another query starts anew."""
    source = collector.source_of(task.config, task.id)
    return _digest([task.collector, source, collector.selection(task.config)])


def full_fingerprint(task: Task, collector: Any, normalizer: Any) -> str:
    """16 hex digits of what is collected and what is made of it: to this belongs what need not be sent once more.

    Another program may make other records of the same answer, so its version counts too, and the source of code of
    your own.
    """
    name = task.normalizer
    if name is not None and not isinstance(name, str):
        kind = name if isinstance(name, type) else type(name)
        name = f"{kind.__module__}:{kind.__qualname__}"
    sources = [source_mark(type(collector)), source_mark(type(normalizer))]
    return _digest([__version__, task.collector, name, task.config, sources])


def backfill_id(task_id: str, mark: str, span: Span) -> str:
    """12 hex digits of what a backfill collects: the same command again means the same backfill."""
    return mark[:8] + _digest([task_id, span.text])[:4]


def belongs(run: Run, mark: str) -> bool:
    """Whether a run collects what this fingerprint says; only the window of a backfill may have begun with another."""
    return run.is_live or run.scope.startswith(backfill_scope(mark[:8]))


def _digest(chosen: list[Any]) -> str:
    packed = orjson.dumps(chosen, option=orjson.OPT_SORT_KEYS)
    return blake2b(packed, digest_size=8).hexdigest()
