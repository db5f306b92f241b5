"""Which records a person means, from the words of options and addresses."""

from __future__ import annotations

from stoma.errors import UsageError
from stoma.moments import moment_of
from stoma.scheduler.config import Config
from stoma.scheduler.parts import task_named
from stoma.scheduler.zones import zone_of
from stoma.stores import Store
from stoma.stores.questions import Selection
from stoma.stores.views import KINDS, SOURCES
from stoma.wording import did_you_mean, shown


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


def unknown(store: Store, selection: Selection) -> list[str]:
    """What the selection names and no record has: a kind, a source; with the nearest name that there is."""
    found = []
    named = (
        ("kind", selection.kind, store.questions.kinds),
        ("source", selection.source, store.questions.sources),
    )
    for what, name, known in named:
        if name is not None and name not in (names := known()):
            near = did_you_mean(name, names)
            found.append(f'there is no record of a {what} "{shown(name)}"{near}')
    return found


def doubts(store: Store, selection: Selection, view: str | None = None) -> list[str]:
    """What may be meant otherwise: a kind or a source that no record has, records that a view does not show."""
    found = unknown(store, selection)
    if view in SOURCES and selection.source is None:
        others = [name for name in store.questions.sources(KINDS[view]) if name != SOURCES[view]]
        if others:
            many = f"{others[0]} and {len(others) - 1} more" if len(others) > 1 else others[0]
            found.append(f"the view {view} shows records of {SOURCES[view]}, not those of {shown(many)}")
    return found
