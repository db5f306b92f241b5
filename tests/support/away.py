"""A PostgreSQL that is stopped as if it had crashed, and started again on the same data."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import tempfile
from pathlib import Path

from tests.support import postgres


class Away:
    """A server of its own; `stop` is `pg_ctl stop -m immediate`."""

    def __init__(self) -> None:
        self.folder = Path(tempfile.mkdtemp(prefix="stoma-pg-", dir=postgres._ground()))
        self.port = postgres._free_port()
        self.url = f"postgresql://postgres@127.0.0.1:{self.port}/postgres"
        self._command = postgres.made(self.folder, postgres.binaries(), self.port)
        self.start()

    def start(self) -> None:
        """Serve what is there; returns when connections are taken."""
        with (self.folder / "log").open("a+b") as log:
            self._process = subprocess.Popen(
                ["sh", "-c", postgres.SUPERVISOR, "supervisor", *self._command],
                stdin=subprocess.PIPE,
                stdout=log,
                stderr=log,
                start_new_session=True,
                # What the supervisor removes in the end: nothing, for the data are wanted again.
                env=os.environ | {"STOMA_PG_FOLDER": str(self.folder / "nothing")},
            )
            postgres._connect(self.url, self._process, log).close()

    def stop(self) -> None:
        """Stop at once: every connection is cut, and the next start has to recover."""
        number = int((self.folder / "data" / "postmaster.pid").read_text().splitlines()[0])
        os.kill(number, signal.SIGQUIT)
        postgres._end(self._process)

    def close(self) -> None:
        """End it and remove its files."""
        if self._process.poll() is None:
            postgres._end(self._process)
        shutil.rmtree(self.folder, ignore_errors=True)
