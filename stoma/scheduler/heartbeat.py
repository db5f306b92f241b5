"""What one scheduler process tells about itself: a row in `nodes` with each beat, and `scheduler_state.json`."""

from __future__ import annotations

from datetime import datetime
from time import monotonic
from typing import Any

from stoma import __version__
from stoma.log import logger
from stoma.scheduler.base import iso
from stoma.scheduler.inforce import InForce
from stoma.scheduler.owner import this_process
from stoma.scheduler.parts import data_folder
from stoma.scheduler.runner import Runner
from stoma.scheduler.state import FILE, snapshot, write_state
from stoma.stores import Store
from stoma.stores.nodes import Node
from stoma.usage import Usage

SNAPSHOT_SECONDS = 60.0
"""How long the state file may stay as it is while nothing changes."""


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
        self._written = 0.0

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
        if self._changed or monotonic() - self._written > SNAPSHOT_SECONDS:
            self._write(memory, running=True)

    def leave(self, runner: Runner, loaded_at: datetime | None) -> None:
        """Say that this process ends in order."""
        self._store.nodes.leave(str(this_process()))
        self._write(self._memory(runner, loaded_at), running=False)

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
            "errors": [problem.as_dict() for problem in self._in_force.errors],
        }

    def _write(self, memory: dict[str, Any], *, running: bool) -> None:
        config = self._in_force.config
        told = {"generation": self._in_force.generation, "api": self.api_url, **memory}
        try:
            state = snapshot(config, self._store, self._store.now(), told, running=running)
            write_state(data_folder(config), state)
            self._changed, self._written = False, monotonic()
        except OSError as error:
            logger.warning("{} cannot be written: {}", FILE, error.strerror)
