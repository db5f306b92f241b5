"""What `stoma doctor` finds, and looking at one thing after the other without ever hanging."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from stoma.scheduler.config import Config
    from stoma.scheduler.loader import Loader
    from stoma.stores.base import Row

State = Literal["ok", "warning", "problem"]

SECONDS = 15.0
"""How long one thing is looked at before it counts as hanging."""


@dataclass(frozen=True, slots=True)
class Found:
    """One thing that was looked at: how it is, in words, and what to do where it is not well."""

    about: str
    state: State
    told: str
    hint: str = ""

    def as_dict(self) -> dict[str, str]:
        """The fields as JSON carries them."""
        return {"about": self.about, "state": self.state, "told": self.told, "hint": self.hint}


@dataclass(slots=True)
class Patient:
    """What is looked at; a check leaves here what later ones need."""

    loader: Loader
    # As much of it as can be told where files are broken.
    config: Config
    is_broken: bool = False
    is_online: bool = False
    # The schedulers as the store tells of them; None where it could not be asked.
    nodes: list[Row] | None = None
    # True where a scheduler of this configuration was found at work.
    is_running: bool = False
    # Where the store can be opened in order: hosts are asked only then, within their budgets.
    is_store_ready: bool = False

    @property
    def base(self) -> Path:
        """The folder from which relative paths count."""
        return self.config.base


Check = Callable[[Patient], Iterator[Found]]


def well(about: str, told: str) -> Found:
    """Something that is in order."""
    return Found(about, "ok", told)


def warning(about: str, told: str, hint: str) -> Found:
    """Something that works and should be known."""
    return Found(about, "warning", told, hint)


def problem(about: str, told: str, hint: str) -> Found:
    """Something that does not work."""
    return Found(about, "problem", told, hint)


def looked_at(about: str, check: Check, patient: Patient, seconds: float = SECONDS) -> list[Found]:
    """What a check finds within `seconds`; one that fails or hangs is a problem of its own. Never raises."""
    work = _Work(about, check, patient)
    # A daemon: what hangs in a dead network file system must not hold up the end of the program.
    thread = threading.Thread(target=work.do, name=f"doctor: {about}", daemon=True)
    thread.start()
    thread.join(seconds)
    found = list(work.found)
    if thread.is_alive():
        hint = "something below does not answer: a disk, a network file system, a database"
        found.append(problem(about, f"not told within {seconds:g} s", hint))
    return found


@dataclass(slots=True)
class _Work:
    about: str
    check: Check
    patient: Patient
    found: list[Found] = field(default_factory=list)

    def do(self) -> None:
        from stoma.errors import StomaError
        from stoma.references import mask

        try:
            for one in self.check(self.patient):
                self.found.append(one)
        except StomaError as error:
            self.found.append(problem(self.about, error.message, error.hint))
        except Exception as error:
            told = mask(f"could not be looked at: {type(error).__name__}: {error}".splitlines()[0])
            self.found.append(
                problem(self.about, told, "mend what stands above first; if nothing does, please report it")
            )
