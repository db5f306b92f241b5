"""The ground the tests stand on really holds: the guards refuse, PostgreSQL is real and leaves nothing behind."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import psycopg
import pytest

from tests.support import guards, postgres
from tests.support.guards import NetworkGuard, NetworkTouched

REPOSITORY = Path(__file__).resolve().parent.parent


class TestNetwork:
    @pytest.mark.parametrize("address", [("192.0.2.1", 80), ("2001:db8::1", 443, 0, 0)])
    def test_an_address_elsewhere_is_refused_by_name(self, network: NetworkGuard, address: tuple[str, int]):
        family = socket.AF_INET6 if ":" in address[0] else socket.AF_INET
        with socket.socket(family) as sock, pytest.raises(NetworkTouched, match=f"{address[0]}:{address[1]}"):
            sock.connect(address)
        with socket.socket(family) as sock, pytest.raises(NetworkTouched):
            sock.connect_ex(address)
        with socket.socket(family, socket.SOCK_DGRAM) as sock, pytest.raises(NetworkTouched):
            sock.sendto(b"", address)
        network.touched.clear()

    def test_a_name_elsewhere_is_refused_before_anyone_is_asked(self, network: NetworkGuard):
        with pytest.raises(NetworkTouched, match=r"export\.arxiv\.org:443"):
            socket.create_connection(("export.arxiv.org", 443))
        assert network.touched == ["export.arxiv.org:443"]
        network.touched.clear()

    def test_it_is_no_oserror_so_that_nobody_tries_again(self):
        assert not issubclass(NetworkTouched, OSError)

    def test_this_machine_is_allowed(self):
        with socket.create_server(("localhost", 0)) as server:
            socket.create_connection(server.getsockname()).close()

    @pytest.mark.skipif(not hasattr(socket, "AF_UNIX"), reason="no unix sockets here")
    def test_unix_sockets_are_allowed(self, monkeypatch: pytest.MonkeyPatch):
        with socket.socket(socket.AF_UNIX) as server, socket.socket(socket.AF_UNIX) as client:
            server.bind(
                "socket"
            )  # relative, for a temporary folder may be deeper than a socket's path may be long
            server.listen()
            client.connect("socket")

    def test_a_name_that_cannot_exist_fails_as_it_does_in_life(self):
        with pytest.raises(socket.gaierror):
            socket.create_connection(("nowhere.invalid", 80))

    @pytest.mark.parametrize(
        ("host", "local"), [("127.9.9.9", True), ("::1", True), ("::1%lo", True), ("10.0.0.1", False)]
    )
    def test_what_counts_as_this_machine(self, host: str, local: bool):
        assert guards.is_local(host) is local


class TestEnclosure:
    def test_nothing_of_the_person_is_in_sight(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
        assert Path.cwd() == tmp_path
        assert Path.home().is_relative_to(tmp_path.parent)
        assert not [name for name in os.environ if name.startswith("STOMA_")]

        monkeypatch.setenv("STOMA_TOKEN", "secret")
        guards.enclose(monkeypatch, tmp_path, tmp_path)
        assert "STOMA_TOKEN" not in os.environ


class TestPostgres:
    def test_it_is_a_real_one_of_a_supported_version(self, postgres_url: str):
        with psycopg.connect(postgres_url) as connection:
            (number,) = connection.execute("select current_setting('server_version_num')::int").fetchone()
            connection.execute("create extension pg_trgm")  # contrib is there too
        assert number >= postgres.OLDEST * 10_000

    def test_each_test_has_a_database_of_its_own(self, postgres_server: postgres.Server):
        with postgres_server.fresh_database() as one, postgres_server.fresh_database() as other:
            with psycopg.connect(one) as connection:
                connection.execute("create table mark ()")
            with psycopg.connect(other) as connection, pytest.raises(psycopg.errors.UndefinedTable):
                connection.execute("select from mark")

    def test_a_forgotten_connection_does_not_keep_the_database(self, postgres_server: postgres.Server):
        with postgres_server.fresh_database() as url:
            forgotten = psycopg.connect(url)
        with pytest.raises(psycopg.OperationalError), forgotten:
            forgotten.execute("select 1")
        with pytest.raises(psycopg.OperationalError, match="does not exist"):
            psycopg.connect(url)

    def test_a_fresh_database_takes_no_time(self, postgres_server: postgres.Server):
        took = []
        for _ in range(5):
            began = time.perf_counter()
            with postgres_server.fresh_database():
                took.append(time.perf_counter() - began)
        assert min(took) < 0.5  # 0.02 in memory; on a slow disk a thousand files take their time

    def test_it_dies_with_its_owner_even_by_kill_9(self):
        # Given another process that owns a server
        program = (
            "import sys; from tests.support import postgres\n"
            "server = postgres.start(postgres.binaries())\n"
            "print(server.port, server.folder, flush=True); sys.stdin.read()"
        )
        owner = subprocess.Popen(
            [sys.executable, "-c", program],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env=os.environ | {"PYTHONPATH": str(REPOSITORY), "STOMA_TEST_PG_BIN": str(postgres.binaries())},
        )
        with owner:
            port, folder = owner.stdout.readline().split()
            socket.create_connection(("127.0.0.1", int(port))).close()

            # if it is killed without a chance to tidy up
            owner.send_signal(signal.SIGKILL)

        # I expect the server and its files to go.
        deadline = time.monotonic() + 10
        while Path(folder).exists():
            assert time.monotonic() < deadline, f"{folder} is still there"
            time.sleep(0.02)
        with pytest.raises(ConnectionRefusedError):
            socket.create_connection(("127.0.0.1", int(port)))

    def test_a_setting_may_be_put_back_to_what_is_safe(self):
        server = postgres.start(postgres.binaries(), fsync="on", shared_buffers="1MB")
        try:
            assert server.admin.execute("show fsync").fetchone() == ("on",)
        finally:
            server.stop()
        assert not server.folder.exists()

    def test_a_start_that_fails_says_why_and_leaves_nothing(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ):
        monkeypatch.setattr(postgres, "_ground", lambda: str(tmp_path))
        with pytest.raises(RuntimeError, match="unrecognized configuration parameter"):
            postgres.start(postgres.binaries(), no_such_setting="1")
        assert list(tmp_path.iterdir()) == []
