"""The third stage: keeps records, runs and cursors in SQLite or PostgreSQL."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from typing import Any

from stoma.errors import ConfigError, NotFound, Problem, StoreUnavailable
from stoma.stores.addresses import split_schema, sqlite_path
from stoma.stores.agenda import Agenda
from stoma.stores.audit import Audit
from stoma.stores.base import Database
from stoma.stores.files import Files
from stoma.stores.hosts import Hosts
from stoma.stores.keeping import Keeping
from stoma.stores.logs import Logs
from stoma.stores.looking import Looking
from stoma.stores.nodes import Nodes
from stoma.stores.outbox import Alerts, Outbox
from stoma.stores.questions import Questions
from stoma.stores.raw import Raw
from stoma.stores.records import Records
from stoma.stores.runs import Runs
from stoma.stores.search import Search
from stoma.stores.validators import Validators


class Store:
    """One database with everything that Stoma asks of it."""

    def __init__(self, database: Database) -> None:
        self.database = database
        self.runs = Runs(database)
        self.records = Records(database)
        self.agenda = Agenda(database)
        self.hosts = Hosts(database)
        self.nodes = Nodes(database)
        self.alerts = Alerts(database)
        self.outbox = Outbox(database)
        self.files = Files(database)
        self.logs = Logs(database)
        self.looking = Looking(database)
        self.questions = Questions(database)
        self.raw = Raw(database)
        self.search = Search(database)
        self.validators = Validators(database)
        self.keeping = Keeping(database)
        self.audit = Audit(database)

    @property
    def dialect(self) -> str:
        """`sqlite` or `postgres`."""
        return self.database.dialect

    def now(self) -> datetime:
        """The present moment by the clock that all who share this store share."""
        return self.database.now()

    def close(self) -> None:
        """Let go of every connection."""
        self.database.close()

    def __enter__(self) -> Store:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def open_store(
    url: str,
    base: Path,
    *,
    synchronous: str = "normal",
    connections: int = 8,
    clock: Callable[[], datetime] | None = None,
    existing: bool = False,
    name: str = "store.url",
) -> Store:
    """Connect and bring the tables up to date. Relative SQLite paths count from `base`.

    `postgresql://…?schema=NAME` keeps them in that schema. Raises ConfigError for an address of another kind,
    StoreUnavailable when the database cannot be used, NotFound when it has to be `existing` and nothing of Stoma's is
    there; then nothing is made. Messages call the address by its `name`.
    """
    url, schema = split_schema(url, name)
    path = sqlite_path(url, base)
    database: Database
    if path is not None and existing and not _is_there(path):
        raise NotFound(
            f"there is no store at {path} yet", "check the name; relative paths count from this folder"
        )
    if path is not None:
        from stoma.stores.sqlite import SqliteDatabase

        given: dict[str, Any] = {"clock": clock} if clock else {}
        database = SqliteDatabase(path, synchronous=synchronous, **given)
    elif url.startswith(("postgresql://", "postgres://")):
        from stoma.stores.postgres import PostgresDatabase

        database = PostgresDatabase(url, schema=schema, connections=connections, clock=clock, name=name)
    else:
        scheme = re.match(r"[a-z][a-z0-9+.-]*(?=://)", url)
        raise ConfigError(
            [
                Problem(
                    f'{name} begins with "{scheme[0]}:"' if scheme else f"{name} is not an address",
                    hint="write sqlite:///FILE or postgresql://HOST/NAME",
                )
            ]
        )
    try:
        if existing and database.is_fresh():
            raise NotFound(f"{database.place} holds nothing of Stoma's", "check the name of the database")
        database.migrate()
    except BaseException:
        database.close()
        raise
    return Store(database)


def _is_there(path: Path) -> bool:
    try:
        path.stat()
    except (FileNotFoundError, NotADirectoryError):
        return False
    except OSError as error:
        # Not to be seen is not the same as not to be there.
        told = str(error.strerror).lower()
        raise StoreUnavailable(f"{path} may not be read: {told}", "give this user the right to") from None
    return True
