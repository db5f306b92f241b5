"""What only SQLite has: the file, its lock, and its errors in words."""

from __future__ import annotations

import sqlite3
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextvars import ContextVar
from pathlib import Path
from typing import Any, cast

import pytest

from stoma.errors import ConfigError, SchedulerRunning, StoreUnavailable
from stoma.stores import open_store, sqlite
from stoma.stores.base import Transaction
from stoma.stores.lockfile import SchedulerLock
from stoma.stores.sqlite import SqliteDatabase
from tests.support.waiting import until


def test_the_file_is_made_with_its_folders(tmp_path: Path) -> None:
    with open_store("sqlite:///deep/down/stoma.db", tmp_path):
        assert (tmp_path / "deep/down/stoma.db").exists()


def test_opening_again_changes_nothing(tmp_path: Path) -> None:
    for _ in range(2):
        with open_store("sqlite:///stoma.db", tmp_path) as store:
            assert store.records.count() == 0


def test_it_is_kept_in_wal_with_the_synchronous_that_was_asked_for(tmp_path: Path) -> None:
    with open_store("sqlite:///stoma.db", tmp_path, synchronous="full") as store:
        connection = store.database._connect()  # type: ignore[attr-defined]
        assert connection.execute("pragma journal_mode").fetchone() == ("wal",)
        assert connection.execute("pragma synchronous").fetchone() == (2,)
        connection.close()


@pytest.mark.parametrize("content", [b"this is no database at all, but long enough to be one" * 50])
def test_another_file_is_told(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "stoma.db").write_bytes(content)
    with pytest.raises(StoreUnavailable, match="file is not a database") as caught:
        open_store("sqlite:///stoma.db", tmp_path)
    assert "store.url" in caught.value.hint


def test_a_folder_in_the_way_is_told(tmp_path: Path) -> None:
    (tmp_path / "stoma.db").mkdir()
    with pytest.raises(StoreUnavailable, match="unable to open database file"):
        open_store("sqlite:///stoma.db", tmp_path)


def test_an_unknown_kind_of_store_is_told(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match='begins with "mysql:"'):
        open_store("mysql://x", tmp_path)


def test_one_scheduler_for_one_file(tmp_path: Path) -> None:
    held = SchedulerLock(tmp_path / "stoma.db")
    held.acquire("process 7 on laptop")
    with pytest.raises(SchedulerRunning, match="process 7 on laptop"):
        SchedulerLock(tmp_path / "stoma.db").acquire("another")
    held.release()
    again = SchedulerLock(tmp_path / "stoma.db")
    again.acquire("another")
    again.release()


def test_a_killed_holder_frees_the_lock(tmp_path: Path) -> None:
    script = (
        "import sys, pathlib; from stoma.stores.lockfile import SchedulerLock\n"
        "lock = SchedulerLock(pathlib.Path(sys.argv[1])); lock.acquire('x'); print('held', flush=True)\n"
        "sys.stdin.read()"
    )
    command = [sys.executable, "-c", script, str(tmp_path / "stoma.db")]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as holder:
        assert holder.stdout is not None
        # acquire returns None, so the line comes when the lock is held.
        assert holder.stdout.readline() == "held\n"
        with pytest.raises(SchedulerRunning):
            SchedulerLock(tmp_path / "stoma.db").acquire("me")
        holder.kill()
        holder.wait()
    mine = SchedulerLock(tmp_path / "stoma.db")
    mine.acquire("me")
    mine.release()


def test_a_reader_in_another_process_sees_what_is_committed(tmp_path: Path) -> None:
    with open_store("sqlite:///stoma.db", tmp_path) as store:
        store.agenda.enable("a", False, store.now())
        other = sqlite3.connect(tmp_path / "stoma.db")
        assert other.execute("select task_id, enabled from task_overrides").fetchall() == [("a", 0)]
        other.close()


