"""Which file systems hold no SQLite file: those of other machines. Decided from the system's own list of mounts."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from stoma.errors import ConfigError, Problem

ALLOWED = "STOMA_ALLOW_NETWORK_FS"
"""The environment variable by which a person says that theirs is safe."""

REMOTE = frozenset({
    "9p", "acfs", "afpfs", "afs", "beegfs", "ceph", "cifs", "coda", "davfs", "gpfs", "lustre", "ncpfs",
    "nfs", "nfs4", "orangefs", "panfs", "prl_fs", "pvfs2", "smb2", "smb3", "smbfs", "vboxsf", "vmhgfs",
    "webdav",
})  # fmt: skip
"""Kinds whose files other machines serve, or a virtual machine's host: neither shares memory with us."""

REMOTE_FUSE = frozenset({
    "afpfs", "blobfuse", "blobfuse2", "ceph", "ceph-fuse", "curlftpfs", "cvmfs2", "davfs2", "gcsfuse",
    "glusterfs", "goofys", "gvfsd-fuse", "juicefs", "kio-fuse", "lizardfs", "mfs", "moosefs", "mount-s3",
    "nfs", "rclone", "s3fs", "seaweedfs", "smbnetfs", "sshfs", "vmhgfs-fuse",
})  # fmt: skip
"""The same among programs that serve files by FUSE."""

# `user@host:/path`, `host:path` and `//host/share`; paths of this machine begin with one slash.
_ELSEWHERE = re.compile(r"//[^/]|(?!/)[\w.@%\[\]-][\w.@%:\[\]-]*:")
_ESCAPED = re.compile(r"\\([0-7]{3})")
_MAC_LINE = re.compile(r"(?P<source>.*?) on (?P<point>/.*) \((?P<kind>[\w.-]+)")


@dataclass(frozen=True, slots=True)
class Mount:
    """What is mounted where; `point` is a path without a slash at its end."""

    id: str
    parent: str
    point: str
    kind: str
    source: str

    @property
    def is_remote(self) -> bool:
        """True where another machine serves the files."""
        family, _, program = self.kind.lower().partition(".")
        if family in ("fuse", "fuse3", "macfuse", "osxfuse"):
            return program in REMOTE_FUSE or _ELSEWHERE.match(self.source) is not None
        return self.kind.lower() in REMOTE


def refuse_remote(path: Path) -> None:
    """Raise ConfigError where a SQLite file would lie with another machine; where that cannot be told, let it pass."""
    if os.environ.get(ALLOWED, "0") not in ("", "0"):
        return
    # Links lead elsewhere, and looking lets an automounter mount what lies there.
    real = os.path.realpath(path)
    mount = mount_of(real, _mounts())
    if mount is not None and mount.is_remote:
        what = f"{mount.kind}, mounted from {mount.source} at {mount.point or '/'}"
        raise ConfigError(
            [
                Problem(
                    f"store.url: {path} lies on a network file system ({what}): SQLite's write-ahead log needs memory"
                    " that all processes share, and locks there cannot be relied on, so the file would be damaged",
                    hint="name a file on a local disk in store.url, or a PostgreSQL (postgresql://…);"
                    f" if you know that it is safe there, set {ALLOWED}=1",
                )
            ]
        )


def mount_of(path: str, mounts: Sequence[Mount]) -> Mount | None:
    """The mount that holds a real path: walked down from the root as the system does, so that none counts that is
    hidden below a later one."""
    by_id = {mount.id for mount in mounts}
    here: Mount | None = None
    seen: set[str] = set()
    while True:
        below = [
            mount
            for mount in mounts
            if mount.id not in seen
            and (mount.parent == here.id if here is not None else mount.parent not in by_id - {mount.id})
            and f"{path}/".startswith(f"{mount.point}/")
        ]
        if not below:
            return here
        # The path meets the shortest first; what is mounted later on the same point lies in it, and follows.
        here = min(below, key=lambda mount: len(mount.point))
        seen.add(here.id)


def linux_mounts(mountinfo: str) -> list[Mount]:
    """The mounts of `/proc/self/mountinfo` (proc(5)); lines of another form are left out."""
    found = []
    for line in mountinfo.splitlines():
        before, dash, after = line.partition(" - ")
        first, last = before.split(" "), after.split(" ")
        if dash and len(first) >= 6 and len(last) >= 2:
            point = _unescaped(first[4]).rstrip("/")
            found.append(Mount(first[0], first[1], point, last[0], _unescaped(last[1])))
    return found


def mac_mounts(told: str) -> list[Mount]:
    """The mounts that macOS's `mount` tells, one a line: `SOURCE on POINT (KIND, …)`."""
    found: list[Mount] = []
    for line in told.splitlines():
        if match := _MAC_LINE.match(line):
            point = match["point"].rstrip("/")
            # It names no parents: the longest point that came before is one.
            above = [one for one in found if f"{point}/".startswith(f"{one.point}/")]
            parent = max(above, key=lambda one: len(one.point)).id if above else ""
            found.append(Mount(str(len(found)), parent, point, match["kind"], match["source"]))
    return found


def _unescaped(text: str) -> str:
    """Blanks, tabs, ends of lines and backslashes are written in octal, byte by byte."""
    raw = _ESCAPED.sub(lambda match: chr(int(match[1], 8)), os.fsencode(text).decode("latin-1"))
    return os.fsdecode(raw.encode("latin-1"))


def _mounts() -> Sequence[Mount]:
    """What is mounted here; nothing where it cannot be told."""
    try:
        if sys.platform == "darwin":
            told = subprocess.run(["/sbin/mount"], capture_output=True, text=True, timeout=2, check=True)
            return mac_mounts(told.stdout)
        text = Path("/proc/self/mountinfo").read_text(encoding="utf-8", errors="surrogateescape")
        return linux_mounts(text)
    except (OSError, subprocess.SubprocessError):
        return []
