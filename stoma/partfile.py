"""A file that appears under its name only when it is whole: written beside it as `NAME.part`, renamed at the end."""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from stoma.errors import StomaError, UsageError


class PartFile:
    """Bytes go into `NAME.part` until `publish` renames it; a block that ends before that leaves nothing behind.

    Errors of the file system become StomaError, with the name of the file and the reason.
    """

    def __init__(self, path: Path) -> None:
        """Raises UsageError where `path` cannot be a file of ours, or another process is writing it."""
        self.path = path
        # A link goes on pointing where it did: what it names is replaced.
        self._target = Path(os.path.realpath(path))
        if self._target.exists() and not self._target.is_file():
            what = "a folder" if self._target.is_dir() else "a device or a pipe"
            raise UsageError(f"{path} is {what}", "name a file")
        if not self._target.parent.is_dir():
            raise UsageError(f"there is no folder {path.parent}", "make it first")
        self._part = self._target.with_name(f"{self._target.name}.part")
        with self._translated():
            self._file = os.fdopen(locked(self._part, path), "wb")
        self._is_published = False

    def write(self, data: bytes) -> None:
        """Put bytes behind those that are there."""
        with self._translated():
            self._file.write(data)

    def settle(self) -> None:
        """See to it that what was written outlasts a power cut."""
        with self._translated():
            self._file.flush()
            os.fsync(self._file.fileno())

    def publish(self) -> None:
        """Give the file its name, in place of one that has it."""
        with self._translated():
            os.replace(self._part, self._target)
            self._is_published = True
            _sync_folder(self._target.parent)

    def __enter__(self) -> PartFile:
        return self

    def __exit__(self, *_: object) -> None:
        if not self._is_published:
            with suppress(OSError):
                self._part.unlink()
        # Closing writes what is left, and a disk that is full says so again.
        with suppress(OSError):
            self._file.close()

    @contextmanager
    def _translated(self) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            raise StomaError(
                f"{self.path} cannot be written: {error.strerror}", "nothing was left behind"
            ) from None


def locked(part: Path, path: Path) -> int:
    """The open file `part`, empty and locked until it is closed: a leftover is taken over.

    Raises UsageError where another process holds it, which still writes `path`.
    """
    while True:
        opened = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o666)
        try:
            fcntl.flock(opened, fcntl.LOCK_EX | fcntl.LOCK_NB)
            # Between opening and locking the other one may have finished, and renamed it.
            if part.exists() and os.path.samestat(os.fstat(opened), os.stat(part)):
                os.ftruncate(opened, 0)
                return opened
        except BlockingIOError:
            os.close(opened)
            raise UsageError(
                f"{path} is being written by another process", "wait for it, or name another file"
            ) from None
        except BaseException:
            os.close(opened)
            raise
        os.close(opened)


def _sync_folder(folder: Path) -> None:
    """So that the new name outlasts a power cut too, where the file system can do that."""
    with suppress(OSError):
        opened = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(opened)
        finally:
            os.close(opened)