def test_a_file_that_another_program_holds_is_waited_for_and_while_stopping_it_is_not(tmp_path: Path) -> None:
    with open_store("sqlite:///stoma.db", tmp_path) as store:
        other = sqlite3.connect(tmp_path / "stoma.db", isolation_level=None, check_same_thread=False)
        other.execute("begin immediate")
        threading.Timer(0.6, lambda: other.execute("rollback")).start()
        store.agenda.enable("a", False, store.now())
        other.execute("begin immediate")
        store.database.hurry()
        began = time.monotonic()
        with pytest.raises(StoreUnavailable, match="another program holds the file"):
            store.agenda.enable("a", True, store.now())
        assert time.monotonic() - began < 3
        other.execute("rollback")
        other.close()


def test_many_threads_leave_no_connections_behind(tmp_path: Path) -> None:
    with open_store("sqlite:///stoma.db", tmp_path) as store:
        for _ in range(50):
            thread = threading.Thread(target=store.records.count)
            thread.start()
            thread.join()
        assert len(store.database._idle) == 1  # type: ignore[attr-defined]


def test_the_lock_is_that_of_the_file_whatever_it_is_called(tmp_path: Path) -> None:
    (tmp_path / "real.db").touch()
    (tmp_path / "link.db").symlink_to(tmp_path / "real.db")
    held = SchedulerLock(tmp_path / "real.db")
    assert held.holder() is None
    held.acquire("process 7 on laptop")
    assert SchedulerLock(tmp_path / "link.db").holder() == "process 7 on laptop"
    with pytest.raises(SchedulerRunning):
        SchedulerLock(tmp_path / "link.db").acquire("another")
    held.release()
    assert held.holder() is None


def test_a_file_that_is_taken_away_is_told_at_once(tmp_path: Path) -> None:
    with open_store("sqlite:///stoma.db", tmp_path) as store:
        (tmp_path / "stoma.db").rename(tmp_path / "elsewhere.db")
        for ask in (store.records.count, lambda: store.agenda.enable("a", True, store.now())):
            with pytest.raises(StoreUnavailable, match="was removed or replaced"):
                ask()
        (tmp_path / "elsewhere.db").rename(tmp_path / "stoma.db")
        store.agenda.enable("a", True, store.now())


def test_asking_who_holds_the_lock_does_not_take_it(tmp_path: Path) -> None:
    lock = SchedulerLock(tmp_path / "stoma.db")
    lock.acquire("an old one")
    lock.release()
    found: list[str | None] = []
    ended = threading.Event()

    def ask() -> None:
        while not ended.is_set():
            found.append(SchedulerLock(tmp_path / "stoma.db").holder())

    threads = [threading.Thread(target=ask) for _ in range(2)]
    for thread in threads:
        thread.start()
    try:
        for _ in range(100):
            lock.acquire("me")
            lock.release()
    finally:
        ended.set()
        for thread in threads:
            thread.join()
    assert set(found) <= {None, "me", "another process"}


def full() -> sqlite3.OperationalError:
    """What SQLite says of a full disk."""
    error = sqlite3.OperationalError("database or disk is full")
    error.sqlite_errorcode = sqlite3.SQLITE_FULL
    return error


# -- transactions that share a commit ------------------------------------------------------------------------


class Group:
    """Three threads whose transactions meet: the first holds the file until the others wait for it."""

    def __init__(self, database: SqliteDatabase) -> None:
        self.database = database
        self.commits: list[str] = []
        self.told: list[str] = []
        self.errors: dict[str, BaseException] = {}
        self.pages = {name: threading.Event() for name in "abc"}
        self.inside = {name: threading.Event() for name in "abc"}
        database._writer.set_trace_callback(lambda text: self.commits.append(text))
        self.threads = [threading.Thread(target=self._write, args=(name,)) for name in "abc"]

    def _write(self, name: str) -> None:
        try:
            with self.database.transaction() as tx:
                tx.execute("override_set", task_id=name, enabled=True, now=self.database.now())
                self.inside[name].set()
                self.pages[name].wait(10)
                if name in self.errors:
                    raise self.errors[name]
        except BaseException as error:
            self.errors[name] = error
        self.told.append(name)

    def begin(self) -> None:
        self.threads[0].start()
        self.inside["a"].wait(10)
        for number, thread in enumerate(self.threads[1:], 1):
            thread.start()
            until(lambda number=number: self.database._waiting == number)

    def end(self) -> None:
        for name in "abc":
            self.pages[name].set()
        for thread in self.threads:
            thread.join(10)

    def stored(self) -> set[str]:
        with self.database.reader() as reader:
            return {row["task_id"] for row in reader.all("overrides")}

    @property
    def commit_count(self) -> int:
        return sum(text.lower() == "commit" for text in self.commits)


