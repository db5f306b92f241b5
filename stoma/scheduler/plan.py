"""What the files on disk would change about what is in force: tasks key by key, settings, cursors. Pure.

References stay unresolved; passwords and tokens that were written out are starred.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, fields, is_dataclass
from datetime import datetime, timedelta
from typing import Any

from stoma import collectors
from stoma.errors import StomaError
from stoma.references import REFERENCE, mask, names_secret
from stoma.scheduler.base import Dependency, Schedule, Task, duration_text, iso
from stoma.scheduler.config import Config, blocked_reason
from stoma.scheduler.inforce import AT_START_ONLY
from stoma.scheduler.marks import fingerprint
from stoma.scheduler.outlook import next_run
from stoma.stores.base import Row

ADDED, REMOVED, CHANGED = "added", "removed", "changed"

_REFERENCE = r"\$\{[^{}]*\}"
# Of a name and a password in an address the one that is secret may stand alone, as the name.
_ACCOUNT = re.compile(
    rf"(?<=://)((?:{_REFERENCE}|(?!\$\{{)[^/\s:@?#]){{0,200}})(?::((?:{_REFERENCE}|(?!\$\{{)[^@\s]){{0,999}}))?@"
)
_IN_QUERY = re.compile(rf"(?<=[?&])([\w.~-]+)=((?:{_REFERENCE}|(?!\$\{{)[^&#\s])+)")
# What says how a credential is sent is none.
_SCHEME = re.compile(r"\s*(?:(?:bearer|basic|token|apikey|digest)\s+)?", re.IGNORECASE)

STARS = "****"

NO_PASSWORDS = frozenset({"", "x-oauth-basic"})
"""What is written for a password where the name is the secret."""

NOT_SENT = ("config.fields.", "config.measures.", "config.paging.", "config.cursor.")
"""Options that name what lies in an answer."""

UNSEEN = frozenset({"id", "origin"})
"""Fields of a task that say nothing about what it does."""


@dataclass(frozen=True, slots=True)
class Edit:
    """One key with its value before and after; None where it is not there."""

    key: str
    old: str | None
    new: str | None


@dataclass(frozen=True, slots=True)
class TaskPlan:
    """What becomes of one task."""

    task_id: str
    what: str
    origin: str
    edits: tuple[Edit, ...] = ()
    next_before: datetime | None = None
    next_after: datetime | None = None
    # What is collected anew, and why.
    starts_anew: str | None = None
    blocked: str | None = None
    # Runs that wait, and would be cancelled with their task.
    cancelled_runs: int = 0

    def as_dict(self) -> dict[str, Any]:
        """The fields as JSON carries them."""
        return {
            "task": self.task_id,
            "change": self.what,
            "origin": self.origin,
            "edits": [{"key": edit.key, "old": edit.old, "new": edit.new} for edit in self.edits],
            "next_before": iso(self.next_before),
            "next_after": iso(self.next_after),
            "starts_anew": self.starts_anew,
            "blocked": self.blocked,
            "cancelled_runs": self.cancelled_runs,
        }


@dataclass(frozen=True, slots=True)
class Known:
    """What the store has of tasks: switches made by hand, marks of what was collected, runs that wait."""

    overrides: Mapping[str, bool] = field(default_factory=dict)
    cursors: Mapping[str, Row] = field(default_factory=dict)
    progress: Mapping[str, Row] = field(default_factory=dict)
    waiting: Mapping[str, int] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Plan:
    """The difference between what is in force and what is on disk."""

    tasks: tuple[TaskPlan, ...]
    settings: tuple[Edit, ...]
    # The settings among them that only a restart brings into force.
    restart: tuple[str, ...]

    @property
    def is_empty(self) -> bool:
        """True when nothing would change."""
        return not self.tasks and not self.settings

    def as_dict(self) -> dict[str, Any]:
        """The fields as JSON carries them."""
        return {
            "tasks": [task.as_dict() for task in self.tasks],
            "settings": [{"key": edit.key, "old": edit.old, "new": edit.new} for edit in self.settings],
            "restart_needed": list(self.restart),
        }


def touched(old: Config | None, new: Config) -> list[str]:
    """The tasks that would be added, removed or changed: first those on disk in their order, then those that go."""
    before = old.tasks if old is not None else {}
    gone = [task_id for task_id in before if task_id not in new.tasks]
    fresh = [i for i, task in new.tasks.items() if before.get(i) != task]
    # A task that only stands elsewhere does what it did.
    return [i for i in fresh if i not in before or edits(before[i], new.tasks[i])] + gone


def plan(old: Config | None, new: Config, known: Known, now: datetime) -> Plan:
    """What would change; `old` is None where nothing is in force yet. `known` is about the tasks of `touched`."""
    before = old.tasks if old is not None else {}
    tasks = [
        _declared(before.get(task_id), new.tasks[task_id], new, known, now)
        if task_id in new.tasks
        else _removed(before[task_id], known, now)
        for task_id in touched(old, new)
    ]
    settings = tuple(_differences(_settings(old), _settings(new))) if old is not None else ()
    restart = tuple(edit.key for edit in settings if edit.key in AT_START_ONLY)
    return Plan(tuple(tasks), settings, restart)


def edits(old: Task, new: Task) -> list[Edit]:
    """The keys of a task that differ, as they are written in YAML."""
    return list(_differences(dict(_flat(old)), dict(_flat(new))))


def definition(task: Task) -> dict[str, str | None]:
    """Each key of a task as it is written in YAML; None for one that is not set."""
    return {key: _starred(key, text) for key, text in _flat(task)}


def settings_of(config: Config) -> dict[str, str | None]:
    """The settings beside the tasks, as they are written in stoma.yaml."""
    return {key: _starred(key, text) for key, text in _settings(config).items()}


def _settings(config: Config) -> dict[str, str | None]:
    found: dict[str, str | None] = {key: _text(of(config)) for key, of in AT_START_ONLY.items()}
    found["api.tokens"] = ", ".join(map(_token, config.api.tokens)) or None
    found |= {f"hosts.{key}": text for key, text in _flat_mapping(config.hosts)}
    found["api.public_url"] = config.api.public_url or None
    found |= {f"notify.targets.{name}": _text(references) for name, references in config.targets.items()}
    found |= dict(_leaves("notify", config.notify))
    found["identity.contact"] = _text(config.contact)
    found["presets"] = _text(config.presets)
    found["include"] = _text(config.include)
    return found


def _removed(old: Task, known: Known, now: datetime) -> TaskPlan:
    coming, cancelled = _next(old, known, now), known.waiting.get(old.id, 0)
    return TaskPlan(old.id, REMOVED, old.origin, next_before=coming, cancelled_runs=cancelled)


def _declared(old: Task | None, new: Task, config: Config, known: Known, now: datetime) -> TaskPlan:
    return TaskPlan(
        task_id=new.id,
        what=ADDED if old is None else CHANGED,
        origin=new.origin,
        edits=() if old is None else tuple(edits(old, new)),
        next_before=_next(old, known, now) if old is not None else None,
        next_after=_next(new, known, now),
        starts_anew=_anew(new, known.cursors.get(new.id), known.progress.get(new.id)),
        blocked=blocked_reason(new, config),
    )


def _next(task: Task, known: Known, now: datetime) -> datetime | None:
    return next_run(task, now) if known.overrides.get(task.id, task.enabled) else None


def _anew(task: Task, cursor: Row | None, progress: Row | None) -> str | None:
    """Which marks of a task no longer fit what it is to collect."""
    try:
        mark = fingerprint(task, collectors.make(task.collector))
    except StomaError:
        return None
    if cursor is not None and cursor["fingerprint"] != mark and not task.keep_cursor:
        return "its cursor belongs to another query: the next run starts anew (keep_cursor: true keeps it)"
    if progress is not None and progress["fingerprint"] != mark:
        return "its unfinished collection belongs to another query: the next run starts anew"
    return None


def _differences(old: Mapping[str, str | None], new: Mapping[str, str | None]) -> Iterator[Edit]:
    for key in {**old, **new}:
        if old.get(key) != new.get(key):
            yield Edit(key, _starred(key, old.get(key)), _starred(key, new.get(key)))


def _flat(value: Any, prefix: str = "") -> Iterator[tuple[str, str | None]]:
    """The leaves of a task or a part of it, with their keys joined by dots."""
    for entry in fields(value):
        if prefix or entry.name not in UNSEEN:
            yield from _leaves(f"{prefix}{entry.name}", getattr(value, entry.name))


def _leaves(key: str, value: Any) -> Iterator[tuple[str, str | None]]:
    if is_dataclass(value) and not isinstance(value, Schedule | Dependency | type):
        yield from _flat(value, f"{key}.")
    elif isinstance(value, Mapping):
        yield from ((f"{key}.{inner}", text) for inner, text in _flat_mapping(value))
    else:
        yield key, _text(value)


def _starred(key: str, text: str | None) -> str | None:
    """A text without what was written out although it should be a reference, going by the name of its key."""
    if text is None:
        return None
    if _is_secret(key):
        return _beside(text)
    text = _without_accounts(text)
    return _IN_QUERY.sub(
        lambda found: f"{found[1]}={_beside(found[2])}" if names_secret(found[1]) else found[0], text
    )


def _is_secret(key: str) -> bool:
    # `key` of a declared source says where the id of an item lies.
    if not key.startswith("config.") or key.startswith(NOT_SENT) or key == "config.key":
        return False
    name = key.rpartition(".")[2]
    return names_secret(name) or (key.startswith("config.auth.") and name != "name")


def _beside(text: str) -> str:
    """The references in a secret, and stars for what stands beside them."""
    if not REFERENCE.search(text):
        return STARS
    pieces, at = [], 0
    for found in [*REFERENCE.finditer(text), None]:
        piece = text[at : found.start()] if found else text[at:]
        scheme = _SCHEME.match(piece) if at == 0 else None
        kept = scheme[0] if scheme else ""
        pieces += [kept, STARS if piece[len(kept) :].strip() else "", found[0] if found else ""]
        at = found.end() if found else at
    return "".join(pieces)


def _without_accounts(text: str) -> str:
    """The text with what lets somebody in starred out of each address."""

    def starred(found: re.Match[str]) -> str:
        user, password = found[1], found[2]
        if password is None:
            is_web = text[: found.start()].lower().endswith(("http://", "https://"))
            return f"{_beside(user) if is_web and user else user}@"
        if password in NO_PASSWORDS:
            return f"{_beside(user) if user else ''}:{password}@"
        return f"{user}:{_beside(password)}@"

    return _ACCOUNT.sub(starred, text) if "://" in text else text


def _flat_mapping(value: Mapping[str, Any]) -> Iterator[tuple[str, str | None]]:
    for key, inner in value.items():
        yield from _leaves(str(key), inner)


def _text(value: Any) -> str | None:
    """A value as it would be written; None for nothing."""
    if value is None or value == () or value == []:
        return None
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, timedelta):
        seconds = value.total_seconds()
        return duration_text(value) if seconds == int(seconds) else f"{seconds:g}s"
    if isinstance(value, Schedule):
        return value.text
    if isinstance(value, Dependency):
        return value.task if value.status == "completed" else f"{value.task} ({value.status})"
    if isinstance(value, list | tuple):
        return ", ".join(_text(inner) or "" for inner in value)
    if isinstance(value, str | int | float):
        return mask(str(value))
    return type(value).__name__


def _token(token: str) -> str:
    return token if REFERENCE.fullmatch(token) else STARS
