"""PostgreSQL stopped at once under load, and connections cut in the middle of a `COPY`: nothing lost, nothing twice.

    python -m tests.campaigns.outages --rounds 60

A scheduler collects through a proxy into a server of this campaign. Again and again the server is stopped as by a
power cut (`-m immediate`) and started again, or the connection on which a page is being copied is cut: at once, on one
side alone, or after a silence. What must hold then is in `numbered`.
"""

from __future__ import annotations

import argparse
import os
import random
import re
import shutil
import signal
import subprocess
import tempfile
import time
from collections import Counter, defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory

from stoma.stores import open_store
from tests.campaigns.numbered import collecting, finish, goes_on, held, wait
from tests.campaigns.proxy import KINDS, Proxy
from tests.support import postgres

STOPPED = "stopped"
# Crash recovery is what is tested: nothing may be left out for speed.
SAFE = {"fsync": "on", "synchronous_commit": "on", "full_page_writes": "on"}


@dataclass
class Report:
    """What a campaign did and saw; seconds until the collection went on, by what was done."""

    waited: dict[str, list[float]] = field(default_factory=lambda: defaultdict(list))
    records: int = 0
    said: Counter[str] = field(default_factory=Counter)

    def lines(self) -> list[str]:
        """The report for people."""
        found = []
        for kind, waited in sorted(self.waited.items()):
            middle, worst = sorted(waited)[len(waited) // 2], max(waited)
            found.append(
                f"{kind}: {len(waited)} times; went on after {middle:.1f} s (median), {worst:.1f} s (worst)"
            )
        return [*found, f"{self.records} records", *(f"{n} x {text}" for text, n in self.said.most_common(6))]


class Server:
    """A PostgreSQL that can be stopped as by a power cut, and started again on the same port."""

    def __init__(self) -> None:
        self.binaries = postgres.binaries()
        self.folder = Path(tempfile.mkdtemp(prefix="stoma-outages-", dir=postgres._ground()))
        self.port = postgres._free_port()
        self._as_user = postgres._as_user(self.folder)
        data = str(self.folder / "data")
        initdb = [str(self.binaries / "initdb"), "-D", data, "-U", "postgres", "-A", "trust", "-E", "UTF8"]
        subprocess.run([*self._as_user, *initdb, "--locale=C", "--no-sync"], check=True, capture_output=True)
        every = (
            postgres.SETTINGS | SAFE | {"port": str(self.port), "unix_socket_directories": str(self.folder)}
        )
        options = [part for name, value in every.items() for part in ("-c", f"{name}={value}")]
        self._command = [*self._as_user, str(self.binaries / "postgres"), "-D", data, *options]
        self.start()

    def url(self, port: int | None = None) -> str:
        """Where it is reached; through another port where one is given."""
        return f"postgresql://postgres@127.0.0.1:{port or self.port}/postgres"

    def start(self) -> None:
        """Start, and wait until it lets somebody in."""
        with (self.folder / "log").open("ab") as log:
            # Ends when this process does, however it ends; what it would remove is the folder's business.
            self._process = subprocess.Popen(
                ["sh", "-c", postgres.SUPERVISOR, "supervisor", *self._command],
                stdin=subprocess.PIPE,
                stdout=log,
                stderr=log,
                start_new_session=True,
                env=os.environ | {"STOMA_PG_FOLDER": str(self.folder / "nothing")},
            )
        ready = [str(self.binaries / "pg_isready"), "-q", "-h", "127.0.0.1", "-p", str(self.port)]
        wait(lambda: subprocess.run(ready).returncode == 0, 60, "PostgreSQL starts")

    def stop_at_once(self) -> None:
        """As `pg_ctl stop -m immediate` does: no last words, no checkpoint."""
        pid = int((self.folder / "data" / "postmaster.pid").read_text().split()[0])
        os.kill(pid, signal.SIGQUIT)
        self._process.wait(20)
        assert self._process.stdin
        self._process.stdin.close()

    def end(self) -> None:
        """Stop for good and remove its files."""
        if self._process.poll() is None:
            postgres._end(self._process)
        shutil.rmtree(self.folder, ignore_errors=True)


@contextmanager
def serving() -> Iterator[Server]:
    """A server; gone at the end."""
    server = Server()
    try:
        yield server
    finally:
        server.end()


def campaign(folder: Path, rounds: int, seed: int = 0, kinds: tuple[str, ...] = (STOPPED, *KINDS)) -> Report:
    """Strike so often, and check each time. Raises AssertionError."""
    chance, report = random.Random(seed), Report()
    with serving() as server, Proxy(server.port) as proxy:
        url = server.url()
        open_store(url, folder).close()
        with collecting(folder, server.url(proxy.port)) as (process, source):
            report.waited["beginning"].append(goes_on(url, folder, 30))
            for number in range(rounds):
                kind = kinds[number % len(kinds)]
                if kind == STOPPED:
                    time.sleep(chance.uniform(0, 0.7))
                    server.stop_at_once()
                    time.sleep(chance.uniform(0, 1.5))
                    server.start()
                else:
                    # A page is about 60 kB; some strikes fall on its first row, some on later pages.
                    proxy.arm(kind, chance.randrange(150_000))
                    assert proxy.struck.wait(40), "no page was copied"
                assert process.is_alive, process.said()[-3000:]
                with open_store(url, folder) as store:
                    held(store)
                report.waited[kind].append(goes_on(url, folder, 90))
            report.records = finish(url, folder, source, 90)
        said = process.said()
    assert "Traceback" not in said, said[-3000:]
    lines = (line.partition(" ERROR ")[2].strip() for line in said.splitlines())
    report.said = Counter(re.sub(r"#\d+", "#N", line)[:110] for line in lines if line)
    return report


def main() -> None:
    """The campaign by hand."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=60)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--kinds", nargs="+", choices=[STOPPED, *KINDS], default=[STOPPED, *KINDS])
    given = parser.parse_args()
    with TemporaryDirectory(prefix="stoma-outages-") as folder:
        print(*campaign(Path(folder), given.rounds, given.seed, tuple(given.kinds)).lines(), sep="\n")


if __name__ == "__main__":
    main()
