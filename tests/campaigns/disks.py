"""A disk that is full, and files that may not be written: a collection waits, loses nothing, and goes on by itself.

    python -m tests.campaigns.disks --rounds 30

Mounts a small disk where nobody else sees it (Linux, root or user namespaces), lets a scheduler collect into a SQLite
file there, and again and again takes the space away, or the right to write. What must hold then is in `numbered`.
"""

from __future__ import annotations

import argparse
import contextlib
import random
import re
import shutil
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cache, partial
from pathlib import Path
from tempfile import TemporaryDirectory

from stoma.stores import open_store
from tests.campaigns.numbered import ENVIRONMENT, Process, collecting, finish, goes_on, held, wait

MEGABYTE = 2**20
SIZE = 256 * MEGABYTE
TOLD = {"full": r"database or disk is full", "read-only": r"disk I/O error|may not be read and written"}


@dataclass
class Report:
    """What a campaign did and saw; seconds until the collection went on, after each round."""

    rounds: Counter[str] = field(default_factory=Counter)
    records: int = 0
    waited: list[float] = field(default_factory=list)

    def __str__(self) -> str:
        waited = sorted(self.waited)
        middle, worst = (waited[len(waited) // 2], waited[-1]) if waited else (0.0, 0.0)
        return (
            f"{dict(self.rounds)}, {self.records} records;"
            f" went on after {middle:.1f} s (median), {worst:.1f} s (worst)"
        )


@cache
def private() -> list[str]:
    """How to begin a process that may mount what nobody else sees; empty where that is impossible."""
    for more in ([], ["--user", "--map-root-user"]):
        command = ["unshare", *more, "--mount", "--propagation", "private"]
        mount = [*command, "mount", "-t", "tmpfs", "tmpfs", "/mnt"]
        if shutil.which("unshare") and subprocess.run(mount, capture_output=True).returncode == 0:
            return command
    return []


def campaign(
    folder: Path, disk: Path, rounds: int, seed: int = 0, kinds: tuple[str, ...] = ("full",)
) -> Report:
    """Take the disk away so often, and check each time. Raises AssertionError."""
    chance, report = random.Random(seed), Report()
    url = f"sqlite:///{disk / 'stoma.db'}"
    with collecting(folder, url) as (process, source):
        wait(lambda: (disk / "stoma.db").exists(), 20, "the store is there")
        report.waited.append(goes_on(url, folder, 20))
        for number in range(rounds):
            kind = kinds[number % len(kinds)]
            time.sleep(chance.uniform(0, 1))
            lift = _strike(kind, disk, chance)
            try:
                wait(
                    partial(_is_told, process, kind, process.log.stat().st_size),
                    20,
                    f"the log tells ({kind})",
                )
                time.sleep(chance.uniform(0, 2))
                assert process.is_alive
            finally:
                lift()
            with open_store(url, folder) as store:
                held(store)
            report.waited.append(goes_on(url, folder, 60))
            report.rounds[kind] += 1
        report.records = finish(url, folder, source, 90)
    assert "Traceback" not in process.said(), process.said()
    return report


def _is_told(process: Process, kind: str, since: int) -> bool:
    return re.search(TOLD[kind], process.said(since)) is not None


def _strike(kind: str, disk: Path, chance: random.Random) -> Callable[[], None]:
    """Take the space or the right to write away; gives what brings it back."""
    if kind == "full":
        filler, spared = disk / "filler", chance.choice([0, 4096, 20_000, 100_000, 300_000])
        with filler.open("wb", buffering=0) as file, contextlib.suppress(OSError):
            while (free := shutil.disk_usage(disk).free - spared) > 0:
                # The collection writes at the same time: it may be quicker.
                file.write(b"x" * min(MEGABYTE, max(4096, free)))
        return filler.unlink
    files = [disk / "stoma.db", disk / "stoma.db-wal"]
    subprocess.run(["chattr", "+i", *files], check=True)
    return lambda: subprocess.run(["chattr", "-i", *files], check=True) and None


def _inside(rounds: int, seed: int, kinds: tuple[str, ...]) -> None:
    """The campaign, in a process that may mount."""
    with TemporaryDirectory(prefix="stoma-disks-") as folder:
        disk = Path(folder, "disk")
        disk.mkdir()
        if "read-only" in kinds:
            image = Path(folder, "image")
            with image.open("wb") as file:
                file.truncate(SIZE)
            subprocess.run(["mkfs.ext4", "-q", "-m", "0", image], check=True)
            subprocess.run(["mount", "-o", "loop", image, disk], check=True)
        else:
            subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={SIZE}", "tmpfs", disk], check=True)
        try:
            print(campaign(Path(folder), disk, rounds, seed, kinds))
        finally:
            subprocess.run(["umount", disk], check=True)


def run(rounds: int, seed: int = 0, kinds: tuple[str, ...] = ("full",)) -> subprocess.CompletedProcess[str]:
    """The campaign as a process of its own; its output tells the figures, or what did not hold."""
    script = [sys.executable, "-m", "tests.campaigns.disks", "--inside"]
    given = ["--rounds", str(rounds), "--seed", str(seed), "--kinds", *kinds]
    return subprocess.run([*private(), *script, *given], env=ENVIRONMENT, capture_output=True, text=True)


def main() -> None:
    """The campaign by hand."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=30)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--kinds", nargs="+", choices=sorted(TOLD), default=["full", "read-only"])
    parser.add_argument("--inside", action="store_true", help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.inside:
        _inside(given.rounds, given.seed, tuple(given.kinds))
        return
    done = run(given.rounds, given.seed, tuple(given.kinds))
    print(done.stdout, done.stderr, sep="", end="")
    sys.exit(done.returncode)


if __name__ == "__main__":
    main()
