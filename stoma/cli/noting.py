"""Commands that change something are noted in the audit, in the name of the user of this machine."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from stoma.errors import StomaError

if TYPE_CHECKING:
    from stoma.stores import Store


@contextmanager
def noted(store: Store, action: str, target: object = "", **circumstances: Any) -> Iterator[None]:
    """Note what the block does, at its end: as done, or as failed with the reason."""
    try:
        yield
    except (StomaError, KeyboardInterrupt) as error:
        why = error.message if isinstance(error, StomaError) else "interrupted"
        _note(store, action, target, False, {**circumstances, "why": why})
        raise
    except SystemExit:
        # It has told by its exit code how that ended which it has set going.
        _note(store, action, target, True, circumstances)
        raise
    _note(store, action, target, True, circumstances)


def note_done(config_file: Path | None, action: str, target: object = "", **circumstances: Any) -> None:
    """Note what was done to files, in the store that they name; where that is away, a warning says so."""
    from stoma import own
    from stoma.cli.context import beside_running
    from stoma.cli.output import tell_warning
    from stoma.scheduler.lastgood import at_start
    from stoma.scheduler.loader import Loader
    from stoma.scheduler.parts import connect

    try:
        with own.unread():
            loader = Loader(config_file)
            config, _ = at_start(loader)
            with connect(beside_running(loader, config)) as store:
                _note(store, action, target, True, circumstances)
    except StomaError as error:
        tell_warning(f"it is done, and not noted in the audit: {error.message}")


def _note(store: Store, action: str, target: object, is_done: bool, circumstances: dict[str, Any]) -> None:
    from stoma import auditing
    from stoma.stores.audit import DONE, FAILED

    outcome = DONE if is_done else FAILED
    told = {name: value for name, value in circumstances.items() if value is not None and value is not False}
    who, machine = auditing.user(), socket.gethostname()
    entry = auditing.entry_of(store, "cli", who, machine, action, str(target), outcome, None, told)
    auditing.note(store, entry)
