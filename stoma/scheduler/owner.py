"""Who this process is, so that another one can tell whether it still lives."""

from __future__ import annotations

import os
import platform
import socket
from dataclasses import dataclass
from functools import cache
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Owner:
    """One process: a name that no other process ever had."""

    hostname: str
    boot: str
    namespace: str
    pid: int
    started: int

    def __str__(self) -> str:
        return f"{self.hostname}/{self.boot}/{self.namespace}/{self.pid}/{self.started}"

    @classmethod
    def parse(cls, text: str) -> Owner | None:
        """The owner that `str` wrote, or None for anything else."""
        parts = text.rsplit("/", 4)
        if len(parts) != 5 or not (parts[3].isdigit() and parts[4].isdigit()):
            return None
        return cls(parts[0], parts[1], parts[2], int(parts[3]), int(parts[4]))

    @property
    def described(self) -> str:
        """For people: `process 123 on laptop`."""
        return f"process {self.pid} on {self.hostname}"


@cache
def _this(pid: int) -> Owner:
    return Owner(socket.gethostname(), _boot(), _namespace(), pid, _started(pid) or 0)


def this_process() -> Owner:
    """The owner that this process is; asked anew after a fork."""
    return _this(os.getpid())


def is_gone(text: str) -> bool:
    """True when the owner certainly lives no more; False when it may live, or cannot be seen from here."""
    owner, here = Owner.parse(text), this_process()
    if owner is None:
        return False
    if (owner.hostname, owner.boot, owner.namespace) != (here.hostname, here.boot, here.namespace):
        return False
    started = _started(owner.pid)
    return started is None or (started != 0 and started != owner.started)


def _started(pid: int) -> int | None:
    """When a process began, on a scale that no change of the clock moves; None when it is dead or unknown."""
    try:
        # Fields behind the name, which may itself hold blanks and brackets (proc(5)).
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
        return None if fields[0] in "ZX" else int(fields[19])
    except FileNotFoundError:
        if Path("/proc/self/stat").exists():
            return 0 if _answers(pid) else None
    except OSError:
        return 0
    import psutil

    try:
        process = psutil.Process(pid)
        return None if process.status() == psutil.STATUS_ZOMBIE else int(process.create_time() * 1000)
    except psutil.NoSuchProcess:
        return None
    except psutil.Error:
        return 0


def _answers(pid: int) -> bool:
    """True for a living process that /proc hides (hidepid): a signal would reach it, or be forbidden."""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except OSError:
        return True
    return True


def _boot() -> str:
    try:
        return Path("/proc/sys/kernel/random/boot_id").read_text().strip()
    except OSError:
        import psutil

        return str(int(psutil.boot_time()))


def _namespace() -> str:
    try:
        return str(Path("/proc/self/ns/pid").stat().st_ino)
    except OSError:
        return platform.system()
