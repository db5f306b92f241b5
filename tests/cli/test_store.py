"""`stoma store`: info, check, backup and vacuum, on both databases."""

from __future__ import annotations

import json
import re
import shlex
import sqlite3
import subprocess
import threading
from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any
from urllib.parse import quote

import psycopg
import pytest
from click.testing import CliRunner, Result

from stoma.cli.main import main
from stoma.errors import StoreUnavailable, UsageError
from stoma.records import Record, sealed
from stoma.scheduler.config import load_config
from stoma.scheduler.settings import Keep
from stoma.stores import Store, open_store, sqlite_care
from stoma.stores.checking import CHECKS
from stoma.stores.logs import Line
from stoma.stores.questions import Selection
from stoma.stores.records import Prepared, save
from stoma.stores.sqlite_care import integrity
from tests.support import postgres

Command = Callable[..., Result]
DAY = timedelta(days=1)


PAGE = (Path(__file__).resolve().parents[2] / "docs" / "keeping.md").read_text()


def blocks(kind: str) -> list[str]:
    """What stands in the page between marks of this kind."""
    pieces = re.split(r"^```(.*)\n", PAGE, flags=re.MULTILINE)
    return [text for mark, text in zip(pieces[1::4], pieces[2::4], strict=True) if mark == kind]


@pytest.fixture
def home(tmp_path: Path, url: str) -> Path:
    (tmp_path / "stoma.yaml").write_text(f'version: 1\npresets: []\nstore: {{url: "{url}"}}\n')
    return tmp_path


@pytest.fixture
def real(home: Path, url: str) -> Iterator[Store]:
    """The store that the commands use, on the real clock."""
    with open_store(url, home) as opened:
        yield opened


@pytest.fixture
def stoma(home: Path) -> Command:
    return lambda *words: CliRunner().invoke(main, ["store", *words])


def put(store: Store, *numbers: int, title: str = "title") -> None:
    records = [Record("s", f"{n}", "paper", f"{title} {n}", measures={"stars": n}) for n in numbers]
    with store.database.transaction() as tx:
        save(tx, Prepared.of(sealed(one) for one in records), "a", 1, store.now())


def broken(store: Store, text: str) -> None:
    """What nobody should do to a store."""
    texts: Any = store.database._statements  # type: ignore[attr-defined]
    texts["of a test"] = text
    try:
        with store.database.transaction() as tx:
            tx.execute("of a test")
    finally:
        del texts["of a test"]


def test_the_commands_are_told_without_loading_them(stoma: Command) -> None:
    result = stoma("--help")
    assert result.exit_code == 0
    for name in ("info", "check", "backup", "vacuum", "copy"):
        assert f"  {name} " in result.stdout
        assert stoma(name, "--help").exit_code == 0


# -- info ------------------------------------------------------------------------------------------------------


def test_info_tells_sizes_rows_and_what_is_old(stoma: Command, real: Store) -> None:
    put(real, 1, 2)
    now = real.now()
    real.logs.add([Line(1, now - 40 * DAY, "INFO", "old"), Line(1, now, "INFO", "young")])
    told = json.loads(stoma("info", "--json").stdout)
    tables = {table["table"]: table for table in told["tables"]}
    assert (tables["records"]["rows"], tables["observations"]["rows"]) == (2, 2)
    assert tables["run_logs"]["oldest_at"] < tables["run_logs"]["newest_at"]
    assert told["bytes"] > told["bytes_per_record"] > 0
    assert 0 < tables["records"]["bytes"] <= told["bytes"]
    assert told["old"] == {"logs": 1}
    assert told["index_lag"]["records"] == 2
    shown = stoma("info").stdout
    assert "old by `keep:` of stoma.yaml: 1 log line\n" in shown
    assert real.dialect[:4].lower() in shown.lower()


# -- check -----------------------------------------------------------------------------------------------------


def test_what_is_whole_is_well(stoma: Command, real: Store) -> None:
    put(real, 1)
    put(real, 1, title="other")
    result = stoma("check", "--json")
    assert result.exit_code == 0, result.output
    told = json.loads(result.stdout)
    assert told["well"]
    assert {check["name"] for check in told["checks"]} - {"file"} == {
        *(check.name for check in CHECKS),
        "versions",
        "words",
    }
    assert stoma("check").exit_code == 0


