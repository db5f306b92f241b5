"""The contract of the third stage: a database that can be read, and written in transactions; statements by name."""

from __future__ import annotations

import re
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import AbstractContextManager
from datetime import datetime
from functools import cache, lru_cache
from importlib.resources import files
from typing import TYPE_CHECKING, Any, ClassVar, Protocol, TypeVar

from stoma import __version__

if TYPE_CHECKING:
    from stoma.stores.schema import Migration
    from stoma.stores.tables import Table

T = TypeVar("T")

Row = dict[str, Any]
"""One row by column name; instants are aware UTC and JSON columns are values, whatever the database."""


class Reader(Protocol):
    """Asks questions by statement name (files in `sql/`)."""

    def all(self, name: str, **values: Any) -> list[Row]:
        """Every row of the answer."""

    def one(self, name: str, **values: Any) -> Row | None:
        """The first row of the answer, or None."""


class Transaction(Reader, Protocol):
    """Writes; everything is committed together, or nothing is."""

    def execute(self, name: str, **values: Any) -> int:
        """Run a statement and say how many rows it touched."""

    def many(self, name: str, rows: Iterable[Mapping[str, Any]]) -> None:
        """Run a statement once for each row."""

    def insert(self, table: str, columns: Sequence[str], rows: Iterable[Sequence[Any]]) -> None:
        """Insert rows in bulk; none of them may exist."""

    def lock(self, name: str) -> None:
        """Let one transaction at a time past this point, for this name, until it ends."""

    def try_lock(self, name: str) -> bool:
        """The same without waiting: False where another one holds it."""


class Side(Protocol):
    """One end of a copy: whole tables in one transaction, in which the one sees no change and the other is alone.

    Values are what either database can write: instants as text in UTC with microseconds, JSON as text, booleans as 0
    and 1; columns in the order of the table.
    """

    def count(self, table: Table) -> int:
        """How many rows there are."""

    def read(self, table: Table) -> Iterable[Sequence[Sequence[Any]]]:
        """Every row, some at a time."""

    def write(self, table: Table, rows: Sequence[Sequence[Any]]) -> None:
        """Add rows."""

    def last_number(self, table: Table) -> int:
        """The greatest number that the database has given to a row, also to one that is gone."""

    def number_behind(self, table: Table, last: int) -> None:
        """Let the next row have a number greater than `last`."""

    def execute(self, name: str, **values: Any) -> int:
        """Run a statement and say how many rows it touched."""


class Database(ABC):
    """A connected database. Raises StoreUnavailable when it cannot be reached or written."""

    dialect: ClassVar[str]

    one_writer: ClassVar[bool]
    """True where transactions never meet, so that none can fail for another one's sake."""

    @property
    @abstractmethod
    def place(self) -> str:
        """Where it is, for messages."""

    @abstractmethod
    def transaction(self) -> AbstractContextManager[Transaction]:
        """A short write transaction: committed at the end of the block, rolled back when it raises."""

    def write(self, body: Callable[[Transaction], T]) -> T:
        """What `body` makes of a transaction of its own: for short work that many threads do again and again.

        Another thread that writes at that moment may carry it out, so it waits for nothing but the database.
        """
        with self.transaction() as tx:
            return body(tx)

    @abstractmethod
    def reader(self) -> AbstractContextManager[Reader]:
        """Something to ask; each statement sees what is committed."""

    @abstractmethod
    def now(self) -> datetime:
        """The present moment by the clock that all who share this database share, as aware UTC."""

    @abstractmethod
    def is_fresh(self) -> bool:
        """True where nothing of Stoma's is in it yet."""

    @abstractmethod
    def migrate(self, program: str = __version__, known: Sequence[Migration] | None = None) -> None:
        """Bring the tables up to this version, under a lock; harmless when they already are.

        All of it or nothing: raises StoreError where a step fails, and where a newer program than `program` has
        changed them so that it must not go on. `known` are the steps, those of this program if not given.
        """

    @abstractmethod
    def snapshot(self) -> AbstractContextManager[Side]:
        """Everything as it is at this moment, however long it is read."""

    @abstractmethod
    def filling(self, tables: Iterable[Table]) -> AbstractContextManager[Side]:
        """One transaction that may take long, with these tables to itself; rolled back when the block raises."""

    @abstractmethod
    def vacuum(self, *, full: bool) -> Sequence[str]:
        """Bring up to date what the planner knows, and let the room of deleted rows be used again.

        `full` gives it back to the system; nobody else can write, or even read, meanwhile. What the database says that
        it has left out comes back, a line for each.
        """

    @abstractmethod
    def sole_scheduler(self, owner: str) -> AbstractContextManager[None]:
        """Be the one scheduler of this database, where there may be only one; raises SchedulerRunning."""

    def scheduler(self) -> str | None:
        """Who is the one scheduler of this database, where there may be only one and it can be told."""
        return None

    @abstractmethod
    def hurry(self) -> None:
        """Wait no longer than a second for anything from now on: the program is stopping."""

    @abstractmethod
    def close(self) -> None:
        """Let go of every connection."""


