"""What the functions behind the routes are given, and what they give back."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from stoma.api.guard import Shown
from stoma.scheduler.manager import Scheduler

if TYPE_CHECKING:
    from stoma.api.gate import Gate


@dataclass(frozen=True, slots=True)
class Caller:
    """Who asks, as the audit log names them: by which token, from which address."""

    # `env:STOMA_TOKEN`, `session of env:STOMA_TOKEN`, or `anyone`.
    name: str = "anyone"
    address: str = ""
    # By the cookie of a browser that has signed in, and can sign out.
    has_session: bool = False


@dataclass(frozen=True, slots=True)
class Asked:
    """One request behind the gate: parameters as its route declares them, defaults filled in, and its body."""

    scheduler: Scheduler
    # Only those that were given or have a default: whole numbers and truth values as such, the rest as text.
    query: Mapping[str, Any] = field(default_factory=dict)
    # JSON that fits the route's schema, or the fields of a form; None where the route takes none.
    body: Any = None
    caller: Caller = Caller()
    # The media types that the client would like, as it says in its header `Accept`.
    accept: str = ""
    # Who keeps the tokens and sessions, and what was shown there; for signing in and out.
    gate: Gate | None = None
    shown: Shown = field(default_factory=Shown, repr=False)


@dataclass(frozen=True, slots=True)
class Answer:
    """A JSON answer with its status."""

    body: Mapping[str, Any]
    status: int = 200


@dataclass(frozen=True, slots=True)
class Stream:
    """Pieces that are sent as they are made, with the headers that say what they are; closed when the client leaves."""

    pieces: Iterator[bytes]
    headers: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Document:
    """A text of some media type: a page, a style sheet, a feed."""

    text: str | bytes
    kind: str = "text/html; charset=utf-8"
    status: int = 200
    # Beside those that every answer has; the same name replaces.
    headers: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Redirect:
    """Look there now (303), as after a form was sent."""

    to: str
    headers: Mapping[str, str] = field(default_factory=dict)
    # The name of whoever asked, where it is known only now: they have signed in.
    who: str = ""


Given = Answer | Stream | Document | Redirect