RUN = (
    "insert into runs (task_id, trigger, scope, status, priority, queue_at, config_hash, created_at{0}) values"
    " ('t', 'x', 'live', '{2}', 'normal', '2026-01-01T00:00:00Z', '0', '2026-01-01T00:00:00Z'{1})"
)
OVER = RUN.format(", finished_at", ", '2026-01-01T00:00:00Z'", "{}")
FAULTS = {
    "versions": "update records set version = 3",
    "lost_versions": "delete from records",
    "runs": OVER.format("pending"),
    "attempts": (
        "insert into attempts (run_id, fence, attempt, owner, started_at, status)"
        " values (7, 1, 1, 'me', '2026-01-01T00:00:00Z', 'failed')"
    ),
    "cursors": (
        "insert into cursors (task_id, fingerprint, position, run_id, moved_at)"
        " values ('t', 'f', '{}', 7, '2026-01-01T00:00:00Z')"
    ),
    "progress": (
        'insert into progress (task_id, scope, fingerprint, "window", page, run_id, saved_at)'
        " values ('t', 'live', 'f', '{}', '{}', 7, '2026-01-01T00:00:00Z')"
    ),
    "agenda": (
        "insert into agenda (task_id, schedule_hash, valid_since, accounted_until, skip_id)"
        " values ('t', 'x', '2026-01-01T00:00:00Z', '2026-01-01T00:00:00Z', 7)"
    ),
    "words": "delete from search_queue",
}


@pytest.mark.parametrize("name", FAULTS)
def test_what_is_not_is_found_with_what_to_do(stoma: Command, real: Store, name: str) -> None:
    put(real, 1)
    put(real, 1, title="other")
    broken(real, FAULTS[name])
    result = stoma("check", "--json")
    assert result.exit_code == 1
    told = json.loads(result.stdout)
    assert not told["well"]
    wrong = {check["name"]: check for check in told["checks"] if not check["well"]}
    assert name in wrong
    assert (wrong[name]["count"], bool(wrong[name]["hint"])) == (1, True)
    assert f"{name}: {wrong[name]['hint']}" in stoma("check").stdout


def test_a_run_under_way_without_an_owner_and_one_that_is_over_without_an_end(
    stoma: Command, real: Store
) -> None:
    broken(real, RUN.format("", "", "running"))
    broken(real, RUN.format("", "", "failed").replace("'x'", "'y'"))
    assert stoma("check").exit_code == 1


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """A SQLite store with something in it."""
    (tmp_path / "stoma.yaml").write_text("version: 1\npresets: []\n")
    with open_store("sqlite:///stoma.db", tmp_path) as store:
        put(store, *range(200))
    return tmp_path / "stoma.db"


@pytest.mark.parametrize("page", [1, 2, 3, 10])
def test_a_file_that_cannot_be_opened_is_judged_all_the_same(file: Path, page: int) -> None:
    with file.open("r+b") as handle:
        handle.seek((page - 1) * 4096)
        handle.write(b"\x55" * 4096)
    result = CliRunner().invoke(main, ["store", "check"])
    assert (result.exit_code, "restore a backup" in result.stdout) == (1, True), result.output
    # It does not send to itself.
    assert "stoma store check" not in result.output
    told = json.loads(CliRunner().invoke(main, ["store", "check", "--json"]).stdout)
    assert not told["well"]
    assert told["place"] == str(file)
    [check] = [check for check in told["checks"] if check["name"] == "file"]
    assert (check["well"], bool(check["example"]), "backup" in check["hint"]) == (False, True, True)


def test_care_for_a_file_that_is_not_there_makes_none(tmp_path: Path) -> None:
    with pytest.raises(StoreUnavailable, match="unable to open database file"):
        integrity(tmp_path / "none #1.db")
    assert not [*tmp_path.iterdir()]


