"""What goes wrong with a SQLite file: it is told in words, nothing is lost, and work goes on when the cause is gone."""

from __future__ import annotations

import shutil
import sqlite3
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from itertools import pairwise
from pathlib import Path
from typing import Any, cast

import pytest

from stoma.errors import StoreUnavailable
from stoma.records import Record, sealed
from stoma.stores import Store, open_store, sqlite_file
from stoma.stores.records import Prepared, save
from stoma.stores.sqlite import SqliteDatabase
from stoma.stores.sqlite_file import LARGE, LONGEST_HOLD, hold_seconds
from tests.support.unprivileged import CAN_PRETEND, UNPRIVILEGED

URL = "sqlite:///stoma.db"


def fill(store: Store, count: int, first: int = 0) -> None:
    page = [sealed(Record("s", str(first + n), "entry", summary="word " * 200)) for n in range(count)]
    with store.database.transaction() as tx:
        save(tx, Prepared.of(page), "t", 1, store.now())


def log_size(folder: Path) -> int:
    return (folder / "stoma.db-wal").stat().st_size


# -- files that may not be read or written -------------------------------------------------------------------

SCRIPT = """
import sys
from pathlib import Path
from stoma.errors import StomaError
from stoma.stores import open_store
try:
    with open_store("sqlite:///stoma.db", Path(sys.argv[1])) as store:
        store.agenda.enable("a", False, store.now())
        print("written")
except StomaError as error:
    print(type(error).__name__, error.message, error.hint, sep="|")
"""


def as_anybody(folder: Path) -> str:
    """What a process without rights of its own says that opens the store and writes."""
    command = [*UNPRIVILEGED, sys.executable, "-c", SCRIPT, folder]
    told = subprocess.run(command, capture_output=True, text=True)
    assert told.returncode == 0, told.stderr
    return told.stdout.strip()


@pytest.mark.skipif(
    not CAN_PRETEND, reason="root may write everything, and cannot pretend to be somebody else here"
)
@pytest.mark.parametrize(
    ("modes", "said"),
    [
        ({"stoma.db": 0o444}, "stoma.db may not be read and written|give this user the right"),
        ({"stoma.db": 0o000}, "stoma.db may not be read and written|give this user the right"),
        ({".": 0o555}, "attempt to write a readonly database|make the file and its folder writable"),
    ],
    ids=["file read-only", "file without any right", "folder read-only"],
)
def test_what_may_not_be_written_is_told_and_works_again_when_it_may(
    tmp_path: Path, modes: dict[str, int], said: str
) -> None:
    folder = tmp_path / "store"
    with open_store(URL, folder) as store:
        fill(store, 3)
    before = {name: (folder / name).stat().st_mode for name in modes}
    for name, mode in modes.items():
        (folder / name).chmod(mode)
    told = as_anybody(folder)
    for name, mode in before.items():
        (folder / name).chmod(mode)
    assert said in told
    assert as_anybody(folder) == "written"
    with open_store(URL, folder) as store:
        assert (store.records.count(), store.agenda.overrides()) == (3, {"a": False})


# -- damage --------------------------------------------------------------------------------------------------


