"""What was logged while runs were carried out. Speaks no dialect."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from stoma.stores.base import Database

COLUMNS = ("run_id", "logged_at", "level", "message")

MOST_READ = 100_000
"""Lines of one run that are read at once."""


@dataclass(frozen=True, slots=True)
class Line:
    """One line of the log of a run; `logged_at` is aware UTC."""

    run_id: int
    logged_at: datetime
    level: str
    message: str
    # Grows with each line that the store takes; 0 before that.
    id: int = 0


class Logs:
    """The table `run_logs`."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def add(self, lines: Sequence[Line]) -> None:
        """Keep these lines, all of them or none. What they say must be masked already."""
        rows = [(line.run_id, line.logged_at, line.level, line.message) for line in lines]
        with self._database.transaction() as tx:
            tx.insert("run_logs", COLUMNS, rows)

    def of_run(self, run_id: int, *, above: int = 0, limit: int = MOST_READ) -> list[Line]:
        """The lines of a run with ids above `above`, in the order they were logged."""
        with self._database.reader() as reader:
            rows = reader.all("log_of_run", run_id=run_id, above=above, limit=limit)
        return [Line(**row) for row in rows]