def test_a_damaged_file_is_told_with_what_to_do(file: Path) -> None:
    # A page of an index that every look passes by.
    with sqlite3.connect(file) as connection:
        text = "select rootpage from sqlite_master where name = 'records_by_published'"
        [(page,)] = connection.execute(text).fetchall()
    connection.close()
    with file.open("r+b") as handle:
        handle.seek((page - 1) * 4096 + 200)
        handle.write(b"\x55" * 500)
    result = CliRunner().invoke(main, ["store", "check"])
    assert result.exit_code == 1
    assert "restore a backup" in result.output
    assert "Traceback" not in result.output
    # Nor is it copied as if it were whole.
    copied = CliRunner().invoke(main, ["store", "backup", "copy.db"])
    assert copied.exit_code == 1
    assert "not whole" in copied.output
    assert not [*file.parent.glob("copy.db*")]


# -- backup ----------------------------------------------------------------------------------------------------


def backup(*words: str) -> Result:
    return CliRunner().invoke(main, ["store", "backup", *words])


def test_a_backup_while_others_write_is_one_moment_and_whole(file: Path, monkeypatch: Any) -> None:
    monkeypatch.setattr("stoma.stores.sqlite_care.PAGES", 5)
    stop, wrote = threading.Event(), []

    def write() -> None:
        with open_store("sqlite:///stoma.db", file.parent) as store:
            while not stop.is_set():
                number = 1000 + len(wrote)
                put(store, number)
                wrote.append(number)

    writer = threading.Thread(target=write)
    writer.start()
    try:
        while not wrote:
            pass
        before = len(wrote)
        result = backup("copy.db", "--json")
        during = len(wrote) - before
    finally:
        stop.set()
        writer.join()
    assert result.exit_code == 0, result.output
    told = json.loads(result.stdout)
    # Writers did not wait for it.
    assert during > 5
    assert 200 < told["rows"]["records"] < 200 + len(wrote)
    assert [path.name for path in file.parent.glob("copy*")] == ["copy.db"]
    assert file.stat().st_mode == (file.parent / "copy.db").stat().st_mode


def test_a_backup_is_restored_as_the_page_says(file: Path) -> None:
    assert backup("copy.db").exit_code == 0
    with open_store("sqlite:///stoma.db", file.parent) as store:
        put(store, 5000)
    [block] = [block for block in blocks("sh") if "cp copy.db" in block]
    for line in block.splitlines():
        if line.startswith("stoma "):
            assert CliRunner().invoke(main, line.split()[1:]).exit_code == 0
        else:
            subprocess.run(line, shell=True, check=True)
    with open_store("sqlite:///stoma.db", file.parent) as store:
        assert store.records.count() == 200


def test_every_command_of_the_page_works(file: Path) -> None:
    lines = [line for block in blocks("") for line in block.splitlines() if line.startswith("stoma store")]
    assert len(lines) >= 8
    for line in lines:
        result = CliRunner().invoke(main, line.split()[1:])
        assert result.exit_code == 0, f"{line}: {result.output}"


def test_the_page_shows_the_defaults(file: Path) -> None:
    [block] = blocks("yaml")
    (file.parent / "stoma.yaml").write_text(block + "presets: []\n")
    assert load_config().keep == Keep()


def test_nothing_is_overwritten_without_being_asked(file: Path) -> None:
    target = file.parent / "copy.db"
    target.write_text("mine")
    refused = backup("copy.db")
    assert (refused.exit_code, target.read_text()) == (2, "mine")
    assert "copy.db is there already" in refused.output
    assert backup("copy.db", "--force").exit_code == 0
    assert target.stat().st_size > 10_000
    for name, words in (
        ("stoma.db", "belongs to the store itself"),
        ("stoma.db.lock", "belongs to the store itself"),
        (".", "is a folder"),
        ("nowhere/copy.db", "there is no folder"),
    ):
        (file.parent / "stoma.db.lock").touch()
        refused = backup(name, "--force")
        assert refused.exit_code == 2, name
        assert words in refused.output
    assert CliRunner().invoke(main, ["store", "check"]).exit_code == 0


def test_an_empty_store_replaces_no_copy_that_holds_records(file: Path) -> None:
    for _ in range(2):
        assert backup("nightly.db", "--force").exit_code == 0
    before = (file.parent / "nightly.db").read_bytes()
    # The file was moved, and a scheduler has made a new one.
    file.rename(file.parent / "lost.db")
    open_store("sqlite:///stoma.db", file.parent).close()
    refused = backup("nightly.db", "--force")
    assert refused.exit_code == 2
    assert "nightly.db holds 200 records and the store none: it was not replaced" in refused.output
    assert (file.parent / "nightly.db").read_bytes() == before
    # What holds none may be.
    for _ in range(2):
        assert backup("other.db", "--force").exit_code == 0


