"""`stoma doctor`: says what is wrong, changes nothing, and ends whatever is broken."""

from __future__ import annotations

import contextlib
import hashlib
import json
import socket
import sqlite3
import threading
import time
from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest
from click.testing import CliRunner

from stoma.cli import doctor_machine
from stoma.cli.checkup import Found, Patient, looked_at, well
from stoma.cli.main import main
from stoma.scheduler.config import Config
from stoma.scheduler.loader import Loader
from stoma.scheduler.owner import this_process
from stoma.stores import Store, open_store
from stoma.stores.nodes import Node
from tests.support.server import Reply, Server

TASK = "version: 1\napi: {port: 0}\ntasks:\n  a: {collector: arxiv, config: {search_query: x}, schedule: daily}\n"


def doctor(home: Path, *words: str) -> tuple[int, dict[str, list[Found]]]:
    """Its exit code, and what it found, by what it is about."""
    with contextlib.chdir(home):
        result = CliRunner().invoke(main, ["doctor", "--json", *words])
    assert result.exception is None or isinstance(result.exception, SystemExit)
    told = json.loads(result.stdout)
    found: dict[str, list[Found]] = {}
    for one in told["checks"]:
        found.setdefault(one["about"], []).append(Found(**one))
        assert one["hint"] or one["state"] == "ok"
    assert told["well"] == all(one.state != "problem" for several in found.values() for one in several)
    return result.exit_code, found


def faults(found: dict[str, list[Found]]) -> str:
    return "\n".join(
        f"{o.state}: {o.about}: {o.told}" for some in found.values() for o in some if o.state != "ok"
    )


@pytest.fixture
def home(tmp_path: Path) -> Path:
    (tmp_path / "stoma.yaml").write_text(TASK)
    return tmp_path


def beat(store: Store, **other: object) -> None:
    owner = this_process()
    node = Node(
        str(owner), owner.hostname, owner.pid, "0.0.1", None, "h", 1, store.now(),
        {"restart_needed": ["api.port"], "abandoned_threads": 2, "errors": []},
    )  # fmt: skip
    store.nodes.beat(replace(node, **other), store.now())


def test_a_new_folder_is_in_order(home: Path) -> None:
    code, found = doctor(home)
    assert (code, faults(found)) == (0, "")
    assert "not there yet" in found["store"][0].told
    assert sorted(path.name for path in home.iterdir()) == ["stoma.yaml"]


def test_it_changes_nothing(home: Path) -> None:
    with open_store("sqlite:///stoma.db", home):
        pass
    before = {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in home.iterdir()}
    code, found = doctor(home)
    assert (code, faults(found)) == (0, "warning: scheduler: none is running: nothing is collected")
    assert before == {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in home.iterdir()}


def test_what_stands_beside_the_file_counts_as_its_size(home: Path) -> None:
    with open_store("sqlite:///stoma.db", home), closing(sqlite3.connect(home / "stoma.db")) as other:
        # Somebody who reads keeps what is written from being taken up into the file.
        other.execute("pragma wal_autocheckpoint = 0")
        other.execute("create table wide (text)")
        other.execute("insert into wide values (zeroblob(3000000))")
        other.commit()
        sizes = [(home / name).stat().st_size for name in ("stoma.db", "stoma.db-wal")]
        assert sizes[1] > 3_000_000
        assert f": {sum(sizes) / 2**20:.1f} MB, " in doctor(home)[1]["store"][0].told


def test_a_strange_file_stays_what_it_is(home: Path) -> None:
    for content in (b"no database", b"SQLite format 3\0\x10\0\x01\x01"):
        (home / "stoma.db").write_bytes(content)
        code, found = doctor(home)
        assert code == 1
        assert "is no database of Stoma's" in faults(found)
        assert (home / "stoma.db").read_bytes() == content


