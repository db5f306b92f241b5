"""Waiting for what other threads and processes do: bounded, and quick when it has happened."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any


def until(condition: Callable[[], object], seconds: float = 10.0, what: str = "") -> None:
    """Return as soon as the condition holds; fail when it does not within `seconds`."""
    end = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > end:
            raise AssertionError(f"did not happen within {seconds} s: {what or condition}")
        time.sleep(0.005)


def state_file(
    folder: Path, condition: Callable[[dict[str, Any]], object] = lambda state: True
) -> dict[str, Any]:
    """The state file of a scheduler, as soon as it is there and tells what the condition asks for."""
    path, found = folder / "scheduler_state.json", {}

    def look() -> bool:
        nonlocal found
        found = json.loads(path.read_text()) if path.exists() else {}
        return bool(found and condition(found))

    until(look, what="the state file")
    return found
