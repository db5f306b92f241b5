"""Which files make up a configuration, and whether one of them has changed."""

from __future__ import annotations

import fnmatch
import glob
import os
import stat
import time
from collections.abc import Iterable
from pathlib import Path, PurePosixPath

from stoma.documents.reading import LARGEST, digest

MAIN = "stoma.yaml"
DEFAULT_INCLUDE = ("tasks/*.yaml",)
_YOUNG = 2_000_000_000
"""Nanoseconds for which a file is too young to be judged by its times: two edits can fall into one tick of them."""

_known: dict[str, tuple[tuple[int, ...], str]] = {}


def included(base: Path, patterns: Iterable[str]) -> list[Path]:
    """The files that the patterns name, each once, in order of their names; hidden files are left out."""
    found: dict[Path, None] = {}
    for pattern in patterns:
        # A pattern begins where the base is; joined to it, a "[" in the base's name would become part of the pattern.
        for name in sorted(glob.glob(pattern, root_dir=base, recursive=True)):
            path = base / name
            # "**" names the folders too.
            if path != base / MAIN and not (glob.has_magic(pattern) and path.is_dir()):
                found.setdefault(path)
    return list(found)


def covers(patterns: Iterable[str], name: str) -> bool:
    """True when one of the patterns names the file `name`, a path from the base with `/`."""
    return any(_matches(PurePosixPath(pattern).parts, PurePosixPath(name).parts) for pattern in patterns)


def _matches(pattern: tuple[str, ...], name: tuple[str, ...]) -> bool:
    """As glob does: `*` stays inside one name, `**` stands for any folders, neither for hidden ones."""
    if not pattern or not name:
        return not pattern and not name
    if pattern == ("**",):
        return not any(part.startswith(".") for part in name)
    if pattern[0] == "**":
        return _matches(pattern[1:], name) or (not name[0].startswith(".") and _matches(pattern, name[1:]))
    hidden = name[0].startswith(".") and not pattern[0].startswith(".")
    return not hidden and fnmatch.fnmatchcase(name[0], pattern[0]) and _matches(pattern[1:], name[1:])


def shown_name(path: Path, base: Path) -> str:
    """How messages call a file: from the folder of stoma.yaml where it lies inside, else in full."""
    try:
        return path.relative_to(base).as_posix()
    except ValueError:
        return str(path)


def digest_of(path: Path) -> str:
    """The hash of a file as it is now; read again only when its times say so. Never raises."""
    key = str(path)
    try:
        found = path.stat()
        if not stat.S_ISREG(found.st_mode) or found.st_size > LARGEST:
            return f"unreadable {found.st_mode} {found.st_size} {found.st_mtime_ns}"
        times = (found.st_mtime_ns, found.st_ctime_ns, found.st_size, found.st_ino, found.st_dev)
        known = _known.get(key)
        if known is not None and known[0] == times:
            return known[1]
        now = digest(path.read_bytes())
        if time.time_ns() - max(times[0], times[1]) > _YOUNG:
            _known[key] = times, now
        return now
    except OSError as error:
        return f"unreadable {os.strerror(error.errno) if error.errno else error}"