def test_broken_files_and_a_dead_database(home: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        port = taken.getsockname()[1]
    url = f"postgresql://me:hunter22secret@127.0.0.1:{port}/x"
    (home / "stoma.yaml").write_text(TASK.replace("schedule:", "shedule:") + f"store: {{url: '{url}'}}\n")
    code, found = doctor(home)
    assert code == 2
    assert "stoma.yaml:4:" in found["config"][0].told
    assert "did you mean" in found["config"][0].told
    assert "Connection refused" in faults(found)
    assert "hunter22secret" not in faults(found)


def test_what_is_unset_open_to_all_or_written_out(home: Path) -> None:
    (home / "token").write_text("secret")
    (home / "token").chmod(0o644)
    (home / "stoma.yaml").write_text(
        TASK.replace("search_query: x", 'search_query: "${env:NOT_SET_HERE}"').replace(
            "api: {port: 0}", 'api: {port: 0, tokens: ["${file:token}"]}'
        )
        + "  b: {collector: feed, config: {url: 'https://me:pass-word-1@example.org/'}, schedule: daily}\n"
    )
    code, found = doctor(home)
    assert code == 0
    told = faults(found)
    assert "a: blocked: the environment variable NOT_SET_HERE is not set" in told
    assert "token can be read by everybody here" in told
    assert "an address holds a password" in told
    assert "pass-word-1" not in told


def test_schedulers(home: Path) -> None:
    with open_store("sqlite:///stoma.db", home) as store:
        beat(store)
        code, found = doctor(home)
        told = faults(found)
        assert code == 0
        assert "is Stoma 0.0.1" in told
        assert "api.port was edited since it began" in told
        assert "2 of its threads hang" in told
        # Silent for long, and ahead of time.
        store.nodes.beat(
            Node(str(this_process()), "h", 1, "0", None, "h", 1, store.now(), {}),
            store.now() - timedelta(hours=1),
        )
        assert "has not been heard of for 1h" in faults(doctor(home)[1])
        store.nodes.beat(
            Node(str(this_process()), "h", 1, "0", None, "h", 1, store.now(), {}),
            store.now() + timedelta(hours=1),
        )
        assert "in the future" in faults(doctor(home)[1])


def test_a_database_of_another_version(home: Path) -> None:
    with open_store("sqlite:///stoma.db", home):
        pass
    import sqlite3

    with sqlite3.connect(home / "stoma.db") as link:
        link.execute(
            "delete from schema_migrations where number = (select max(number) from schema_migrations)"
        )
    link.close()
    assert "to be brought to" in faults(doctor(home)[1])
    with sqlite3.connect(home / "stoma.db") as link:
        link.execute("insert into schema_migrations (number, name, applied_at) values (999, 'x', 'y')")
    link.close()
    code, found = doctor(home)
    assert code == 1
    assert "a newer Stoma" in faults(found)


def test_postgres_and_rights_that_are_missing(home: Path, postgres_url: str) -> None:
    import psycopg

    role = "doctor_reads_only"
    with open_store(postgres_url, home), psycopg.connect(postgres_url, autocommit=True) as link:
        (home / "stoma.yaml").write_text(TASK + f'store: {{url: "{postgres_url}"}}\n')
        assert faults(doctor(home)[1]) == "warning: scheduler: none is running: nothing is collected"
        link.execute(f"drop role if exists {role}")
        link.execute(f"create role {role} login")
        try:
            link.execute(f"grant select on all tables in schema public to {role}")
            link.execute(f"revoke select on runs from {role}")
            mine = postgres_url.replace("postgres@", f"{role}@")
            (home / "stoma.yaml").write_text(TASK + f'store: {{url: "{mine}"}}\n')
            code, found = doctor(home)
            assert code == 1
            assert "this role may not do all that is needed" in faults(found)
        finally:
            link.execute(f"drop owned by {role}")
            link.execute(f"drop role {role}")


def test_a_port_that_is_taken(home: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        (home / "stoma.yaml").write_text(TASK.replace("port: 0", f"port: {port}"))
        code, found = doctor(home)
    assert code == 1
    assert "cannot be listened on: address already in use" in faults(found)


@pytest.fixture
def server() -> Iterator[Server]:
    with Server(
        lambda asked: Reply(200, b"User-agent: *", {"Date": "Mon, 01 Jan 2001 00:00:00 GMT"})
    ) as server:
        yield server


def test_hosts_are_asked_when_that_is_wanted(home: Path, server: Server) -> None:
    (home / "stoma.yaml").write_text(
        TASK.replace("search_query: x", f"search_query: x, base_url: '{server.url}'")
    )
    with open_store("sqlite:///stoma.db", home):
        pass
    assert "online" not in doctor(home)[1]
    _, found = doctor(home, "--online")
    assert "127.0.0.1 answers, and its clock is" in found["online"][0].told


def test_nothing_hangs() -> None:
    here = Patient(Loader(None), Config(base=Path.cwd()))
    forever = threading.Event()

    def hang(patient: Patient) -> Iterator[Found]:
        yield well("disk", "first")
        forever.wait(30)

    began = time.monotonic()
    found = looked_at("disk", hang, here, 0.1)
    forever.set()
    assert time.monotonic() - began < 5
    assert [(one.state, one.told) for one in found] == [("ok", "first"), ("problem", "not told within 0.1 s")]

    def fail(patient: Patient) -> Iterator[Found]:
        raise ZeroDivisionError("no\nsense")
        yield

    (one,) = looked_at("disk", fail, here)
    assert one.told == "could not be looked at: ZeroDivisionError: no"


def test_a_server_that_says_nothing_is_given_up() -> None:
    with socket.socket() as silent:
        silent.bind(("127.0.0.1", 0))
        silent.listen()
        assert doctor_machine.answers(f"http://127.0.0.1:{silent.getsockname()[1]}", 0.1) is None
    assert doctor_machine.answers("nonsense", 0.1) is None
