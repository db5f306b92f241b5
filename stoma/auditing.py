"""What is noted of each change: a row of `audit`, and a line of the log that is bound with `audit=True`.

A change is not undone because it cannot be noted; that is told to the log.
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Mapping
from contextlib import suppress
from datetime import UTC, datetime
from typing import Any

from stoma.errors import StoreError
from stoma.log import clean, logger
from stoma.references import HIDDEN, REFERENCE, mask
from stoma.stores import Store
from stoma.stores.audit import DONE, REFUSED, Entry

LONGEST_NAME = 200
"""Characters of a name or an address that are noted."""

LONGEST_TEXT = 500
"""Characters of a text that are noted."""

MOST_INSIDE = 50
"""Members of a list or an object that are noted."""

DEEPEST = 8

LARGEST = 4_000
"""Characters of all that is noted of a request, as JSON."""

_SECRET_NAME = re.compile(
    r"token|secret|passw|passphrase|pwd|credential|cookie|auth(?!or(?!i[sz]))|api[_-]?key|app[_-]?id|signature"
    r"|private|session|(^|[_-])key$",
    re.IGNORECASE,
)
_IN_ADDRESS = re.compile(r"(://)[^/\s@]+@")
_PARAMETER = re.compile(r"([?&;])([^=&;#\s]+)=([^&;#\s]*)")


def note(store: Store | None, entry: Entry) -> bool:
    """Write an entry down, in the log and in the store; None where no store is at hand.

    False where the store did not take it; that is logged, and nothing is raised.
    """
    fields = {name: value for name, value in entry.as_dict().items() if name not in ("id", "at")}
    target = f" {entry.target}" if entry.target else ""
    how = f"{entry.outcome} ({entry.status})" if entry.status is not None else entry.outcome
    level = "WARNING" if entry.outcome == REFUSED else "INFO"
    # `what` in one word for who reads the log by program.
    logger.bind(audit=True, what=entry.action, **fields).log(
        level, "{} by {} from {}: {}{}: {}", entry.via, entry.who, entry.address, entry.action, target, how
    )
    if store is None:
        return False
    try:
        store.audit.add(entry)
    except StoreError as error:
        logger.error(
            "{}{} by {} is not in the audit table: {}", entry.action, target, entry.who, error.message
        )
        return False
    return True


def entry_of(
    store: Store | None,
    via: str,
    who: str,
    address: str,
    action: str,
    target: str = "",
    outcome: str = DONE,
    status: int | None = None,
    circumstances: Mapping[str, Any] | None = None,
) -> Entry:
    """An entry of this moment, without secrets and control characters whatever it is made of."""
    return Entry(
        happened_at=_now(store),
        who=brief(who, LONGEST_NAME),
        via=via,
        address=brief(address, LONGEST_NAME),
        action=action,
        target=brief(target, LONGEST_NAME),
        outcome=outcome,
        status=status,
        circumstances=harmless(circumstances or {}),
    )


def _now(store: Store | None) -> datetime:
    with suppress(StoreError):
        if store is not None:
            return store.now()
    return datetime.now(UTC)


def user() -> str:
    """Who the system says is at work here; under sudo also who that was before."""
    try:
        import pwd

        uid = os.geteuid()
        try:
            name = pwd.getpwuid(uid).pw_name
        except KeyError:  # a container may know no names
            name = f"uid {uid}"
    except ImportError:  # pragma: no cover — Windows
        name = os.environ.get("USERNAME", "unknown")
    # Only root can have been made by sudo; anybody else may write into the environment what they like.
    before = os.environ.get("SUDO_USER") if name == "root" else None
    return brief(f"{name} (sudo by {before})" if before else name)


def brief(text: str, most: int = LONGEST_TEXT) -> str:
    """A text of a stranger: masked, without control characters, and not too long."""
    text = clean(mask(text)).replace("\n", " ").replace("\t", " ")
    return text if len(text) <= most else f"{text[: most - 1]}…"


def harmless(value: Any) -> dict[str, Any]:
    """What was sent, without secrets: those of references, and whatever a name calls one; small enough to be kept."""
    found = _harmless(value, False, 0)
    found = found if isinstance(found, dict) else {"value": found}
    size = len(json.dumps(found, ensure_ascii=False))
    return found if size <= LARGEST else {"too_long": f"{size} characters"}


def _harmless(value: Any, is_secret: bool, depth: int) -> Any:
    if depth > DEEPEST:
        return "…"
    if isinstance(value, Mapping):
        return {
            brief(str(name), 100): _harmless(
                inner, is_secret or bool(_SECRET_NAME.search(str(name))), depth + 1
            )
            for name, inner in list(value.items())[:MOST_INSIDE]
        }
    if isinstance(value, list | tuple):
        return [_harmless(inner, is_secret, depth + 1) for inner in value[:MOST_INSIDE]]
    if isinstance(value, str):
        return _text(value, is_secret)
    if value is None or isinstance(value, bool):
        return value
    # Also a number may be a password.
    return HIDDEN if is_secret else value


def _text(text: str, is_secret: bool) -> str:
    if is_secret:
        # A reference says where the secret lies, and nothing of it; nor does what is not there.
        return text if REFERENCE.fullmatch(text) or not text else HIDDEN
    text = _IN_ADDRESS.sub(lambda found: f"{found[1]}{HIDDEN}@", text)
    text = _PARAMETER.sub(
        lambda found: f"{found[1]}{found[2]}={_text(found[3], bool(_SECRET_NAME.search(found[2])))}", text
    )
    # A text that is JSON itself hides names inside.
    if text[:1] in ("{", "[") and _SECRET_NAME.search(text):
        try:
            return json.dumps(_harmless(json.loads(text), False, 1), ensure_ascii=False)[:LONGEST_TEXT]
        except (ValueError, RecursionError):
            return HIDDEN
    return brief(text)