@pytest.fixture
def group(tmp_path: Path) -> Iterator[Group]:
    with open_store("sqlite:///stoma.db", tmp_path) as store:
        found = Group(cast("SqliteDatabase", store.database))
        found.begin()
        yield found
        found.end()


def test_transactions_that_meet_share_one_commit(group: Group) -> None:
    group.end()
    assert (group.stored(), group.commit_count, group.errors) == (set("abc"), 1, {})


def test_nobody_is_told_before_all_is_safe(group: Group) -> None:
    group.pages["a"].set()
    until(lambda: group.inside["b"].is_set() or group.inside["c"].is_set())
    assert group.told == []
    assert group.stored() == set()
    group.end()
    assert sorted(group.told) == ["a", "b", "c"]


@pytest.mark.parametrize("failing", ["a", "b", "c"])
def test_one_that_fails_takes_no_other_with_it(group: Group, failing: str) -> None:
    group.errors[failing] = OSError("no")
    group.end()
    assert group.stored() == set("abc") - {failing}
    assert list(group.errors) == [failing]


def test_a_commit_that_fails_is_told_to_all(group: Group) -> None:
    real = group.database._writer

    class Full:
        """The writer of a disk that is full when it comes to the commit."""

        def execute(self, text: str) -> Any:
            if text == "commit":
                raise full()
            return real.execute(text)

        def __getattr__(self, name: str) -> Any:
            return getattr(real, name)

    group.database._writer = cast("Any", Full())
    group.end()
    assert {type(error) for error in group.errors.values()} == {StoreUnavailable}
    assert set(group.errors) == set("abc")
    group.database._writer = real
    assert group.stored() == set()


def test_whoever_waited_for_others_that_gave_up_commits_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sqlite, "STEP_SECONDS", 0.01)
    with open_store("sqlite:///stoma.db", tmp_path) as store:
        database = cast("SqliteDatabase", store.database)
        # As if somebody were waiting who then never comes.
        database._waiting = 1
        store.agenda.enable("a", True, store.now())
        assert store.agenda.overrides() == {"a": True}
        database._waiting = 0


# -- work that whoever gets to write does for others ---------------------------------------------------------

WHOSE: ContextVar[str] = ContextVar("whose")


class Crowd:
    """Threads that wait with something to write while the file is held; `let_go` lets them."""

    def __init__(self, database: SqliteDatabase) -> None:
        self.database = database
        self.writers: set[int] = set()
        self.given: dict[str, str] = {}
        self.errors: dict[str, BaseException] = {}
        self.bodies: dict[str, Callable[[], None]] = {}
        self.commits: list[str] = []
        self.threads = [threading.Thread(target=self._come, args=(name,)) for name in "abc"]

    def _come(self, name: str) -> None:
        WHOSE.set(name)

        def body(tx: Transaction) -> str:
            self.writers.add(threading.get_ident())
            tx.execute("override_set", task_id=name, enabled=True, now=self.database.now())
            self.bodies.get(name, lambda: None)()
            return WHOSE.get()

        try:
            self.given[name] = self.database.write(body)
        except BaseException as error:
            self.errors[name] = error

    def gather(self) -> None:
        """All of them come while the file is held."""
        self.database._writing.acquire()
        self.database._writer.set_trace_callback(lambda text: self.commits.append(text.lower()))
        for thread in self.threads:
            thread.start()
        until(lambda: len(self.database._jobs) == 3)

    def let_go(self) -> None:
        self.database._writing.release()
        self.join()

    def join(self) -> None:
        for thread in self.threads:
            thread.join(10)
            assert not thread.is_alive()

    def stored(self) -> set[str]:
        with self.database.reader() as reader:
            return {row["task_id"] for row in reader.all("overrides")}