# What a statement file calls by one word and each dialect spells its own way.
WORDS: Mapping[str, Mapping[str, str]] = {
    "sqlite": {
        "identity": "integer primary key autoincrement",
        "json": "text",
        "instant": "text",
        "boolean": "integer",
        "bytes": "blob",
        "skip_locked": "",
        "for_update": "",
        "ids": "select value from json_each(:ids)",
    },
    "postgres": {
        "identity": "bigint generated by default as identity primary key",
        "json": "jsonb",
        "instant": "timestamptz",
        "boolean": "boolean",
        "bytes": "bytea",
        "skip_locked": "for update skip locked",
        "for_update": "for update",
        "ids": "select value::bigint from jsonb_array_elements_text(:ids)",
    },
}

_HEADING = re.compile(r"^-- name: *(\w+).*$", re.MULTILINE)
_MEMBER = re.compile(r"\{(text|int|number|bool):(\w+):(\w+)\}")
_EPOCH = re.compile(r"\{epoch:(\w+)\}")
_VIEW = re.compile(r"\{view:(\w+)\}")
_OPTIONAL = re.compile(r"\{if (\w+): ([^{}]*)\}")
_PARAMETER = re.compile(r"(?<![:\w]):([a-z_]+)")


@cache
def statements(dialect: str) -> Mapping[str, str]:
    """Every statement of `sql/*.sql` by name; `*.DIALECT.sql` holds what only that database understands."""
    found: dict[str, str] = {}
    folder = files("stoma.stores") / "sql"
    for entry in sorted(folder.iterdir(), key=lambda e: e.name):
        parts = entry.name.split(".")
        if parts[-1] != "sql" or (len(parts) == 3 and parts[1] != dialect):
            continue
        for name, text in _split(entry.read_text(encoding="utf-8")):
            if name in found:
                raise ValueError(f"two statements are called {name}")
            found[name] = translate(text, dialect)
    return found


def translate(text: str, dialect: str) -> str:
    """A statement as the database's driver wants it: words spelled, `:name` as its kind of parameter."""
    text = spelled(text, dialect)
    if dialect == "postgres":
        text = _PARAMETER.sub(r"%(\1)s", text.replace("%", "%%"))
    return text


def spelled(text: str, dialect: str) -> str:
    """Statements with every word in braces as the database spells it."""
    for word, spelling in WORDS[dialect].items():
        text = text.replace(f"{{{word}}}", spelling)
    text = _VIEW.sub(lambda match: _view(match[1], dialect), text)
    text = _EPOCH.sub(lambda match: _moment(match[1], dialect), text)
    return _MEMBER.sub(lambda match: _member(match[1], match[2], match[3], dialect), text)


def chosen(text: str, values: Mapping[str, Any]) -> str:
    """A statement with those of its parts `{if name: …}` whose value is given, that is, not None."""
    if "{if " not in text:
        return text
    return _chosen(text, frozenset(name for name, value in values.items() if value is not None))


@lru_cache(maxsize=1024)
def _chosen(text: str, given: frozenset[str]) -> str:
    return _OPTIONAL.sub(lambda part: part[2] if part[1] in given else "", text)


def _member(cast: str, column: str, key: str, dialect: str) -> str:
    """A member of a JSON column, as text, as a number, as a whole one or as true and false (1 and 0 on SQLite)."""
    path = f"{column} ->> '{key}'"
    if cast == "text":
        return path
    if cast == "bool":
        return path if dialect == "sqlite" else f"({path})::boolean"
    if cast == "number":
        return f"cast({path} as real)" if dialect == "sqlite" else f"({path})::double precision"
    return f"cast({path} as integer)" if dialect == "sqlite" else f"({path})::integer"


def _view(name: str, dialect: str) -> str:
    """The beginning of a view that there was before; PostgreSQL keeps who may read it, and what others built on it."""
    return (
        f"drop view {name};\ncreate view {name}" if dialect == "sqlite" else f"create or replace view {name}"
    )


def _moment(column: str, dialect: str) -> str:
    """A column of seconds since 1970, as an instant."""
    if dialect == "sqlite":
        # As wide as every other instant, so that they compare as text.
        return f"strftime('%Y-%m-%dT%H:%M:%f000Z', {column}, 'unixepoch')"
    return f"to_timestamp({column})"


def _split(text: str) -> Iterable[tuple[str, str]]:
    pieces = _HEADING.split(text)[1:]
    for name, body in zip(pieces[::2], pieces[1::2], strict=True):
        lines = [line for line in body.splitlines() if line.strip() and not line.lstrip().startswith("--")]
        yield name, "\n".join(lines).rstrip().rstrip(";")
