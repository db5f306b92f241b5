"""What one scheduler process tells about itself: a row in `nodes` with each beat, and `scheduler_state.json`."""

from __future__ import annotations

import threading
from datetime import datetime
from time import monotonic, sleep
from typing import Any

from stoma import __version__
from stoma.errors import StoreError
from stoma.log import logger
from stoma.scheduler import owncode
from stoma.scheduler.base import iso
from stoma.scheduler.inforce import InForce
from stoma.scheduler.owner import this_process
from stoma.scheduler.runner import Runner
from stoma.scheduler.state import FILE, write_state
from stoma.stores import Store
from stoma.stores.nodes import Node
from stoma.usage import Usage

SNAPSHOT_SECONDS = 60.0
"""How long the state file may stay as it is while nothing changes."""

REST = 5
"""How many times as long as it took to write the state file it is left alone."""

PAUSE_SECONDS = 0.002
"""Between a few tasks and the next, so that writing it takes a third of a core at most."""


class Heartbeat:
    """Says that this process lives, and what lies in its memory only."""

    def __init__(self, store: Store, in_force: InForce) -> None:
        self.api_url: str | None = None
        self.started_at = store.now()
        self._store = store
        self._in_force = in_force
        self._usage = Usage()
        # True when the state file tells less than the truth.
        self._changed = True
        self._written = self._rests_until = 0.0
        self._writing = threading.Lock()
        self._leaving = threading.Event()

    def note_change(self) -> None:
        """Something happened that the state file should tell with the next beat."""
        self._changed = True

    def beat(self, runner: Runner, loaded_at: datetime | None) -> None:
        """Write the row, and the state file when there is something new to tell."""
        owner = this_process()
        memory = self._memory(runner, loaded_at)
        node = Node(
            owner=str(owner),
            hostname=owner.hostname,
            pid=owner.pid,
            version=__version__,
            api_url=self.api_url,
            config_hash=self._in_force.config.hash,
            generation=self._in_force.generation,
            started_at=self.started_at,
            state=memory,
        )
        self._store.nodes.beat(node, self._store.now())
        is_old = self._changed or monotonic() - self._written > SNAPSHOT_SECONDS
        if is_old and monotonic() > self._rests_until and not self._is_writing:
            # Aside: with very many tasks it takes seconds, and nothing that is due should wait for it.
            threading.Thread(target=self._write, args=(memory,), name="state file", daemon=True).start()

    def leave(self, runner: Runner, loaded_at: datetime | None) -> None:
        """Say that this process ends in order."""
        self._store.nodes.leave(str(this_process()))
        self._leaving.set()
        with self._writing:
            self._replace(self._memory(runner, loaded_at), running=False)

    def _memory(self, runner: Runner, loaded_at: datetime | None) -> dict[str, Any]:
        return {
            "usage": self._usage.measure(monotonic()),
            "threads": self._in_force.config.max_concurrent_tasks,
            "working": [
                {
                    "task": entry.task.id,
                    "run": entry.run.id,
                    "pages": entry.tally.pages,
                    "seen": entry.tally.seen,
                    "expected": entry.tally.expected,
                }
                for entry in runner.working
            ],
            "abandoned_threads": runner.abandoned,
            "loaded_at": iso(loaded_at),
            "restart_needed": self._in_force.restart_needed,
            "code": {
                task.id: reason
                for task in self._in_force.config.tasks.values()
                if owncode.is_own(task) and (reason := owncode.reason(task, wait=False))
            },
            "errors": [problem.as_dict() for problem in self._in_force.errors],
        }

    @property
    def _is_writing(self) -> bool:
        return self._writing.locked()

    def _write(self, memory: dict[str, Any]) -> None:
        with self._writing:
            began = monotonic()
            self._changed = False
            self._replace(memory, running=True)
            self._written = monotonic()
            self._rests_until = self._written + REST * (self._written - began)

    def _replace(self, memory: dict[str, Any], *, running: bool) -> None:
        told = {"generation": self._in_force.generation, "api": self.api_url, **memory}
        try:
            write_state(
                self._in_force.config,
                self._store,
                told,
                running=running,
                between=lambda: self._pause(running),
            )
        except OSError as error:
            self._changed = True
            logger.warning("{} cannot be written: {}", FILE, error.strerror)
        except StoreError as error:
            self._changed = True
            logger.log("DEBUG" if self._leaving.is_set() else "WARNING", "{}: {}", FILE, error.message)

    def _pause(self, running: bool) -> None:
        """Let others work between a few tasks and the next; hurry when the process is leaving."""
        if running and not self._leaving.is_set():
            sleep(PAUSE_SECONDS)
