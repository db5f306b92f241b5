"""Secrets by reference: `${env:NAME}` and `${file:PATH}`, resolved where they are used and masked everywhere else."""

from __future__ import annotations

import json
import os
import re
import threading
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any
from urllib.parse import quote, quote_plus

from stoma.errors import Blocked

REFERENCE = re.compile(r"\$\{(env|file):([^{}]*)\}")
SHORTEST_SECRET = 4
"""Shorter values are not masked: they would tear holes into ordinary words and protect nothing."""

_seen: dict[str, str] = {}
_lock = threading.Lock()


def references(value: Any) -> Iterator[tuple[str, str]]:
    """Every reference inside a value, as (kind, name)."""
    if isinstance(value, str):
        yield from REFERENCE.findall(value)
    elif isinstance(value, Mapping):
        for inner in value.values():
            yield from references(inner)
    elif isinstance(value, list | tuple):
        for inner in value:
            yield from references(inner)


def unset(value: Any, base: Path) -> str | None:
    """Why a value cannot be resolved now, or None when it can."""
    for kind, name in references(value):
        try:
            _fetch(kind, name, base)
        except Blocked as error:
            return error.message
    return None


def resolve(value: Any, base: Path) -> Any:
    """The value with its references replaced; files count from `base`. Raises Blocked when one is unset."""
    if isinstance(value, str):
        return REFERENCE.sub(lambda match: _fetch(match[1], match[2], base), value)
    if isinstance(value, Mapping):
        return {key: resolve(inner, base) for key, inner in value.items()}
    if isinstance(value, list | tuple):
        return [resolve(inner, base) for inner in value]
    return value


def mask(text: str) -> str:
    """The text with every secret that this process has resolved replaced by its reference."""
    if not _seen:
        return text
    with _lock:
        known = sorted(_seen.items(), key=lambda pair: -len(pair[0]))
    for secret, reference in known:
        if secret in text:
            text = text.replace(secret, reference)
    return text


def remember(secret: str, reference: str) -> None:
    """Mask `secret` from now on, showing `reference` instead."""
    if len(secret) >= SHORTEST_SECRET:
        # Also as it looks inside JSON, in an address and in the words of an error.
        forms = {
            secret,
            json.dumps(secret)[1:-1],
            json.dumps(secret, ensure_ascii=False)[1:-1],
            quote(secret, safe=""),
        }
        forms |= {quote_plus(secret), repr(secret)[1:-1]}
        with _lock:
            _seen.update(dict.fromkeys(forms, reference))


def _fetch(kind: str, name: str, base: Path) -> str:
    reference = f"${{{kind}:{name}}}"
    if kind == "env":
        found = os.environ.get(name)
        if not found:
            raise Blocked(
                f"the environment variable {name} is not set", f"set {name}, or replace {reference}"
            )
    else:
        try:
            found = (base / name).read_text(encoding="utf-8").strip()
        except (OSError, UnicodeDecodeError) as error:
            reason = getattr(error, "strerror", None) or "it is not UTF-8 text"
            raise Blocked(
                f"{reference} cannot be read: {reason}", "create the file or change the reference"
            ) from None
        if not found:
            raise Blocked(f"{reference} is empty", "write the secret into the file")
    remember(found, reference)
    return found
