"""What can go wrong, as one tree.

StomaError                     every error that a person may see: one line and a hint, never a traceback
├── ConfigError                what is written cannot be used; carries every Problem found (exit 2)
├── UsageError                 a command or a request asks for something impossible (exit 2, HTTP 400)
│   └── NotFound               an unknown task, preset, run or store (HTTP 404)
├── Blocked                    a task cannot run yet: a reference is unset, its code cannot be used
├── SourceError                a source could not be read; by default worth another try
│   ├── Unreachable            no connection, no name, a reset, a silence
│   ├── SourceBusy             the source asks for patience (429, 503); knows until when
│   ├── SourceRefused          a lasting refusal (400, 401, 404): never tried again
│   │   └── SourceGone         the source says that it is gone for good (410): not asked again
│   └── BadAnswer              an answer that is not what it should be
├── HostWait                   the budget of a host is spent for longer than a run may wait; that request was not made
├── DeadlineExceeded           a run used up its time
├── Stopped                    a run was asked to stop between two pages
└── StoreError                 the store could not do it
    ├── StoreUnavailable       no connection, no space, no permission; tried again
    ├── Conflict               two did the same at the same moment, and this one was second
    ├── SchedulerRunning       another scheduler holds this SQLite file
    └── Fenced                 somebody else owns this run now: nothing may be written
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime


class StomaError(Exception):
    """Something a person should read: what happened, and what to do about it."""

    retry = False

    def __init__(self, message: str, hint: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint


@dataclass(frozen=True, slots=True)
class Problem:
    """One fault in one file: where it stands, the line itself, what is wrong and what to do."""

    message: str
    file: str = ""
    line: int = 0
    column: int = 0
    quoted: str = ""
    hint: str = ""
    # Where in `quoted` the fault stands, when that is not `column`: long lines are clipped, some letters are wide.
    caret: int = 0

    @property
    def place(self) -> str:
        """`file:line:column`, as editors and terminals link it."""
        if not self.file:
            return ""
        return f"{self.file}:{self.line}:{self.column}" if self.line else self.file

    def __str__(self) -> str:
        text = f"{self.place}: {self.message}" if self.place else self.message
        if self.quoted:
            text += f"\n    {self.quoted}"
            if self.caret or self.column:
                text += f"\n    {' ' * ((self.caret or self.column) - 1)}^"
        if self.hint:
            text += f"\n    {self.hint}"
        return text

    def as_dict(self) -> dict[str, object]:
        """The fields as JSON carries them."""
        return {
            "file": self.file,
            "line": self.line,
            "column": self.column,
            "quoted": self.quoted,
            "message": self.message,
            "hint": self.hint,
        }


class ConfigError(StomaError):
    """What is written cannot be used; `problems` holds every fault of every file."""

    def __init__(self, problems: list[Problem]) -> None:
        first = problems[0]
        more = f" (and {len(problems) - 1} more)" if len(problems) > 1 else ""
        where = f"{first.place}: " if first.place else ""
        super().__init__(f"{where}{first.message}{more}", first.hint)
        self.problems = problems


class UsageError(StomaError):
    """A command or a request asks for something impossible."""


class NotFound(UsageError):
    """A task, preset, run or store of that name does not exist."""


class Blocked(StomaError):
    """A task cannot run yet, and the reason is the message."""


class SourceError(StomaError):
    """A source could not be read; `until` says before when another try is of no use, where that is known."""

    retry = True
    until: datetime | None = None


class Unreachable(SourceError):
    """No answer came; `host` names the host when not even a connection to it could be made."""

    def __init__(self, message: str, hint: str = "", *, host: str = "") -> None:
        super().__init__(message, hint)
        self.host = host


class SourceBusy(SourceError):
    """The source asks for patience; `until` says how long, as an aware UTC instant."""

    def __init__(self, message: str, until: datetime, hint: str = "") -> None:
        super().__init__(message, hint)
        self.until: datetime = until


class SourceRefused(SourceError):
    """A refusal that another try would not change; `status` is that of the answer, 0 where none says it."""

    retry = False

    def __init__(self, message: str, hint: str = "", *, status: int = 0) -> None:
        super().__init__(message, hint)
        self.status = status


class SourceGone(SourceRefused):
    """The source says that it is gone for good; its task is blocked until it is edited or run by hand."""


class BadAnswer(SourceError):
    """The answer is not what the source promises."""


class HostWait(StomaError):
    """The host may not be asked before `until`; the run gives its slot back.

    That is no try, unless `retry` is set: by who knows that this one asked and has brought nothing.
    `is_turn` when the next turn is that far, by the rule of the host.
    """

    def __init__(self, host: str, until: datetime, reason: str, *, is_turn: bool = False) -> None:
        super().__init__(f"host busy: {host} may be asked again at {until:%Y-%m-%d %H:%M:%S} UTC ({reason})")
        self.host = host
        self.until = until
        self.is_turn = is_turn


class DeadlineExceeded(StomaError):
    """A run used up the time its task allows."""

    retry = True


class Stopped(StomaError):
    """The run was asked to stop; it continues later at its last committed page."""


class StoreError(StomaError):
    """The store could not do what was asked."""


class StoreUnavailable(StoreError):
    """The store cannot be reached or written just now."""

    retry = True


class Conflict(StoreError):
    """Somebody else wrote the same row at the same moment; nothing of this transaction was written."""

    retry = True


class SchedulerRunning(StoreError):
    """Another scheduler works on this SQLite file."""


class Fenced(StoreError):
    """The run has another owner now; what this one did is not written."""
