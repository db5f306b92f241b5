"""Which records a person means, from the words of options and addresses."""

from __future__ import annotations

from stoma.errors import UsageError
from stoma.moments import moment_of
from stoma.scheduler.config import Config
from stoma.scheduler.parts import task_named
from stoma.scheduler.zones import zone_of
from stoma.stores import Store
from stoma.stores.questions import Selection
from stoma.wording import shown


def selection_of(
    config: Config,
    store: Store,
    *,
    kind: str | None = None,
    source: str | None = None,
    task: str | None = None,
    since: str | None = None,
    until: str | None = None,
) -> Selection:
    """A selection from words, moments by the clock of the configuration; raises UsageError and NotFound."""
    for name, text in (("kind", kind), ("source", source), ("task", task)):
        if text is not None and not text.isprintable():
            raise UsageError(f'{name}: "{shown(text)}" is no name')
    now, zone = store.now(), zone_of(config.timezone)
    first, end = (moment_of(text, now, zone) if text is not None else None for text in (since, until))
    # A task that is declared no more has left its records; a wrong name gets its nearest.
    is_gone = task is not None and task not in config.tasks
    if task is not None and is_gone and not store.questions.listed(Selection(task=task), limit=1).rows:
        task_named(config, task)
    return Selection(kind, source, task, first, end)