def test_what_breaks_off_leaves_the_last_backup(file: Path, monkeypatch: Any) -> None:
    assert backup("copy.db").exit_code == 0
    before = (file.parent / "copy.db").read_bytes()

    def full(path: Path) -> None:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr("stoma.stores.sqlite_care._synced", full)
        broke = backup("copy.db", "--force")
    assert broke.exit_code == 1
    assert "copy.db cannot be written: No space left on device" in broke.output
    assert (file.parent / "copy.db").read_bytes() == before
    assert [path.name for path in file.parent.glob("copy*")] == ["copy.db"]


def test_without_room_it_is_not_begun(file: Path, monkeypatch: Any) -> None:
    monkeypatch.setattr("shutil.disk_usage", lambda path: type("Usage", (), {"free": 1000})())
    for words in (["backup", "copy.db"], ["vacuum", "--full"]):
        result = CliRunner().invoke(main, ["store", *words])
        assert result.exit_code == 1
        assert "1 MB free, and 1 MB are needed" in result.output
    assert not [*file.parent.glob("copy*")]


@pytest.mark.parametrize("beside", ["copy.db-wal", "copy.db-shm", "copy.db-journal"])
def test_a_copy_that_somebody_has_open_is_not_replaced(file: Path, beside: str) -> None:
    assert backup("copy.db").exit_code == 0
    before = (file.parent / "copy.db").read_bytes()
    (file.parent / beside).write_bytes(b"x" * 5000)
    refused = backup("copy.db", "--force")
    assert refused.exit_code == 2
    assert f"{beside} is there: copy.db is in use" in refused.output
    assert (file.parent / "copy.db").read_bytes() == before
    # Nor would a new one be whole that has such a thing beside it.
    (file.parent / "copy.db").unlink()
    assert backup("copy.db").exit_code == 2


def test_a_link_goes_on_pointing_where_it_did(file: Path) -> None:
    (file.parent / "there").mkdir()
    (file.parent / "copy.db").symlink_to(file.parent / "there" / "real.db")
    assert backup("copy.db").exit_code == 0
    assert (file.parent / "copy.db").is_symlink()
    assert [path.name for path in (file.parent / "there").iterdir()] == ["real.db"]
    (file.parent / "there" / "real.db-wal").touch()
    assert backup("copy.db", "--force").exit_code == 2


def copied_with(file: Path, told: Callable[[int, int], None], **more: Any) -> dict[str, int]:
    """A copy in which `told` is called on its way."""
    return sqlite_care.backup(file, file.with_name("copy.db"), told=told, **more)


def test_of_two_copies_into_one_file_one_is_refused(file: Path, monkeypatch: Any) -> None:
    refused: list[Result] = []

    def told(done: int, total: int) -> None:
        # Another process, in the middle of the first one's work.
        if not refused:
            refused.append(backup("copy.db", "--force"))

    copied_with(file, told, force=True)
    assert refused[0].exit_code == 2
    assert "copy.db is being written by another process" in refused[0].output
    assert [path.name for path in file.parent.glob("copy*")] == ["copy.db"]
    # What one left behind that was killed is in nobody's way.
    for name in ("copy.db.part", "copy.db.part-lock", "copy.db.part-wal"):
        (file.parent / name).write_bytes(b"x" * 5000)
    assert backup("copy.db", "--force").exit_code == 0
    assert [path.name for path in file.parent.glob("copy*")] == ["copy.db"]


def test_a_copy_is_the_moment_at_which_it_began(file: Path, monkeypatch: Any) -> None:
    monkeypatch.setattr("stoma.stores.sqlite_care.PAGES", 5)
    wrote: list[int] = []

    def told(done: int, total: int) -> None:
        if len(wrote) < 3:
            with open_store("sqlite:///stoma.db", file.parent) as store:
                put(store, 1000 + len(wrote))
            wrote.append(done)

    assert copied_with(file, told)["records"] == 200
    assert wrote[0] < wrote[1] < wrote[2]