def test_a_damaged_page_is_told_with_what_to_do(tmp_path: Path) -> None:
    with open_store(URL, tmp_path) as store:
        fill(store, 300)
    file = tmp_path / "stoma.db"
    with sqlite3.connect(file) as connection:
        [root] = connection.execute("select rootpage from sqlite_master where name = 'records'").fetchone()
        [size] = connection.execute("pragma page_size").fetchone()
    connection.close()
    with file.open("r+b") as raw:
        raw.seek((root - 1) * size)
        raw.write(b"\xde\xad" * (size // 2))
    with (
        open_store(URL, tmp_path) as store,
        pytest.raises(StoreUnavailable, match="disk image is malformed") as caught,
    ):
        store.records.newest(300)
    assert str(file) in caught.value.message
    assert "stoma store check" in caught.value.hint
    assert "backup" in caught.value.hint


def test_a_file_that_cannot_be_read_is_not_taken_for_an_empty_one(tmp_path: Path) -> None:
    with open_store(URL, tmp_path) as store:
        database = cast("SqliteDatabase", store.database)
        real = database._writer

        class Failing:
            """The writer of a disk that fails when it is asked what was applied."""

            def execute(self, text: str, *values: Any) -> Any:
                if text.startswith("select number"):
                    error = sqlite3.OperationalError("disk I/O error")
                    error.sqlite_errorcode = sqlite3.SQLITE_IOERR
                    raise error
                return real.execute(text, *values)

            def __getattr__(self, name: str) -> Any:
                return getattr(real, name)

        database._writer = cast("Any", Failing())
        with pytest.raises(StoreUnavailable, match="disk I/O error"):
            database.migrate()
        database._writer = real


# -- files that are taken away -------------------------------------------------------------------------------


def test_a_log_that_is_deleted_takes_nothing_with_it(tmp_path: Path) -> None:
    with open_store(URL, tmp_path) as store:
        fill(store, 10)
        assert log_size(tmp_path) > 0
        (tmp_path / "stoma.db-wal").unlink()
        with pytest.raises(StoreUnavailable, match=r"stoma\.db-wal was removed or replaced"):
            fill(store, 10, first=10)
        # Even if this process is killed now.
        shutil.copy(tmp_path / "stoma.db", tmp_path / "copy.db")
    for name in ("copy", "stoma"):
        with open_store(f"sqlite:///{name}.db", tmp_path) as store:
            assert store.records.count() == 10


def test_a_file_that_is_replaced_is_not_written(tmp_path: Path) -> None:
    with open_store("sqlite:///other.db", tmp_path) as other:
        fill(other, 1)
    with open_store(URL, tmp_path) as store:
        fill(store, 10)
        (tmp_path / "other.db").replace(tmp_path / "stoma.db")
        for ask in (store.records.count, lambda: fill(store, 1, first=10)):
            with pytest.raises(
                StoreUnavailable, match="was removed or replaced while it was in use"
            ) as caught:
                ask()
            assert "restart" in caught.value.hint


# -- a full disk, as SQLite says it ----------------------------------------------------------------------------


@pytest.fixture
def small(tmp_path: Path) -> Iterator[tuple[Store, Callable[[int], None]]]:
    """A store whose file may not grow beyond some pages: for SQLite that is a full disk."""
    with open_store(URL, tmp_path) as store:
        writer = cast("SqliteDatabase", store.database)._writer

        def limit(pages: int) -> None:
            [used] = writer.execute("pragma page_count").fetchone()
            writer.execute(f"pragma max_page_count = {used + pages}")

        yield store, limit


def test_a_full_disk_keeps_what_was_committed_and_goes_on_when_there_is_space(small: Any) -> None:
    store, limit = small
    fill(store, 5)
    limit(3)
    for _ in range(3):
        with pytest.raises(StoreUnavailable, match="database or disk is full") as caught:
            fill(store, 500, first=5)
        assert "work goes on by itself" in caught.value.hint
        assert store.records.count() == 5
    limit(1000)
    fill(store, 500, first=5)
    assert store.records.count() == 505


# -- the log ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("size", "seconds"), [(0, 0), (LARGE - 1, 0), (LARGE, 1), (3 * LARGE, 3), (100 * LARGE, LONGEST_HOLD)]
)
def test_writers_are_held_up_the_longer_the_larger_the_log_is(size: int, seconds: float) -> None:
    assert hold_seconds(size) == seconds


@pytest.fixture
def soon_large(monkeypatch: pytest.MonkeyPatch) -> int:
    """A log counts as large already when a few pages of records are in it."""
    monkeypatch.setattr(sqlite_file, "LARGE", 400_000)
    monkeypatch.setattr(sqlite_file, "KEPT", 200_000)
    return 400_000


class Overlapping:
    """Readers of which always at least one is in the middle of something: no log ever ends by itself."""

    def __init__(self, file: Path) -> None:
        self._file = file
        self._ended = threading.Event()
        self._threads = [threading.Thread(target=self._read, args=(0.02 * n,)) for n in range(3)]

    def _read(self, wait: float) -> None:
        connection = sqlite3.connect(self._file, check_same_thread=False)
        self._ended.wait(wait)
        while not self._ended.is_set():
            cursor = connection.execute("select * from records")
            cursor.fetchone()
            self._ended.wait(0.06)
            cursor.close()
        connection.close()

    def __enter__(self) -> Overlapping:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._ended.set()
        for thread in self._threads:
            thread.join()


def test_the_log_stays_small_although_somebody_reads_all_the_time(tmp_path: Path, soon_large: int) -> None:
    with open_store(URL, tmp_path) as store:
        fill(store, 50)
        with Overlapping(tmp_path / "stoma.db"):
            sizes = []
            for number in range(1, 30):
                fill(store, 50, first=50 * number)
                sizes.append(log_size(tmp_path))
    # It would be many times as large.
    assert max(sizes) < 4 * soon_large


def test_one_who_reads_without_an_end_holds_nobody_up_again_and_again(
    tmp_path: Path, soon_large: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    tried: list[float] = []
    monkeypatch.setattr(sqlite_file, "_emptied", lambda connection, seconds: tried.append(seconds))
    with open_store(URL, tmp_path) as store:
        fill(store, 50)
        sizes = []
        for number in range(1, 30):
            before = len(tried)
            monkeypatch.setattr(sqlite_file, "LARGE", 100_000 if number > 1 else soon_large)
            fill(store, 50, first=50 * number)
            sizes += [log_size(tmp_path)] * (len(tried) - before)
    assert 1 < len(tried) < 8
    assert all(later > 1.4 * earlier for earlier, later in pairwise(sizes))


def test_a_log_that_began_anew_is_cut_to_what_it_may_keep(
    tmp_path: Path, soon_large: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    # As if the writer had tried in vain: only SQLite itself begins it anew.
    monkeypatch.setattr(sqlite_file, "_emptied", lambda connection, seconds: False)
    monkeypatch.setattr(sqlite_file, "BATCH", 1_000)
    with open_store(URL, tmp_path) as store:
        other = sqlite3.connect(tmp_path / "stoma.db")
        fill(store, 50)
        cursor = other.execute("select * from records")
        cursor.fetchone()
        # More than the 4 MB from which on, here, SQLite brings it into the file.
        for number in range(1, 6):
            fill(store, 400, first=1000 * number)
        large = log_size(tmp_path)
        assert large > 4_300_000
        cursor.close()
        other.close()
        for number in range(6, 10):
            fill(store, 5, first=1000 * number)
        assert log_size(tmp_path) < large / 2
