"""Which files make up a configuration, and whether one of them has changed."""

from __future__ import annotations

import fnmatch
import glob
import os
import re
import stat
import time
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from itertools import takewhile
from pathlib import Path, PurePosixPath

from stoma.documents.reading import LARGEST, digest
from stoma.errors import Problem
from stoma.references import REFERENCE
from stoma.resources import preset_path

MAIN = "stoma.yaml"
DEFAULT_INCLUDE = ("tasks/*.yaml",)
OVERLOOKED = ("tasks/*.yml",)
"""Files that somebody who trusts the default must think included."""

SUFFIXES = (".yaml", ".yml")
_YOUNG = 2_000_000_000
"""Nanoseconds for which a file is too young to be judged by its times: two edits can fall into one tick of them."""

_PARAMETER = re.compile(r"([A-Za-z_-]{3,40})[\"']?\s{0,3}[:=]\s{0,3}[\"']?([^\s\"'#&?,{}\[\]\0]{12,200})")
_PASSWORD = re.compile(r"://[^/\s:@\"']*:([^/\s@\"'\0]+)@")

_known: dict[str, tuple[tuple[int, ...], str]] = {}


@dataclass(frozen=True, slots=True)
class Text:
    """The text of a file, and the hash of the bytes it was read from."""

    content: str
    digest: str

    @classmethod
    def of(cls, content: str) -> Text:
        """A text that was never read from a file."""
        return cls(content, digest(content.encode("utf-8", errors="surrogatepass")))


Instead = Mapping[Path, Text | None]
"""Texts to use in place of what is on disk; None: as if there were no such file."""


@dataclass(frozen=True, slots=True)
class View:
    """The files of a configuration as one load sees them: as they are on disk, except for some."""

    base: Path
    instead: Instead = field(default_factory=dict)

    def is_there(self, path: Path) -> bool:
        """True where there is something to read, or to complain about."""
        return self.instead[path] is not None if path in self.instead else is_there(path)

    def included(self, patterns: Iterable[str]) -> list[Path]:
        """The files that the patterns name, in the order of their paths."""
        patterns = tuple(patterns)
        found = {path for path in included(self.base, patterns) if self.instead.get(path, True) is not None}
        for path, text in self.instead.items():
            if text is not None and covers(patterns, shown_name(path, self.base)):
                found.add(path)
        return sorted(found)

    def preset_path(self, name: str) -> Path:
        """The file of the preset called `name`; raises NotFound."""
        return preset_path(name, self.base, self.is_there)


def included(base: Path, patterns: Iterable[str]) -> list[Path]:
    """The files that the patterns name, each once, in order of their names; hidden files are left out."""
    found: dict[Path, None] = {}
    for pattern in patterns:
        # A pattern begins where the base is; joined to it, a "[" in the base's name would become part of the pattern.
        for name in sorted(glob.glob(pattern, root_dir=base, recursive=True)):
            path = base / name
            # "*" and "**" name folders too; one that is called like a file is kept, so that reading it says so.
            passing = glob.has_magic(pattern) and path.suffix not in SUFFIXES and os.path.isdir(path)
            if path != base / MAIN and not passing:
                found.setdefault(path)
    return list(found)


def expanded(base: Path, parts: Iterable[str]) -> list[set[Path]]:
    """The base, then level by level the folders that the parts of a pattern name, as far down as there are any."""
    found = [{base}]
    for part in parts:
        names = ((folder, name) for folder in found[-1] for name in glob.glob(part, root_dir=folder))
        level = {folder / name for folder, name in names if os.path.isdir(folder / name)}
        if not level:
            break
        found.append(level)
    return found


def obstacles(base: Path, patterns: Iterable[str]) -> dict[Path, tuple[str, str]]:
    """What hides files from the patterns, so that their tasks would vanish in silence: message and hint of each."""
    found: dict[Path, tuple[str, str]] = {}
    patterns = tuple(patterns)
    for pattern in patterns:
        if glob.has_magic(pattern):
            parts = takewhile(lambda part: not glob.has_magic(part), PurePosixPath(pattern).parts)
            found.update(_obstacle(base.joinpath(*parts), pattern))
    if patterns == DEFAULT_INCLUDE:
        for path in included(base, OVERLOOKED):
            hint = f'call it {path.stem}.yaml, or write include: ["{DEFAULT_INCLUDE[0]}", "{OVERLOOKED[0]}"]'
            found[path] = f"is not read: only {DEFAULT_INCLUDE[0]} is included", hint
    return found


def _obstacle(folder: Path, pattern: str) -> dict[Path, tuple[str, str]]:
    try:
        os.scandir(folder).close()
    except FileNotFoundError:
        # No folder, no tasks; but a link that leads nowhere was meant to lead to some.
        links = [
            path for path in (folder, *folder.parents) if os.path.islink(path) and not os.path.exists(path)
        ]
        return dict.fromkeys(links[:1], ("is a link to a folder that does not exist", f"include: {pattern}"))
    except NotADirectoryError:
        file = next(path for path in (*reversed(folder.parents), folder) if not os.path.isdir(path))
        return {file: ("is not a folder, so nothing in it can be included", f"include: {pattern}")}
    except OSError as error:
        reason = error.strerror or str(error)
        return {folder: (f"this folder cannot be listed: {reason}", f"include: {pattern}")}
    return {}


def is_there(path: Path) -> bool:
    """True where there is something, be it a link that leads nowhere or one that may not be looked at."""
    try:
        path.lstat()
    except (FileNotFoundError, NotADirectoryError):
        return False
    except OSError:
        return True
    return True


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


def passwords_in(text: str, name: str) -> Iterator[Problem]:
    """Where a text holds the password of an address, written out instead of as a reference."""
    for number, line in enumerate(text.splitlines() if "://" in text else (), start=1):
        found = _PASSWORD.search(REFERENCE.sub(lambda reference: "\0" * len(reference[0]), line))
        if found is not None:
            yield Problem(
                "an address holds a password, which is kept in the database too",
                name,
                number,
                found.start(1) + 1,
                hint="write ${env:NAME} in its place, and set NAME",
            )


def credentials_in(text: str, name: str) -> Iterator[Problem]:
    """Where a text holds what looks like a credential of a query, such as api_key, written out."""
    from stoma.collectors.http_json_request import is_credential

    for number, line in enumerate(text.splitlines(), start=1):
        plain = REFERENCE.sub(lambda reference: "\0" * len(reference[0]), line)
        for found in _PARAMETER.finditer(plain):
            if is_credential(found[1], found[2]):
                yield Problem(
                    f"{found[1]} looks like a credential that is written out",
                    name,
                    number,
                    found.start(2) + 1,
                    hint="write ${env:NAME} in its place and set NAME; auth: {query: {name, value}} sends it",
                )


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