def test_what_appears_there_meanwhile_is_not_overwritten(file: Path) -> None:
    target = file.with_name("copy.db")
    with pytest.raises(UsageError, match="is there already"):
        copied_with(file, lambda done, total: target.write_text("mine") and None)
    assert target.read_text() == "mine"
    assert [path.name for path in file.parent.glob("copy*")] == ["copy.db"]


@pytest.mark.parametrize("schema", ["public", 'odd "name"'])
def test_a_postgres_store_is_dumped_and_restored_by_the_lines_that_are_told(
    tmp_path: Path, postgres_server: postgres.Server, postgres_url: str, schema: str
) -> None:
    def store_at(url: str) -> Path:
        path = tmp_path / "stoma.yaml"
        path.write_text(
            f"version: 1\npresets: []\nstore: {{url: {json.dumps(url)}, schema: {json.dumps(schema)}}}\n"
        )
        return path

    at = f"?schema={quote(schema)}"
    url = postgres_url.replace("postgres@", "postgres:hunter2@")
    store_at(url)
    with open_store(url + at, tmp_path) as store:
        put(store, *range(20))
    told = backup("copy dump")
    assert told.exit_code == 2
    assert "hunter2" not in told.output
    dump = shlex.split(next(line for line in told.output.splitlines() if "pg_dump" in line))
    restore = next(line for line in PAGE.splitlines() if line.startswith("pg_restore"))
    programs = postgres.binaries()
    if not (programs / "pg_dump").exists():
        pytest.skip("this PostgreSQL has no pg_dump")
    subprocess.run([programs / "pg_dump", *dump[1:]], check=True, capture_output=True)
    with postgres_server.fresh_database() as other:
        words = restore.replace("postgresql://stoma@db.example.org/restored", other).split()
        words = ["copy dump" if word == "FILE" else word for word in words[1:]]
        restored = subprocess.run([programs / "pg_restore", *words], capture_output=True, text=True)
        assert restored.returncode == 0, restored.stderr
        store_at(other)
        with open_store(other + at, tmp_path) as store:
            assert store.records.count() == 20
            put(store, 21)
        for command in ("vacuum", "check"):
            assert CliRunner().invoke(main, ["store", command]).exit_code == 0


def test_a_dump_is_restored_where_nobody_knows_its_roles(
    tmp_path: Path, postgres_server: postgres.Server, postgres_url: str
) -> None:
    programs = postgres.binaries()
    if not (programs / "pg_dump").exists():
        pytest.skip("this PostgreSQL has no pg_dump")
    restore = next(line for line in PAGE.splitlines() if line.startswith("pg_restore"))
    with psycopg.connect(postgres_url, autocommit=True) as administrator:
        try:
            administrator.execute("create role store_test_owner login; create role store_test_runner")
            administrator.execute("grant create on schema public to store_test_owner")
            url = postgres_url.replace("postgres@", "store_test_owner@")
            with open_store(url, tmp_path) as store, psycopg.connect(url) as owner:
                put(store, *range(5))
                owner.execute("grant select on all tables in schema public to store_test_runner")
                owner.execute("alter default privileges grant select on tables to store_test_runner")
            dump = [programs / "pg_dump", "--format=custom", "--file=copy.dump", f"--dbname={postgres_url}"]
            subprocess.run(dump, check=True, capture_output=True)
        finally:
            for name in ("store_test_owner", "store_test_runner"):
                administrator.execute(f"drop owned by {name} cascade; drop role {name}")
    with postgres_server.fresh_database() as other:
        words = restore.replace("postgresql://stoma@db.example.org/restored", other).split()
        words = ["copy.dump" if word == "FILE" else word for word in words[1:]]
        restored = subprocess.run([programs / "pg_restore", *words], capture_output=True, text=True)
        assert restored.returncode == 0, restored.stderr
        with open_store(other, tmp_path) as store:
            assert store.records.count() == 5


# -- vacuum ----------------------------------------------------------------------------------------------------


