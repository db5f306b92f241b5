"""The audit over HTTP: each request that changes something is noted, and what was noted can be asked for."""

from __future__ import annotations

import re
import threading
from collections.abc import Callable, Mapping
from time import monotonic
from typing import Any

from stoma import auditing
from stoma.api.answers import Answer, Asked
from stoma.log import logger
from stoma.moments import moment_of
from stoma.scheduler.zones import zone_of
from stoma.stores import Store
from stoma.stores.audit import DONE, FAILED, NEWEST, REFUSED

READING = frozenset({"GET", "HEAD", "OPTIONS"})

MOST_REFUSED = 60
"""Refused requests that are noted in a minute: whoever may do nothing must not fill the disk."""

REST_SECONDS = 10.0
"""For how long a store that failed is not asked to keep what was refused: each time would hold up a thread."""

_TASKS = "/api/scheduler/tasks"
CHANGES: Mapping[tuple[str, str], str] = {
    ("POST", _TASKS): "add-task",
    ("DELETE", f"{_TASKS}/*"): "remove-task",
    ("POST", f"{_TASKS}/*/run"): "run-task",
    ("PUT", f"{_TASKS}/*/enable"): "enable-task",
    ("PUT", f"{_TASKS}/*/disable"): "disable-task",
    ("POST", "/api/scheduler/runs/*/cancel"): "cancel",
    ("POST", "/api/scheduler/runs/*/retry"): "retry",
    ("POST", "/api/runs/*/cancel"): "cancel",
    ("POST", "/api/runs/*/retry"): "retry",
    ("POST", "/api/scheduler/pause"): "pause",
    ("POST", "/api/scheduler/resume"): "resume",
    ("POST", "/api/scheduler/presets/*"): "load-preset",
    ("POST", "/api/hosts/*/reset"): "reset-host",
    ("POST", "/tasks/*/run"): "run-task",
    ("POST", "/tasks/*/enable"): "enable-task",
    ("POST", "/tasks/*/disable"): "disable-task",
    ("POST", "/runs/*/cancel"): "cancel",
    ("POST", "/runs/*/retry"): "retry",
    ("POST", "/hosts/*/reset"): "reset-host",
    ("POST", "/pause"): "pause",
    ("POST", "/resume"): "resume",
    ("POST", "/sign-in"): "sign-in",
    ("POST", "/sign-out"): "sign-out",
}
"""What changes something, by method and path, in the word of the command; a star is what it is done to."""

_PATTERNS = [
    (method, re.compile(re.escape(path).replace(r"\*", "([^/]+)")), action)
    for (method, path), action in CHANGES.items()
]


class Requests:
    """Notes what was asked over HTTP; any thread may do so."""

    def __init__(self, store: Callable[[], Store], clock: Callable[[], float] = monotonic) -> None:
        self._store, self._clock = store, clock
        self._lock = threading.Lock()
        # The minute that is counted, what was refused in it, and what was not noted since the last note.
        self._minute, self._refused, self._left_out = -1, 0, 0
        self._rests_until = 0.0

    def note(
        self, name: str, address: str, method: str, path: str, status: int, sent: Any = None, why: str = ""
    ) -> None:
        """Note a request that was answered with `status`; one that changes nothing is passed over.

        `sent` is its JSON body, never the fields of a form. What is refused comes from strangers: of that at most
        MOST_REFUSED are noted in a minute, and the rest is counted.
        """
        found = what(method, path)
        if found is None:
            return
        action, target = found
        outcome = outcome_of(status)
        told: dict[str, Any] = {"method": method, "path": path}
        store: Store | None = self._store()
        if outcome == REFUSED:
            is_room, left_out = self._room()
            if not is_room:
                return
            if left_out:
                told["left_out_before"] = left_out
            if self._clock() < self._rests_until:
                store = None
        if isinstance(sent, Mapping):
            told["sent"] = sent
            target = target or str(sent.get("id", ""))
        if why:
            told["why"] = why
        entry = auditing.entry_of(store, "http", name, address, action, target, outcome, status, told)
        if not auditing.note(store, entry) and store is not None:
            self._rests_until = self._clock() + REST_SECONDS

    def _room(self) -> tuple[bool, int]:
        """Whether one more that was refused is noted now, and how many before it were not."""
        with self._lock:
            minute = int(self._clock() // 60)
            if minute != self._minute:
                self._minute, self._refused = minute, 0
            self._refused += 1
            if self._refused > MOST_REFUSED:
                self._left_out += 1
                is_first = self._refused == MOST_REFUSED + 1
            else:
                left_out, self._left_out = self._left_out, 0
                return True, left_out
        if is_first:
            logger.warning(
                "more than {} refused requests in a minute: the rest is only counted", MOST_REFUSED
            )
        return False, 0


def what(method: str, path: str) -> tuple[str, str] | None:
    """What a request would do, and to what; None where it changes nothing."""
    if method in READING:
        return None
    for known, pattern, action in _PATTERNS:
        if known == method and (found := pattern.fullmatch(path)):
            return action, "".join(found.groups())
    return None


def outcome_of(status: int) -> str:
    """What became of a request, by the status of its answer."""
    if status < 400:
        return DONE
    return REFUSED if status in (401, 403, 421, 429) else FAILED


def audit(asked: Asked) -> Answer:
    """Who changed what over HTTP and by command, also what was refused; newest first."""
    scheduler, query = asked.scheduler, asked.query
    since = None
    if "since" in query:
        since = moment_of(query["since"], scheduler.store.now(), zone_of(scheduler.config.timezone))
    limit = query["limit"]
    found = scheduler.store.audit.latest(
        since=since, outcome=query.get("outcome"), below=query.get("cursor", NEWEST), limit=limit + 1
    )
    following = found[limit - 1].id if len(found) > limit else None
    return Answer({"entries": [entry.as_dict() for entry in found[:limit]], "next": following})