@pytest.fixture
def crowd(tmp_path: Path) -> Iterator[Crowd]:
    with open_store("sqlite:///stoma.db", tmp_path) as store:
        yield Crowd(cast("SqliteDatabase", store.database))


def test_one_thread_writes_for_all_that_wait(crowd: Crowd) -> None:
    crowd.gather()
    crowd.let_go()
    assert (crowd.stored(), crowd.errors) == (set("abc"), {})
    assert (len(crowd.writers), crowd.commits.count("commit")) == (1, 1)
    # Each has its own answer, and wrote as itself.
    assert crowd.given == {"a": "a", "b": "b", "c": "c"}


@pytest.mark.parametrize("failing", ["a", "b", "c"])
def test_work_that_fails_is_told_to_whose_it_is(crowd: Crowd, failing: str) -> None:
    def fail() -> None:
        raise OSError("no")

    crowd.bodies[failing] = fail
    crowd.gather()
    crowd.let_go()
    assert crowd.stored() == set(crowd.given) == set("abc") - {failing}
    assert [(name, str(error)) for name, error in crowd.errors.items()] == [(failing, "no")]


def test_work_whose_commit_fails_is_told_to_all(crowd: Crowd) -> None:
    real = crowd.database._writer
    crowd.gather()

    class Full:
        def execute(self, text: str) -> Any:
            if text == "commit":
                raise full()
            return real.execute(text)

        def __getattr__(self, name: str) -> Any:
            return getattr(real, name)

    crowd.database._writer = cast("Any", Full())
    crowd.let_go()
    crowd.database._writer = real
    assert {name: type(error) for name, error in crowd.errors.items()} == dict.fromkeys(
        "abc", StoreUnavailable
    )
    assert (crowd.given, crowd.stored()) == ({}, set())


def test_nobody_is_written_for_who_has_given_up(crowd: Crowd) -> None:
    crowd.database._patience = 0.02
    crowd.database._writing.acquire()
    for thread in crowd.threads:
        thread.start()
    crowd.join()
    assert set(crowd.errors) == set("abc")
    crowd.database._patience = sqlite.BUSY_SECONDS
    crowd.database._writing.release()
    crowd.database.write(lambda tx: None)
    assert crowd.stored() == set()


def test_more_than_one_commit_holds_is_committed_in_several(
    crowd: Crowd, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sqlite, "MOST_TOGETHER", 2)
    crowd.gather()
    crowd.let_go()
    assert (crowd.stored(), crowd.errors, crowd.commits.count("commit")) == (set("abc"), {}, 2)


def test_what_is_meant_for_the_writing_thread_leaves_the_others_their_work(crowd: Crowd) -> None:
    raised: list[str] = []

    def interrupt() -> None:
        mine = dict(zip("abc", crowd.threads, strict=True))[WHOSE.get()]
        if threading.current_thread() is not mine and not raised:
            raised.append(WHOSE.get())
            raise KeyboardInterrupt

    crowd.bodies = dict.fromkeys("abc", interrupt)
    crowd.gather()
    crowd.let_go()
    # Whose work it met does it again; the thread that was meant had written its own before, and is told.
    assert len(raised) == 1
    assert {type(error) for error in crowd.errors.values()} == {KeyboardInterrupt}
    assert raised[0] in crowd.given
    assert set(crowd.given) | set(crowd.errors) == set("abc")
    assert crowd.stored() >= set(crowd.given)


def test_work_and_transactions_that_meet_share_one_commit(crowd: Crowd) -> None:
    def write() -> None:
        with crowd.database.transaction() as tx:
            tx.execute("override_set", task_id="d", enabled=True, now=crowd.database.now())

    other = threading.Thread(target=write)
    crowd.gather()
    other.start()
    until(lambda: crowd.database._waiting == 1)
    crowd.let_go()
    other.join(10)
    assert (crowd.stored(), crowd.errors, crowd.commits.count("commit")) == (set("abcd"), {}, 1)