@pytest.fixture
def shared(tmp_path: Path, postgres_url: str) -> Iterator[Callable[..., Result]]:
    """`stoma store …` as a role that may change rows but owns no table, where another program has tables too."""
    with psycopg.connect(postgres_url, autocommit=True) as administrator:
        open_store(postgres_url, tmp_path).close()
        administrator.execute("create role store_test_runner login; create table other_app (x text)")
        administrator.execute("create index other_index on other_app (x)")
        administrator.execute(
            "update pg_index set indisvalid = false where indexrelid = 'other_index'::regclass"
        )
        administrator.execute(
            "grant select, insert, update, delete on all tables in schema public to store_test_runner;"
            " grant usage on all sequences in schema public to store_test_runner;"
            " revoke all on other_app from store_test_runner"
        )
        url = postgres_url.replace("postgres@", "store_test_runner@")
        (tmp_path / "stoma.yaml").write_text(f'version: 1\npresets: []\nstore: {{url: "{url}"}}\n')
        try:
            yield lambda *words: CliRunner().invoke(main, ["store", *words])
        finally:
            administrator.execute("drop owned by store_test_runner; drop role store_test_runner")


def test_tables_of_others_are_no_business_of_a_check(
    shared: Callable[..., Result], postgres_url: str
) -> None:
    checked = shared("check", "--json")
    assert checked.exit_code == 0, checked.output
    with psycopg.connect(postgres_url, autocommit=True) as administrator:
        administrator.execute("revoke update on records from store_test_runner")
        administrator.execute(
            "update pg_index set indisvalid = false where indexrelid = 'records_by_kind'::regclass"
        )
    checked = shared("check", "--json")
    assert checked.exit_code == 1
    wrong = [(one["name"], one["example"]) for one in json.loads(checked.stdout)["checks"] if not one["well"]]
    assert wrong == [("rights", "records: update"), ("indexes", "records_by_kind")]


def test_who_may_not_vacuum_is_told_so(shared: Callable[..., Result]) -> None:
    refused = shared("vacuum")
    assert refused.exit_code == 1
    assert "warning: " in refused.stderr
    assert "tables left as they were: " in refused.stderr
    assert "run it as the role that owns them" in refused.stderr
    told = shared("vacuum", "--json", "--full")
    assert (told.exit_code, len(json.loads(told.stdout)["left_out"]) > 20) == (1, True)


def test_vacuum_mends_what_the_check_finds(stoma: Command, real: Store) -> None:
    put(real, *range(5))
    while real.search.index.take_up() is not None:
        pass
    broken(real, "delete from search_entries where record_id in (2, 4)")
    checked = json.loads(stoma("check", "--json").stdout)
    [words] = [check for check in checked["checks"] if check["name"] == "words"]
    assert (words["count"], "stoma store vacuum" in words["hint"]) == (2, True)
    result = stoma("vacuum")
    assert result.exit_code == 0, result.output
    assert "the index of words: mended for 2 records" in result.stdout
    assert stoma("check").exit_code == 0
    assert len(real.search.ids("title", Selection(), 10)) == 5
    assert json.loads(stoma("vacuum", "--json").stdout)["mended"] == 0


@pytest.mark.parametrize("full", [False, True])
def test_vacuum_deletes_what_is_old_to_the_end(stoma: Command, real: Store, full: bool) -> None:
    now = real.now()
    put(real, 1, 2)
    put(real, 1, 2, title="other")
    for start in range(0, 20_000, 5_000):
        real.logs.add([Line(1, now - 40 * DAY, "INFO", f"line {n}") for n in range(start, start + 5_000)])
    result = stoma("vacuum", "--json", *(["--full"] if full else []))
    assert result.exit_code == 0, result.output
    told = json.loads(result.stdout)
    assert told["deleted"] == {"logs": 20_000}
    assert real.logs.of_run(1) == []
    if full:
        assert told["bytes"] < told["bytes_before"] / 1.5
    assert stoma("check").exit_code == 0
    assert "nothing was old" in stoma("vacuum").stdout


def test_a_full_one_is_refused_while_a_scheduler_works(home: Path, stoma: Command, real: Store) -> None:
    with real.database.sole_scheduler("pid 1 on here"):
        refused = stoma("vacuum", "--full")
        allowed = stoma("vacuum")
    if real.dialect == "sqlite":
        assert refused.exit_code == 2
        assert "a scheduler works on" in refused.output
        assert "without --full both may work" in refused.output
    assert allowed.exit_code == 0
