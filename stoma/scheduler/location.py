"""The note beside the data: on which store the scheduler of these files works, also after `store.url` was edited.

It holds the address as it is written, never a reference resolved. Who only looks follows it while that scheduler lives.
"""

from __future__ import annotations

import json
import os
from dataclasses import dataclass
from pathlib import Path

from stoma.log import logger
from stoma.scheduler.files import MAIN
from stoma.scheduler.owner import this_process
from stoma.scheduler.parts import data_folder
from stoma.scheduler.settings import Config
from stoma.wording import without_passwords

FILE = "scheduler_store.json"


@dataclass(frozen=True, slots=True)
class Location:
    """The address of a store as it was written, and the process that works, or worked, on it."""

    url: str
    owner: str


def note(config: Config) -> None:
    """Note where this process works; what cannot be written is told, and nothing stops for it."""
    path = data_folder(config) / FILE
    entries = _entries(path)
    entry = {"url": config.store_url, "owner": str(this_process())}
    if entries.get(_key(config)) == entry:
        return
    text = json.dumps(entries | {_key(config): entry}, indent=2, ensure_ascii=False) + "\n"
    # An address may hold a password, where somebody wrote one out.
    mode = 0o644 if without_passwords(text) == text else 0o600
    draft = path.with_name(f".{FILE}.{os.getpid()}")
    try:
        with os.fdopen(
            os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, mode), "w", encoding="utf-8"
        ) as file:
            file.write(text)
        os.replace(draft, path)
    except OSError as error:
        logger.warning("{} cannot be written: {}", FILE, error.strerror)


def noted(config: Config) -> Location | None:
    """What the last scheduler of these files noted; None where none did."""
    entry = _entries(data_folder(config) / FILE).get(_key(config))
    if not isinstance(entry, dict):
        return None
    url, owner = entry.get("url"), entry.get("owner")
    return Location(url, owner) if isinstance(url, str) and isinstance(owner, str) else None


def _key(config: Config) -> str:
    return os.path.abspath(config.path or config.base / MAIN)


def _entries(path: Path) -> dict[str, object]:
    """By main file; other configurations may use the same folder."""
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return found if isinstance(found, dict) else {}
