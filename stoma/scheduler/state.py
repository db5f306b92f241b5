"""`scheduler_state.json`: a snapshot for people and scripts, replaced as a whole, never read back."""

from __future__ import annotations

import os
from collections.abc import Mapping
from datetime import datetime
from pathlib import Path
from typing import Any

import orjson

from stoma import __version__
from stoma.scheduler.base import iso
from stoma.scheduler.config import Config
from stoma.scheduler.overview import task_overview
from stoma.scheduler.owner import this_process
from stoma.stores import Store

FILE = "scheduler_state.json"


def snapshot(
    config: Config, store: Store, now: datetime, memory: Mapping[str, Any], *, running: bool
) -> dict[str, Any]:
    """How this process and every task stand; `memory` is what only the process knows."""
    return {
        "written_at": iso(now),
        "running": running,
        "version": __version__,
        "pid": this_process().pid,
        "config_hash": config.hash,
        **memory,
        "tasks": task_overview(config, store, now),
    }


def write_state(folder: Path, state: Mapping[str, Any]) -> None:
    """Replace the snapshot in `folder`; a reader sees the old one or the new one, never half of one."""
    path = folder / FILE
    draft = path.with_name(f".{FILE}.{os.getpid()}")
    draft.write_bytes(orjson.dumps(state, option=orjson.OPT_INDENT_2 | orjson.OPT_APPEND_NEWLINE))
    os.replace(draft, path)
