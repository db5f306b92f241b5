"""SQLite: one writer, WAL, short `begin immediate` transactions."""

from __future__ import annotations

import sqlite3
import threading
import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, TypeVar

from stoma import __version__
from stoma.errors import Conflict, StoreError, StoreUnavailable
from stoma.metrics import STORE
from stoma.stores.base import Database, Transaction, statements
from stoma.stores.copying_sqlite import SqliteSide
from stoma.stores.filesystems import refuse_remote
from stoma.stores.lockfile import SchedulerLock
from stoma.stores.schema import UNCHANGED, Applied, Migration, is_current, migrations, refuse_older
from stoma.stores.sqlite_errors import BUSY_SECONDS, code_of, is_busy, translated
from stoma.stores.sqlite_file import STEP_SECONDS, Files, connect
from stoma.stores.sqlite_rows import Cursor, encode
from stoma.stores.sqlite_sharing import Group, Job
from stoma.stores.tables import Table

T = TypeVar("T")

HURRIED_SECONDS = 1.0
"""The same while the program is stopping."""

MOST_TOGETHER = 16
"""How many transactions share one commit at most, so that the first of them does not wait for long."""


def utc_now() -> datetime:
    """The clock of this machine, as aware UTC."""
    return datetime.now(UTC)


class SqliteDatabase(Database):
    """One file. Writers of one process queue behind a lock, those of others behind SQLite's own."""

    dialect = "sqlite"
    one_writer = True

    def __init__(
        self, path: Path, *, synchronous: str = "normal", clock: Callable[[], datetime] = utc_now
    ) -> None:
        self.path = path
        self.now = clock  # type: ignore[method-assign]
        self._synchronous = synchronous
        self._statements = statements(self.dialect)
        self._writing = threading.Lock()
        # How many wait for their turn to write, and the transaction that they may share.
        self._waiting = 0
        # What waits to be written by whoever gets to write.
        self._jobs: deque[Job[Any]] = deque()
        self._counting = threading.Lock()
        self._group: Group | None = None
        self._patience = BUSY_SECONDS
        self._give_up_at = float("inf")
        # Connections that nobody reads with just now; threads come and go, so none belongs to a thread.
        self._idle: deque[Cursor] = deque()
        self._closed = False
        refuse_remote(path)
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise StoreUnavailable(f"{path.parent} cannot be made: {error.strerror}") from None
        self._files = Files(path)
        self._writer = self._connect()
        self._files.check()
        self._cursor = Cursor(self._writer, self._statements)

    @property
    def place(self) -> str:
        return str(self.path)

    def now(self) -> datetime:  # replaced by the clock that was handed in
        raise NotImplementedError

    @contextmanager
    def transaction(self) -> Iterator[Cursor]:
        """As everywhere; those that come while another one is at work share its commit, the costly part of it."""
        began = time.monotonic()
        until = began + self._patience
        self._take_turn()
        try:
            self._files.check(self._writer)
            with translated(self.path):
                with self._member(until) as group:
                    yield self._cursor
                if self._is_complete(group):
                    self._commit(group)
        except BaseException:
            self._leave_group()
            raise
        finally:
            self._writing.release()
        self._wait_for(group)
        STORE.observe(time.monotonic() - began, "write")

    def write(self, body: Callable[[Transaction], T]) -> T:
        """Whoever gets to write works off what all others who wait here have to write: that spares changing threads."""
        began = time.monotonic()
        until = began + self._patience
        job = Job(body)
        self._jobs.append(job)
        try:
            self._acquire()
            try:
                if not job.is_done:
                    self._work_off(until)
            finally:
                self._writing.release()
        except BaseException:
            # Who gives up is not to be written behind its back.
            with suppress(ValueError):
                self._jobs.remove(job)
            raise
        if job.group is not None:
            self._wait_for(job.group)
        STORE.observe(time.monotonic() - began, "write")
        with translated(self.path):
            return job.result()

    def _work_off(self, until: float) -> None:
        self._files.check(self._writer)
        while self._jobs:
            job = self._jobs.popleft()
            try:
                with self._member(until) as group:
                    job.run(self._cursor)
                job.group = group
            except Exception as error:
                job.error = error
            except BaseException:
                # Meant for this thread; the one whose job it is does it again.
                self._jobs.appendleft(job)
                self._leave_group()
                raise
            job.is_done = True
            is_open = self._group
            if is_open is not None and self._is_complete(is_open):
                # When it fails, all members of the group are told so.
                with suppress(sqlite3.Error):
                    self._commit(is_open)

    @contextmanager
    def _member(self, until: float) -> Iterator[Group]:
        """Be one of a group: the one that is open, or the first of a new one. Undone alone when it fails."""
        group = self._group
        if group is None or not self._writer.in_transaction:
            self._begin(until)
            group = self._group = Group()
        if group.members:
            self._writer.execute("savepoint one")
        try:
            yield group
            if group.members:
                self._writer.execute("release one")
        except BaseException as error:
            self._undo_one(group, error)
            raise
        group.members += 1

    def _is_complete(self, group: Group) -> bool:
        """True when nobody else is coming, or the first has waited long enough."""
        return not (self._waiting or self._jobs) or group.members >= MOST_TOGETHER

    def _take_turn(self) -> None:
        with self._counting:
            self._waiting += 1
        try:
            self._acquire()
        finally:
            with self._counting:
                self._waiting -= 1

    def _acquire(self) -> None:
        if not self._writing.acquire(timeout=self._patience):
            raise StoreUnavailable(
                f"{self.path}: another thread has held the file for {self._patience:.0f} s"
            )

    def _undo_one(self, group: Group, error: BaseException) -> None:
        """Take back what one of a group has written; a full disk may have taken back everything already."""
        with suppress(sqlite3.Error):
            if group.members:
                self._writer.execute("rollback to one")
                self._writer.execute("release one")
            else:
                self._writer.execute("rollback")
        if not self._writer.in_transaction:
            told = error if isinstance(error, sqlite3.Error) else StoreUnavailable(f"{self.path}: {error}")
            self._close_group(group, told)

    def _leave_group(self) -> None:
        """One of a group failed: the others, if nobody else is coming, are committed now."""
        group = self._group
        if group is not None and not (self._waiting or self._jobs):
            with suppress(StoreUnavailable, Conflict, sqlite3.Error), translated(self.path):
                self._commit(group)

    def _commit(self, group: Group) -> None:
        try:
            self._writer.execute("commit")
        except BaseException as error:
            with suppress(sqlite3.Error):
                self._writer.execute("rollback")
            self._close_group(group, error)
            raise
        self._close_group(group, None)
        if self._give_up_at == float("inf"):
            self._files.tend(self._writer)

    def _close_group(self, group: Group, error: BaseException | None) -> None:
        self._group = None
        group.error = error
        group.gate.release()

    def _wait_for(self, group: Group) -> None:
        """Until what this thread wrote is committed, by whichever thread of the group is the last."""
        while not group.gate.acquire(timeout=STEP_SECONDS):
            # Whoever was waiting gave up waiting: then this one is the last.
            if self._writing.acquire(blocking=False):
                try:
                    if self._group is group:
                        with translated(self.path):
                            self._commit(group)
                finally:
                    self._writing.release()
        # One after the other: threads that wake all at once only get in each other's way.
        group.gate.release()
        if group.error is not None:
            with translated(self.path):
                raise group.error

    def _begin(self, until: float) -> None:
        while True:
            try:
                self._writer.execute("begin immediate")
                return
            except sqlite3.OperationalError as error:
                if not is_busy(error) or time.monotonic() > min(until, self._give_up_at):
                    raise

    def hurry(self) -> None:
        self._patience = HURRIED_SECONDS
        self._give_up_at = time.monotonic() + HURRIED_SECONDS

    @contextmanager
    def reader(self) -> Iterator[Cursor]:
        began = time.monotonic()
        self._files.check()
        with translated(self.path):
            try:
                cursor = self._idle.pop()
            except IndexError:
                cursor = Cursor(self._connect(), self._statements)
            try:
                yield cursor
            finally:
                self._idle.append(cursor)
                STORE.observe(time.monotonic() - began, "read")
                if self._closed:
                    self._close_idle()

    def is_fresh(self) -> bool:
        return not self._applied()

    @contextmanager
    def snapshot(self) -> Iterator[SqliteSide]:
        with self.reader() as cursor, cursor.held() as connection:
            yield SqliteSide(connection, cursor)

    @contextmanager
    def filling(self, tables: Iterable[Table]) -> Iterator[SqliteSide]:
        with self.transaction() as cursor:
            yield SqliteSide(self._writer, cursor)

    def migrate(self, program: str = __version__, known: Sequence[Migration] | None = None) -> None:
        # Asked first, because a program that only reads should not have to write.
        known = migrations(self.dialect) if known is None else known
        applied = self._applied()
        refuse_older(applied, known, program, str(self.path))
        if is_current(applied, known):
            return
        with self.transaction():
            write = self._writer.execute
            write(
                "create table if not exists schema_migrations"
                " (number integer primary key, name text not null, applied_at text not null, min_program text)"
            )
            if "min_program" not in {row[1] for row in write("pragma table_info(schema_migrations)")}:
                write("alter table schema_migrations add column min_program text")
            applied = self._applied()
            refuse_older(applied, known, program, str(self.path))
            for one in known:
                if one.number not in applied:
                    self._apply(one)
                    row = (one.number, one.name, encode(self.now()), one.min_program)
                    write("insert into schema_migrations values (?, ?, ?, ?)", row)
                elif applied[one.number] is None:
                    which = (one.min_program, one.number)
                    write("update schema_migrations set min_program = ? where number = ?", which)

    def _apply(self, one: Migration) -> None:
        try:
            with translated(self.path):
                for statement in _statements_of(one.text):
                    self._writer.execute(statement)
        except (sqlite3.Error, Conflict) as error:
            raise StoreError(f"{self.path}: {one.title} failed: {error}", UNCHANGED) from error

    def _applied(self) -> Applied:
        """What was applied; of tables from before that was kept, only the numbers."""
        with translated(self.path):
            for least in ("min_program", "null"):
                try:
                    return dict(
                        self._writer.execute(f"select number, {least} from schema_migrations").fetchall()  # noqa: S608
                    )
                except sqlite3.OperationalError as error:
                    # No such table or column, and nothing else: a file that cannot be read is not an empty one.
                    if code_of(error) != sqlite3.SQLITE_ERROR:
                        raise
        return {}

    def vacuum(self, *, full: bool) -> Sequence[str]:
        from stoma.stores import sqlite_care

        sqlite_care.optimize(self.path)
        if full:
            sqlite_care.vacuum(self.path)
        return []

    @contextmanager
    def sole_scheduler(self, owner: str) -> Iterator[None]:
        lock = SchedulerLock(self.path)
        lock.acquire(owner)
        try:
            yield
        finally:
            lock.release()

    def scheduler(self) -> str | None:
        return SchedulerLock(self.path).holder()

    def close(self) -> None:
        self._closed = True
        # Whoever still writes is a thread that was given up; it finds its connection closed.
        waited = self._writing.acquire(timeout=HURRIED_SECONDS)
        try:
            if waited and self._group is not None:
                self._leave_group()
            self._close_idle()
            self._writer.close()
        finally:
            if waited:
                self._writing.release()

    def _close_idle(self) -> None:
        with suppress(IndexError):
            while True:
                self._idle.pop().close()

    def _connect(self) -> sqlite3.Connection:
        if self._closed:
            raise StoreUnavailable(f"{self.path} is closed", "the program is stopping")
        with translated(self.path):
            return connect(self.path, self._synchronous)


def _statements_of(text: str) -> Iterator[str]:
    """The single statements of a migration: `executescript` would commit the transaction around it."""
    pending = ""
    for line in text.splitlines(keepends=True):
        pending += line
        if sqlite3.complete_statement(pending):
            yield pending
            pending = ""
