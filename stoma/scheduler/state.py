"""`scheduler_state.json`: a snapshot for people and scripts, replaced as a whole, never read back."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from typing import Any

import orjson

from stoma import __version__
from stoma.records import holdable
from stoma.scheduler.base import iso
from stoma.scheduler.config import Config
from stoma.scheduler.overview import in_parts
from stoma.scheduler.owner import this_process
from stoma.scheduler.parts import data_folder
from stoma.stores import Store

FILE = "scheduler_state.json"


def write_state(
    config: Config,
    store: Store,
    memory: Mapping[str, Any],
    *,
    running: bool,
    between: Callable[[], object] = lambda: None,
) -> None:
    """Replace the snapshot of how this process and every task stand; `memory` is what only the process knows.

    A reader sees the old one or the new one, never half of one. `between` is called after every few tasks.
    """
    now = store.now()
    head = {
        "written_at": iso(now),
        "running": running,
        "version": __version__,
        "pid": this_process().pid,
        "config_hash": config.hash,
        # The name of a broken file may be no text.
        **holdable(memory),
        "tasks": [],
    }
    path = data_folder(config) / FILE
    draft = path.with_name(f".{FILE}.{os.getpid()}")
    with draft.open("wb") as file:
        # The list stands at the end, and is written as it comes.
        file.write(orjson.dumps(head, option=orjson.OPT_INDENT_2).removesuffix(b"]\n}"))
        comma = b"\n    "
        for part in in_parts(config, store, now, config.tasks):
            for task in part:
                file.write(comma + orjson.dumps(task))
                comma = b",\n    "
            between()
        file.write(b"\n  ]\n}\n")
    os.replace(draft, path)
