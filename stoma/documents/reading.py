"""Reads one YAML file: plain values that remember where they stand, or what is wrong with the file."""

from __future__ import annotations

import hashlib
import os
import stat
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from stoma.documents.building import FORBIDDEN, Broken, Building, Marks
from stoma.documents.places import Places
from stoma.errors import Problem
from stoma.wording import shown

LARGEST = 5_000_000
Key = str | int


@dataclass(frozen=True, slots=True)
class Document:
    """One file as values. `data` is None when nothing of it could be read; `problems` are faults of its syntax."""

    name: str
    data: Any
    problems: Sequence[Problem]
    readable: bool
    # A hash of the content that was read; empty when nothing could be read.
    digest: str
    _places: Places = field(repr=False)
    # By id() of each mapping {key: (position of the key, position of the value)} and list [position].
    _marks: Marks = field(repr=False)

    def index(self, path: Sequence[Key], *, of_key: bool = False) -> int:
        """The position in the text of the value at `path`, or of its key."""
        found, data = 0, self.data
        for step in path:
            marks = self._marks.get(id(data))
            if marks is None or (isinstance(step, str) and step not in marks):
                break
            mark = marks[step]
            found = (mark[0] if of_key else mark[1]) if isinstance(mark, tuple) else mark
            data = data[step]
        return found

    @property
    def text(self) -> str:
        """The text that was read, with plain line breaks."""
        return self._places.text

    def place(self, path: Sequence[Key], *, of_key: bool = False) -> tuple[int, int]:
        """The line and column of the value at `path`, or of its key."""
        return self._places.line_and_column(self.index(path, of_key=of_key))

    def line(self, path: Sequence[Key]) -> int:
        """The line of the key at `path`."""
        return self.place(path, of_key=True)[0]

    def problem(
        self, path: Sequence[Key], message: str, hint: str = "", *, of_key: bool = False, secret: bool = False
    ) -> Problem:
        """A fault of the value at `path`, or of its key."""
        if not self.name:
            return Problem(message, hint=hint)
        return self._places.problem(self.index(path, of_key=of_key), message, hint, secret=secret)


def read(path: Path, name: str = "") -> Document:
    """Read a file; `name` is what messages call it."""
    name = name or str(path)
    try:
        content = _content(path)
    except _Unreadable as error:
        return _unreadable(Problem(str(error), name))
    except OSError as error:
        return _unreadable(Problem(f"cannot be read: {error.strerror or error}", name))
    return parse(content, name)


def parse(content: bytes | str, name: str) -> Document:
    """Read a text that stands in a file called `name`."""
    raw = content.encode("utf-8", errors="surrogatepass") if isinstance(content, str) else content
    if len(raw) > LARGEST:
        return _unreadable(Problem(_too_large(len(raw)), name))
    try:
        content = raw.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        return _unreadable(_not_utf8(raw, error, name))
    text = content.replace("\r\n", "\n").replace("\r", "\n")
    places = Places(name, text)
    if found := FORBIDDEN.search(text):
        character = f"the invisible character U+{ord(found[0]):04X} stands here; remove it"
        return _unreadable(places.problem(found.start(), character))
    building = Building(places)
    try:
        building.run()
    except Broken as fault:
        return _unreadable(*building.problems, places.problem(fault.index, fault.message, fault.hint))
    if building.data is None:
        return _unreadable(Problem("this file is empty", name))
    return Document(name, building.data, building.problems, True, digest(raw), places, building.marks)


def digest(content: bytes) -> str:
    """A short hash of a file's content."""
    return hashlib.sha256(content).hexdigest()[:16]


def of_values(data: Any) -> Document:
    """A document that was never written: problems name the value, but no place."""
    return Document("", data, (), True, "", Places("", ""), {})


class _Unreadable(Exception):
    """Not a file that could be read."""


def _content(path: Path) -> bytes:
    if path.is_symlink() and not path.exists():
        raise _Unreadable(f"is a link to {shown(os.readlink(path))}, which does not exist")
    try:
        found = path.stat()
    except FileNotFoundError:
        raise _Unreadable("there is no such file") from None
    if stat.S_ISDIR(found.st_mode):
        raise _Unreadable("is a folder; a file is expected")
    # Opening a pipe would wait for whoever writes into it.
    if not stat.S_ISREG(found.st_mode):
        raise _Unreadable("is not a regular file")
    if found.st_size > LARGEST:
        raise _Unreadable(_too_large(found.st_size))
    with path.open("rb") as file:
        return file.read(LARGEST + 1)


def _not_utf8(raw: bytes, error: UnicodeDecodeError, name: str) -> Problem:
    before = raw[: error.start].decode("utf-8", errors="replace").replace("\r\n", "\n")
    line, column = Places(name, before).line_and_column(len(before))
    message = f"this file is not UTF-8: it holds the byte 0x{raw[error.start]:02x}"
    return Problem(message, name, line, column, hint="save it as UTF-8")


def _too_large(size: int) -> str:
    return f"this file is larger than {LARGEST // 1_000_000} MB ({size / 1_000_000:.1f} MB); split it into several"


def _unreadable(*problems: Problem) -> Document:
    return Document(problems[-1].file, None, problems, False, "", Places(problems[-1].file, ""), {})
