"""What the functions behind the routes give: an answer in JSON, or one that is sent piece by piece."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any


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
